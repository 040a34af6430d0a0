"""General pictures on ONNX Runtime by fastembed, without torch: `fe:NAME`.

Figures of size, licence and dimension are those that fastembed 0.9.1 states; memory was measured
on generated weights of full size, see docs/choosing-an-encoder.md.
"""

from cir.encoders.protocol import (
    Encoder,
    EncoderChoice,
    EncoderFamily,
    EncoderSpec,
    FoundFiles,
    HubFolder,
)
from cir.errors import EncoderError, WayOut

SEEN = ("preprocessor_config.json", "config.json")
READ = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json")
_SIGLIP = "onnx-community/siglip2-base-patch16-224-ONNX"
_SIGLIP_IMAGE, _SIGLIP_TEXT = "onnx/vision_model.onnx", "onnx/text_model.onnx"


def _folder(repository: str, graph: str, more: tuple[str, ...]) -> HubFolder:
    return HubFolder(repository, (*more, graph), graph)


CLIP = EncoderSpec(
    name="fe:Qdrant/clip-ViT-B-32",
    title="CLIP ViT-B/32 on ONNX Runtime: pictures of anything, English",
    recommended_for="general pictures without torch, the smaller one",
    dim=512,
    parameters=151_277_313,
    download_bytes=590_000_000,
    memory_bytes=880_000_000,
    licence="MIT",
    source="Qdrant/clip-ViT-B-32-vision, Qdrant/clip-ViT-B-32-text",
    folders=(
        _folder("Qdrant/clip-ViT-B-32-vision", "model.onnx", SEEN),
        _folder("Qdrant/clip-ViT-B-32-text", "model.onnx", READ),
    ),
)
SIGLIP = EncoderSpec(
    name="fe:google/siglip2-base-patch16-224",
    title="SigLIP 2, base, on ONNX Runtime: pictures of anything, many languages",
    recommended_for="general pictures without torch",
    dim=768,
    parameters=375_187_970,
    download_bytes=1_500_000_000,
    memory_bytes=2_300_000_000,
    licence="Apache-2.0",
    source="google/siglip2-base-patch16-224",
    folders=(
        _folder(_SIGLIP, _SIGLIP_IMAGE, SEEN),
        _folder(_SIGLIP, _SIGLIP_TEXT, READ),
    ),
)
MODELS = {
    CLIP.name: ("Qdrant/clip-ViT-B-32-vision", "Qdrant/clip-ViT-B-32-text"),
    SIGLIP.name: ("google/siglip2-base-patch16-224", "google/siglip2-base-patch16-224"),
}
"""By encoder, the names that fastembed has for the two towers."""


def _load(spec: EncoderSpec, choice: EncoderChoice, files: FoundFiles | None) -> Encoder:
    if choice.precision not in {"auto", "fast", "exact"}:
        raise EncoderError(f"The encoder {spec.name} computes exactly, not in {choice.precision}.")
    from cir.encoders.on_fastembed.encoder import FastembedEncoder

    assert files is not None  # all have a download
    return FastembedEncoder(spec, MODELS[spec.name], files, choice)


FAMILY = EncoderFamily(
    (CLIP, SIGLIP),
    _load,
    ("fastembed", "huggingface_hub"),
    way_out=WayOut.GENERAL_INSTALLATION,
)
