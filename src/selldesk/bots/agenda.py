"""A bot's agenda: given what it knows, the one call to Steam that it should make next. Pure, so it is tested as a table.

The worker asks, makes exactly that call, brings the answer to the desk as news, and asks again.
"""

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

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
    """One trade as the agenda sees it. `stage` is the trade's stage by name."""

    trade_id: str
    stage: str
    due_at: int | None
    seller: str
    offer_id: str | None
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


LONGEST_WAIT_US = 60_000_000
"""No back-off is longer than this, but that of full logins."""
LOGIN_EVERY_US = 30_000_000
"""A guard code is good for one login: at most one full login per code window (protocol §7)."""
LONGEST_LOGIN_WAIT_US = 32 * 60_000_000
"""Between full logins that Steam refuses; an operator who mends the account restarts nothing, he waits so long at most."""


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
    last_turn: str | None = None
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
    strangers: frozenset[str] = frozenset()
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


class Call(NamedTuple):
    """What to do: `login`, `renew`, `acknowledge`, `read_trade` (just exchanged), `cancel`, `confirm`, `take_down`, `poll`,
    `read_offer`, `give_up`, `verify`, `send`, `settle` (read a trade that is due for settlement or held), `sweep`, `reversal`,
    `stock` (the bot's own inventory), or `wait` until a moment."""

    kind: str
    trade_id: str | None = None
    until: int = 0


_BACKING_OFF = frozenset({"verify", "send", "exchanged"})
"""Stages whose due time is never anything but a back-off."""
TURNS = ("verify", "send", "take_down", "settle", "sweep", "stock")
"""Calls that queues can stand for. They take turns: a queue of new sales may delay what is to be settled or looked through for
reversals, but never starve it, nor the other way round."""
RENEW_BEFORE_US = 5 * 60 * 1_000_000
"""An access token is renewed when this little of its life is left (protocol §7)."""


def next_call(memory: Memory, tasks: list[Task], has_unsettled: bool, now: int, pace: Pace) -> Call:
    """The most urgent call (`memory.mend` first, if the clock may have gone back).

    Order: session; exchanges and reversals; cancellations; the poll; then new offers, settlement and the sweep by turns.
    """
    if now < memory.quiet_until:
        return Call("wait", until=memory.quiet_until)
    if not memory.logged_in:
        window_ends_at = pace.no_logins.ends_at(now) if pace.no_logins is not None else None
        login_at = max(memory.next_login_at, window_ends_at or 0)
        return Call("login") if now >= login_at else Call("wait", until=login_at)
    if now >= memory.token_expires_at - RENEW_BEFORE_US:
        return Call("renew")
    if not memory.acknowledged:
        return Call("acknowledge")

    def is_free(bucket: str) -> bool:
        return memory.free_at.get(bucket, 0) <= now

    # A back-off that lies further away than any can was set by a clock that has gone back since.
    tasks = [
        task._replace(due_at=now) if task.stage in _BACKING_OFF and (task.due_at or 0) > now + LONGEST_WAIT_US else task
        for task in tasks
    ]
    due_at = {task.trade_id: max(task.due_at, memory.not_before.get(task.trade_id, 0)) for task in tasks if task.due_at is not None}
    due = [task for task in tasks if task.trade_id in due_at and due_at[task.trade_id] <= now]
    exchanged = [task for task in due if task.stage == "exchanged" and (is_free("status") or not task.steam_trade_id)]
    to_settle = next((task for task in due if _awaits_word_of_trade(task)), None) if is_free("status") else None
    has_reversal = bool(memory.suspects) and now >= memory.suspects_not_before and is_free("status")
    if has_reversal and (memory.after_exchanged or not exchanged):
        return Call("reversal")
    if exchanged and memory.after_exchanged and to_settle is not None:
        return Call("settle", to_settle.trade_id)
    for task in exchanged:
        return Call("read_trade" if task.steam_trade_id else "read_offer", task.trade_id)
    for task in due:
        if task.wants_cancel:
            return Call("cancel", task.trade_id)
    for task in due:
        if task.needs_confirmation:
            return Call("confirm", task.trade_id)
    for task in due:
        if task.is_too_late:
            return Call("give_up", task.trade_id)

    out = any(task.stage in ("offered", "reconcile", "exchanged") for task in tasks)
    poll_at = memory.last_poll_at + (pace.poll_us if out else pace.idle_poll_us)
    reconcile_due = any(task.stage == "reconcile" for task in due)
    if memory.is_blind:
        poll_at = memory.polls_not_before
    if is_free("offers") and now >= memory.polls_not_before and (memory.poll_now or reconcile_due or now >= poll_at):
        return Call("poll")

    send_at = memory.last_send_at + pace.send_gap_us
    sweep_every = pace.sweep_us if has_unsettled else pace.quiet_sweep_us
    sweep_at = max(0 if memory.is_sweeping else memory.last_sweep_at + sweep_every, memory.free_at.get("history", 0))
    ready = [task for task in due if task.stage == "send" and task.may_send and not memory.is_blind]
    to_verify = next((task for task in due if task.stage == "verify" and not memory.is_blind), None)
    waiting: dict[str, Call] = {}
    if to_verify is not None and is_free("inventory"):
        waiting["verify"] = Call("verify", to_verify.trade_id)
    if ready and now >= send_at:
        waiting["send"] = Call("send", ready[0].trade_id)
    if memory.unwanted_offers:
        waiting["take_down"] = Call("take_down")
    if to_settle is not None:
        waiting["settle"] = Call("settle", to_settle.trade_id)
    if now >= sweep_at:
        waiting["sweep"] = Call("sweep")
    if memory.stock_games and now >= memory.stock_not_before and not memory.is_blind:
        waiting["stock"] = Call("stock")
    after = TURNS.index(memory.last_turn) + 1 if memory.last_turn in TURNS else 0
    for turn in TURNS[after:] + TURNS[:after]:
        if turn in waiting:
            return waiting[turn]

    moments = [poll_at, memory.token_expires_at - RENEW_BEFORE_US, *(moment for moment in due_at.values() if moment > now)]
    if ready:
        moments.append(send_at)
    moments.append(sweep_at)
    if memory.stock_games:
        moments.append(memory.stock_not_before)
    if memory.suspects:
        moments.append(memory.suspects_not_before)
    moments = [moment for moment in moments if moment > now] + [moment for moment in memory.free_at.values() if moment > now]
    return Call("wait", until=max(now, min(moments)))


def _awaits_word_of_trade(task: Task) -> bool:
    """Accepted and due for settlement, or held by Steam: only the trade itself tells."""
    return task.stage == "settling" or (task.stage == "offered" and task.is_held and task.steam_trade_id is not None)
