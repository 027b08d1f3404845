"""Clients' connections: bodies that come slowly or never, answers in one piece, and a desk that stays silent."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import uvicorn

from selldesk.desk.commands import CloseAlert
from selldesk.kernel.clock import ManualClock
from selldesk.kernel.refusals import Refusal
from selldesk.link.client import DeskClient
from selldesk.store.store import StoreUnavailable
from selldesk.web.app import MarketApi
from selldesk.web.bodies import BodyReader
from selldesk.web.keyring import KeyRing
from selldesk.web.limits import RateLimits
from selldesk.web.routes import Call, Reply, RouteSpec
from tests.support import SandboxProcess

PATIENCE = 0.06
"""Seconds of real time; the production value is 30."""


def _receive(*chunks: bytes, then_hang: bool) -> Any:
    """ASGI's receive of a client that sends these chunks."""
    waiting = list(chunks)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        chunk = waiting.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": then_hang or bool(waiting)}

    return receive


SLOW = [
    # sent before it hangs   allowed   status
    ((), 10, 408),
    ((b"12345",), 10, 408),
    ((b"12345", b"1234567"), 10, 413),
]


@pytest.mark.parametrize(("chunks", "most", "status"), SLOW)
def test_a_body_that_never_ends_is_refused_in_time(chunks: tuple[bytes, ...], most: int, status: int) -> None:
    async def story() -> None:
        reader = BodyReader(PATIENCE)
        with pytest.raises(Refusal) as refused:
            async with asyncio.timeout(5):
                await reader.read(_receive(*chunks, then_hang=True), most)
        assert refused.value.status == status
        assert await reader.read(_receive(b"ab", b"cd", then_hang=False), most) == b"abcd"

    asyncio.run(story())


def test_a_reader_that_is_cancelled_by_others_is_not_answered_as_slow() -> None:
    async def story() -> None:
        task = asyncio.create_task(BodyReader(30).read(_receive(then_hang=True), 10))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())


def test_an_answer_comes_in_one_piece_and_100_continue_at_once(sandbox: SandboxProcess) -> None:
    host, port = urlsplit(sandbox.base_url).hostname, urlsplit(sandbox.base_url).port
    body = b'{"game_id": 730, "items": [{"market_hash_name": "x"}]}'
    head = f"POST /api/sell/match HTTP/1.1\r\nHost: x\r\nX-API-Key: {sandbox.shop.key}\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection((host, port), timeout=5) as client:
        client.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        answer = client.recv(65536)
        assert (answer[:15], answer[-1:]) == (b"HTTP/1.1 200 OK", b"}"), "head and body in one packet"
        client.sendall(b"no HTTP at all\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 400"), "what is closed at once is still said"


def test_a_desk_that_stays_silent_costs_its_callers_no_more_than_their_patience(tmp_path: Path) -> None:
    async def story() -> None:
        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        server = await asyncio.start_unix_server(deaf, path=tmp_path / "desk.sock")
        client = DeskClient(tmp_path / "desk.sock", lambda feed: None, PATIENCE)
        running = asyncio.create_task(client.run())
        await client.connected.wait()
        with pytest.raises(Refusal) as refused:
            async with asyncio.timeout(5):
                await client.ask(CloseAlert(operator="operator", alert_id="id", reason="reason"))
        assert refused.value.status == 503
        running.cancel()
        server.close()

    asyncio.run(story())


def test_a_store_that_is_away_is_told_as_such() -> None:
    """A read that finds no database: 503 with the envelope and a hint when to come back, like a write that finds none."""

    async def away(_: Call) -> Reply:
        raise StoreUnavailable("no server")

    route = RouteSpec("GET", "/away", away, "", (), None)
    api = MarketApi([route], KeyRing(None, ManualClock()), RateLimits(), ManualClock())  # type: ignore[arg-type]
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/away", "raw_path": b"/away", "query_string": b"", "headers": []}
    asyncio.run(api(scope, _receive(b"", then_hang=False), send))  # type: ignore[arg-type]
    head, body = sent
    assert head["status"] == 503
    assert b"retry-after" in dict(head["headers"])
    assert msgspec.json.decode(body["body"]) == {"success": False, "error": "Service unavailable", "code": "unavailable"}


# -- answers in parts --------------------------------------------------------------------------------------------------


class Parts:
    """Routes that answer part by part, behind the real HTTP server; `ended` says how each stream came to its end."""

    def __init__(self) -> None:
        self.ended: asyncio.Queue[str] = asyncio.Queue()

    def routes(self) -> list[RouteSpec]:
        kinds = {"three": self._three(), "endless": self._endless(), "broken": self._broken()}

        def of(stream: Callable[[], AsyncIterator[bytes]]) -> Callable[[Call], Awaitable[Reply]]:
            async def answer(_: Call) -> Reply:
                return Reply(stream=stream(), content_type="text/plain")

            return answer

        return [RouteSpec("GET", f"/{name}", of(stream), "", (), str) for name, stream in kinds.items()]

    def _three(self) -> Callable[[], AsyncIterator[bytes]]:
        async def stream() -> AsyncIterator[bytes]:
            for part in (b"one ", b"two ", b"three"):
                yield part
            await self.ended.put("whole")

        return stream

    def _endless(self) -> Callable[[], AsyncIterator[bytes]]:
        async def stream() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                await asyncio.Event().wait()
            finally:
                await self.ended.put("closed")

        return stream

    def _broken(self) -> Callable[[], AsyncIterator[bytes]]:
        async def stream() -> AsyncIterator[bytes]:
            yield b"first"
            raise RuntimeError("the store is gone")

        return stream


async def _asked(method: str, path: str, parts: Parts, until: bytes | None = None) -> bytes:
    """What a client reads: to the end of the connection, or until it has seen enough and hangs up."""
    app = MarketApi(parts.routes(), KeyRing(None, 0), RateLimits(), ManualClock())  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, port=0, http="httptools", loop="asyncio", log_level="critical", lifespan="off"))
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(5):
            while not server.started:
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            found = await (reader.read() if until is None else reader.readuntil(until))
            writer.close()
            if until is not None:
                assert await parts.ended.get() == "closed", "nobody reads: the stream is closed at once"
            return found
    finally:
        server.should_exit = True
        await running


@pytest.mark.parametrize(
    ("method", "path", "until", "ends"),
    [
        ("GET", "/three", None, b"4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"),
        ("HEAD", "/three", None, b"\r\n\r\n"),
        ("GET", "/endless", b"5\r\nfirst\r\n", b"5\r\nfirst\r\n"),
        ("GET", "/broken", None, b"5\r\nfirst\r\n"),  # no last chunk: whoever reads it knows that it is not whole
    ],
)
def test_an_answer_in_parts(method: str, path: str, until: bytes | None, ends: bytes) -> None:
    answer = asyncio.run(_asked(method, path, Parts(), until))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(ends)
    assert b"content-length" not in answer
