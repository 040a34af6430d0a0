"""A client of the app's websocket that is no browser: it sends what it likes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket
from ssl import SSLContext
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

SECONDS = 60.0


class Stranger:
    """One session, as a websocket sees it.

    Attributes:
        session_id: what the server calls the session.
        elements: the elements that the server has sent, of all runs of the script.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.session_id = ""
        self.elements: list[Any] = []

    def run(self, *states: WidgetState, page: str = "", query: str = "") -> None:
        """Run the script with these states of widgets, at an address with this query string.

        Returns when it has ended.
        """
        self.elements.clear()
        state = ClientState(page_name=page, query_string=query)
        state.widget_states.widgets.extend(states)
        self.send(BackMsg(rerun_script=state))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            message = ForwardMsg.FromString(self._receive(end))
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.session_id = message.new_session.initialize.session_id
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                self.elements.append(message.delta.new_element)
            elif kind == "script_finished" and message.script_finished != 2:  # 2: it begins anew
                return
        raise TimeoutError("the script did not end")

    def send(self, message: BackMsg) -> None:
        """Send a message, and wait for nothing."""
        self._connection.send(message.SerializeToString())

    def clear_caches(self) -> None:
        """Empty the caches of the server, as anybody may."""
        self.send(BackMsg(clear_cache=True))

    def widget(self, kind: str, label: str) -> Any:
        """The widget of this kind, as `text_input`, and label."""
        kept = [getattr(each, kind) for each in self.elements if each.WhichOneof("type") == kind]
        return next(each for each in kept if each.label == label)

    def texts(self) -> list[str]:
        """What stands on the page as text, errors included."""
        kinds = {"markdown", "alert", "heading"}
        shown = [(each.WhichOneof("type"), each) for each in self.elements]
        return [getattr(each, kind).body for kind, each in shown if kind in kinds]

    def pictures(self) -> list[str]:
        """What the pictures on the page are called, in their order."""
        shown = [each.imgs.imgs for each in self.elements if each.WhichOneof("type") == "imgs"]
        return [picture.alt for pictures in shown for picture in pictures]

    def _receive(self, end: float) -> bytes:
        data = self._connection.recv(timeout=max(end - time.monotonic(), 0.1))
        assert isinstance(data, bytes)
        return data


@contextmanager
def stranger(
    address: str,
    headers: dict[str, str] | None = None,
    *,
    trusting: SSLContext | None = None,
    connection: socket | None = None,
) -> Iterator[Stranger]:
    """A new session of the app at this `http://` or `https://` address.

    `connection` leads there, where the name in the address does not.
    """
    uri = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
    protocols = [Subprotocol("streamlit")]
    with connect(
        uri,
        sock=connection,
        subprotocols=protocols,
        additional_headers=headers,
        max_size=None,
        ssl=trusting,
    ) as websocket:
        yield Stranger(websocket)
