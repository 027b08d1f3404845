"""`/api/operator/catalog`: the item names that the market knows (contract C4)."""

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta

from selldesk.api.market import Market
from selldesk.api.operator.guard import operator_route
from selldesk.catalog.games import GAMES, is_supported
from selldesk.catalog.names import acceptable_name
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.limits import (
    CATALOG_ITEMS_PER_CALL_MAX,
    LARGE_BODY_BYTES_MAX,
    ORDERS_PER_TRANSACTION,
    PRICE_MAX,
)
from selldesk.kernel.refusals import bad_body
from selldesk.people.roles import Role
from selldesk.web.routes import Call, Reply, RouteSpec


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


class CatalogApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        return [
            route("GET", "/catalog", self.catalog, "Known item names per game", list[CatalogCount]),
            route(
                "POST", "/catalog", self.import_catalog, "Import item names", CatalogAnswer, (r.GAME_NOT_SUPPORTED,),
                body=CatalogRequest, body_max=LARGE_BODY_BYTES_MAX, elements_max=8 * CATALOG_ITEMS_PER_CALL_MAX,
            ),
        ]  # fmt: skip

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
                commands.ImportItems(
                    operator=call.login, game=request.game_id, items=items[start : start + ORDERS_PER_TRANSACTION]
                ),
            )
            total.created += counts.created
            total.updated += counts.updated
            total.unchanged += counts.unchanged
        return Reply(total)


def _check_names(items: list[CatalogLine]) -> None:
    for index, line in enumerate(items):
        if not acceptable_name(line.market_hash_name):
            raise bad_body(f"$.items[{index}].market_hash_name", "not an item name")
