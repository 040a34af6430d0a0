"""The registry: which collections are indexes of Recompose, and what made them.

A row's life: "creating" until its collection is there, then the index's own state, then "dropping"
until its collection is gone. So a process may die at any moment: no listed index lacks its
collection, no collection of ours lacks a row, and nobody else's collection is ever touched.
"""

import contextlib
import dataclasses
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cir.errors import StoreError, UnknownIndexError, UsageError
from cir.store.connection import CONNECT_SECONDS, WORK_SECONDS, Connection
from cir.store.filters import not_empty
from cir.store.records import IndexInfo, Recall, UsualScore, UsualScores
from cir.store.schema import MAX_VARCHAR, REGISTRY, ensure_registry

MAX_NAME = 100
_MAX_INDEXES = 16_384
_ABANDONED = timedelta(minutes=10)
_TWIN_SECONDS = 60.0  # a server makes a collection in 3 to 7 s
_POLL_SECONDS = 0.5
_TELL_SECONDS = 60.0
_LOOKS = (0.0, 0.05, 0.2)
"""Seconds before each look at a row that should be there."""
_PHASES = ("creating", "live", "dropping")
_KEPT_FACTS = ("source", "columns", "state", "index_type")
"""Facts of an index that must not change while another collection is filled for it."""
_LITE_GRACE_SECONDS, _GRACE_SECONDS = 1.0, 6.0
"""How long a collection stays that another one took the place of: a search of this process asks it
so long at most, and other processes miss for so long what becomes of it."""


@dataclass(frozen=True)
class _Entry:
    info: IndexInfo
    phase: str


