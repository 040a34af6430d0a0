"""What a stranger may do over the websocket of a public host, without a browser."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from streamlit.proto.WidgetStates_pb2 import WidgetState

from cir.access import FREE_TRIES
from cir.indexing.uploads import MAX_BYTES
from pages.parts.shell.server import SESSION_BYTES
from tests.browser.app import running_app
from tests.browser.stranger import Stranger, stranger

PASSWORD = "sesame"


@pytest.fixture
def locked_app(data_dir: Path, tmp_path: Path) -> Iterator[str]:
    """A server with an admin password."""
    with running_app(data_dir, tmp_path / "log", {"CIR_ADMIN_PASSWORD": PASSWORD}) as address:
        yield address


def unlock(session: Stranger, attempt: str) -> str:
    """Type a password; gives what the sidebar says: an error, or "" where it has opened."""
    session.run()
    field = session.widget("text_input", "Admin password")
    button = session.widget("button", "Unlock")
    session.run(
        WidgetState(id=field.id, string_value=attempt),
        WidgetState(id=button.id, trigger_value=True),
    )
    said = [text for text in session.texts() if "password" in text]
    return said[0] if said else ""


def test_emptied_caches_and_new_sessions_give_no_new_tries(locked_app: str) -> None:
    for _ in range(FREE_TRIES):
        with stranger(locked_app) as session:
            assert unlock(session, "wrong").startswith("This is not the password")
            session.clear_caches()
    with stranger(locked_app) as session:
        assert "not looked at" in unlock(session, "wrong")
        session.clear_caches()
        assert "not looked at" in unlock(session, PASSWORD)


def test_the_owner_comes_in_while_a_stranger_tries_from_elsewhere(locked_app: str) -> None:
    # As a proxy on this machine forwards it: the server takes that header from no other machine.
    elsewhere = {"X-Forwarded-For": "203.0.113.7"}
    with stranger(locked_app, elsewhere) as session:
        for _ in range(FREE_TRIES):
            assert unlock(session, "wrong").startswith("This is not the password")
        assert "not looked at" in unlock(session, PASSWORD)
    with stranger(locked_app) as session:
        assert unlock(session, PASSWORD) == ""
        session.widget("button", "Lock")


def put(address: str, session: Stranger, content: bytes, *, certificate: str = "") -> int:
    """Send a file to a session as the page does, whoever asked for it; gives the status.

    `certificate` is the file of one that is trusted.
    """
    verify = certificate or True
    with requests.Session() as client:
        client.get(f"{address}/_stcore/health", verify=verify, timeout=30)
        token = client.cookies.get("_streamlit_xsrf", "")
        return client.put(
            f"{address}/_stcore/upload_file/{session.session_id}/{uuid.uuid4()}",
            files={"file": ("a.zip", content, "application/zip")},
            verify=verify,
            headers={"X-Xsrftoken": token or ""},
            timeout=60,
            stream=True,  # a refusal comes before all is sent, and its end may be lost
        ).status_code


def test_the_server_takes_what_the_widget_says_and_no_more(app: str) -> None:
    content = bytes(MAX_BYTES)
    with stranger(app) as session:
        session.run()
        assert put(app, session, content) == 204
        assert put(app, session, content + bytes(2**20)) == 413


def test_files_that_no_widget_asked_for_fill_a_bounded_memory(app: str) -> None:
    content = bytes(95 * 2**20)
    with stranger(app) as session:
        session.run()
        answers = [put(app, session, content) for _ in range(8)]
        assert answers[0] == 204
        assert set(answers) <= {204, 413, 507}
        assert answers.count(204) * len(content) <= SESSION_BYTES
        session.run()  # it goes on as if nothing had been
    with stranger(app) as session:
        session.run()
        assert put(app, session, content) == 204, "what the other held is gone with it"
