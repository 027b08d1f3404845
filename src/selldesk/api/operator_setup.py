"""`/api/operator/rooms|bots|catalog`: what an operator sets up (contract C4)."""

import asyncio
import json
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from selldesk.api import queries
from selldesk.api.market import Market
from selldesk.api.operating import Reason, ShortText, SteamId64, bad_body, operator_route
from selldesk.api.parameters import GAME, PAGE
from selldesk.api.routes import Call, Parameter, Reply, RouteSpec
from selldesk.bots.rooms import FRESH_WITHIN_US, BotState, room_of
from selldesk.catalog.games import GAMES, is_supported
from selldesk.catalog.names import acceptable_name
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid
from selldesk.kernel.limits import (
    CATALOG_ITEMS_PER_CALL_MAX,
    LARGE_BODY_BYTES_MAX,
    MONEY_MAX,
    ORDERS_PER_TRANSACTION,
    PRICE_MAX,
)
from selldesk.kernel.secretbox import CannotOpen, SecretBox, secrets_place, tokens_place
from selldesk.kernel.times import FAR_US, wire_time, wire_time_or_none
from selldesk.people.roles import Role
from selldesk.steam.session import Credentials, Tokens
from selldesk.steamwire.guard import is_secret
from selldesk.store.rows import BotFaceRow, BotRow, PersonRow
from selldesk.store.store import Reader


class RoomRequest(msgspec.Struct, forbid_unknown_fields=True):
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


class BotChange(msgspec.Struct, forbid_unknown_fields=True):
    enabled: bool | None = None
    profile_name: ShortText | None = None
    avatar: ShortText | None = None
    games: Annotated[list[int], Meta(min_length=1)] | UnsetType | None = UNSET
    """null: all games."""
    max_live_offers: Annotated[int, Meta(ge=1, le=1000)] | None = None
    max_offers_per_seller: Annotated[int, Meta(ge=1, le=1000)] | None = None
    max_items: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None


class BotSecrets(msgspec.Struct, forbid_unknown_fields=True):
    """What of a bot's secrets has changed; the rest stays. Secrets go in and never come out."""

    password: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    shared_secret: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    identity_secret: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    refresh_token: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None


class StockView(msgspec.Struct):
    """Items of one game: of processing sales, under Steam's protection, held for buyers, on their way to them; `max` together."""

    reserved: int
    protected: int
    held: int
    in_delivery: int
    max: int


class BotHealth(msgspec.Struct, array_like=True):
    """A bot as the store tells of it to operators."""

    number: int
    steamid64: str
    account_name: str
    profile_name: str | None
    avatar: str | None
    games: str | None
    enabled: int
    state: str
    state_reason: str | None
    state_since: int
    live_offers: int
    live_offers_max: int
    seller_offers_max: int
    items_held: int
    items_max: int
    last_good_real_us: int
    quarantined_until: int | None


class BotView(msgspec.Struct):
    """`state`: ok, limited, needs_login, restricted, quarantined or down, with its reason and since when. `quarantined_until`: when a
    restriction or quarantine ends by itself; null: until an operator enables the bot. `blocked_games`: where its inventory was full."""

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
    items: dict[str, StockView]
    """By game; `items_held` is the sum of what they hold."""


class BotItem(msgspec.Struct):
    """An asset in a bot's inventory. `item_id`: the buyer's item that it is; null: surplus, no sale brought it."""

    game_id: int
    contextid: str
    assetid: str
    classid: str | None
    instanceid: str
    market_hash_name: str | None
    amount: int
    tradable: bool
    item_id: str | None


class BotItemPage(msgspec.Struct):
    """As it was at `taken_at`. `missing`: buyers' items that were not there; `surplus`: assets that no sale brought."""

    items: list[BotItem]
    total: int
    limit: int
    offset: int
    taken_at: str | None
    is_asked_for: bool
    missing: int
    surplus: int


class StocktakeAsked(msgspec.Struct):
    steamid64: str


class DeclareRequest(msgspec.Struct, forbid_unknown_fields=True):
    reason: Reason


class ItemDeclared(msgspec.Struct):
    item_id: str


_SURPLUS = Parameter("surplus", {"type": "boolean"}, "Only what no sale brought (true), or only buyers' items (false)")
_ITEM_ACTIONS = {
    "declare-delivered": "Declare that an item that is held or missing was handed over by hand",
    "declare-found": "Declare that a missing item is back",
}


class CatalogLine(msgspec.Struct, forbid_unknown_fields=True):
    market_hash_name: str
    price: Annotated[int, Meta(ge=0, le=PRICE_MAX)] | None = None


