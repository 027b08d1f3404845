"""`GET /metrics`: what a Prometheus server should know of this process and of the market (contract C6)."""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from selldesk.bots.rooms import FRESH_WITHIN_US, BotState
from selldesk.kernel.clock import Clock
from selldesk.kernel.times import FAR_US, SECOND_US
from selldesk.store.store import Reader

Requests = Callable[[], dict[tuple[str, int], int]]


class _MarketCollector(Collector):
    """Read from the store when asked: sums that are kept, a row a bot, open alerts."""

    def __init__(self, reader: Reader, clock: Clock, requests: Requests, view_seq: Callable[[], int]) -> None:
        self._reader = reader
        self._clock = clock
        self._requests = requests
        self._view_seq = view_seq

    def collect(self) -> Iterator[Metric]:
        answers = CounterMetricFamily("selldesk_requests", "Answers by route and status", labels=["route", "status"])
        for (route, status), count in sorted(self._requests().items()):
            answers.add_metric([route, str(status)], count)
        yield answers
        trades = GaugeMetricFamily("selldesk_trades", "Trades by status", labels=["status"])
        value = GaugeMetricFamily(
            "selldesk_trade_value_mills", "Value of trades by status, thousandths of a dollar", labels=["status"]
        )
        for status, count, mills in self._reader.fetch("trades_by_status"):
            trades.add_metric([status], count)
            value.add_metric([status], mills)
        yield from (trades, value)
        yield from self._bots()
        alerts = GaugeMetricFamily("selldesk_open_alerts", "Alerts that a human should look at")
        alerts.add_metric([], self._reader.fetch("alerts_count", open=1)[0][0])
        yield alerts
        stopped = GaugeMetricFamily("selldesk_trading_stopped", "1 while trading is stopped")
        stopped.add_metric([], float(bool(self._reader.fetch("open_stop"))))
        yield stopped
        behind = GaugeMetricFamily(
            "selldesk_view_batches_behind", "Committed batches that this process has not yet applied to its book"
        )
        behind.add_metric([], max(0, int(self._reader.fetch("current_seq")[0][0]) - self._view_seq()))
        yield behind

    def _bots(self) -> Iterator[Metric]:
        state = GaugeMetricFamily("selldesk_bot_state", "1 for the state that a bot is in", labels=["bot", "state"])
        healthy = GaugeMetricFamily("selldesk_bot_healthy", "Whether a bot takes trades", labels=["bot"])
        since = GaugeMetricFamily(
            "selldesk_bot_state_since_seconds", "When a bot's state began, seconds since 1970", labels=["bot"]
        )
        reason = GaugeMetricFamily("selldesk_bot_state_reason", "1 with the reason of a bot's state", labels=["bot", "reason"])
        offers = GaugeMetricFamily("selldesk_bot_live_offers", "Processing trades of a bot", labels=["bot"])
        real_us = self._clock.real_us()
        for row in self._reader.fetch("bots_with_heartbeat"):
            for one in BotState:
                state.add_metric([row[1], one.value], float(row[7] == one))
            healthy.add_metric([row[1]], float(bool(row[6]) and row[7] == BotState.OK and real_us - row[15] < FRESH_WITHIN_US))
            since.add_metric([row[1]], row[9] / SECOND_US)
            offers.add_metric([row[1]], row[10])
            if row[8]:
                reason.add_metric([row[1], row[8]], 1)
        yield from (state, healthy, since, reason, offers)
        paused = GaugeMetricFamily("selldesk_game_paused", "1 while no bot sends items of a game", labels=["game"])
        for game, *_ in self._reader.fetch("paused_games", now=self._clock.now_us(), furthest=FAR_US):
            paused.add_metric([str(game)], 1)
        yield paused


def metrics_page(reader: Reader, clock: Clock, requests: Requests, view_seq: Callable[[], int]) -> Callable[[], bytes]:
    """Answers the page, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_MarketCollector(reader, clock, requests, view_seq))
    ProcessCollector(registry=registry)

    def page() -> bytes:
        body: Any = generate_latest(registry)
        return bytes(body)

    return page
