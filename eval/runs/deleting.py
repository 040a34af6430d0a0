"""Runs and uploaded labelled sets are deleted here, and nothing else is."""

import secrets
import shutil
from pathlib import Path

from cir.access import refuse_change
from cir.errors import RecomposeError, UsageError
from cir.settings import Settings
from eval.runs.reading import DOCUMENT
from eval.sets.own import sets_dir


def delete_run(name: str, settings: Settings) -> None:
    """Delete a run among those of the data folder, a damaged one, too.

    Args:
        name: of its folder.
        settings: of the person who asks.

    Raises:
        ReadOnlyError: this Recompose, or this person's session, is read-only.
        UsageError: there is no such run, or it is a link.
        RecomposeError: the disk refuses.
    """
    refuse_change(settings.read_only)
    _delete(kept_run(name, settings))


def kept_run(name: str, settings: Settings) -> Path:
    """The folder of a run of the data folder, a damaged one, too.

    Raises:
        UsageError: there is no such run, or it is a link.
    """
    folder = _checked(settings.runs_dir, name, settings.data_dir, "run")
    if not (folder / DOCUMENT).is_file():
        raise UsageError(f"{folder} is no run: it holds no {DOCUMENT}. Nothing was changed.")
    return folder


def delete_set(name: str, settings: Settings) -> None:
    """Delete an uploaded labelled set; runs that it was asked in stay. Raises as `delete_run`."""
    refuse_change(settings.read_only)
    _delete(_checked(sets_dir(settings.data_dir), name, settings.data_dir, "uploaded labelled set"))


def _checked(parent: Path, name: str, data_dir: Path, what: str) -> Path:
    """The folder of this name, whole and really below the data folder."""
    plain = bool(name) and Path(name).name == name
    hidden = name.startswith(".")  # still being written
    folder = parent / name
    if not plain or hidden or not (folder.is_dir() or folder.is_symlink()):
        raise UsageError(f"There is no {what} {name!r}.")
    if folder.is_symlink() or folder.resolve().parent.parent != data_dir.resolve():
        raise UsageError(
            f"{folder} is reached by a link, and what links lead to is not deleted or changed. "
            "Do it by hand."
        )
    return folder


def _delete(folder: Path) -> None:
    # Out of sight first: a deletion that is cut off leaves nothing that looks whole.
    doomed = folder.with_name(f".deleted-{secrets.token_hex(6)}")
    try:
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise RecomposeError(
            f"{folder} could not be deleted completely ({error.strerror or error})."
        ) from error
