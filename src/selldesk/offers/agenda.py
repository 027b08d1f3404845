"""A bot's agenda: given what it knows, the one call to Steam that it should make next. Pure, so it is tested as a table.

The worker asks, makes exactly that call, brings the answer to the desk as news, and asks again.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from selldesk.offers.life import OfferLife
from selldesk.offers.offered import cancel_due
from selldesk.offers.rules import Rules
from selldesk.offers.sending import too_late_to_offer
from selldesk.offers.stages import Stage

SECOND_US = 1_000_000


class Pace(msgspec.Struct, frozen=True):
    """How often a bot asks Steam, in microseconds of virtual time. Real Steam's limits: protocol §7."""

    poll_us: int = 5_000_000
    """Between two looks at the offers while some are out."""
    idle_poll_us: int = 45_000_000
    """Without open offers: a sign of life well inside the 120 s after which a bot counts as stale."""
    sweep_us: int = 60_000_000
    """Between two looks at the trade history while trades can still be reversed."""
    send_gap_us: int = 1_000_000
    """Between two sends of one bot (protocol §7)."""
    full_sweep_us: int = 120_000_000
    """Between two polls that ask for everything instead of recent changes only."""
    quiet_sweep_us: int = 300_000_000
    """The same while none can: what left the bot by no sale of ours must be seen all the same (promise I18)."""
    own_inventory_us: int = 60_000_000
    """Between two readings of the bot's own inventory, one context each (people P4)."""
    no_logins: "Window | None" = None
    """When Steam is down for maintenance every week."""


