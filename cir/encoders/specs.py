"""The encoders that there are, and where their weights are published."""

from collections.abc import Mapping

from cir.encoders.protocol import EncoderSpec, HubFiles

COMPACT = EncoderSpec(
    name="compact",
    title="Compact: ships with Recompose, made for garments and accessories",
    recommended_for="no download, small hosts",
    dim=512,
    parameters=16_100_000,
    download_bytes=0,
    licence="MIT",
    source="trained by this project; see MODEL_CARD.md beside its graphs",
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
VL_BASE = EncoderSpec(
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
VL_LARGE = EncoderSpec(
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
SPECS: Mapping[str, EncoderSpec] = {
    spec.name: spec for spec in (COMPACT, BASE, M3, VL_BASE, VL_LARGE)
}
