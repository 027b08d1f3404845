"""`/api/operator/deliveries`: all deliveries, with what Steam said about them, and what an operator declares (people P4)."""

from collections.abc import Callable
from typing import Any

import msgspec

from selldesk.api.buy.deliveries import DELIVERY_FILTERS, delivery_filter, delivery_id_in
from selldesk.api.market import Market
from selldesk.api.operator.guard import operator_route
from selldesk.api.operator.trades import ActionRequest
from selldesk.deliveries.views import DeliveryPage
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.refusals import TRADE_NOT_FOUND, Refusal, bad_body
from selldesk.people.roles import Role
from selldesk.reads.deliveries import OperatorDelivery, deliveries_page, operator_delivery
from selldesk.web import queries
from selldesk.web.routes import Call, Reply, RouteSpec


class DeliveryActionAnswer(msgspec.Struct):
    delivery_id: str
    status: str


_ACTIONS = {
    "cancel": "Withdraw a processing delivery: ends declined once Steam says so",
    "retry": "Try a processing delivery again now; never a second send",
    "declare-accepted": "Declare that the buyer has the items",
    "declare-failed": "Declare that nothing was handed over: ends in error, the items are held",
    "declare-completed": "Declare an accepted delivery completed",
    "declare-rolled-back": "Declare an accepted delivery rolled back, by the user or by the bot",
}


class OperatorDeliveriesApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        return [
            route("GET", "/deliveries", self.deliveries, "All deliveries", DeliveryPage, (r.INVALID_QUERY,), query=DELIVERY_FILTERS),
            route(
                "GET", "/deliveries/{id}", self.delivery, "One delivery with history and Steam's evidence", OperatorDelivery,
                (r.DELIVERY_NOT_FOUND,),
            ),
            *[
                route(
                    "POST", f"/deliveries/{{id}}/{action}", self._action(action), summary, DeliveryActionAnswer,
                    (r.DELIVERY_NOT_FOUND, r.ITEM_WRONG_STATUS, r.FORCE_REQUIRED), body=ActionRequest,
                )
                for action, summary in _ACTIONS.items()
            ],
        ]  # fmt: skip

    async def deliveries(self, call: Call) -> Reply:
        wanted, (limit, offset) = delivery_filter(call.query), queries.page(call.query)
        return Reply(await self._market.read(lambda reader: deliveries_page(reader, self._market.showing, wanted, limit, offset)))

    async def delivery(self, call: Call) -> Reply:
        delivery_id = delivery_id_in(call)
        return Reply(await self._market.read(lambda reader: operator_delivery(reader, self._market.showing, delivery_id)))

    def _action(self, action: str) -> Callable[[Call], Any]:
        async def act(call: Call) -> Reply:
            delivery_id = delivery_id_in(call)
            await self._market.read(lambda reader: operator_delivery(reader, self._market.showing, delivery_id))
            if action == "declare-rolled-back" and call.body.by is None:
                raise bad_body("$.by", "'user' or 'bot'")
            command = commands.OperateTrade(
                trade_id=delivery_id,
                operator=call.login,
                action=action,
                reason=call.body.reason,
                by=call.body.by,
                force=call.body.force,
            )
            try:
                done = await self._market.act(call, Role.OPERATOR, command)
            except Refusal as refusal:
                raise refusals.DELIVERY_NOT_FOUND() if refusal.code == TRADE_NOT_FOUND.code else refusal from None
            return Reply(DeliveryActionAnswer(delivery_id, done.status))

        return act
