"""`/api/operator/trades|audit|alerts|overview|log`: looking after the market (contract C4)."""

import json
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from selldesk.api import queries
from selldesk.api.market import Market
from selldesk.api.operating import Reason, bad_body, operator_route
from selldesk.api.operator_setup import BotView, bot_views
from selldesk.api.parameters import PAGE, TRADE_FILTERS
from selldesk.api.routes import Call, Parameter, Reply, RouteSpec
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.ids import canonical_uuid
from selldesk.kernel.times import FAR_US, wire_time, wire_time_or_none
from selldesk.people.roles import Role
from selldesk.store.audit import run_audit
from selldesk.store.rows import AlertRow, LogRow, StatusSumRow, StopRow
from selldesk.store.store import Reader
from selldesk.trades.trade import Trade
from selldesk.trades.views import TradeData, TradePage


class Evidence(msgspec.Struct):
    """What Steam answered, as it came."""

    at: str
    kind: Literal["offer", "trade"]
    body: Any


class OperatorTrade(msgspec.Struct):
    trade: TradeData
    project: str
    buyer: str
    stage: str
    due_at: str | None
    steam_trade_status: int | None
    evidence: list[Evidence]


class ActionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The reason is kept. `force`: a declaration against Steam's fresh word."""

    reason: Reason
    force: bool = False
    by: Literal["user", "bot"] | None = None


class ActionAnswer(msgspec.Struct):
    trade_id: str
    status: str


class Check(msgspec.Struct):
    name: str
    rows: int


class AuditAnswer(msgspec.Struct):
    """`violations` is empty if all is well."""

    checked_at: str
    checks: list[Check]
    violations: list[dict[str, Any]]


class AlertView(msgspec.Struct):
    id: str
    kind: str
    bot: str | None
    trade_id: str | None
    text: str
    since: str
    closed_at: str | None
    closed_by: str | None
    close_reason: str | None


class AlertPage(msgspec.Struct):
    alerts: list[AlertView]
    total: int
    limit: int
    offset: int


class AlertClosed(msgspec.Struct):
    id: str


class CloseRequest(msgspec.Struct, forbid_unknown_fields=True):
    reason: Reason


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


class OperatorWatchApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        is_open = Parameter("open", {"type": "boolean"}, "Only open (true) or closed (false) alerts")
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
            route("GET", "/audit", self.audit, "Is everything coherent? Answered from the store alone", AuditAnswer),
            route("GET", "/alerts", self.alerts, "What a human should look at", AlertPage, (r.INVALID_QUERY,), query=(is_open, *PAGE)),
            route("POST", "/alerts/{id}/close", self.close_alert, "Close an alert", AlertClosed, (r.ALERT_NOT_FOUND,), body=CloseRequest),
            route("POST", "/trading/stop", self.stop, "Stop trading: nothing new begins, what runs is finished", TradingState, body=StopRequest),
            route(
                "POST", "/trading/resume", self.resume, "Let trading go on", TradingState,
                (r.NOT_STOPPED, r.BOTS_NOT_LOOKED_AT, r.OFFERS_UNDECIDED), body=ResumeRequest,
            ),
            route("GET", "/overview", self.overview, "The market at a glance", Overview),
            route("GET", "/log", self.log, "What operators did", LogPage, (r.INVALID_QUERY,), query=PAGE),
        ]  # fmt: skip

    async def trades(self, call: Call) -> Reply:
        return Reply(await self._market.page(queries.trade_filter(call.query, seller=True), "seller"))

    async def trade(self, call: Call) -> Reply:
        trade_id = canonical_uuid(call.path["id"])
        if trade_id is None:
            raise refusals.TRADE_NOT_FOUND()
        people = self._market.view.people

        def ask(reader: Reader) -> OperatorTrade:
            trade = self._market.one_trade(reader, trade_id, "seller")
            (sale,) = reader.load_as(Trade, "load_trades", [(trade_id,)])
            evidence = [
                Evidence(wire_time(at), kind, json.loads(body) if body else None)
                for at, kind, body in reader.fetch("evidence_of", trade_id=trade_id)
            ]
            return OperatorTrade(
                trade,
                people[sale.project].login,
                people[sale.buyer].login,
                sale.stage,
                wire_time_or_none(sale.due_at),
                sale.steam_status,
                evidence,
            )

        return Reply(await self._market.read(ask))

    def _action(self, action: str) -> Callable[[Call], Any]:
        async def act(call: Call) -> Reply:
            trade_id = canonical_uuid(call.path["id"])
            if trade_id is None:
                raise refusals.TRADE_NOT_FOUND()
            if action == "declare-rolled-back" and call.body.by is None:
                raise bad_body("$.by", "'user' or 'bot'")
            command = commands.OperateTrade(trade_id, call.login, action, call.body.reason, call.body.by, call.body.force)
            done = await self._market.act(call, Role.OPERATOR, command)
            return Reply(ActionAnswer(trade_id, done["status"]))

        return act

    # -- watching ------------------------------------------------------------------------------------------------------

    async def audit(self, call: Call) -> Reply:
        result = await self._market.read(run_audit)
        checks = [Check(check["name"], check["rows"]) for check in result.checks]
        return Reply(AuditAnswer(wire_time(self._market.clock.now_us()), checks, result.violations))

    async def alerts(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        is_open = queries.flag(call.query, "open")
        wanted = {"open": None if is_open is None else int(is_open)}

        def ask(reader: Reader) -> AlertPage:
            with reader.snapshot():
                total = reader.value("alerts_count", **wanted)
                rows = reader.fetch_as(AlertRow, "alerts_page", **wanted, limit=limit, offset=offset)
            alerts = [
                AlertView(
                    one.id,
                    one.kind,
                    one.steamid64,
                    one.trade_id,
                    one.text,
                    wire_time(one.since),
                    wire_time_or_none(one.closed_at),
                    one.closed_by,
                    one.close_reason,
                )
                for one in rows
            ]
            return AlertPage(alerts, total, limit, offset)

        return Reply(await self._market.read(ask))

    async def close_alert(self, call: Call) -> Reply:
        alert_id = canonical_uuid(call.path["id"])
        if alert_id is None:
            raise refusals.ALERT_NOT_FOUND()
        await self._market.act(call, Role.OPERATOR, commands.CloseAlert(call.login, alert_id, call.body.reason))
        return Reply(AlertClosed(alert_id))

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

    async def stop(self, call: Call) -> Reply:
        await self._market.act(
            call, Role.OPERATOR, commands.StopTrading(call.login, call.body.reason, history_lost=call.body.history_lost)
        )
        return Reply(TradingState(True))

    async def resume(self, call: Call) -> Reply:
        await self._market.act(call, Role.OPERATOR, commands.ResumeTrading(call.login, call.body.reason, call.body.force))
        return Reply(TradingState(False))

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


_ACTIONS = {
    "cancel": "Withdraw a processing trade: ends declined once Steam says so",
    "retry": "Try a processing trade again now; never a second send",
    "declare-accepted": "Declare that a processing trade was exchanged",
    "declare-failed": "Declare that nothing was exchanged: ends in error, released",
    "declare-completed": "Declare an accepted trade completed",
    "declare-rolled-back": "Declare an accepted trade rolled back, by the user or by the bot",
}
