"""The encoders that there are, on the Indexes page."""

from typing import Any

import streamlit as st

from cir.encoders.protocol import EncoderSpec
from cir.encoders.registry import choose, encoder_specs, installation, open_names, readiness
from cir.errors import WayOut
from cir.words import size
from pages.parts.shell.session import settings

_FILES = {WayOut.GENERAL_INSTALLATION: "requirements-general.txt"}
NAME_WIDTH = 250  # pixels: the longest name that loads as it stands


def show_encoders() -> None:
    """Every encoder, a row each, folded away."""
    with st.expander("Encoders", icon=":material/view_in_ar:"):
        st.dataframe(
            [
                *(_row(spec) for spec in encoder_specs().values()),
                *(_open_row(form, what) for form, what in open_names()),
            ],
            hide_index=True,
            column_config={
                "Name": st.column_config.TextColumn(pinned=True, width=NAME_WIDTH),
                "Parameters": st.column_config.NumberColumn(
                    format="compact", help="Numbers that it has learned: more take longer"
                ),
                "Dimensions": st.column_config.NumberColumn(
                    help="Numbers in an embedding: what an index holds of each image"
                ),
                "Memory": st.column_config.TextColumn(
                    help="What encoding takes at most, where that was measured"
                ),
                "Licence": st.column_config.TextColumn(help="Of what it has learned"),
            },
            alt="The encoders, a row each",
        )
        st.caption(
            "An encoder turns an image or a sentence into an embedding: a row of numbers, close to "
            "that of what looks or means alike. A download comes from the Hugging Face hub, once, "
            "and only when you allow it. Compact knows garments and accessories; other pictures it "
            "compares by colour and likeness alone."
        )


def _open_row(form: str, what: str) -> dict[str, Any]:
    return {
        "Name": form,
        "State": "on the command line, or as CIR_ENCODER",
        "Recommended for": what,
        "Memory": "",
        "Licence": "",
    }


def state_of_encoder(name: str) -> str:
    """Whether the encoder can be used, for people."""
    match readiness(choose(settings(), name)):
        case "ready":
            return "ready"
        case "download":
            return f"download of {size(encoder_specs()[name].download_bytes)}"
        case _:
            return "needs " + _FILES.get(installation(name), "requirements.txt")


def _row(spec: EncoderSpec) -> dict[str, Any]:
    return {
        "Name": spec.name,
        "State": state_of_encoder(spec.name),
        "Recommended for": spec.recommended_for,
        "Memory": size(spec.memory_bytes) if spec.memory_bytes else "",
        "Dimensions": spec.dim,
        "Parameters": spec.parameters,
        "Licence": spec.licence,
    }
