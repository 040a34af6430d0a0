"""A chat model behind a real server on loopback, which answers well, badly, slowly, or not."""

import base64
import io
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from PIL import Image

from cir.encoders.compact.encoder import CompactEncoder
from cir.errors import RerankError, UsageError
from cir.rerank import chat
from cir.rerank.fusing import Outcome
from cir.rerank.protocol import Candidate, Judged
from cir.rerank.registry import load_reranker, names_folder
from cir.search import Query, SearchOptions, search
from cir.settings import Settings, load_settings
from cir.store import MilvusStore
from tests.cir.album import Album, CountingEncoder
from tests.drawn import content, draw_album, solid

KEY = "sk-not-to-be-shown"
CANDIDATES = [Candidate("a red one", content(solid("red"), "JPEG")), Candidate("blue"), Candidate()]


def picks(*told: tuple[int, float, str]) -> str:
    each = [{"candidate": number, "fit": fit, "why": why} for number, fit, why in told]
    return json.dumps({"picks": each})


def said(text: Any, **more: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}], **more}).encode()


@dataclass
class ChatServer:
    """What the server answers, and what it was asked."""

    url: str
    status: int = 200
    body: bytes = said(picks((2, 10, "It is\nblue."), (1, 5, "")), usage={"total_tokens": 1234})
    drip: float = 0.0
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append((self.path, dict(self.headers), question))
            self.send_response(state.status)
            if state.status in {301, 307}:
                self.send_header("Location", f"{state.url}/elsewhere")
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            for at in range(len(state.body) if state.drip else 0):
                try:
                    self.wfile.write(state.body[at : at + 1])
                    self.wfile.flush()
                except OSError:
                    return
                time.sleep(state.drip)
            if not state.drip:
                self.wfile.write(state.body)

        def log_message(self, *_: Any) -> None:
            """Nothing is told on the terminal."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    state = ChatServer(f"http://127.0.0.1:{listening.server_port}/v1")
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture
def settings(server: ChatServer) -> Settings:
    return replace(load_settings(), chat_url=server.url, chat_key=KEY)


def ask(settings: Settings) -> Judged:
    return load_reranker("openai:a/b", settings).judge("in blue", solid("red"), CANDIDATES)


def test_it_is_off_unless_it_is_set() -> None:
    with pytest.raises(UsageError, match=r"off.*CIR_CHAT_URL"):
        load_reranker("openai:a/b", load_settings())
    assert not names_folder("openai:a/b/c")


def test_a_good_answer_is_shares_reasons_and_tokens(server: ChatServer, settings: Settings) -> None:
    judged = ask(settings)
    shares = [1 / (1 + math.exp(-score)) for score in judged.scores]
    assert shares == pytest.approx([0.5, 1, 0], abs=1e-5)
    assert judged.reasons == {1: "It is blue."}
    assert judged.tokens == 1234
    ((path, headers, question),) = server.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert question["model"] == "a/b"
    parts = question["messages"][1]["content"]
    texts = [each["text"] for each in parts if each["type"] == "text"]
    assert any('"in blue"' in text for text in texts)
    assert texts[-3:] == ['Candidate 1: "a red one"', 'Candidate 2: "blue"', "Candidate 3"]
    pictures = [each["image_url"]["url"] for each in parts if each["type"] == "image_url"]
    first, second = (base64.b64decode(each.partition(",")[2]) for each in pictures)
    assert Image.open(io.BytesIO(first)).size == solid("red").size
    assert second == CANDIDATES[0].jpeg


@pytest.mark.parametrize(
    "text", ["```json\n{}\n```", "Here you are: {} I hope it helps.", "{}"], ids=len
)
def test_words_around_the_answer_do_no_harm(
    server: ChatServer, settings: Settings, text: str
) -> None:
    server.body = said(text.replace("{}", picks((1, 20, "x" * 1000))))
    judged = ask(settings)
    assert judged.scores[0] > 10 and len(judged.reasons[0]) == 300 and judged.tokens == 0


@pytest.mark.parametrize(
    "body",
    [
        said("I cannot help with that."),
        said('{"picks": 3}'),
        said(picks((4, 5, ""))),
        said(picks((0, 5, ""))),
        said('{"picks": [{"candidate": 1e999, "fit": 1}]}'),
        said('{"picks": [{"candidate": 1, "fit": NaN}]}'),
        said('{"picks": [3]}'),
        said("{" * 100_000 + "}"),
        said(None),
        said([{"type": "text"}]),
        b'{"choices": []}',
        b"[]",
        b"null",
        b"<html>nonsense</html>",
        b"\xff\xfe",
        b"",
    ],
    ids=lambda body: repr(body[:60]),
)
def test_nonsense_is_one_sentence(server: ChatServer, settings: Settings, body: bytes) -> None:
    server.body = body
    with pytest.raises(RerankError, match=r"answered with what is no (list of picks|JSON)\.") as it:
        ask(settings)
    assert KEY not in repr(it.value)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refuses the key"),
        (404, "knows no such model"),
        (429, "has been asked too much"),
        (500, "failed"),
    ],
)
def test_a_refusal_is_one_sentence_without_the_key(
    server: ChatServer, settings: Settings, status: int, words: str
) -> None:
    server.status, server.body = status, f'{{"error": "Wrong key {KEY}"}}'.encode()
    with pytest.raises(RerankError, match=rf"127\.0\.0\.1 {words}.*\({status}\)\.$") as raised:
        ask(settings)
    assert KEY not in str(raised.value)


def test_a_redirect_is_not_followed(server: ChatServer, settings: Settings) -> None:
    server.status = 307
    with pytest.raises(RerankError, match=r"failed \(307\)"):
        ask(settings)
    assert len(server.asked) == 1


def test_a_slow_answer_is_not_waited_for(
    server: ChatServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "SECONDS", 0.4)
    server.drip = 0.05  # each byte in time, the whole far from it
    began = time.monotonic()
    with pytest.raises(RerankError, match=r"did not answer within 0\.4 seconds"):
        ask(settings)
    assert time.monotonic() - began < 3


def test_an_endless_answer_is_cut(server: ChatServer, settings: Settings) -> None:
    server.body = b" " * (2**20 + 100)
    with pytest.raises(RerankError, match="more than a megabyte"):
        ask(settings)


def test_a_server_that_is_not_there_is_one_sentence(server: ChatServer) -> None:
    gone = replace(load_settings(), chat_url="http://127.0.0.1:9/v1", chat_key=KEY)
    with pytest.raises(RerankError, match=r"at 127\.0\.0\.1 cannot be reached"):
        ask(gone)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://", "http://me:word@host/v1"])
def test_what_is_no_address_is_told_without_its_password(url: str) -> None:
    with pytest.raises(UsageError, match="CIR_CHAT_URL is no address") as raised:
        ask(replace(load_settings(), chat_url=url))
    assert "word@" not in str(raised.value)


@pytest.mark.parametrize("key", ["a b", "k\n", "clé"])
def test_a_key_that_is_none_is_not_shown(key: str) -> None:
    with pytest.raises(UsageError, match="CIR_CHAT_KEY") as raised:
        ask(replace(load_settings(), chat_url="http://127.0.0.1:9/v1", chat_key=key))
    assert key not in str(raised.value)


@pytest.fixture(scope="module")
def album(
    local_store: MilvusStore, compact: CompactEncoder, tmp_path_factory: pytest.TempPathFactory
) -> Album:
    folder = draw_album(tmp_path_factory.mktemp("chat") / "album", kinds=1)
    album = Album(local_store, CountingEncoder(compact), folder, "chat")
    album.ingest()
    return album


def run_search(album: Album, settings: Settings, told: Callable[[Outcome], None]) -> list[Any]:
    options = SearchOptions(6, rerank="openai:a/b", rerank_weight=1)
    query = Query(solid("red"), "in blue")
    return search(album.index, album.encoder, query, options, settings=settings, on_rerank=told)


def test_a_search_shows_pictures_and_asks_once(
    server: ChatServer, settings: Settings, album: Album
) -> None:
    server.body = said(picks((6, 10, "The last one.")), usage={"total_tokens": 77})
    told: list[Outcome] = []
    hits = run_search(album, settings, told.append)
    assert (hits[0].reranked.rank, hits[0].reranked.reason) == (6, "The last one.")
    assert run_search(album, settings, told.append) == hits
    assert [each.tokens for each in told] == [77, 0] and len(server.asked) == 1
    assert any("77 tokens" in note for note in told[0].notes())
    parts = server.asked[0][2]["messages"][1]["content"]
    assert sum(each["type"] == "image_url" for each in parts) == 7


def test_where_it_fails_the_results_come_without_it(
    server: ChatServer, settings: Settings, album: Album
) -> None:
    server.status = 500
    told: list[Outcome] = []
    hits = run_search(album, settings, told.append)
    plain = search(album.index, album.encoder, Query(solid("red"), "in blue"), SearchOptions(6))
    assert hits == plain
    assert (
        "without the second stage. The chat server at 127.0.0.1 failed (500)."
        in (told[0].notes()[0])
    )
    server.status = 200
    run_search(album, settings, told.append)
    assert told[1].failure == ""  # a failure is not kept
