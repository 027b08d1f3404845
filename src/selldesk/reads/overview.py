"""The market at a glance."""

import msgspec

from selldesk.kernel.times import FAR_US, wire_time
from selldesk.reads.bots import BotView, bot_views
from selldesk.reads.showing import Face
from selldesk.store.rows import StatusSumRow, StopRow
from selldesk.store.store import Reader


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


def overview(reader: Reader, now: int, real_us: int, face: Face, feed_seq: int) -> Overview:
    """From one moment."""
    with reader.snapshot():
        sums = [StatusSum(*row) for row in reader.fetch_as(StatusSumRow, "trades_by_status")]
        open_alerts = reader.value("alerts_count", open=1)
        rests = reader.fetch("paused_games", now=now, furthest=FAR_US)
        stops = [
            TradingStop(wire_time(stop.since), stop.reason, bool(stop.history_lost))
            for stop in reader.fetch_as(StopRow, "open_stop")
        ]
        games = [StoppedGame(game, wire_time(since), reason, by) for game, since, reason, by in reader.fetch("game_stops")]
        bots = bot_views(reader, now, real_us, face)
    paused = [PausedGame(game, wire_time(until), reason) for game, until, reason in rests]
    return Overview(wire_time(now), sums, bots, paused, games, open_alerts, feed_seq, stops[0] if stops else None)
