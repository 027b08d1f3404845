"""One bot: asks its agenda, makes that one call to Steam, brings the answer to the desk, and asks again.

Everything that matters is in the store: a worker that dies at any point is continued by the next one. What it remembers
(`Memory`) only paces it.
"""

import asyncio
import logging
from collections.abc import Callable, Collection

import msgspec

from selldesk.bots.rooms import BotState, in_quarantine
from selldesk.catalog.games import GAMES
from selldesk.desk import commands
from selldesk.kernel.outages import Outage
from selldesk.kernel.refusals import INTERNAL_ERROR, Refusal
from selldesk.kernel.secretbox import secrets_place, tokens_place
from selldesk.kernel.times import MINUTE_US, SECOND_US
from selldesk.offers.agenda import LOGIN_EVERY_US, LONGEST_LOGIN_WAIT_US, Call, CallKind, next_call, task_of
from selldesk.offers.life import OpenOffer
from selldesk.offers.stages import Stage
from selldesk.steam.results import (
    LoginRefused,
    Malformed,
    NotLoggedIn,
    RateLimited,
    ResultFault,
    SteamFault,
    Throttled,
    Unreachable,
)
from selldesk.steamwire.credentials import Credentials, Tokens
from selldesk.store.rows import StandingRow
from selldesk.store.store import Row, StoreUnavailable
from selldesk.workers.context import BotContext
from selldesk.workers.exchanges import Exchanges
from selldesk.workers.offers import Offers
from selldesk.workers.sending import Sending
from selldesk.workers.stocktaking import Stocktaking
from selldesk.workers.waiting import Alarm, Wakes

logger = logging.getLogger(__name__)

_BEAT_EVERY_US = 15 * SECOND_US
_FAILURES_UNTIL_DOWN = 3
_READS_ONE_TRADE = frozenset({CallKind.READ_TRADE, CallKind.SETTLE, CallKind.READ_OFFER})
_STORE_AGAIN_SECONDS = 0.5
_LOOK_FOR_LEASE_US = SECOND_US
_LIMITED_TOO_LONG_US = 10 * MINUTE_US
"""A 429 that doesn't end is no rate but a filter (protocol §7): somebody must look."""


