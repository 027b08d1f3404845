"""Clients' connections: bodies that come slowly or never, answers in one piece, and a desk that stays silent."""

import asyncio
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from selldesk.api.app import MarketApi
from selldesk.api.auth import KeyRing
from selldesk.api.bodies import BodyReader
from selldesk.api.limits import RateLimits
from selldesk.api.routes import Call, Reply, RouteSpec
from selldesk.desk.client import DeskClient
from selldesk.desk.commands import CloseAlert
from selldesk.kernel.clock import ManualClock
from selldesk.kernel.refusals import Refusal
from selldesk.store.store import StoreUnavailable
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
                await client.ask(CloseAlert("operator", "id", "reason"))
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
