"""Finds an encoder's files: where a person says, in a weights folder, on the hub."""

import os
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
NEEDED = ("torch", "transformers", "timm", "einops", "huggingface_hub")
TOKENIZER_MARK = "tokenizer_config.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "config.json",
)
MEGABYTE = 1_000_000
MOVED = "Put back what was there, or say where it is now with {}."


def readiness(
    spec: EncoderSpec, weights: str | Path | None = None, tokenizer: str | Path | None = None
) -> Readiness:
    """Whether the encoder can be loaded now, after a download, or only with more packages.

    `weights` and `tokenizer`: what a person names needs no download.
    """
    if spec.hub is None:
        return "ready"
    if missing_packages():
        return "not installed"
    here = (weights or _local_weights(spec.name, spec.hub)) and (
        tokenizer or _local_tokenizer(spec.name, spec.hub)
    )
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
            raise EncoderError(f"There are no weights at {path}. {MOVED.format('--weights')}")
        return path
    hub = _hub(spec)
    found = _local_weights(spec.name, hub)
    if found is not None:
        return found
    if not download:
        raise EncoderError(missing_sentence(spec, "They are not on this machine."))
    # The checkpoint last: where it is, the files that belong to it are, too.
    for name in hub.more:
        _download(spec, hub.repository, name, None)
    return _download(spec, hub.repository, hub.file, on_progress)


def find_tokenizer(
    spec: EncoderSpec, tokenizer: str | Path | None = None, *, download: bool = True
) -> Path:
    """The tokenizer's folder, in the same order.

    Raises:
        EncoderError: as `find_weights`.
    """
    if tokenizer is not None:
        folder = Path(tokenizer).expanduser()
        if not folder.is_dir():
            raise EncoderError(
                f"There is no tokenizer folder {folder}. {MOVED.format('--tokenizer')}"
            )
        return folder
    hub = _hub(spec)
    found = _local_tokenizer(spec.name, hub)
    if found is not None:
        return found
    if not download:
        raise EncoderError(missing_sentence(spec, "Its tokenizer is not on this machine."))
    with _hub_errors(spec):
        # The file that `_local_tokenizer` looks for last: where it is, the others are, too.
        _hub_library().snapshot_download(
            hub.tokenizer,
            allow_patterns=list(TOKENIZER_FILES),
            ignore_patterns=[TOKENIZER_MARK],
            tqdm_class=_told_to(None, ""),
        )
    return _download(spec, hub.tokenizer, TOKENIZER_MARK, None).parent


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
    config = _cached(hub.tokenizer, TOKENIZER_MARK)
    return config.parent if config is not None and _holds_tokenizer(config.parent) else None


def _holds_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt", "vocab.json"))


def _cached(repository: str, file: str) -> Path | None:
    found = _hub_library().try_to_load_from_cache(repository, file)
    return Path(found) if isinstance(found, str) else None


def _hub_library() -> Any:
    """huggingface_hub over plain HTTP.

    There, a connection that breaks off is taken up again by byte range, and a listener that raises
    ends a download; of the library's other transport neither is sure.
    """
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")  # read at the import
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub

    return huggingface_hub


def _download(
    spec: EncoderSpec, repository: str, file: str, on_progress: OnProgress | None
) -> Path:
    with _hub_errors(spec):
        told = _told_to(on_progress, f"Downloading {file}")
        return Path(_hub_library().hf_hub_download(repository, file, tqdm_class=told))


def _told_to(on_progress: OnProgress | None, stage: str) -> Any:
    """A tqdm class whose bars draw nothing, and tell the listener megabytes."""
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
