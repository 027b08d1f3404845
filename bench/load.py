"""A load client in a process of its own: keeps connections busy with prepared requests (closed loop), or sends them at a given
rate whatever comes back (open loop). Input: JSON on standard input; output: latencies as JSON.

Connections are bare protocols, so that the client takes as little as it can of a processor that it shares with what it measures.
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

Answered = Callable[["Connection", int], None]


class Connection(asyncio.Protocol):
    """One keep-alive connection that speaks just enough HTTP/1.1. `answered(connection, status)` may ask again at once."""

    def __init__(self, answered: Answered, lost: Callable[[], None]) -> None:
        self._answered = answered
        self._lost = lost
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost()

    def ask(self, request: bytes, began: float) -> None:
        assert self._transport is not None
        self.began = began
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._received.find(b"content-length: ", 0, head)
        length = int(self._received[at + 16 : self._received.index(b"\r\n", at)]) if at >= 0 else 0
        if len(self._received) < head + 4 + length:
            return
        status = int(self._received[9:12])
        self._received = b""
        self._answered(self, status)


class Load:
    """What came of it."""

    def __init__(self, requests: list[bytes]) -> None:
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self._requests = requests
        self._position = 0
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def closed(self, port: int, connections: int, seconds: float, once: bool) -> float:
        """Each connection asks as soon as it was answered. A list that runs out starts again, or ends the run if each may go `once`.
        How long it took, in seconds."""
        busy = connections
        until = 0.0

        def answered(connection: Connection, status: int) -> None:
            nonlocal busy
            self._count(status, connection.began)
            if time.perf_counter() < until and not (once and self._position >= len(self._requests)):
                connection.ask(self._next(), time.perf_counter())
            else:
                busy -= 1
                if not busy:
                    self._ended.set_result(None)

        pool = await self._connect(port, connections, answered)
        began = time.perf_counter()
        until = began + seconds
        for connection in pool:
            connection.ask(self._next(), time.perf_counter())
        await self._ended
        return time.perf_counter() - began

    async def opened(self, port: int, rate: float, seconds: float) -> float:
        """A request is due every 1/rate seconds, and its latency counts from then: a server that stalls can't hide it. The connections take
        turns, for one that idles is closed."""
        total = int(rate * seconds)
        waiting: deque[float] = deque()

        def answered(connection: Connection, status: int) -> None:
            self._count(status, connection.began)
            if waiting:
                connection.ask(self._next(), waiting.popleft())
            else:
                free.append(connection)
            if len(self.latencies) == total:
                self._ended.set_result(None)

        free = deque(await self._connect(port, 64, answered))
        began = time.perf_counter()
        for number in range(total):
            due = began + number / rate
            delay = due - time.perf_counter()
            if delay > 0.001 or number % 100 == 0:
                await asyncio.sleep(max(0, delay))
            if free:
                free.popleft().ask(self._next(), due)
            else:
                waiting.append(due)
        await self._ended
        return time.perf_counter() - began

    async def _connect(self, port: int, count: int, answered: Answered) -> list[Connection]:
        loop = asyncio.get_running_loop()

        def lost() -> None:
            if not self._ended.done():
                self._ended.set_exception(ConnectionError("the server closed a connection"))

        return [(await loop.create_connection(lambda: Connection(answered, lost), "127.0.0.1", port))[1] for _ in range(count)]

    def _next(self) -> bytes:
        request = self._requests[self._position % len(self._requests)]
        self._position += 1
        return request

    def _count(self, status: int, began: float) -> None:
        self.latencies.append(time.perf_counter() - began)
        self.statuses[status] = self.statuses.get(status, 0) + 1


async def run(told: dict[str, Any]) -> dict[str, Any]:
    load = Load([text.encode() for text in told["requests"]])
    if told["rate"]:
        took = await load.opened(told["port"], told["rate"], told["seconds"])
    else:
        took = await load.closed(told["port"], told["connections"], told["seconds"], told["once"])
    return {"latencies": load.latencies, "statuses": load.statuses, "seconds": took}


def main() -> None:
    import uvloop

    json.dump(uvloop.run(run(json.load(sys.stdin))), sys.stdout)


if __name__ == "__main__":
    main()
