"""Pictures from web addresses: what is fetched, and what a stranger cannot make this server do."""

import io
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
from PIL import Image

from cir.errors import ImageError, RecomposeError, UsageError
from cir.fetching import Fetcher, is_public

HERE = "127.0.0.1"


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return buffer.getvalue()


class Site(BaseHTTPRequestHandler):
    """What stands under each path."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        where, _, target = self.path.partition("?")
        with suppress(OSError):  # who asked has gone
            match where:
                case "/a%20dress.png":
                    self.answer(200, "image/png", png())
                case "/page":
                    self.answer(200, "text/html", b"<p>a page</p>")
                case "/gone":
                    self.answer(404, "image/png", b"")
                case "/to":
                    self.send_response(302)
                    self.send_header("Location", target)
                    self.end_headers()
                case "/loop":
                    self.send_response(302)
                    self.send_header("Location", "/loop")
                    self.end_headers()
                case "/huge":
                    self.send_response(200)
                    self.send_header("Content-Type", "image/png")
                    self.end_headers()
                    for _ in range(200):
                        self.wfile.write(bytes(64 * 2**10))
                case "/short":
                    self.send_response(200)
                    self.send_header("Content-Type", "image/png")
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    self.wfile.write(b"few")
                case "/drip":
                    self.send_response(200)
                    self.send_header("Content-Type", "image/png")
                    self.end_headers()
                    for _ in range(100):
                        self.wfile.write(b"x")
                        time.sleep(0.1)
                case "/slow-head":
                    for letter in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100:
                        self.wfile.write(bytes([letter]))
                        time.sleep(0.1)

    def answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[ThreadingHTTPServer]:
    Site.asked = []
    server = ThreadingHTTPServer((HERE, 0), Site)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def fetcher(site: ThreadingHTTPServer, **more: float) -> Fetcher:
    """One for which this server is the one public host, under the name public.test."""
    names = {"public.test": [HERE], HERE: [HERE]}
    return Fetcher(
        may_reach=lambda address, port: (address, port) == (HERE, site.server_port),
        resolve=lambda host, port: names.get(host, [host]),
        **{"seconds": 2.0, **more},  # type: ignore[arg-type]
    )


def url(site: ThreadingHTTPServer, path: str) -> str:
    return f"http://public.test:{site.server_port}{path}"


def test_a_picture_comes_with_its_name(site: ThreadingHTTPServer) -> None:
    assert fetcher(site).fetch(url(site, "/a dress.png")) == ("a dress.png", png())


def test_a_redirect_is_followed(site: ThreadingHTTPServer) -> None:
    assert fetcher(site).fetch(url(site, "/to?/a%20dress.png"))[1] == png()
    assert fetcher(site).fetch(url(site, f"/to?{url(site, '/a%20dress.png')}"))[1] == png()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "fec0::1",
        "::ffff:0:7f00:1",
        "168.63.129.16",
    ],
)
def test_what_only_this_server_can_reach_is_not_public(address: str) -> None:
    assert not is_public(address, 80)


def test_public_hosts_are_reached_at_ports_of_the_web() -> None:
    assert is_public("93.184.216.34", 443)
    assert is_public("2606:2800:220:1:248:1893:25c8:1946", 80)
    assert is_public("::ffff:93.184.216.34", 80)
    assert not is_public("93.184.216.34", 22)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "localhost"]
)
def test_the_shipped_fetcher_does_not_reach_this_machine(
    site: ThreadingHTTPServer, host: str
) -> None:
    with pytest.raises(UsageError, match="no public host"):
        Fetcher(seconds=2).fetch(f"http://{host}:{site.server_port}/a%20dress.png")
    assert Site.asked == []


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.2/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "file:///etc/passwd",
        "ftp://public.test/",
        "//127.0.0.2/",
    ],
)
def test_a_redirect_to_elsewhere_is_not_followed(site: ThreadingHTTPServer, target: str) -> None:
    with pytest.raises(UsageError, match=r"no public host|no address of the web"):
        fetcher(site).fetch(url(site, f"/to?{target}"))
    assert len(Site.asked) == 1


def test_redirects_come_to_an_end(site: ThreadingHTTPServer) -> None:
    with pytest.raises(UsageError, match="passed on more than 5 times"):
        fetcher(site).fetch(url(site, "/loop"))


def test_a_name_is_resolved_once_and_that_very_address_is_connected_to(
    site: ThreadingHTTPServer,
) -> None:
    answers = iter([[HERE], ["127.0.0.2"]])
    checked: list[str] = []

    def may_reach(address: str, _port: int) -> bool:
        checked.append(address)
        return address == HERE

    rebinding = Fetcher(may_reach, lambda _host, _port: next(answers), seconds=2)
    assert rebinding.fetch(url(site, "/a%20dress.png"))[1] == png()
    assert checked == [HERE]
    with pytest.raises(UsageError, match="no public host"):
        rebinding.fetch(url(site, "/a%20dress.png"))
    assert len(Site.asked) == 1


def test_one_address_that_is_not_public_is_enough_to_refuse(site: ThreadingHTTPServer) -> None:
    mixed = Fetcher(lambda address, _: address == HERE, lambda *_: [HERE, "127.0.0.2"], seconds=2)
    with pytest.raises(UsageError, match="no public host"):
        mixed.fetch(url(site, "/a%20dress.png"))
    assert Site.asked == []


def test_a_name_that_is_long_in_being_found_is_cut_off() -> None:
    found = Event()
    slow = Fetcher(resolve=lambda *_: [str(found.wait(5))], seconds=0.2)
    start = time.monotonic()
    with pytest.raises(UsageError, match="not found in time"):
        slow.fetch("http://example.com/a.png")
    assert time.monotonic() - start < 2
    found.set()


@pytest.mark.parametrize("path", ["/drip", "/slow-head"])
def test_what_drips_is_cut_off(site: ThreadingHTTPServer, path: str) -> None:
    start = time.monotonic()
    with pytest.raises(RecomposeError):
        fetcher(site, seconds=0.5).fetch(url(site, path))
    assert time.monotonic() - start < 2


def test_what_is_too_large_is_not_read_to_its_end(site: ThreadingHTTPServer) -> None:
    with pytest.raises(ImageError, match="larger than 1 MB"):
        fetcher(site, most_bytes=2**20).fetch(url(site, "/huge"))


@pytest.mark.parametrize(
    ("path", "said"),
    [("/page", "text/html"), ("/gone", "404"), ("/short", "does not answer")],
)
def test_what_is_no_picture_is_one_sentence(
    site: ThreadingHTTPServer, path: str, said: str
) -> None:
    with pytest.raises(RecomposeError, match=said):
        fetcher(site).fetch(url(site, path))


@pytest.mark.parametrize(
    "address",
    ["", "shirt.jpg", "file:///etc/passwd", "http://", "http://a:b@public.test/", "http://a b/",
     "http://public.test:99999/", "http://[::1/"],
)  # fmt: skip
def test_what_is_no_address_of_the_web_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="no address of the web"):
        Fetcher().fetch(address)


def test_nobody_listens(site: ThreadingHTTPServer) -> None:
    shut = Fetcher(lambda *_: True, lambda *_: [HERE], seconds=2)
    with pytest.raises(UsageError, match="does not answer"):
        shut.fetch("http://public.test:1/")
