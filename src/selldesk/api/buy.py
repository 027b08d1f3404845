"""`/api/buy`: VIP buyers' orders, and what was bought for them (contract C2)."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from selldesk.api import queries
from selldesk.api.bodies import decode_part
from selldesk.api.market import Market, limits_of_market
from selldesk.api.parameters import BUYER_TRADE_FILTERS, GAME, PAGE
from selldesk.api.routes import Call, Parameter, Reply, RouteSpec
from selldesk.api.sell import Number, trades_of_id, trades_of_steam_trade
from selldesk.catalog.games import is_supported
from selldesk.desk.commands import OrderLine, PutOrders, WithdrawOrders
from selldesk.kernel import refusals
from selldesk.kernel.limits import LARGE_BODY_BYTES_MAX, ORDER_AMOUNT_MAX, ORDERS_PER_CALL_MAX, PRICE_MAX
from selldesk.kernel.times import wire_time, wire_time_or_none
from selldesk.people.roles import Role
from selldesk.store.rows import BotFaceRow, FoundTradeRow, OrderRow
from selldesk.store.store import Reader
from selldesk.trades.views import TradeData, TradePage


class OrderRequestLine(msgspec.Struct):
    market_hash_name: str
    price: int
    amount: int


class PutOrdersRequest(msgspec.Struct):
    """`merge` creates and changes what is listed; `replace` also withdraws the orders of that game that are not listed."""

    game_id: Number
    mode: Literal["merge", "replace"]
    orders: Annotated[list[OrderRequestLine], Meta(min_length=1, max_length=ORDERS_PER_CALL_MAX)]


class PutOrdersHead(msgspec.Struct):
    """The same with its lines left raw: 50,000 of them are decoded in slices, with other requests in between."""

    game_id: Number
    mode: Literal["merge", "replace"]
    orders: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=ORDERS_PER_CALL_MAX)]


class RejectedLine(msgspec.Struct):
    index: int
    market_hash_name: str
    error: str


class PutOrdersAnswer(msgspec.Struct):
    created: int
    updated: int
    unchanged: int
    withdrawn: int
    rejected: list[RejectedLine]


class OrderView(msgspec.Struct):
    game_id: int
    market_hash_name: str
    price: int
    amount: int
    remaining: int
    updated_at: str


class OrderPage(msgspec.Struct):
    orders: list[OrderView]
    total: int
    limit: int
    offset: int


class WithdrawRequest(msgspec.Struct):
    """Without names: all orders of the game."""

    game_id: Number
    market_hash_names: Annotated[list[str], Meta(min_length=1, max_length=ORDERS_PER_CALL_MAX)] | None = None


class Withdrawn(msgspec.Struct):
    withdrawn: int


ItemState = Literal["protected", "held", "in_delivery", "missing"]


class HeldItem(msgspec.Struct):
    """`item_id` is the stable handle: asset ids repeat across games and change. `assetid` and `contextid`: in the bot's inventory, null
    until known. `state`: 'protected' until Steam's settlement, then 'held'; 'missing': not in the bot's inventory at two readings."""

    item_id: str
    assetid: str | None
    contextid: str | None
    seller_assetid: str
    market_hash_name: str
    game_id: int
    trade_id: str
    price: int
    bot: str
    tradable_at: str | None
    state: ItemState
    delivery_id: str | None


class HeldItemPage(msgspec.Struct):
    items: list[HeldItem]
    total: int
    limit: int
    offset: int


ITEM_STATES = ("protected", "held", "in_delivery", "missing")
ITEM_STATE = Parameter("state", {"type": "string", "enum": list(ITEM_STATES)}, "Only items in this state")
_LINE_DECODER = msgspec.json.Decoder(OrderRequestLine)
_LINES_PER_SLICE = 500


class BuyApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, buyer = refusals, (Role.BUYER,)
        orders = "/api/buy/orders"
        name = Parameter("market_hash_name", {"type": "string"}, "Only the order on this item")

        def lookup(path: str, handler: Any, summary: str) -> RouteSpec:
            return RouteSpec(
                "GET", f"/api/buy/trades/{path}", handler, summary, buyer, TradeData,
                refusals=(r.TRADE_NOT_FOUND,), tag="Buy", lookup=r.TRADE_NOT_FOUND,
            )  # fmt: skip

        return [
            RouteSpec(
                "PUT", orders, self.put_orders, "Create or change buy orders, up to 50,000 a call", buyer, PutOrdersAnswer,
                body=PutOrdersRequest, wire=PutOrdersHead, refusals=(r.GAME_NOT_SUPPORTED, r.LIST_SUPERSEDED, r.UNAVAILABLE), tag="Buy", body_max=LARGE_BODY_BYTES_MAX, elements_max=8 * ORDERS_PER_CALL_MAX,
            ),
            RouteSpec(
                "GET", orders, self.orders, "Your buy orders", buyer, OrderPage, query=(GAME, name, *PAGE),
                refusals=(r.INVALID_QUERY,), tag="Buy",
            ),
            RouteSpec(
                "DELETE", orders, self.withdraw, "Withdraw orders of a game, all or by name", buyer, Withdrawn, body=WithdrawRequest,
                refusals=(r.GAME_NOT_SUPPORTED, r.LIST_SUPERSEDED), tag="Buy", body_max=LARGE_BODY_BYTES_MAX, elements_max=8 * ORDERS_PER_CALL_MAX,
            ),
            RouteSpec(
                "GET", "/api/buy/trades", self.trades, "Trades that bought for you", buyer, TradePage, query=BUYER_TRADE_FILTERS,
                refusals=(r.INVALID_QUERY,), tag="Buy",
            ),
            lookup("by-steam-tradeoffer-id/{tradeoffer_id:path}", self.by_offer_id, "One trade by Steam's trade offer id"),
            lookup("by-steam-trade-id/{trade_id:path}", self.by_steam_trade_id, "One trade by Steam's trade id"),
            lookup("by-id/{id:path}", self.by_id, "One trade by its UUID"),
            RouteSpec(
                "GET", "/api/buy/items", self.items, "What bots hold for you", buyer, HeldItemPage, query=(GAME, ITEM_STATE, *PAGE),
                refusals=(r.INVALID_QUERY,), tag="Buy",
            ),
        ]  # fmt: skip

    async def put_orders(self, call: Call) -> Reply:
        request: PutOrdersHead = call.body
        if not is_supported(request.game_id):
            raise refusals.GAME_NOT_SUPPORTED()
        numbers = self._market.view.catalog.game(request.game_id)
        limits = await self._market.read(limits_of_market)
        lines, rejected, keep = await read_lines(request.orders, numbers, limits.min_order_price.get(str(request.game_id), 1))
        counts = await self._market.desk.ask(PutOrders(call.person, request.game_id, request.mode == "replace", lines, keep))
        return Reply(PutOrdersAnswer(counts["created"], counts["updated"], counts["unchanged"], counts["withdrawn"], rejected))

    async def orders(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        wanted = {"buyer": call.person, "game": queries.game(call.query), "name": queries.text(call.query, "market_hash_name")}

        def ask(reader: Reader) -> OrderPage:
            with reader.snapshot():
                total = reader.value("orders_count", **wanted)
                rows = reader.fetch_as(OrderRow, "orders_page", **wanted, limit=limit, offset=offset)
            lines = [OrderView(one.game, one.name, one.price, one.amount, one.remaining, wire_time(one.updated_at)) for one in rows]
            return OrderPage(lines, total, limit, offset)

        return Reply(await self._market.read(ask))

    async def withdraw(self, call: Call) -> Reply:
        request: WithdrawRequest = call.body
        if not is_supported(request.game_id):
            raise refusals.GAME_NOT_SUPPORTED()
        items: list[int] | None = None
        if request.market_hash_names is not None:
            numbers = self._market.view.catalog.game(request.game_id)
            items = sorted({numbers[name] for name in request.market_hash_names if name in numbers})
        counts = await self._market.desk.ask(WithdrawOrders(call.person, request.game_id, items))
        return Reply(Withdrawn(counts["withdrawn"]))

    async def trades(self, call: Call) -> Reply:
        wanted = queries.trade_filter(call.query, seller=False)
        wanted.buyer = call.person
        return Reply(await self._market.page(wanted, "buyer"))

    async def by_offer_id(self, call: Call) -> Reply:
        return await self._mine(
            call, lambda reader: reader.fetch_as(FoundTradeRow, "trade_by_offer_id", offer_id=call.path["tradeoffer_id"])
        )

    async def by_steam_trade_id(self, call: Call) -> Reply:
        return await self._mine(call, lambda reader: trades_of_steam_trade(reader, call.path["trade_id"]))

    async def by_id(self, call: Call) -> Reply:
        return await self._mine(call, lambda reader: trades_of_id(reader, call.path["id"]))

    async def _mine(self, call: Call, find: Callable[[Reader], list[FoundTradeRow]]) -> Reply:
        return Reply(await self._market.trade_of(call.person, "buyer", find))

    async def items(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        state = call.query.get("state")
        if state is not None and state not in ITEM_STATES:
            raise refusals.INVALID_QUERY(name="state")
        wanted = {"buyer": call.person, "game": queries.game(call.query), "state": state}

        def ask(reader: Reader) -> HeldItemPage:
            with reader.snapshot():
                total = reader.value("held_items_count", **wanted)
                rows = reader.fetch("held_items_page", **wanted, limit=limit, offset=offset)
                faces = {face.number: face.steamid64 for face in reader.fetch_as(BotFaceRow, "bot_faces")}
            items = []
            for trade_id, position, new, context, old, name, game, price, bot, settlement, status, noted in rows:
                stands: ItemState = "missing" if noted == "missing" else "protected" if status == "accepted" else "held"
                items.append(
                    HeldItem(
                        f"{trade_id}-{position}", new, context, old, name, game, trade_id, price, faces[bot],
                        wire_time_or_none(settlement), stands, None,
                    )
                )  # fmt: skip
            return HeldItemPage(items, total, limit, offset)

        return Reply(await self._market.read(ask))


async def read_lines(
    orders: list[msgspec.Raw], numbers: dict[str, int], price_min: int = 1
) -> tuple[list[OrderLine], list[RejectedLine], list[int]]:
    """(good lines, rejected ones, items whose line was rejected). A name listed twice: the later line is rejected.

    Refuses INVALID_BODY. In slices on the event loop, not in a thread: two threads that both need the interpreter wait 5 ms for each other.
    """
    lines: list[OrderLine] = []
    rejected: list[RejectedLine] = []
    keep: list[int] = []
    listed: set[str] = set()
    for index, raw in enumerate(orders):
        if index % _LINES_PER_SLICE == _LINES_PER_SLICE - 1:
            await asyncio.sleep(0)
        order: OrderRequestLine = decode_part(_LINE_DECODER, raw, f"$.orders[{index}]")
        name = order.market_hash_name
        item = numbers.get(name)
        if name in listed:
            error = "This item is listed twice"
        elif item is None:
            error = f"Item not found: {name}"
        elif not 1 <= order.price <= PRICE_MAX:
            error = f"price must be between 1 and {PRICE_MAX}"
        elif order.price < price_min:
            error = f"price is below the minimum of {price_min}"
        elif not 1 <= order.amount <= ORDER_AMOUNT_MAX:
            error = f"amount must be between 1 and {ORDER_AMOUNT_MAX}"
        else:
            listed.add(name)
            lines.append(OrderLine(item, order.price, order.amount))
            continue
        listed.add(name)
        rejected.append(RejectedLine(index, name, error))
        if item is not None:
            keep.append(item)
    return lines, rejected, keep
