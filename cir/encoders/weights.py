"""Finds an encoder's files: where a person says, in a weights folder, on the hub."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from cir.encoders.protocol import EncoderChoice, EncoderSpec, HubFiles
from cir.errors import EncoderError, WayOut
from cir.progress import OnProgress, ProgressTeller
from cir.words import size

Readiness = Literal["ready", "download", "not installed"]
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


def readiness(spec: EncoderSpec, choice: EncoderChoice) -> Readiness:
    """Whether the encoder's files are here, or would be downloaded; what a person names is here."""
    if spec.hub is None:
        return "ready"
    here = (choice.weights or _local_weights(spec, choice)) and (
        choice.tokenizer or _local_tokenizer(spec, choice)
    )
    return "ready" if here else "download"


def find_weights(
    spec: EncoderSpec,
    choice: EncoderChoice,
    *,
    download: bool = True,
    on_progress: OnProgress | None = None,
) -> Path:
    """The checkpoint: the path that is given, else what is here, else a download.

    Raises:
        EncoderError: it is nowhere, and may not or cannot be downloaded.
    """
    if choice.weights is not None:
        path = Path(choice.weights).expanduser()
        if not path.exists():
            raise EncoderError(f"There are no weights at {path}.", WayOut.NAME_WEIGHTS)
        return path
    hub = _hub(spec)
    found = _local_weights(spec, choice)
    if found is not None:
        return found
    if not download:
        raise EncoderError(missing_sentence(spec, choice, "They are not on this machine."))
    # The checkpoint last: where it is, the files that belong to it are, too.
    for name in hub.more:
        _download(spec, choice, hub.repository, name, None)
    return _download(spec, choice, hub.repository, hub.file, on_progress)


def find_tokenizer(spec: EncoderSpec, choice: EncoderChoice, *, download: bool = True) -> Path:
    """The tokenizer's folder, in the same order.

    Raises:
        EncoderError: as `find_weights`.
    """
    if choice.tokenizer is not None:
        folder = Path(choice.tokenizer).expanduser()
        if not folder.is_dir():
            raise EncoderError(f"There is no tokenizer folder {folder}.", WayOut.NAME_TOKENIZER)
        return folder
    hub = _hub(spec)
    found = _local_tokenizer(spec, choice)
    if found is not None:
        return found
    if not download:
        raise EncoderError(missing_sentence(spec, choice, "Its tokenizer is not on this machine."))
    with _hub_errors(spec, choice):
        # The file that `_local_tokenizer` looks for last: where it is, the others are, too.
        _hub_library().snapshot_download(
            hub.tokenizer,
            allow_patterns=list(TOKENIZER_FILES),
            ignore_patterns=[TOKENIZER_MARK],
            tqdm_class=_told_to(None, ""),
        )
    return _download(spec, choice, hub.tokenizer, TOKENIZER_MARK, None).parent


def missing_sentence(spec: EncoderSpec, choice: EncoderChoice, why: str) -> str:
    """What is missing, its size, and the ways out."""
    hub = _hub(spec)
    by_hand = (
        f"Put them into {choice.weights_dir / spec.name}, or use" if choice.weights_dir else "Use"
    )
    return (
        f"The encoder {spec.name} needs {hub.file} ({size(spec.download_bytes)}) from "
        f"huggingface.co/{hub.repository} and the tokenizer files of {hub.tokenizer}. {why} "
        f"{by_hand} the encoder compact, which needs no download."
    )


def _hub(spec: EncoderSpec) -> HubFiles:
    if spec.hub is None:
        raise EncoderError(f"The encoder {spec.name} ships with Recompose: it has no download.")
    return spec.hub


def _local_weights(spec: EncoderSpec, choice: EncoderChoice) -> Path | None:
    hub = _hub(spec)
    if choice.weights_dir is not None:
        by_hand = choice.weights_dir / spec.name / hub.file
        if by_hand.is_file():
            return by_hand
    return _cached(hub.repository, hub.file)


def _local_tokenizer(spec: EncoderSpec, choice: EncoderChoice) -> Path | None:
    if choice.weights_dir is not None and _holds_tokenizer(choice.weights_dir / spec.name):
        return choice.weights_dir / spec.name
    config = _cached(_hub(spec).tokenizer, TOKENIZER_MARK)
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
    spec: EncoderSpec,
    choice: EncoderChoice,
    repository: str,
    file: str,
    on_progress: OnProgress | None,
) -> Path:
    with _hub_errors(spec, choice):
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


@contextmanager
def _hub_errors(spec: EncoderSpec, choice: EncoderChoice) -> Iterator[None]:
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
                choice,
                "They could not be downloaded"
                + (f" ({reason[0].rstrip('.')})." if reason else "."),
            )
        ) from error
