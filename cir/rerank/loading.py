"""Where the model of a second stage is, and what is said where it cannot be loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cir.errors import EncoderError, RerankError, UsageError


def place_of(name: str) -> tuple[str, bool]:
    """Where the model is, and whether that is a folder of this machine.

    Raises:
        UsageError: it looks like a folder, and none is there.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UsageError(f"The folder {folder} holds no model: it has no config.json.")
        return str(folder), True
    if name.count("/") != 1 or name.startswith((".", "~", "/")) or folder.exists():
        raise UsageError(
            f"There is no folder {name}, and a model of the hub is named as OWNER/NAME, for "
            "example flag:BAAI/bge-reranker-v2-m3."
        )
    return name, False


@contextmanager
def loading(place: str, is_folder: bool) -> Iterator[None]:
    """Whatever goes wrong while a model is loaded is told as a RerankError that names its place."""
    try:
        yield
    except EncoderError as error:
        raise RerankError(str(error)) from error
    except Exception as error:  # safetensors, the hub and transformers have no base in common
        what = "The folder" if is_folder else "The hub's repository"
        raise RerankError(
            f"{what} {place} cannot be loaded as a second stage ({first_line(error)})."
            + ("" if is_folder else " It may be gone or gated, or the hub cannot be reached.")
        ) from error


def first_line(error: Exception) -> str:
    """The first line of an error, without what a sentence cannot hold."""
    lines = str(error).strip().splitlines()
    return (lines[0].rstrip(".")[:200] if lines else "") or type(error).__name__
