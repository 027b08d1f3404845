"""`/api/buy/deliveries` and `/api/buy/settings`: what is theirs on its way to them (people P4)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from selldesk.api.market import Market
from selldesk.deliveries.delivery import link_place, settings_place
from selldesk.deliveries.views import DeliveryData, DeliveryPage
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid
from selldesk.kernel.limits import CUSTOM_ID_CHARS_MAX, DELIVERY_REQUEST_ITEMS_MAX, MESSAGE_CHARS_MAX
from selldesk.kernel.refusals import bad_body
from selldesk.kernel.secretbox import CannotOpen
from selldesk.people.roles import Role
from selldesk.reads.deliveries import DeliveryFilter, deliveries, deliveries_page, one_delivery
from selldesk.steamwire.tradelink import parse_trade_link
from selldesk.trades.status import Status
from selldesk.web import queries
from selldesk.web.parameters import DATES, GAME, PAGE
from selldesk.web.routes import Call, Parameter, Reply, RouteSpec

ItemId = Annotated[str, Meta(min_length=1, max_length=64)]
Link = Annotated[str, Meta(max_length=512)]
_POSITION_DIGITS = 5

DELIVERY_STATUS = Parameter("status", {"type": "string", "enum": [one.value for one in Status]}, "Only deliveries in this status")
CUSTOM_ID = Parameter("custom_id", {"type": "string"}, "Only the parts of this request")
DELIVERY_FILTERS = (DELIVERY_STATUS, GAME, CUSTOM_ID, *DATES, *PAGE)


class DeliveryRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`tradelink`: null or left out: that of the settings."""

    custom_id: Annotated[str, Meta(min_length=1, max_length=CUSTOM_ID_CHARS_MAX)]
    items: Annotated[list[ItemId], Meta(min_length=1, max_length=DELIVERY_REQUEST_ITEMS_MAX)]
    tradelink: Link | None = None
    message: Annotated[str, Meta(max_length=MESSAGE_CHARS_MAX)] = ""


class DeliveriesMade(msgspec.Struct):
    deliveries: list[DeliveryData]


class BuyerSettings(msgspec.Struct):
    tradelink: str | None


class SettingsRequest(msgspec.Struct, forbid_unknown_fields=True):
    tradelink: Link | None


class DeliveriesApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, buyer, base = refusals, (Role.BUYER,), "/api/buy/deliveries"
        refused = (
            r.DELIVERY_EXISTS, r.ACCOUNT_FROZEN, r.TRADING_STOPPED, r.NO_TRADELINK, r.FOREIGN_TRADELINK, r.ITEM_TO_DELIVER_NOT_FOUND,
            r.ITEM_PROTECTED, r.ITEM_IN_DELIVERY, r.ITEM_MISSING, r.GAME_STOPPED, r.DELIVERY_LIMIT, r.DELIVERY_COOLDOWN,
        )  # fmt: skip
        unknown = r.DELIVERY_NOT_FOUND
        return [
            RouteSpec("GET", "/api/buy/settings", self.settings, "Where your deliveries go", buyer, BuyerSettings, tag="Buy"),
            RouteSpec(
                "PUT", "/api/buy/settings", self.put_settings, "Where your deliveries go from now on", buyer, BuyerSettings,
                body=SettingsRequest, refusals=(r.FOREIGN_TRADELINK,), tag="Buy",
            ),
            RouteSpec(
                "GET", base, self.deliveries, "Your deliveries", buyer, DeliveryPage, query=DELIVERY_FILTERS, refusals=(r.INVALID_QUERY,),
                tag="Buy",
            ),
            RouteSpec(
                "POST", base, self.create, "Have items handed over: one part a bot, game and hundred items", buyer, DeliveriesMade,
                body=DeliveryRequest, status=201, refusals=refused, tag="Buy",
            ),
            RouteSpec("GET", f"{base}/{{id}}", self.delivery, "One delivery with its history", buyer, DeliveryData, refusals=(unknown,), tag="Buy", lookup=unknown),
            RouteSpec(
                "POST", f"{base}/{{id}}/cancel", self.cancel, "Cancel a delivery that is not accepted yet", buyer, DeliveryData,
                refusals=(unknown, r.ITEM_WRONG_STATUS), tag="Buy", lookup=unknown,
            ),
        ]  # fmt: skip

    async def settings(self, call: Call) -> Reply:
        return Reply(BuyerSettings(await self._link_of(call.person)))

    async def put_settings(self, call: Call) -> Reply:
        link: str | None = call.body.tradelink
        partner = None if link is None else _partner_of(link, "$.tradelink")
        sealed = None if link is None else self._market.box.seal_link(link, settings_place(call.person))
        await self._market.act(call, Role.BUYER, commands.SetTradeLink(buyer=call.person, partner=partner, tradelink=sealed))
        return Reply(BuyerSettings(link))

    async def deliveries(self, call: Call) -> Reply:
        wanted, (limit, offset) = delivery_filter(call.query), queries.page(call.query)
        wanted.buyer = call.person
        return Reply(await self._market.read(lambda reader: deliveries_page(reader, self._market.showing, wanted, limit, offset)))

    async def delivery(self, call: Call) -> Reply:
        delivery_id = delivery_id_in(call)
        return Reply(await self._market.read(lambda reader: one_delivery(reader, self._market.showing, delivery_id, call.person)))

    async def create(self, call: Call) -> Reply:
        request: DeliveryRequest = call.body
        if "\0" in request.custom_id:
            raise bad_body("$.custom_id", "holds a NUL character")
        items = [_item_key(text, f"$.items[{place}]") for place, text in enumerate(request.items)]
        if len(set(items)) < len(items):
            raise bad_body("$.items", "names an item twice")
        link = request.tradelink
        if link is None:
            link = await self._link_of(call.person)
        partner = None if link is None else _partner_of(link, "$.tradelink")
        opened = await self._market.act(
            call,
            Role.BUYER,
            commands.OpenDelivery(
                buyer=call.person,
                custom_id=request.custom_id,
                items=items,
                partner=partner,
                tradelink=self._market.box.seal_link(link or "", link_place(call.person, request.custom_id)),
                message=request.message,
            ),
        )
        made = await self._market.read(lambda reader: deliveries(reader, self._market.showing, opened.ids))
        return Reply(DeliveriesMade(made), status=201)

    async def cancel(self, call: Call) -> Reply:
        delivery_id = delivery_id_in(call)
        await self._market.act(call, Role.BUYER, commands.CancelDelivery(buyer=call.person, delivery_id=delivery_id))
        return Reply(await self._market.read(lambda reader: one_delivery(reader, self._market.showing, delivery_id, call.person)))

    async def _link_of(self, person: int) -> str | None:
        sealed = await self._market.read(lambda reader: reader.value("buyer_tradelink", person=person))
        try:
            return None if sealed is None else self._market.box.open_link(sealed, settings_place(person))
        except CannotOpen:
            return None


def delivery_id_in(call: Call) -> str:
    """Refuses DELIVERY_NOT_FOUND."""
    delivery_id = canonical_uuid(call.path["id"])
    if delivery_id is None:
        raise refusals.DELIVERY_NOT_FOUND()
    return delivery_id


def delivery_filter(query: dict[str, str]) -> DeliveryFilter:
    """Refuses INVALID_QUERY."""
    status = query.get("status")
    if status is not None and status not in set(Status):
        raise refusals.INVALID_QUERY(name="status")
    return DeliveryFilter(
        None, status, queries.game(query), query.get("custom_id"), queries.moment(query, "date_from"), queries.moment(query, "date_to"),
        queries.moment(query, "updated_from"), queries.moment(query, "updated_to"),
    )  # fmt: skip


def _partner_of(link: str, where: str) -> str:
    """Refuses INVALID_BODY."""
    parsed = parse_trade_link(link)
    if parsed is None:
        raise bad_body(where, "is no trade link of Steam")
    return parsed.steamid64


def _item_key(text: str, where: str) -> tuple[str, int]:
    """`<trade_id>-<position>`. What can't be one is nobody's item: refuses ITEM_TO_DELIVER_NOT_FOUND."""
    trade_id, _, position = text.rpartition("-")
    canonical = canonical_uuid(trade_id)
    is_position = position.isascii() and position.isdigit() and len(position) < _POSITION_DIGITS and str(int(position)) == position
    if canonical is None or not is_position:
        raise refusals.ITEM_TO_DELIVER_NOT_FOUND(item_id=text)
    return canonical, int(position)
