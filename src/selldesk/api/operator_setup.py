"""`/api/operator/rooms|bots|catalog`: what an operator sets up (contract C4)."""

import asyncio
import json
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from selldesk.api.market import Market
from selldesk.api.operating import ShortText, SteamId64, bad_body, operator_route
from selldesk.api.routes import Call, Reply, RouteSpec
from selldesk.bots.rooms import FRESH_WITHIN_US, BotState
from selldesk.catalog.games import GAMES, is_supported
from selldesk.catalog.names import acceptable_name
from selldesk.desk import commands
from selldesk.desk.setup import BOT_COLUMNS
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid
from selldesk.kernel.limits import (
    CATALOG_ITEMS_PER_CALL_MAX,
    LARGE_BODY_BYTES_MAX,
    MONEY_MAX,
    ORDERS_PER_TRANSACTION,
    PRICE_MAX,
)
from selldesk.kernel.secretbox import CannotOpen, SecretBox
from selldesk.kernel.times import FAR_US, wire_time, wire_time_or_none
from selldesk.steam.session import Credentials, Tokens
from selldesk.steamwire.guard import is_secret
from selldesk.store.store import Reader, Row


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


class BotSecrets(msgspec.Struct):
    """What of a bot's secrets has changed; the rest stays. Secrets go in and never come out."""

    password: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    shared_secret: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    identity_secret: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    refresh_token: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None


class BotView(msgspec.Struct):
    """`state`: ok, limited, needs_login, quarantined or down, with its reason and since when. `quarantined_until` null: until an
    operator enables the bot. `blocked_games`: where its inventory was full."""

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
    quarantined_until: str | None
    blocked_games: list[int]


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


class OperatorSetupApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        return [
            route("GET", "/rooms", self.rooms, "Purchase rooms", list[RoomView]),
            route("POST", "/rooms", self.create_room, "Create a room", RoomView, (r.ROOM_NAME_TAKEN,), body=RoomRequest, status=201),
            route("GET", "/rooms/{id}", self.room, "One room", RoomView, (r.ROOM_NOT_FOUND,)),
            route("PUT", "/rooms/{id}", self.put_room, "Replace a room", RoomView, (r.ROOM_NOT_FOUND, r.ROOM_NAME_TAKEN), body=RoomRequest),
            route("DELETE", "/rooms/{id}", self.drop_room, "Delete a room", RoomDeleted, (r.ROOM_NOT_FOUND,)),
            route("GET", "/bots", self.bots, "Bots, their health and live offers", list[BotView]),
            route("POST", "/bots", self.add_bot, "Add a bot", BotView, (r.BOT_EXISTS,), body=BotRequest, status=201),
            route("GET", "/bots/{steamid64}", self.bot, "One bot", BotView, (r.BOT_NOT_FOUND,)),
            route("PATCH", "/bots/{steamid64}", self.change_bot, "Enable, disable, limits", BotView, (r.BOT_NOT_FOUND,), body=BotChange),
            route("PUT", "/bots/{steamid64}/secrets", self.put_secrets, "A changed password or authenticator", BotView, (r.BOT_NOT_FOUND, r.BOT_SECRETS_UNREADABLE), body=BotSecrets),
            route("GET", "/catalog", self.catalog, "Known item names per game", list[CatalogCount]),
            route(
                "POST", "/catalog", self.import_catalog, "Import item names", CatalogAnswer, (r.GAME_NOT_SUPPORTED,),
                body=CatalogRequest, body_max=LARGE_BODY_BYTES_MAX,
            ),
        ]  # fmt: skip

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
            raise bad_body("$.game_id", "not one of " + ", ".join(map(str, GAMES)))
        if request.min_value is not None and request.max_value is not None and request.min_value > request.max_value:
            raise bad_body("$.max_value", "below min_value")
        buyers = None if request.buyers is None else [self._buyer_number(text) for text in request.buyers]
        known_bots = {row[1]: row[0] for row in self._market.reader.fetch("bot_faces")}
        for steamid64 in request.bots or []:
            if steamid64 not in known_bots:
                raise bad_body("$.bots", f"no bot {steamid64}")
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
            raise bad_body("$.buyers", f"no user {text}")
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
        return Reply(bot_views(self._market))

    async def bot(self, call: Call) -> Reply:
        return Reply(self._one_bot(call.path["steamid64"]))

    async def add_bot(self, call: Call) -> Reply:
        request: BotRequest = call.body
        _check_secret("shared_secret", request.shared_secret)
        _check_secret("identity_secret", request.identity_secret)
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

    async def put_secrets(self, call: Call) -> Reply:
        """Takes effect at the bot's next step; a login that was refused is tried again at once."""
        request: BotSecrets = call.body
        known = self._one_bot(call.path["steamid64"])
        given = {name: value for name, value in msgspec.to_builtins(request).items() if value is not None}
        if not given:
            raise bad_body("$", "nothing changes")
        for name in ("shared_secret", "identity_secret"):
            _check_secret(name, given.get(name))
        box = self._market.box
        number = next(row[0] for row in self._market.reader.fetch("bot_faces") if row[1] == known.steamid64)
        await self._market.desk.ask(secrets_command(box, call.login, self._market.reader, number, given))
        return Reply(self._one_bot(known.steamid64))

    def _one_bot(self, steamid64: str) -> BotView:
        for view in bot_views(self._market):
            if view.steamid64 == steamid64:
                return view
        raise refusals.BOT_NOT_FOUND()

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


