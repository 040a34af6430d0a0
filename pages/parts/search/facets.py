"""Filters on the search page: a control for each column of the metadata, by what it holds.

The conditions stand in the address; a control shows those on its column that it can say, and
writes them anew when it is used. The others stay as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from cir.errors import RecomposeError, UsageError
from cir.store import MilvusIndex
from cir.store.facets import Facet
from cir.store.filters import Condition, Operator, Value, canonical, spelling
from pages.parts.search.asked import set_option, state
from pages.parts.shell.session import plain

WHERE = "where"
MOST_CONTROLS = 24
_MOST_PILLS = 8
_LONGEST_PILL = 24
_MOST_STEPS = 500  # of a slider that a finger can still set
_EXACT = 2**53  # beyond it the browser's numbers lose digits
_TYPED = "typed condition"
_PROBLEM = "problem of the typed condition"


@dataclass(frozen=True)
class _Control:
    """What a callback needs: the control's widget, and the conditions that it stands for.

    Attributes:
        key: of the widget; those of a range's two fields begin with it.
        texts: its conditions, as the address has them.
    """

    facet: Facet
    key: str
    texts: tuple[str, ...]


def offer_facets(index: MilvusIndex) -> None:
    """Show the filters of the address; pressing one changes it."""
    columns = index.info.columns
    if not columns:
        st.caption("This index has no metadata to filter by.")
        return
    where = _where()
    conditions, problem = _readable(index, where)
    with st.spinner("Counting"):
        facets = index.facets([condition for _, condition in conditions])
    with st.container(key="facets"):
        if where:
            st.button(
                "Clear filters",
                key="clear filters",
                type="tertiary",
                icon=":material/filter_alt_off:",
                on_click=set_option,
                args=(WHERE, None, "no filters"),
            )
        if problem:
            st.error(plain(problem), icon=":material/error:")
        for facet in facets[:MOST_CONTROLS]:
            _offer(facet, [pair for pair in conditions if pair[1].column == facet.column])
        _offer_typing(index, more=len(facets) > MOST_CONTROLS)


_Pair = tuple[str, Condition]
"""A condition as the address has it, and what it says."""


def _readable(index: MilvusIndex, where: Sequence[str]) -> tuple[list[_Pair], str]:
    """Those of the conditions that can be asked, and what is wrong with one that cannot."""
    pairs, problem = [], ""
    for text in where:
        try:
            pairs.append((text, index.conditions([text])[0]))
        except UsageError as error:
            problem = problem or str(error)
    return pairs, problem


def _offer(facet: Facet, pairs: Sequence[_Pair]) -> None:
    match facet.kind:
        case "choices":
            _offer_choices(facet, _first(pairs, "=", "in"))
        case "range":
            _offer_range(facet, [*_first(pairs, ">="), *_first(pairs, "<=")])
        case "text":
            _offer_text(facet, _first(pairs, "~"))


def _first(pairs: Sequence[_Pair], *operators: Operator) -> list[_Pair]:
    """The first of the conditions that has one of these operators, in a list."""
    return [pair for pair in pairs if pair[1].operator in operators][:1]


def _offer_choices(facet: Facet, pairs: Sequence[_Pair]) -> None:
    ticked = [_same(value) for _, condition in pairs for value in _values(condition)]
    counts = dict(facet.choices)
    control = _control(facet, pairs)
    _hold(control.key, ticked)
    told: dict[str, Any] = {"key": control.key, "on_change": _take_choices, "args": (control,)}
    few = len(counts) <= _MOST_PILLS
    if few and all(len(_name(value)) <= _LONGEST_PILL for value in counts):
        st.pills(
            plain(facet.column),
            list(dict.fromkeys([*counts, *ticked])),
            selection_mode="multi",
            format_func=lambda value: f"{plain(_name(value))} ({counts.get(value, 0):,})",
            **told,
        )
        return
    there = sorted((value for value in counts if counts[value]), key=lambda value: -counts[value])
    st.multiselect(
        plain(facet.column),
        list(dict.fromkeys([*there, *ticked])),
        format_func=lambda value: f"{_name(value)} ({counts.get(value, 0):,})",
        placeholder="All",
        select_all=False,
        **told,
    )


def _take_choices(control: _Control) -> None:
    ticked = tuple(st.session_state[control.key])
    column = control.facet.column
    if len(ticked) == 1:
        _replace(control, Condition(column, "=", ticked[0]))
    else:
        _replace(control, *([Condition(column, "in", ticked)] if ticked else []))


def _offer_range(facet: Facet, pairs: Sequence[_Pair]) -> None:
    low, high = facet.low, facet.high
    if low is None or high is None or max(abs(low), abs(high)) > _EXACT:
        return
    ends: dict[str, Any] = {condition.operator: condition.value for _, condition in pairs}
    control = _control(facet, pairs)
    if isinstance(low, int) and isinstance(high, int) and high - low <= _MOST_STEPS:
        chosen = (_within(ends.get(">=", low), low, high), _within(ends.get("<=", high), low, high))
        _hold(control.key, (min(chosen), max(chosen)))
        st.slider(
            plain(facet.column),
            low,
            high,
            key=control.key,
            format="plain",
            on_change=_take_slider,
            args=(control,),
        )
        return
    whole = isinstance(low, int)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for operator, word, end in ((">=", "from", low), ("<=", "to", high)):
            key = f"{control.key} {operator}"
            _hold(key, ends.get(operator))
            st.number_input(
                plain(f"{facet.column} {word}"),
                value=None,
                step=1 if whole else None,
                format="%d" if whole else "%g",
                placeholder=f"{end:g}" if isinstance(end, float) else str(end),
                key=key,
                on_change=_take_ends,
                args=(control,),
            )


def _take_slider(control: _Control) -> None:
    low, high = st.session_state[control.key]
    _take_range(
        control,
        None if low == control.facet.low else low,
        None if high == control.facet.high else high,
    )


def _take_ends(control: _Control) -> None:
    low, high = (st.session_state[f"{control.key} {operator}"] for operator in (">=", "<="))
    _take_range(control, low, high)


def _take_range(control: _Control, low: Value | None, high: Value | None) -> None:
    column = control.facet.column
    lower = [] if low is None else [Condition(column, ">=", low)]
    upper = [] if high is None else [Condition(column, "<=", high)]
    _replace(control, *lower, *upper)


def _offer_text(facet: Facet, pairs: Sequence[_Pair]) -> None:
    control = _control(facet, pairs)
    _hold(control.key, next((str(condition.value) for _, condition in pairs), ""))
    st.text_input(
        plain(f"{facet.column} contains"),
        key=control.key,
        on_change=_take_text,
        args=(control,),
    )


def _take_text(control: _Control) -> None:
    part = st.session_state[control.key].strip()
    column = control.facet.column
    _replace(control, *([Condition(column, "~", part)] if part else []))


def _offer_typing(index: MilvusIndex, *, more: bool) -> None:
    """A field for conditions that no control can say."""
    st.text_input(
        "Condition",
        placeholder=index.example_condition(),
        key=_TYPED,
        on_change=_take_typed,
        args=(index.conditions,),
        help="A column, then a value after =, !=, >=, <=, >, < or ~ (contains), or several after "
        "in, with commas between them.",
    )
    if more:
        st.caption(f"More columns: {plain(', '.join(sorted(index.info.columns)))}")
    problem = st.session_state.get(_PROBLEM)
    if problem:
        st.error(plain(problem), icon=":material/error:")


def _take_typed(conditions: Callable[[Sequence[str]], list[Condition]]) -> None:
    text = st.session_state[_TYPED].strip()
    st.session_state[_PROBLEM] = ""
    if not text:
        return
    try:
        conditions([text])
    except RecomposeError as error:
        st.session_state[_PROBLEM] = str(error)
        return
    st.session_state[_TYPED] = ""
    set_option(WHERE, [*_where(), text], text)


def _where() -> Sequence[str]:
    """The conditions of the address."""
    return state().get(WHERE, ())


def _replace(control: _Control, *conditions: Condition) -> None:
    """Write other conditions in the place of those that a control stood for."""
    texts = [spelling(condition) for condition in conditions]
    kept = [text for text in _where() if text not in control.texts]
    title = " and ".join(texts) or f"any {control.facet.column}"
    set_option(WHERE, [*kept, *texts], title)


def _control(facet: Facet, pairs: Sequence[_Pair]) -> _Control:
    return _Control(facet, f"facet {facet.column}", tuple(text for text, _ in pairs))


def _hold(key: str, value: Any) -> None:
    """Let a widget show what the address says: it may have changed by a link or a step back."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def _values(condition: Condition) -> tuple[Value, ...]:
    return condition.value if isinstance(condition.value, tuple) else (condition.value,)


def _same(value: Value) -> Value:
    return canonical(value) if isinstance(value, str) else value


def _name(value: Value) -> str:
    """A value as a choice."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if str(value).strip() else "(empty)"


def _within(value: Any, low: int, high: int) -> int:
    return min(max(int(value), low), high)
