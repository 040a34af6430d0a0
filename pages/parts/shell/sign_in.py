"""Signing in by Streamlit's own login, for a team that an OpenID Connect provider knows."""

import logging
from collections.abc import Mapping
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitAuthError

from cir.errors import AccessError
from pages.parts.shell.session import people_errors, plain, settings

log = logging.getLogger(__name__)


def ask_to_sign_in() -> None:
    """What people see who are not signed in: this, and nothing else."""
    with st.container(width=420):
        st.title("Recompose")
        st.markdown("Sign in to search here.")
        with people_errors():
            _buttons(st.secrets["auth"])


def require_known_sign_in() -> None:
    """Keep the app closed where Streamlit does not know of a sign-in that was asked for.

    That is so where it cannot read its secrets, or reads others than Recompose does.

    Raises:
        AccessError: nobody may come in. UsageError: the secrets file is not valid TOML.
    """
    if st.user.get("is_logged_in") is not None:
        return
    if settings().sign_in:
        raise AccessError(
            "This Recompose asks for a sign-in, which Streamlit does not know of: start it in the "
            "folder whose .streamlit/secrets.toml holds [auth]."
        )
    kept = any(Path(path).is_file() for path in st.get_option("secrets.files"))
    if kept and not st.secrets.load_if_toml_exists():
        raise AccessError("The secrets of this server cannot be read; its log says why.")


def offer_sign_out() -> None:
    """In the sidebar: who is signed in, and the way out."""
    if not st.user.get("is_logged_in"):
        return
    st.sidebar.caption(f"Signed in as {plain(str(st.user.get('email') or st.user.get('name')))}")
    if st.sidebar.button("Sign out", icon=":material/logout:"):
        st.logout()


def _buttons(auth: Mapping[str, object]) -> None:
    """One button, or one for each provider that `[auth]` names."""
    if "client_id" in auth:
        if st.button("Sign in", type="primary", icon=":material/login:"):
            _sign_in(None)
        return
    for name, provider in auth.items():
        if not isinstance(provider, Mapping) or "client_id" not in provider:
            continue
        if st.button(f"Sign in with {plain(name)}", icon=":material/login:", key=name):
            _sign_in(name)


def _sign_in(provider: str | None) -> None:
    try:
        st.login(provider)
    except StreamlitAuthError as error:
        log.exception("the sign-in is not set up")
        raise AccessError(
            "The sign-in of this server is not set up right; its log says what is missing."
        ) from error
