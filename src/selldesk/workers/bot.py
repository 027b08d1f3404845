"""One bot: asks its agenda, makes that one call to Steam, brings the answer to the desk, and asks again.

Everything that matters is in the store: a worker that dies at any point is continued by the next one. What it remembers
(`Memory`) only paces it.
"""

import asyncio
import logging

import msgspec

from selldesk.bots.agenda import LONGEST_WAIT_US, Call, Memory, Pace, Task, next_call
from selldesk.bots.rooms import BotState
from selldesk.desk import commands
from selldesk.desk.client import DeskPort
from selldesk.kernel.clock import Clock
from selldesk.kernel.limits import OFFER_MESSAGE_CHARS
from selldesk.kernel.refusals import INTERNAL_ERROR, Refusal
from selldesk.kernel.secretbox import SecretBox
from selldesk.kernel.times import SECOND_US
from selldesk.steam.client import SteamClient
from selldesk.steam.results import (
    Asset,
    Cause,
    Exchange,
    Inventory,
    LoginRefused,
    Malformed,
    NeedsConfirmation,
    NotLoggedIn,
    Offer,
    OfferLists,
    RateLimited,
    Rejected,
    ResultFault,
    SendUnknown,
    Sent,
    SteamFault,
    Unreachable,
)
from selldesk.steam.session import Tokens
from selldesk.steamwire.enums import OfferState, TradeStatus
from selldesk.steamwire.tradelink import TradeLink, parse_trade_link
from selldesk.store.aside import Aside
from selldesk.store.store import Reader
from selldesk.trades import word
from selldesk.trades.news import AssetWord, OfferWord, Proof, TradeWord
from selldesk.trades.news import Refusal as OfferRefusal
from selldesk.trades.rules import Rules
from selldesk.trades.status import RELEASED, Stage
from selldesk.trades.trade import Trade, TradeItem
from selldesk.workers.verifying import prove
from selldesk.workers.waiting import Alarm

logger = logging.getLogger(__name__)

_BEAT_EVERY_US = 15 * SECOND_US
_OVERLAP_SECONDS = 1800
"""Steam backdates updates by up to half an hour (protocol §9 no. 7)."""
_LOGIN_EVERY_US = 30 * SECOND_US
"""A guard code is good for one login: at most one attempt per code window (protocol §7)."""
_FAILURES_UNTIL_DOWN = 3
_HISTORY_PAGES_MAX = 50
_HISTORY_EVERY_US = 15 * SECOND_US
"""Steam gives one look at the history in so long (protocol §7)."""
_CLOCK_TRUSTED_US = 60 * SECOND_US

_HEARD_BY_STEAM = frozenset(
    {"acknowledge", "poll", "sweep", "reversal", "verify", "send", "cancel", "take_down", "read_offer", "read_trade"}
)
"""Calls that need a living session: only they show that the bot is well. A login or a renewal alone does not."""

_WHY: dict[Cause, OfferRefusal] = {
    Cause.ITEM_GONE: OfferRefusal.SELLER,
    Cause.BAD_LINK: OfferRefusal.SELLER,
    Cause.SELLER_RESTRICTED: OfferRefusal.SELLER,
    Cause.SELLER_LIMIT: OfferRefusal.BOT_LIMIT,
    Cause.BOT_LIMIT: OfferRefusal.BOT_LIMIT,
    Cause.BOT_FULL: OfferRefusal.BOT_ILL,
    Cause.BOT_RESTRICTED: OfferRefusal.BOT_ILL,
    Cause.ITEM_SERVER_DOWN: OfferRefusal.TRANSIENT,
    Cause.PARTNER_CHANGED: OfferRefusal.TRANSIENT,
}


