"""Uploaded pictures are kept for the browser that has sent them, in bounds."""

import io

import pytest
from PIL import Image

from cir.errors import UsageError
from cir.search.references import uploaded_reference
from pages.parts.search import uploads
from pages.parts.search.uploads import MOST_OF_BROWSER, MOST_SECONDS, Uploads

ONE = 3 * 10 * 10  # bytes of a picture of these tests
NAMES = [f"up-{number:032x}" for number in range(30)]


def picture(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (10, 10), colour).save(buffer, "PNG")
    return buffer.getvalue()


REFERENCE = uploaded_reference("red.png", picture())


def test_another_browser_does_not_see_a_picture() -> None:
    kept = Uploads(10 * ONE)
    kept.keep("mine", NAMES[0], REFERENCE)
    assert kept.find("mine", NAMES[0]) is REFERENCE
    assert kept.find("yours", NAMES[0]) is None


def test_what_was_not_used_for_longest_goes_first() -> None:
    kept = Uploads(2 * ONE)
    for name in NAMES[:2]:
        kept.keep("mine", name, REFERENCE)
    assert kept.find("mine", NAMES[0])
    kept.keep("yours", NAMES[2], REFERENCE)
    assert kept.find("mine", NAMES[1]) is None
    assert kept.find("mine", NAMES[0])


def test_a_browser_keeps_so_many_and_takes_nothing_from_others() -> None:
    kept = Uploads(1000 * ONE)
    kept.keep("yours", NAMES[0], REFERENCE)
    for name in NAMES:
        kept.keep("mine", name, REFERENCE)
    there = [name for name in NAMES if kept.find("mine", name)]
    assert there == NAMES[-MOST_OF_BROWSER:]
    assert kept.find("yours", NAMES[0])


def test_a_picture_is_kept_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("pages.parts.search.uploads.time.monotonic", lambda: now)
    kept = Uploads(10 * ONE)
    kept.keep("mine", NAMES[0], REFERENCE)
    now = MOST_SECONDS - 1
    assert kept.find("mine", NAMES[0]), "and its use counts"
    now = 2 * MOST_SECONDS - 2
    assert kept.find("mine", NAMES[0])
    now = 3 * MOST_SECONDS
    assert kept.find("mine", NAMES[0]) is None


def test_a_picture_that_was_not_sent_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="uploaded in another browser"):
        uploads.kept(NAMES[0])


@pytest.mark.parametrize("name", ["up-", "up-" + "0" * 31, "up-" + "G" * 32, "0" * 32])
def test_other_names_are_no_uploads(name: str) -> None:
    assert not uploads.is_upload(name)
