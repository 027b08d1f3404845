"""`/api/operator/overview|audit|log`: the market at a glance, whether it is coherent, what operators did (contract C4)."""

from typing import Any

import msgspec

from selldesk.api.market import Market
from selldesk.api.operator.guard import operator_route
from selldesk.kernel import refusals
from selldesk.kernel.times import wire_time
from selldesk.reads.log import LogPage, log_page
from selldesk.reads.overview import Overview, overview
from selldesk.store.audit import run_audit
from selldesk.web import queries
from selldesk.web.parameters import PAGE
from selldesk.web.routes import Call, Parameter, Reply, RouteSpec


class Check(msgspec.Struct):
    name: str
    rows: int


class AuditAnswer(msgspec.Struct):
    """`violations` is empty if all is well."""

    checked_at: str
    checks: list[Check]
    violations: list[dict[str, Any]]


_FULL = Parameter("full", {"type": "boolean"}, "Everything anew")


class OverviewApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        return [
            route("GET", "/audit", self.audit, "Is everything coherent? Answered from the store alone", AuditAnswer, (r.INVALID_QUERY,), query=(_FULL,)),
            route("GET", "/overview", self.overview, "The market at a glance", Overview),
            route("GET", "/log", self.log, "What operators did", LogPage, (r.INVALID_QUERY,), query=PAGE),
        ]  # fmt: skip

    async def audit(self, call: Call) -> Reply:
        queries.flag(call.query, "full")
        result = await self._market.read(run_audit)
        checks = [Check(check["name"], check["rows"]) for check in result.checks]
        return Reply(AuditAnswer(wire_time(self._market.clock.now_us()), checks, result.violations))

    async def overview(self, call: Call) -> Reply:
        market, now, real_us = self._market, self._market.clock.now_us(), self._market.clock.real_us()
        seq = market.view.seq
        return Reply(await market.read(lambda reader: overview(reader, now, real_us, market.showing.face, seq)))

    async def log(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        return Reply(await self._market.read(lambda reader: log_page(reader, limit, offset)))
