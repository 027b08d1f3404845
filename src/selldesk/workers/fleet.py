"""The bots of a process: which ones are its own is settled by leases; each has a worker, woken when it has something to do."""

import asyncio
import contextlib
import logging

import msgspec

from selldesk.bots.leases import CALL_TIMEOUT_SECONDS, LEASE_US, RENEW_EVERY_SECONDS
from selldesk.bots.rooms import FRESH_WITHIN_US
from selldesk.desk import commands
from selldesk.desk.commands import Feed
from selldesk.kernel.clock import Clock
from selldesk.kernel.outages import Outage
from selldesk.kernel.processes import process_name
from selldesk.kernel.refusals import Refusal
from selldesk.kernel.secretbox import SEAL_FORMAT, CannotOpen, SecretBox, secrets_place, tokens_place
from selldesk.link.client import DeskPort
from selldesk.offers.agenda import Memory, Pace
from selldesk.offers.rules import Rules
from selldesk.steam.client import SteamClient
from selldesk.steam.session import SteamSession, SteamUrls
from selldesk.steam.throttle import Address, CallLimits, ThrottledTransport
from selldesk.steam.transport import AiohttpTransport, OwnTransport
from selldesk.steamwire.credentials import Credentials, Tokens
from selldesk.store.rows import BotRow
from selldesk.store.small_writes import SmallWrites
from selldesk.store.store import Store, StoreUnavailable
from selldesk.workers.bot import BotWorker
from selldesk.workers.context import BotContext
from selldesk.workers.lease import HeldLease, LeasedDesk
from selldesk.workers.waiting import ClockWatch

logger = logging.getLogger(__name__)

_RELIEVE_EVERY_SECONDS = 2.0
_LEAVE_SECONDS = 3.0


class FleetSettings(msgspec.Struct, frozen=True):
    urls: SteamUrls
    rules: Rules
    pace: Pace
    limits: CallLimits


class _Manned(msgspec.Struct):
    """A bot of ours, and what works for it."""

    lease: HeldLease
    worker: BotWorker
    task: asyncio.Task[None]