class Window(msgspec.Struct, frozen=True):
    """Steam's weekly maintenance in its own time zone: no full logins then (protocol §7). Times in minutes of the day."""

    weekday: int
    """0: Monday."""
    from_minute: int
    to_minute: int
    zone: str

    def ends_at(self, now_us: int) -> int | None:
        """When the window that `now_us` lies in will be over; None outside of it."""
        now = datetime.fromtimestamp(now_us / SECOND_US, ZoneInfo(self.zone))
        minute = now.hour * 60 + now.minute
        if now.weekday() != self.weekday or not self.from_minute <= minute < self.to_minute:
            return None
        end = now.replace(hour=self.to_minute // 60, minute=self.to_minute % 60, second=0, microsecond=0)
        return int(end.timestamp()) * SECOND_US


class Task(NamedTuple):
    """One offer as the agenda sees it."""

    trade_id: str
    """The id of what the offer is for."""
    stage: str
    due_at: int | None
    steam_trade_id: str | None
    wants_cancel: bool
    """The offer is to be cancelled now."""
    is_too_late: bool
    """No offer is out in time, and none can be on its way."""
    is_held: bool
    """Steam holds the items: only the trade tells how it ends."""
    needs_confirmation: bool = False
    """Our own offer waits for the bot's phone."""
    may_send: bool = True
    """False: the bot is in quarantine or full, or the game is paused."""
    gives: bool = False
    """A delivery: the bot's own items."""

    @property
    def awaits_word_of_trade(self) -> bool:
        """Exchanged and due for settlement, or held by Steam: only the trade itself tells."""
        return self.stage == Stage.SETTLING or (self.stage == Stage.OFFERED and self.is_held and self.steam_trade_id is not None)


def task_of(life: OfferLife, now: int, rules: Rules, may_send: bool) -> Task:
    if life.gives:
        rules = rules.of_deliveries
    return Task(
        trade_id=life.id,
        stage=life.stage,
        due_at=life.due_at,
        steam_trade_id=life.steam_trade_id,
        wants_cancel=cancel_due(life, now, rules),
        is_too_late=too_late_to_offer(life, now, rules),
        is_held=life.is_held,
        needs_confirmation=life.needs_confirmation,
        may_send=may_send,
        gives=life.gives,
    )


LONGEST_WAIT_US = 60_000_000
"""No back-off is longer than this, but that of full logins."""
LOGIN_EVERY_US = 30_000_000
"""A guard code is good for one login: at most one full login per code window (protocol §7)."""
LONGEST_LOGIN_WAIT_US = 32 * 60_000_000
"""Between full logins that Steam refuses; an operator who mends the account restarts nothing: they wait so long at most."""


class Memory(msgspec.Struct):
    """What the worker remembers between calls; nothing here needs to survive a restart."""

    logged_in: bool = False
    token_expires_at: int = 0
    acknowledged: bool = False
    last_poll_at: int = 0
    last_full_poll_at: int = 0
    last_send_at: int = 0
    last_sweep_at: int = 0
    quiet_until: int = 0
    """Back-off after Steam's refusals: no call before this moment."""
    poll_now: bool = True
    failures: int = 0
    unwanted_offers: tuple[str, ...] = ()
    """Received offers, duplicates and orphans that must be taken down: ('decline:<id>' or 'cancel:<id>')."""
    foreign_offers: frozenset[str] = frozenset()
    """Offers of the bot that are not ours and have been told."""
    limited_since: int | None = None
    """When Steam began to refuse this bot's calls for their rate."""
    logins_refused: int = 0
    """In a row: each makes the next full login wait longer."""
    next_login_at: int = 0
    suspects: tuple[str, ...] = ()
    """Trades that were seen reversed and are not yet decided."""
    readings: dict[str, int | None] = {}
    """What Steam has said in this round about the trades that a reversal concerns (None: it has no entry), so that each is asked
    for once, however often Steam's limit stops the round."""
    free_at: dict[str, int] = {}
    """Bucket → when Steam's limit allows its next call."""
    after_exchanged: bool = False
    """A trade that was just exchanged was read last: a reversal, or a trade that is due for settlement, has its turn, for all draw
    from the same bucket."""
    is_blind: bool = False
    """The last poll failed: nothing new is begun until one succeeds."""
    polls_not_before: int = 0
    last_turn: "CallKind | None" = None
    """Which of the calls that take turns (`TURNS`) was made last."""
    is_sweeping: bool = False
    """The history is being read, page by page."""
    suspects_not_before: int = 0
    suspects_tries: int = 0
    stock_games: tuple[int, ...] = ()
    """Games whose inventory is to be compared with the store."""
    is_taking_stock: bool = False
    """All of them, since somebody wants a stocktake."""
    stock_not_before: int = 0
    changed_partners: frozenset[str] = frozenset()
    """Sellers with whom Steam refused an offer since somebody 'changed' (34), with no offer taken in between."""
    restricted_for: str | None = None
    """Steam's words, once such refusals are found to mean the bot; to be reported."""
    was_restricted: bool = False
    """Such refusals took the bot out, and it has not sent anything since."""
    not_before: dict[str, int] = {}
    """Trades whose last call failed: they wait, so that one unreadable trade doesn't block the others."""

    def polls_failed(self, wait_us: int, now: int) -> None:
        """For twice as long as the bot rests nothing is polled, so that what else can be done has its time."""
        self.is_blind, self.polls_not_before = True, now + 2 * wait_us

    def polls_worked(self) -> None:
        self.is_blind, self.polls_not_before = False, 0

    def defer(self, trade_id: str, until: int) -> None:
        self.not_before[trade_id] = until

    def mend(self, now: int) -> None:
        """After a clock that went back, no remembered moment may lie in the future: it would silence the bot."""
        self.last_poll_at = min(self.last_poll_at, now)
        self.last_full_poll_at = min(self.last_full_poll_at, now)
        self.last_send_at = min(self.last_send_at, now)
        self.last_sweep_at = min(self.last_sweep_at, now)
        self.quiet_until = min(self.quiet_until, now + LONGEST_WAIT_US)
        self.free_at = {name: moment for name, moment in self.free_at.items() if now < moment <= now + LONGEST_WAIT_US}
        self.next_login_at = min(self.next_login_at, now + LONGEST_LOGIN_WAIT_US)
        self.polls_not_before = min(self.polls_not_before, now + 2 * LONGEST_WAIT_US)
        self.suspects_not_before = min(self.suspects_not_before, now + LONGEST_WAIT_US)
        self.stock_not_before = min(self.stock_not_before, now + 10 * LONGEST_WAIT_US)
        self.not_before = {
            trade_id: min(moment, now + LONGEST_WAIT_US) for trade_id, moment in self.not_before.items() if moment > now
        }


class CallKind(StrEnum):
    """What a bot can do next. `bucket`: the limit of Steam's that the agenda watches for it. `needs_session`: only such calls show
    that the bot is well. `takes_turns`: queues can stand for it."""

    bucket: str | None
    needs_session: bool
    takes_turns: bool

    def __new__(cls, value: str, bucket: str | None = None, needs_session: bool = True, takes_turns: bool = False) -> "CallKind":
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.bucket, kind.needs_session, kind.takes_turns = bucket, needs_session, takes_turns
        return kind

    WAIT = "wait", None, False
    """Nothing, until a moment."""
    LOGIN = "login", None, False
    RENEW = "renew", None, False
    ACKNOWLEDGE = "acknowledge"
    """Steam's notice on trade protection."""
    READ_TRADE = "read_trade", "status"
    """Of an offer that was just accepted."""
    READ_OFFER = "read_offer"
    """The same while the number of the exchange is unknown."""
    CANCEL = "cancel"
    CONFIRM = "confirm"
    """On the bot's phone."""
    GIVE_UP = "give_up", None, False
    """Nothing could be sent in time."""
    POLL = "poll", "offers"
    """The bot's lists of offers."""
    REVERSAL = "reversal", "status"
    """Read what was seen reversed."""
    VERIFY = "verify", "inventory", True, True
    SEND = "send", None, True, True
    DELIVER = "deliver", None, True, True
    """Send an offer that gives."""
    TAKE_DOWN = "take_down", None, True, True
    """Offers that nobody wants."""
    SETTLE = "settle", "status", True, True
    """Read a trade that is due for settlement or held."""
    SWEEP = "sweep", "history", True, True
    """Go through the history for reversals and what no sale explains."""
    STOCK = "stock", None, True, True
    """Read the bot's own inventory."""


class Call(NamedTuple):
    kind: CallKind
    trade_id: str | None = None
    until: int = 0


TURNS = tuple(kind for kind in CallKind if kind.takes_turns)
"""Calls that queues can stand for. They take turns: a queue of new sales may delay what is to be settled or looked through for
reversals, but never starve it, nor the other way round."""
RENEW_BEFORE_US = 5 * 60 * 1_000_000
"""An access token is renewed when this little of its life is left (protocol §7)."""

_BACKING_OFF = frozenset({Stage.VERIFY, Stage.SEND, Stage.EXCHANGED})
"""Stages whose due time is never anything but a back-off."""
_NEEDS_POLLS = frozenset({Stage.OFFERED, Stage.RECONCILE, Stage.EXCHANGED})


class _Situation:
    """All that the rules look at, for one decision."""

    def __init__(self, memory: Memory, tasks: list[Task], has_unsettled: bool, now: int, pace: Pace) -> None:
        self.memory, self.now, self.pace, self.has_unsettled = memory, now, pace, has_unsettled
        self.tasks = tasks
        self.due_at: dict[str, int] = {}
        self.due: list[Task] = []
        for task in tasks:
            due_at = task.due_at
            if due_at is None:
                continue
            if task.stage in _BACKING_OFF and due_at > now + LONGEST_WAIT_US:
                # A back-off that lies further away than any can was set by a clock that has gone back since.
                due_at = now
            self.due_at[task.trade_id] = due_at = max(due_at, memory.not_before.get(task.trade_id, 0))
            if due_at <= now:
                self.due.append(task)

    def is_free(self, kind: CallKind) -> bool:
        """Steam's limit allows it now."""
        return kind.bucket is None or self.memory.free_at.get(kind.bucket, 0) <= self.now

    @cached_property
    def exchanged(self) -> Call | None:
        """The first offer that was just accepted and can be read."""
        for task in self.due:
            if task.stage == Stage.EXCHANGED and not task.steam_trade_id:
                return Call(CallKind.READ_OFFER, task.trade_id)
            if task.stage == Stage.EXCHANGED and self.is_free(CallKind.READ_TRADE):
                return Call(CallKind.READ_TRADE, task.trade_id)
        return None

    @cached_property
    def to_settle(self) -> Call | None:
        if not self.is_free(CallKind.SETTLE):
            return None
        return self._first(CallKind.SETTLE, lambda task: task.awaits_word_of_trade)

    @cached_property
    def ready_to_send(self) -> Call | None:
        return self._unless_blind(CallKind.SEND, lambda task: task.stage == Stage.SEND and task.may_send and not task.gives)

    @cached_property
    def ready_to_deliver(self) -> Call | None:
        return self._unless_blind(CallKind.DELIVER, lambda task: task.stage == Stage.SEND and task.may_send and task.gives)

    @cached_property
    def poll_at(self) -> int:
        if self.memory.is_blind:
            return self.memory.polls_not_before
        is_out = any(task.stage in _NEEDS_POLLS for task in self.tasks)
        return self.memory.last_poll_at + (self.pace.poll_us if is_out else self.pace.idle_poll_us)

    @property
    def send_at(self) -> int:
        return self.memory.last_send_at + self.pace.send_gap_us

    @cached_property
    def sweep_at(self) -> int:
        memory = self.memory
        every = self.pace.sweep_us if self.has_unsettled else self.pace.quiet_sweep_us
        return max(0 if memory.is_sweeping else memory.last_sweep_at + every, memory.free_at.get("history", 0))

    def _first(self, kind: CallKind, concerns: Callable[[Task], bool]) -> Call | None:
        return next((Call(kind, task.trade_id) for task in self.due if concerns(task)), None)

    def _unless_blind(self, kind: CallKind, concerns: Callable[[Task], bool]) -> Call | None:
        """Nothing new is begun while the bot can't see its offers."""
        return None if self.memory.is_blind else self._first(kind, concerns)

    # -- the rules, most urgent first ----------------------------------------------------------------------------------

    def rest(self) -> Call | None:
        return Call(CallKind.WAIT, until=self.memory.quiet_until) if self.now < self.memory.quiet_until else None

    def log_in(self) -> Call | None:
        if self.memory.logged_in:
            return None
        window_ends_at = self.pace.no_logins.ends_at(self.now) if self.pace.no_logins is not None else None
        login_at = max(self.memory.next_login_at, window_ends_at or 0)
        return Call(CallKind.LOGIN) if self.now >= login_at else Call(CallKind.WAIT, until=login_at)

    def renew(self) -> Call | None:
        return Call(CallKind.RENEW) if self.now >= self.memory.token_expires_at - RENEW_BEFORE_US else None

    def acknowledge(self) -> Call | None:
        return None if self.memory.acknowledged else Call(CallKind.ACKNOWLEDGE)

    def reversal(self) -> Call | None:
        """Has its turn with exchanges, for all draw from the same bucket."""
        memory = self.memory
        is_due = bool(memory.suspects) and self.now >= memory.suspects_not_before and self.is_free(CallKind.REVERSAL)
        return Call(CallKind.REVERSAL) if is_due and (memory.after_exchanged or self.exchanged is None) else None

    def exchange(self) -> Call | None:
        """What was just accepted; after such a one, a trade that is due for settlement."""
        if self.exchanged is not None and self.memory.after_exchanged and self.to_settle is not None:
            return self.to_settle
        return self.exchanged

    def cancel(self) -> Call | None:
        return self._first(CallKind.CANCEL, lambda task: task.wants_cancel)

    def confirm(self) -> Call | None:
        return self._first(CallKind.CONFIRM, lambda task: task.needs_confirmation)

    def give_up(self) -> Call | None:
        return self._first(CallKind.GIVE_UP, lambda task: task.is_too_late)

    def poll(self) -> Call | None:
        if not self.is_free(CallKind.POLL) or self.now < self.memory.polls_not_before:
            return None
        is_lost = any(task.stage == Stage.RECONCILE for task in self.due)
        return Call(CallKind.POLL) if self.memory.poll_now or is_lost or self.now >= self.poll_at else None

    def turn(self) -> Call | None:
        last = self.memory.last_turn
        after = TURNS.index(last) + 1 if last in TURNS else 0
        for kind in TURNS[after:] + TURNS[:after]:
            call = self._waiting(kind)
            if call is not None:
                return call
        return None

    def _waiting(self, kind: CallKind) -> Call | None:
        """What stands in this queue."""
        memory = self.memory
        match kind:
            case CallKind.VERIFY if self.is_free(kind):
                return self._unless_blind(kind, lambda task: task.stage == Stage.VERIFY and not task.gives)
            case CallKind.SEND if self.now >= self.send_at:
                return self.ready_to_send
            case CallKind.DELIVER if self.now >= self.send_at:
                return self.ready_to_deliver
            case CallKind.TAKE_DOWN if memory.unwanted_offers:
                return Call(kind)
            case CallKind.SETTLE:
                return self.to_settle
            case CallKind.SWEEP if self.now >= self.sweep_at:
                return Call(kind)
            case CallKind.STOCK if memory.stock_games and self.now >= memory.stock_not_before and not memory.is_blind:
                return Call(kind)
        return None

    def wait(self) -> Call:
        """Until what comes first."""
        memory = self.memory
        moments = [
            self.poll_at,
            self.sweep_at,
            memory.token_expires_at - RENEW_BEFORE_US,
            *self.due_at.values(),
            *memory.free_at.values(),
        ]
        if self.ready_to_send is not None or self.ready_to_deliver is not None:
            moments.append(self.send_at)
        if memory.stock_games:
            moments.append(memory.stock_not_before)
        if memory.suspects:
            moments.append(memory.suspects_not_before)
        return Call(CallKind.WAIT, until=min(moment for moment in moments if moment > self.now))


_RULES: tuple[Callable[[_Situation], Call | None], ...] = (
    _Situation.rest,
    _Situation.log_in,
    _Situation.renew,
    _Situation.acknowledge,
    _Situation.reversal,
    _Situation.exchange,
    _Situation.cancel,
    _Situation.confirm,
    _Situation.give_up,
    _Situation.poll,
    _Situation.turn,
    _Situation.wait,
)


def next_call(memory: Memory, tasks: list[Task], has_unsettled: bool, now: int, pace: Pace) -> Call:
    """The most urgent call (`memory.mend` first, if the clock may have gone back): the first rule that has one.

    Order: session; exchanges and reversals; cancellations; the poll; then new offers, settlement and the sweep by turns.
    """
    situation = _Situation(memory, tasks, has_unsettled, now, pace)
    return next(call for rule in _RULES if (call := rule(situation)) is not None)
