"""A load client in a process of its own: keeps connections busy with prepared requests (closed loop), or sends them at a given
rate whatever comes back (open loop). Input: JSON on standard input; output: latencies as JSON."""

import asyncio
import json
import sys
import time
from typing import Any


class Connection:
    """One keep-alive connection that speaks just enough HTTP/1.1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes) -> int:
        """The status of the answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line[:15].lower() == b"content-length:":
                length = int(line[15:])
        if length:
            await self._reader.readexactly(length)
        return int(head[9:12])


async def _connect(port: int) -> Connection:
    return Connection(*await asyncio.open_connection("127.0.0.1", port))


async def closed(
    port: int, requests: list[bytes], connections: int, seconds: float, once: bool
) -> tuple[list[float], dict[int, int], float]:
    """Each connection asks as soon as it was answered. A list that runs out starts again, or ends the run if each may go `once`."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    position = 0
    until = time.perf_counter() + seconds

    async def work(connection: Connection) -> None:
        nonlocal position
        while time.perf_counter() < until and not (once and position >= len(requests)):
            request = requests[position % len(requests)]
            position += 1
            began = time.perf_counter()
            status = await connection.ask(request)
            latencies.append(time.perf_counter() - began)
            statuses[status] = statuses.get(status, 0) + 1

    pool = [await _connect(port) for _ in range(connections)]
    began = time.perf_counter()
    await asyncio.gather(*map(work, pool))
    return latencies, statuses, time.perf_counter() - began


async def opened(port: int, requests: list[bytes], rate: float, seconds: float) -> tuple[list[float], dict[int, int], float]:
    """A request is due every 1/rate seconds, and its latency counts from then: a server that stalls can't hide it."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(64):
        free.put_nowait(await _connect(port))
    tasks: set[asyncio.Task[None]] = set()

    async def one(request: bytes, due: float) -> None:
        connection = await free.get()
        status = await connection.ask(request)
        free.put_nowait(connection)
        latencies.append(time.perf_counter() - due)
        statuses[status] = statuses.get(status, 0) + 1

    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        delay = due - time.perf_counter()
        if delay > 0.001:
            await asyncio.sleep(delay)
        task = asyncio.create_task(one(requests[number % len(requests)], due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return latencies, statuses, time.perf_counter() - began


def main() -> None:
    import uvloop

    told: dict[str, Any] = json.load(sys.stdin)
    requests = [text.encode() for text in told["requests"]]
    if told["rate"]:
        work = opened(told["port"], requests, told["rate"], told["seconds"])
    else:
        work = closed(told["port"], requests, told["connections"], told["seconds"], told["once"])
    latencies, statuses, took = uvloop.run(work)
    json.dump({"latencies": latencies, "statuses": statuses, "seconds": took}, sys.stdout)


if __name__ == "__main__":
    main()
