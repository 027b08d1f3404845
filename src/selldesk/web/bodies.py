"""Request bodies: taken off the wire within bounds of size and time, and decoded strictly (readings R1)."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from selldesk.kernel import refusals
from selldesk.kernel.memory import give_memory_back

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BODY_SECONDS = 30
_LOOKS_PER_WAIT = 30
_DRAINED_BYTES_MAX = 64 * 1024 * 1024
_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_PATH_IN_MESSAGE = re.compile(r" - at `([^`]*)`$")


class Disconnected(Exception):
    """The client went away before its body was whole."""


class BodyReader:
    """Reads bodies, each within `seconds`. One timer looks after all of them: one for each request costs more than the reading."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def read(self, receive: Receive, most: int) -> bytes:
        """Refuses BODY_TOO_LARGE, REQUEST_TIMEOUT. Raises Disconnected.

        What is too large is still taken off the wire (within reason) before it is refused: a client that is cut off in the middle
        of its upload would see a broken pipe instead of the answer.
        """
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._began[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds / _LOOKS_PER_WAIT, self._look, loop)
        chunks: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size <= most:
                    chunks.append(chunk)
                elif chunks:
                    chunks.clear()
                if size > most + _DRAINED_BYTES_MAX or (size > most and not message.get("more_body")):
                    raise refusals.BODY_TOO_LARGE()
                if not message.get("more_body"):
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            raise (refusals.BODY_TOO_LARGE if size > most else refusals.REQUEST_TIMEOUT)() from None
        finally:
            del self._began[task]
            self._overdue.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wakes the readers whose time is over."""
        due = loop.time() - self._seconds
        for task, began in self._began.items():
            if began <= due and task not in self._overdue:
                self._overdue.add(task)
                task.cancel()
        self._timer = loop.call_later(self._seconds / _LOOKS_PER_WAIT, self._look, loop) if self._began else None


class LargeBodies:
    """One large body of an account at a time, and one in all that is being decoded: what 16 MiB become then is many times as much."""

    def __init__(self) -> None:
        self.decoding = asyncio.Lock()
        self._of: dict[int, asyncio.Lock] = {}
        self._waiting: dict[int, int] = {}

    @asynccontextmanager
    async def of(self, person: int) -> AsyncIterator[None]:
        """A second one waits."""
        lock = self._of.setdefault(person, asyncio.Lock())
        self._waiting[person] = self._waiting.get(person, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._waiting[person] -= 1
            if not self._waiting[person]:
                del self._waiting[person], self._of[person]


def decode_large(decoder: Any, raw: bytes, elements_max: int) -> Any:
    """As `decode_body`, in a thread; but what would become more objects than any honest body has is refused by counting first, for the
    decoding itself holds the interpreter. Refuses INVALID_BODY."""
    elements = raw.count(b",") + raw.count(b"{") + raw.count(b"[")
    if elements_max and elements > elements_max:
        message = f"at most {elements_max} JSON values are allowed; this body has about {elements}"
        raise refusals.INVALID_BODY(details=[{"path": "$", "message": message}])
    try:
        return decode_body(decoder, raw)
    finally:
        give_memory_back()


def decode_body(decoder: Any, raw: bytes) -> Any:
    """Strictly typed (R1). Refuses INVALID_BODY with the place of the first fault."""
    try:
        if raw.startswith(b"\xef\xbb\xbf"):
            message = "the body begins with a byte order mark: send JSON in UTF-8 without one"
            raise refusals.INVALID_BODY(details=[{"path": "$", "message": message}])
        if not raw.isascii():
            raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refusals.INVALID_BODY(details=[{"path": "$", "message": str(error)}]) from None
    body = decode_part(decoder, raw)
    if b"\\u0000" in raw and _NUL_ESCAPE.search(raw):
        raise refusals.INVALID_BODY(details=[{"path": "$", "message": "NUL characters are not allowed"}])
    return body


def decode_part(decoder: Any, raw: bytes | msgspec.Raw, place: str = "$") -> Any:
    """What `decode_body` left raw at that place of the body. Refuses INVALID_BODY likewise."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PATH_IN_MESSAGE.search(text)
        path = found.group(1).removeprefix("$") if found else ""
        message = text[: found.start()] if found else text
        raise refusals.INVALID_BODY(details=[{"path": place + path, "message": message}]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        message = "JSON is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise refusals.INVALID_BODY(details=[{"path": place, "message": message}]) from None
