"""Who may change what, and which folders may be read: the rules of a public host."""

import hmac
import threading
import time
from pathlib import Path

from cir.errors import AccessError, ReadOnlyError
from cir.settings import Settings

TRIES = 5
TRIES_SECONDS = 300.0


def refuse_change(read_only: bool) -> None:
    """Refuse a change on a read-only Recompose.

    Raises:
        ReadOnlyError: it is read-only.
    """
    if read_only:
        raise ReadOnlyError(
            "This Recompose is read-only (CIR_READ_ONLY): it searches, and changes nothing."
        )


def require_indexable(folder: Path, settings: Settings, *, local: bool) -> Path:
    """The resolved folder, where its images may be indexed.

    With image roots, that is at or below one of them; without, anywhere for `local` people, who
    have the machine to themselves, and nowhere for others. The data folder (samples, uploads) is
    always allowed. Links are followed before the comparison.

    Raises:
        AccessError: the folder lies elsewhere.
    """
    resolved = folder.expanduser().resolve()
    if is_readable(resolved, settings, local=local):
        return resolved
    if settings.image_roots:
        roots = ", ".join(map(str, settings.image_roots))
        raise AccessError(f"{folder} is not below {roots}: only images there can be indexed.")
    raise AccessError(
        "Folders of this server can be indexed from the browser only below CIR_IMAGE_ROOTS, which "
        "is not set. Set it, upload images instead, or let the server listen on 127.0.0.1 alone."
    )


def is_readable(path: Path, settings: Settings, *, local: bool) -> bool:
    """Whether a file or folder may be shown and indexed; rules as in `require_indexable`."""
    resolved = path.resolve()
    if resolved.is_relative_to(settings.data_dir.resolve()):
        return True
    if settings.image_roots:
        return any(resolved.is_relative_to(root) for root in settings.image_roots)
    return local


def link_roots(settings: Settings) -> tuple[Path, ...]:
    """Folders in which every file that is read must lie, links followed; empty for no limit.

    A folder below an image root may hold links that lead out of it.
    """
    return (*settings.image_roots, settings.data_dir.resolve()) if settings.image_roots else ()


class Gate:
    """Checks the admin password: in constant time, and with a limited number of tries.

    One gate serves a whole process, so that new sessions give no new tries.
    """

    def __init__(self, password: str | None) -> None:
        self._password = password
        self._failures: list[float] = []
        self._lock = threading.Lock()

    @property
    def wait_seconds(self) -> float:
        """Seconds until the next try is allowed; 0 for now."""
        with self._lock:
            return self._wait(time.monotonic())

    def opens(self, attempt: str) -> bool:
        """Whether the attempt is the password; False also while too many have failed."""
        now = time.monotonic()
        with self._lock:
            if self._wait(now) > 0 or not self._password:
                return False
            right = hmac.compare_digest(attempt.encode(), self._password.encode())
            if not right:
                self._failures.append(now)
            return right

    def _wait(self, now: float) -> float:
        self._failures = [each for each in self._failures if now - each < TRIES_SECONDS]
        if len(self._failures) < TRIES:
            return 0.0
        return TRIES_SECONDS - (now - self._failures[0])
