"""The compact encoder, which ships with the project; see MODEL_CARD.md."""

from cir.encoders.protocol import Encoder, EncoderChoice, EncoderFamily, EncoderSpec, FoundFiles

COMPACT = EncoderSpec(
    name="compact",
    title="Compact: ships with Recompose; knows garments and accessories, and compares other "
    "pictures by colour and likeness",
    recommended_for="garments and accessories (others by colour and likeness); no download",
    dim=512,
    parameters=16_100_000,
    memory_bytes=180_000_000,
    knows="garments and accessories",
    licence="MIT",
    source="trained by this project; see MODEL_CARD.md beside its graphs",
)


def _load(spec: EncoderSpec, choice: EncoderChoice, files: FoundFiles | None) -> Encoder:
    from cir.encoders.compact.encoder import CompactEncoder

    return CompactEncoder(choice.weights, choice.precision)


def _imports() -> None:
    import cir.encoders.compact.encoder  # noqa: F401


FAMILY = EncoderFamily((COMPACT,), _load, imports=_imports)
