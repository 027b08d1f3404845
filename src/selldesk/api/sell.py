"""`/api/sell`: the Sell API of the document, and its search by JSON (readings R2, R3, R6)."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from selldesk.api.market import Market
from selldesk.book.matching import UNKNOWN_ITEM
from selldesk.catalog.games import is_supported
from selldesk.desk.commands import OpenItem, OpenTrade
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid, new_uuid7
from selldesk.kernel.limits import (
    BATCH_IDS_MAX,
    CUSTOM_ID_CHARS_MAX,
    MATCH_AMOUNT_MAX,
    MATCH_LINES_MAX,
    MESSAGE_CHARS_MAX,
    MONEY_MAX,
    PRICE_MAX,
    QUOTE_CHARS_MAX,
    TRADE_ITEMS_MAX,
)
from selldesk.kernel.refusals import Refusal
from selldesk.kernel.secretbox import link_place
from selldesk.kernel.times import SECOND_US, wire_time
from selldesk.people.roles import Role
from selldesk.steamwire.tradelink import parse_trade_link
from selldesk.store.rows import FoundExchangeRow, FoundTradeRow, StatusSumRow
from selldesk.store.store import Reader
from selldesk.trades.status import KNOWN_BY_STEAM_TRADE
from selldesk.trades.views import Dashboard, SelectedBot, TradeData, TradePage, dashboard
from selldesk.web import queries
from selldesk.web.parameters import GAME, TRADE_FILTERS
from selldesk.web.routes import Call, Handler, Reply, RouteSpec

Number = Annotated[int, Meta(ge=-MONEY_MAX, le=MONEY_MAX)]
SteamId = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,19})(?!\n)$")]


class MatchLine(msgspec.Struct):
    market_hash_name: str
    amount: Annotated[int, Meta(ge=1, le=MATCH_AMOUNT_MAX)] = 1


class MatchRequest(msgspec.Struct):
    game_id: Number
    items: Annotated[list[MatchLine], Meta(min_length=1, max_length=MATCH_LINES_MAX)]


class MatchedLine(msgspec.Struct, omit_defaults=True):
    """price 0: no matching buy order. `error`: the catalog doesn't know this name."""

    market_hash_name: str
    price: int
    amount: int
    error: str | UnsetType = UNSET


class MatchAnswer(msgspec.Struct):
    buyer_id: str | None
    items: list[MatchedLine]
    total_value: int
    quote_id: str | None
    quote_expires_at: str | None


class SellItem(msgspec.Struct):
    assetid: SteamId
    market_hash_name: str
    price: Annotated[int, Meta(ge=0, le=PRICE_MAX)]
    contextid: SteamId = "2"


class CreateRequest(msgspec.Struct):
    custom_id: Annotated[str, Meta(min_length=1, max_length=CUSTOM_ID_CHARS_MAX)]
    buyer_id: Annotated[str, Meta(max_length=64)]
    tradelink: Annotated[str, Meta(max_length=512)]
    game_id: Number
    items: Annotated[list[SellItem], Meta(min_length=1, max_length=TRADE_ITEMS_MAX)]
    message: Annotated[str, Meta(max_length=MESSAGE_CHARS_MAX)] = ""
    quote_id: Annotated[str, Meta(max_length=QUOTE_CHARS_MAX)] | None = None


class Summary(msgspec.Struct):
    items_count: int
    total_value: int


class CreatedTrade(msgspec.Struct):
    id: str
    status: str


class CreateAnswer(msgspec.Struct):
    trade_id: str
    custom_id: str
    summary: Summary
    processed_trade: CreatedTrade
    selected_bot: SelectedBot
    status: str


class SearchRequest(msgspec.Struct):
    """The filters of the list as JSON. Id lists may hold up to 2,000 entries each."""

    game_id: int | None = None
    status: Annotated[list[str], Meta(min_length=1)] | str | None = None
    date_from: str | None = None
    date_to: str | None = None
    updated_from: str | None = None
    updated_to: str | None = None
    price_min: int | None = None
    price_max: int | None = None
    custom_id: str | None = None
    custom_ids: Annotated[list[str], Meta(min_length=1, max_length=BATCH_IDS_MAX)] | None = None
    trade_ids: Annotated[list[str], Meta(min_length=1, max_length=BATCH_IDS_MAX)] | None = None
    steam_trade_offer_ids: Annotated[list[str], Meta(min_length=1, max_length=BATCH_IDS_MAX)] | None = None
    steam_trade_ids: Annotated[list[str], Meta(min_length=1, max_length=BATCH_IDS_MAX)] | None = None
    sort_by: str | None = None
    sort_direction: str | None = None
    limit: int | None = None
    offset: int | None = None


def _bad(path: str, message: str) -> refusals.Refusal:
    return refusals.INVALID_BODY(details=[{"path": path, "message": message}])


class SellApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        project = (Role.PROJECT,)
        r = refusals
        not_found = (r.TRADE_NOT_FOUND,)
        create_refusals = (
            r.ACCOUNT_FROZEN, r.GAME_NOT_SUPPORTED, r.GAME_STOPPED, r.SELLER_BLOCKED, r.SELLER_COOLDOWN, r.SELLER_LIMIT, r.PROJECT_LIMIT,
            r.BALANCE_TOO_LARGE, r.BUYER_MISMATCH, r.NO_BUY_ORDER, r.PRICE_EXCEEDS_ORDER, r.VALUE_NOT_POSITIVE, r.INSUFFICIENT_BALANCE,
            r.ASSET_IN_TRADE, r.NO_ROOM, r.NO_BOT, r.CUSTOM_ID_EXISTS, r.UNAVAILABLE, r.TRADING_STOPPED,
        )  # fmt: skip

        def lookup(path: str, handler: Handler, summary: str) -> RouteSpec:
            return RouteSpec(
                "GET",
                f"/api/sell/trades/{path}",
                handler,
                summary,
                project,
                TradeData,
                refusals=not_found,
                tag="Sell",
                lookup=r.TRADE_NOT_FOUND,
            )

        return [
            RouteSpec(
                "POST", "/api/sell/match", self.match, "What the best buyer pays for these items", project, MatchAnswer,
                body=MatchRequest, refusals=(r.GAME_NOT_SUPPORTED,), tag="Sell", is_fast=True,
            ),
            RouteSpec(
                "POST", "/api/sell/trades/create", self.create, "Sell items to the matched buyer", project, CreateAnswer,
                body=CreateRequest, status=201, refusals=create_refusals, tag="Sell", is_fast=True,
            ),
            RouteSpec(
                "GET", "/api/sell/trades", self.trades, "List trades", project, TradePage, query=TRADE_FILTERS,
                refusals=(r.INVALID_QUERY,), tag="Sell",
            ),
            RouteSpec(
                "POST", "/api/sell/trades/search", self.search, "List trades, filters as JSON", project, TradePage,
                body=SearchRequest, refusals=(r.INVALID_QUERY,), tag="Sell",
            ),
            RouteSpec(
                "GET", "/api/sell/trades/dashboard", self.dashboard, "Sums over all trades", project, Dashboard, query=(GAME,),
                refusals=(r.INVALID_QUERY,), tag="Sell",
            ),
            lookup("by-custom-id/{custom_id:path}", self.by_custom_id, "One trade by your custom_id (the rest of the path)"),
            lookup("by-steam-tradeoffer-id/{tradeoffer_id:path}", self.by_offer_id, "One trade by Steam's trade offer id"),
            lookup("by-steam-trade-id/{trade_id:path}", self.by_steam_trade_id, "One trade by Steam's trade id, with or without suffix"),
            lookup("by-id/{id:path}", self.by_id, "One trade by its UUID"),
        ]  # fmt: skip

    async def match(self, call: Call) -> Reply:
        """R2. One buyer answers the whole request; nothing is reserved."""
        request: MatchRequest = call.body
        if not is_supported(request.game_id):
            raise refusals.GAME_NOT_SUPPORTED()
        market = self._market
        view, person = market.view, call.person
        numbers = view.catalog.game(request.game_id)
        lines = [(numbers.get(line.market_hash_name, UNKNOWN_ITEM), line.amount) for line in request.items]
        match = view.match(person, request.game_id, lines)
        if match is None:
            answered = [_line(asked.market_hash_name, item, 0, 0) for asked, (item, _) in zip(request.items, lines, strict=True)]
            return Reply(MatchAnswer(None, answered, 0, None, None))
        answered = [
            MatchedLine(asked.market_hash_name, price, units) if units else _line(asked.market_hash_name, item, 0, 0)
            for asked, (item, _), (price, units) in zip(request.items, lines, match.fills, strict=True)
        ]
        expires_at = market.clock.now_us() + market.settings.quote_seconds * SECOND_US
        quote = view.quote(person, request.game_id, match, lines, expires_at)
        return Reply(MatchAnswer(view.people[match.buyer].steamid64, answered, match.payout, quote, wire_time(expires_at)))

    async def create(self, call: Call) -> Reply:
        """R3. 201 means: durably frozen, reserved, chosen, and the offer is on record as work to do."""
        request: CreateRequest = call.body
        market = self._market
        if request.custom_id in (".", "..") or not _printable(request.custom_id):
            raise _bad("$.custom_id", "control characters, '.' and '..' are not allowed")
        link = parse_trade_link(request.tradelink)
        if link is None:
            expected = "expected https://steamcommunity.com/tradeoffer/new/?partner=<digits>&token=<token>"
            raise _bad("$.tradelink", expected)
        if len({(item.contextid, item.assetid) for item in request.items}) != len(request.items):
            raise _bad("$.items", "the same asset is listed twice")
        now = market.clock.now_us()
        numbers = market.view.catalog.game(request.game_id)
        items = [
            OpenItem(
                numbers.get(item.market_hash_name, UNKNOWN_ITEM), item.market_hash_name, item.contextid, item.assetid, item.price
            )
            for item in request.items
        ]
        buyer = market.view.buyer_number(request.buyer_id)
        mismatch = market.view.is_mismatch(
            call.person, request.game_id, buyer, [item.item for item in items], request.quote_id, now
        )
        new_id = new_uuid7(now)
        opening = OpenTrade(
            trade_id=new_id,
            project=call.person,
            custom_id=request.custom_id,
            game=request.game_id,
            buyer=buyer,
            mismatch=mismatch,
            seller=link.steamid64,
            tradelink=market.box.seal_link(request.tradelink, link_place(new_id)),
            message=request.message,
            items=items,
        )
        try:
            opened = await market.desk.ask(opening)
        except Refusal as refusal:
            if refusal.code == refusals.BUYER_MISMATCH.code and buyer is not None and buyer != call.person:
                best, named = market.view.payouts(call.person, request.game_id, buyer, [item.item for item in items])
                refusal.details = (
                    [{"path": "buyer_id", "message": _MISMATCH_HELP.format(best=best, named=named)}] if best > named else None
                )
            raise
        trade_id = opened.trade_id
        bot = market.showing.face(opened.bot, opened.bot_steamid64, opened.bot_profile_name, opened.bot_avatar)
        answer = CreateAnswer(
            trade_id=trade_id,
            custom_id=request.custom_id,
            summary=Summary(opened.items_count, opened.value),
            processed_trade=CreatedTrade(trade_id, "processing"),
            selected_bot=bot,
            status="processing",
        )
        return Reply(answer, status=201)

    async def trades(self, call: Call) -> Reply:
        wanted = queries.trade_filter(call.query, seller=True)
        wanted.project = call.person
        return Reply(await self._market.page(wanted, "seller"))

    async def search(self, call: Call) -> Reply:
        """The list's filters as JSON: each value is read by the same rules as in the query."""
        query: dict[str, str] = {}
        for name, value in msgspec.structs.asdict(call.body).items():
            if value is not None and not isinstance(value, list):
                query[name] = str(value)
        wanted = queries.trade_filter(query, seller=True)
        body: SearchRequest = call.body
        if isinstance(body.status, list):
            wanted.statuses = queries.statuses({"status": ",".join(body.status)})
        wanted.custom_ids = body.custom_ids
        wanted.trade_ids = None if body.trade_ids is None else [canonical_uuid(one) or one for one in body.trade_ids]
        wanted.offer_ids = body.steam_trade_offer_ids
        wanted.steam_trade_ids = body.steam_trade_ids
        wanted.project = call.person
        return Reply(await self._market.page(wanted, "seller"))

    async def dashboard(self, call: Call) -> Reply:
        game = queries.game(call.query)
        rows = await self._market.read(
            lambda reader: reader.fetch_as(StatusSumRow, "sums_of_project", project=call.person, game=game)
        )
        return Reply(dashboard([(row.status, row.trades, row.value) for row in rows]))

    async def by_custom_id(self, call: Call) -> Reply:
        return await self._mine(
            call,
            lambda reader: reader.fetch_as(
                FoundTradeRow, "trade_by_custom_id", project=call.person, custom_id=call.path["custom_id"]
            ),
        )

    async def by_offer_id(self, call: Call) -> Reply:
        return await self._mine(
            call, lambda reader: reader.fetch_as(FoundTradeRow, "trade_by_offer_id", offer_id=call.path["tradeoffer_id"])
        )

    async def by_steam_trade_id(self, call: Call) -> Reply:
        return await self._mine(call, lambda reader: trades_of_steam_trade(reader, call.path["trade_id"]))

    async def by_id(self, call: Call) -> Reply:
        return await self._mine(call, lambda reader: trades_of_id(reader, call.path["id"]))

    async def _mine(self, call: Call, find: Callable[[Reader], list[FoundTradeRow]]) -> Reply:
        return Reply(await self._market.trade_of(call.person, "seller", find))


