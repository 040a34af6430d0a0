"""The part of the reference that counts: drawn on the picture, or set by two ranges."""

import base64
import functools
import io
from typing import Any

import streamlit as st

from cir.images import part_of
from cir.search.options import SearchOptions, box_of
from cir.search.references import Reference
from pages.parts.search import asked as state

_SIDE = 480
_WHOLE = (0.0, 0.0, 1.0, 1.0)
_LEAST = 0.02  # of a side: less is a press, no box
_HTML = '<div class="frame"><img alt="" draggable="false"><div class="box"></div></div>'
_CSS = """
.frame { position: relative; display: inline-block; touch-action: none; cursor: crosshair;
  overflow: hidden; border-radius: 0.5rem; user-select: none; }
.frame img { display: block; max-width: 100%; max-height: 15rem; }
.box { position: absolute; outline: 2px solid #fff; box-shadow: 0 0 0 100rem rgb(0 0 0 / 0.5);
  pointer-events: none; }
"""
# A pointer draws the box; the ranges beside it are for the keyboard, and for readers of screens.
_JS = """
export default function ({ parentElement, data, setTriggerValue }) {
  const frame = parentElement.querySelector(".frame");
  const image = frame.querySelector("img");
  const box = frame.querySelector(".box");
  image.src = data.picture;
  const show = ([left, top, right, bottom]) => Object.assign(box.style, {
    left: `${100 * left}%`, top: `${100 * top}%`,
    width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%` });
  show(data.box);
  const place = (event) => {
    const area = frame.getBoundingClientRect();
    const share = (value) => Math.min(1, Math.max(0, value));
    return [share((event.clientX - area.left) / area.width),
      share((event.clientY - area.top) / area.height)];
  };
  const drawn = ([ax, ay], [bx, by]) =>
    [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
  let start = null;
  frame.onpointerdown = (event) => {
    start = place(event);
    frame.setPointerCapture(event.pointerId);
  };
  frame.onpointermove = (event) => { if (start) show(drawn(start, place(event))); };
  frame.onpointerup = (event) => {
    if (!start) return;
    const found = drawn(start, place(event));
    start = null;
    setTriggerValue("drawn", found);
  };
  frame.onpointercancel = () => { start = null; show(data.box); };
}
"""


@functools.cache
def _component() -> Any:
    return st.components.v2.component("recompose_crop", html=_HTML, css=_CSS, js=_JS)


def offer_crop(reference: Reference, now: SearchOptions) -> None:
    """The picture with the part that counts; drawing another, or moving an end, asks anew."""
    box = box_of(now.crop) or _WHOLE
    st.caption("Draw on the picture which part of it counts.")
    _component()(
        key="crop_picture",
        data={"picture": _shown(reference, now.turn), "box": list(box)},
        on_drawn_change=_drawn,
    )
    for label, first in (("From left to right", 0), ("From top to bottom", 1)):
        key = f"crop {first}"
        st.session_state[key] = (_percent(box[first]), _percent(box[first + 2]))
        st.slider(label, 0, 100, key=key, format="%d%%", on_change=_moved)
    if now.crop:
        st.button("Whole picture", type="tertiary", on_click=state.remove, args=("crop",))


def _shown(reference: Reference, turn: int) -> str:
    picture = part_of(reference.image, turn).copy()
    picture.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _drawn() -> None:
    drawn = st.session_state["crop_picture"].get("drawn")
    if not isinstance(drawn, list) or len(drawn) != 4:
        return
    left, top, right, bottom = (min(1.0, max(0.0, float(each))) for each in drawn)
    if right - left >= _LEAST and bottom - top >= _LEAST:
        _crop(left, top, right, bottom)


def _moved() -> None:
    (left, right), (top, bottom) = (st.session_state[f"crop {first}"] for first in (0, 1))
    if left < right and top < bottom:
        _crop(left / 100, top / 100, right / 100, bottom / 100)


def _crop(*box: float) -> None:
    whole = tuple(box) == _WHOLE
    state.set_option("crop", "" if whole else ",".join(f"{each:.2f}" for each in box), "cropped")


def _percent(share: float) -> int:
    return round(100 * share)
