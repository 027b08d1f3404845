"""What handlers work with: this process's view, its desk, read connections. And the reading of trades for views."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from selldesk.desk.commands import Command, OnBehalf, R
from selldesk.kernel.clock import Clock
from selldesk.kernel.refusals import TRADE_NOT_FOUND
from selldesk.kernel.secretbox import CannotOpen, SecretBox, link_place
from selldesk.kernel.times import wire_time
from selldesk.link.client import DeskPort
from selldesk.people.roles import Role, pack_roles
from selldesk.sellers.limits import MarketLimits, ProjectLimits, read_limits
from selldesk.store.lists import TradeFilter, list_trades
from selldesk.store.rows import BotFaceRow, FoundTradeRow, PersonLimitsRow
from selldesk.store.store import Reader, Row, Store
from selldesk.store.typed import records
from selldesk.trades.trade import Trade, TradeItem
from selldesk.trades.views import HistoryLine, SelectedBot, TradeData, TradePage, trade_data
from selldesk.trades.views import Reader as ViewReader
from selldesk.view.market_view import MarketView
from selldesk.web.routes import Call

T = TypeVar("T")
_READING_THREADS = 4


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
        self._store = store
        self._threads = ThreadPoolExecutor(_READING_THREADS, thread_name_prefix="reading")
        self._of_thread = threading.local()

    async def read(self, question: Callable[[Reader], T]) -> T:
        """Off the event loop, on connections of its own: no hanging store holds anybody else up. One moment, if the question reads a
        snapshot."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask_in_thread, question)

    async def act(self, call: Call, role: Role, command: Command[R]) -> R:
        """What a person asks for, on their behalf: the desk judges whether they (still) may."""
        return await self.desk.ask(OnBehalf(person=call.person, role_bits=pack_roles([role]), command=command))  # type: ignore[arg-type]

    def _ask_in_thread(self, question: Callable[[Reader], T]) -> T:
        reader: Reader | None = getattr(self._of_thread, "reader", None)
        if reader is None:
            reader = self._of_thread.reader = self._store.reader()
        return question(reader)

    def face(self, number: int, steamid64: str, profile_name: str | None, avatar: str | None) -> SelectedBot:
        """A bot as clients see it: never its account name (R7)."""
        return SelectedBot(steamid64, avatar or f"{self.settings.public_url}/assets/bot.svg", profile_name or f"Bot #{number}")

    def trades(self, reader: Reader, trade_ids: Sequence[str], viewed_by: ViewReader) -> list[TradeData]:
        """Whole trades, in the order of the ids."""
        found = {trade.id: trade for trade in reader.load_as(Trade, "load_trades", [(trade_id,) for trade_id in trade_ids])}
        return self._whole(reader, [found[trade_id] for trade_id in trade_ids if trade_id in found], viewed_by)

    async def trade_of(self, person: int, viewed_by: ViewReader, find: Callable[[Reader], list[FoundTradeRow]]) -> TradeData:
        """The first of the found trades that is this person's. Another's answers exactly like an unknown one
        (R6): refuses TRADE_NOT_FOUND."""

        def ask(reader: Reader) -> TradeData:
            for found in find(reader):
                if person == (found.project if viewed_by == "seller" else found.buyer):
                    return self.one_trade(reader, found.id, viewed_by)
            raise TRADE_NOT_FOUND()

        return await self.read(ask)

    def one_trade(self, reader: Reader, trade_id: str, viewed_by: ViewReader) -> TradeData:
        """A single lookup, with its history. Refuses TRADE_NOT_FOUND."""
        key = [(trade_id,)]
        rows, items, faces, history = reader.load_all(
            [("load_trades", key), ("named_items", key), ("bot_faces", {}), ("history_of", {"trade_id": trade_id})]
        )
        if not rows:
            raise TRADE_NOT_FOUND()
        (found,) = self._views(records(Trade, rows), items, faces, viewed_by)
        found.history = [HistoryLine(status, wire_time(at), note) for status, at, note in history]
        return found

    async def page(self, wanted: TradeFilter, viewed_by: ViewReader) -> TradePage:
        def ask(reader: Reader) -> TradePage:
            rows, total = list_trades(reader, wanted)
            return TradePage(self._whole(reader, records(Trade, rows), viewed_by), total, wanted.limit, wanted.offset)

        return await self.read(ask)

    def _whole(self, reader: Reader, trades: Sequence[Trade], viewed_by: ViewReader) -> list[TradeData]:
        items, faces = reader.load_all([("named_items", [(trade.id,) for trade in trades]), ("bot_faces", {})])
        return self._views(trades, items, faces, viewed_by)

    def _views(self, trades: Sequence[Trade], items: Sequence[Row], faces: Sequence[Row], viewed_by: ViewReader) -> list[TradeData]:
        items_of: dict[str, list[tuple[TradeItem, str]]] = {trade.id: [] for trade in trades}
        for *columns, name in items:
            item = TradeItem(*columns)
            items_of[item.trade_id].append((item, name))
        face_of = {bot.number: self.face(*bot) for bot in (BotFaceRow(*row) for row in faces)}
        return [
            trade_data(
                trade,
                items_of[trade.id],
                face_of[trade.bot],
                self.view.people[trade.buyer].steamid64 or "",
                self._link(trade) if viewed_by == "seller" else None,
                viewed_by,
            )
            for trade in trades
        ]

    def _link(self, trade: Trade) -> str | None:
        try:
            return self.box.open_link(trade.tradelink, link_place(trade.id))
        except CannotOpen:
            return None


def limits_of_market(reader: Reader) -> MarketLimits:
    return read_limits(reader.value("load_limits"))


def own_limits(reader: Reader, person: int) -> ProjectLimits | None:
    """What a project has of its own."""
    rows = reader.load_as(PersonLimitsRow, "load_person_limits", [(person,)])
    return msgspec.json.decode(rows[0].body, type=ProjectLimits) if rows else None