class CatalogRequest(msgspec.Struct, forbid_unknown_fields=True):
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
            route("GET", "/bots/{steamid64}/items", self.bot_items, "The bot's inventory at its last stocktake", BotItemPage, (r.BOT_NOT_FOUND, r.INVALID_QUERY), query=(GAME, _SURPLUS, *PAGE)),
            route("POST", "/bots/{steamid64}/stocktake", self.stocktake, "Compare its inventory with the store now", StocktakeAsked, (r.BOT_NOT_FOUND,), status=202),
            *[
                route(
                    "POST", f"/items/{{item_id}}/{action}", self._declare(action), summary, ItemDeclared,
                    (r.ITEM_NOT_FOUND, r.ITEM_WRONG_STATUS), body=DeclareRequest,
                )
                for action, summary in _ITEM_ACTIONS.items()
            ],
            route("GET", "/catalog", self.catalog, "Known item names per game", list[CatalogCount]),
            route(
                "POST", "/catalog", self.import_catalog, "Import item names", CatalogAnswer, (r.GAME_NOT_SUPPORTED,),
                body=CatalogRequest, body_max=LARGE_BODY_BYTES_MAX, elements_max=8 * CATALOG_ITEMS_PER_CALL_MAX,
            ),
        ]  # fmt: skip

    async def rooms(self, call: Call) -> Reply:
        return Reply(await self._market.read(self._room_views))

    async def room(self, call: Call) -> Reply:
        return Reply(await self._one_room(_room_number(call)))

    async def create_room(self, call: Call) -> Reply:
        made = await self._market.act(call, Role.OPERATOR, await self._put_room(call, None))
        return Reply(await self._one_room(made["id"]), status=201)

    async def put_room(self, call: Call) -> Reply:
        made = await self._market.act(call, Role.OPERATOR, await self._put_room(call, _room_number(call)))
        return Reply(await self._one_room(made["id"]))

    async def drop_room(self, call: Call) -> Reply:
        await self._market.act(call, Role.OPERATOR, commands.DropRoom(call.login, _room_number(call)))
        return Reply(RoomDeleted(_room_number(call)))

    async def _put_room(self, call: Call, room_id: int | None) -> commands.PutRoom:
        request: RoomRequest = call.body
        if request.game_id is not None and not is_supported(request.game_id):
            raise bad_body("$.game_id", "not one of " + ", ".join(map(str, GAMES)))
        if request.min_value is not None and request.max_value is not None and request.min_value > request.max_value:
            raise bad_body("$.max_value", "below min_value")
        by_steamid64 = self._market.view.buyer_number

        def ask(reader: Reader) -> tuple[list[int] | None, list[int] | None]:
            buyers = None if request.buyers is None else [_buyer_number(reader, by_steamid64, text) for text in request.buyers]
            known_bots = {face.steamid64: face.number for face in reader.fetch_as(BotFaceRow, "bot_faces")}
            for steamid64 in request.bots or []:
                if steamid64 not in known_bots:
                    raise bad_body("$.bots", f"no bot {steamid64}")
            return buyers, None if request.bots is None else [known_bots[steamid64] for steamid64 in request.bots]

        buyers, bots = await self._market.read(ask)
        return commands.PutRoom(
            call.login, room_id, request.name, request.game_id, request.min_value, request.max_value, buyers, bots,
            request.priority, request.enabled,
        )  # fmt: skip

    async def _one_room(self, room_id: int) -> RoomView:
        for view in await self._market.read(self._room_views):
            if view.id == room_id:
                return view
        raise refusals.ROOM_NOT_FOUND()

    def _room_views(self, reader: Reader) -> list[RoomView]:
        with reader.snapshot():
            rooms = [room_of(row) for row in reader.fetch("load_rooms")]
            faces = {face.number: face.steamid64 for face in reader.fetch_as(BotFaceRow, "bot_faces")}
        people = self._market.view.people
        return [
            RoomView(
                room.id, room.name, room.game, room.min_value, room.max_value,
                None if room.buyers is None else [people[number].steamid64 or people[number].id for number in room.buyers],
                None if room.bots is None else [faces[number] for number in room.bots], room.priority, bool(room.enabled),
            )
            for room in rooms
        ]  # fmt: skip

    async def bots(self, call: Call) -> Reply:
        return Reply(await self._market.read(lambda reader: bot_views(self._market, reader)))

    async def bot(self, call: Call) -> Reply:
        return Reply(await self._one_bot(call.path["steamid64"]))

    async def add_bot(self, call: Call) -> Reply:
        request: BotRequest = call.body
        _check_secret("shared_secret", request.shared_secret)
        _check_secret("identity_secret", request.identity_secret)
        _check_games(request.games)
        await self._market.act(call, Role.OPERATOR, bot_command(self._market.box, call.login, request))
        return Reply(await self._one_bot(request.steamid), status=201)

    async def change_bot(self, call: Call) -> Reply:
        request: BotChange = call.body
        games = None if request.games is UNSET else request.games
        _check_games(games)
        number = await bot_number(self._market, call.path["steamid64"])
        await self._market.act(
            call,
            Role.OPERATOR,
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
            ),
        )
        return Reply(await self._one_bot(call.path["steamid64"]))

    async def put_secrets(self, call: Call) -> Reply:
        """Takes effect at the bot's next step; a login that was refused is tried again at once."""
        request: BotSecrets = call.body
        number = await bot_number(self._market, call.path["steamid64"])
        given = {name: value for name, value in msgspec.to_builtins(request).items() if value is not None}
        if not given:
            raise bad_body("$", "nothing changes")
        for name in ("shared_secret", "identity_secret"):
            _check_secret(name, given.get(name))
        box = self._market.box
        command = await self._market.read(lambda reader: secrets_command(box, call.login, reader, number, given))
        await self._market.act(call, Role.OPERATOR, command)
        return Reply(await self._one_bot(call.path["steamid64"]))

    async def bot_items(self, call: Call) -> Reply:
        number = await bot_number(self._market, call.path["steamid64"])
        limit, offset = queries.page(call.query)
        surplus = queries.flag(call.query, "surplus")
        wanted = {"bot": number, "game": queries.game(call.query), "surplus": None if surplus is None else int(surplus)}

        def ask(reader: Reader) -> BotItemPage:
            with reader.snapshot():
                total = reader.value("bot_items_count", **wanted)
                rows = reader.fetch("bot_items", **wanted, limit=limit, offset=offset)
                stood = reader.fetch("stocktake_of", bot=number)
            items = [
                BotItem(
                    game, contextid, assetid, classid or None, instanceid, name or None, amount, bool(tradable),
                    None if trade_id is None else f"{trade_id}-{position}",
                )
                for game, contextid, assetid, classid, instanceid, name, amount, tradable, trade_id, position in rows
            ]  # fmt: skip
            asked_at, done_at, missing, count = stood[0] if stood else (None, None, 0, 0)
            return BotItemPage(items, total, limit, offset, wire_time_or_none(done_at), asked_at is not None, missing, count)

        return Reply(await self._market.read(ask))

    async def stocktake(self, call: Call) -> Reply:
        number = await bot_number(self._market, call.path["steamid64"])
        await self._market.act(call, Role.OPERATOR, commands.AskStocktake(number, call.login))
        return Reply(StocktakeAsked(call.path["steamid64"]), status=202)

    def _declare(self, action: str) -> Callable[[Call], Any]:
        async def act(call: Call) -> Reply:
            command = commands.DeclareItem(call.login, call.path["item_id"], action, call.body.reason)
            done = await self._market.act(call, Role.OPERATOR, command)
            return Reply(ItemDeclared(done["item_id"]))

        return act

    async def _one_bot(self, steamid64: str) -> BotView:
        for view in await self._market.read(lambda reader: bot_views(self._market, reader)):
            if view.steamid64 == steamid64:
                return view
        raise refusals.BOT_NOT_FOUND()

    # -- catalog -------------------------------------------------------------------------------------------------------

    async def catalog(self, call: Call) -> Reply:
        counts: dict[int, int] = dict(await self._market.read(lambda reader: reader.fetch("catalog_counts")))
        return Reply([CatalogCount(game, name, counts.get(game, 0)) for game, name in GAMES.items()])

    async def import_catalog(self, call: Call) -> Reply:
        request: CatalogRequest = call.body
        if not is_supported(request.game_id):
            raise refusals.GAME_NOT_SUPPORTED()
        await asyncio.to_thread(_check_names, request.items)
        total = CatalogAnswer(0, 0, 0)
        items = list({line.market_hash_name: line.price for line in request.items}.items())
        for start in range(0, len(items), ORDERS_PER_TRANSACTION):
            counts = await self._market.act(
                call,
                Role.OPERATOR,
                commands.ImportItems(call.login, request.game_id, items[start : start + ORDERS_PER_TRANSACTION]),
            )
            total.created += counts["created"]
            total.updated += counts["updated"]
            total.unchanged += counts["unchanged"]
        return Reply(total)


