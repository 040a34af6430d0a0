"""A password in use stands nowhere: output, logs, runs, pages, the data folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.app import running_app, settle
from tests.cir.command_line import CommandLine
from tests.drawn import draw_album
from tests.milvus_server import milvus_server

pytestmark = pytest.mark.slow

PASSWORD = "Hunter2_secret"  # also a part of the name of a folder, would it be kept
WRONG = "Wr0ng_password"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server whose account root has the password."""
    from pymilvus import MilvusClient

    with milvus_server(authorize=True) as server:
        assert server.token is not None
        client = MilvusClient(server.uri, token=server.token)
        client.update_password("root", server.token.split(":")[1], PASSWORD)
        client.close()
        yield server.uri


@pytest.mark.parametrize("way", ["token", "address", "file"])
def test_a_password_in_use_stands_nowhere(
    browser: Browser, address: str, tmp_path: Path, way: str
) -> None:
    pictures = draw_album(tmp_path / "pictures", 2)
    labelled = tmp_path / "set"
    (labelled / "qrels").mkdir(parents=True)
    (labelled / "queries.jsonl").write_text('{"_id": "q", "image": "red.png", "text": "in blue"}\n')
    (labelled / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\tblue.png\t1\n")
    data = tmp_path / "data"
    host = address.removeprefix("http://")
    env = {
        "token": {"CIR_MILVUS_URI": address, "CIR_MILVUS_TOKEN": f"root:{PASSWORD}"},
        "address": {"CIR_MILVUS_URI": f"http://root:{PASSWORD}@{host}"},
        "file": {"CIR_MILVUS_URI": str(tmp_path / "lite.db"), "CIR_MILVUS_TOKEN": PASSWORD},
    }[way]
    cir, bench = CommandLine(data), CommandLine(data, "eval")
    name = f"album-{way}"
    said = []
    for command, arguments in [
        (cir, ("index", pictures, "--name", name)),
        (cir, ("index", pictures, "--name", name, "--json")),
        (cir, ("search", name, "--image", pictures / "red.png", "--text", "in blue", "--json")),
        (cir, ("search", "no such index", "--text", "in blue")),
        (cir, ("indexes",)),
        (cir, ("indexes", "--json")),
        (bench, ("run", "--set", labelled, "--gallery", pictures)),
        (bench, ("run", "--set", labelled, "--gallery", pictures, "--json")),
    ]:
        done = command.run(*arguments, **env)
        said.append(done.stdout + done.stderr)
    assert [each for each in said if "blue.png" in each], said
    assert any("There is no index" in each for each in said)
    for wrong in (
        {"CIR_MILVUS_URI": address, "CIR_MILVUS_TOKEN": f"root:{WRONG}"},
        {"CIR_MILVUS_URI": f"http://root:{WRONG}@{host}"},
        {"CIR_MILVUS_URI": f"root:{WRONG}@{host}"},
        {"CIR_MILVUS_URI": f"{host}?token={WRONG}"},
    ):
        done = cir.run("indexes", **wrong)
        assert done.returncode != 0
        said.append(done.stdout + done.stderr)
    with running_app(data, tmp_path / "app.log", env) as app:
        page = browser.new_page()
        for path in ("", "indexes", "metrics"):
            page.goto(f"{app}/{path}", timeout=60_000)
            page.get_by_role("heading", level=1).wait_for(timeout=60_000)
            settle(page)
            said.append(page.content() + page.url)
        page.close()
    assert all(name in each for each in said[-3:-1])
    shutil.rmtree(pictures)
    (tmp_path / "said").write_text("\n".join(said))
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "run.json" for path in kept)
    for secret in (PASSWORD, WRONG):
        assert [path for path in kept if secret.encode() in path.read_bytes()] == []
        assert [path for path in tmp_path.rglob("*") if secret in path.name] == []
