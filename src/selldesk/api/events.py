"""`/api/events`: what happened, by poll or as a stream, for whoever holds the key (people P2)."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from selldesk.api.market import Market
from selldesk.events.cursors import Cursor, parse_cursor
from selldesk.events.types import FAMILIES, TYPES, chosen
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid
from selldesk.reads.events import Event, EventPage, check_cursor, events_after, one_event, present_end
from selldesk.store.store import Reader
from selldesk.web import queries
from selldesk.web.routes import ANY_ROLE, Call, Parameter, Reply, RouteSpec

EVENTS_DEFAULT, EVENTS_MAX = 100, 500
WAIT_SECONDS_MAX = 30
BEAT_SECONDS = 15.0
"""Between two signs of life of a stream that has nothing to tell. Real time."""
_PAGE = 100

_AFTER = Parameter(
    "after",
    {"type": "string", "pattern": "^(0|[0-9]{12}-[0-9]{4})$"},
    "Events after this cursor; 0: from the oldest that is kept. Left out: none yet, `next` is the present end",
)
_TYPES = Parameter(
    "types",
    {"type": "array", "items": {"type": "string", "enum": [*FAMILIES, *TYPES]}, "minItems": 1},
    "Only these types, comma-separated; `trade.*`: all of a kind",
)


class _Lines(NamedTuple):
    """A page of events as a stream sends them."""

    events: list[tuple[str, bytes]]
    """(type, what is sent)"""
    next: Cursor


class EventsApi:
    def __init__(self, market: Market) -> None:
        self._market = market
        self._streams: Counter[str] = Counter()
        """By the hash of their key."""
        self._reading: dict[tuple[asyncio.Future[None], Cursor], asyncio.Task[_Lines]] = {}

    @property
    def streams(self) -> int:
        """How many are open."""
        return self._streams.total()

    def routes(self) -> list[RouteSpec]:
        r = refusals
        limit = Parameter(
            "limit", {"type": "integer", "minimum": 1, "maximum": EVENTS_MAX, "default": EVENTS_DEFAULT}, "Events per page"
        )
        wait = Parameter(
            "wait",
            {"type": "integer", "minimum": 0, "maximum": WAIT_SECONDS_MAX, "default": 0},
            "So many seconds it waits for the first one",
        )
        return [
            RouteSpec(
                "GET", "/api/events", self.events, "What happened, oldest first", ANY_ROLE, EventPage, query=(_AFTER, _TYPES, limit, wait),
                refusals=(r.INVALID_QUERY, r.CURSOR_EXPIRED), tag="Events",
            ),
            RouteSpec(
                "GET", "/api/events/stream", self.stream, "The same as server-sent events", ANY_ROLE, "text/event-stream",
                query=(_AFTER, _TYPES), refusals=(r.INVALID_QUERY, r.CURSOR_EXPIRED), tag="Events", enveloped=False,
            ),
            RouteSpec(
                "GET", "/api/events/{id:path}", self.one, "One event", ANY_ROLE, Event, refusals=(r.EVENT_NOT_FOUND,), tag="Events",
                lookup=r.EVENT_NOT_FOUND,
            ),
        ]  # fmt: skip

    async def events(self, call: Call) -> Reply:
        limit = queries.whole(call.query, "limit", EVENTS_DEFAULT, 1, EVENTS_MAX)
        wait = queries.whole(call.query, "wait", 0, 0, WAIT_SECONDS_MAX)
        assert limit is not None
        assert wait is not None
        after, types = _cursor(call.query.get("after")), _types(call.query)
        if after is None:
            return Reply(EventPage([], str(await self._market.read(present_end)), has_more=False))
        until = time.monotonic() + wait
        while True:
            ring = self._market.bells.next_of(call.person)
            page = await self._market.read(
                lambda reader: events_after(reader, self._market.showing, call.person, after, types, limit)
            )
            left = until - time.monotonic()
            if page.events or page.has_more or left <= 0:
                return Reply(page)
            await asyncio.wait({ring}, timeout=left)

    async def one(self, call: Call) -> Reply:
        event_id = canonical_uuid(call.path["id"])
        event = None
        if event_id is not None:
            event = await self._market.read(lambda reader: one_event(reader, self._market.showing, call.person, event_id))
        if event is None:
            raise refusals.EVENT_NOT_FOUND()
        return Reply(event)

    # -- streams -------------------------------------------------------------------------------------------------------

    async def stream(self, call: Call) -> Reply:
        """Refuses TOO_MANY_REQUESTS beyond `streams_per_key`. What is told while the stream begins is in it."""
        assert call.identity is not None
        types = _types(call.query)
        wanted = _cursor(call.headers.get("last-event-id"), "Last-Event-ID") or _cursor(call.query.get("after"))

        def begin(reader: Reader) -> Cursor:
            if wanted is None:
                return present_end(reader)
            check_cursor(reader, wanted)
            return wanted

        key = call.identity.key_hash
        if self._streams[key] >= self._market.settings.streams_per_key:
            raise refusals.TOO_MANY_REQUESTS()
        self._streams[key] += 1
        try:
            after = await self._market.read(begin)
        except BaseException:
            self._close(key)
            raise
        headers = [("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")]
        return Reply(
            stream=self._lines(call.person, after, types),
            content_type="text/event-stream",
            headers=headers,
            closed=lambda: self._close(key),
        )

    def _close(self, key: str) -> None:
        self._streams[key] -= 1
        if not self._streams[key]:
            del self._streams[key]

    async def _lines(self, person: int, after: Cursor, types: frozenset[str] | None) -> AsyncIterator[bytes]:
        ends_at = time.monotonic() + self._market.settings.stream_seconds
        beat_at = time.monotonic() + BEAT_SECONDS
        yield b"retry: 3000\n\n"
        while (now := time.monotonic()) < ends_at:
            ring = self._market.bells.next_of(person)
            lines = await self._page(person, after, ring)
            after = lines.next
            part = b"".join(line for type_, line in lines.events if types is None or type_ in types)
            if part:
                beat_at = time.monotonic() + BEAT_SECONDS
                yield part
            if not lines.events:
                await asyncio.wait({ring}, timeout=max(0.0, min(beat_at, ends_at) - now))
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + BEAT_SECONDS
                yield b":\n\n"

    async def _page(self, person: int, after: Cursor, ring: asyncio.Future[None]) -> _Lines:
        """One reading serves all streams of a person that stand at the same place, if nothing was told since it began."""
        key = (ring, after)
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._read(person, after))
            reading.add_done_callback(lambda _: self._reading.pop(key, None))
        return await asyncio.shield(reading)

    async def _read(self, person: int, after: Cursor) -> _Lines:
        def ask(reader: Reader) -> _Lines:
            page = events_after(reader, self._market.showing, person, after, None, _PAGE)
            end = parse_cursor(page.next)
            assert end is not None
            return _Lines([(event.type, _line(event)) for event in page.events], end)

        return await self._market.read(ask)


def _line(event: Event) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event.cursor.encode(), event.type.encode(), msgspec.json.encode(event))


def _cursor(text: str | None, name: str = "after") -> Cursor | None:
    """Refuses INVALID_QUERY."""
    if text is None:
        return None
    cursor = parse_cursor(text)
    if cursor is None:
        raise refusals.INVALID_QUERY(name=name)
    return cursor


def _types(query: dict[str, str]) -> frozenset[str] | None:
    """None: all. Refuses INVALID_QUERY."""
    text = query.get("types")
    if text is None:
        return None
    types = chosen(text.split(","))
    if types is None:
        raise refusals.INVALID_QUERY(name="types")
    return types
