"""Signing in through an OpenID Connect provider, and what is to be seen before."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.app import MAIN_SCRIPT, running_app
from tests.browser.provider import CLIENT, SECRET, Provider, running_provider
from tests.browser.stranger import stranger

ADMIN = "ada@example.org"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def team_app(
    data_dir: Path, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server whose people sign in; one of them may manage."""
    folder = tmp_path_factory.mktemp("team")
    secrets = folder / "secrets.toml"
    secrets.write_text(f"""
[auth]
redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
cookie_secret = "thirty-two letters or more, by chance"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
server_metadata_url = "{provider.address}/.well-known/openid-configuration"
""")
    start = [*MAIN_SCRIPT, "--secrets.files", str(secrets)]
    env = {"CIR_ADMIN_EMAILS": f"Grace@example.org, {ADMIN}"}
    with running_app(data_dir, folder / "log", env, start=start) as address:
        yield address


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    expect.set_options(timeout=20_000)
    yield context.new_page()
    context.close()


def sign_in(tab: Page, address: str) -> None:
    tab.goto(f"{address}/indexes")
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_role("heading", name="Search", exact=True)).to_be_visible()
    tab.get_by_role("link", name="Indexes").click()
    expect(tab.get_by_role("heading", name="Indexes", exact=True)).to_be_visible()


def sign_out(tab: Page) -> None:
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()


def test_nothing_is_shown_to_those_who_are_not_signed_in(tab: Page, team_app: str) -> None:
    for page in ("", "indexes", "metrics", "?index=shirts"):
        tab.goto(f"{team_app}/{page}")
        expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
        expect(tab.get_by_test_id("stSidebarNavLink")).to_have_count(0)
        assert "shirt" not in tab.content()
    for name in ("", "search", "indexes", "metrics"):
        with stranger(team_app) as session:
            session.run(page=name)
            assert session.texts() == ["Recompose", "Sign in to search here."]


def test_a_person_signs_in_searches_and_signs_out(
    tab: Page, team_app: str, provider: Provider
) -> None:
    provider.person = {"email": "bob@example.org", "email_verified": True}
    sign_in(tab, team_app)
    expect(tab.get_by_text("Signed in as bob\u2060@example.org")).to_be_visible()
    expect(tab.get_by_text("This Recompose is read-only")).to_be_visible()
    expect(tab.get_by_role("button", name="Build the index")).to_have_count(0)
    sign_out(tab)
    tab.reload()
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()


def test_an_admin_manages_by_a_verified_address_alone(
    tab: Page, team_app: str, provider: Provider
) -> None:
    provider.person = {"email": ADMIN.upper(), "email_verified": False}
    sign_in(tab, team_app)
    expect(tab.get_by_text("This Recompose is read-only")).to_be_visible()
    sign_out(tab)
    provider.person["email_verified"] = True
    sign_in(tab, team_app)
    expect(tab.get_by_role("button", name="Build the index")).to_be_visible()
