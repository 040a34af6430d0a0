"""Finds an encoder's files: where a person says, in a weights folder, on the hub."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from cir.encoders.base import EncoderSpec, HubFiles
from cir.errors import EncoderError
from cir.progress import Progress, ProgressTeller
from cir.settings import load_settings

Readiness = Literal["ready", "download", "not installed"]
OnProgress = Callable[[Progress], None]
NEEDED = ("torch", "transformers", "einops", "huggingface_hub")
TOKENIZER_FILES = (
    "tokenizer_config.json",
    "tokenizer.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "config.json",
)
MEGABYTE = 1_000_000


def readiness(spec: EncoderSpec) -> Readiness:
    """Whether the encoder can be loaded now, after a download, or only with more packages."""
    if spec.hub is None:
        return "ready"
    if missing_packages():
        return "not installed"
    here = _local_weights(spec.name, spec.hub) and _local_tokenizer(spec.name, spec.hub)
    return "ready" if here else "download"


def missing_packages() -> list[str]:
    """Packages that the large encoders need and that are not installed."""
    return [package for package in NEEDED if find_spec(package) is None]


def find_weights(
    spec: EncoderSpec,
    weights: str | Path | None = None,
    *,
    download: bool = True,
    on_progress: OnProgress | None = None,
) -> Path:
    """The checkpoint: the path that is given, else what is here, else a download.

    Raises:
        EncoderError: it is nowhere, and may not or cannot be downloaded.
    """
    if weights is not None:
        path = Path(weights).expanduser()
        if not path.exists():
            raise EncoderError(f"There are no weights at {path}.")
        return path
    hub = _hub(spec)
    found = _local_weights(spec.name, hub)
    if found is not None:
        return found
    if not download:
        raise EncoderError(missing_sentence(spec, "They are not on this machine."))
    path = _download(spec, hub.repository, hub.file, on_progress)
    for name in hub.more:
        _download(spec, hub.repository, name, None)
    return path


def find_tokenizer(
    spec: EncoderSpec, tokenizer: str | Path | None = None, *, download: bool = True
) -> Path:
    """The tokenizer's folder, in the same order.

    Raises:
        EncoderError: as `find_weights`.
    """
    if tokenizer is not None:
        return Path(tokenizer).expanduser()
    hub = _hub(spec)
    found = _local_tokenizer(spec.name, hub)
    if found is not None:
        return found
    if not download:
        raise EncoderError(missing_sentence(spec, "Its tokenizer is not on this machine."))
    from huggingface_hub import snapshot_download

    with _hub_errors(spec):
        return Path(snapshot_download(hub.tokenizer, allow_patterns=list(TOKENIZER_FILES)))


def weights_folder(name: str) -> Path:
    """Where a person may put an encoder's files by hand."""
    return load_settings().weights_folder / name


def missing_sentence(spec: EncoderSpec, why: str) -> str:
    """What is missing, its size, and the ways out."""
    hub = _hub(spec)
    return (
        f"The encoder {spec.name} needs {hub.file} ({_size(spec.download_bytes)}) from "
        f"huggingface.co/{hub.repository} and the tokenizer files of {hub.tokenizer}. {why} "
        f"Put them into {weights_folder(spec.name)}, or use the encoder compact, which needs no "
        "download."
    )


def _hub(spec: EncoderSpec) -> HubFiles:
    if spec.hub is None:
        raise EncoderError(f"The encoder {spec.name} ships with Recompose: it has no download.")
    return spec.hub


def _local_weights(name: str, hub: HubFiles) -> Path | None:
    by_hand = weights_folder(name) / hub.file
    return by_hand if by_hand.is_file() else _cached(hub.repository, hub.file)


def _local_tokenizer(name: str, hub: HubFiles) -> Path | None:
    folder = weights_folder(name)
    if _holds_tokenizer(folder):
        return folder
    config = _cached(hub.tokenizer, "tokenizer_config.json")
    return config.parent if config is not None and _holds_tokenizer(config.parent) else None


def _holds_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt"))


def _cached(repository: str, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, file)
    return Path(found) if isinstance(found, str) else None


def _download(
    spec: EncoderSpec, repository: str, file: str, on_progress: OnProgress | None
) -> Path:
    from huggingface_hub import hf_hub_download

    with _hub_errors(spec):
        told = _told_to(on_progress, f"Downloading {file}") if on_progress else None
        return Path(hf_hub_download(repository, file, tqdm_class=told))


def _told_to(on_progress: OnProgress, stage: str) -> Any:
    """A tqdm class whose bars tell the listener megabytes instead of drawing."""
    from tqdm import tqdm

    class Told(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)  # of huggingface_hub's own bars
            super().__init__(*args, **options | {"disable": True})
            self._teller = ProgressTeller(
                round((options.get("total") or 0) / MEGABYTE), on_progress, stage=f"{stage} (MB)"
            )
            self._bytes = self._told = 0
            self.update(options.get("initial") or 0)

        def update(self, n: float | None = 1) -> None:
            self._bytes += int(n or 0)
            done = self._bytes // MEGABYTE
            self._teller.count(done - self._told)
            self._told = done

    return Told


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


@contextmanager
def _hub_errors(spec: EncoderSpec) -> Iterator[None]:
    """Turn whatever the hub's library raises into our sentence; what a listener raises passes."""
    try:
        yield
    except Exception as error:
        theirs = type(error).__module__.partition(".")[0] in {"huggingface_hub", "httpx", "httpx2"}
        if not theirs and not isinstance(error, OSError):
            raise
        reason = str(error).strip().splitlines()
        raise EncoderError(
            missing_sentence(
                spec,
                "They could not be downloaded"
                + (f" ({reason[0].rstrip('.')})." if reason else "."),
            )
        ) from error
