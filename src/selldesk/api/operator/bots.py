"""`/api/operator/bots`: their records, health and secrets (contract C4)."""

import json
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from selldesk.api.market import Market
from selldesk.api.operator.guard import ShortText, SteamId64, bad_body, operator_route
from selldesk.bots.rooms import FRESH_WITHIN_US, BotState
from selldesk.catalog.games import GAMES, is_supported
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.secretbox import CannotOpen, SecretBox, secrets_place, tokens_place
from selldesk.kernel.times import FAR_US, wire_time, wire_time_or_none
from selldesk.people.roles import Role
from selldesk.steam.session import Credentials, Tokens
from selldesk.steamwire.guard import is_secret
from selldesk.store.rows import BotHealthRow, BotRow
from selldesk.store.store import Reader
from selldesk.web.routes import Call, Reply, RouteSpec


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


async def bot_number(market: Market, steamid64: str) -> int:
    """Refuses BOT_NOT_FOUND."""
    for number, known, *_ in await market.read(lambda reader: reader.fetch("bot_faces")):
        if known == steamid64:
            return int(number)
    raise refusals.BOT_NOT_FOUND()


class BotsApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        return [
            route("GET", "/bots", self.bots, "Bots, their health and live offers", list[BotView]),
            route("POST", "/bots", self.add_bot, "Add a bot", BotView, (r.BOT_EXISTS,), body=BotRequest, status=201),
            route("GET", "/bots/{steamid64}", self.bot, "One bot", BotView, (r.BOT_NOT_FOUND,)),
            route("PATCH", "/bots/{steamid64}", self.change_bot, "Enable, disable, limits", BotView, (r.BOT_NOT_FOUND,), body=BotChange),
            route("PUT", "/bots/{steamid64}/secrets", self.put_secrets, "A changed password or authenticator", BotView, (r.BOT_NOT_FOUND, r.BOT_SECRETS_UNREADABLE), body=BotSecrets),
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
                operator=call.login,
                number=number,
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
            raise bad_body("$", "the body changes nothing")
        for name in ("shared_secret", "identity_secret"):
            _check_secret(name, given.get(name))
        box = self._market.box
        command = await self._market.read(lambda reader: secrets_command(box, call.login, reader, number, given))
        await self._market.act(call, Role.OPERATOR, command)
        return Reply(await self._one_bot(call.path["steamid64"]))

    async def _one_bot(self, steamid64: str) -> BotView:
        for view in await self._market.read(lambda reader: bot_views(self._market, reader)):
            if view.steamid64 == steamid64:
                return view
        raise refusals.BOT_NOT_FOUND()


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
        records = reader.fetch_as(BotHealthRow, "bots_with_heartbeat")
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


def _check_secret(name: str, value: str | None) -> None:
    if value is not None and not is_secret(value):
        raise bad_body(f"$.{name}", "not base64 of 20 bytes")


def _check_games(games: list[int] | None) -> None:
    if games is not None and not all(is_supported(game) for game in games):
        raise bad_body("$.games", "expected only these games: " + ", ".join(map(str, GAMES)))


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
    return commands.ReplaceBotSecrets(
        operator=operator,
        number=number,
        secrets=box.seal(msgspec.json.encode(changed), place),
        tokens=tokens,
        forgets_tokens=forgets_tokens,
    )


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
        operator=operator, steamid64=request.steamid, account_name=request.account_name, secrets=secrets, tokens=tokens, profile_name=request.profile_name, avatar=request.avatar, games=request.games, live_offers_max=request.max_live_offers, seller_offers_max=request.max_offers_per_seller, items_max=request.max_items,
    )  # fmt: skip
