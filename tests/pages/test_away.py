"""A server that goes away while the dashboard is open: a state of the pages, not an error."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cir.encoders.registry import load_encoder
from cir.indexing import folder as indexing
from cir.jobs.background import JOBS
from cir.jobs.indexes import IndexJobs
from cir.settings import load_settings
from cir.store import connection, index_store
from pages.parts.shell.session import plain
from tests.drawn import draw_album
from tests.places import REPOSITORY
from tests.quick_server import quick_server
from tests.tcp_proxy import TcpProxy

SECONDS = 60
AWAY = "does not answer\\. Trying again\\."


@pytest.fixture
def server(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TcpProxy]:
    """The way to a server that holds the index "colours"."""
    monkeypatch.setattr(connection, "PATIENCE_SECONDS", 0.3)
    with quick_server() as proxy:
        monkeypatch.setenv("CIR_MILVUS_URI", proxy.uri)
        folder = draw_album(tmp_path / "album", kinds=1)
        indexing.ingest(index_store(load_settings()), folder, "colours", load_encoder("compact"))
        yield proxy


def said(app: AppTest) -> list[str]:
    assert not app.exception
    assert not app.error
    return [each.value for each in app.info if AWAY in each.value]


def test_a_search_goes_on_when_the_server_is_back(server: TcpProxy) -> None:
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS).run()
    assert said(app) == []
    server.cut()
    app.chat_input[0].set_value("a red one").run()
    (state,) = said(app)
    assert plain(server.uri) in state
    server.restore()
    app.run()
    assert said(app) == []
    assert any("red\\.png" in each.value for each in app.markdown)


def test_a_job_that_waits_is_shown_while_the_server_is_away(
    server: TcpProxy, tmp_path: Path
) -> None:
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS).run()
    settings = load_settings()
    store = index_store(settings)
    encoder = load_encoder("compact")

    def cut(choice: object) -> object:
        server.cut()
        return encoder

    draw_album(tmp_path / "album", kinds=2)
    info = store.open("colours").info
    job = IndexJobs(settings, store, local=True, load=cut).update(info)  # type: ignore[arg-type]
    while job.running and not (job.progress and job.progress.waiting):
        time.sleep(0.01)
    app.switch_page("pages/indexes.py").run()
    assert len(said(app)) == 1
    assert "Cancel" in [each.label for each in app.button]
    server.restore()
    job.wait(SECONDS)
    assert (job.state, job.result.report.added) == ("done", 6)
    app.run()
    assert said(app) == []
    assert any("6 added" in each.value for each in app.success)


def test_runs_are_shown_while_the_server_is_away(server: TcpProxy) -> None:
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS).run()
    server.cut()
    app.switch_page("pages/metrics.py").run()
    assert len(said(app)) == 1
    assert "New run" in [each.label for each in app.expander]
    assert not JOBS.all()