class BotWorker:
    def __init__(
        self,
        number: int,
        client: SteamClient,
        desk: DeskPort,
        reader: Reader,
        aside: Aside,
        clock: Clock,
        box: SecretBox,
        rules: Rules,
        pace: Pace,
    ) -> None:
        self.number = number
        self.alarm = Alarm(clock)
        self._client = client
        self._session = client.session
        self._desk = desk
        self._reader = reader
        self._aside = aside
        self._clock = clock
        self._box = box
        self._rules = rules
        self._pace = pace
        self._memory = Memory(
            logged_in=self._session.tokens is not None, token_expires_at=self._session.access_expires_at() * SECOND_US
        )
        self._last_beat_real_us = 0
        self._reported: tuple[str, str | None] | None = None
        self._dead_sessions = 0
        self._last_login_at = 0
        self._known_accepted: set[str] = set()
        self._clock_measured_at = 0

    async def run(self) -> None:
        """Until cancelled. Nothing that happens on the way ends it."""
        while True:
            try:
                await self.step()
            except Refusal as refusal:
                # The desk is away or declined the news: what is on record will be asked again.
                logger.info("bot %d: the desk says %s", self.number, refusal.text)
                await asyncio.sleep(0.1)
            except Exception:
                logger.exception("bot %d stumbled", self.number)
                self._back_off(5)
                await asyncio.sleep(1)

    async def step(self) -> None:
        """One call to Steam, or one wait."""
        now = self._clock.now_us()
        self._memory.mend(now)
        trades = self._open_trades()
        for trade in trades.values():
            if trade.work is Stage.SENDING:
                # No send is under way in this worker, so a process died during one, or its news were lost.
                await self._desk.ask(commands.OutcomeUnknown(trade.id))
                return
        tasks = [self._task(trade, now) for trade in trades.values()]
        has_unsettled = bool(self._reader.fetch("has_unsettled", bot=self.number))
        call = next_call(self._memory, tasks, has_unsettled, now, self._pace)
        if call.kind == "wait":
            await self.alarm.wait_until(call.until)
            return
        try:
            await self._perform(call, trades)
        except SteamFault as fault:
            self._put_off(call)
            await self._suffer(fault)
        except Refusal as refusal:
            if refusal.status != INTERNAL_ERROR.status:
                raise
            self._put_off(call)
            await self._tell_of_poison(call.trade_id, refusal)
        else:
            if call.kind in _HEARD_BY_STEAM:
                await self._report_good()

    def _put_off(self, call: Call) -> None:
        """A failed call makes way for the others; how often it failed decides for how long."""
        until = self._clock.now_us() + int(min(60, 2 ** min(self._memory.failures, 6)) * SECOND_US)
        if call.trade_id is not None:
            self._memory.defer(call.trade_id, until)
        elif call.kind == "reversal":
            self._memory.suspects_not_before = until

    async def _tell_of_poison(self, trade_id: str | None, refusal: Refusal) -> None:
        """News that the desk can't digest: a human must look, the other trades go on."""
        logger.error("bot %d: news about trade %s can't be taken: %s", self.number, trade_id, refusal.text)
        if trade_id is not None:
            self._memory.defer(trade_id, self._clock.now_us() + LONGEST_WAIT_US)
            text = "What Steam says about this trade could not be recorded; see the desk's log"
            await self._desk.ask(commands.RaiseAlert("news_not_taken", text, self.number, trade_id))

    def _open_trades(self) -> dict[str, Trade]:
        rows = self._reader.fetch("processing_of_bot", bot=self.number) + self._reader.fetch("settling_of_bot", bot=self.number)
        return {row[0]: Trade(*row) for row in rows}

    def _task(self, trade: Trade, now: int) -> Task:
        return Task(
            trade_id=trade.id,
            stage=trade.stage,
            due_at=trade.due_at,
            seller=trade.seller,
            offer_id=trade.offer_id,
            steam_trade_id=trade.steam_trade_id,
            wants_cancel=word.cancel_due(trade, now) and trade.offer_id is not None,
            is_too_late=word.too_late_to_offer(trade, now, self._rules),
            is_held=trade.offer_state == OfferState.IN_ESCROW,
        )

    # -- one call ------------------------------------------------------------------------------------------------------

    async def _perform(self, call: Call, trades: dict[str, Trade]) -> None:
        """Makes the call. Raises SteamFault."""
        trade = trades[call.trade_id] if call.trade_id is not None else None
        match call.kind, trade:
            case "login", _:
                await self._log_in()
            case "renew", _:
                await self._renew()
            case "acknowledge", _:
                await self._client.acknowledge_protection()
                self._memory.acknowledged = True
            case "poll", _:
                await self._poll(trades)
            case "take_down", _:
                await self._take_down()
            case "sweep", _:
                await self._sweep()
            case "reversal", _:
                await self._decide_reversal(trades)
            case "verify", Trade():
                await self._verify(trade, trades)
            case "send", Trade():
                await self._send(trade)
            case "cancel", Trade():
                await self._cancel(trade)
            case "give_up", Trade():
                await self._desk.ask(commands.GiveUp(trade.id))
            case "read_offer", Trade():
                await self._read_offer(trade)
            case "read_trade", Trade():
                await self._read_trade(trade)
            case _:
                raise TypeError(f"no such call: {call}")

    # -- session -------------------------------------------------------------------------------------------------------

    async def _log_in(self) -> None:
        now = self._clock.now_us()
        if now < self._last_login_at + _LOGIN_EVERY_US:
            self._memory.quiet_until = self._last_login_at + _LOGIN_EVERY_US
            return
        self._last_login_at = now
        await self._keep(await self._session.log_in())

    async def _renew(self) -> None:
        try:
            await self._keep(await self._session.renew())
        except NotLoggedIn:
            self._memory.logged_in = False
            self._session.tokens = None

    async def _keep(self, tokens: Tokens) -> None:
        """New tokens are on record before they are used (protocol §7)."""
        await self._desk.ask(commands.BotReport(self.number, tokens=self._box.seal(msgspec.json.encode(tokens))))
        self._session.tokens = tokens
        self._memory.logged_in = True
        self._memory.token_expires_at = self._session.access_expires_at() * SECOND_US

    # -- before the offer ----------------------------------------------------------------------------------------------

    async def _verify(self, trade: Trade, trades: dict[str, Trade]) -> None:
        """One reading of the seller's inventory serves all his waiting trades of that game (R4)."""
        link = self._link(trade)
        began_at = self._clock.now_us()
        waiting = [
            other
            for other in trades.values()
            if other.work is Stage.VERIFY
            and (other.tradelink, other.game) == (trade.tradelink, trade.game)
            and other.created_at <= began_at
        ]
        items = {other.id: self._items(other.id) for other in waiting}
        hold_seconds: int | None = None
        inventories: dict[str, Inventory] = {}
        try:
            hold_seconds = await self._client.hold_seconds(link)
            for contextid in sorted({item.contextid for named in items.values() for item, _ in named}):
                inventories[contextid] = await self._client.partner_inventory(link, trade.game, contextid)
        except SteamFault:
            for other in waiting:
                await self._desk.ask(commands.ProofRead(other.id, Proof.NO_WORD, "", began_at))
            raise
        if hold_seconds:
            text = f"Steam would hold the items for {max(1, hold_seconds // 86_400)} days (trade hold)"
            for other in waiting:
                await self._desk.ask(commands.ProofRead(other.id, Proof.TRADE_HOLD, text, began_at))
            return
        for other in waiting:
            proof, text, classes = prove(items[other.id], inventories)
            if proof is Proof.NOT_SHOWN and other.unknown_since is not None and await self._find_exchange(other):
                continue
            await self._desk.ask(commands.ProofRead(other.id, proof, text, began_at, classes))

    async def _send(self, trade: Trade) -> None:
        """The intent is on record before Steam is asked; whatever happens then, the record tells (protocol §9 no. 1 and 2)."""
        granted = await self._desk.ask(commands.IntendSend(trade.id))
        if not granted["granted"]:
            return
        self._memory.last_send_at = self._clock.now_us()
        assets = [Asset(trade.game, item.contextid, item.assetid) for item, _ in self._items(trade.id)]
        message = f"{trade.message[:OFFER_MESSAGE_CHARS]} {trade.tag}".strip()
        news: commands.Command
        fault: SteamFault | None = None
        try:
            result = await self._client.send(self._link(trade), assets, message)
        except (NotLoggedIn, RateLimited, Unreachable) as certain:
            news, fault = commands.OfferRefused(trade.id, OfferRefusal.TRANSIENT, str(certain)), certain
        else:
            match result:
                case Sent():
                    news = commands.OfferMade(trade.id, result.offer_id, False)
                case NeedsConfirmation():
                    news = commands.OfferMade(trade.id, result.offer_id, True)
                case Rejected():
                    news = commands.OfferRefused(trade.id, _WHY[result.cause], result.text)
                case SendUnknown():
                    news = commands.OutcomeUnknown(trade.id)
                    if result.stale_session:
                        self._session.new_session_id()
                        fault = NotLoggedIn(result.reason)
        self._memory.poll_now = True
        is_sellers_fault = isinstance(news, commands.OfferRefused) and news.why is OfferRefusal.SELLER
        # "Item gone" is also what a second send gets after the first one was accepted.
        if is_sellers_fault and trade.unknown_since is not None and await self._find_exchange(trade):
            return
        await self._desk.ask(news)
        if fault is not None:
            raise fault

    # -- offers --------------------------------------------------------------------------------------------------------

    async def _poll(self, trades: dict[str, Trade]) -> None:
        memory, now = self._memory, self._clock.now_us()
        lost = [trade for trade in trades.values() if trade.work is Stage.RECONCILE]
        full = now - memory.last_full_poll_at >= self._pace.full_sweep_us
        since = min([memory.last_poll_at, *(trade.send_started_at or now for trade in lost)])
        cutoff = max(1, since // SECOND_US - _OVERLAP_SECONDS)
        lists = await self._client.offers(1 if full else cutoff, active_only=not full and not lost)
        memory.last_poll_at = now
        memory.poll_now = False
        if full:
            memory.last_full_poll_at = now
        by_id = {offer.offer_id: offer for offer in lists.sent}
        by_tag: dict[str, Offer] = {}
        for offer in lists.sent:
            if offer.state == OfferState.ACCEPTED or (offer.state == OfferState.ACTIVE and offer.message[-9:] not in by_tag):
                by_tag[offer.message[-9:]] = offer
        for trade in trades.values():
            try:
                await self._hear_of(trade, by_id, by_tag.get(trade.tag), full, now)
                if trade.work is Stage.RECONCILE:
                    await self._reconcile(trade, lists, now)
            except Refusal as refusal:
                if refusal.status != INTERNAL_ERROR.status:
                    raise
                await self._tell_of_poison(trade.id, refusal)
        self._note_unwanted(trades, lists.sent, lists.received)
        await self._look_for_orphans(trades, lists.sent)

    async def _hear_of(self, trade: Trade, by_id: dict[str, Offer], tagged: Offer | None, full: bool, now: int) -> None:
        """What the list says about one trade. An accepted offer of it outweighs whatever became of another one; an offer that was
        given up for lost and shows up after all is taken up again."""
        if tagged is not None and tagged.offer_id != trade.offer_id and trade.unknown_since is not None:
            outweighs = tagged.state == OfferState.ACCEPTED and trade.work is Stage.OFFERED
            turned_up = trade.offer_id is None and trade.work in (Stage.VERIFY, Stage.SEND)
            if (outweighs or turned_up) and await self._is_ours(trade, tagged):
                await self._tell_offer(trade.id, tagged)
                return
        if trade.work not in (Stage.OFFERED, Stage.EXCHANGED) or trade.offer_id is None:
            return
        offer = by_id.get(trade.offer_id)
        overdue = trade.due_at is not None and trade.due_at <= now
        if offer is None and trade.work is Stage.OFFERED and (full or overdue):
            offer = await self._client.offer(trade.offer_id)
        if offer is not None and _is_news(trade, offer):
            await self._tell_own_offer(trade, offer)

    async def _tell_own_offer(self, trade: Trade, offer: Offer) -> None:
        """If a send of this trade was ever lost, an ending counts only when no other offer of it was accepted meanwhile."""
        is_open = offer.state in (OfferState.ACTIVE, OfferState.ACCEPTED, OfferState.IN_ESCROW, OfferState.NEEDS_CONFIRMATION)
        if trade.unknown_since is not None and not is_open and await self._find_exchange(trade):
            return
        await self._tell_offer(trade.id, offer)

    async def _reconcile(self, trade: Trade, lists: OfferLists, began_at: int) -> None:
        """A send of unknown outcome: the offer is known by partner, items and our tag. An accepted one wins."""
        found = [offer for offer in lists.sent if await self._is_ours(trade, offer)]
        if found:
            best = min(
                found, key=lambda offer: (offer.state != OfferState.ACCEPTED, offer.state != OfferState.ACTIVE, offer.offer_id)
            )
            await self._tell_offer(trade.id, best)
            return
        if await self._find_exchange(trade):
            return
        # "Not in the list" is no word of Steam's by itself: lists come empty or with holes. Only one without a gap counts as a miss.
        if lists.complete and not self._is_implausible(trade, lists):
            await self._desk.ask(commands.NotListed(trade.id, began_at))
        else:
            self._memory.defer(trade.id, self._clock.now_us() + _HISTORY_EVERY_US)

    def _is_implausible(self, trade: Trade, lists: OfferLists) -> bool:
        """An empty list from a bot that is known to have sent offers since the cutoff."""
        since = (trade.send_started_at or 0) - _OVERLAP_SECONDS * SECOND_US
        return not lists.sent and bool(self._reader.fetch("offers_since", bot=self.number, since=since))

    async def _is_ours(self, trade: Trade, offer: Offer) -> bool:
        if offer.partner != trade.seller or not offer.message.endswith(trade.tag):
            return False
        wanted = {(trade.game, item.contextid, item.assetid) for item, _ in self._items(trade.id)}
        return {(asset.appid, asset.contextid, asset.assetid) for asset in offer.items_to_receive} == wanted

    async def _find_exchange(self, trade: Trade) -> bool:
        """Looks in the bot's own trade history for an exchange of exactly these items, and tells the desk of it."""
        if trade.unknown_since is None and trade.send_started_at is None:
            return False
        since = min(moment for moment in (trade.unknown_since, trade.send_started_at) if moment is not None) // SECOND_US - 60
        wanted = {(trade.game, item.contextid, item.assetid) for item, _ in self._items(trade.id)}
        before: Exchange | None = None
        for _ in range(_HISTORY_PAGES_MAX):
            page, more = await self._client.trade_history(before)
            for exchange in page:
                received = {(asset.appid, asset.contextid, asset.assetid) for asset in exchange.received}
                if (
                    exchange.partner == trade.seller
                    and received == wanted
                    and exchange.time_init >= since
                    and not exchange.rollback_of
                ):
                    await self._desk.ask(
                        commands.ExchangeFound(trade.id, exchange.trade_id, msgspec.json.encode(exchange.raw).decode())
                    )
                    return True
            if not more or page[-1].time_init < since:
                return False
            before = page[-1]
        return False

    def _note_unwanted(self, trades: dict[str, Trade], sent: list[Offer], received: list[Offer]) -> None:
        """Offers to us are declined: a bot never gives. Our own offers with a tag that no running trade owns are taken down."""
        owned = {trade.offer_id for trade in trades.values()}
        looking = {trade.tag for trade in trades.values() if trade.offer_id is None}
        unwanted = [f"decline:{offer.offer_id}" for offer in received if offer.state == OfferState.ACTIVE]
        for offer in sent:
            tag = offer.message[-9:]
            is_tagged = len(tag) == 9 and tag[0] == "#" and all(digit in "0123456789abcdef" for digit in tag[1:])
            if offer.state == OfferState.ACTIVE and is_tagged and offer.offer_id not in owned and tag not in looking:
                unwanted.append(f"cancel:{offer.offer_id}")
        self._memory.unwanted_offers = tuple(unwanted)

    async def _look_for_orphans(self, trades: dict[str, Trade], sent: list[Offer]) -> None:
        """An offer that was accepted although its trade has ended: nothing is credited by itself, a human is told."""
        owned = {trade.offer_id for trade in trades.values()}
        accepted = {offer.offer_id: offer for offer in sent if offer.state == OfferState.ACCEPTED and offer.offer_id not in owned}
        for offer_id in accepted.keys() - self._known_accepted:
            for trade_id, status, offer_state in self._reader.fetch("trade_of_offer", offer_id=offer_id):
                if status in RELEASED and offer_state != OfferState.ACCEPTED:
                    await self._tell_offer(trade_id, accepted[offer_id])
        self._known_accepted = set(accepted)

    async def _take_down(self) -> None:
        order, *rest = self._memory.unwanted_offers
        self._memory.unwanted_offers = tuple(rest)
        what, _, offer_id = order.partition(":")
        if what == "cancel" and self._reader.fetch("trade_of_offer", offer_id=offer_id):
            # A trade adopted it since the poll: its own life decides.
            return
        await (self._client.decline(offer_id) if what == "decline" else self._client.cancel(offer_id))

    async def _cancel(self, trade: Trade) -> None:
        """Asks for the end of an offer, after a last look at it: he may have accepted. Whatever Steam answers to the cancel, what
        it then shows is what counts (protocol §9 no. 19 and 20)."""
        assert trade.offer_id is not None
        offer = await self._client.offer(trade.offer_id)
        if offer is not None and offer.state not in (OfferState.ACTIVE, OfferState.NEEDS_CONFIRMATION, trade.offer_state):
            await self._tell_own_offer(trade, offer)
            return
        granted = await self._desk.ask(commands.IntendCancel(trade.id))
        if granted["granted"]:
            await self._client.cancel(trade.offer_id)
            await self._read_offer(trade)

    async def _read_offer(self, trade: Trade) -> None:
        began_at = self._clock.now_us()
        offer = await self._client.offer(trade.offer_id) if trade.offer_id is not None else None
        if offer is not None:
            await self._tell_own_offer(trade, offer)
        else:
            await self._desk.ask(commands.TradeRead(trade.id, None, began_at, ""))

    async def _tell_offer(self, trade_id: str, offer: Offer) -> None:
        escrow_end = offer.escrow_end * SECOND_US or None
        heard = OfferWord(offer.offer_id, offer.state, offer.time_created * SECOND_US, offer.trade_id, escrow_end)
        await self._desk.ask(commands.OfferRead(trade_id, heard, msgspec.json.encode(offer.raw).decode()))

    # -- exchanges -----------------------------------------------------------------------------------------------------

    async def _read_trade(self, trade: Trade) -> None:
        assert trade.steam_trade_id is not None
        began_at = await self._steam_time() if trade.work is Stage.SETTLING else self._clock.now_us()
        exchange = await self._client.trade_status(trade.steam_trade_id)
        if exchange is not None and exchange.status == TradeStatus.TRADE_PROTECTION_ROLLBACK:
            self._suspect(trade.id)
            return
        heard, raw = (None, "") if exchange is None else (_trade_word(exchange), msgspec.json.encode(exchange.raw).decode())
        await self._desk.ask(commands.TradeRead(trade.id, heard, began_at, raw))

    async def _steam_time(self) -> int:
        """The earlier of our clock and Steam's: a clock of ours that runs ahead must pay nobody (protocol §9 no. 32)."""
        now = self._clock.now_us()
        if not self._clock_measured_at <= now < self._clock_measured_at + _CLOCK_TRUSTED_US:
            await self._session.measure_clock()
            self._clock_measured_at = now
        return min(now, now + (self._session.clock_offset_seconds + 1) * SECOND_US)

    async def _sweep(self) -> None:
        """Reversals show in the trade history while the offer may still say Accepted (protocol §5.3)."""
        unsettled = {row[1] for row in self._reader.fetch("unsettled_of_bot", bot=self.number)}
        gone: set[str] = set()
        seen: set[str] = set()
        before: Exchange | None = None
        for _ in range(_HISTORY_PAGES_MAX):
            page, more = await self._client.trade_history(before)
            seen |= {exchange.trade_id for exchange in page}
            gone |= {exchange.trade_id for exchange in page if exchange.status == TradeStatus.TRADE_PROTECTION_ROLLBACK}
            gone |= {exchange.rollback_of for exchange in page if exchange.rollback_of is not None}
            if not more or unsettled <= seen:
                break
            before = page[-1]
        self._memory.last_sweep_at = self._clock.now_us()
        for trade_id, status, steam_status, *_ in self._reader.load(
            "trades_by_steam_trade", [(tradeid,) for tradeid in sorted(gone)]
        ):
            if status in ("accepted", "processing"):
                self._suspect(trade_id)
            elif status == "completed" and steam_status != TradeStatus.TRADE_PROTECTION_ROLLBACK:
                await self._desk.ask(
                    commands.RolledBack(self.number, [(trade_id, int(TradeStatus.TRADE_PROTECTION_ROLLBACK))], False)
                )

    def _suspect(self, trade_id: str) -> None:
        self._memory.suspects = tuple({*self._memory.suspects, trade_id})

    async def _decide_reversal(self, trades: dict[str, Trade]) -> None:
        """One trade was seen reversed: all unsettled trades of this bot are read again at once, the suspects' sellers first.

        As soon as one protected trade still stands, it was no reversal of the bot, and the rest may wait for its own turn.
        """
        now, suspects = self._clock.now_us(), self._memory.suspects
        rows = {
            row[0]: (row[1], row[2])
            for row in self._reader.fetch("unsettled_of_bot", bot=self.number)
            if row[0] in suspects or (row[3] and (row[5] is None or row[5] > now))
        }
        rows |= {
            trade.id: (trade.steam_trade_id, trade.seller)
            for trade in trades.values()
            if trade.id in suspects and trade.steam_trade_id is not None
        }
        sellers = {rows[trade_id][1] for trade_id in suspects if trade_id in rows}
        readings: list[tuple[str, int]] = []
        complete = True
        for trade_id in sorted(rows, key=lambda trade_id: (rows[trade_id][1] not in sellers, trade_id)):
            steam_trade_id, seller = rows[trade_id]
            if not complete and seller not in sellers:
                break
            exchange = await self._client.trade_status(steam_trade_id)
            if exchange is None:
                raise Malformed(f"GetTradeStatus has no entry for {steam_trade_id}")
            readings.append((trade_id, exchange.status))
            complete = complete and exchange.status == TradeStatus.TRADE_PROTECTION_ROLLBACK
        await self._desk.ask(commands.RolledBack(self.number, readings, complete))
        self._memory.suspects = ()

    # -- health --------------------------------------------------------------------------------------------------------

    async def _report_good(self) -> None:
        if not self._memory.logged_in:
            return
        self._memory.failures = 0
        self._dead_sessions = 0
        real_us = self._clock.real_us()
        is_due = real_us - self._last_beat_real_us >= _BEAT_EVERY_US
        if is_due and await asyncio.to_thread(self._aside.beat, self.number, real_us):
            self._last_beat_real_us = real_us
        await self._report(BotState.OK, None)

    async def _suffer(self, fault: SteamFault) -> None:
        """What a fault means for the bot: refresh, log in, slow down, or wait. No trade's state changes by it."""
        memory = self._memory
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
            case LoginRefused():
                self._back_off(8 if fault.terminal else 5)
                await self._report(BotState.NEEDS_LOGIN, str(fault))
            case Unreachable() | Malformed() | ResultFault():
                self._back_off(0)
                if memory.failures >= _FAILURES_UNTIL_DOWN:
                    await self._report(BotState.DOWN, str(fault))
        logger.info("bot %d: %s: %s", self.number, type(fault).__name__, fault)

    def _back_off(self, at_least: int) -> None:
        """0.5, 1, 2 … up to 60 seconds of virtual time without a call."""
        self._memory.failures += 1
        seconds = min(60.0, 0.5 * 2 ** max(0, min(10, self._memory.failures - 1)))
        if at_least:
            seconds = max(seconds, min(60.0, 0.5 * 2 ** (at_least - 1) / 2))
        self._memory.quiet_until = self._clock.now_us() + int(seconds * SECOND_US)

    async def _report(self, state: BotState, reason: str | None) -> None:
        if self._reported == (state.value, reason):
            return
        await self._desk.ask(commands.BotReport(self.number, state=state.value, reason=reason))
        self._reported = (state.value, reason)

    # -- small things --------------------------------------------------------------------------------------------------

    def _items(self, trade_id: str) -> list[tuple[TradeItem, str]]:
        """The trade's items with the names that the seller gave."""
        return [(TradeItem(*row[:11]), row[11]) for row in self._reader.fetch("items_of_trade", trade_id=trade_id)]

    def _link(self, trade: Trade) -> TradeLink:
        link = parse_trade_link(trade.tradelink)
        if link is None:
            raise ValueError(f"trade {trade.id} has no readable trade link")
        return link


def _is_news(trade: Trade, offer: Offer) -> bool:
    return (
        offer.state != trade.offer_state
        or trade.expires_at is None
        or (offer.trade_id or trade.steam_trade_id) != trade.steam_trade_id
    )


def _trade_word(exchange: Exchange) -> TradeWord:
    assets = [
        AssetWord(asset.appid, asset.contextid, asset.assetid, asset.classid, asset.new_assetid, asset.new_contextid)
        for asset in exchange.received
    ]
    return TradeWord(exchange.status, exchange.settlement * SECOND_US or None, exchange.delayed, assets)
