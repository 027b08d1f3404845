"""What a courier keeps in the store: whose endpoints it works for, what is queued, how each attempt ended. Synchronous, on connections of
its own: none of it is a decision of the market, and none of it waits for the desk."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import msgspec

from selldesk.bots.leases import quota
from selldesk.desk.cases.webhooks import types_of
from selldesk.events.cursors import Cursor, end_of
from selldesk.kernel.clock import Clock
from selldesk.kernel.processes import is_gone
from selldesk.kernel.times import SECOND_US
from selldesk.reads.events import render
from selldesk.reads.showing import Showing
from selldesk.store.rows import CourierLeaseRow, DueEntryRow, EndpointRow, EventRow, NextEntryRow
from selldesk.store.store import Reader, Store, Writer

T = TypeVar("T")

LEASE_US = 20 * SECOND_US
"""A courier that isn't heard of for so long has lost its endpoints. `put_courier_leases` counts with it."""
_QUEUED_AT_ONCE = 500

Place = tuple[str, int, int]
"""(endpoint, feed number, place of the event in its batch)"""


class Due(NamedTuple):
    """An attempt to be made now, and what is sent."""

    place: Place
    event_id: str
    made: int
    attempts: list[dict[str, Any]]
    body: bytes


class Ended(NamedTuple):
    """How an attempt ended, as it is kept."""

    place: Place
    state: str
    made: int
    next_attempt_at: int | None
    attempts: list[dict[str, Any]]

    @property
    def endpoint(self) -> str:
        endpoint, _, _ = self.place
        return endpoint


class Health(NamedTuple):
    endpoint: str
    failing_since: int | None
    failures: int
    in_a_row: int
    last_success_at: int | None