class Registry:
    """Reads and writes the registry's rows; names are compared here, never by Milvus.

    Who changes a row, or asks with `strong`, sees what any process has written; others may miss
    what other processes wrote in the last few seconds.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def infos(self, kind: str, *, strong: bool = False) -> list[IndexInfo]:
        """The usable indexes of a kind, by name."""
        entries = self._entries(strong=strong) if self._exists() else []
        infos = [
            entry.info for entry in entries if entry.phase == "live" and entry.info.kind == kind
        ]
        return sorted(infos, key=lambda info: (info.name.casefold(), info.name))

    def find(self, name: str, kind: str, *, strong: bool = False) -> IndexInfo:
        """The usable index of this name.

        Raises:
            UnknownIndexError: there is none; the message lists those that there are.
        """
        infos = self.infos(kind, strong=strong)
        for info in infos:
            if info.name == name:
                return info
        word = "index" if kind == "index" else "gallery"
        known = ", ".join(f'"{info.name}"' for info in infos)
        plural = "indexes" if kind == "index" else "galleries"
        there = f"There are: {known}." if known else f"There are no {plural} yet."
        raise UnknownIndexError(
            f'There is no {word} "{name[:MAX_NAME]}" in {self._connection.place}. {there}'
        )

    def add(self, info: IndexInfo, make: Callable[[IndexInfo], IndexInfo]) -> IndexInfo:
        """Register an index; `make` creates its collection and gives what is to be registered.

        Raises:
            UsageError: the name is taken, empty or too long.
        """
        _check_name(info.name)
        ensure_registry(self._connection)
        self._clear_way(info)
        now = _now()
        collection = _new_collection()
        info = dataclasses.replace(info, collection=collection, created=now, updated=now)
        _making.add(collection)
        try:
            self._write(info, "creating")
            info = make(info)
            entries = self._entries()
            self._refuse_taken(info, entries)
            if all(entry.info.collection != collection for entry in entries):
                raise StoreError(f'Another process took over making "{info.name}". Try again.')
            self._write(info, "live")
        except BaseException:
            with contextlib.suppress(StoreError):  # else a later `add` cleans up
                self.remove(info)
            raise
        finally:
            _making.discard(collection)
        return info

    def replace(
        self,
        info: IndexInfo,
        changes: Mapping[str, Any],
        make: Callable[[IndexInfo], Iterator[None]],
        *,
        continues: bool = False,
    ) -> IndexInfo:
        """Give an index another collection, which takes the place of its own when it is whole.

        A process may die at any moment: the index has the one or the other, and what is left over
        goes with the next `replace` or `add`.

        Args:
            info: the index.
            changes: facts that are other with the new collection. They are looked at again when it
                is whole, so that `make` may add some.
            make: creates and fills the new collection, step by step.
            continues: whether a call that is cut short leaves what it has made, so that one with
                the same `changes` goes on from there; `make` then gets a collection that is filled
                in part, and sees to it that all images of the index as it is at the end are in it.

        Raises:
            UnknownIndexError: the index has been dropped meanwhile.
            UsageError: this process is doing so already.
            StoreError: it was changed meanwhile, or another process goes on with making it.
        """
        held = self.reread(info)
        new = dataclasses.replace(
            held,
            **changes,
            collection=_new_collection(),
            replaces=held.collection,
            continues=continues,
        )
        alike = ("continues", *_KEPT_FACTS, *changes)
        for entry in self._successors(held):
            if entry.info.collection in _making:
                raise UsageError(f'The index "{info.name}" is being made anew already.')
            if continues and _same(entry.info, new, alike):
                new = dataclasses.replace(new, collection=entry.info.collection)
            else:
                self.remove(entry.info)
        _making.add(new.collection)
        handed_over = False
        try:
            noted = self._note_making(new)
            told = time.monotonic()
            for _ in make(new):
                if time.monotonic() > told + _TELL_SECONDS:
                    self._require_noted(noted, self._entries())
                    noted = self._note_making(new)
                    told = time.monotonic()
            entries = self._entries()
            self._require_noted(noted, entries)
            old = next((each for each in entries if each.info.collection == held.collection), None)
            if old is None or old.phase != "live":
                raise _dropped(held)
            # An ingest that goes on with one that was cut short leaves it "building": it tells the
            # time alone.
            facts = (*_KEPT_FACTS, "updated") if held.state == "building" else _KEPT_FACTS
            if not _same(old.info, held, facts) or not (continues or old.info == held):
                raise changed_meanwhile(held)
            new = dataclasses.replace(
                old.info,
                **changes,
                collection=new.collection,
                replaces=held.collection,
                updated=_now(),
            )
            handed_over = True
            self._write(new, "live")
        except BaseException:
            # A write that fails may have been done: then the new collection is all that there is.
            if not (handed_over or continues):
                with contextlib.suppress(StoreError):
                    self.remove(new)
            raise
        finally:
            _making.discard(new.collection)
        if continues:
            # Of the searches under way some have looked up the old collection.
            time.sleep(_LITE_GRACE_SECONDS if self._connection.is_lite else _GRACE_SECONDS)
        with contextlib.suppress(StoreError):  # else a later `add` cleans up
            self.remove(held)
        return new

    def update(self, info: IndexInfo, changes: Mapping[str, Any]) -> IndexInfo:
        """Write changed facts of an index.

        Raises:
            UnknownIndexError: the index has been dropped meanwhile.
        """
        changed = dataclasses.replace(self.reread(info), **changes, updated=_now())
        self._write(changed, "live")
        return changed

    def reread(self, info: IndexInfo) -> IndexInfo:
        """An index's row as it is now.

        Raises:
            UnknownIndexError: the index has been dropped meanwhile.
        """
        entry = self._entry_of(info)
        if entry is None or entry.phase != "live":
            raise _dropped(info)
        return entry.info

    def unfinished(self, info: IndexInfo) -> IndexInfo | None:
        """What was begun to take an index's place, by a call that goes on when it is repeated."""
        return next((each.info for each in self._successors(info) if each.info.continues), None)

    def drop(self, info: IndexInfo) -> None:
        """Remove an index, and what was made to take its place."""
        for entry in self._successors(info):
            self.remove(entry.info)
        self.remove(info)

    def remove(self, info: IndexInfo) -> None:
        """Drop an index's collection, then its row; first what is left of one that it replaced."""
        if info.replaces:
            for entry in self._entries():
                if entry.phase == "dropping" and entry.info.collection == info.replaces:
                    self.remove(entry.info)
        self._write(dataclasses.replace(info, replaces=""), "dropping")
        consistency = self._connection.consistency
        with self._connection.session() as client, consistency.writing(REGISTRY):
            client.drop_collection(info.collection, timeout=WORK_SECONDS)
            client.delete(REGISTRY, ids=[info.collection], timeout=CONNECT_SECONDS)
        self._connection.ready.discard(info.collection)
        consistency.forget(info.collection)

    def _successors(self, info: IndexInfo) -> list[_Entry]:
        """Those that are being made to take an index's place, or were when they were cut short."""
        return [
            entry
            for entry in self._entries()
            if entry.phase == "creating" and entry.info.replaces == info.collection
        ]

    def _exists(self) -> bool:
        """Whether there is a registry; reading makes none."""
        if not self._connection.may_hold_anything():
            return False
        if REGISTRY in self._connection.ready:
            return True
        with self._connection.session() as client:
            exists = bool(client.has_collection(REGISTRY, timeout=CONNECT_SECONDS))
        if exists:
            ensure_registry(self._connection)
        return exists

    def _entries(self, *, strong: bool = True) -> list[_Entry]:
        ensure_registry(self._connection)
        reading = self._connection.consistency.reading(REGISTRY, strong=strong)
        with self._connection.session() as client, reading as level:
            rows = client.query(
                REGISTRY,
                filter=not_empty("id"),
                output_fields=["id", "body"],
                limit=_MAX_INDEXES,
                consistency_level=level,
                timeout=CONNECT_SECONDS,
            )
        entries = [_entry(row["id"], row["body"]) for row in rows]
        # A process may have died when an index had its new collection and the old one was there.
        # One that is being made, or was given up before it was whole, replaces nothing.
        replaced = {entry.info.replaces for entry in entries if entry.phase == "live"}
        return [
            dataclasses.replace(entry, phase="dropping")
            if entry.info.collection in replaced
            else entry
            for entry in entries
        ]

    def _entry_of(self, info: IndexInfo) -> _Entry | None:
        """The row of an index; Milvus Lite, rarely, hides one for a moment when it replaces it."""
        for wait in _LOOKS:
            time.sleep(wait)
            for entry in self._entries():
                if entry.info.collection == info.collection:
                    return entry
        return None

    def _note_making(self, info: IndexInfo) -> _Entry:
        """Tell others that a collection is being made now, or they take it for abandoned."""
        entry = _Entry(dataclasses.replace(info, created=_now()), "creating")
        self._write(entry.info, entry.phase)
        return entry

    def _require_noted(self, noted: _Entry, entries: Sequence[_Entry]) -> None:
        """Refuse to go on with making a collection of which another process has noted something."""
        if noted not in entries:
            raise StoreError(
                f'Another process goes on with making the index "{noted.info.name}" anew, or has '
                "dropped it. See what became of it before you do the same again."
            )

    def _write(self, info: IndexInfo, phase: str) -> None:
        body = dataclasses.asdict(info) | {"phase": phase}
        # ASCII with escapes: whatever a person typed comes back as it was.
        text = json.dumps(body, ensure_ascii=True)
        if len(text) > MAX_VARCHAR:
            raise UsageError(
                f'The index "{info.name}" has too many or too long metadata columns: their names '
                f"take more than {MAX_VARCHAR} bytes. Leave some out."
            )
        row = {"id": info.collection, "body": text, "vector": [0.0, 0.0]}
        writing = self._connection.consistency.writing(REGISTRY)
        with self._connection.session() as client, writing:
            client.upsert(REGISTRY, [row], timeout=CONNECT_SECONDS)

    def _clear_way(self, info: IndexInfo) -> None:
        """Refuse a name that is taken; finish what processes that died left half done.

        Whether somebody else is still making an index of this name can be told only by waiting: its
        row turns live, or it has died. A Lite file has one process at a time, so there nobody else
        is.
        """
        deadline = time.monotonic() + _TWIN_SECONDS
        while True:
            entries = self._entries()
            self._refuse_taken(info, entries)
            others = [
                entry for entry in entries if entry.phase == "creating" and _twins(entry, info)
            ]
            mine = any(entry.info.collection in _making for entry in others)
            over = time.monotonic() >= deadline
            if not others or (self._connection.is_lite and not mine) or over:
                break
            time.sleep(_POLL_SECONDS)
        self._sweep(entries)
        for entry in others:
            self.remove(entry.info)

    def _sweep(self, entries: list[_Entry]) -> None:
        """Finish what processes that died left half done."""
        live = {entry.info.collection for entry in entries if entry.phase == "live"}
        for entry in entries:
            waits = entry.info.continues and entry.info.replaces in live
            if entry.phase != "live" and _abandoned(entry) and not waits:
                self.remove(entry.info)

    def _refuse_taken(self, info: IndexInfo, entries: list[_Entry]) -> None:
        """Refuse a name that an index has, or that one begun at the same moment is to get."""
        for entry in entries:
            other = entry.info.collection
            first = entry.phase == "live" or (entry.phase == "creating" and other < info.collection)
            if not _twins(entry, info) or other == info.collection or not first:
                continue
            raise UsageError(
                f'There is already an index "{info.name}" in {self._connection.place}. Choose '
                "another name, or drop that one first."
            )


