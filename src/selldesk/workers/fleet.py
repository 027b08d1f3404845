"""All bots of a process: one worker each, started when a bot appears, woken when it has something to do."""

import asyncio
import contextlib
import logging

import msgspec

from selldesk.bots.agenda import Memory, Pace
from selldesk.desk.client import DeskPort
from selldesk.desk.commands import Feed
from selldesk.desk.setup import BOT_COLUMNS
from selldesk.kernel.clock import Clock
from selldesk.kernel.secretbox import SecretBox
from selldesk.steam.client import SteamClient
from selldesk.steam.session import Credentials, SteamSession, SteamUrls, Tokens
from selldesk.steam.transport import AiohttpTransport
from selldesk.store.aside import Aside
from selldesk.store.store import Store
from selldesk.trades.rules import Rules
from selldesk.workers.bot import BotWorker
from selldesk.workers.context import BotContext
from selldesk.workers.waiting import ClockWatch

logger = logging.getLogger(__name__)


class Fleet:
    """Disabled bots have workers too: they finish and settle what is theirs (contract C4)."""

    def __init__(
        self, store: Store, desk: DeskPort, clock: Clock, box: SecretBox, urls: SteamUrls, rules: Rules, pace: Pace
    ) -> None:
        self._store = store
        self._reader = store.reader()
        self._aside = Aside(store)
        self._desk = desk
        self._clock = clock
        self._box = box
        self._urls = urls
        self._rules = rules
        self._pace = pace
        self._transport = AiohttpTransport()
        self._workers: dict[int, BotWorker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch = ClockWatch(clock)
        self._new_bots = asyncio.Event()

    def on_feed(self, feed: Feed) -> None:
        for number in feed.bots:
            worker = self._workers.get(number)
            if worker is not None:
                worker.alarm.ring()
            else:
                self._new_bots.set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            self._start(asyncio.create_task(self._watch.run()))
            while True:
                for row in self._reader.fetch("all_bot_records"):
                    record = dict(zip(BOT_COLUMNS, row, strict=True))
                    if record["number"] not in self._workers:
                        self._add(record)
                await self._new_bots.wait()
                self._new_bots.clear()
        finally:
            for task in self._tasks:
                task.cancel()
            for task in list(self._tasks):
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await self._transport.close()

    def _start(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _add(self, record: dict[str, object]) -> None:
        number = record["number"]
        assert isinstance(number, int)
        secrets, tokens = record["secrets"], record["tokens"]
        assert isinstance(secrets, bytes)
        credentials = msgspec.json.decode(self._box.open(secrets), type=Credentials)
        known = msgspec.json.decode(self._box.open(tokens), type=Tokens) if isinstance(tokens, bytes) else None
        session = SteamSession(self._transport, self._urls, credentials, known, lambda: self._clock.now_us() // 1_000_000)
        bot = BotContext(number, SteamClient(session), self._desk, self._reader, self._clock, self._rules, self._pace, Memory())
        worker = BotWorker(bot, self._aside, self._box)
        self._workers[number] = worker
        self._watch.alarms.add(worker.alarm)
        self._start(asyncio.create_task(worker.run()))
