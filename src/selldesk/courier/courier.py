"""The courier: takes what was told, brings it to the endpoints that want it, and keeps what became of it (people P3).

Nothing that it remembers matters: what is pending stands in the store, and a courier that dies at any point is continued by the next one,
which repeats at most what was under way.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from typing import Any

import msgspec

from selldesk.courier.books import Books, Due, Ended, Health, Place
from selldesk.courier.sender import Attempt, Letter, Sender, SenderSettings
from selldesk.desk.commands import DisableEndpoint, Feed
from selldesk.kernel.chance import SYSTEM_CHANCE, Chance
from selldesk.kernel.clock import Clock
from selldesk.kernel.outages import Outage
from selldesk.kernel.processes import process_name
from selldesk.kernel.refusals import Refusal
from selldesk.kernel.secretbox import CannotOpen, SecretBox, endpoint_place
from selldesk.kernel.times import DAY_US, wire_time
from selldesk.link.client import DeskPort
from selldesk.reads.showing import Showing
from selldesk.store.rows import EndpointRow
from selldesk.store.store import Store, StoreConflict, StoreUnavailable
from selldesk.webhooks.schedule import STRUGGLES_AFTER, next_attempt_at, why_disabled

logger = logging.getLogger(__name__)

_KEEP_EVERY_SECONDS = 5.0
_LOOK_EVERY_SECONDS = 0.5
"""The market's clock may jump: what is due is looked at so often at least. Real time."""
_GATHER_SECONDS = 0.005
"""What ends in so short a time is written in one transaction."""
_LEAVE_SECONDS = 3.0
_ATTEMPTS_KEPT = 20
_QUICK_MS = 1_000


class CourierSettings(msgspec.Struct, frozen=True):
    slots: int = 200
    per_endpoint: int = 8
    failing_us: int = 5 * DAY_US
    """Without any success for so long an endpoint is given up."""
    sender: SenderSettings = SenderSettings()


class _Box:
    """An endpoint of ours, and what is under way to it."""

    def __init__(self, row: EndpointRow, secrets: list[str]) -> None:
        self.row, self.secrets = row, secrets
        self.waiting: deque[Due] = deque()
        self.taken: set[Place] = set()
        """Waiting or under way, or ended and not yet written."""
        self.flying = 0
        self.next_due: int | None = 0
        """When its next attempt is due; None: nothing is pending."""
        self.health = Health(row.id, row.failing_since, row.failures, row.in_a_row, row.last_success_at)

        self.is_quick = False
        """It took the last event, and soon: only such endpoints may have every slot."""

    @property
    def is_struggling(self) -> bool:
        return self.health.in_a_row >= STRUGGLES_AFTER


