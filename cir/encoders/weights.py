"""Finds an encoder's files: where a person says, in a weights folder, on the hub."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from cir.encoders.protocol import EncoderChoice, EncoderSpec, FoundFiles, HubFiles, HubFolder
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
CARD = "README.md"
TEXT_FILES = (".json", ".txt", ".model", ".jinja", ".spm", ".tiktoken")
UNREAD = {"onnx", "openvino", "coreml", "gguf", "original", "runs"}
"""Folders of a repository that hold a model in another form."""


def readiness(spec: EncoderSpec, choice: EncoderChoice) -> Readiness:
    """Whether the encoder's files are here, or would be downloaded; what a person names is here."""
    if spec.folders:
        return "ready" if _folders_here(spec, choice) else "download"
    if spec.hub is None:
        return "ready"
    here = (choice.weights or _local_weights(spec, choice)) and (
        choice.tokenizer or _local_tokenizer(spec, choice)
    )
    return "ready" if here else "download"


def find(
    spec: EncoderSpec,
    choice: EncoderChoice,
    *,
    download: bool = True,
    on_progress: OnProgress | None = None,
) -> FoundFiles | None:
    """All that the encoder reads; None of one that ships with the project.

    Raises:
        EncoderError: something is nowhere, and may not or cannot be downloaded.
    """
    if spec.folders:
        return _find_folders(spec, choice, download=download, on_progress=on_progress)
    if spec.hub is None:
        return None
    # The tokenizer first: it is small, so what is wrong shows at once.
    tokenizer = find_tokenizer(spec, choice, download=download)
    weights = find_weights(spec, choice, download=download, on_progress=on_progress)
    return FoundFiles(weights, tokenizer)


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
    if spec.folders:
        places = (
            [choice.weights_dir / each.repository for each in spec.folders]
            if choice.weights_dir
            else []
        )
        by_hand = f"Put them into {' and '.join(map(str, places))}, or use" if places else "Use"
        much = f" ({size(spec.download_bytes)})" if spec.download_bytes else ""
        sources = " and ".join(f"huggingface.co/{each.repository}" for each in spec.folders)
        return (
            f"The encoder {spec.name} needs the files{much} of {sources}. {why} "
            f"{by_hand} the encoder compact, which needs no download."
        )
    hub = _hub(spec)
    by_hand = (
        f"Put them into {choice.weights_dir / spec.name}, or use" if choice.weights_dir else "Use"
    )
    return (
        f"The encoder {spec.name} needs {hub.file} ({size(spec.download_bytes)}) from "
        f"huggingface.co/{hub.repository} and the tokenizer files of {hub.tokenizer}. {why} "
        f"{by_hand} the encoder compact, which needs no download."
    )


def looked_up(spec: EncoderSpec, choice: EncoderChoice) -> EncoderSpec:
    """The spec with licence and size as the hub tells them, where it does not say them itself.

    Asks the network, for an encoder that is not here yet.

    Raises:
        EncoderError: the hub cannot be reached, or has no such repository for this person.
    """
    if not spec.folders or spec.download_bytes:
        return spec
    found = [_listing(each, spec, choice) for each in spec.folders]
    licences = {licence for licence, _ in found if licence}
    return replace(
        spec,
        licence=", ".join(sorted(licences)) or "not stated",
        download_bytes=sum(sum(held.values()) for _, held in found),
    )


def licence_of(folder: Path) -> str:
    """The licence that the model card in a folder states, "" where it states none."""
    with suppress(Exception):  # a card is written by hand: what is wrong with it has no end
        data = _hub_library().ModelCard.load(folder / CARD).data
        return _licence(data)
    return ""


def _licence(data: Any) -> str:
    told = getattr(data, "license_name", None) or getattr(data, "license", None)
    return told if isinstance(told, str) else ""


def _folders_here(spec: EncoderSpec, choice: EncoderChoice) -> list[Path] | None:
    """Where the spec's folders are on this machine; None where one is not, or not whole."""
    named = [choice.weights, choice.tokenizer] if len(spec.folders) > 1 else [choice.weights]
    found = []
    for folder, given in zip(spec.folders, named, strict=True):
        place = Path(given) if given is not None else _folder_here(folder, choice)
        if place is None:
            return None
        found.append(place)
    return found


def _folder_here(folder: HubFolder, choice: EncoderChoice) -> Path | None:
    if choice.weights_dir is not None and folder.revision is None:
        by_hand = choice.weights_dir / folder.repository
        if _is_whole(by_hand, folder.last):
            return by_hand
    for mark in [folder.last] if folder.last else ["modules.json", "config.json"]:
        found = _hub_library().try_to_load_from_cache(
            folder.repository, mark, revision=folder.revision
        )
        if isinstance(found, str):
            place = Path(found)
            for _ in PurePosixPath(mark).parts:
                place = place.parent
            return place if _is_whole(place, folder.last) else None
    return None


