"""Encoders that the process shares."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cir.encoders import shared
from cir.encoders.shared import load_ahead, shared_encoder
from cir.errors import EncoderError
from tests.needs import needs
from tests.places import GOLDEN

TINY = str(GOLDEN / "tiny-base.pth"), str(GOLDEN / "tiny-base-tokenizer")


@pytest.fixture(autouse=True)
def _nothing_loaded() -> Iterator[None]:
    shared._loaded.cache_clear()
    yield
    shared._loaded.cache_clear()


def wait_for(name: str) -> None:
    """Wait until no thread loads the encoder of this name."""
    for thread in threading.enumerate():
        if thread.name == f"load {name}":
            thread.join(30)


def test_what_was_loaded_ahead_is_there_for_an_index_made_by_it() -> None:
    load_ahead("compact")
    wait_for("compact")
    assert shared._loaded.cache_info().currsize == 1
    shared_encoder("compact", None, None, "auto", "exact")
    assert shared._loaded.cache_info().hits == 1


@pytest.mark.parametrize("precision", ["auto", "fast"])
@pytest.mark.parametrize("name", ["compact", "visualized-bge-base"])
def test_who_searches_an_index_gets_the_encoder_that_made_it(name: str, precision: str) -> None:
    weights, tokenizer = (None, None) if name == "compact" else TINY
    if weights is not None:
        needs("torch", "torch comes with requirements.txt")
    made = shared_encoder(name, weights, tokenizer, "cpu", precision)
    assert shared_encoder(name, weights, tokenizer, "cpu", made.precision) is made
    assert shared._loaded.cache_info().currsize == 1


def test_what_goes_wrong_ahead_is_told_by_the_call_that_needs_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    load_ahead("compact", str(tmp_path))
    wait_for("compact")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(EncoderError, match="cannot be read"):
        shared_encoder("compact", str(tmp_path), None, "auto", "exact")


def test_loading_imports_nothing_more() -> None:
    """A thread that imports may wait for ever where Ctrl-C met the import of another."""
    code = """
import sys
import cir.encoders.compact.encoder, cir.encoders.registry
from cir.encoders.shared import shared_encoder
before = set(sys.modules)
shared_encoder("compact", None, None, "auto", "exact")
print(sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ["bge-vl-base", "none such"])
def test_large_and_unknown_encoders_are_left_to_the_call_that_needs_them(name: str) -> None:
    before = threading.active_count()
    load_ahead(name)
    assert threading.active_count() == before