class Fleet:
    """Disabled bots have workers too: they finish and settle what is theirs (contract C4)."""

    def __init__(
        self,
        store: Store,
        desk: DeskPort,
        clock: Clock,
        box: SecretBox,
        settings: FleetSettings,
        name: str | None = None,
        transport: OwnTransport | None = None,
    ) -> None:
        """`name`: of this worker process among all others; else a new one. `transport`: the way to Steam, which the fleet closes at its end."""
        self.name = name if name is not None else process_name()
        self._store = store
        self._reader = store.reader()
        self._aside = SmallWrites(store)
        self._desk = desk
        self._clock = clock
        self._box = box
        self._settings = settings
        self._transport: OwnTransport = transport if transport is not None else AiohttpTransport(CALL_TIMEOUT_SECONDS)
        self._address = Address(settings.limits)
        self._bots: dict[int, _Manned] = {}
        self._released: set[int] = set()
        self._known: set[int] = set()
        """All bots of the market when the leases were last looked at."""
        self._watch = ClockWatch(clock)
        self._wake = asyncio.Event()
        self._outage = Outage("leases can't be renewed")

    def on_feed(self, feed: Feed) -> None:
        for number in feed.bots:
            manned = self._bots.get(number)
            if manned is not None:
                manned.worker.alarm.ring()
            elif number not in self._known:
                # A new bot: whose it is, the next look at the leases tells.
                self._wake.set()

    async def run(self) -> None:
        """Until cancelled; then it gives its bots back."""
        others = [asyncio.create_task(self._watch.run()), asyncio.create_task(self._relieve())]
        try:
            while True:
                try:
                    await self._keep()
                    self._outage.over()
                except StoreUnavailable as error:
                    self._outage.note(error)
                except Exception:
                    logger.exception("unhandled error while renewing leases; trying again")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RENEW_EVERY_SECONDS):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            for task in others:
                task.cancel()
            for number in list(self._bots):
                await self._stop(number)
            with contextlib.suppress(Refusal, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._desk.ask(commands.KeepLeases(worker=self.name, leaves=True))
            await self._transport.close()

    # -- leases --------------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Renews, takes what is free, lets go what others should have. Without an answer the leases run out by themselves."""
        released = sorted(self._released)
        ends_at_us = self._clock.monotonic_us() + LEASE_US
        try:
            answer = await self._desk.ask(commands.KeepLeases(worker=self.name, released=released, seal_format=int(SEAL_FORMAT)))
        except Refusal as refusal:
            self._outage.note(refusal.text)
            return
        self._released.difference_update(released)
        self._known = set(answer.bots)
        held = dict(answer.held)
        for number, manned in list(self._bots.items()):
            if held.get(number) != manned.lease.fence and number not in self._released:
                logger.warning("bot %d: another worker has taken over", number)
                await self._stop(number)
        for number, fence in held.items():
            manned_now = self._bots.get(number)
            if manned_now is not None:
                manned_now.lease.ends_at_us = ends_at_us
            elif number not in self._released and not self._start(number, fence, ends_at_us):
                await self._tell_unreadable(number)
        for number in answer.let_go:
            if number in self._bots:
                self._bots[number].worker.retire()

    async def _tell_unreadable(self, number: int) -> None:
        text = "Its secrets can't be opened with SELLDESK_SECRET_KEY, so it has no worker. Import its maFile again, or set the right key"
        with contextlib.suppress(Refusal):
            await self._desk.ask(commands.RaiseAlert(kind="secrets_unreadable", text=text, bot=number, trade_id=None))

    def _start(self, number: int, fence: int, ends_at_us: int) -> bool:
        """Begins to work for a bot; False if its secrets can't be read."""
        row = self._record(number)
        try:
            credentials = msgspec.json.decode(self._box.open(row.secrets, secrets_place(row.steamid64)), type=Credentials)
            tokens = None
            if row.tokens is not None:
                tokens = msgspec.json.decode(self._box.open(row.tokens, tokens_place(row.steamid64)), type=Tokens)
        except (CannotOpen, msgspec.MsgspecError) as error:
            logger.error("bot %d has no worker until its secrets can be opened: %s", number, error)
            return False
        settings, clock = self._settings, self._clock
        lease = HeldLease(clock, number, fence, ends_at_us)
        transport = ThrottledTransport(self._transport, credentials.steamid64, self._address, settings.limits, clock.now_us)
        session = SteamSession(transport, settings.urls, credentials, tokens, lambda: clock.now_us() // 1_000_000)
        bot = BotContext(
            number, SteamClient(session), LeasedDesk(self._desk, lease), lease, self._reader, clock, settings.rules, settings.pace,
            Memory(), self._box, row.created_at,
        )  # fmt: skip
        worker = BotWorker(bot, self._aside.beat, (row.secrets, row.tokens))
        task = asyncio.create_task(worker.run(), name=f"bot {number}")
        self._bots[number] = _Manned(lease, worker, task)
        self._watch.alarms.add(worker.alarm)
        task.add_done_callback(lambda done: self._ended(number, done))
        return True

    def _ended(self, number: int, task: asyncio.Task[None]) -> None:
        """A worker that retired: its bot can be given back."""
        manned = self._bots.get(number)
        if manned is not None and manned.task is task:
            del self._bots[number]
            self._watch.alarms.discard(manned.worker.alarm)
            self._released.add(number)
            self._wake.set()

    async def _stop(self, number: int) -> None:
        """At once, whatever it is doing: another worker has the bot, or the process ends."""
        manned = self._bots.pop(number)
        self._watch.alarms.discard(manned.worker.alarm)
        # Retired too: a cancellation that is lost in somebody's clean-up must not leave it running.
        manned.worker.retire()
        manned.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await manned.task

    def _record(self, number: int) -> BotRow:
        (record,) = self._reader.fetch_as(BotRow, "bot_record", number=number)
        return record

    # -- trades of bots that can't send --------------------------------------------------------------------------------

    async def _relieve(self) -> None:
        """Sales that wait at a bot which is full, ill or gone move to another one (R7). Any process may see to that."""
        while True:
            await asyncio.sleep(_RELIEVE_EVERY_SECONDS)
            try:
                stale_us = self._clock.real_us() - FRESH_WITHIN_US
                now = self._clock.now_us()
                furthest = now + self._settings.rules.bot_full_us
                for (number,) in self._reader.fetch("bots_with_waiting", stale_us=stale_us, now=now, furthest=furthest):
                    await self._desk.ask(commands.MoveWaiting(bot=number))
            except Refusal as refusal:
                logger.info("sales could not be moved to other bots; trying again later: %s", refusal.text)
            except StoreUnavailable as error:
                self._outage.note(error)
            except Exception:
                logger.exception("unhandled error while moving sales to other bots; trying again later")
