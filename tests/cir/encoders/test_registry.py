"""Encoders by name."""

import subprocess
import sys
from pathlib import Path

import pytest

from cir.encoders.protocol import EncoderChoice
from cir.encoders.registry import encoder_spec, encoder_specs, load_encoder, readiness
from cir.errors import EncoderError, UsageError


@pytest.mark.parametrize("name", encoder_specs())
def test_every_encoder_is_described(name: str) -> None:
    spec = encoder_spec(name)
    assert spec.name == name and spec.title and spec.licence and spec.source
    assert spec.dim > 0 and spec.parameters > 0 and spec.download_bytes >= 0


def test_an_unknown_encoder_is_told_the_known_ones() -> None:
    asks = (encoder_spec, load_encoder, lambda name: readiness(EncoderChoice(name)))
    for ask in asks:
        with pytest.raises(UsageError, match=r"no encoder 'compcat'.*Did you mean compact"):
            ask("compcat")


def test_the_shipped_encoder_loads_without_a_download() -> None:
    assert readiness(EncoderChoice("compact")) == "ready"
    encoder = load_encoder("compact")
    assert encoder.spec is encoder_specs()["compact"] and encoder.precision == "exact"
    assert encoder.encode_texts(["red"]).shape == (1, encoder.spec.dim)


def test_an_encoder_works_alone_without_a_store() -> None:
    code = """
import sys
from PIL import Image
import cir
encoder = cir.load_encoder("compact")
assert encoder.encode_composed([Image.new("RGB", (9, 9))], ["in red"]).shape == (1, 512)
assert not {"pymilvus", "torch", "pandas", "streamlit", "cir.store"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weights_of_ones_own_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=str(tmp_path)):
        load_encoder("compact", tmp_path)