def bot_views(market: Market, reader: Reader) -> list[BotView]:
    """All bots and their health, from one moment."""
    real_us, now = market.clock.real_us(), market.clock.now_us()
    blocked: dict[int, list[int]] = {}
    stock: dict[int, dict[int, dict[str, int]]] = {}
    with reader.snapshot():
        for bot, game in reader.fetch("standing_blocks", now=now, furthest=FAR_US):
            blocked.setdefault(bot, []).append(game)
        for bot, game, kind, items in reader.fetch("stock_by_kind"):
            stock.setdefault(bot, {}).setdefault(game, {})[kind] = items
        records = [BotHealth(*row) for row in reader.fetch("bots_with_heartbeat")]
    views = []
    for bot in records:
        face = market.face(bot.number, bot.steamid64, bot.profile_name, bot.avatar)
        fresh = real_us - bot.last_good_real_us < FRESH_WITHIN_US
        ends = bot.quarantined_until if bot.state in (BotState.QUARANTINED, BotState.RESTRICTED) else None
        by_game = stock.get(bot.number, {})
        views.append(
            BotView(
                bot.steamid64, bot.account_name, face.profile_name, face.avatar,
                None if bot.games is None else json.loads(bot.games), bool(bot.enabled), bot.state, bot.state_reason,
                wire_time(bot.state_since), bool(bot.enabled) and bot.state == BotState.OK and fresh, bot.live_offers,
                bot.live_offers_max, bot.seller_offers_max, bot.items_held, bot.items_max, wire_time_or_none(ends),
                blocked.get(bot.number, []), {str(game): _stock_view(by_game.get(game, {}), bot.items_max) for game in GAMES},
            )
        )  # fmt: skip
    return views


