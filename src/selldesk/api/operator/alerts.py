"""`/api/operator/alerts`: what a human should look at (contract C4)."""

import msgspec

from selldesk.api.market import Market
from selldesk.api.operator.guard import operator_route
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid
from selldesk.kernel.shapes import Reason
from selldesk.people.roles import Role
from selldesk.reads.alerts import AlertPage, alerts_page
from selldesk.web import queries
from selldesk.web.parameters import PAGE
from selldesk.web.routes import Call, Parameter, Reply, RouteSpec


class AlertClosed(msgspec.Struct):
    id: str


class CloseRequest(msgspec.Struct, forbid_unknown_fields=True):
    reason: Reason


class AlertsApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        is_open = Parameter("open", {"type": "boolean"}, "Only open (true) or closed (false) alerts")
        return [
            route("GET", "/alerts", self.alerts, "What a human should look at", AlertPage, (r.INVALID_QUERY,), query=(is_open, *PAGE)),
            route("POST", "/alerts/{id}/close", self.close_alert, "Close an alert", AlertClosed, (r.ALERT_NOT_FOUND,), body=CloseRequest),
        ]  # fmt: skip

    async def alerts(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        is_open = queries.flag(call.query, "open")
        return Reply(await self._market.read(lambda reader: alerts_page(reader, is_open, limit, offset)))

    async def close_alert(self, call: Call) -> Reply:
        alert_id = canonical_uuid(call.path["id"])
        if alert_id is None:
            raise refusals.ALERT_NOT_FOUND()
        await self._market.act(
            call, Role.OPERATOR, commands.CloseAlert(operator=call.login, alert_id=alert_id, reason=call.body.reason)
        )
        return Reply(AlertClosed(alert_id))
