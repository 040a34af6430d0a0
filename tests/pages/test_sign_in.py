"""Who is let in where a sign-in is set up, and who may manage then."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.parts.shell import session, sign_in
from tests.places import REPOSITORY

SECONDS = 60
AUTH = {"client_id": "x", "client_secret": "y", "server_metadata_url": "https://example.org"}


def open_app(secrets: dict[str, Any] | None = None) -> AppTest:
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS)
    for name, value in (secrets or {}).items():
        app.secrets[name] = value
    app.run()
    assert not app.exception
    return app


def test_a_provider_gets_one_button_and_several_one_each(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "user", {"is_logged_in": False})
    app = open_app({"auth": AUTH})
    assert [each.label for each in app.button] == ["Sign in"]
    assert [each.value for each in app.title] == ["Recompose"]
    assert not app.sidebar.children
    app = open_app({"auth": {"cookie_secret": "s", "google": AUTH, "entra": AUTH}})
    assert [each.label for each in app.button] == ["Sign in with google", "Sign in with entra"]


def test_a_sign_in_without_its_parts_is_one_sentence(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "user", {"is_logged_in": False})
    app = open_app({"auth": {"client_id": "x"}})
    app.button[0].click().run()
    assert not app.exception
    assert "not set up right" in app.error[0].value


def test_a_sign_in_that_streamlit_does_not_know_of_closes_the_app(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(session.settings(), sign_in=True)
    monkeypatch.setattr(sign_in, "settings", lambda: asked)
    app = open_app()
    assert "asks for a sign\\-in" in app.error[0].value
    assert not app.button and not app.markdown and not app.metric


def test_secrets_that_cannot_be_read_close_the_app(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "secrets.toml"
    broken.write_text("[auth")
    options = {"secrets.files": [str(broken)]}
    asked = st.get_option
    monkeypatch.setattr(st, "get_option", lambda key: options.get(key) or asked(key))
    monkeypatch.setattr(st.secrets, "load_if_toml_exists", lambda: False)
    app = open_app()
    assert "secrets of this server cannot be read" in app.error[0].value
    assert not app.button


@pytest.mark.parametrize(
    ("person", "may"),
    [
        ({}, False),
        ({"email": "ada@example.org", "email_verified": True}, False),
        ({"is_logged_in": True, "email": "ada@example.org"}, False),
        ({"is_logged_in": True, "email": "ada@example.org", "email_verified": "false"}, False),
        ({"is_logged_in": True, "email": "eve@example.org", "email_verified": True}, False),
        ({"is_logged_in": True, "email": "Ada@Example.org", "email_verified": True}, True),
    ],
)
def test_an_admin_is_signed_in_with_a_verified_address(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, person: dict[str, Any], may: bool
) -> None:
    monkeypatch.setenv("CIR_ADMIN_EMAILS", "ada@example.org")
    monkeypatch.setattr(st, "user", person)
    assert session.may_change() is may


def test_to_be_signed_in_is_not_to_be_an_admin(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "user", {"is_logged_in": True, "email": "a@b", "email_verified": True})
    assert not session.may_change()
    monkeypatch.setattr(st, "user", {})
    assert session.may_change(), "without a sign-in and a lock, as ever"