class Books:
    """Not for several threads at once."""

    def __init__(self, store: Store, clock: Clock, showing: Showing, name: str) -> None:
        self._store, self._clock, self._showing, self._name = store, clock, showing, name
        self._reader: Reader | None = None
        self._writer: Writer | None = None

    # -- leases --------------------------------------------------------------------------------------------------------

    def keep(self, busy: Collection[str]) -> list[EndpointRow]:
        """Renews, takes what is free up to a fair share, gives back what others should have and is not `busy`. The endpoints that are this
        courier's from now on. Raises StoreUnavailable."""
        self._write(lambda writer: self._keep(writer, busy))
        held = self._held(self._read())
        return [one for one in self._read().fetch_as(EndpointRow, "all_endpoints") if one.id in held]

    def _keep(self, writer: Writer, busy: Collection[str]) -> None:
        now = self._machine_us(writer)
        alive = self._alive(writer, now)
        ids = [one.id for one in writer.fetch_as(EndpointRow, "all_endpoints")]
        leases = {lease.endpoint: lease for lease in writer.fetch_as(CourierLeaseRow, "courier_leases")}
        mine = [one for one in ids if one in leases and leases[one].courier == self._name]
        free = [one for one in ids if one not in mine and _is_free(leases.get(one), alive, now)]
        taken = _share(mine, free, quota(self._name, alive, len(ids)), busy)
        writer.write("drop_courier_leases", sorted((one, self._name) for one in set(mine) - set(taken)))
        writer.write("put_courier_leases", [(one, self._name, now + LEASE_US) for one in sorted(taken)])

    def _alive(self, writer: Writer, now: int) -> list[str]:
        """The couriers that there are, this one among them."""
        writer.execute("keep_courier", name=self._name, until_us=now + LEASE_US)
        writer.execute("drop_gone_couriers", before=now)
        known = writer.column("alive_couriers", now=now)
        gone = [one for one in known if one != self._name and is_gone(one)]
        writer.write("drop_couriers", [(one,) for one in gone])
        return [one for one in known if one not in gone]

    def leave(self) -> None:
        """Stops in good order: its endpoints are free at once."""

        def change(writer: Writer) -> None:
            writer.execute("keep_courier", name=self._name, until_us=0)
            writer.write("drop_courier_leases", [(one, self._name) for one in sorted(self._held(writer))])

        self._write(change)

    def _held(self, reader: Reader) -> set[str]:
        return {one.endpoint for one in reader.fetch_as(CourierLeaseRow, "courier_leases") if one.courier == self._name}

    def _machine_us(self, writer: Writer) -> int:
        shared = writer.machine_us()
        return self._clock.real_us() if shared is None else shared

    # -- queueing ------------------------------------------------------------------------------------------------------

    def queue(self, endpoints: Sequence[EndpointRow]) -> dict[str, Cursor]:
        """What happened since each of these endpoints was last looked after: those events that it wants are pending now. Up to where each
        is queued, which lies before the present end if there is more. Raises StoreUnavailable."""
        reader, now = self._read(), self._clock.now_us()
        entries: defaultdict[str, list[tuple[str, int, int, str, str, int]]] = defaultdict(list)
        marks: dict[str, Cursor] = {}
        with reader.snapshot():
            end = end_of(int(reader.value("current_seq")))
            told: dict[tuple[int, int, int], list[EventRow]] = {}
            for one in endpoints:
                key = (one.person, one.seq, one.place)
                if key not in told:
                    told[key] = reader.fetch_as(
                        EventRow, "events_after", person=one.person, seq=one.seq, place=one.place, most=_QUEUED_AT_ONCE
                    )
                rows, wanted = told[key], types_of(msgspec.json.decode(one.events, type=list[str]))
                entries[one.id] += [(one.id, row.seq, row.place, row.id, row.type, now) for row in rows if row.type in wanted]
                marks[one.id] = end if len(rows) < _QUEUED_AT_ONCE else Cursor(rows[-1].seq, rows[-1].place)

        def change(writer: Writer) -> None:
            held = self._held(writer)
            writer.write("add_webhook_entries", [entry for one in sorted(entries.keys() & held) for entry in entries[one]])
            writer.write("put_queued_to", sorted((one, *mark) for one, mark in marks.items() if one in held))

        if any(entries.values()) or any((one.seq, one.place) != tuple(marks[one.id]) for one in endpoints):
            self._write(change)
        return marks

    def next_due(self) -> dict[str, int]:
        """When each endpoint's next attempt is due. Raises StoreUnavailable."""
        return {one.endpoint: one.at for one in self._read().fetch_as(NextEntryRow, "next_entries")}

    def due(self, endpoint: EndpointRow, most: int, taken: Collection[Place]) -> tuple[list[Due], list[Ended]]:
        """(attempts that are due and not yet taken, with what is sent; entries whose event is gone). Raises StoreUnavailable."""
        reader = self._read()
        with reader.snapshot():
            rows = reader.fetch_as(
                DueEntryRow, "due_entries", endpoint=endpoint.id, now=self._clock.now_us(), most=most + len(taken)
            )
            fresh = [row for row in rows if (endpoint.id, row.seq, row.place) not in taken][:most]
            keys = [(endpoint.person, row.seq, row.place) for row in fresh]
            events = {(one.seq, one.place): one for one in reader.load_as(EventRow, "events_at", keys)}
            shown = render(reader, self._showing, list(events.values()))
        bodies = {place: msgspec.json.encode(event) for place, event in zip(events, shown, strict=True)}
        found: list[Due] = []
        gone: list[Ended] = []
        for row in fresh:
            place, attempts = (endpoint.id, row.seq, row.place), msgspec.json.decode(row.attempts)
            if (row.seq, row.place) in bodies:
                event = events[row.seq, row.place]
                found.append(Due(place, event.id, row.made, attempts, bodies[row.seq, row.place]))
            else:
                gone.append(Ended(place, "failed", row.made, None, attempts))
        return found, gone

    # -- what became of it ---------------------------------------------------------------------------------------------

    def write(self, ended: Iterable[Ended], healths: Iterable[Health]) -> None:
        """Of endpoints that are still this courier's. Raises StoreUnavailable."""
        ended, healths = sorted(ended, key=attrgetter("place")), sorted(healths, key=attrgetter("endpoint"))

        def change(writer: Writer) -> None:
            held = self._held(writer)
            attempts = [one for one in ended if one.endpoint in held]
            writer.write(
                "put_attempts",
                [(*one.place, one.state, one.made, one.next_attempt_at, _as_json(one.attempts)) for one in attempts],
            )
            writer.write("put_endpoint_health", [tuple(one) for one in healths if one.endpoint in held])

        if ended or healths:
            self._write(change)

    # -- connections ---------------------------------------------------------------------------------------------------

    def _read(self) -> Reader:
        if self._reader is None:
            self._reader = self._store.reader()
        return self._reader

    def _write(self, change: Callable[[Writer], None]) -> None:
        if self._writer is None:
            self._writer = self._store.writer()
        self._writer.begin()
        try:
            change(self._writer)
            self._writer.commit()
        except BaseException:
            self._writer.rollback()
            raise


def _share(mine: list[str], free: list[str], wanted: int, busy: Collection[str]) -> list[str]:
    """So many, what is busy first, and all of that."""
    kept = sorted(mine, key=lambda one: one not in busy)
    kept = kept[: max(wanted, sum(one in busy for one in kept))]
    return kept + free[: max(0, wanted - len(kept))]


def _is_free(lease: CourierLeaseRow | None, alive: Sequence[str], now: int) -> bool:
    return lease is None or lease.courier not in alive or not now < lease.until_us <= now + 2 * LEASE_US


def _as_json(attempts: list[dict[str, Any]]) -> str:
    return msgspec.json.encode(attempts).decode()
