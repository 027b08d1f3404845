"""What one reader is told (people P2): the same object by poll, stream and webhook."""

from collections.abc import Sequence
from typing import Any

import msgspec

from selldesk.deliveries.views import DeliverySnapshot
from selldesk.events.cursors import BEGINNING, Cursor, cursor_in, end_of
from selldesk.kernel.refusals import CURSOR_EXPIRED
from selldesk.kernel.times import wire_time
from selldesk.reads.deliveries import deliveries_as_they_were
from selldesk.reads.showing import Showing
from selldesk.reads.trades import trades_as_they_were
from selldesk.store.rows import CursorRow, EventRow
from selldesk.store.store import Reader
from selldesk.trades.views import TradeSnapshot

_SCANNED_MAX = 20_000
"""So many events are looked at for those of some types; the rest is for the next page."""
_SCAN = 1_000


class Event(msgspec.Struct):
    """`data` is what it tells about, as it stood then. Of one object the highest `cursor` counts, whatever comes later."""

    id: str
    type: str
    timestamp: str
    cursor: str
    role: str | None
    version: int | None
    data: Any


class EventPage(msgspec.Struct):
    events: list[Event]
    next: str
    has_more: bool


def present_end(reader: Reader) -> Cursor:
    """Behind all that has been told so far."""
    return end_of(int(reader.value("current_seq")))


def events_after(
    reader: Reader, showing: Showing, person: int, after: Cursor, types: frozenset[str] | None, limit: int
) -> EventPage:
    """Of one moment, oldest first; `types` None: all. Refuses CURSOR_EXPIRED if some after that cursor may have been deleted."""
    with reader.snapshot():
        check_cursor(reader, after)
        end = present_end(reader)
        found, scanned_to, is_over = _scan(reader, person, after, types, limit)
        events = render(reader, showing, found[:limit])
    has_more = len(found) > limit or not is_over
    if not has_more:
        return EventPage(events, str(end), has_more=False)
    last = found[limit - 1] if len(found) > limit else None
    return EventPage(events, str(scanned_to if last is None else Cursor(last.seq, last.place)), has_more=True)


def _scan(
    reader: Reader, person: int, after: Cursor, types: frozenset[str] | None, limit: int
) -> tuple[list[EventRow], Cursor, bool]:
    """(one more than wanted, if there are as many; how far was looked; whether that is all there is)"""
    found: list[EventRow] = []
    portion = limit + 1 if types is None else max(_SCAN, limit + 1)
    for _ in range(0, _SCANNED_MAX, _SCAN):
        rows = reader.fetch_as(EventRow, "events_after", person=person, seq=after.seq, place=after.place, most=portion)
        found += rows if types is None else [row for row in rows if row.type in types]
        if rows:
            after = Cursor(rows[-1].seq, rows[-1].place)
        if len(rows) < portion or len(found) > limit:
            return found, after, len(rows) < portion
    return found, after, False


def check_cursor(reader: Reader, after: Cursor) -> None:
    """Refuses CURSOR_EXPIRED."""
    if after == BEGINNING:
        return
    marks = reader.fetch_as(CursorRow, "event_mark")
    if marks and tuple(after) < tuple(marks[0]):
        raise CURSOR_EXPIRED()


def one_event(reader: Reader, showing: Showing, person: int, event_id: str) -> Event | None:
    """By its (canonical) id; None: it is no event of theirs that is kept."""
    cursor = cursor_in(event_id)
    rows = reader.fetch_as(EventRow, "event_at", person=person, seq=cursor.seq, place=cursor.place)
    found = render(reader, showing, [row for row in rows if row.id == event_id])
    return found[0] if found else None


def render(reader: Reader, showing: Showing, rows: Sequence[EventRow]) -> list[Event]:
    """What cannot change is read now, the rest is as it was then; new asset ids are as they are known now."""
    of_trades = [row for row in rows if row.type.startswith("trade.")]
    views = trades_as_they_were(
        reader,
        showing,
        [
            (row.subject, msgspec.json.decode(row.body, type=TradeSnapshot), "buyer" if row.role == "buyer" else "seller")
            for row in of_trades
        ],
    )
    data: dict[str, Any] = {row.id: view for row, view in zip(of_trades, views, strict=True)}
    of_deliveries = [row for row in rows if row.type.startswith("delivery.")]
    wanted = [(row.subject, msgspec.json.decode(row.body, type=DeliverySnapshot)) for row in of_deliveries]
    data |= {row.id: view for row, view in zip(of_deliveries, deliveries_as_they_were(reader, showing, wanted), strict=True)}
    return [_event(row, data[row.id] if row.id in data else msgspec.Raw(row.body.encode())) for row in rows]


def _event(row: EventRow, data: Any) -> Event:
    return Event(row.id, row.type, wire_time(row.at), str(Cursor(row.seq, row.place)), row.role, row.version, data)
