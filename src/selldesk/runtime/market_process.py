"""What every process of the market has: the store, a connection to the desk, and what it knows of the market by the desk's feed."""

import abc
import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from pathlib import Path

from selldesk.book.matching import Book, NoBook
from selldesk.book.quotes import QuoteSigner
from selldesk.config import BadSetting, Settings
from selldesk.desk.commands import Feed
from selldesk.kernel.clock import Clock
from selldesk.kernel.memory import exclude_loaded_from_collection
from selldesk.kernel.secretbox import SEAL_FORMAT, SEAL_MARK, CannotOpen, secrets_place
from selldesk.link.client import DeskClient
from selldesk.link.process import make_clock
from selldesk.runtime.children import plan_child
from selldesk.runtime.desk_process import DeskSupervisor
from selldesk.runtime.supervisor import Supervisor
from selldesk.store.open import open_store
from selldesk.store.rows import BotRow
from selldesk.store.store import StoreUnavailable
from selldesk.view.follower import Follower
from selldesk.view.market_view import MarketView

logger = logging.getLogger(__name__)

_SEALS_EVERY_SECONDS = 20


class MarketProcess(abc.ABC):
    """The process that was started has the desk as its child; whoever it starts beside itself is told its `desk_socket`."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock_path: Path | None = None,
        desk_socket: Path | None = None,
        book: type[Book] = NoBook,
        stopping: asyncio.Event | None = None,
    ) -> None:
        """`stopping` is set when the process is told to stop: for whoever has children beside this one's."""
        self.settings = settings
        self.clock: Clock = make_clock(clock_path)
        self.store = open_store(settings.database_url)
        self.box = settings.box(self.store.mark(SEAL_MARK))
        self.view = MarketView(self.store.reader(), QuoteSigner(settings.secret()), book)
        self.supervisor = DeskSupervisor(settings.database_url, clock_path, settings.desk()) if desk_socket is None else None
        socket_path = desk_socket if self.supervisor is None else self.supervisor.socket_path
        assert socket_path is not None
        self.desk_socket: Path = socket_path
        self.desk = DeskClient(self.desk_socket, self._on_feed)
        self.follower = Follower(self.store, self.view, self.desk)
        self._clock_path = clock_path
        self._is_loaded = False
        self._stopping = stopping if stopping is not None else asyncio.Event()
        """Whoever ends from now on was told to, perhaps by a signal to the whole group."""

    def _on_feed(self, feed: Feed) -> bool:
        """Whether it is in; else the follower is asked to read what is missing."""
        if not self._is_loaded or self.view.apply(feed):
            return True
        self.follower.ring()
        return False

    def check_secret(self) -> None:
        """Raises BadSetting if none of the secrets in the store can be opened: this process could not work for a single bot, but would take
        its share of them from those that can."""
        records = self.store.reader().fetch_as(BotRow, "all_bot_records")
        for record in records:
            with contextlib.suppress(CannotOpen):
                self.box.open(record.secrets, secrets_place(record.steamid64))
                return
        if records:
            raise BadSetting(
                "SELLDESK_SECRET_KEY opens none of the secrets in this store: it is not the key that its bots were added with"
                " (if that is lost, import each bot anew: selldesk bot add --replace)"
            )

    def load(self) -> None:
        """Reads the market from the store; what comes by feed from now on is applied to it."""
        self.view.load()
        self._is_loaded = True

    async def run(self) -> None:
        """Until the process is told to stop. Raises BadSetting."""
        self.check_secret()
        self.load()
        # Not in `load`: whoever builds a process in a test must not have its garbage kept.
        exclude_loaded_from_collection()
        self.view.reload_listeners.append(exclude_loaded_from_collection)
        tasks: list[asyncio.Task[None]] = []
        if self.supervisor is not None:
            tasks.append(asyncio.create_task(self.supervisor.run(self._stopping), name="desk supervisor"))
        tasks += [
            asyncio.create_task(self.desk.run(), name="desk client"),
            asyncio.create_task(self.follower.run(), name="follower"),
            asyncio.create_task(self._watch_seals(), name="seals"),
        ]
        try:
            await asyncio.wait_for(self.desk.connected.wait(), 30)
            # What other desks committed between loading and connecting is the follower's first reading.
            await self._work(tasks)
        finally:
            # One after the other, the youngest first: the fleet still needs the desk to give its bots back.
            for task in reversed(tasks):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    @abc.abstractmethod
    async def _work(self, tasks: list[asyncio.Task[None]]) -> None:
        """What this kind of process is for, until it is told to stop; what it starts joins the tasks."""

    def _signals(self) -> tuple[signal.Signals, ...]:
        """What ends this process. Ctrl-C reaches the whole family; a child leaves it to the first process."""
        return (signal.SIGTERM,) if self.supervisor is None else (signal.SIGINT, signal.SIGTERM)

    def _stop(self, also: Callable[[], None] = lambda: None) -> None:
        self._stopping.set()
        also()

    async def _until_signal(self, tasks: list[asyncio.Task[None]]) -> None:
        """Or until one of the tasks ends, which none ever should: the process ends, and whoever started it starts it again."""
        for number in self._signals():
            asyncio.get_running_loop().add_signal_handler(number, self._stop)
        await asyncio.wait([*tasks, asyncio.create_task(self._stopping.wait())], return_when=asyncio.FIRST_COMPLETED)

    def _beside(self, descriptor: int | None) -> asyncio.Task[None]:
        """One more process with the same desk: an API process on that socket, or (None) the background work."""
        plan = plan_child(self.settings, self.desk_socket, self._clock_path, descriptor)
        return asyncio.create_task(Supervisor(plan).run(self._stopping), name=plan.name)

    async def _watch_seals(self) -> None:
        """An operator may have ended the time of earlier releases meanwhile."""
        while True:
            await asyncio.sleep(_SEALS_EVERY_SECONDS)
            if self.box.binds:
                continue
            with contextlib.suppress(StoreUnavailable):
                self.box.binds = await asyncio.to_thread(self.store.mark, SEAL_MARK) == SEAL_FORMAT
