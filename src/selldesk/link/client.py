"""How the other processes of a machine reach the desk: commands out, answers in, the feed applied before any answer is given."""

import asyncio
import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from selldesk.desk.commands import Answer, Command, Feed, PutOrders, R, WithdrawOrders, reply_of
from selldesk.desk.desk import Desk
from selldesk.kernel.refusals import UNAVAILABLE, Refusal
from selldesk.link.server import Request, Response, frame, read_frame

logger = logging.getLogger(__name__)

_HELD_SECONDS = 0.25
_PATIENCE_SECONDS = 30
"""A desk that doesn't answer for so long is stalled: the outcome is unknown."""


class DeskPort(Protocol):
    """Where API and workers bring their commands."""

    async def ask(self, command: Command[R]) -> R:
        """The desk's reply. Raises its Refusal, or UNAVAILABLE if the outcome is unknown."""
        ...


class InlineDesk:
    """The desk in this very process: for tests."""

    def __init__(self, desk: Desk, on_feed: Callable[[Feed], None]) -> None:
        self.desk = desk
        self._on_feed = on_feed

    async def ask(self, command: Command[R]) -> R:
        if isinstance(command, PutOrders | WithdrawOrders):
            return reply_of(command, msgspec.to_builtins(self.desk.work_off(command)))  # type: ignore[return-value]
        # Through the wire's encoding, as in production: what it can't carry must fail here too.
        wired = msgspec.msgpack.decode(msgspec.msgpack.encode(Request(0, command)), type=Request).command  # type: ignore[arg-type]
        (result,) = self.desk.process([wired])
        if result.feed is not None:
            self._on_feed(result.feed)
        answer = msgspec.msgpack.decode(msgspec.msgpack.encode(result.answers[0]), type=Answer)
        return _value_of(command, answer)


def _value_of(command: Command[R], answer: Answer) -> R:
    if answer.value is None:
        raise Refusal(answer.status, answer.code, answer.text, answer.details, answer.cause)
    return reply_of(command, answer.value)


class DeskClient:
    """A connection to the desk's socket that is made again whenever it breaks."""

    def __init__(
        self, socket_path: Path, on_feed: Callable[[Feed], bool | None], patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        self._patience_seconds = patience_seconds
        self._path = socket_path
        self._on_feed = on_feed
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        self._asked_at: dict[int, float] = {}
        """Of those whose patience is limited: in the order in which they asked."""
        self._writer: asyncio.StreamWriter | None = None
        self._outbox: list[bytes] = []
        self._held: list[list[tuple[int, Answer]]] = []
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Response)
        self.connected = asyncio.Event()

    async def ask(self, command: Command[R]) -> R:
        if self._writer is None:
            raise UNAVAILABLE()
        request_id = next(self._ids)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._pending[request_id] = future
        if not isinstance(command, PutOrders | WithdrawOrders):
            self._asked_at[request_id] = loop.time()
        try:
            if not self._outbox:
                loop.call_soon(self._send)
            self._outbox.append(frame(self._encoder.encode(Request(request_id, command))))  # type: ignore[arg-type]
            return _value_of(command, await future)
        finally:
            del self._pending[request_id]
            self._asked_at.pop(request_id, None)

    def _send(self) -> None:
        """All that was asked in this turn of the loop, in one system call."""
        frames, self._outbox = self._outbox, []
        if self._writer is not None:
            self._writer.write(b"".join(frames))

    async def _lose_patience(self) -> None:
        """Tells callers that their answer stays away. One look now and then for all: a time-out for each would cost more than the asking."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._patience_seconds / 30)
            due = loop.time() - self._patience_seconds
            for request_id in [number for number, asked_at in self._asked_at.items() if asked_at <= due]:
                future = self._pending[request_id]
                if not future.done():
                    future.set_exception(UNAVAILABLE())

    async def run(self) -> None:
        """Keeps the connection until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lose_patience())
            group.create_task(self._keep_connected())

    async def _keep_connected(self) -> None:
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self._path, limit=2**20)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            self.connected.set()
            try:
                while (body := await read_frame(reader)) is not None:
                    self._take(self._decoder.decode(body))
            except Exception:
                logger.exception("the connection to the desk failed; reconnecting")
            finally:
                self.connected.clear()
                self._outbox.clear()
                writer, self._writer = self._writer, None
                if writer is not None:
                    writer.close()
                self._fail_pending()

    def _take(self, response: Response) -> None:
        # First the book, then the callers: whoever reads after their answer sees their own change.
        if response.feed is not None and self._on_feed(response.feed) is False:
            # A batch of somebody else's is missing before it: the answers wait for it, but not for long.
            self._held.append(response.answers)
            asyncio.get_running_loop().call_later(_HELD_SECONDS, self.release)
            return
        self._give(response.answers)

    def release(self) -> None:
        """What was waited for is in, or stays away for too long."""
        held, self._held = self._held, []
        for answers in held:
            self._give(answers)

    def _give(self, answers: list[tuple[int, Answer]]) -> None:
        for request_id, answer in answers:
            future = self._pending.get(request_id)
            if future is not None and not future.done():
                future.set_result(answer)

    def _fail_pending(self) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(UNAVAILABLE())
