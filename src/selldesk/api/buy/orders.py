"""`/api/buy/orders`: what a VIP buyer wants (contract C2)."""

import asyncio
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from selldesk.api.market import Market
from selldesk.api.sell import Number
from selldesk.catalog.games import is_supported
from selldesk.desk.commands import OrderLine, PutOrders, WithdrawOrders
from selldesk.kernel import refusals
from selldesk.kernel.limits import LARGE_BODY_BYTES_MAX, ORDER_AMOUNT_MAX, ORDERS_PER_CALL_MAX, PRICE_MAX
from selldesk.kernel.times import wire_time
from selldesk.people.roles import Role
from selldesk.reads.limits import limits_of_market
from selldesk.store.rows import OrderRow
from selldesk.store.store import Reader
from selldesk.web import queries
from selldesk.web.bodies import decode_part
from selldesk.web.parameters import GAME, PAGE
from selldesk.web.routes import Call, Parameter, Reply, RouteSpec


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


_LINE_DECODER = msgspec.json.Decoder(OrderRequestLine)


_LINES_PER_SLICE = 500


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


class OrdersApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, buyer = refusals, (Role.BUYER,)
        orders = "/api/buy/orders"
        name = Parameter("market_hash_name", {"type": "string"}, "Only the order on this item")

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
        ]  # fmt: skip

    async def put_orders(self, call: Call) -> Reply:
        request: PutOrdersHead = call.body
        if not is_supported(request.game_id):
            raise refusals.GAME_NOT_SUPPORTED()
        numbers = self._market.view.catalog.game(request.game_id)
        limits = await self._market.read(limits_of_market)
        lines, rejected, keep = await read_lines(request.orders, numbers, limits.min_order_price.get(str(request.game_id), 1))
        counts = await self._market.desk.ask(
            PutOrders(buyer=call.person, game=request.game_id, replace=request.mode == "replace", lines=lines, keep=keep)
        )
        return Reply(PutOrdersAnswer(counts.created, counts.updated, counts.unchanged, counts.withdrawn, rejected))

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
        counts = await self._market.desk.ask(WithdrawOrders(buyer=call.person, game=request.game_id, items=items))
        return Reply(Withdrawn(counts.withdrawn))
