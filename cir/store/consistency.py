"""How much of what was written a read must see.

A server's read that sees everything ("Strong") waits some 0.2 s for it; one that may lack what was
written in the last few seconds ("Bounded") takes some milliseconds. So a read is Strong where its
caller says that it matters what other processes wrote, and else the first time, and again after
each write of this process until one has seen that: own writes are never missed. "Session" sees
own writes, too; but where this process wrote nothing pymilvus asks for timestamp 1 then, so that
what others wrote may be missed for any time.
"""

import contextlib
import threading
from collections.abc import Iterator


class Consistency:
    """The writes of this process to one Milvus, by collection, and which of them reads have seen.

    Shared by all connections to that Milvus; safe to share between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: dict[str, int] = {}
        self._seen: dict[str, int] = {}

    @contextlib.contextmanager
    def writing(self, collection: str) -> Iterator[None]:
        """Around a write; one that fails may have been done all the same."""
        try:
            yield
        finally:
            with self._lock:
                self._written[collection] = self._written.get(collection, 0) + 1

    @contextlib.contextmanager
    def reading(self, collection: str, *, strong: bool) -> Iterator[str]:
        """Around a read: the consistency level to ask for."""
        with self._lock:
            written = self._written.get(collection, 0)
            caught_up = self._seen.get(collection, -1) >= written
        if caught_up and not strong:
            yield "Bounded"
            return
        yield "Strong"
        with self._lock:  # what was written meanwhile, it may have missed
            self._seen[collection] = max(self._seen.get(collection, -1), written)

    def writes(self, collection: str) -> int:
        """How many writes of this process the collection has had."""
        with self._lock:
            return self._written.get(collection, 0)

    def forget(self, collection: str) -> None:
        """The collection is gone."""
        with self._lock:
            self._written.pop(collection, None)
            self._seen.pop(collection, None)


_shared: dict[str, Consistency] = {}
_shared_lock = threading.Lock()


def consistency_of(place: str) -> Consistency:
    """That of the Milvus at a place."""
    with _shared_lock:
        return _shared.setdefault(place, Consistency())
