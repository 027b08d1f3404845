"""`/api/operator`: people, money, rooms, bots, catalog, trades, audit, alerts (contract C4)."""

import asyncio
import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from selldesk.api import queries
from selldesk.api.account import Balance, KeyLine, KeyNamed, KeyRequest, NewKey, balance_of, keys_of, make_key
from selldesk.api.market import Market
from selldesk.api.parameters import PAGE, TRADE_FILTERS
from selldesk.api.routes import Call, Parameter, Reply, RouteSpec
from selldesk.bots.rooms import FRESH_WITHIN_US, BotState
from selldesk.catalog.games import GAMES, is_supported
from selldesk.catalog.names import acceptable_name
from selldesk.desk import commands
from selldesk.desk.people import PERSON_COLUMNS
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid, new_uuid7
from selldesk.kernel.limits import (
    CATALOG_ITEMS_PER_CALL_MAX,
    LARGE_BODY_BYTES_MAX,
    MONEY_MAX,
    ORDERS_PER_TRANSACTION,
    PRICE_MAX,
)
from selldesk.kernel.times import wire_time, wire_time_or_none
from selldesk.people.roles import Role, pack_roles, unpack_roles
from selldesk.steam.session import Credentials, Tokens
from selldesk.steamwire.guard import guard_code
from selldesk.store.audit import run_audit
from selldesk.store.store import Reader, Row
from selldesk.trades.views import TradeData, TradePage

RoleName = Literal["project", "buyer", "operator"]
SteamId64 = Annotated[str, Meta(pattern=r"^7656119[0-9]{10}(?!\n)$", description="SteamID64")]
Mills = Annotated[int, Meta(ge=1, le=MONEY_MAX)]
Reference = Annotated[str, Meta(min_length=1, max_length=128)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]
ShortText = Annotated[str, Meta(max_length=200)]


class UserRequest(msgspec.Struct):
    """A buyer needs a steamid64: it is his `buyer_id`."""

    login: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._@-]+(?!\n)$")]
    roles: Annotated[list[RoleName], Meta(min_length=1)]
    first_name: ShortText | None = None
    last_name: ShortText | None = None
    avatar: ShortText | None = None
    steamid64: SteamId64 | None = None


class UserChange(msgspec.Struct):
    """Only what is given changes. `disabled`: no key works. `frozen`: a buyer's orders are not for sale."""

    roles: Annotated[list[RoleName], Meta(min_length=1)] | None = None
    disabled: bool | None = None
    frozen: bool | None = None
    first_name: ShortText | None = None
    last_name: ShortText | None = None
    avatar: ShortText | None = None
    steamid64: SteamId64 | None = None


class User(msgspec.Struct):
    id: str
    login: str
    first_name: str | None
    last_name: str | None
    avatar: str | None
    steamid64: str | None
    roles: list[str]
    disabled: bool
    frozen: bool
    created_at: str
    wallet: Balance | UnsetType = UNSET


class UserPage(msgspec.Struct):
    users: list[User]
    total: int
    limit: int
    offset: int


class MoneyRequest(msgspec.Struct):
    """`reference` is unique per account and direction: repeating a call moves nothing twice."""

    amount: Mills
    reference: Reference


class AdjustmentRequest(msgspec.Struct):
    amount: Annotated[int, Meta(ge=-MONEY_MAX, le=MONEY_MAX)]
    reference: Reference
    reason: Reason
    trade_id: Annotated[str, Meta(max_length=36)] | None = None


class MoneyMoved(msgspec.Struct):
    id: str
    kind: str
    amount: int
    reference: str
    balance_after: int
    created_at: str


