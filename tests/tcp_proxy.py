"""A forwarding proxy before a server: cuts its connections and lets them through again, at once."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class TcpProxy:
    """Forwards a free port of loopback to an address, while it is not cut."""

    def __init__(self, target: tuple[str, int] | str) -> None:
        """`target`: host and port, or the path of a Unix socket."""
        self._target = target
        self._links: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.port = 0
        self.restore()

    @property
    def uri(self) -> str:
        """The address of a Milvus behind it."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """End every connection; new ones are refused."""
        with self._lock:
            listener, self._listener = self._listener, None
            links, self._links = self._links, set()
        for each in [*links, *([listener] if listener else [])]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def restore(self) -> None:
        """Take connections at the same port again."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = int(listener.getsockname()[1])
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            try:
                other = self._dial()
            except OSError:
                one.close()
                continue
            with self._lock:
                cut = self._listener is not listener
                self._links |= {one, other}
            if cut:
                self.cut()
                return
            for source, target in ((one, other), (other, one)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _dial(self) -> socket.socket:
        if isinstance(self._target, str):
            link = socket.socket(socket.AF_UNIX)
            link.connect(self._target)
            return link
        return socket.create_connection(self._target)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def tcp_proxy(target: tuple[str, int] | str) -> Iterator[TcpProxy]:
    """A proxy before an address, cut at the end."""
    proxy = TcpProxy(target)
    try:
        yield proxy
    finally:
        proxy.cut()
