"""A hub of checkpoints on loopback: as much of the Hugging Face hub's as its client asks for."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)")
_REVISION = re.compile(r"/api/models/([^/]+/[^/]+?)(?:/revision/[^/]+)?")
_TREE = re.compile(r"/api/models/([^/]+/[^/]+)/tree/[^/]+")


@dataclass
class Hub:
    """Repositories of files, and what was asked for.

    Attributes:
        files: repository -> file name -> content.
        breaks: file name -> bytes after which the next answer breaks off.
        licences: repository -> what its card states.
        gated: repositories that let in only whom their owner knows.
        asked: method, path and Range header of each request.
        sent: file name -> bytes of all answers.
    """

    files: dict[str, dict[str, bytes]]
    breaks: dict[str, int] = field(default_factory=dict)
    licences: dict[str, str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    address: str = ""

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """Variables for a process that uses this hub, with its cache below `home`."""
        own = {"HF_ENDPOINT": self.address, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
        return own | more

    def fetched(self) -> list[str]:
        """Names of the files that were sent, whole or in part, in order."""
        found = [_RESOLVE.fullmatch(path) for method, path, _ in self.asked if method == "GET"]
        return [each[2] for each in found if each]

    def ranges(self, file: str) -> list[str | None]:
        """The Range headers of the requests for a file."""
        return [
            asked for method, path, asked in self.asked if method == "GET" and path.endswith(file)
        ]


@contextmanager
def running_hub(files: Mapping[str, Mapping[str, bytes]]) -> Iterator[Hub]:
    """The hub while the `with` statement lasts."""
    hub = Hub({repository: dict(held) for repository, held in files.items()})

    class Handler(_Handler):
        shown = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    shown: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.shown.asked.append((self.command, path, self.headers.get("Range")))
        file, revision, tree = (each.fullmatch(path) for each in (_RESOLVE, _REVISION, _TREE))
        met = file or revision or tree
        if met and met[1] in self.shown.gated:
            self._missing("GatedRepo", 403)
        elif file:
            self._file(self.shown.files.get(file[1], {}).get(file[2]), file[2])
        elif revision and revision[1] in self.shown.files:
            held = self.shown.files[revision[1]]
            names = [{"rfilename": name, "size": len(data)} for name, data in held.items()]
            card = {"license": self.shown.licences.get(revision[1])}
            self._json({"id": revision[1], "sha": COMMIT, "siblings": names, "cardData": card})
        elif tree and tree[1] in self.shown.files:
            held = self.shown.files[tree[1]]
            self._json(
                [
                    {"type": "file", "path": name, "size": len(data), "oid": _digest(data)}
                    for name, data in held.items()
                ]
            )
        else:
            self._missing("RepoNotFound")

    def _missing(self, code: str, status: int = 404) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, document: Any) -> None:
        self._body(json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _file(self, data: bytes | None, name: str) -> None:
        if data is None:
            self._missing("EntryNotFound")
            return
        headers = {"ETag": f'"{_digest(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(asked[1]) if asked else 0
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        part = data[start:]
        end = self.shown.breaks.pop(name, None) if self.command == "GET" else None
        self._body(part, headers, 206 if asked else 200, end, name)

    def _body(
        self,
        data: bytes,
        headers: Mapping[str, str],
        status: int = 200,
        end: int | None = None,
        name: str = "",
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        for start in range(0, len(data[:end]), 2**16):
            try:
                self.wfile.write(data[:end][start : start + 2**16])
            except OSError:  # whoever asked has gone
                self.close_connection = True
                return
            sent = len(data[:end][start : start + 2**16])
            self.shown.sent[name] = self.shown.sent.get(name, 0) + sent
        if end is not None:
            self.close_connection = True


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:40]
