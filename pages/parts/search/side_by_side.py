"""The same query in each way that it can be asked, one row a way: what the bench measures, seen."""

from dataclasses import replace

import streamlit as st

from cir.search import Mode, search_ways
from pages.parts.search.cards import Found, draw_card

ACROSS = 8
"""Results of a way: a row on a desktop."""
_WAYS: dict[Mode, tuple[str, str]] = {
    "image": ("Image only", "Nearest to the reference, whatever the sentence says."),
    "text": ("Sentence only", "Nearest to the sentence, whatever the reference shows."),
    "sum": (
        "Sum",
        "Nearest to the sum of the two, each read alone: what an encoder gives that cannot "
        "compose.",
    ),
    "composed": (
        "Composed",
        "Nearest to what the encoder makes of both together: what a search gives.",
    ),
}


def show_ways(found: Found) -> None:
    """A row for each way, the composed one last."""
    assert found.encoder is not None
    options = replace(found.asked.options, limit=ACROSS, rerank="")  # what the encoder gives
    ways = search_ways(found.index, found.encoder, found.asked.query, options)
    if len(ways) == 1:
        st.info(
            "Side by side needs a reference and a sentence: there is one way to ask with either "
            "alone.",
            icon=":material/info:",
        )
    ids = {hit.id for hits in ways.values() for hit in hits}
    jpegs = found.index.thumbnails(list(ids))
    for mode, (name, meaning) in _WAYS.items():
        if mode in ways:
            with st.container(key=f"whole-row-{mode}"):
                st.markdown(f"**{name}**", help=meaning)
            with st.container(key=f"way-{mode}"):
                for rank, hit in enumerate(ways[mode], start=1):
                    draw_card(found, ways[mode], hit, rank, jpegs.get(hit.id), f"{mode}-")