def _stock_view(kinds: dict[str, int], most: int) -> StockView:
    """What is missing or was handed over is taken from what is held; a missing item that is still protected, from that."""
    gone = kinds.get("missing", 0) + kinds.get("delivered", 0)
    held = kinds.get("held", 0) - gone
    protected = kinds.get("protected", 0) + min(0, held)
    return StockView(kinds.get("reserved", 0), max(0, protected), max(0, held), 0, most)


async def bot_number(market: Market, steamid64: str) -> int:
    """Refuses BOT_NOT_FOUND."""
    for number, known, *_ in await market.read(lambda reader: reader.fetch("bot_faces")):
        if known == steamid64:
            return int(number)
    raise refusals.BOT_NOT_FOUND()


def _buyer_number(reader: Reader, by_steamid64: Callable[[str], int | None], text: str) -> int:
    number = by_steamid64(text)
    if number is not None:
        return number
    canonical = canonical_uuid(text)
    people = reader.fetch_as(PersonRow, "person_by_id", id=canonical) if canonical is not None else []
    if not people:
        raise bad_body("$.buyers", f"no user {text}")
    return people[0].number


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
        raise bad_body(f"$.{name}", "not base64 of 20 bytes")


def _check_games(games: list[int] | None) -> None:
    if games is not None and not all(is_supported(game) for game in games):
        raise bad_body("$.games", "not all of " + ", ".join(map(str, GAMES)))


def secrets_command(
    box: SecretBox, operator: str, reader: Reader, number: int, given: dict[str, str]
) -> commands.ReplaceBotSecrets:
    """The command that changes some of a bot's secrets. Refuses BOT_SECRETS_UNREADABLE: those that stay were sealed with another key."""
    (record,) = reader.fetch_as(BotRow, "bot_record", number=number)
    refresh_token = given.pop("refresh_token", None)
    place, tokens_at = secrets_place(record.steamid64), tokens_place(record.steamid64)
    tokens = box.seal(msgspec.json.encode(Tokens(refresh_token, "")), tokens_at) if refresh_token else None
    if _opens(box, record.secrets, place):
        known = msgspec.json.decode(box.open(record.secrets, place), type=Credentials)
    elif {"shared_secret", "identity_secret"} <= given.keys() and ("password" in given or tokens is not None):
        known = Credentials(record.account_name, None, "", "", record.steamid64)
    else:
        raise refusals.BOT_SECRETS_UNREADABLE()
    changed = msgspec.structs.replace(known, **given)
    forgets_tokens = record.tokens is not None and not _opens(box, record.tokens, tokens_at)
    return commands.ReplaceBotSecrets(operator, number, box.seal(msgspec.json.encode(changed), place), tokens, forgets_tokens)


def _opens(box: SecretBox, sealed: bytes, place: str) -> bool:
    try:
        box.open(sealed, place)
    except CannotOpen:
        return False
    return True


def bot_command(box: SecretBox, operator: str, request: BotRequest) -> commands.AddBot:
    """The command that adds a bot; its secrets are sealed before they leave this process."""
    credentials = Credentials(
        request.account_name, request.password, request.shared_secret, request.identity_secret, request.steamid
    )
    tokens = None
    if request.refresh_token:
        tokens = box.seal(msgspec.json.encode(Tokens(request.refresh_token, "")), tokens_place(request.steamid))
    secrets = box.seal(msgspec.json.encode(credentials), secrets_place(request.steamid))
    return commands.AddBot(
        operator, request.steamid, request.account_name, secrets, tokens, request.profile_name, request.avatar, request.games, request.max_live_offers, request.max_offers_per_seller, request.max_items,
    )  # fmt: skip
