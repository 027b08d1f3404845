"""What handlers work with: this process's view, its desk, read connections."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from selldesk.courier.sender import SenderSettings
from selldesk.desk.commands import Command, OnBehalf, R
from selldesk.kernel.clock import Clock
from selldesk.kernel.refusals import TRADE_NOT_FOUND
from selldesk.kernel.secretbox import SecretBox
from selldesk.link.client import DeskPort
from selldesk.people.roles import Role, pack_roles
from selldesk.reads.showing import Showing
from selldesk.reads.trades import one_trade, trades_page
from selldesk.store.lists import TradeFilter
from selldesk.store.rows import FoundTradeRow
from selldesk.store.store import Reader, Store
from selldesk.trades.views import TradeData, TradePage, ViewedBy
from selldesk.view.bells import Bells
from selldesk.view.market_view import MarketView
from selldesk.web.routes import Call

T = TypeVar("T")
_READING_THREADS = 4


class ApiSettings(msgspec.Struct, frozen=True):
    public_url: str = "http://127.0.0.1:8000"
    """Where clients reach this API: for links and the default avatar of bots."""
    quote_seconds: int = 30
    streams_per_key: int = 5
    stream_seconds: float = 3600
    sender: SenderSettings = SenderSettings()


class Market:
    def __init__(self, view: MarketView, desk: DeskPort, store: Store, clock: Clock, box: SecretBox, settings: ApiSettings) -> None:
        self.view = view
        self.desk = desk
        self.clock = clock
        self.box = box
        self.settings = settings
        self.bells = Bells()
        view.listeners.append(self.bells.on_feed)
        view.reload_listeners.append(self.bells.ring_all)
        self.showing = Showing(settings.public_url, lambda: view.people, box)
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

    async def trade_of(self, person: int, viewed_by: ViewedBy, find: Callable[[Reader], list[FoundTradeRow]]) -> TradeData:
        """The first of the found trades that is this person's. Another's answers exactly like an unknown one
        (R6): refuses TRADE_NOT_FOUND."""

        def ask(reader: Reader) -> TradeData:
            for found in find(reader):
                if person == (found.project if viewed_by == "seller" else found.buyer):
                    return one_trade(reader, self.showing, found.id, viewed_by)
            raise TRADE_NOT_FOUND()

        return await self.read(ask)

    async def page(self, wanted: TradeFilter, viewed_by: ViewedBy) -> TradePage:
        return await self.read(lambda reader: trades_page(reader, self.showing, wanted, viewed_by))