def bot_views(market: Market) -> list[BotView]:
    real_us = market.clock.real_us()
    blocked: dict[int, list[int]] = {}
    for bot, game in market.reader.fetch("standing_blocks", now=market.clock.now_us(), furthest=FAR_US):
        blocked.setdefault(bot, []).append(game)
    views = []
    for row in market.reader.fetch("bots_with_heartbeat"):
        face = market.face(row[0], row[1], row[3], row[4])
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
                wire_time_or_none(row[16]) if row[7] == BotState.QUARANTINED else None,
                blocked.get(row[0], []),
            )
        )
    return views


def _room_number(call: Call) -> int:
    text = call.path["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise refusals.ROOM_NOT_FOUND()
    return int(text)


def _check_names(items: list[CatalogLine]) -> None:
    for index, line in enumerate(items):
        if not acceptable_name(line.market_hash_name):
            raise bad_body(f"$.items[{index}].market_hash_name", "not an item name")


def _check_secret(name: str, value: str | None) -> None:
    if value is not None and not is_secret(value):
        raise bad_body(f"$.{name}", "not base64")


def _check_games(games: list[int] | None) -> None:
    if games is not None and not all(is_supported(game) for game in games):
        raise bad_body("$.games", "not all of " + ", ".join(map(str, GAMES)))


def secrets_command(
    box: SecretBox, operator: str, reader: Reader, number: int, given: dict[str, str]
) -> commands.ReplaceBotSecrets:
    """The command that changes some of a bot's secrets. Refuses BOT_SECRETS_UNREADABLE: those that stay were sealed with another key."""
    record = dict(zip(BOT_COLUMNS, reader.fetch("bot_record", number=number)[0], strict=True))
    refresh_token = given.pop("refresh_token", None)
    tokens = box.seal(msgspec.json.encode(Tokens(refresh_token, ""))) if refresh_token else None
    if _opens(box, record["secrets"]):
        known = msgspec.json.decode(box.open(record["secrets"]), type=Credentials)
    elif {"shared_secret", "identity_secret"} <= given.keys() and ("password" in given or tokens is not None):
        known = Credentials(record["account_name"], None, "", "", record["steamid64"])
    else:
        raise refusals.BOT_SECRETS_UNREADABLE()
    changed = msgspec.structs.replace(known, **given)
    forgets_tokens = record["tokens"] is not None and not _opens(box, record["tokens"])
    return commands.ReplaceBotSecrets(operator, number, box.seal(msgspec.json.encode(changed)), tokens, forgets_tokens)


def _opens(box: SecretBox, sealed: bytes) -> bool:
    try:
        box.open(sealed)
    except CannotOpen:
        return False
    return True


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
