"""An index that moves to another encoder, on the Indexes page."""

import streamlit as st

from cir.encoders.registry import choose, encoder_specs, readiness
from cir.jobs.indexes import IndexJobs
from cir.store import IndexInfo
from pages.parts.shell.session import people_errors, plain, settings


def show_move(info: IndexInfo, jobs: IndexJobs, *, disabled: bool) -> None:
    """The choice of an encoder that is ready, and what it costs; goes on with what was stopped."""
    begun = None if disabled else jobs.store.moving_to(info)
    if begun is not None:
        st.caption(
            f"Encoding it anew by {plain(begun)} is under way elsewhere, or was stopped. What is "
            "encoded is kept: moving it there goes on from there, and moving it to another encoder "
            "discards it."
        )
    ready = [name for name in encoder_specs() if readiness(choose(settings(), name)) == "ready"]
    others = [name for name in ready if name != info.encoder]
    names = [*others, *(name for name in ready if name == info.encoder)]
    with st.popover("Move to another encoder …", icon=":material/move_down:", disabled=disabled):
        if not names:
            st.markdown("No encoder is ready here.")
            return
        chosen = st.selectbox(
            "Encoder to move to",
            names,
            index=names.index(begun) if begun in names else 0,
            format_func=lambda name: f"{name}, as it is now" if name == info.encoder else name,
            key=f"move {info.collection}",
            help="Those that are ready here. Its own encoder may have got new weights.",
        )
        st.caption(
            "All images are encoded anew, from their files or, where those are gone, from their "
            "thumbnails. Until that is done the index is searched as before; metadata stays."
        )
        if st.button("Encode anew", key=f"move now {info.collection}", icon=":material/sync:"):
            with people_errors():
                jobs.move(info, chosen)
                st.rerun()
