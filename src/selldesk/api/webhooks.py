"""`/api/webhooks`: where an account's events are sent, and what became of each (people P3)."""

import base64
import os
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from selldesk.api.account import NO_STORE
from selldesk.api.market import Market
from selldesk.courier.sender import Letter, Sender
from selldesk.desk import commands
from selldesk.desk.commands import Command, OnBehalf, R
from selldesk.events.cursors import Cursor, cursor_in, end_of, parse_cursor
from selldesk.events.types import TYPES, subscribed
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid, new_uuid7
from selldesk.kernel.limits import PAGE_DEFAULT
from selldesk.kernel.refusals import bad_body
from selldesk.kernel.secretbox import endpoint_place
from selldesk.kernel.times import parse_time, wire_time, wire_time_or_none
from selldesk.people.roles import ALL_ROLE_BITS
from selldesk.reads.events import Event
from selldesk.store.rows import EndpointRow, EntryOfEndpointRow
from selldesk.store.store import Reader
from selldesk.web import queries
from selldesk.web.parameters import LIMIT, PAGE
from selldesk.web.routes import ANY_ROLE, Call, Parameter, Reply, RouteSpec
from selldesk.webhooks.urls import URL_CHARS_MAX, why_not

_SECRET_BYTES = 32
_OVERLAP_DEFAULT, _OVERLAP_MAX = 86_400, 604_800
_LAST = end_of(10**12 - 1)

Url = Annotated[str, Meta(min_length=1, max_length=URL_CHARS_MAX)]
Types = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(min_length=1, max_length=100)]
Description = Annotated[str, Meta(max_length=256, pattern=r"^[^\x00]*$")]


class EndpointRequest(msgspec.Struct, forbid_unknown_fields=True):
    url: Url
    events: Types
    description: Description | None = None
    enabled: bool = True


class EndpointChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is given changes."""

    url: Url | UnsetType = UNSET
    events: Types | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class RotateRequest(msgspec.Struct, forbid_unknown_fields=True):
    overlap_seconds: Annotated[int, Meta(ge=0, le=_OVERLAP_MAX)] = _OVERLAP_DEFAULT


class RecoverRequest(msgspec.Struct, forbid_unknown_fields=True):
    since: str
    types: Types | None = None


class Endpoint(msgspec.Struct):
    id: str
    url: str
    events: list[str]
    description: str | None
    enabled: bool
    disabled_reason: str | None
    disabled_at: str | None
    failing_since: str | None
    last_success_at: str | None
    created_at: str
    previous_secret_until: str | None


class NewEndpoint(Endpoint, kw_only=True):
    """`secret` is shown here and never again."""

    secret: str


class EndpointPage(msgspec.Struct):
    endpoints: list[Endpoint]
    total: int
    limit: int
    offset: int


class EndpointNamed(msgspec.Struct):
    id: str


class Rotated(msgspec.Struct):
    """The new secret, shown here and never again; the former one signs too until then."""

    secret: str
    previous_secret_until: str | None


class TestResult(msgspec.Struct):
    """How one request with `webhook.test` ended."""

    delivered: bool
    status_code: int | None
    duration_ms: int
    error: str | None


class AttemptView(msgspec.Struct):
    at: str
    status_code: int | None
    duration_ms: int
    error: str | None
    response: str | None


EntryState = Literal["pending", "delivered", "failed"]
_STATES = ("pending", "delivered", "failed")


class EntryView(msgspec.Struct):
    id: str
    event_id: str
    type: str
    state: EntryState
    next_attempt_at: str | None
    attempts: list[AttemptView]


class EntryPage(msgspec.Struct):
    """Newest first; `next`: where the page after this one begins, null if there is none."""

    entries: list[EntryView]
    next: str | None


class EntryNamed(msgspec.Struct):
    id: str


class Recovered(msgspec.Struct):
    queued: int


class WebhooksApi:
    def __init__(self, market: Market) -> None:
        self._market = market
        self._sender: Sender | None = None

    def routes(self) -> list[RouteSpec]:
        r, base = refusals, "/api/webhooks"
        unknown = r.ENDPOINT_NOT_FOUND

        def one(
            method: str, path: str, handler: Any, summary: str, answer: Any, more: tuple[Any, ...] = (), **options: Any
        ) -> RouteSpec:
            return RouteSpec(
                method, f"{base}/{{id}}{path}", handler, summary, ANY_ROLE, answer, refusals=(unknown, *more), tag="Webhooks",
                lookup=unknown, **options,
            )  # fmt: skip

        log_query = (
            Parameter("state", {"type": "string", "enum": list(_STATES)}, "Only entries in this state"),
            Parameter("type", {"type": "string", "enum": list(TYPES)}, "Only events of this type"),
            LIMIT,
            Parameter("cursor", {"type": "string"}, "`next` of the page before"),
        )
        return [
            RouteSpec("GET", base, self.endpoints, "Where your events are sent", ANY_ROLE, EndpointPage, query=PAGE, refusals=(r.INVALID_QUERY,), tag="Webhooks"),
            RouteSpec(
                "POST", base, self.add, "A new endpoint; its secret is shown once", ANY_ROLE, NewEndpoint, body=EndpointRequest, status=201,
                refusals=(r.TOO_MANY_ENDPOINTS,), tag="Webhooks",
            ),
            one("GET", "", self.endpoint, "One endpoint", Endpoint),
            one("PATCH", "", self.change, "Change an endpoint", Endpoint, body=EndpointChange),
            one("DELETE", "", self.drop, "Delete an endpoint and its log", EndpointNamed),
            one("POST", "/rotate", self.rotate, "A new secret, shown once", Rotated, (r.ROTATION_RUNNING,), body=RotateRequest),
            one("POST", "/test", self.test, "Send a webhook.test now, one try", TestResult),
            one("GET", "/log", self.log, "What was sent and how it ended, newest first", EntryPage, (r.INVALID_QUERY,), query=log_query),
            one("POST", "/log/{entry}/redeliver", self.redeliver, "Send one event again", EntryNamed, (r.EVENT_NOT_FOUND,), status=202),
            one("POST", "/recover", self.recover, "Send all that was not delivered since then", Recovered, body=RecoverRequest, status=202),
        ]  # fmt: skip

    async def endpoints(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        rows = await self._market.read(lambda reader: reader.fetch_as(EndpointRow, "endpoints_of", person=call.person))
        now = self._market.clock.now_us()
        shown = [_view(row, now) for row in rows[offset : offset + limit]]
        return Reply(EndpointPage(shown, len(rows), limit, offset))

    async def endpoint(self, call: Call) -> Reply:
        return Reply(_view(await self._mine(call), self._market.clock.now_us()))

    async def add(self, call: Call) -> Reply:
        wanted: EndpointRequest = call.body
        self._check(wanted.url, wanted.events)
        endpoint_id = new_uuid7(self._market.clock.now_us())
        secret = _new_secret()
        await self._act(
            call,
            commands.AddEndpoint(
                person=call.person,
                id=endpoint_id,
                url=wanted.url,
                events=wanted.events,
                description=wanted.description,
                enabled=wanted.enabled,
                secret=self._seal(secret, endpoint_id),
            ),
        )
        view = await self._view_of(call, endpoint_id)
        return Reply(NewEndpoint(**msgspec.structs.asdict(view), secret=secret), status=201, headers=NO_STORE)

    async def change(self, call: Call) -> Reply:
        wanted: EndpointChange = call.body
        self._check(wanted.url, wanted.events)
        endpoint_id = _id_in(call)
        await self._act(
            call,
            commands.ChangeEndpoint(
                person=call.person,
                id=endpoint_id,
                url=_given(wanted.url),
                events=_given(wanted.events),
                description=_given(wanted.description),
                drops_description=wanted.description is None,
                enabled=_given(wanted.enabled),
            ),
        )
        return Reply(await self._view_of(call, endpoint_id))

    async def drop(self, call: Call) -> Reply:
        endpoint_id = _id_in(call)
        await self._act(call, commands.DropEndpoint(person=call.person, id=endpoint_id))
        return Reply(EndpointNamed(endpoint_id))

    async def rotate(self, call: Call) -> Reply:
        endpoint_id, secret = _id_in(call), _new_secret()
        sealed = self._seal(secret, endpoint_id)
        rotated = await self._act(
            call,
            commands.RotateSecret(person=call.person, id=endpoint_id, secret=sealed, overlap_seconds=call.body.overlap_seconds),
        )
        return Reply(Rotated(secret, wire_time_or_none(rotated.until)), headers=NO_STORE)

    async def test(self, call: Call) -> Reply:
        """Enabled or not; never stored, never tried again."""
        row, now = await self._mine(call), self._market.clock.now_us()
        message = {"message": "This is a test of your endpoint"}
        event = Event(new_uuid7(now), "webhook.test", wire_time(now), str(end_of(self._market.view.seq)), None, None, message)
        if self._sender is None:
            self._sender = Sender(self._market.settings.sender)
        secrets = [self._market.box.open(row.secret, endpoint_place(row.id)).decode()]
        attempt = await self._sender.send(row.id, Letter(row.url, event.id, msgspec.json.encode(event), secrets))
        await self._sender.tidy()
        return Reply(TestResult(attempt.is_success, attempt.status, attempt.duration_ms, attempt.error))

    async def log(self, call: Call) -> Reply:
        row = await self._mine(call)
        limit = queries.whole(call.query, "limit", PAGE_DEFAULT, 1, 100)
        assert limit is not None
        state, kind, before = call.query.get("state"), call.query.get("type"), _LAST
        if state is not None and state not in _STATES:
            raise refusals.INVALID_QUERY(name="state")
        if kind is not None and kind not in TYPES:
            raise refusals.INVALID_QUERY(name="type")
        if "cursor" in call.query:
            cursor = parse_cursor(call.query["cursor"])
            if cursor is None:
                raise refusals.INVALID_QUERY(name="cursor")
            before = cursor

        def ask(reader: Reader) -> list[EntryOfEndpointRow]:
            return reader.fetch_as(
                EntryOfEndpointRow,
                "entries_page",
                endpoint=row.id,
                seq=before.seq,
                place=before.place,
                state=state,
                type=kind,
                most=limit + 1,
            )

        rows = await self._market.read(ask)
        last = rows[limit - 1] if len(rows) > limit else None
        return Reply(EntryPage([_entry(one) for one in rows[:limit]], None if last is None else str(Cursor(last.seq, last.place))))

    async def redeliver(self, call: Call) -> Reply:
        endpoint_id, entry = _id_in(call), canonical_uuid(call.path["entry"])
        if entry is None:
            await self._mine(call)
            raise refusals.EVENT_NOT_FOUND()
        cursor = cursor_in(entry)
        await self._act(call, commands.Redeliver(person=call.person, id=endpoint_id, seq=cursor.seq, place=cursor.place))
        return Reply(EntryNamed(entry), status=202)

    async def recover(self, call: Call) -> Reply:
        """Portion by portion: what the desk has to do besides comes in between."""
        endpoint_id = _id_in(call)
        try:
            since = parse_time(call.body.since)
        except (ValueError, OverflowError):
            raise bad_body("$.since", "is no time") from None
        if call.body.types is not None:
            self._check(UNSET, call.body.types, "$.types")
        queued, after = 0, (0, 0)
        while True:
            portion = await self._act(
                call,
                commands.Recover(person=call.person, id=endpoint_id, since=since, types=call.body.types, after=after),
            )
            queued += portion.queued
            if portion.next is None:
                return Reply(Recovered(queued), status=202)
            after = portion.next

    # -- helpers -------------------------------------------------------------------------------------------------------

    async def _act(self, call: Call, command: Command[R]) -> R:
        return await self._market.desk.ask(OnBehalf(person=call.person, role_bits=ALL_ROLE_BITS, command=command))  # type: ignore[arg-type]

    async def _mine(self, call: Call) -> EndpointRow:
        """Refuses ENDPOINT_NOT_FOUND, another's too."""
        endpoint_id = _id_in(call)
        rows = await self._market.read(lambda reader: reader.fetch_as(EndpointRow, "endpoint_by_id", id=endpoint_id))
        if not rows or rows[0].person != call.person:
            raise refusals.ENDPOINT_NOT_FOUND()
        return rows[0]

    async def _view_of(self, call: Call, endpoint_id: str) -> Endpoint:
        rows = await self._market.read(lambda reader: reader.fetch_as(EndpointRow, "endpoint_by_id", id=endpoint_id))
        if not rows:
            raise refusals.ENDPOINT_NOT_FOUND()
        return _view(rows[0], self._market.clock.now_us())

    def _check(self, url: str | UnsetType, events: list[str] | UnsetType, where: str = "$.events") -> None:
        """Refuses INVALID_BODY."""
        fault = why_not(url, self._market.settings.sender.allow_private) if isinstance(url, str) else None
        if fault is not None:
            raise bad_body("$.url", fault)
        if not isinstance(events, UnsetType) and subscribed(events) is None:
            raise bad_body(where, "holds what is no type of event")

    def _seal(self, secret: str, endpoint_id: str) -> bytes:
        return self._market.box.seal(secret.encode(), endpoint_place(endpoint_id))


def _id_in(call: Call) -> str:
    """Refuses ENDPOINT_NOT_FOUND."""
    endpoint_id = canonical_uuid(call.path["id"])
    if endpoint_id is None:
        raise refusals.ENDPOINT_NOT_FOUND()
    return endpoint_id


def _given(value: Any) -> Any:
    return None if value is UNSET else value


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def _view(row: EndpointRow, now: int) -> Endpoint:
    until = row.old_until if row.old_until is not None and row.old_until > now else None
    return Endpoint(
        row.id, row.url, msgspec.json.decode(row.events, type=list[str]), row.description, bool(row.enabled), row.disabled_reason,
        wire_time_or_none(row.disabled_at), wire_time_or_none(row.failing_since), wire_time_or_none(row.last_success_at),
        wire_time(row.created_at), wire_time_or_none(until),
    )  # fmt: skip


def _entry(row: EntryOfEndpointRow) -> EntryView:
    state: EntryState = msgspec.convert(row.state, EntryState)
    attempts = msgspec.json.decode(row.attempts, type=list[AttemptView])
    return EntryView(row.event_id, row.event_id, row.type, state, wire_time_or_none(row.next_attempt_at), attempts)