class BotWorker:
    def __init__(
        self, bot: BotContext, beat: Callable[[int, int], bool], sealed: tuple[bytes, bytes | None], alarm: Wakes | None = None
    ) -> None:
        """`beat(bot, real_us)` notes a sign of life, if it can. `sealed`: credentials and tokens as they stood in the store when the session
        was made of them."""
        self.alarm = alarm if alarm is not None else Alarm(bot.clock)
        self._bot = bot
        self._session = bot.client.session
        self._beat = beat
        self._exchanges = Exchanges(bot)
        self._stock = Stocktaking(bot)
        self._offers = Offers(bot, self._exchanges)
        self._sending = Sending(bot, self._offers)
        bot.memory.logged_in = self._session.tokens is not None
        bot.memory.token_expires_at = self._session.access_expires_at() * SECOND_US
        self._last_beat_real_us = 0
        self._beat_shift_us = bot.clock.now_us() - bot.clock.real_us()
        self._dead_sessions = 0
        self._outage = Outage(f"bot {bot.number} can't read the store")
        self._retiring = False
        self._sealed, self._sealed_tokens = sealed
        self._standing: tuple[str, str | None, int | None] = ("", None, None)
        """State, reason and until when, as last read."""

    def retire(self) -> None:
        """Ends `run` after the call that is under way."""
        self._retiring = True
        self.alarm.ring()

    async def run(self) -> None:
        """Until retired or cancelled. Nothing that happens on the way ends it."""
        while not self._retiring:
            try:
                await self.step()
                self._outage.over()
            except Refusal as refusal:
                # The desk is away, declined the news, or another worker has the bot: what is on record will be asked again.
                logger.info("bot %d: the desk did not take its news (%s); trying again", self._bot.number, refusal.text)
                await asyncio.sleep(0.1)
            except StoreUnavailable as error:
                # No failure of the bot's: it goes on as soon as the store is back.
                self._outage.note(error)
                await asyncio.sleep(_STORE_AGAIN_SECONDS)
            except Exception:
                logger.exception("bot %d: unhandled error; it goes on in a moment", self._bot.number)
                self._back_off(5)
                await asyncio.sleep(1)

    async def step(self) -> None:
        """One call to Steam, or one wait. Without a living lease nothing is asked and nothing is said (I13)."""
        now = self._bot.clock.now_us()
        if not self._bot.lease.is_held:
            await self.alarm.wait_until(now + _LOOK_FOR_LEASE_US)
            return
        self._bot.memory.mend(now)
        trades = self._bot.open_offers()
        for trade in trades.values():
            if trade.stage is Stage.SENDING and trade.id not in self._bot.memory.not_before:
                # No send is under way in this worker, so a process died during one, or its news were lost.
                await self._tell_of_lost_send(trade)
                return
        self._read_standing()
        sends = any(trade.stage is Stage.SEND for trade in trades.values())
        stopped, full = self._games_not_to_send(now) if sends else ((), ())
        self._look_for_what_is_to_be_delivered(trades, now)
        tasks = [
            task_of(trade, now, self._bot.rules, trade.game not in stopped and (trade.gives or trade.game not in full))
            for trade in trades.values()
        ]
        has_unsettled = bool(self._bot.reader.fetch("has_unsettled", bot=self._bot.number))
        call = next_call(self._bot.memory, tasks, has_unsettled, now, self._bot.pace)
        if call.kind is CallKind.WAIT:
            # The end of a pause is nobody's due time: without this a sale would wait for the next idle poll.
            pauses = self._pauses(now) if sends else []
            await self.alarm.wait_until(min([call.until, *(until for _, until, _ in pauses)]))
        else:
            await self._make(call, trades)

    async def _make(self, call: Call, trades: dict[str, OpenOffer]) -> None:
        """One call, and what its failure means for the bot and for this trade."""
        try:
            await self._perform(call, trades)
        except Throttled as throttled:
            self._hold_back(call, throttled)
            await asyncio.sleep(0)
        except SteamFault as fault:
            self._put_off(call)
            await self._suffer(fault)
            if call.kind in _READS_ONE_TRADE and call.trade_id is not None and isinstance(fault, ResultFault | Malformed):
                # On record, so that trades that can't be read don't stay first in line for ever.
                await self._bot.desk.ask(
                    commands.TradeRead(trade_id=call.trade_id, word=None, began_at=self._bot.clock.now_us(), raw="")
                )
        except Refusal as refusal:
            if refusal.status != INTERNAL_ERROR.status:
                raise
            self._put_off(call)
            await self._bot.tell_of_poison(call.trade_id, refusal)
        except StoreUnavailable:
            raise
        except Exception:
            # Whatever nobody thought of must not stay first in line.
            self._put_off(call)
            raise
        else:
            await self._tell_how_it_is(call)

    def _hold_back(self, call: Call, throttled: Throttled) -> None:
        """Our own restraint is no fault of anybody: calls of this kind make way until their bucket has a drop again."""
        if throttled.bucket is None:
            self._bot.memory.quiet_until = throttled.until_us
            return
        self._bot.memory.free_at[throttled.bucket] = throttled.until_us
        if throttled.bucket != call.kind.bucket and call.trade_id is not None:
            # It was a side question of this call: the agenda can't know, so this trade waits.
            self._bot.memory.defer(call.trade_id, throttled.until_us)

    async def _tell_how_it_is(self, call: Call) -> None:
        """A call that needs a session was answered: the bot is well. Without the offers it is not, whatever else Steam answers."""
        memory = self._bot.memory
        if call.kind.needs_session and not memory.is_blind:
            await self._report_good()
        if memory.restricted_for is not None:
            reason, memory.restricted_for = memory.restricted_for, None
            memory.was_restricted = True
            await self._report(BotState.RESTRICTED, reason)

    async def _tell_of_lost_send(self, trade: OpenOffer) -> None:
        try:
            await self._bot.desk.ask(commands.OutcomeUnknown(trade_id=trade.id))
        except Refusal as refusal:
            if refusal.status != INTERNAL_ERROR.status:
                raise
            await self._bot.tell_of_poison(trade.id, refusal)

    def _put_off(self, call: Call) -> None:
        """A failed call makes way for the others; how often it failed decides for how long."""
        memory, now = self._bot.memory, self._bot.clock.now_us()
        wait_us = int(min(60, 2 ** min(memory.failures, 6)) * SECOND_US)
        if call.trade_id is not None:
            memory.defer(call.trade_id, now + wait_us)
        elif call.kind is CallKind.REVERSAL:
            memory.suspects_not_before = now + wait_us
        elif call.kind is CallKind.POLL:
            memory.polls_failed(wait_us, now)
        elif call.kind is CallKind.STOCK:
            memory.stock_not_before = now + max(wait_us, self._bot.pace.own_inventory_us)

    def _read_standing(self) -> None:
        """How the bot stands on record. Secrets that an operator has changed are taken."""
        (standing,) = self._bot.reader.fetch_as(StandingRow, "standing_of_bot", bot=self._bot.number)
        self._stock.note_standing(standing.stock_asked_at is not None)
        if standing.secrets != self._sealed:
            self._take_new_secrets(standing.secrets, standing.tokens)
        self._standing = (standing.state, standing.state_reason, standing.quarantined_until)

    def _look_for_what_is_to_be_delivered(self, offers: dict[str, OpenOffer], now: int) -> None:
        """A delivery begins with a reading of the bot's inventory of its game: ids may have changed since the items came."""
        not_before = self._bot.memory.not_before
        for offer in offers.values():
            is_due = offer.due_at is not None and max(offer.due_at, not_before.get(offer.id, 0)) <= now
            if offer.gives and offer.stage is Stage.VERIFY and is_due and offer.cancel_by is None:
                self._stock.wants(offer.game)

    def _games_not_to_send(self, now: int) -> tuple[Collection[int], Collection[int]]:
        """(Games for which this bot must send nothing now: all in quarantine, else the stopped and the paused ones; those that it is full
        of: what leaves it may be sent)"""
        reader = self._bot.reader
        state, _, until = self._standing
        if in_quarantine(state, until, now) or reader.fetch("open_stop"):
            return GAMES, ()
        blocks = reader.fetch("standing_blocks", now=now, furthest=now + self._bot.rules.bot_full_us)
        stopped = set(reader.column("load_game_stops")) | {game for game, _, _ in self._pauses(now)}
        return stopped, {game for bot, game in blocks if bot == self._bot.number}

    def _pauses(self, now: int) -> list[Row]:
        """(game, until, reason) of the games whose item server Steam can't reach now."""
        return self._bot.reader.fetch("paused_games", now=now, furthest=now + self._bot.rules.game_pause_us)

    def _take_new_secrets(self, secrets: bytes, tokens: bytes | None) -> None:
        """An operator gave the bot another password, authenticator or refresh token: they are tried at once."""
        self._session.credentials = msgspec.json.decode(
            self._bot.box.open(secrets, secrets_place(self._session.credentials.steamid64)), type=Credentials
        )
        memory = self._bot.memory
        memory.next_login_at = memory.logins_refused = memory.quiet_until = 0
        if tokens is not None and tokens != self._sealed_tokens:
            self._session.tokens = msgspec.json.decode(
                self._bot.box.open(tokens, tokens_place(self._session.credentials.steamid64)), type=Tokens
            )
            memory.logged_in, memory.token_expires_at = True, 0
        self._sealed, self._sealed_tokens = secrets, tokens

    # -- one call ------------------------------------------------------------------------------------------------------

    async def _perform(self, call: Call, trades: dict[str, OpenOffer]) -> None:
        """Makes the call. Raises SteamFault."""
        if call.kind in (CallKind.READ_TRADE, CallKind.SETTLE, CallKind.REVERSAL):
            self._bot.memory.after_exchanged = call.kind is CallKind.READ_TRADE
        if call.kind.takes_turns:
            self._bot.memory.last_turn = call.kind
        if call.trade_id is None:
            await self._for_the_bot(call.kind, trades)
        else:
            await self._for_a_trade(call.kind, trades[call.trade_id], trades)

    async def _for_the_bot(self, kind: CallKind, trades: dict[str, OpenOffer]) -> None:
        match kind:
            case CallKind.LOGIN:
                await self._log_in()
            case CallKind.RENEW:
                await self._renew()
            case CallKind.ACKNOWLEDGE:
                await self._bot.client.acknowledge_protection()
                self._bot.memory.acknowledged = True
            case CallKind.POLL:
                await self._offers.poll(trades)
            case CallKind.TAKE_DOWN:
                await self._offers.take_down()
            case CallKind.SWEEP:
                await self._exchanges.sweep()
            case CallKind.REVERSAL:
                await self._exchanges.decide_reversal(trades)
            case CallKind.STOCK:
                await self._stock.read_next()
            case _:
                raise TypeError(f"no such call without a trade: {kind}")

    async def _for_a_trade(self, kind: CallKind, trade: OpenOffer, trades: dict[str, OpenOffer]) -> None:
        match kind:
            case CallKind.VERIFY:
                await self._sending.verify(trade, trades)
            case CallKind.SEND:
                await self._sending.send(trade)
            case CallKind.DELIVER:
                await self._sending.deliver(trade)
            case CallKind.CANCEL:
                await self._offers.cancel(trade)
            case CallKind.CONFIRM:
                await self._sending.confirm(trade)
            case CallKind.GIVE_UP:
                await self._offers.give_up(trade)
            case CallKind.READ_OFFER:
                await self._offers.read_offer(trade)
            case CallKind.SETTLE if trade.steam_trade_id is None:
                # An operator declared it accepted before Steam told which exchange it was.
                await self._offers.read_offer(trade)
            case CallKind.READ_TRADE | CallKind.SETTLE:
                if await self._exchanges.read_trade(trade):
                    self._stock.wants(trade.game)
            case _:
                raise TypeError(f"no such call about a trade: {kind}")

    # -- session -------------------------------------------------------------------------------------------------------

    async def _log_in(self) -> None:
        """The last resort: at most one per guard code, and ever rarer while Steam refuses it."""
        memory = self._bot.memory
        memory.next_login_at = self._bot.clock.now_us() + LOGIN_EVERY_US
        try:
            await self._keep(await self._session.log_in())
        except LoginRefused:
            wait_us = min(LONGEST_LOGIN_WAIT_US, LOGIN_EVERY_US << min(memory.logins_refused, 10))
            memory.next_login_at = self._bot.clock.now_us() + wait_us
            memory.logins_refused += 1
            raise
        memory.logins_refused = 0

    async def _renew(self) -> None:
        try:
            await self._keep(await self._session.renew())
        except NotLoggedIn:
            self._bot.memory.logged_in = False
            self._session.tokens = None

    async def _keep(self, tokens: Tokens) -> None:
        """New tokens are on record before they are used (protocol §7)."""
        sealed = self._bot.box.seal(msgspec.json.encode(tokens), tokens_place(self._session.credentials.steamid64))
        await self._bot.desk.ask(commands.BotReport(bot=self._bot.number, tokens=sealed))
        self._session.tokens, self._sealed_tokens = tokens, sealed
        self._bot.memory.logged_in = True
        self._bot.memory.token_expires_at = self._session.access_expires_at() * SECOND_US

    # -- health --------------------------------------------------------------------------------------------------------

    async def _report_good(self) -> None:
        if not self._bot.memory.logged_in:
            return
        self._bot.memory.failures = 0
        self._bot.memory.limited_since = None
        self._dead_sessions = 0
        real_us, now = self._bot.clock.real_us(), self._bot.clock.now_us()
        # After a jump of the market's clock the desk waits for a sign of each bot before it calls anything overdue.
        has_jumped = abs(now - real_us - self._beat_shift_us) > MINUTE_US
        is_due = has_jumped or not 0 <= real_us - self._last_beat_real_us < _BEAT_EVERY_US
        if has_jumped:
            self._beat_shift_us = now - real_us
        if is_due and await asyncio.to_thread(self._beat, self._bot.number, real_us):
            self._last_beat_real_us = real_us
        await self._report(BotState.OK, None)

    async def _suffer(self, fault: SteamFault) -> None:
        """What a fault means for the bot: refresh, log in, slow down, or wait. No trade's state changes by it."""
        memory = self._bot.memory
        match fault:
            case NotLoggedIn():
                self._dead_sessions += 1
                if self._dead_sessions == 1:
                    memory.token_expires_at = 0
                else:
                    # A renewed session that is dead again: slow down, then a full login.
                    self._back_off(0)
                    memory.token_expires_at = 0
                    memory.logged_in = memory.logged_in and self._dead_sessions % 3 != 0
                    await self._report(BotState.NEEDS_LOGIN, str(fault))
            case RateLimited():
                self._back_off(4)
                await self._report(BotState.LIMITED, str(fault))
                await self._tell_if_limited_for_long()
            case LoginRefused():
                logger.warning("bot %d: Steam refuses its login: %s", self._bot.number, fault)
                await self._report(BotState.NEEDS_LOGIN, str(fault))
                if fault.terminal:
                    text = f"Steam refuses its login ({fault.eresult}): check password, secrets and the account itself"
                    await self._bot.desk.ask(
                        commands.RaiseAlert(kind="login_refused", text=text, bot=self._bot.number, trade_id=None)
                    )
            case Unreachable() | Malformed() | ResultFault():
                self._back_off(0)
                if not memory.logged_in:
                    await self._report(BotState.NEEDS_LOGIN, str(fault))
                elif memory.failures >= _FAILURES_UNTIL_DOWN:
                    await self._report(BotState.DOWN, str(fault))
        logger.info("bot %d: %s: %s", self._bot.number, type(fault).__name__, fault)

    async def _tell_if_limited_for_long(self) -> None:
        memory, now = self._bot.memory, self._bot.clock.now_us()
        if memory.limited_since is None:
            memory.limited_since = now
        elif now - memory.limited_since >= _LIMITED_TOO_LONG_US:
            text = (
                "Steam has rate-limited its calls for ten minutes: that is a filter or a block, not an ordinary limit (protocol §7)"
            )
            await self._bot.desk.ask(commands.RaiseAlert(kind="rate_limited", text=text, bot=self._bot.number, trade_id=None))

    def _back_off(self, at_least: int) -> None:
        """0.5, 1, 2 … up to 60 seconds of virtual time without a call."""
        self._bot.memory.failures += 1
        seconds = min(60.0, 0.5 * 2 ** max(0, min(10, self._bot.memory.failures - 1)))
        if at_least:
            seconds = max(seconds, min(60.0, 0.5 * 2 ** (at_least - 1) / 2))
        self._bot.memory.quiet_until = self._bot.clock.now_us() + int(seconds * SECOND_US)

    async def _report(self, state: BotState, reason: str | None) -> None:
        """A change of health is on record before anything else happens, and in the log. A quarantine is not ours to end."""
        if self._standing[:2] == (state.value, reason):
            # As it was when this step began. If somebody has changed it since, the next step sees that.
            return
        self._read_standing()
        state_on_record, reason_on_record, until = self._standing
        if (state_on_record, reason_on_record) == (state.value, reason):
            return
        if in_quarantine(state_on_record, until, self._bot.clock.now_us()):
            return
        if state_on_record != state:
            level = logging.INFO if state is BotState.OK else logging.WARNING
            logger.log(level, "bot %d: %s → %s%s", self._bot.number, state_on_record, state.value, f": {reason}" if reason else "")
        await self._bot.desk.ask(commands.BotReport(bot=self._bot.number, state=state.value, reason=reason))
        self._standing = (state.value, reason, None)
