"""The bound on what sessions send, without a server around it."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit import runtime

from cir.indexing.uploads import MAX_BYTES
from pages.parts.shell.server import SESSION_BYTES, SESSION_FILES, UploadBound, all_bytes

TOTAL = 1000


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What Streamlit holds, by session."""
    kept: dict[str, dict[str, Any]] = {}
    instance = SimpleNamespace(uploaded_file_mgr=SimpleNamespace(file_storage=kept))
    monkeypatch.setattr(runtime, "get_instance", lambda: instance)
    return kept


def files(*sizes: int) -> dict[str, Any]:
    return {str(number): SimpleNamespace(data=range(size)) for number, size in enumerate(sizes)}


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it in a thread of its own: browser tests leave a running loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def send(
    bound: UploadBound,
    session: str,
    length: int | None,
    method: str = "PUT",
    path: str = "",
    more: tuple[tuple[bytes, bytes], ...] = (),
) -> int:
    """The status of one request; 204 is that of the app behind the bound."""
    answers: list[Any] = []

    async def answer(message: Any) -> None:
        answers.append(message)

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    headers += more
    path = path or f"/base/_stcore/upload_file/{session}/some-file"
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    await bound(scope, None, answer)  # type: ignore[arg-type]
    return int(answers[0]["status"])


async def taking(scope: Any, receive: Any, answer: Any) -> None:
    await asyncio.sleep(0.01)  # while a file is being sent
    await answer({"type": "http.response.start", "status": 204, "headers": []})


def test_a_session_and_all_sessions_have_a_bound(held: dict[str, dict[str, Any]]) -> None:
    async def tries() -> None:
        bound = UploadBound(taking, TOTAL)
        held["a"], held["b"] = files(300, 300), files(300)
        assert await send(bound, "a", 100) == 204
        assert await send(bound, "c", 101) == 507
        held.pop("b")
        assert await send(bound, "c", 101) == 204
        large = UploadBound(taking, 10 * SESSION_BYTES)
        held["a"] = files(SESSION_BYTES)
        assert await send(large, "a", MAX_BYTES) == 413
        assert await send(large, "b", MAX_BYTES) == 204
        held["b"] = files(*[1] * SESSION_FILES)
        assert await send(large, "b", 1) == 413

    run(tries())


def test_what_is_on_its_way_counts(held: dict[str, dict[str, Any]]) -> None:
    async def at_once() -> list[int]:
        bound = UploadBound(taking, TOTAL)
        first = await asyncio.gather(*(send(bound, f"s{number}", 300) for number in range(8)))
        return [*first, await send(bound, "later", 300)]

    assert sorted(run(at_once())) == [204] * 4 + [507] * 5


def test_a_file_has_a_length_and_other_requests_pass(held: dict[str, dict[str, Any]]) -> None:
    async def tries() -> None:
        bound = UploadBound(taking, TOTAL)
        assert await send(bound, "a", None) == 411
        pieces = ((b"transfer-encoding", b"chunked"),)
        assert await send(bound, "a", 1, more=pieces) == 411
        assert await send(bound, "a", 10**9, method="DELETE") == 204
        assert await send(bound, "a", 10**9, path="/_stcore/health") == 204

    run(tries())


def test_one_large_upload_fits_everywhere() -> None:
    assert MAX_BYTES < all_bytes() <= 2**30
