"""The desk as a process: reads commands from a local socket, decides them in batches, sends answers and the feed.

Frames are a 4-byte big-endian length and msgpack. Request: [id, command]. Response: [feed | nil, [[id, answer], …]].
Single-threaded on purpose: while a batch is decided, the sockets' buffers are the queue.
"""

import asyncio
import contextlib
import itertools
import logging
import struct
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from selldesk.desk.cases.orders import Portions
from selldesk.desk.commands import (
    Answer,
    AnyCommand,
    BatchResult,
    Command,
    Feed,
    PutOrders,
    WithdrawOrders,
    runs_alone,
)
from selldesk.desk.desk import Desk
from selldesk.kernel.outages import Outage
from selldesk.kernel.refusals import INTERNAL_ERROR, UNAVAILABLE
from selldesk.store.store import StoreUnavailable

logger = logging.getLogger(__name__)

FRAME_BYTES_MAX = 64 * 1024 * 1024
UNREAD_BYTES_MAX = 16 * 1024 * 1024
"""Whoever leaves more unread is cut off: it reads everything anew when it is back."""


class Request(msgspec.Struct, array_like=True):
    id: int
    command: AnyCommand


class Response(msgspec.Struct, array_like=True):
    feed: Feed | None
    answers: list[tuple[int, Answer]]


class _Waiting(msgspec.Struct):
    connection: asyncio.StreamWriter
    id: int
    command: Command[Any]


class _Job(msgspec.Struct):
    """A big command that is worked off in portions."""

    number: int
    """In the order in which they came."""
    waiting: _Waiting
    command: PutOrders | WithdrawOrders
    portions: Portions | None = None

    @property
    def key(self) -> tuple[int, int]:
        return self.command.buyer, self.command.game


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """One frame, or None at the end of the stream. Raises ValueError on a length that can't be."""
    try:
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        if length > FRAME_BYTES_MAX:
            raise ValueError(f"a frame of {length} bytes")
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


class DeskServer:
    def __init__(self, desk: Desk, batch_max: int, watch_seconds: float = 0) -> None:
        self._watch_seconds = watch_seconds
        self._outage = Outage("the desk can't read the store for its watch")
        self._desk = desk
        self._batch_max = batch_max
        self._queue: deque[_Waiting] = deque()
        self._jobs: deque[_Job] = deque()
        self._job_numbers = itertools.count()
        self._connections: set[asyncio.StreamWriter] = set()
        self._something = asyncio.Event()
        self._decoder = msgspec.msgpack.Decoder(Request)
        self._encoder = msgspec.msgpack.Encoder()

    async def run(self, socket_path: Path) -> None:
        """Serves until cancelled."""
        server = await asyncio.start_unix_server(self._serve, path=socket_path, limit=2**20)
        if self._watch_seconds:
            self._tick(asyncio.get_running_loop())
        async with server:
            while True:
                await self._something.wait()
                self._something.clear()
                while self._queue or self._jobs:
                    self._step()
                    await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while (body := await read_frame(reader)) is not None:
                request = self._decoder.decode(body)
                self._queue.append(_Waiting(writer, request.id, request.command))
                self._something.set()
        except (ValueError, msgspec.MsgspecError):
            logger.exception("a client of the desk sent something unreadable; its connection is closed")
        finally:
            self._connections.discard(writer)
            writer.close()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """The desk's own clock: looks around between batches."""
        try:
            for result in self._desk.watch():
                self._send_all(result.feed, {})
            self._outage.over()
        except StoreUnavailable as error:
            self._outage.note(error)
        except Exception:
            logger.exception("unhandled error in the desk's watch; it tries again")
        loop.call_later(self._watch_seconds, self._tick, loop)

    def _step(self) -> None:
        """One batch of what waits, then one portion of a big command: neither starves the other."""
        try:
            batch = self._take()
            if batch:
                results = self._desk.process([waiting.command for waiting in batch])
                self._answer(batch, results)
            if self._jobs:
                self._work_on(self._jobs.popleft())
        except Exception:
            # The desk must not die with callers hanging: whoever is left gets an answer when their connection is reset.
            logger.exception("the desk met an unhandled error; its connections are reset")
            for connection in self._connections:
                connection.close()

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        while self._queue and len(batch) < self._batch_max:
            command = self._queue[0].command
            if isinstance(command, PutOrders | WithdrawOrders):
                self._jobs.append(_Job(next(self._job_numbers), self._queue.popleft(), command))
            elif runs_alone(command):
                if not batch:
                    batch.append(self._queue.popleft())
                break
            else:
                batch.append(self._queue.popleft())
        return batch

    def _work_on(self, job: _Job) -> None:
        """One call per buyer and game at a time, in their order: a job that finds an older one of its kind waits behind it."""
        if any(other.key == job.key and other.number < job.number for other in self._jobs):
            self._jobs.append(job)
            return
        try:
            answer = self._next_portion(job)
        except Exception:
            logger.exception("a large command failed between two portions; it is answered 503")
            answer = Answer(None, UNAVAILABLE.status, UNAVAILABLE.code, UNAVAILABLE.text)
        if answer is None:
            self._jobs.append(job)
        else:
            self._finish(job, answer)

    def _next_portion(self, job: _Job) -> Answer | None:
        """Works off one portion; the answer to the whole command when there is nothing more to do."""
        if job.portions is None:
            job.portions = Portions(job.command, self._desk.store)
        portion = job.portions.next()
        if portion is None:
            return Answer(job.portions.counts)
        (result,) = self._desk.process([portion])
        self._send_all(result.feed, {})
        answer = result.answers[0]
        if answer.value is None:
            return answer
        job.portions.done(answer.value)
        return None

    def _finish(self, job: _Job, answer: Answer) -> None:
        self._send_all(None, {job.waiting.connection: [(job.waiting.id, answer)]})

    def _answer(self, batch: list[_Waiting], results: list[BatchResult]) -> None:
        waiting = iter(batch)
        for result in results:
            answers: dict[asyncio.StreamWriter, list[tuple[int, Answer]]] = {}
            for answer in result.answers:
                caller = next(waiting)
                answers.setdefault(caller.connection, []).append((caller.id, answer))
            self._send_all(result.feed, answers)
        for caller in waiting:
            answer = Answer(None, INTERNAL_ERROR.status, INTERNAL_ERROR.code, INTERNAL_ERROR.text)
            self._send_all(None, {caller.connection: [(caller.id, answer)]})

    def _send_all(self, feed: Feed | None, answers: dict[asyncio.StreamWriter, list[tuple[int, Answer]]]) -> None:
        """The feed goes to everybody, the answers to their callers, in one frame each."""
        for connection in list(self._connections):
            mine = answers.get(connection, [])
            if feed is None and not mine:
                continue
            waiting = connection.transport.get_write_buffer_size()
            if waiting > UNREAD_BYTES_MAX:
                logger.warning("a client of the desk has left %d bytes unread; its connection is closed", waiting)
                self._connections.discard(connection)
                connection.transport.abort()
                continue
            with contextlib.suppress(ConnectionError, RuntimeError):
                connection.write(frame(self._encoder.encode(Response(feed, mine))))
