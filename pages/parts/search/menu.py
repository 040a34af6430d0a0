"""How results are shown: the menu at their right, and what it has set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import streamlit as st

from cir.encoders.protocol import Encoder
from cir.search.titles import telling_columns, title_column, title_of
from cir.store import Hit, MilvusIndex
from pages.parts.search import asked as state
from pages.parts.search.asked import Asked
from pages.parts.search.mark import offer_marking
from pages.parts.search.take_away import CHOOSING, take_away
from pages.parts.shell.navigation import ICON_ONLY

Size = Literal["small", "medium", "large"]
_USUAL: Size = "medium"
_MENU = f"{ICON_ONLY} menu of the results"
_SIZE, _WAYS = "size of the pictures", "side by side"


@dataclass(frozen=True)
class Shown:
    """How results are shown.

    Attributes:
        size: of the pictures.
        title_column: the metadata column that titles come from, "" for file names.
        telling: the columns under the title.
        ways: whether the ways of asking stand side by side.
        choosing: whether results can be ticked to be taken away.
    """

    size: Size = _USUAL
    title_column: str = ""
    telling: tuple[str, ...] = ()
    ways: bool = False
    choosing: bool = False

    def title(self, hit: Hit) -> str:
        """What the image is called."""
        return title_of(hit, self.title_column)

    def facts(self, hit: Hit) -> list[str]:
        """What stands under the title; of a yes or no the column's name, where it is yes."""
        values = [(column, hit.metadata.get(column)) for column in self.telling]
        told = [column if value is True else value for column, value in values]
        return [str(each).strip() for each in told if each is not None and each is not False]


def how_shown(index: MilvusIndex) -> Shown:
    """How results of this index are shown now."""
    looks = state.state()
    size = looks.get("size", (_USUAL,))[-1]
    return Shown(
        size if size in get_args(Size) else _USUAL,  # type: ignore[arg-type]
        title_column(index),
        tuple(telling_columns(index)),
        looks.get("ways", ("",))[-1].lower() in {"true", "1", "yes"},
        bool(st.session_state.get(CHOOSING)),
    )


def offer_menu(index: MilvusIndex, encoder: Encoder, asked: Asked, hits: Sequence[Hit]) -> None:
    """The results' menu: how they are shown, and what can be done with them."""
    shown = how_shown(index)
    st.session_state[_SIZE], st.session_state[_WAYS] = shown.size, shown.ways
    with st.popover(
        "What to do with the results",
        icon=":material/more_horiz:",
        help="Size, side by side, take away",
        key=_MENU,
        on_change="rerun",  # so that it can be closed from here
    ):
        st.segmented_control(
            "Size of the pictures",
            get_args(Size),
            format_func=str.capitalize,
            key=_SIZE,
            on_change=_set_size,
            required=True,
        )
        st.toggle(
            "Side by side",
            key=_WAYS,
            on_change=_set_ways,
            help="The same query by the image alone, by the sentence alone, by the sum of the two, "
            "and composed.",
        )
        offer_marking(disabled=shown.ways)
        st.toggle(
            "Choose results",
            key=CHOOSING,
            disabled=shown.ways,
            help="Tick what you want to take away; not side by side.",
        )
        wanted = st.button(
            "Take away", icon=":material/download:", disabled=not hits, on_click=_close
        )
    if wanted:
        take_away(index, encoder, asked, shown, hits)


def _close() -> None:
    st.session_state[_MENU] = False


def _set_size() -> None:
    size = st.session_state[_SIZE]
    state.set_option("size", None if size == _USUAL else size, "size of the pictures")


def _set_ways() -> None:
    state.set_option("ways", st.session_state[_WAYS] or None, "side by side")
