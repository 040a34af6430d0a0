"""What people call runs of the data folder, and what they note beside them."""

import secrets

from cir.access import refuse_change
from cir.errors import RecomposeError, UsageError
from cir.settings import Settings
from eval.runs.deleting import kept_run
from eval.runs.reading import MAX_NOTE, NOTE

_MOST = 100
_FORBIDDEN = frozenset('/\\:*?"<>|')  # in names of files, on some system


def rename_run(name: str, new: str, settings: Settings) -> str:
    """Give a run another name, that of its folder; gives the name as it is now.

    Args:
        name: of the run.
        new: 1 to 100 characters without / \\ : * ? " < > |, and no point in front.
        settings: of the person who asks.

    Raises:
        ReadOnlyError: this Recompose, or this person's session, is read-only.
        UsageError: there is no such run, the name cannot be one, or another run has it.
        RecomposeError: the disk refuses.
    """
    refuse_change(settings.read_only)
    folder = kept_run(name, settings)
    new = new.strip()
    if new == name:
        return name
    fits = 0 < len(new) <= _MOST and new[0] != "." and new[-1] != "." and new.isprintable()
    if not fits or _FORBIDDEN & set(new):
        raise UsageError(
            f"A run cannot be named {new!r}: write 1 to {_MOST} letters, digits or other characters"
            ' but / \\ : * ? " < > |, with no point in front or at the end.'
        )
    place = folder.with_name(new)
    if place.exists():
        raise UsageError(f"There is a run {new!r} already: choose another name.")
    try:
        folder.rename(place)
    except OSError as error:
        raise RecomposeError(
            f"{folder} could not be renamed ({error.strerror or error})."
        ) from error
    return new


def annotate_run(name: str, note: str, settings: Settings) -> None:
    """Write a note beside a run, in place of the one that is there; "" for none.

    Args:
        name: of the run.
        note: 2,000 characters at most.
        settings: of the person who asks.

    Raises:
        ReadOnlyError: this Recompose, or this person's session, is read-only.
        UsageError: there is no such run, or the note is too long.
        RecomposeError: the disk refuses.
    """
    refuse_change(settings.read_only)
    folder = kept_run(name, settings)
    note = note.strip()
    if len(note) > MAX_NOTE:
        raise UsageError(f"A note has {MAX_NOTE} characters at most; this has {len(note)}.")
    partial = folder / f".{NOTE}-{secrets.token_hex(6)}"
    try:
        if note:
            partial.write_text(note.encode("utf-8", "replace").decode() + "\n", encoding="utf-8")
            partial.replace(folder / NOTE)
        else:
            (folder / NOTE).unlink(missing_ok=True)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RecomposeError(
            f"The note of {name} could not be written ({error.strerror or error})."
        ) from error
