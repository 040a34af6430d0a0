"""Loaded encoders that the process shares."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cir.encoders import registry
from cir.encoders.protocol import EncoderChoice
from cir.encoders.registry import load_ahead, load_encoder
from cir.errors import EncoderError
from tests.needs import needs
from tests.places import GOLDEN

TINY = str(GOLDEN / "tiny-base.pth"), str(GOLDEN / "tiny-base-tokenizer")


def wait_for(name: str) -> None:
    """Wait until no thread loads the encoder of this name."""
    for thread in threading.enumerate():
        if thread.name == f"load {name}":
            thread.join(30)


def test_what_was_loaded_ahead_is_there_for_an_index_made_by_it() -> None:
    choice = EncoderChoice("compact", precision="exact")
    load_ahead(choice)
    wait_for("compact")
    assert registry._loaded.cache_info().currsize == 1
    load_encoder(choice)
    assert registry._loaded.cache_info().hits == 1


@pytest.mark.parametrize("precision", ["auto", "fast"])
@pytest.mark.parametrize("name", ["compact", "visualized-bge-base"])
def test_who_searches_an_index_gets_the_encoder_that_made_it(name: str, precision: str) -> None:
    weights, tokenizer = (None, None) if name == "compact" else TINY
    if weights is not None:
        needs("torch", "torch comes with requirements.txt")
    choice = EncoderChoice(name, weights, tokenizer, "cpu", precision)
    made = load_encoder(choice)
    assert load_encoder(replace(choice, precision=made.precision)) is made
    assert registry._loaded.cache_info().currsize == 1


def test_what_goes_wrong_ahead_is_told_by_the_call_that_needs_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    choice = EncoderChoice("compact", str(tmp_path), precision="exact")
    load_ahead(choice)
    wait_for("compact")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(EncoderError, match="cannot be read"):
        load_encoder(choice)


def test_loading_imports_nothing_more() -> None:
    """A thread that imports may wait for ever where Ctrl-C met the import of another."""
    code = """
import sys
import cir.encoders.compact.encoder, cir.encoders.registry
from cir.encoders.protocol import EncoderChoice
from cir.encoders.registry import encoder_specs, load_encoder
encoder_specs()
before = set(sys.modules)
load_encoder(EncoderChoice("compact", precision="exact"))
print(sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ["bge-vl-base", "none such"])
def test_large_and_unknown_encoders_are_left_to_the_call_that_needs_them(name: str) -> None:
    before = threading.active_count()
    load_ahead(EncoderChoice(name))
    assert threading.active_count() == before
