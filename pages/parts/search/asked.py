"""What is asked on the search page: the address holds it, and nothing else does.

A change writes the address once, which is one step for the browser's Back, and one step to undo.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, fields
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from cir.errors import UsageError
from cir.search import More, Query
from cir.search.options import SearchOptions, split_weight
from cir.search.references import Reference, indexed_reference
from cir.store import MilvusIndex, is_image_id
from pages.parts.search import uploads
from pages.parts.shell.session import INDEX_KEY, came_from_elsewhere, is_local, session_settings

REFERENCE, INSTRUCTION = "ref", "instruction"
LIMIT = 24
MOST = 16
"""References, texts and pictures of one kind that a link may name; each costs an encoding."""
MOST_STEPS = 50
LOOKS = ("size", "ways")
"""What of the address says how results are shown, not what is asked."""
_STEPS = "steps of the search"
_LAST = "the search when its page was left"
_TO_TOP = "the search begins at the top"
_OF_REFERENCE = ("crop", "turn")

State = Mapping[str, Sequence[str]]
"""The address's parameters of the search page, each with its values; an absent one has none."""


@dataclass(frozen=True)
class AskedReference(Reference):
    """A reference as it is asked with.

    Attributes:
        key: what stands for it in the address: an image's id, or the name of an upload.
        weight: how much it counts beside the others.
    """

    key: str = ""
    weight: float = 1.0


