"""Encoders by name."""

from difflib import get_close_matches
from pathlib import Path

from cir.encoders.base import Encoder, EncoderSpec
from cir.encoders.checkpoints import (
    OnProgress,
    Readiness,
    find_tokenizer,
    find_weights,
    missing_packages,
    readiness,
)
from cir.encoders.specs import SPECS
from cir.errors import EncoderError, UsageError


def encoder_spec(name: str) -> EncoderSpec:
    """Facts about the encoder of this name.

    Raises:
        UsageError: there is none; names those there are.
    """
    if name in SPECS:
        return SPECS[name]
    close = get_close_matches(name, SPECS, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise UsageError(f"There is no encoder {name!r}. Encoders: {', '.join(SPECS)}.{hint}")


def encoder_readiness(
    name: str, weights: str | None = None, tokenizer: str | None = None
) -> Readiness:
    """Whether the encoder can be loaded now, after a download, or only with more packages.

    `weights` and `tokenizer`: what a person names needs no download.
    """
    return readiness(encoder_spec(name), weights, tokenizer)


def fetch_encoder(
    name: str,
    on_progress: OnProgress | None = None,
    weights: str | None = None,
    tokenizer: str | None = None,
) -> None:
    """Download what the encoder lacks and nobody names; nothing where it is ready.

    Raises:
        UsageError: no such encoder. EncoderError: the download failed, or packages are missing.
    """
    spec = encoder_spec(name)
    if spec.hub is not None:
        _require_packages(spec)
        find_tokenizer(spec, tokenizer)  # small: what is wrong shows at once
        find_weights(spec, weights, on_progress=on_progress)


def load_encoder(
    name: str,
    weights: str | Path | None = None,
    tokenizer: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    *,
    download: bool = True,
    on_progress: OnProgress | None = None,
) -> Encoder:
    """The encoder of this name, ready to use.

    Args:
        name: a key of `SPECS`.
        weights: a checkpoint of one's own (for compact: a folder of graphs); None takes what ships
            with the project, else what is on this machine, else a download.
        tokenizer: a folder with its tokenizer; None likewise.
        device: "auto", "cpu", "cuda" or "mps"; compact always runs on the CPU.
        precision: "exact" (float32), "bf16", "fp16"; "auto" is exact on a CPU and half precision on
            a GPU, "fast" the quickest that this machine has.
        download: whether missing files may be fetched.
        on_progress: told how far a download is, in megabytes.

    Raises:
        UsageError: no such encoder. EncoderError: its files are missing or damaged, or there is no
            such device or precision here.
    """
    spec = encoder_spec(name)
    if spec.hub is None:
        from cir.encoders.compact.encoder import CompactEncoder

        return CompactEncoder(weights, precision)
    _require_packages(spec)
    found = find_weights(spec, weights, download=download, on_progress=on_progress)
    folder = find_tokenizer(spec, tokenizer, download=download)
    from cir.encoders.devices import pick_device, pick_precision
    from cir.encoders.torch_encoder import Setup

    place = pick_device(device)
    setup = Setup(place, pick_precision(precision, place), _named(weights), _named(tokenizer))
    if name.startswith("visualized-bge"):
        from cir.encoders.visualized_bge import VisualizedBgeEncoder

        return VisualizedBgeEncoder(spec, found, folder, setup)
    from cir.encoders.bge_vl import BgeVlEncoder

    return BgeVlEncoder(spec, found, folder, setup)


def settled_precision(name: str, device: str, precision: str) -> str:
    """The precision that "auto" or "fast" comes to; errors as in `load_encoder`."""
    if precision not in {"auto", "fast"}:
        return precision
    spec = encoder_spec(name)
    if spec.hub is None:
        return "exact"
    _require_packages(spec)
    from cir.encoders.devices import pick_device, pick_precision

    return pick_precision(precision, pick_device(device))


def _require_packages(spec: EncoderSpec) -> None:
    missing = missing_packages()
    if missing:
        raise EncoderError(
            f"The encoder {spec.name} needs packages that are not installed: {', '.join(missing)}. "
            "Install requirements.txt, or use the encoder compact."
        )


def _named(path: str | Path | None) -> str | None:
    """A path that a person named, so that it is found again from any folder."""
    return None if path is None else str(Path(path).expanduser().resolve())
