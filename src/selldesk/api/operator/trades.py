"""`/api/operator/trades`: all sales, with what Steam said about them, and what an operator declares (contract C4)."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from selldesk.api.market import Market
from selldesk.api.operator.guard import operator_route
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid
from selldesk.kernel.refusals import bad_body
from selldesk.kernel.shapes import Reason
from selldesk.people.roles import Role
from selldesk.reads.trades import OperatorTrade, operator_trade
from selldesk.trades.views import TradePage
from selldesk.web import queries
from selldesk.web.parameters import TRADE_FILTERS
from selldesk.web.routes import Call, Reply, RouteSpec


class ActionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The reason is kept. `force`: a declaration against Steam's fresh word."""

    reason: Reason
    force: bool = False
    by: Literal["user", "bot"] | None = None


class ActionAnswer(msgspec.Struct):
    trade_id: str
    status: str


_ACTIONS = {
    "cancel": "Withdraw a processing trade: ends declined once Steam says so",
    "retry": "Try a processing trade again now; never a second send",
    "declare-accepted": "Declare that a processing trade was exchanged",
    "declare-failed": "Declare that nothing was exchanged: ends in error, released",
    "declare-completed": "Declare an accepted trade completed",
    "declare-rolled-back": "Declare an accepted trade rolled back, by the user or by the bot",
}


class TradesApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        return [
            route("GET", "/trades", self.trades, "All trades", TradePage, (r.INVALID_QUERY,), query=TRADE_FILTERS),
            route("GET", "/trades/{id}", self.trade, "One trade with history and Steam's evidence", OperatorTrade, (r.TRADE_NOT_FOUND,)),
            *[
                route(
                    "POST", f"/trades/{{id}}/{action}", self._action(action), summary, ActionAnswer,
                    (r.TRADE_NOT_FOUND, r.WRONG_STATUS, r.FORCE_REQUIRED), body=ActionRequest,
                )
                for action, summary in _ACTIONS.items()
            ],
        ]  # fmt: skip

    async def trades(self, call: Call) -> Reply:
        return Reply(await self._market.page(queries.trade_filter(call.query, seller=True), "seller"))

    async def trade(self, call: Call) -> Reply:
        trade_id = canonical_uuid(call.path["id"])
        if trade_id is None:
            raise refusals.TRADE_NOT_FOUND()
        return Reply(await self._market.read(lambda reader: operator_trade(reader, self._market.showing, trade_id)))

    def _action(self, action: str) -> Callable[[Call], Any]:
        async def act(call: Call) -> Reply:
            trade_id = canonical_uuid(call.path["id"])
            if trade_id is None:
                raise refusals.TRADE_NOT_FOUND()
            if action == "declare-rolled-back" and call.body.by is None:
                raise bad_body("$.by", "'user' or 'bot'")
            command = commands.OperateTrade(
                trade_id=trade_id,
                operator=call.login,
                action=action,
                reason=call.body.reason,
                by=call.body.by,
                force=call.body.force,
            )
            done = await self._market.act(call, Role.OPERATOR, command)
            return Reply(ActionAnswer(trade_id, done.status))

        return act