@dataclass(frozen=True)
class Asked:
    """What a person asks for; no `references` and `instruction` "" where it is left out."""

    references: tuple[AskedReference, ...]
    instruction: str
    options: SearchOptions

    @property
    def query(self) -> Query:
        """What to search for."""
        if not self.references:
            return Query(instruction=self.instruction)
        first, *more = self.references
        return Query(
            first.image,
            self.instruction,
            first.content_hash,
            weight=first.weight,
            more=tuple(More(each.image, each.content_hash, each.weight) for each in more),
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to search for."""
        return not self.references and not self.instruction.strip()

    @property
    def is_linkable(self) -> bool:
        """Whether the link shows the same to others: an upload cannot travel."""
        return not any(uploads.is_upload(each.key) for each in self.references)


@dataclass(frozen=True)
class Step:
    """One state of the search, and what led to it."""

    title: str
    state: State


def read(index: MilvusIndex) -> Asked:
    """What the address asks for.

    Raises:
        UsageError: it holds what cannot be asked, or a picture that is not there.
        ImageError: a reference cannot be read.
    """
    now = state()
    references = read_references(index)
    instruction = now.get(INSTRUCTION, ("",))[-1]
    return Asked(references, instruction, options(now))


def read_references(index: MilvusIndex) -> tuple[AskedReference, ...]:
    """The references of the address; errors as in `read`."""
    return tuple(_reference(index, text) for text in bounded(state(), REFERENCE))


def split(text: str) -> tuple[str, float]:
    """What stands for a picture in the address, and its weight; 1 where that is not a good one."""
    try:
        return split_weight(text)
    except UsageError:  # the search says so
        return text, 1.0


def options(now: State) -> SearchOptions:
    """The options of a search in this state.

    Raises:
        UsageError: a value is wrong.
    """
    given = {each.name: _parsed(each, now) for each in fields(SearchOptions) if each.name in now}
    pictures = given.get("less_image", ())
    if not all(is_image_id(split_weight(text)[0]) for text in pictures):
        # A link must not name a file of the server.
        raise UsageError("A link names pictures to steer away from by their ids in the index.")
    if given.get("rerank") not in {None, *rerankers()}:
        # Nor may it make the server open a folder, fetch a model, or ask a paid one.
        raise UsageError(
            f"The second stage {str(given['rerank'])!r:.200} is not offered here. There are: "
            f"{', '.join(rerankers())}."
        )
    # Copies of one file are never shown twice.
    return SearchOptions(**{"limit": LIMIT, **given, "distinct": True})


def rerankers() -> tuple[str, ...]:
    """The second stages that this app offers: one that needs nothing, and those of its settings."""
    return tuple(dict.fromkeys(["words", *session_settings().rerankers]))


def state() -> State:
    """What the address holds of the search page."""
    # A link may say a thing twice; it is asked, and shown as a chip, once.
    held = {name: tuple(dict.fromkeys(st.query_params.get_all(name))) for name in _names()}
    return {name: values for name, values in held.items() if any(values)}


def bounded(now: State, name: str) -> Sequence[str]:
    """The values of a parameter.

    Raises:
        UsageError: more than `MOST`.
    """
    values = now.get(name, ())
    if len(values) > MOST:
        raise UsageError(f"This link has {len(values)} times {name}; at most {MOST} can be asked.")
    return values


def link() -> str:
    """The address of the page as it stands."""
    pairs = [(INDEX_KEY, st.session_state.get(INDEX_KEY) or "")]
    pairs += [(name, value) for name, values in state().items() for value in values]
    return f"{st.context.url or ''}?{urlencode(pairs)}"


# Callbacks. Each pushes one step.


def ask(instruction: str | None = None, upload: str | None = None) -> None:
    """Ask with another instruction, another uploaded reference, or both; the rest stays."""
    changes: dict[str, Iterable[str]] = {}
    if instruction is not None:
        changes[INSTRUCTION] = [instruction]
    if upload is not None:
        changes |= _new_reference(upload)
    _push(f"“{instruction}”" if instruction else "another picture", changes)


def search_with(key: str) -> None:
    """Make an indexed image the reference; the reader begins again at the top."""
    _push("search with this", _new_reference(key))
    to_top()


def more_like(key: str) -> None:
    """Add an indexed image to the references."""
    _push("more like this", {REFERENCE: _with(REFERENCE, key)})


def weigh(name: str, text: str, weight: float) -> None:
    """Let a picture, `text` as the address has it, count more or less."""
    key, _ = split_weight(text)
    other = key if weight == 1 else f"{key}*{weight:g}"
    texts = [other if each == text else each for each in state().get(name, ())]
    _push("another weight", {name: texts})


def less_like(key: str) -> None:
    """Steer away from an indexed image."""
    _push("less like this", {"less_image": _with("less_image", key)})


def set_option(name: str, value: object, title: str = "") -> None:
    """Set an option, or how results are shown; None, or the default, leaves it out of the address.

    Args:
        name: a field of `SearchOptions`, or one of `LOOKS`.
        title: what the step is called.
    """
    _push(title or name.replace("_", " "), {name: _written(name, value)})


def set_options(title: str, values: Mapping[str, object]) -> None:
    """Set several options in one step."""
    _push(title, {name: _written(name, value) for name, value in values.items()})


def remove(name: str, value: str | None = None) -> None:
    """Take one value of a parameter away, or all of them."""
    left = [each for each in state().get(name, ()) if value is not None and each != value]
    changes: dict[str, Iterable[str]] = {name: left}
    if name == REFERENCE and value in state().get(name, ())[:1]:
        changes |= dict.fromkeys(_OF_REFERENCE, ())
    _push("taken away", changes)


def start_over() -> None:
    """Ask for nothing."""
    _push("start", dict.fromkeys(_asking(), ()))


def undo() -> None:
    """Go back to the state before the last step."""
    back_to(len(steps()) - 2)


def back_to(number: int) -> None:
    """Go back to a step, counted from 0."""
    every, _ = _history()
    if 0 <= number < len(every):
        _keep(every, number)
        _write(every[number].state)


def steps() -> list[Step]:
    """How the search came to be what it is, the present state last."""
    every, now = _history()
    return every[: now + 1]


def _history() -> tuple[list[Step], int]:
    """All steps, and at which of them the address stands.

    The browser's Back and Forward move among the steps; what a link or a typed address brings
    begins anew, and so does another index.
    """
    every, then, of = st.session_state.get(_STEPS, ([], 0, None))
    if of != st.session_state.get(INDEX_KEY):
        every, then = [], 0
    now = state()
    found = [number for number, step in enumerate(every) if step.state == now]
    if not found:
        every, found, then = [Step("start", now)], [0], 0
    nearest = min(found, key=lambda number: abs(number - then))
    _keep(every, nearest)
    return every, nearest


def _keep(every: list[Step], now: int) -> None:
    st.session_state[_STEPS] = every, now, st.session_state.get(INDEX_KEY)


def restore() -> None:
    """Ask again for what was asked when somebody left the page and comes back by the menu.

    The menu's address holds nothing; an empty address on the page itself asks for nothing.
    """
    index, now = st.session_state.get(INDEX_KEY), state()
    then = st.session_state.get(_LAST)
    if came_from_elsewhere() and not now and then is not None and then[0] == index:
        _keep(*then[1])
        _write(then[1][0][then[1][1]].state)
    st.session_state[_LAST] = index, _history()


def to_top() -> None:
    """Let the next run bring the reader to the top, with the focus in the bar."""
    st.session_state[_TO_TOP] = True


def is_to_top() -> bool:
    """Whether this run does so; asked once."""
    return bool(st.session_state.pop(_TO_TOP, False))


def _push(title: str, changes: Mapping[str, Iterable[str]]) -> None:
    before = steps()
    changed = {name: tuple(dict.fromkeys(values)) for name, values in changes.items()}
    after = {**before[-1].state, **changed}
    after = {name: values for name, values in after.items() if any(values)}
    if after == before[-1].state:
        return
    if any(len(after.get(name, ())) > MOST for name in changed):
        st.toast(f"At most {MOST} of a kind can be asked for: take one away first.")
        return
    every = [*before, Step(title, after)][-MOST_STEPS:]
    _keep(every, len(every) - 1)
    _write(after)


def _write(after: State) -> None:
    """Write the address, in one message: the browser takes each for a step of its own."""
    own = {*_names(), INDEX_KEY}
    others = {name: st.query_params.get_all(name) for name in st.query_params if name not in own}
    index = st.session_state.get(INDEX_KEY)
    named = {INDEX_KEY: [index]} if index else {}
    st.query_params.from_dict({**named, **others, **after})


def _new_reference(key: str) -> dict[str, Iterable[str]]:
    return {REFERENCE: [key], **dict.fromkeys(_OF_REFERENCE, ())}


def _with(name: str, key: str) -> list[str]:
    held = state().get(name, ())
    return [*held] if key in {split(each)[0] for each in held} else [*held, key]


def _reference(index: MilvusIndex, text: str) -> AskedReference:
    key, weight = split_weight(text)
    if uploads.is_upload(key):
        found = uploads.kept(key)
    elif is_image_id(key):
        found = indexed_reference(index, key, session_settings(), local=is_local())
    else:
        raise UsageError("This link does not name an image of the index as its reference.")
    return AskedReference(**vars(found), key=key, weight=weight)


def _names() -> list[str]:
    return [*_asking(), *LOOKS]


def _asking() -> list[str]:
    return [REFERENCE, INSTRUCTION, *(each.name for each in fields(SearchOptions))]


def _parsed(option: Field[Any], now: State) -> Any:
    """The value of an option in the address."""
    if isinstance(option.default, tuple):
        return tuple(bounded(now, option.name))
    text = now[option.name][-1]
    if isinstance(option.default, bool):
        return text.lower() in {"true", "1", "yes"}
    kind: Callable[[str], Any] = float if option.default is None else type(option.default)
    try:
        return kind(text)
    except ValueError as error:
        raise UsageError(f"This link's {option.name} is no number: {text!r}.") from error


def _written(name: str, value: object) -> list[str]:
    """A value as the address holds it; empty where it is the default."""
    default = LIMIT if name == "limit" else _default(name)
    if value is None or value in (default, ""):
        return []
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, float):
        return [f"{value:g}"]
    if isinstance(value, (list, tuple)):
        return [str(each) for each in value]
    return [str(value)]


def _default(name: str) -> object:
    return {each.name: each.default for each in fields(SearchOptions)}.get(name)
