"""`GET /metrics`: what a Prometheus server should know of this process and of the market (contract C6)."""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from selldesk.bots.rooms import FRESH_WITHIN_US, BotState, NoBot
from selldesk.kernel.clock import Clock
from selldesk.kernel.times import FAR_US, SECOND_US
from selldesk.store.rows import BotHealthRow
from selldesk.store.store import Reader
from selldesk.web.counting import Counts

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _MarketCollector(Collector):
    """Read from the store when asked: sums that are kept, a row a bot, open alerts. And what the API processes counted."""

    def __init__(self, reader: Reader, clock: Clock, counts: Counts, view_seq: Callable[[], int]) -> None:
        self._reader = reader
        self._clock = clock
        self._counts = counts
        self._view_seq = view_seq

    def collect(self) -> Iterator[Metric]:
        answers = CounterMetricFamily("selldesk_requests", "Answers by route and status", labels=["route", "status"])
        counts = self._counts.sums()
        for (route, status), count in sorted(counts.requests.items()):
            answers.add_metric([route, str(status)], count)
        yield answers
        no_bot = CounterMetricFamily("selldesk_no_bot", "Creates that found no suitable bot, by cause", labels=["cause"])
        for cause in NoBot:
            no_bot.add_metric([cause.value], counts.no_bot.get(cause.value, 0))
        yield no_bot
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
        alerts.add_metric([], self._reader.value("alerts_count", open=1))
        yield alerts
        stopped = GaugeMetricFamily("selldesk_trading_stopped", "1 while trading is stopped")
        stopped.add_metric([], float(bool(self._reader.fetch("open_stop"))))
        yield stopped
        behind = GaugeMetricFamily(
            "selldesk_view_batches_behind", "Committed batches that this process has not yet applied to its book"
        )
        behind.add_metric([], max(0, int(self._reader.value("current_seq")) - self._view_seq()))
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
        for bot in self._reader.fetch_as(BotHealthRow, "bots_with_heartbeat"):
            for one in BotState:
                state.add_metric([bot.steamid64, one.value], float(bot.state == one))
            is_fresh = real_us - bot.last_good_real_us < FRESH_WITHIN_US
            healthy.add_metric([bot.steamid64], float(bool(bot.enabled) and bot.state == BotState.OK and is_fresh))
            since.add_metric([bot.steamid64], bot.state_since / SECOND_US)
            offers.add_metric([bot.steamid64], bot.live_offers)
            if bot.state_reason:
                reason.add_metric([bot.steamid64, bot.state_reason], 1)
        yield from (state, healthy, since, reason, offers)
        paused = GaugeMetricFamily("selldesk_game_paused", "1 while no bot sends items of a game", labels=["game"])
        for game, *_ in self._reader.fetch("paused_games", now=self._clock.now_us(), furthest=FAR_US):
            paused.add_metric([str(game)], 1)
        yield paused


def metrics_page(clock: Clock, counts: Counts, view_seq: Callable[[], int]) -> Callable[[Reader], bytes]:
    """Answers the page, in Prometheus' text format, as the store stands."""

    def page(reader: Reader) -> bytes:
        registry = CollectorRegistry()
        registry.register(_MarketCollector(reader, clock, counts, view_seq))
        ProcessCollector(registry=registry)
        body: Any = generate_latest(registry)
        return bytes(body)

    return page