class Courier:
    """`name`: of this courier among all others; else a new one."""

    def __init__(
        self,
        store: Store,
        desk: DeskPort,
        clock: Clock,
        box: SecretBox,
        showing: Showing,
        settings: CourierSettings,
        name: str | None = None,
        chance: Chance = SYSTEM_CHANCE,
    ) -> None:
        self._books = Books(store, clock, showing, name if name is not None else process_name())
        self._desk, self._clock, self._box, self._settings, self._chance = desk, clock, box, settings, chance
        self._sender = Sender(settings.sender)
        self._boxes: dict[str, _Box] = {}
        self._order: deque[str] = deque()
        """Whose turn it is."""
        self._ended: list[Ended] = []
        self._ill: set[str] = set()
        """Whose health changed."""
        self._lost: dict[str, str] = {}
        """Endpoint → why it is given up."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._slow_flying = 0
        """Requests under way to endpoints that were not quick when they began."""
        self._told: set[int] = set()
        self._all_told = True
        self._keeps_at = 0.0
        self._bell = asyncio.Event()
        self._outage = Outage("webhooks can't be kept in the store")

    def on_feed(self, feed: Feed) -> None:
        if feed.told:
            self._told.update(feed.told)
            self._bell.set()
        if feed.hooks:
            self._keeps_at = 0.0
            self._bell.set()

    def ring_all(self) -> None:
        """Something was missed."""
        self._all_told, self._keeps_at = True, 0.0
        self._bell.set()

    async def run(self) -> None:
        """Until cancelled; then what is under way has a moment to end, and the endpoints are given back."""
        try:
            while True:
                try:
                    await self._cycle()
                    self._outage.over()
                except (StoreUnavailable, StoreConflict) as error:
                    self._outage.note(error)
                    await asyncio.sleep(_LOOK_EVERY_SECONDS)
                except Exception:
                    logger.exception("unhandled error while sending webhooks; it goes on in a moment")
                    await asyncio.sleep(1)
        finally:
            await self._leave()

    async def _cycle(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_EVERY_SECONDS):
                await self._bell.wait()
        self._bell.clear()
        if self._ended:
            await asyncio.sleep(_GATHER_SECONDS)
        if time.monotonic() >= self._keeps_at:
            await self._keep()
        await self._write()
        await self._queue()
        await self._fill()
        self._start()

    # -- what is ours --------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        # Before asking: what changes from now on is looked at again.
        self._keeps_at = time.monotonic() + _KEEP_EVERY_SECONDS
        await self._write()
        rows = await asyncio.to_thread(self._books.keep, [one for one, box in self._boxes.items() if box.taken])
        known, self._boxes = self._boxes, {}
        for row in rows:
            secrets = self._secrets(row)
            if secrets is None:
                continue
            box = self._boxes[row.id] = known.get(row.id) or _Box(row, secrets)
            if row.id not in known or not box.row.enabled:
                box.health = Health(row.id, row.failing_since, row.failures, row.in_a_row, row.last_success_at)
            box.row, box.secrets, box.next_due = row, secrets, 0
        self._order = deque(self._boxes)
        self._all_told = True
        await self._sender.tidy()

    def _secrets(self, row: EndpointRow) -> list[str] | None:
        """The newest first; None: they can't be opened."""
        sealed = [row.secret]
        if row.old_secret is not None and row.old_until is not None and row.old_until > self._clock.now_us():
            sealed.append(row.old_secret)
        try:
            return [self._box.open(one, endpoint_place(row.id)).decode() for one in sealed]
        except CannotOpen as error:
            logger.error("endpoint %s gets nothing until its secret can be opened: %s", row.id, error)
            return None

    # -- what is to be sent --------------------------------------------------------------------------------------------

    async def _queue(self) -> None:
        told, self._told = self._told, set()
        everybody, self._all_told = self._all_told, False
        boxes = [box for box in self._boxes.values() if box.row.enabled and (everybody or box.row.person in told)]
        if not boxes:
            return
        try:
            marks = await asyncio.to_thread(self._books.queue, [box.row for box in boxes])
        except BaseException:
            self._all_told = True
            raise
        for box in boxes:
            mark = marks[box.row.id]
            if mark.place < 9_999:
                # There is more.
                self._told.add(box.row.person)
                self._bell.set()
            box.row = box.row._replace(seq=mark.seq, place=mark.place)
            box.next_due = 0

    async def _fill(self) -> None:
        """What is due comes from the store: a little more than can be under way, so that no endpoint waits for it."""
        now = self._clock.now_us()
        wanting = [
            box
            for box in self._boxes.values()
            if box.row.enabled
            and box.next_due is not None
            and box.next_due <= now
            and len(box.waiting) < self._settings.per_endpoint
        ]
        if not wanting:
            return
        next_due = await asyncio.to_thread(self._books.next_due)
        for box in sorted(wanting, key=lambda one: one.is_struggling):
            box.next_due = next_due.get(box.row.id)
            if box.next_due is None or box.next_due > now:
                continue
            found, gone = await asyncio.to_thread(self._books.due, box.row, 4 * self._settings.per_endpoint, set(box.taken))
            box.waiting.extend(found)
            box.taken.update(one.place for one in found)
            self._ended += gone
            self._start(box)
            if not found:
                # What is due is under way already: it is looked at again when that has ended.
                box.next_due = None

    # -- sending -------------------------------------------------------------------------------------------------------

    def _start(self, only: _Box | None = None) -> None:
        """By turns, one of each: as many as there are slots; those that fail, are slow or new share half of them."""
        while only is not None and len(self._tasks) < self._settings.slots and self._may_start(only):
            self._start_one(only, only.waiting.popleft())
        started = only is None
        while started and len(self._tasks) < self._settings.slots:
            started = False
            for _ in range(len(self._order)):
                box = self._boxes[self._order[0]]
                self._order.rotate(-1)
                if len(self._tasks) < self._settings.slots and self._may_start(box):
                    started = True
                    self._start_one(box, box.waiting.popleft())

    def _may_start(self, box: _Box) -> bool:
        if not box.waiting or not box.row.enabled or box.row.id in self._lost:
            return False
        if not box.is_quick and self._slow_flying >= self._settings.slots // 2:
            return False
        return box.flying < (1 if box.is_struggling else self._settings.per_endpoint)

    def _start_one(self, box: _Box, due: Due) -> None:
        box.flying += 1
        self._slow_flying += not box.is_quick
        task = asyncio.create_task(self._deliver(box, due, box.is_quick))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, box: _Box, due: Due, was_quick: bool) -> None:
        try:
            attempt = await self._sender.send(box.row.id, Letter(box.row.url, due.event_id, due.body, box.secrets))
            self._hear(box, due, attempt)
        finally:
            box.flying -= 1
            self._slow_flying -= not was_quick
            self._bell.set()

    def _hear(self, box: _Box, due: Due, attempt: Attempt) -> None:
        now, health = self._clock.now_us(), box.health
        box.is_quick = attempt.is_success and attempt.duration_ms <= _QUICK_MS
        attempts = [*due.attempts, shown(attempt, now)][-_ATTEMPTS_KEPT:]
        if attempt.is_success:
            box.health = Health(box.row.id, None, 0, 0, now)
            self._ended.append(Ended(due.place, "delivered", due.made + 1, None, attempts))
        else:
            since = now if health.failing_since is None else health.failing_since
            box.health = Health(box.row.id, since, health.failures + 1, health.in_a_row + 1, health.last_success_at)
            luck = int.from_bytes(self._chance.bytes(2), "big") / 65_536
            at = next_attempt_at(due.made + 1, now, luck, attempt.status, attempt.retry_after_seconds)
            self._ended.append(Ended(due.place, "failed" if at is None else "pending", due.made + 1, at, attempts))
            reason = why_disabled(attempt.status, since, box.health.failures, now, self._settings.failing_us)
            if reason is not None:
                self._lost[box.row.id] = reason
        self._ill.add(box.row.id)

    # -- what became of it ---------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        ended, self._ended = self._ended, []
        ill, self._ill = self._ill, set()
        try:
            await asyncio.to_thread(
                self._books.write, ended, [self._boxes[one].health for one in sorted(ill) if one in self._boxes]
            )
        except BaseException:
            self._ended, self._ill = ended + self._ended, ill | self._ill
            raise
        for one in ended:
            box = self._boxes.get(one.endpoint)
            if box is not None:
                box.taken.discard(one.place)
                box.next_due = 0
        for endpoint, reason in list(self._lost.items()):
            try:
                await self._desk.ask(DisableEndpoint(id=endpoint, reason=reason))
            except Refusal as refusal:
                logger.info("endpoint %s could not be disabled (%s); trying again", endpoint, refusal.text)
                self._bell.set()
                continue
            del self._lost[endpoint]
            if endpoint in self._boxes:
                lost = self._boxes[endpoint]
                lost.row = lost.row._replace(enabled=0)
                for waiting in lost.waiting:
                    lost.taken.discard(waiting.place)
                lost.waiting.clear()

    async def _leave(self) -> None:
        with contextlib.suppress(Exception):
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=_LEAVE_SECONDS)
            await self._write()
            await asyncio.to_thread(self._books.leave)
        for task in self._tasks:
            task.cancel()
        await self._sender.close()


def shown(attempt: Attempt, now: int) -> dict[str, Any]:
    """As the log keeps and shows it."""
    return {
        "at": wire_time(now),
        "status_code": attempt.status,
        "duration_ms": attempt.duration_ms,
        "error": attempt.error,
        "response": attempt.response,
    }
