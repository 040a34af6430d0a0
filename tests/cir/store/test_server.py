"""What only a server can do: be away, refuse a token, and serve several processes at once."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cir.errors import StoreError, UsageError
from cir.store import IndexKind, MilvusStore, connection, image_id
from tests.cir.store.samples import DIM, row, unit
from tests.milvus_server import MilvusServer

SECRET = "hunter2-secret"


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("scheme", ["http", "https", "tcp"])
def test_a_server_that_is_away_is_named_without_secrets(tmp_path: Path, scheme: str) -> None:
    port = free_port()
    store = MilvusStore(
        f"{scheme}://me:{SECRET}@127.0.0.1:{port}", f"you:{SECRET}", data_dir=tmp_path
    )
    begun = time.monotonic()
    with pytest.raises(
        StoreError, match=f"{scheme}://127.0.0.1:{port} cannot be reached"
    ) as caught:
        store.list()
    assert time.monotonic() - begun < 11
    assert SECRET not in f"{caught.value} {caught.value.__cause__} {store!r} {store.place}"


def test_a_server_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        store = MilvusStore(f"http://127.0.0.1:{silent.getsockname()[1]}", data_dir=tmp_path)
        begun = time.monotonic()
        with pytest.raises(StoreError, match="did not answer in time"):
            store.list()
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize("uri", ["http://", "ftp://x", "http://h:99999", f"http://me:{SECRET}@h:x"])
def test_an_impossible_uri_is_refused_at_once(tmp_path: Path, uri: str) -> None:
    with pytest.raises(UsageError, match="CIR_MILVUS_URI") as caught:
        MilvusStore(uri, data_dir=tmp_path)
    assert SECRET not in str(caught.value) and caught.value.__cause__ is None


@pytest.mark.parametrize(
    "uri",
    [
        *(f"user:{SECRET}@host:19530", f"root:{SECRET}@host", f"{SECRET}@host:19530"),
        *(f"host:19530?token={SECRET}", f"localhost:19530/db?token={SECRET}", f"x?token={SECRET}"),
        *(f"//me:{SECRET}@host:19530", f"http:/me:{SECRET}@host", f"http:me:{SECRET}@host"),
        *("127.0.0.1:19530", "[::1]:19530", "milvus.example.org:443", f"h/?a=1&API_KEY={SECRET}"),
        *(f"{SECRET}@in01.zilliz.example:443/", f"user:{SECRET}@host/x:y"),
    ],
)
def test_an_address_without_a_scheme_is_no_file_and_never_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="without http://") as caught:
        MilvusStore(uri, data_dir=tmp_path).list()
    assert SECRET not in str(caught.value) and caught.value.__cause__ is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "uri",
    ["shop.db", "./a b.db", "/data/a:b@c.db", "C:/x/y.db", "C:\\x\\y.db", "me@home.db", "12:30.db"],
)
def test_paths_of_files_stay_paths(uri: str) -> None:
    assert not connection.is_server_uri(uri)


@pytest.mark.parametrize(
    "uri", [f"http://{SECRET}@127.0.0.1:PORT", f"http://127.0.0.1:PORT/db?token={SECRET}"]
)
def test_keys_in_an_address_stay_out_of_messages(tmp_path: Path, uri: str) -> None:
    store = MilvusStore(uri.replace("PORT", str(free_port())), data_dir=tmp_path)
    repeated = connection.ServerConnection(uri.replace("PORT", "1"), None)._without_secrets(uri)
    assert SECRET not in f"{store!r} {store.place} {repeated}"


def test_an_empty_uri_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="empty"):
        MilvusStore(" ", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("uri", "backend"),
    [
        ("http://localhost:19530", "Milvus server"),
        ("https://in01.api.gcp-us-west1.zillizcloud.com", "Zilliz Cloud"),
    ],
)
def test_backends_have_names(tmp_path: Path, uri: str, backend: str) -> None:
    store = MilvusStore(uri, data_dir=tmp_path)
    assert store.backend == backend and not store.is_lite and uri in store.place


def test_a_wrong_token_is_told_from_an_absent_server(tmp_path: Path, server: MilvusServer) -> None:
    assert MilvusStore(server.uri, server.token, data_dir=tmp_path).list("gallery") == []
    with_password = server.uri.replace("://", f"://{server.token}@")
    assert MilvusStore(with_password, data_dir=tmp_path).list("gallery") == []
    for token in (None, f"root:{SECRET}", SECRET):
        with pytest.raises(StoreError, match="refused the token") as caught:
            MilvusStore(server.uri, token, data_dir=tmp_path).list()
        assert SECRET not in f"{caught.value} {caught.value.__cause__}"


def test_processes_may_make_the_registry_at_once(tmp_path: Path, server: MilvusServer) -> None:
    """In a database of its own, so that there is no registry yet; one name, several makers."""
    from pymilvus import MilvusClient

    client = MilvusClient(server.uri, token=server.token or "")
    client.create_database("race")
    code = """