def _is_whole(folder: Path, last: str) -> bool:
    """Whether a folder holds what was fetched last: `last`, else the weights of its first module.

    Weights in several files are told by an index beside them.
    """
    if last:
        return (folder / last).is_file()
    first = ""
    with suppress(OSError, ValueError, LookupError, TypeError):
        first = str(json.loads((folder / "modules.json").read_text("utf-8"))[0]["path"])
    place = folder / first
    held = [*place.glob("*")] if place == folder else [*place.rglob("*")]
    for index in (each for each in held if each.name.endswith(".index.json")):
        with suppress(OSError, ValueError, LookupError, TypeError):
            shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
            return all((index.parent / str(each)).is_file() for each in shards)
    return any(_is_weights(each.name) for each in held)


def _is_weights(name: str) -> bool:
    """Whether sentence-transformers and transformers read a file of this name as weights."""
    file = PurePosixPath(name)
    return file.suffix == ".safetensors" or (
        file.suffix == ".bin" and file.name.startswith(("pytorch_model", "adapter_model"))
    )


def _find_folders(
    spec: EncoderSpec,
    choice: EncoderChoice,
    *,
    download: bool,
    on_progress: OnProgress | None,
) -> FoundFiles:
    for given in (choice.weights, choice.tokenizer):
        if given is not None and not Path(given).is_dir():
            raise EncoderError(f"There is no folder {given}.", WayOut.NAME_WEIGHTS)
    here = _folders_here(spec, choice)
    if here is None and not download:
        raise EncoderError(missing_sentence(spec, choice, "They are not on this machine."))
    if here is None:
        for folder in spec.folders:
            if _folder_here(folder, choice) is None:
                _fetch_folder(folder, spec, choice, on_progress)
        here = _folders_here(spec, choice)
    if here is None:
        raise EncoderError(
            f"The repository of the encoder {spec.name} holds no weights that can be loaded here."
        )
    return FoundFiles(here[0], here[-1])


def _fetch_folder(
    folder: HubFolder,
    spec: EncoderSpec,
    choice: EncoderChoice,
    on_progress: OnProgress | None,
) -> None:
    _, sizes = _listing(folder, spec, choice)
    if not any(_is_weights(name) or name == folder.last for name in sizes):
        raise EncoderError(
            f"The repository huggingface.co/{folder.repository} holds no weights that the encoder "
            f"{spec.name} could load."
        )
    # The largest last, and `last` after all: where it is, the others are, too.
    for name in sorted(sizes, key=lambda each: (each == folder.last, sizes[each])):
        _download(spec, choice, folder.repository, name, on_progress, folder.revision)


def _listing(
    folder: HubFolder, spec: EncoderSpec, choice: EncoderChoice
) -> tuple[str, dict[str, int]]:
    """The licence of a repository, and the size in bytes of each file of it that is fetched."""
    with _hub_errors(spec, choice):
        told = (
            _hub_library()
            .HfApi()
            .model_info(folder.repository, revision=folder.revision, files_metadata=True)
        )
    sizes = {each.rfilename: each.size or 0 for each in told.siblings or ()}
    if folder.files:
        wanted = [name for name in sizes if any(fnmatch(name, each) for each in folder.files)]
    else:
        wanted = _of_a_model(list(sizes), code=folder.code)
    return _licence(told.card_data), {name: sizes[name] for name in wanted}


def _of_a_model(names: Sequence[str], *, code: bool) -> list[str]:
    """Files of a repository that loading its model in torch reads."""
    read = [name for name in names if not UNREAD.intersection(PurePosixPath(name).parts[:-1])]
    weights = [name for name in read if _is_weights(name)]
    safe = {str(PurePosixPath(name).parent) for name in weights if name.endswith(".safetensors")}
    doubled = {
        name
        for name in weights
        if name.endswith(".bin") and str(PurePosixPath(name).parent) in safe
    }
    more = (*TEXT_FILES, ".py") if code else TEXT_FILES
    return [
        name
        for name in read
        if name == CARD or name.endswith(more) or (name in weights and name not in doubled)
    ]


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
    revision: str | None = None,
) -> Path:
    with _hub_errors(spec, choice):
        told = _told_to(on_progress, f"Downloading {file}")
        return Path(
            _hub_library().hf_hub_download(repository, file, revision=revision, tqdm_class=told)
        )


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
        raise EncoderError(missing_sentence(spec, choice, _why_not(spec, error))) from error


def _why_not(spec: EncoderSpec, error: Exception) -> str:
    """Why the hub did not give what was asked for, in a sentence."""
    kind = type(error).__name__
    names = " and ".join(each.repository for each in spec.folders)
    if names and kind == "GatedRepoError":
        return (
            f"Their owner lets only people in who accept the terms: accept those of {names} on its "
            "page, and name your access token in HF_TOKEN."
        )
    if names and kind == "RepositoryNotFoundError":
        return f"The hub has no {names}, or hides it from you (a token goes into HF_TOKEN)."
    if names and kind == "RevisionNotFoundError":
        return f"{names} has no revision {spec.folders[0].revision!r}."
    reason = str(error).strip().splitlines()
    return "They could not be downloaded" + (f" ({reason[0].rstrip('.')})." if reason else ".")
