"""Keeps a view up to date with what other desks commit, and notices when the store has lost what was committed."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from selldesk.desk.commands import StopTrading
from selldesk.kernel.outages import Outage
from selldesk.kernel.refusals import Refusal
from selldesk.link.client import DeskClient
from selldesk.store.rows import BatchRow, FeedRow
from selldesk.store.store import Reader, Store, StoreUnavailable, Watch
from selldesk.view.market_view import MarketView

logger = logging.getLogger(__name__)

FOLLOW_SECONDS = 0.05
"""How often the view looks for batches of other desks (a command line beside the server), where the store rings no bell."""
FOLLOW_UNRUNG_SECONDS = 1.0
"""The same where it does: a bell that was lost must not be missed for long."""
OWN_FEED_SECONDS = 0.002
"""The batches of one's own desk come by its socket; the store's bell may be a little faster."""


class Follower:
    def __init__(self, store: Store, view: MarketView, desk: DeskClient) -> None:
        self._store = store
        self._view = view
        self._desk = desk
        self._bell = asyncio.Event()
        self._outage = Outage("the store can't be followed")

    def ring(self) -> None:
        """There is something to read: one's own desk is ahead of the view."""
        self._bell.set()

    async def run(self) -> None:
        """Keeps the view up to date with batches of other desks: when the store rings or one's own desk is ahead, else by looking from
        time to time. All reading is done off the event loop."""
        watch, reader = self._store.watch(), self._store.reader()
        missed = True
        while True:
            try:
                async with _rung_by(watch, self._bell):
                    while True:
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(FOLLOW_SECONDS if watch is None else FOLLOW_UNRUNG_SECONDS):
                                await self._bell.wait()
                        was_rung = self._bell.is_set()
                        self._bell.clear()
                        if watch is None:
                            is_news = was_rung or await asyncio.to_thread(reader.changed)
                        else:
                            heard = watch.rang()
                            if heard > self._view.seq:
                                await asyncio.sleep(OWN_FEED_SECONDS)
                            is_news = not was_rung or heard > self._view.seq or self._view.needs_reload or self._view.has_early
                        if is_news or missed:
                            missed = True
                            await self._read_feed(reader)
                        missed = self._view.needs_reload
            except StoreUnavailable as error:
                missed = True
                self._outage.note(error)
                await asyncio.sleep(FOLLOW_SECONDS)
            except Exception:
                missed = True
                self._view.needs_reload = True
                logger.exception("unhandled error while following the feed; reading everything again")
                await asyncio.sleep(FOLLOW_SECONDS)

    async def _read_feed(self, reader: Reader) -> None:
        """What others committed; all of it, where batches are missing or something went wrong."""
        if self._view.needs_reload:
            self._view.adopt(await asyncio.to_thread(self._view.read, reader))
        more = True
        while more:
            after = self._view.seq
            rows = await asyncio.to_thread(reader.fetch_as, FeedRow, "feed_after", seq=after)
            more = self._view.take(after, rows)
        self._desk.release()
        self._outage.over()
        if not rows or self._view.is_astray:
            await self._check_history(reader)

    async def _check_history(self, reader: Reader) -> None:
        """The store must know what this process has seen, and nothing else in its place: see desk/trading.py. Raises StoreUnavailable if
        nobody could be told: it is noticed again."""
        known = self._view.seq
        (batch,) = await asyncio.to_thread(reader.fetch_as, BatchRow, "current_batch")
        if self._view.seq != known:
            return
        if self._view.has_lost(batch.seq, batch.stamp):
            logger.critical("batch %d was committed, and the store lost it (its last one is %d); trading stops", known, batch.seq)
            try:
                await self._desk.ask(
                    StopTrading(operator="selldesk", reason="The database lost what was committed", known_seq=known)
                )
            except Refusal as refusal:
                raise StoreUnavailable(f"nobody could be told of lost batches: {refusal.text}") from refusal


@contextlib.asynccontextmanager
async def _rung_by(watch: Watch | None, bell: asyncio.Event) -> AsyncIterator[None]:
    """The event is set whenever the store rings. Raises StoreUnavailable."""
    if watch is None:
        yield
        return
    loop, descriptor = asyncio.get_running_loop(), watch.fileno()
    loop.add_reader(descriptor, bell.set)
    bell.set()
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        watch.close()
