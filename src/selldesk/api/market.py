"""What handlers work with: this process's view, its desk, read connections. And the reading of trades for views."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from selldesk.desk.client import DeskPort
from selldesk.desk.view import MarketView
from selldesk.kernel.clock import Clock
from selldesk.kernel.refusals import TRADE_NOT_FOUND
from selldesk.kernel.secretbox import SecretBox
from selldesk.kernel.times import wire_time
from selldesk.store.lists import TradeFilter, list_trades
from selldesk.store.store import Reader, Row, Store
from selldesk.trades.trade import Trade, TradeItem
from selldesk.trades.views import HistoryLine, SelectedBot, TradeData, TradePage, trade_data
from selldesk.trades.views import Reader as ViewReader

T = TypeVar("T")


class ApiSettings(msgspec.Struct, frozen=True):
    public_url: str = "http://127.0.0.1:8000"
    """Where clients reach this API: for links and the default avatar of bots."""
    quote_seconds: int = 30


class Market:
    def __init__(self, view: MarketView, desk: DeskPort, store: Store, clock: Clock, box: SecretBox, settings: ApiSettings) -> None:
        self.view = view
        self.desk = desk
        self.clock = clock
        self.box = box
        self.settings = settings
        self.reader = store.reader()
        """For look-ups of microseconds, on the event loop."""
        self._list_reader = store.reader()
        self._lists = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lists")

    async def read(self, question: Callable[[Reader], T]) -> T:
        """For lists and sums, which may take long: off the event loop, on a connection of their own."""
        return await asyncio.get_running_loop().run_in_executor(self._lists, question, self._list_reader)

    def face(self, number: int, steamid64: str, profile_name: str | None, avatar: str | None) -> SelectedBot:
        """A bot as clients see it: never its account name (R7)."""
        return SelectedBot(steamid64, avatar or f"{self.settings.public_url}/assets/bot.svg", profile_name or f"Bot #{number}")

    def trades(self, reader: Reader, trade_ids: Sequence[str], viewed_by: ViewReader) -> list[TradeData]:
        """Whole trades, in the order of the ids."""
        rows = {row[0]: row for row in reader.load("load_trades", [(trade_id,) for trade_id in trade_ids])}
        return self._views(reader, [rows[trade_id] for trade_id in trade_ids if trade_id in rows], viewed_by)

    def one_trade(self, trade_id: str, viewed_by: ViewReader) -> TradeData:
        """A single lookup, with its history."""
        found = self.trades(self.reader, [trade_id], viewed_by)
        if not found:
            raise TRADE_NOT_FOUND()
        found[0].history = [
            HistoryLine(status, wire_time(at), note) for status, at, note in self.reader.fetch("history_of", trade_id=trade_id)
        ]
        return found[0]

    async def page(self, wanted: TradeFilter, viewed_by: ViewReader) -> TradePage:
        def ask(reader: Reader) -> TradePage:
            rows, total = list_trades(reader, wanted)
            return TradePage(self._views(reader, rows, viewed_by), total, wanted.limit, wanted.offset)

        return await self.read(ask)

    def _views(self, reader: Reader, rows: Sequence[Row], viewed_by: ViewReader) -> list[TradeData]:
        trades = [Trade(*row) for row in rows]
        items: dict[str, list[tuple[TradeItem, str]]] = {trade.id: [] for trade in trades}
        for row in reader.load("named_items", [(trade.id,) for trade in trades]):
            items[row[0]].append((TradeItem(*row[:11]), row[11]))
        faces = {row[0]: self.face(*row) for row in reader.fetch("bot_faces")}
        return [
            trade_data(trade, items[trade.id], faces[trade.bot], self.view.people[trade.buyer].steamid64 or "", viewed_by)
            for trade in trades
        ]
