"""Encoders by name."""

from pathlib import Path

import pytest

from cir.encoders.registry import encoder_readiness, encoder_spec, load_encoder
from cir.encoders.specs import SPECS
from cir.errors import EncoderError, UsageError


@pytest.mark.parametrize("name", SPECS)
def test_every_encoder_is_described(name: str) -> None:
    spec = encoder_spec(name)
    assert spec.name == name and spec.title and spec.licence and spec.source
    assert spec.dim > 0 and spec.parameters > 0 and spec.download_bytes >= 0


def test_an_unknown_encoder_is_told_the_known_ones() -> None:
    for use in (encoder_spec, load_encoder, encoder_readiness):
        with pytest.raises(UsageError, match=r"no encoder 'compcat'.*Did you mean compact"):
            use("compcat")


def test_the_shipped_encoder_loads_without_a_download() -> None:
    assert encoder_readiness("compact") == "ready"
    encoder = load_encoder("compact")
    assert encoder.spec is SPECS["compact"] and encoder.precision == "exact"
    assert encoder.encode_texts(["red"]).shape == (1, encoder.spec.dim)


def test_weights_of_ones_own_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=str(tmp_path)):
        load_encoder("compact", tmp_path)
