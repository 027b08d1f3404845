"""`/api/buy/items`: what is theirs and where it lies (contract C2)."""

from typing import Literal

import msgspec

from selldesk.api.market import Market
from selldesk.kernel import refusals
from selldesk.kernel.times import wire_time_or_none
from selldesk.people.roles import Role
from selldesk.store.rows import BotFaceRow
from selldesk.store.store import Reader
from selldesk.web import queries
from selldesk.web.parameters import GAME, PAGE
from selldesk.web.routes import Call, Parameter, Reply, RouteSpec

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


OF_DELIVERY = Parameter("delivery_id", {"type": "string"}, "Only items that are in this delivery")


class HeldItemsApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, buyer = refusals, (Role.BUYER,)
        return [
            RouteSpec(
                "GET", "/api/buy/items", self.items, "What bots hold for you", buyer, HeldItemPage, query=(GAME, ITEM_STATE, OF_DELIVERY, *PAGE),
                refusals=(r.INVALID_QUERY,), tag="Buy",
            ),
        ]  # fmt: skip

    async def items(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        state = call.query.get("state")
        if state is not None and state not in ITEM_STATES:
            raise refusals.INVALID_QUERY(name="state")
        delivery = call.query.get("delivery_id")
        wanted = {"buyer": call.person, "game": queries.game(call.query), "state": state}

        def ask(reader: Reader) -> HeldItemPage:
            with reader.snapshot():
                if delivery is None:
                    total = reader.value("held_items_count", **wanted)
                elif state in (None, "in_delivery"):
                    total = reader.value("items_in_delivery_count", buyer=call.person, game=wanted["game"], delivery=delivery)
                else:
                    total = 0
                rows = reader.fetch("held_items_page", **wanted, delivery=delivery, limit=limit, offset=offset)
                faces = {face.number: face.steamid64 for face in reader.fetch_as(BotFaceRow, "bot_faces")}
            items = []
            for trade_id, position, new, context, old, name, game, price, bot, settlement, status, noted, delivery_id in rows:
                stands: ItemState = "protected" if status == "accepted" else "held" if delivery_id is None else "in_delivery"
                if noted == "missing":
                    stands = "missing"
                items.append(
                    HeldItem(
                        f"{trade_id}-{position}", new, context, old, name, game, trade_id, price, faces[bot],
                        wire_time_or_none(settlement), stands, delivery_id,
                    )
                )  # fmt: skip
            return HeldItemPage(items, total, limit, offset)

        return Reply(await self._market.read(ask))