import sys
from pathlib import Path
from cir.errors import UsageError
from cir.store import MilvusStore, connection
store = MilvusStore(sys.argv[1], input(), data_dir=Path(sys.argv[2]))
facts = dict(encoder="e", fingerprint="f", precision="exact", dim=4)
store.create(sys.argv[3], **facts)
try:
    store.create("same", **facts)
    print("made")
except UsageError:
    print("taken")
"""
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", code, f"{server.uri}/race", tmp_path, f"index {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for number in range(2)
    ]
    for maker in makers:
        assert maker.stdin is not None
        print(server.token, file=maker.stdin, flush=True)
    results = [maker.communicate(timeout=60) for maker in makers]
    assert [maker.returncode for maker in makers] == [0, 0], results
    store = MilvusStore(f"{server.uri}/race", server.token, data_dir=tmp_path)
    names = [info.name for info in store.list()]
    assert names.count("same") == [output for output, _ in results].count("made\n") <= 1
    assert set(names) - {"same"} == {"index 0", "index 1"}


def test_what_another_process_wrote_is_seen_where_it_matters(
    tmp_path: Path, server: MilvusServer
) -> None:
    """Straight after the write, though this process has read the collection before."""
    store = MilvusStore(server.uri, server.token, data_dir=tmp_path)
    kinds: tuple[IndexKind, ...] = ("index", "gallery")
    for kind in kinds:
        store.create("both", kind=kind, encoder="e", fingerprint="f", dim=DIM)
    usual, gallery = (store.open("both", kind) for kind in kinds)
    code = """
import sys
from pathlib import Path
from cir.store import MilvusStore
from tests.cir.store.samples import row
store = MilvusStore(sys.argv[1], input(), data_dir=Path(sys.argv[2]))
indexes = [store.open("both", kind) for kind in ("index", "gallery")]
while name := input():
    for index in indexes:
        index.upsert([row(name)])
        index.update(state="ready", count=index.info.count + 1)
    print("written", flush=True)
"""
    writer = subprocess.Popen(
        [sys.executable, "-c", code, server.uri, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert writer.stdin is not None and writer.stdout is not None
    print(server.token, file=writer.stdin, flush=True)
    query = unit(1.0)[None]
    for number in range(1, 5):
        for index in (usual, gallery):  # caught up: whoever may miss something does so now
            index.count()
        store.list()
        print(f"{number}.jpg", file=writer.stdin, flush=True)
        assert writer.stdout.readline() == "written\n"
        match number:
            case 1:
                assert store.open("both", strong=True).info.count == number
                assert store.open("both", strong=True).count() == number
            case 2:
                assert len(list(usual.iterate())) == number
                assert len(usual.search_vectors(query.repeat(2, axis=0), 9)[0]) == number
            case 3:
                assert len(gallery.search_vectors(query, 9)[0]) == number
            case _:
                assert gallery.get([image_id(f"{number}.jpg")]) == [row(f"{number}.jpg").record]
    print(file=writer.stdin, flush=True)
    assert writer.wait(20) == 0
    deadline = time.monotonic() + 20
    while usual.count() < 4:  # the others follow in seconds
        assert time.monotonic() < deadline
    for kind in kinds:
        store.drop("both", kind)
