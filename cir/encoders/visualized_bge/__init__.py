"""Visualized BGE: a BGE text model that reads the image tokens of an EVA02 tower."""

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
    name="visualized-bge-base",
    title="Visualized BGE, base (English)",
    recommended_for="the tutorial's encoder",
    dim=768,
    parameters=196_335_873,
    download_bytes=393_000_000,
    licence="MIT",
    source="BAAI/bge-visualized",
    hub=HubFiles("BAAI/bge-visualized", "Visualized_base_en_v1.5.pth", "BAAI/bge-base-en-v1.5"),
)
M3 = EncoderSpec(
    name="visualized-bge-m3",
    title="Visualized BGE, m3 (many languages)",
    recommended_for="instructions in several languages",
    dim=1024,
    parameters=872_909_505,
    download_bytes=1_770_000_000,
    licence="MIT",
    source="BAAI/bge-visualized",
    hub=HubFiles("BAAI/bge-visualized", "Visualized_m3.pth", "BAAI/bge-m3"),
)


def _load(spec: EncoderSpec, choice: EncoderChoice, files: FoundFiles | None) -> Encoder:
    from cir.encoders.on_torch.encoder import setup_of
    from cir.encoders.visualized_bge.encoder import VisualizedBgeEncoder

    assert files is not None  # both have a download
    return VisualizedBgeEncoder(spec, files.weights, files.tokenizer, setup_of(choice))


FAMILY = EncoderFamily((BASE, M3), _load, on_torch.PACKAGES, on_torch.settle)
