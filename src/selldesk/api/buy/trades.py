"""`/api/buy/trades`: what a VIP buyer bought (contract C2)."""

from collections.abc import Callable
from typing import Any

from selldesk.api.market import Market
from selldesk.api.sell import trades_of_id, trades_of_steam_trade
from selldesk.kernel import refusals
from selldesk.people.roles import Role
from selldesk.store.rows import FoundTradeRow
from selldesk.store.store import Reader
from selldesk.trades.views import TradeData, TradePage
from selldesk.web import queries
from selldesk.web.parameters import BUYER_TRADE_FILTERS
from selldesk.web.routes import Call, Reply, RouteSpec


class PurchasesApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, buyer = refusals, (Role.BUYER,)

        def lookup(path: str, handler: Any, summary: str) -> RouteSpec:
            return RouteSpec(
                "GET", f"/api/buy/trades/{path}", handler, summary, buyer, TradeData,
                refusals=(r.TRADE_NOT_FOUND,), tag="Buy", lookup=r.TRADE_NOT_FOUND,
            )  # fmt: skip

        return [
            RouteSpec(
                "GET", "/api/buy/trades", self.trades, "Trades that bought for you", buyer, TradePage, query=BUYER_TRADE_FILTERS,
                refusals=(r.INVALID_QUERY,), tag="Buy",
            ),
            lookup("by-steam-tradeoffer-id/{tradeoffer_id:path}", self.by_offer_id, "One trade by Steam's trade offer id"),
            lookup("by-steam-trade-id/{trade_id:path}", self.by_steam_trade_id, "One trade by Steam's trade id"),
            lookup("by-id/{id:path}", self.by_id, "One trade by its UUID"),
        ]  # fmt: skip

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
