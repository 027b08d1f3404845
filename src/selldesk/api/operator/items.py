"""`/api/operator/bots/{steamid64}/items|stocktake`, `/api/operator/items`: what a bot holds, and what an operator knows better (contract C4)."""

from collections.abc import Callable
from typing import Any

import msgspec

from selldesk.api.market import Market
from selldesk.api.operator.bots import bot_number
from selldesk.api.operator.guard import operator_route
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.shapes import Reason
from selldesk.kernel.times import wire_time_or_none
from selldesk.people.roles import Role
from selldesk.store.store import Reader
from selldesk.web import queries
from selldesk.web.parameters import GAME, PAGE
from selldesk.web.routes import Call, Parameter, Reply, RouteSpec


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


class ItemsApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        return [
            route("GET", "/bots/{steamid64}/items", self.bot_items, "The bot's inventory at its last stocktake", BotItemPage, (r.BOT_NOT_FOUND, r.INVALID_QUERY), query=(GAME, _SURPLUS, *PAGE)),
            route("POST", "/bots/{steamid64}/stocktake", self.stocktake, "Compare its inventory with the store now", StocktakeAsked, (r.BOT_NOT_FOUND,), status=202),
            *[
                route(
                    "POST", f"/items/{{item_id}}/{action}", self._declare(action), summary, ItemDeclared,
                    (r.ITEM_NOT_FOUND, r.ITEM_WRONG_STATUS), body=DeclareRequest,
                )
                for action, summary in _ITEM_ACTIONS.items()
            ],
        ]  # fmt: skip

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
        await self._market.act(call, Role.OPERATOR, commands.AskStocktake(bot=number, operator=call.login))
        return Reply(StocktakeAsked(call.path["steamid64"]), status=202)

    def _declare(self, action: str) -> Callable[[Call], Any]:
        async def act(call: Call) -> Reply:
            command = commands.DeclareItem(
                operator=call.login, item_id=call.path["item_id"], action=action, reason=call.body.reason
            )
            await self._market.act(call, Role.OPERATOR, command)
            return Reply(ItemDeclared(command.item_id))

        return act
