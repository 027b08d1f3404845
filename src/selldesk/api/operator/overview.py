"""`/api/operator/overview|audit|log`: the market at a glance, whether it is coherent, what operators did (contract C4)."""

import json
from typing import Any

import msgspec

from selldesk.api.market import Market
from selldesk.api.operator.bots import BotView, bot_views
from selldesk.api.operator.guard import operator_route
from selldesk.kernel import refusals
from selldesk.kernel.times import FAR_US, wire_time
from selldesk.store.audit import run_audit
from selldesk.store.rows import LogRow, StatusSumRow, StopRow
from selldesk.store.store import Reader
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


class TradingStop(msgspec.Struct):
    """`history_lost`: the database lost what was committed; see docs/operating.md."""

    since: str
    reason: str
    history_lost: bool


class StatusSum(msgspec.Struct):
    status: str
    trades: int
    value: int


class PausedGame(msgspec.Struct):
    """Steam can't reach this game's item server: no bot sends until then."""

    game_id: int
    until: str
    reason: str


class StoppedGame(msgspec.Struct):
    """An operator stopped the trading of this game."""

    game_id: int
    since: str
    reason: str
    by: str


class Overview(msgspec.Struct):
    now: str
    trades: list[StatusSum]
    bots: list[BotView]
    paused_games: list[PausedGame]
    stopped_games: list[StoppedGame]
    open_alerts: int
    feed_seq: int
    trading_stopped: TradingStop | None


class LogLine(msgspec.Struct):
    id: str
    at: str
    operator: str
    action: str
    target: str
    body: Any


class LogPage(msgspec.Struct):
    entries: list[LogLine]
    total: int
    limit: int
    offset: int


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
        market, now = self._market, self._market.clock.now_us()

        def ask(reader: Reader) -> Overview:
            with reader.snapshot():
                sums = [StatusSum(*row) for row in reader.fetch_as(StatusSumRow, "trades_by_status")]
                open_alerts = reader.value("alerts_count", open=1)
                rests = reader.fetch("paused_games", now=now, furthest=FAR_US)
                stops = [
                    TradingStop(wire_time(stop.since), stop.reason, bool(stop.history_lost))
                    for stop in reader.fetch_as(StopRow, "open_stop")
                ]
                games = [StoppedGame(game, wire_time(since), reason, by) for game, since, reason, by in reader.fetch("game_stops")]
                bots = bot_views(market, reader)
            paused = [PausedGame(game, wire_time(until), reason) for game, until, reason in rests]
            return Overview(wire_time(now), sums, bots, paused, games, open_alerts, market.view.seq, stops[0] if stops else None)

        return Reply(await market.read(ask))

    async def log(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)

        def ask(reader: Reader) -> LogPage:
            with reader.snapshot():
                total = reader.value("log_count")
                rows = reader.fetch_as(LogRow, "log_page", limit=limit, offset=offset)
            lines = [
                LogLine(line.id, wire_time(line.at), line.operator, line.action, line.target, json.loads(line.body))
                for line in rows
            ]
            return LogPage(lines, total, limit, offset)

        return Reply(await self._market.read(ask))