def changed_meanwhile(info: IndexInfo) -> StoreError:
    """The error of a copy of an index that was changed while it was copied."""
    return StoreError(
        f'The index "{info.name}" was changed while it was copied. Do the same again when '
        "that has come to its end."
    )


def _dropped(info: IndexInfo) -> UnknownIndexError:
    return UnknownIndexError(f'The index "{info.name}" has been dropped meanwhile.')


def _same(one: IndexInfo, other: IndexInfo, facts: Iterable[str]) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in facts)


def _new_collection() -> str:
    return f"cir_{uuid.uuid4().hex[:12]}"


_making: set[str] = set()
"""Collections that this process is making."""


def _abandoned(entry: _Entry) -> bool:
    if entry.phase == "dropping":
        return True
    age = datetime.now(UTC) - datetime.fromisoformat(entry.info.created)
    return age > _ABANDONED


def _twins(entry: _Entry, info: IndexInfo) -> bool:
    return (entry.info.name, entry.info.kind) == (info.name, info.kind)


def _entry(collection: str, body: str) -> _Entry:
    try:
        fields = json.loads(body)
        phase = fields.pop("phase")
        if fields.get("recall") is not None:
            fields["recall"] = Recall(**_known(Recall, fields["recall"]))
        if fields.get("usual") is not None:
            fields["usual"] = usual_scores_of(fields["usual"])
        info = IndexInfo(**_known(IndexInfo, fields))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"The row {collection} of {REGISTRY} cannot be read; another version of Recompose may "
            "have written it. Update Recompose, or delete that row."
        ) from error
    if phase not in _PHASES or info.collection != collection:
        raise StoreError(
            f"The row {collection} of {REGISTRY} is not one of this version of Recompose. "
            "Update Recompose, or delete that row."
        )
    return _Entry(info, phase)


def usual_scores_of(fields: Mapping[str, Any]) -> UsualScores:
    """Usual scores as they stand in a registry row or an export.

    Raises:
        TypeError, ValueError, KeyError, AttributeError: they are damaged.
    """
    ways = {way: fields.get(way) for way in ("image", "text", "composed", "sentence")}
    return UsualScores(
        int(fields["images"]),
        **{
            way: UsualScore(float(each["least"]), float(each["middle"]), int(each["sample"]))
            for way, each in ways.items()
            if each is not None
        },
    )


def _known(record: type[Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the fields that this version knows; later ones may write more."""
    known = {field.name for field in dataclasses.fields(record)}
    return {name: value for name, value in fields.items() if name in known}


def _check_name(name: str) -> None:
    if not name.strip():
        raise UsageError("An index needs a name.")
    if len(name) > MAX_NAME:
        raise UsageError(
            f"The name of an index has at most {MAX_NAME} characters, this has {len(name)}."
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
