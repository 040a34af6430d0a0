"""Pictures from web addresses that strangers type: public hosts only, in bounded time and size.

A server that fetches what it is told can be made to ask machines that only it can reach. So a name
is resolved once, every address that it has is checked, and the connection goes to the very address
that was checked; each redirect goes the same way. No proxy of the environment is asked.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import PurePosixPath
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from cir.errors import ImageError, UsageError

SECONDS = 10.0
MAX_BYTES = 20 * 2**20
MAX_REDIRECTS = 5
PORTS = frozenset({80, 443, 8080, 8443})
_TRIES = 4
_CHUNK = 64 * 2**10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Addresses of the one kind that hold such of the other: what is behind them cannot be seen.
_TRANSLATED = tuple(
    map(
        ipaddress.ip_network,
        (
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2002::/16",
            "2001::/32",
            "::/96",
            "::ffff:0:0:0/96",
            "fec0::/10",  # site-local, which Python takes for global
        ),
    )
)
_OF_CLOUDS = {"168.63.129.16"}
"""Public by its number, but what a cloud's own machines are told from it is not (Azure)."""

MayReach = Callable[[str, int], bool]
"""Whether an IP address may be connected to at a port."""
Resolve = Callable[[str, int], list[str]]
"""The IP addresses of a host."""


def is_public(address: str, port: int) -> bool:
    """Whether an IP address is one of the open internet, and the port one of the web's."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # with a zone, such as fe80::1%eth0
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped), port)
        if any(ip in network for network in _TRANSLATED):
            return False
    public = ip.is_global and not ip.is_multicast and str(ip) not in _OF_CLOUDS
    return public and port in PORTS


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host, as the system knows them.

    Raises:
        UsageError: there is no such host.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"There is no host {host}. Check the address.") from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True)
class Fetcher:
    """Fetches pictures.

    Attributes:
        may_reach: says which addresses may be connected to.
        resolve: finds the addresses of a host; asked once for each hop.
        seconds: for all of a picture: redirects, connecting and reading.
        most_bytes: of a picture.
    """

    may_reach: MayReach = is_public
    resolve: Resolve = resolve
    seconds: float = SECONDS
    most_bytes: int = MAX_BYTES

    def fetch(self, url: str) -> tuple[str, bytes]:
        """The name and the content of the picture at a web address.

        Raises:
            UsageError: the address is none of the web, leads to no public host, or does not answer.
            ImageError: what is there is no picture, or too large.
        """
        end = time.monotonic() + self.seconds
        for _ in range(MAX_REDIRECTS + 1):
            parts = _parts(url)
            with self._answer(parts, end) as response:
                if response.status in _REDIRECTS and response.getheader("Location"):
                    url = urljoin(url, str(response.getheader("Location")))
                    continue
                return _name(parts), self._picture(response, parts, end)
        raise UsageError(f"The address is passed on more than {MAX_REDIRECTS} times.")

    def _resolved(self, host: str, port: int, end: float) -> list[str]:
        """The addresses of a host; the system's own patience is longer than ours."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="resolve")
        try:
            return pool.submit(self.resolve, host, port).result(max(0, end - time.monotonic()))
        except TimeoutError as error:
            raise UsageError(f"{host} is not found in time. Save the picture and paste it.") from (
                error
            )
        finally:
            pool.shutdown(wait=False)

    @contextmanager
    def _answer(self, parts: SplitResult, end: float) -> Iterator[HTTPResponse]:
        host, port = str(parts.hostname), _port(parts)
        addresses = self._resolved(host, port, end)
        if not addresses or not all(self.may_reach(each, port) for each in addresses):
            raise UsageError(f"{host} is no public host: pictures are fetched only from the web.")
        try:
            opened = _connect(addresses[:_TRIES], port, end)
        except OSError as error:
            raise UsageError(f"{host} does not answer. Save the picture and paste it.") from error
        with opened, _closed_at(opened, end):
            try:
                link = _wrapped(opened, host) if parts.scheme == "https" else opened
                connection = HTTPConnection(host, port)
                connection.sock = link
                connection.request("GET", _target(parts), headers=_headers())
                yield connection.getresponse()
            except (OSError, HTTPException, ValueError) as error:
                raise UsageError(
                    f"{host} does not answer in time, or not as the web does. Save the picture and "
                    "paste it."
                ) from error

    def _picture(self, response: HTTPResponse, parts: SplitResult, end: float) -> bytes:
        host = parts.hostname
        if response.status != 200:
            raise UsageError(f"{host} has no picture there: it answers {response.status}.")
        kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        if not kind.startswith("image/"):
            raise ImageError(
                f"What {host} has there is no picture but {kind[:40] or 'of no kind'}. Give the "
                "address of the picture itself."
            )
        content = bytearray()
        while chunk := response.read1(_CHUNK):
            content += chunk
            if len(content) > self.most_bytes:
                raise ImageError(f"The picture is larger than {self.most_bytes // 2**20} MB.")
        if response.length or time.monotonic() >= end:  # cut off, the answer ends like any other
            raise ConnectionError("the answer ends early")
        return bytes(content)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or " "
        known = parts.scheme in {"http", "https"} and " " not in host and parts.username is None
        _port(parts)
    except ValueError:
        known = False
    if not known or not url.strip().isprintable():
        raise UsageError("This is no address of the web that begins with http:// or https://.")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return path + (f"?{quote(parts.query, safe='/%:@!$&()*+,;=?~-._')}" if parts.query else "")


def _headers() -> dict[str, str]:
    return {
        "Accept": "image/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "User-Agent": "Recompose",
    }


def _name(parts: SplitResult) -> str:
    return unquote(PurePosixPath(parts.path).name)[:100] or str(parts.hostname)


def _connect(addresses: list[str], port: int, end: float) -> socket.socket:
    """A connection to the first of these addresses that takes one."""
    failed: OSError | None = None
    for address in addresses:
        left = end - time.monotonic()
        if left <= 0:
            break
        try:
            return socket.create_connection((address, port), timeout=left)
        except OSError as error:
            failed = error
    raise failed or TimeoutError()


def _wrapped(opened: socket.socket, host: str) -> socket.socket:
    return ssl.create_default_context().wrap_socket(opened, server_hostname=host)


@contextmanager
def _closed_at(opened: socket.socket, end: float) -> Iterator[None]:
    """Cut the connection when the time is over: one that drips never runs into a time limit."""
    # A copy: wrapping it for TLS leaves the socket without its connection.
    copy = opened.dup()

    def cut() -> None:
        with suppress(OSError):
            copy.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(max(0.0, end - time.monotonic()), cut)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        copy.close()
