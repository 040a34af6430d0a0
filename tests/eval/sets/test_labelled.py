"""Images that a labelled set names and its gallery lacks."""

import pytest

from cir.errors import UsageError
from eval.sets.labelled import Absent, LabelledQuery, LabelledSet, absent_from, check_present

PLACES = {"gone.jpg": "qrels/test.tsv, line 7", "lost.jpg": "queries.jsonl, line 3"}


def absent_of(*queries: LabelledQuery, keep_reference: bool = False) -> Absent:
    held = {"a.jpg", "b.jpg", "c.jpg"}
    labelled = LabelledSet("set", "test", queries, "0")
    return absent_from(
        labelled, held.__contains__, held.__contains__, keep_reference=keep_reference
    )


def test_a_set_that_fits_passes() -> None:
    absent = absent_of(LabelledQuery("q", "a.jpg", "in red", {"b.jpg": 1}))
    assert not absent
    check_present(absent, "the gallery")


def test_absent_images_are_counted_and_named_with_their_places() -> None:
    absent = absent_of(
        LabelledQuery("q1", "lost.jpg", "", {"b.jpg": 1, "gone.jpg": 1}, places=PLACES),
        LabelledQuery("q2", "a.jpg", "", {"gone.jpg": 1}, places=PLACES),
    )
    assert (list(absent.references), list(absent.targets)) == (["lost.jpg"], ["gone.jpg"])
    assert absent.unreachable == ("q2",)
    with pytest.raises(UsageError) as caught:
        check_present(absent, "the gallery photos")
    message = str(caught.value)
    assert "the gallery photos does not hold" in message
    assert "1 reference image ('lost.jpg' in queries.jsonl, line 3)" in message
    assert "1 target ('gone.jpg' in qrels/test.tsv, line 7)" in message
    assert "allow_missing=True" in message


def test_only_some_of_many_absent_images_are_named() -> None:
    targets = {f"{number}.jpg": 1 for number in range(40)}
    with pytest.raises(UsageError, match=r"40 targets \(.*; \.\.\.\)") as caught:
        check_present(absent_of(LabelledQuery("q", "a.jpg", "", targets)), "the gallery")
    assert str(caught.value).count(".jpg") == 2


def test_a_reference_as_its_own_only_target_is_found_only_when_it_stays() -> None:
    query = LabelledQuery("q", "a.jpg", "", {"a.jpg": 1})
    assert absent_of(query).unreachable == ("q",)
    assert not absent_of(query, keep_reference=True)
    with pytest.raises(UsageError, match="keep_reference=True"):
        check_present(absent_of(query), "the gallery")