def trades_of_id(reader: Reader, text: str) -> list[FoundTradeRow]:
    trade_id = canonical_uuid(text)
    return reader.fetch_as(FoundTradeRow, "trade_by_id", id=trade_id) if trade_id is not None else []


def trades_of_steam_trade(reader: Reader, text: str) -> list[FoundTradeRow]:
    """`<steam trade id>` or `<steam trade id>_<seller>`; only statuses that have been exchanged are found this way (R6)."""
    bare, _, seller = text.partition("_")
    rows = reader.fetch_as(FoundExchangeRow, "trades_of_steam_trade", steam_trade_id=bare)
    return [
        FoundTradeRow(one.id, one.project, one.buyer)
        for one in rows
        if one.status in KNOWN_BY_STEAM_TRADE and ("_" not in text or one.seller == seller)
    ]


_MISMATCH_HELP = (
    "another buyer pays {best} for exactly these items, this one {named}; the quote_id of a match keeps a buyer for 30 s"
)


def _line(name: str, item: int, price: int, units: int) -> MatchedLine:
    if item == UNKNOWN_ITEM:
        return MatchedLine(name, 0, 0, f"Item not found: {name}")
    return MatchedLine(name, price, units)


def _printable(text: str) -> bool:
    """No control characters (U+0000 to U+001F, U+007F to U+009F)."""
    return not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text)
