"""BGE-VL (Zhou et al. 2024, MegaPairs): CLIP whose composed query is the sum of image and text."""

from cir.encoders import on_torch
from cir.encoders.protocol import (
    Encoder,
    EncoderChoice,
    EncoderFamily,
    EncoderSpec,
    FoundFiles,
    HubFiles,
)

BASE = EncoderSpec(
    name="bge-vl-base",
    title="BGE-VL, base: CLIP trained for composed retrieval (English)",
    recommended_for="quality at moderate size",
    dim=512,
    parameters=149_620_737,
    download_bytes=300_000_000,
    licence="MIT",
    source="BAAI/BGE-VL-base",
    hub=HubFiles("BAAI/BGE-VL-base", "model.safetensors", "BAAI/BGE-VL-base", ("config.json",)),
)
LARGE = EncoderSpec(
    name="bge-vl-large",
    title="BGE-VL, large: CLIP trained for composed retrieval (English)",
    recommended_for="best quality",
    dim=768,
    parameters=427_616_513,
    download_bytes=855_000_000,
    licence="MIT",
    source="BAAI/BGE-VL-large",
    hub=HubFiles("BAAI/BGE-VL-large", "model.safetensors", "BAAI/BGE-VL-large", ("config.json",)),
)


def _load(spec: EncoderSpec, choice: EncoderChoice, files: FoundFiles | None) -> Encoder:
    from cir.encoders.bge_vl.encoder import BgeVlEncoder
    from cir.encoders.on_torch.encoder import setup_of

    assert files is not None  # both have a download
    return BgeVlEncoder(spec, files.weights, files.tokenizer, setup_of(choice))


FAMILY = EncoderFamily((BASE, LARGE), _load, on_torch.PACKAGES, on_torch.settle)