class RoomRequest(msgspec.Struct):
    """A purchase room (R7). Open ends, any game, all buyers, all bots: leave out or null. Buyers by user id or steamid64."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    game_id: int | None = None
    min_value: Annotated[int, Meta(ge=0, le=MONEY_MAX)] | None = None
    max_value: Annotated[int, Meta(ge=0, le=MONEY_MAX)] | None = None
    buyers: list[str] | None = None
    bots: list[str] | None = None
    priority: Annotated[int, Meta(ge=0, le=1_000_000)] = 100
    enabled: bool = True


class RoomView(msgspec.Struct):
    id: int
    name: str
    game_id: int | None
    min_value: int | None
    max_value: int | None
    buyers: list[str] | None
    bots: list[str] | None
    priority: int
    enabled: bool


class RoomDeleted(msgspec.Struct):
    id: int


class BotRequest(msgspec.Struct):
    """maFile-style. Secrets go in and never come out."""

    account_name: Annotated[str, Meta(min_length=1, max_length=64)]
    shared_secret: Annotated[str, Meta(min_length=1, max_length=128)]
    identity_secret: Annotated[str, Meta(min_length=1, max_length=128)]
    steamid: SteamId64
    password: Annotated[str, Meta(max_length=256)] | None = None
    refresh_token: Annotated[str, Meta(max_length=4096)] | None = None
    profile_name: ShortText | None = None
    avatar: ShortText | None = None
    games: Annotated[list[int], Meta(min_length=1)] | None = None
    max_live_offers: Annotated[int, Meta(ge=1, le=1000)] = 30
    max_offers_per_seller: Annotated[int, Meta(ge=1, le=1000)] = 5
    max_items: Annotated[int, Meta(ge=1, le=10_000_000)] = 1000


class BotChange(msgspec.Struct):
    enabled: bool | None = None
    profile_name: ShortText | None = None
    avatar: ShortText | None = None
    games: Annotated[list[int], Meta(min_length=1)] | UnsetType | None = UNSET
    """null: all games."""
    max_live_offers: Annotated[int, Meta(ge=1, le=1000)] | None = None
    max_offers_per_seller: Annotated[int, Meta(ge=1, le=1000)] | None = None
    max_items: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None


class BotView(msgspec.Struct):
    steamid64: str
    account_name: str
    profile_name: str
    avatar: str
    games: list[int] | None
    enabled: bool
    state: str
    reason: str | None
    since: str
    healthy: bool
    live_offers: int
    max_live_offers: int
    max_offers_per_seller: int
    items_held: int
    max_items: int


class CatalogLine(msgspec.Struct):
    market_hash_name: str
    price: Annotated[int, Meta(ge=0, le=PRICE_MAX)] | None = None


class CatalogRequest(msgspec.Struct):
    game_id: int
    items: Annotated[list[CatalogLine], Meta(min_length=1, max_length=CATALOG_ITEMS_PER_CALL_MAX)]


class CatalogAnswer(msgspec.Struct):
    created: int
    updated: int
    unchanged: int


class CatalogCount(msgspec.Struct):
    game_id: int
    name: str
    items: int


class Evidence(msgspec.Struct):
    """What Steam answered, as it came."""

    at: str
    kind: str
    body: Any


class OperatorTrade(msgspec.Struct):
    trade: TradeData
    project: str
    buyer: str
    stage: str
    due_at: str | None
    steam_trade_status: int | None
    evidence: list[Evidence]


class ActionRequest(msgspec.Struct):
    """The reason is kept. `force`: a declaration against Steam's fresh word."""

    reason: Reason
    force: bool = False
    by: Literal["user", "bot"] | None = None


class ActionAnswer(msgspec.Struct):
    trade_id: str
    status: str


class Check(msgspec.Struct):
    name: str
    rows: int


class AuditAnswer(msgspec.Struct):
    """`violations` is empty if all is well."""

    checked_at: str
    checks: list[Check]
    violations: list[dict[str, Any]]


class AlertView(msgspec.Struct):
    id: str
    kind: str
    bot: str | None
    trade_id: str | None
    text: str
    since: str
    closed_at: str | None
    closed_by: str | None
    close_reason: str | None


class AlertPage(msgspec.Struct):
    alerts: list[AlertView]
    total: int
    limit: int
    offset: int


class AlertClosed(msgspec.Struct):
    id: str


class CloseRequest(msgspec.Struct):
    reason: Reason


class StatusSum(msgspec.Struct):
    status: str
    trades: int
    value: int


class Overview(msgspec.Struct):
    now: str
    trades: list[StatusSum]
    bots: list[BotView]
    open_alerts: int
    feed_seq: int


class LogLine(msgspec.Struct):
    id: str
    at: str
    operator: str
    action: str
    target: str
    body: Any


class LogPage(msgspec.Struct):
    entries: list[LogLine]
    total: int
    limit: int
    offset: int


