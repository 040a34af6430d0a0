"""The query bar: one box for a sentence and a picture; under it, what was asked, as chips."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import streamlit as st

from cir.encoders.texts import MAX_CHARACTERS
from cir.errors import RecomposeError
from cir.fetching import Fetcher
from cir.images import MAX_BYTES, SUFFIXES, is_thumbnail
from cir.search.titles import title_column, title_of
from cir.store import MilvusIndex, is_image_id
from pages.parts.search import asked as state
from pages.parts.search import uploads
from pages.parts.shell.navigation import ICON_ONLY
from pages.parts.shell.server import megabytes
from pages.parts.shell.session import is_local, plain, session_settings

BAR = "bar"
_CAMERA = "camera"
_PROBLEM = "what was wrong with the last picture"
_TO_FETCH = "the address of a picture to fetch"
_WEB_ADDRESS = re.compile(r"(?P<url>https?://\S+)\s*(?P<words>.*)", re.IGNORECASE | re.DOTALL)
_LONGEST_NAME = 24
# One frame above the results, low enough that their first row is whole on the first screen. The
# chips stay in view while the results scroll.
STYLE = """<style>
.st-key-asked { gap: 0.5rem; }
.st-key-heading h1 { padding: 0; }
@media (min-width: 640px) {
  div:has(> .st-key-asked) { position: sticky; top: 3.75rem; z-index: 5; padding: 0.25rem 0;
    background: light-dark(#fdfcfa, #15191a); }
}
[class*="st-key-chip-"] { border: 1px solid color-mix(in srgb, currentColor 25%, transparent);
  border-radius: 0.6rem; padding: 0 0.5rem 0 0; overflow: hidden; }
[class*="st-key-chip-"] :has(> .stImage) { width: auto !important; }
[class*="st-key-chip-"] img { height: 3.25rem; width: auto !important; max-width: 5rem;
  object-fit: cover; border-radius: 0; }
[class*="st-key-chip-"] [data-testid="stElementToolbar"] { display: none; }
[class*="st-key-chip-"] button { min-height: 2.4rem; padding: 0; }
@media (max-width: 640px) {  /* beside the buttons, not below them */
  [class*="st-key-chip-"] button p { max-width: 5.5rem; overflow: hidden; text-overflow: ellipsis;
    white-space: nowrap; }
}
.st-key-refined { width: min(21rem, 78vw); }
</style>"""
# The reader begins again at the top, with the focus in the bar.
_TO_TOP = """<script>
document.querySelector('[data-testid="stMain"]')?.scrollTo({top: 0});
document.querySelector('.st-key-%s textarea')?.focus({preventScroll: true});
// %d
</script>"""


def show_bar() -> None:
    """The box, the camera beside it, and what was wrong with the last picture.

    A text that begins with an address of the web names a picture to fetch.
    """
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.chat_input(
            "Type, or paste a picture",
            key=BAR,
            accept_file=True,
            file_type=[suffix.lstrip(".") for suffix in sorted(SUFFIXES)],
            max_chars=MAX_CHARACTERS,
            max_upload_size=megabytes(MAX_BYTES),
            on_submit=_submitted,
        )
        _camera()
    if _TO_FETCH in st.session_state:
        url, words = st.session_state.pop(_TO_FETCH)
        with st.spinner("Fetching the picture"):
            _ask(words or None, lambda: Fetcher().fetch(url))
        st.rerun()
    problem = st.session_state.pop(_PROBLEM, "")
    if problem:
        st.error(plain(problem), icon=":material/error:")
    if state.is_to_top():
        count = len(state.steps())  # another text each time: the browser runs a new script alone
        st.html(_TO_TOP % (BAR, count), unsafe_allow_javascript=True)


def _camera() -> None:
    opened = st.popover(
        "Take a picture",
        icon=":material/photo_camera:",
        help="Take a picture",
        key=f"{ICON_ONLY} camera",
        on_change="rerun",
    )
    if opened.open:  # the browser asks for the camera when somebody wants to use it
        with opened:
            st.camera_input("Take a picture", key=_CAMERA, on_change=_photographed)


def _submitted() -> None:
    given = st.session_state[BAR]
    if given is None:
        return
    text = given.text.strip()
    if given.files:
        picture = given.files[0]
        _ask(text or None, lambda: (picture.name, picture.getvalue()))
    elif (found := _WEB_ADDRESS.fullmatch(text)) is None:
        _ask(text or None, None)
    elif _may_fetch():
        st.session_state[_TO_FETCH] = found["url"], found["words"]  # while the page says so
    else:
        st.session_state[_PROBLEM] = (
            "This Recompose fetches no pictures from the web: save the picture and paste it."
        )


def _may_fetch() -> bool:
    allowed = session_settings().fetch_urls
    return is_local() if allowed is None else allowed


def _photographed() -> None:
    photo = st.session_state[_CAMERA]
    if photo is not None:
        _ask(None, lambda: ("photo.jpg", photo.getvalue()))


def _ask(text: str | None, picture: Callable[[], tuple[str, bytes]] | None) -> None:
    """Ask by a sentence and a picture, which is given as its name and content."""
    try:
        upload = None if picture is None else uploads.keep(*picture())
    except RecomposeError as error:
        st.session_state[_PROBLEM] = str(error)
        return  # without its picture the sentence would be another question
    if text is not None or upload is not None:
        state.ask(text, upload)


def show_chips(index: MilvusIndex) -> None:
    """What was asked, once; each chip is taken away by a press."""
    now = state.state()
    pictures = [*now.get(state.REFERENCE, ()), *now.get("less_image", ())]
    ids = [key for key, _ in map(state.split, pictures) if is_image_id(key)]
    small = index.thumbnails(ids)
    column = title_column(index) if ids else ""
    names = {each.id: (each.path, title_of(each, column)) for each in index.get(ids)}
    for text in now.get(state.REFERENCE, ()):
        _picture_chip(state.REFERENCE, text, small, names)
    for text in now.get(state.INSTRUCTION, ()):
        _chip(f"“{text.strip()}”", state.INSTRUCTION, text)
    for text in now.get("less_image", ()):
        _picture_chip("less_image", text, small, names)
    for name, words in _WORDS.items():
        for text in now.get(name, ()):
            _chip(words(text), name, text)


_WORDS: Mapping[str, Callable[[str], str]] = {
    "less": lambda text: f"less “{text}”",
    "balance": lambda text: f"balance {text}",
    "composition": lambda text: f"composed by {text}",
    "turn": lambda text: f"turned by {text}°",
    "crop": lambda text: "cropped",
    "where": str,
    "words": lambda text: "also the words",
    "rerank": lambda text: f"second stage {text}",
    "threshold": lambda text: f"score from {text}",
    "group_by": lambda text: f"grouped by {text}",
    "fold": lambda text: "near-duplicates folded",
    "limit": lambda text: f"{text} results",
}
"""What chips say, in their order."""


def _chip(words: str, name: str, text: str) -> None:
    st.button(
        plain(_short(words, 60)),
        key=f"away {name} {text}",
        icon=":material/close:",
        icon_position="right",
        help="Take this away",
        on_click=state.remove,
        args=(name, text),
    )


def _picture_chip(
    name: str, text: str, small: Mapping[str, bytes], names: Mapping[str, tuple[str, str]]
) -> None:
    """The picture, and the way to take it away; `names` are paths and titles by id."""
    key, weight = state.split(text)
    picture: Any = small.get(key)
    path, title = names.get(key, ("", "no such picture"))
    if uploads.is_upload(key) and (found := uploads.find(key)) is not None:
        picture, path = found.image, found.name
        title = PurePosixPath(path).name
    elif picture is not None and not is_thumbnail(picture):  # others may write to a shared Milvus
        picture = None
    words = _short(title, _LONGEST_NAME)
    words += f" *{weight:g}" if weight != 1 else ""
    less = name == "less_image"
    with st.container(
        key=f"chip-{name}-{text}",
        horizontal=True,
        width="content",
        gap="xsmall",
        vertical_alignment="center",
    ):
        if picture is not None:
            what = "Less like" if less else "Reference image"
            st.image(picture, width=64, alt=f"{what}: {path}")
        st.button(
            plain(f"less like {words}" if less else words),
            key=f"away {name} {text}",
            type="tertiary",
            icon=":material/close:",
            icon_position="right",
            help="Take this away",
            on_click=state.remove,
            args=(name, text),
        )


def _short(words: str, length: int) -> str:
    return words if len(words) <= length else f"{words[: length - 1]}…"


def show_history() -> None:
    """The steps that led here, and the way back."""
    steps: Sequence[state.Step] = state.steps()
    if len(steps) < 2:
        return
    st.button(
        "Undo", icon=":material/undo:", help=f"Undo: {plain(steps[-1].title)}", on_click=state.undo
    )
    with st.popover(f"{len(steps) - 1} steps" if len(steps) > 2 else "1 step"):
        st.markdown("Back to")
        for number, step in enumerate(steps[:-1]):
            st.button(
                f"{number}\\. {plain(_short(step.title, 60))}",
                key=f"step {number}",
                type="tertiary",
                on_click=state.back_to,
                args=(number,),
            )
