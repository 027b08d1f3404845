"""`/api/operator/trading`: the market's own brake (contract C4)."""

import msgspec

from selldesk.api.market import Market
from selldesk.api.operator.guard import operator_route
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.shapes import Reason
from selldesk.people.roles import Role
from selldesk.web.routes import Call, Reply, RouteSpec


class StopRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`history_lost`: a backup was put back, so Steam may know more than the store: every bot is looked at before trading goes on."""

    reason: Reason
    history_lost: bool = False


class ResumeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """After a loss of history every bot must have been looked at and every alert about an unknown offer closed; `force` goes on
    without."""

    reason: Reason
    force: bool = False


class TradingState(msgspec.Struct):
    stopped: bool


class TradingApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        return [
            route("POST", "/trading/stop", self.stop, "Stop trading: nothing new begins, what runs is finished", TradingState, body=StopRequest),
            route(
                "POST", "/trading/resume", self.resume, "Let trading go on", TradingState,
                (r.NOT_STOPPED, r.BOTS_NOT_LOOKED_AT, r.OFFERS_UNDECIDED), body=ResumeRequest,
            ),
        ]  # fmt: skip

    async def stop(self, call: Call) -> Reply:
        await self._market.act(
            call,
            Role.OPERATOR,
            commands.StopTrading(operator=call.login, reason=call.body.reason, history_lost=call.body.history_lost),
        )
        return Reply(TradingState(True))

    async def resume(self, call: Call) -> Reply:
        await self._market.act(
            call, Role.OPERATOR, commands.ResumeTrading(operator=call.login, reason=call.body.reason, force=call.body.force)
        )
        return Reply(TradingState(False))
