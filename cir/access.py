"""Who may change what, and which folders may be read: the rules of a public host."""

import hmac
import ipaddress
import threading
import time
from collections import OrderedDict
from pathlib import Path

from cir.errors import AccessError, ReadOnlyError
from cir.settings import Settings

FREE_TRIES = 5
FIRST_WAIT = 30.0
LONGEST_WAIT = 900.0
FORGET_SECONDS = 24 * 3600.0
ALL_TRIES = 60
ALL_SECONDS = 60.0
MAX_ADDRESSES = 10_000
MAX_KNOWN = 100
_THIS_MACHINE = "this machine"


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

    It holds what was tried, never the password. Three limits keep a stranger from guessing, and
    none lets a stranger lock the owner out for good:

    - An address has `FREE_TRIES` wrong tries, then waits after each one, twice as long as before
      and at most `LONGEST_WAIT`. A try that comes too early is not looked at and costs nothing.
    - All addresses together have `ALL_TRIES` wrong tries, and one more every `ALL_SECONDS`.
    - Addresses that gave the password before, and this machine itself, are held by their own waits
      alone: a flood from many addresses does not keep the owner out there.
    """

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict([(_THIS_MACHINE, None)])
        self._spent = 0.0
        self._spent_at = 0.0
        self._lock = threading.Lock()

    def wait_seconds(self, address: str | None) -> float:
        """Seconds until this address may try again; 0 for now.

        `address` is the IP address of a client; None stands for this machine.
        """
        with self._lock:
            return self._wait(_place(address), time.monotonic())

    def opens(self, attempt: str, password: str | None, address: str | None) -> bool:
        """Whether the attempt is the password; False also while this address has to wait."""
        place, now = _place(address), time.monotonic()
        with self._lock:
            if not password or self._wait(place, now) > 0:
                return False
            if hmac.compare_digest(attempt.encode(), password.encode()):
                self._wrong.pop(place, None)
                self._remember(place)
                return True
            self._count(place, now)
            return False

    def _wait(self, place: str, now: float) -> float:
        count, last = self._wrong.get(place, (0, now))
        own = 0.0
        if count >= FREE_TRIES and now - last < FORGET_SECONDS:
            own = last + min(FIRST_WAIT * 2 ** min(count - FREE_TRIES, 32), LONGEST_WAIT) - now
        together = 0.0 if place in self._known else (self._used(now) + 1 - ALL_TRIES) * ALL_SECONDS
        return max(own, together, 0.0)

    def _used(self, now: float) -> float:
        """How many of the tries of all addresses are used up."""
        return max(0.0, self._spent - (now - self._spent_at) / ALL_SECONDS)

    def _count(self, place: str, now: float) -> None:
        count, last = self._wrong.pop(place, (0, now))
        self._wrong[place] = (count + 1 if now - last < FORGET_SECONDS else 1, now)
        while len(self._wrong) > MAX_ADDRESSES:
            self._wrong.popitem(last=False)
        if place not in self._known:
            self._spent, self._spent_at = self._used(now) + 1, now

    def _remember(self, place: str) -> None:
        self._known[place] = None
        for kept in (place, _THIS_MACHINE):
            self._known.move_to_end(kept)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)


GATE = Gate()
"""The gate of this process: new sessions, and caches that somebody empties, give no new tries."""


def _place(address: str | None) -> str:
    """What counts as one address: an IPv4 address, or the IPv6 network that one customer gets."""
    if address is None:
        return _THIS_MACHINE
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # whatever a proxy wrote
        return address[:64]
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None and not ip.is_loopback:
            return str(ipaddress.ip_network((ip, 48), strict=False))
        ip = ip.ipv4_mapped or ip
    return _THIS_MACHINE if ip.is_loopback else str(ip)
