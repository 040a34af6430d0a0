"""The tutorial's photos, from a server on loopback."""

import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from cir.encoders.registry import load_encoder
from cir.errors import RecomposeError
from cir.progress import Progress
from cir.sample import tutorial
from cir.sample.building import TUTORIAL_NAME, build_tutorial
from cir.settings import load_settings
from cir.store import index_store


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[bytes], str]]:
    """A function that offers an archive and gives its address."""
    root = tmp_path / "www"
    root.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def offer(content: bytes) -> str:
        (root / "archive.tar.gz").write_bytes(content)
        return f"http://127.0.0.1:{server.server_address[1]}/archive.tar.gz"

    yield offer
    server.shutdown()
    server.server_close()


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "orange").save(buffer, "JPEG")
    return buffer.getvalue()


def archive(*members: tuple[str, bytes], link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as content:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            content.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo("images_folder/link.jpg")
            info.type, info.linkname = tarfile.SYMTYPE, link
            content.addfile(info)
    return buffer.getvalue()


def test_the_photos_become_an_index(serve: Callable[[bytes], str], tmp_path: Path) -> None:
    content = archive(
        ("images_folder/images/a.jpg", picture()),
        ("images_folder/leopard.jpg", picture()),
        ("images_folder/notes.txt", b"no image"),
        ("../outside.jpg", picture()),
        link="/etc/passwd",
    )
    settings = load_settings(data_dir=tmp_path / "data", secrets_file=tmp_path / "none")
    store = index_store(settings)
    seen: list[Progress] = []
    address = serve(content)
    report = build_tutorial(store, settings, load_encoder("compact"), seen.append, url=address)
    assert report.added == 2
    assert {record.path for record in store.open(TUTORIAL_NAME).iterate()} == {
        "images_folder/images/a.jpg",
        "images_folder/leopard.jpg",
    }
    assert seen[0].stage.startswith("Fetching")
    assert not (tmp_path / "outside.jpg").exists()
    store.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not an archive", "cannot be unpacked"),
        (archive(("a.txt", b"x")), "no images"),
        (archive(("a.jpg", picture()))[:-40], "cannot be unpacked"),
    ],
)
def test_a_bad_archive_is_one_sentence_and_leaves_nothing(
    content: bytes, message: str, serve: Callable[[bytes], str], tmp_path: Path
) -> None:
    with pytest.raises(RecomposeError, match=message):
        tutorial.fetch_tutorial(tmp_path / "photos", url=serve(content))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["www"]


def test_more_than_the_limit_is_refused(
    serve: Callable[[bytes], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tutorial, "MAX_UNPACKED", 100)
    with pytest.raises(RecomposeError, match="more than"):
        tutorial.fetch_tutorial(tmp_path / "photos", url=serve(archive(("a.jpg", picture()))))
    monkeypatch.setattr(tutorial, "MAX_DOWNLOAD", 100)
    with pytest.raises(RecomposeError, match="larger than"):
        tutorial.fetch_tutorial(tmp_path / "photos", url=serve(archive(("a.jpg", picture()))))


def test_no_network_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(RecomposeError, match="python -m cir sample"):
        tutorial.fetch_tutorial(tmp_path / "photos", url="http://127.0.0.1:9/x.tar.gz")