def _bad(path: str, message: str) -> refusals.Refusal:
    return refusals.INVALID_BODY(details=[{"path": path, "message": message}])


class OperatorApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, operator, base = refusals, (Role.OPERATOR,), "/api/operator"
        user = (r.USER_NOT_FOUND,)
        money = (r.USER_NOT_FOUND, r.NO_WALLET, r.REFERENCE_REUSED, r.INSUFFICIENT_BALANCE, r.BALANCE_TOO_LARGE)

        def route(
            method: str, path: str, handler: Any, summary: str, answer: Any, refused: tuple[refusals.Kind, ...] = (), **more: Any
        ) -> RouteSpec:
            return RouteSpec(method, base + path, handler, summary, operator, answer, refusals=refused, tag="Operator", **more)

        login = Parameter("login", {"type": "string"}, "Only the user with this login")
        is_open = Parameter("open", {"type": "boolean"}, "Only open (true) or closed (false) alerts")
        return [
            route("GET", "/users", self.users, "All users", UserPage, (r.INVALID_QUERY,), query=(login, *PAGE)),
            route("POST", "/users", self.create_user, "Create a user", User, (r.LOGIN_TAKEN, r.STEAMID_TAKEN), body=UserRequest, status=201),
            route("GET", "/users/{id}", self.user, "One user with his wallet", User, user),
            route("PATCH", "/users/{id}", self.change_user, "Change roles, disable, freeze", User, (*user, r.STEAMID_TAKEN), body=UserChange),
            route("GET", "/users/{id}/api-keys", self.user_keys, "A user's API keys", list[KeyLine], user),
            route(
                "POST", "/users/{id}/api-keys", self.create_user_key, "A new key for a user, shown once", NewKey,
                (*user, r.KEY_NAME_TAKEN), body=KeyRequest, status=201,
            ),
            route(
                "DELETE", "/users/{id}/api-keys", self.delete_user_key, "Revoke a user's key", KeyNamed, (*user, r.KEY_NOT_FOUND),
                body=KeyRequest,
            ),
            route("POST", "/users/{id}/deposits", self.deposit, "Credit a wallet", MoneyMoved, money, body=MoneyRequest, status=201),
            route("POST", "/users/{id}/withdrawals", self.withdrawal, "Pay out of a wallet", MoneyMoved, money, body=MoneyRequest, status=201),
            route(
                "POST", "/users/{id}/adjustments", self.adjustment, "Correct a wallet against the market's own account", MoneyMoved,
                money, body=AdjustmentRequest, status=201,
            ),
            route("GET", "/rooms", self.rooms, "Purchase rooms", list[RoomView]),
            route("POST", "/rooms", self.create_room, "Create a room", RoomView, (r.ROOM_NAME_TAKEN,), body=RoomRequest, status=201),
            route("GET", "/rooms/{id}", self.room, "One room", RoomView, (r.ROOM_NOT_FOUND,)),
            route("PUT", "/rooms/{id}", self.put_room, "Replace a room", RoomView, (r.ROOM_NOT_FOUND, r.ROOM_NAME_TAKEN), body=RoomRequest),
            route("DELETE", "/rooms/{id}", self.drop_room, "Delete a room", RoomDeleted, (r.ROOM_NOT_FOUND,)),
            route("GET", "/bots", self.bots, "Bots, their health and live offers", list[BotView]),
            route("POST", "/bots", self.add_bot, "Add a bot", BotView, (r.BOT_EXISTS,), body=BotRequest, status=201),
            route("GET", "/bots/{steamid64}", self.bot, "One bot", BotView, (r.BOT_NOT_FOUND,)),
            route("PATCH", "/bots/{steamid64}", self.change_bot, "Enable, disable, limits", BotView, (r.BOT_NOT_FOUND,), body=BotChange),
            route("GET", "/catalog", self.catalog, "Known item names per game", list[CatalogCount]),
            route(
                "POST", "/catalog", self.import_catalog, "Import item names", CatalogAnswer, (r.GAME_NOT_SUPPORTED,),
                body=CatalogRequest, body_max=LARGE_BODY_BYTES_MAX,
            ),
            route("GET", "/trades", self.trades, "All trades", TradePage, (r.INVALID_QUERY,), query=TRADE_FILTERS),
            route("GET", "/trades/{id}", self.trade, "One trade with history and Steam's evidence", OperatorTrade, (r.TRADE_NOT_FOUND,)),
            *[
                route(
                    "POST", f"/trades/{{id}}/{action}", self._action(action), summary, ActionAnswer,
                    (r.TRADE_NOT_FOUND, r.WRONG_STATUS, r.FORCE_REQUIRED), body=ActionRequest,
                )
                for action, summary in _ACTIONS.items()
            ],
            route("GET", "/audit", self.audit, "Is everything coherent? Answered from the store alone", AuditAnswer),
            route("GET", "/alerts", self.alerts, "What a human should look at", AlertPage, (r.INVALID_QUERY,), query=(is_open, *PAGE)),
            route("POST", "/alerts/{id}/close", self.close_alert, "Close an alert", AlertClosed, (r.ALERT_NOT_FOUND,), body=CloseRequest),
            route("GET", "/overview", self.overview, "The market at a glance", Overview),
            route("GET", "/log", self.log, "What operators did", LogPage, (r.INVALID_QUERY,), query=PAGE),
        ]  # fmt: skip

    # -- people and money ----------------------------------------------------------------------------------------------

    async def users(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        login = queries.text(call.query, "login")
        reader = self._market.reader
        total = reader.fetch("people_count", login=login)[0][0]
        rows = reader.fetch("people_page", login=login, limit=limit, offset=offset)
        return Reply(UserPage([_user(row) for row in rows], total, limit, offset))

    async def create_user(self, call: Call) -> Reply:
        request: UserRequest = call.body
        if "buyer" in request.roles and request.steamid64 is None:
            raise _bad("$.steamid64", "a buyer needs a steamid64")
        person_id = new_uuid7(self._market.clock.now_us())
        await self._market.desk.ask(
            commands.CreatePerson(
                call.login,
                person_id,
                request.login,
                pack_roles([Role(role) for role in request.roles]),
                request.first_name,
                request.last_name,
                request.avatar,
                request.steamid64,
            )
        )
        return Reply(self._one_user(person_id), status=201)

    async def user(self, call: Call) -> Reply:
        return Reply(self._one_user(call.path["id"]))

    async def change_user(self, call: Call) -> Reply:
        request: UserChange = call.body
        known = self._one_user(call.path["id"])
        roles = request.roles if request.roles is not None else known.roles
        if "buyer" in roles and request.steamid64 is None and known.steamid64 is None:
            raise _bad("$.steamid64", "a buyer needs a steamid64")
        await self._market.desk.ask(
            commands.ChangePerson(
                call.login,
                known.id,
                None if request.roles is None else pack_roles([Role(role) for role in request.roles]),
                request.disabled,
                request.frozen,
                request.steamid64,
                request.first_name,
                request.last_name,
                request.avatar,
            )
        )
        return Reply(self._one_user(known.id))

    async def user_keys(self, call: Call) -> Reply:
        return Reply(keys_of(self._market.reader, self._number(call)))

    async def create_user_key(self, call: Call) -> Reply:
        return Reply(await make_key(self._market, self._number(call), call.body.name, call.login), status=201)

    async def delete_user_key(self, call: Call) -> Reply:
        await self._market.desk.ask(commands.DeleteKey(self._number(call), call.body.name, call.login))
        return Reply(KeyNamed(call.body.name))

    async def deposit(self, call: Call) -> Reply:
        return await self._move(call, "deposit", call.body.amount)

    async def withdrawal(self, call: Call) -> Reply:
        return await self._move(call, "withdrawal", call.body.amount)

    async def adjustment(self, call: Call) -> Reply:
        request: AdjustmentRequest = call.body
        if request.amount == 0:
            raise _bad("$.amount", "an adjustment of nothing")
        trade_id = None if request.trade_id is None else canonical_uuid(request.trade_id)
        if request.trade_id is not None and (trade_id is None or not self._market.reader.fetch("trade_by_id", id=trade_id)):
            raise _bad("$.trade_id", "no such trade")
        return await self._move(call, "adjustment", request.amount, request.reason, trade_id)

    async def _move(self, call: Call, direction: str, amount: int, reason: str | None = None, trade_id: str | None = None) -> Reply:
        moved = await self._market.desk.ask(
            commands.MoveMoney(call.login, self._number(call), direction, amount, call.body.reference, reason, trade_id)
        )
        status = 200 if moved.pop("repeated") else 201
        return Reply(MoneyMoved(**moved), status=status)

    def _one_user(self, user_id: str) -> User:
        canonical = canonical_uuid(user_id)
        rows = self._market.reader.fetch("person_by_id", id=canonical) if canonical is not None else []
        if not rows:
            raise refusals.USER_NOT_FOUND()
        user = _user(rows[0])
        user.wallet = balance_of(self._market.reader, rows[0][0])
        return user

    def _number(self, call: Call) -> int:
        canonical = canonical_uuid(call.path["id"])
        rows = self._market.reader.fetch("person_by_id", id=canonical) if canonical is not None else []
        if not rows:
            raise refusals.USER_NOT_FOUND()
        return int(rows[0][0])

    # -- rooms and bots ------------------------------------------------------------------------------------------------

    async def rooms(self, call: Call) -> Reply:
        return Reply([self._room_view(row) for row in self._market.reader.fetch("load_rooms")])

    async def room(self, call: Call) -> Reply:
        return Reply(self._one_room(_room_number(call)))

    async def create_room(self, call: Call) -> Reply:
        made = await self._market.desk.ask(self._put_room(call, None))
        return Reply(self._one_room(made["id"]), status=201)

    async def put_room(self, call: Call) -> Reply:
        made = await self._market.desk.ask(self._put_room(call, _room_number(call)))
        return Reply(self._one_room(made["id"]))

    async def drop_room(self, call: Call) -> Reply:
        await self._market.desk.ask(commands.DropRoom(call.login, _room_number(call)))
        return Reply(RoomDeleted(_room_number(call)))

    def _put_room(self, call: Call, room_id: int | None) -> commands.PutRoom:
        request: RoomRequest = call.body
        if request.game_id is not None and not is_supported(request.game_id):
            raise _bad("$.game_id", "not one of " + ", ".join(map(str, GAMES)))
        if request.min_value is not None and request.max_value is not None and request.min_value > request.max_value:
            raise _bad("$.max_value", "below min_value")
        buyers = None if request.buyers is None else [self._buyer_number(text) for text in request.buyers]
        known_bots = {row[1]: row[0] for row in self._market.reader.fetch("bot_faces")}
        for steamid64 in request.bots or []:
            if steamid64 not in known_bots:
                raise _bad("$.bots", f"no bot {steamid64}")
        bots = None if request.bots is None else [known_bots[steamid64] for steamid64 in request.bots]
        return commands.PutRoom(
            call.login, room_id, request.name, request.game_id, request.min_value, request.max_value, buyers, bots,
            request.priority, request.enabled,
        )  # fmt: skip

    def _buyer_number(self, text: str) -> int:
        number = self._market.view.buyer_number(text)
        if number is not None:
            return number
        canonical = canonical_uuid(text)
        rows = self._market.reader.fetch("person_by_id", id=canonical) if canonical is not None else []
        if not rows:
            raise _bad("$.buyers", f"no user {text}")
        return int(rows[0][0])

    def _one_room(self, room_id: int) -> RoomView:
        found = [row for row in self._market.reader.fetch("load_rooms") if row[0] == room_id]
        if not found:
            raise refusals.ROOM_NOT_FOUND()
        return self._room_view(found[0])

    def _room_view(self, row: Row) -> RoomView:
        faces = {face[0]: face[1] for face in self._market.reader.fetch("bot_faces")}
        people = self._market.view.people
        buyers = None if row[5] is None else [people[number].steamid64 or people[number].id for number in json.loads(row[5])]
        bots = None if row[6] is None else [faces[number] for number in json.loads(row[6])]
        return RoomView(row[0], row[1], row[2], row[3], row[4], buyers, bots, row[7], bool(row[8]))

    async def bots(self, call: Call) -> Reply:
        return Reply(self._bot_views())

    async def bot(self, call: Call) -> Reply:
        return Reply(self._one_bot(call.path["steamid64"]))

    async def add_bot(self, call: Call) -> Reply:
        request: BotRequest = call.body
        try:
            guard_code(request.shared_secret, 0)
            guard_code(request.identity_secret, 0)
        except ValueError:
            raise _bad("$.shared_secret", "shared_secret and identity_secret are base64") from None
        _check_games(request.games)
        await self._market.desk.ask(bot_command(self._market.box.seal, call.login, request))
        return Reply(self._one_bot(request.steamid), status=201)

    async def change_bot(self, call: Call) -> Reply:
        request: BotChange = call.body
        games = None if request.games is UNSET else request.games
        _check_games(games)
        known = self._one_bot(call.path["steamid64"])
        number = next(row[0] for row in self._market.reader.fetch("bot_faces") if row[1] == known.steamid64)
        await self._market.desk.ask(
            commands.ChangeBot(
                call.login,
                number,
                enabled=request.enabled,
                profile_name=request.profile_name,
                avatar=request.avatar,
                games=games,
                all_games=request.games is None,
                live_offers_max=request.max_live_offers,
                seller_offers_max=request.max_offers_per_seller,
                items_max=request.max_items,
            )
        )
        return Reply(self._one_bot(known.steamid64))

    def _one_bot(self, steamid64: str) -> BotView:
        for view in self._bot_views():
            if view.steamid64 == steamid64:
                return view
        raise refusals.BOT_NOT_FOUND()

    def _bot_views(self) -> list[BotView]:
        real_us = self._market.clock.real_us()
        views = []
        for row in self._market.reader.fetch("bots_with_heartbeat"):
            face = self._market.face(row[0], row[1], row[3], row[4])
            healthy = bool(row[6]) and row[7] == BotState.OK and real_us - row[15] < FRESH_WITHIN_US
            games = None if row[5] is None else json.loads(row[5])
            views.append(
                BotView(
                    row[1],
                    row[2],
                    face.profile_name,
                    face.avatar,
                    games,
                    bool(row[6]),
                    row[7],
                    row[8],
                    wire_time(row[9]),
                    healthy,
                    row[10],
                    row[11],
                    row[12],
                    row[13],
                    row[14],
                )
            )
        return views

    # -- catalog -------------------------------------------------------------------------------------------------------

    async def catalog(self, call: Call) -> Reply:
        counts = {row[0]: row[1] for row in self._market.reader.fetch("catalog_counts")}
        return Reply([CatalogCount(game, name, counts.get(game, 0)) for game, name in GAMES.items()])

    async def import_catalog(self, call: Call) -> Reply:
        request: CatalogRequest = call.body
        if not is_supported(request.game_id):
            raise refusals.GAME_NOT_SUPPORTED()
        await asyncio.to_thread(_check_names, request.items)
        total = CatalogAnswer(0, 0, 0)
        items = list({line.market_hash_name: line.price for line in request.items}.items())
        for start in range(0, len(items), ORDERS_PER_TRANSACTION):
            counts = await self._market.desk.ask(
                commands.ImportItems(call.login, request.game_id, items[start : start + ORDERS_PER_TRANSACTION])
            )
            total.created += counts["created"]
            total.updated += counts["updated"]
            total.unchanged += counts["unchanged"]
        return Reply(total)

    # -- trades --------------------------------------------------------------------------------------------------------

    async def trades(self, call: Call) -> Reply:
        return Reply(await self._market.page(queries.trade_filter(call.query, seller=True), "seller"))

    async def trade(self, call: Call) -> Reply:
        trade_id = canonical_uuid(call.path["id"])
        if trade_id is None:
            raise refusals.TRADE_NOT_FOUND()
        trade = self._market.one_trade(trade_id, "seller")
        reader, people = self._market.reader, self._market.view.people
        row = reader.load("load_trades", [(trade_id,)])[0]
        evidence = [
            Evidence(wire_time(at), kind, json.loads(body) if body else None)
            for at, kind, body in reader.fetch("evidence_of", trade_id=trade_id)
        ]
        return Reply(
            OperatorTrade(trade, people[row[1]].login, people[row[2]].login, row[24], wire_time_or_none(row[25]), row[21], evidence)
        )

    def _action(self, action: str) -> Callable[[Call], Any]:
        async def act(call: Call) -> Reply:
            trade_id = canonical_uuid(call.path["id"])
            if trade_id is None:
                raise refusals.TRADE_NOT_FOUND()
            if action == "declare-rolled-back" and call.body.by is None:
                raise _bad("$.by", "'user' or 'bot'")
            done = await self._market.desk.ask(
                commands.OperateTrade(trade_id, call.login, action, call.body.reason, call.body.by, call.body.force)
            )
            return Reply(ActionAnswer(trade_id, done["status"]))

        return act

    # -- watching ------------------------------------------------------------------------------------------------------

    async def audit(self, call: Call) -> Reply:
        result = await self._market.read(run_audit)
        checks = [Check(check["name"], check["rows"]) for check in result.checks]
        return Reply(AuditAnswer(wire_time(self._market.clock.now_us()), checks, result.violations))

    async def alerts(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        is_open = queries.flag(call.query, "open")
        wanted = {"open": None if is_open is None else int(is_open)}

        def ask(reader: Reader) -> AlertPage:
            with reader.snapshot():
                total = reader.fetch("alerts_count", **wanted)[0][0]
                rows = reader.fetch("alerts_page", **wanted, limit=limit, offset=offset)
            alerts = [
                AlertView(row[0], row[1], row[2], row[3], row[4], wire_time(row[5]), wire_time_or_none(row[6]), row[7], row[8])
                for row in rows
            ]
            return AlertPage(alerts, total, limit, offset)

        return Reply(await self._market.read(ask))

    async def close_alert(self, call: Call) -> Reply:
        alert_id = canonical_uuid(call.path["id"])
        if alert_id is None:
            raise refusals.ALERT_NOT_FOUND()
        await self._market.desk.ask(commands.CloseAlert(call.login, alert_id, call.body.reason))
        return Reply(AlertClosed(alert_id))

    async def overview(self, call: Call) -> Reply:
        reader = self._market.reader
        sums = [StatusSum(*row) for row in reader.fetch("trades_by_status")]
        open_alerts = reader.fetch("alerts_count", open=1)[0][0]
        return Reply(Overview(wire_time(self._market.clock.now_us()), sums, self._bot_views(), open_alerts, self._market.view.seq))

    async def log(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        reader = self._market.reader
        total = reader.fetch("log_count")[0][0]
        rows = reader.fetch("log_page", limit=limit, offset=offset)
        return Reply(
            LogPage(
                [LogLine(row[0], wire_time(row[1]), row[2], row[3], row[4], json.loads(row[5])) for row in rows],
                total,
                limit,
                offset,
            )
        )


_ACTIONS = {
    "cancel": "Withdraw a processing trade: ends declined once Steam says so",
    "retry": "Try a processing trade again now; never a second send",
    "declare-accepted": "Declare that a stuck trade was exchanged",
    "declare-failed": "Declare that a trade with wrong or missing items failed: ends in error, released",
    "declare-completed": "Declare an accepted trade completed",
    "declare-rolled-back": "Declare an accepted trade rolled back, by the user or by the bot",
}


def _user(row: Row) -> User:
    person = dict(zip(PERSON_COLUMNS, row, strict=True))
    return User(
        person["id"], person["login"], person["first_name"], person["last_name"], person["avatar"], person["steamid64"],
        [role.value for role in unpack_roles(person["roles"])], bool(person["disabled"]), bool(person["frozen"]),
        wire_time(person["created_at"]),
    )  # fmt: skip


def _room_number(call: Call) -> int:
    text = call.path["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise refusals.ROOM_NOT_FOUND()
    return int(text)


def _check_names(items: list[CatalogLine]) -> None:
    for index, line in enumerate(items):
        if not acceptable_name(line.market_hash_name):
            raise _bad(f"$.items[{index}].market_hash_name", "not an item name")


def _check_games(games: list[int] | None) -> None:
    if games is not None and not all(is_supported(game) for game in games):
        raise _bad("$.games", "not all of " + ", ".join(map(str, GAMES)))


def bot_command(seal: Callable[[bytes], bytes], operator: str, request: BotRequest) -> commands.AddBot:
    """The command that adds a bot; its secrets are sealed before they leave this process."""
    credentials = Credentials(
        request.account_name, request.password, request.shared_secret, request.identity_secret, request.steamid
    )
    tokens = seal(msgspec.json.encode(Tokens(request.refresh_token, ""))) if request.refresh_token else None
    return commands.AddBot(
        operator, request.steamid, request.account_name, seal(msgspec.json.encode(credentials)), tokens, request.profile_name,
        request.avatar, request.games, request.max_live_offers, request.max_offers_per_seller, request.max_items,
    )  # fmt: skip
