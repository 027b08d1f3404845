"""Offers of one bot that are out: what became of them, and taking down what nobody wants. Sending: sending.py."""

import logging

import msgspec

from selldesk.desk import commands
from selldesk.desk.cases.stock import foreign_offer_text
from selldesk.kernel.refusals import INTERNAL_ERROR, Refusal
from selldesk.kernel.times import DAY_US, SECOND_US
from selldesk.offers.agenda import LONGEST_WAIT_US
from selldesk.offers.life import OpenOffer, tag_of
from selldesk.offers.stages import MISSING_ITEMS, Stage
from selldesk.offers.words import OfferWord
from selldesk.steam.results import (
    Malformed,
    Offer,
    OfferLists,
    ResultFault,
    Throttled,
    Unreachable,
)
from selldesk.steamwire.enums import OfferState
from selldesk.store.rows import OfferedTradeRow, StopRow
from selldesk.trades.status import RELEASED
from selldesk.workers.context import BotContext
from selldesk.workers.exchanges import Exchanges

logger = logging.getLogger(__name__)

_OVERLAP_SECONDS = 1800
"""Steam backdates updates by up to half an hour (protocol §9 no. 7)."""
_FULL_LOOK_BACK_US = DAY_US
_HISTORY_EVERY_US = 15 * SECOND_US
"""Steam gives one look at the history in so long (protocol §7)."""

_OPEN = (OfferState.ACTIVE, OfferState.NEEDS_CONFIRMATION, OfferState.IN_ESCROW)
_CANCELLABLE = (OfferState.ACTIVE, OfferState.NEEDS_CONFIRMATION)


_LISTING_GOOD_FOR_US = 60 * SECOND_US


class _Listing(msgspec.Struct):
    cutoff: int
    full: bool
    active_only: bool
    began_at: int
    lists: OfferLists


class Offers:
    def __init__(self, bot: BotContext, exchanges: Exchanges) -> None:
        self._bot = bot
        self._exchanges = exchanges
        self._known_accepted: set[str] = set()
        self._stop_seen: int | None = None
        self._listing: _Listing | None = None
        """A poll that Steam's limit stopped between two pages."""

    # -- offers --------------------------------------------------------------------------------------------------------

    async def poll(self, trades: dict[str, OpenOffer]) -> None:
        """Reads the bot's lists of offers, and what they say about each trade. Raises SteamFault."""
        memory = self._bot.memory
        stopped_at = self._look_anew_if_stopped()
        if self._listing is None or self._bot.clock.now_us() - self._listing.began_at > _LISTING_GOOD_FOR_US:
            self._listing = self._new_listing(trades)
        listing = self._listing
        lists = await self._bot.client.offers(listing.cutoff, listing.active_only, listing.lists)
        self._listing = None
        # What was listed first may have changed since: the whole is as old as its first page.
        memory.last_poll_at = listing.began_at
        memory.poll_now = False
        memory.polls_worked()
        if listing.full:
            memory.last_full_poll_at = listing.began_at
        by_id = {offer.offer_id: offer for offer in lists.sent}
        by_tag = _best_by_tag(lists.sent)
        for trade in trades.values():
            await self._hear_of_or_wait(trade, by_id, by_tag, listing, lists)
        self._note_unwanted(trades, lists.sent, lists.received)
        await self._tell_of_foreign(trades, lists.sent)
        await self._look_for_orphans(trades, lists.sent, lists.received)
        if listing.full and lists.complete and stopped_at is not None and not self._is_suspiciously_empty(lists):
            await self._bot.desk.ask(commands.BotLooked(bot=self._bot.number))

    def _new_listing(self, trades: dict[str, OpenOffer]) -> _Listing:
        """What is to be listed now: recent changes, or now and then everything that can still matter, however long ago it was missed;
        not the bot's whole life."""
        memory, now = self._bot.memory, self._bot.clock.now_us()
        lost = [trade for trade in trades.values() if trade.stage is Stage.RECONCILE]
        full = now - memory.last_full_poll_at >= self._bot.pace.full_sweep_us
        since = min([memory.last_poll_at, *(trade.unknown_since or trade.send_started_at or now for trade in lost)])
        if full:
            # What waits for settlement began long ago, but only the trades themselves tell how that ends.
            began = [trade.created_at for trade in trades.values() if trade.stage is not Stage.SETTLING]
            since = min([since, now - _FULL_LOOK_BACK_US, *began])
        cutoff = max(1, since // SECOND_US - _OVERLAP_SECONDS)
        return _Listing(cutoff, full, not full and not lost, now, OfferLists())

    async def _hear_of_or_wait(
        self, trade: OpenOffer, by_id: dict[str, Offer], by_tag: dict[str, Offer], listing: _Listing, lists: OfferLists
    ) -> None:
        """One trade whose history can't be looked into doesn't silence the others: the list itself was read."""
        try:
            await self._hear_of(trade, by_id, by_tag.get(trade.tag), listing)
            if trade.stage is Stage.RECONCILE:
                await self._reconcile(trade, lists, listing.began_at)
        except Throttled as throttled:
            self._bot.memory.defer(trade.id, throttled.until_us)
        except (Unreachable, Malformed, ResultFault) as fault:
            logger.info("bot %d: trade %s waits: %s", self._bot.number, trade.id, fault)
            self._bot.memory.defer(trade.id, self._bot.clock.now_us() + _HISTORY_EVERY_US)
        except Refusal as refusal:
            if refusal.status != INTERNAL_ERROR.status:
                raise
            await self._bot.tell_of_poison(trade.id, refusal)

    def _is_suspiciously_empty(self, lists: OfferLists) -> bool:
        """An empty list with 200 is no look at a bot that has ever sent an offer (protocol §9 no. 6)."""
        return not lists.sent and bool(self._bot.reader.fetch("offers_since", bot=self._bot.number, since=0, trade=""))

    def _look_anew_if_stopped(self) -> int | None:
        """Since when trading is stopped. The store may know less than this worker has seen: nothing that it remembers counts."""
        stops = self._bot.reader.fetch_as(StopRow, "open_stop")
        stopped_at = stops[0].since if stops else None
        if stopped_at is not None and stopped_at != self._stop_seen:
            self._known_accepted = set()
            self._listing = None
            memory = self._bot.memory
            memory.foreign_offers, memory.last_full_poll_at, memory.last_poll_at = frozenset(), 0, 0
        self._stop_seen = stopped_at
        return stopped_at

    def _takes_up(self, trade: OpenOffer, tagged: Offer) -> bool:
        """An accepted offer of a trade outweighs whatever became of another one; an offer that was given up for lost and shows up after
        all is taken up again."""
        if tagged.offer_id == trade.offer_id or trade.unknown_since is None:
            return False
        outweighs = tagged.state == OfferState.ACCEPTED and trade.stage is Stage.OFFERED
        turned_up = trade.offer_id is None and trade.stage in (Stage.VERIFY, Stage.SEND, Stage.OFFERED)
        return (outweighs or turned_up) and self._is_ours(trade, tagged)

    async def _hear_of(self, trade: OpenOffer, by_id: dict[str, Offer], tagged: Offer | None, listing: _Listing) -> None:
        """What the list says about one trade."""
        if tagged is not None and self._takes_up(trade, tagged):
            await self._tell_offer(trade.id, tagged)
            return
        if trade.stage not in (Stage.OFFERED, Stage.EXCHANGED) or trade.offer_id is None:
            return
        offer = by_id.get(trade.offer_id)
        overdue = trade.due_at is not None and trade.due_at <= listing.began_at
        if offer is None and trade.stage is Stage.OFFERED and (listing.full or overdue):
            offer = await self._bot.client.offer(trade.offer_id)
        if offer is not None and _is_news(trade, offer):
            await self.tell_own_offer(trade, offer)

    async def tell_own_offer(self, trade: OpenOffer, offer: Offer) -> None:
        """If a send of this trade was ever lost, an ending counts only when no other offer of it is open or was accepted meanwhile."""
        is_open = offer.state in (OfferState.ACTIVE, OfferState.ACCEPTED, OfferState.IN_ESCROW, OfferState.NEEDS_CONFIRMATION)
        looked_at = None
        if trade.unknown_since is not None and not is_open:
            looked_at = await self.last_look(trade)
            if looked_at is None:
                return
        await self._tell_offer(trade.id, offer, looked_at)

    async def last_look(self, trade: OpenOffer) -> int | None:
        """Before a sale with a doubted send may end: the history and a complete list of offers show nothing of it. When that look began;
        None: something was found, and told, or Steam's answer is no proof. Raises SteamFault."""
        began_at = await self._exchanges.look_for(trade)
        if began_at is None:
            return None
        began_at = min(began_at, self._bot.clock.now_us())
        lists = await self._bot.client.offers(max(1, trade.created_at // SECOND_US - _OVERLAP_SECONDS), active_only=False)
        ours = [offer for offer in lists.sent if self._is_ours(trade, offer)]
        best = min(ours, key=lambda offer: (offer.state != OfferState.ACCEPTED, offer.state not in _OPEN), default=None)
        if best is not None and best.state in (*_OPEN, OfferState.ACCEPTED):
            await self._tell_offer(trade.id, best)
            return None
        if not lists.complete or (best is None and self._is_implausible(trade, lists)):
            self._bot.memory.defer(trade.id, self._bot.clock.now_us() + _HISTORY_EVERY_US)
            return None
        return began_at

    async def _reconcile(self, trade: OpenOffer, lists: OfferLists, began_at: int) -> None:
        """A send of unknown outcome: the offer is known by partner, items and our tag. An accepted one wins."""
        found = [offer for offer in lists.sent if self._is_ours(trade, offer)]
        if found:
            best = min(
                found, key=lambda offer: (offer.state != OfferState.ACCEPTED, offer.state != OfferState.ACTIVE, offer.offer_id)
            )
            await self.tell_own_offer(trade, best)
            return
        due_at = max(trade.due_at or 0, self._bot.memory.not_before.get(trade.id, 0))
        if due_at > self._bot.clock.now_us():
            # Nothing that costs a call before its time: others need the history too.
            return
        if await self._exchanges.look_for(trade) is None:
            return
        # "Not in the list" is no word of Steam's by itself: lists come empty or with holes. Only one without a gap counts as a miss.
        if lists.complete and not self._is_implausible(trade, lists):
            await self._bot.desk.ask(commands.NotListed(trade_id=trade.id, began_at=began_at))
        else:
            self._bot.memory.defer(trade.id, self._bot.clock.now_us() + _HISTORY_EVERY_US)

    def _is_implausible(self, trade: OpenOffer, lists: OfferLists) -> bool:
        """An empty list from a bot that is known to have sent offers since the cutoff."""
        since = (trade.send_started_at or trade.created_at) - _OVERLAP_SECONDS * SECOND_US
        # Unknown since its creation: a lost history casts doubt, but nothing says that anything was sent.
        lost_before = trade.created_at < (trade.unknown_since or 0) < (trade.send_started_at or 0)
        others = self._bot.reader.fetch("offers_since", bot=self._bot.number, since=since, trade=trade.id)
        return not lists.sent and (lost_before or bool(others))

    def _is_ours(self, trade: OpenOffer, offer: Offer) -> bool:
        if offer.partner != trade.partner or not offer.message.endswith(trade.tag):
            return False
        asked = offer.items_to_give if trade.gives else offer.items_to_receive
        return {(asset.appid, asset.contextid, asset.assetid) for asset in asked} == self._bot.assets(trade)

    def _note_unwanted(self, trades: dict[str, OpenOffer], sent: list[Offer], received: list[Offer]) -> None:
        """Offers to us are declined: a bot never gives. Our own offers that no running trade owns are taken down."""
        unwanted = [f"decline:{offer.offer_id}" for offer in received if offer.state == OfferState.ACTIVE]
        for offer in sent:
            if offer.state in _CANCELLABLE and not self._is_awaited(offer, trades) and self._known_trades(offer):
                unwanted.append(f"cancel:{offer.offer_id}")
        self._bot.memory.unwanted_offers = tuple(unwanted)

    def _is_awaited(self, offer: Offer, trades: dict[str, OpenOffer]) -> bool:
        """Whether a running trade owns the offer, or may be looking for it."""
        return any(
            trade.offer_id == offer.offer_id
            or (trade.offer_id is None and trade.partner == offer.partner and offer.message.endswith(trade.tag))
            for trade in trades.values()
        )

    def _known_trades(self, offer: Offer) -> list[OfferedTradeRow]:
        """The sales and deliveries that the store knows of this offer: by its number, its exchange's, or by a tag of
        ours with this very partner. A text that merely looks like a tag is anybody's (R3)."""
        reader, bot = self._bot.reader, self._bot.number
        tag = offer.message[-9:]
        rows = reader.fetch_as(
            OfferedTradeRow,
            "trades_of_offer",
            offer_id=offer.offer_id,
            steam_trade_id=offer.trade_id or "",
            tag=f"{tag}/{offer.partner}",
        )
        rows += reader.fetch_as(
            OfferedTradeRow,
            "deliveries_of_offer",
            offer_id=offer.offer_id,
            steam_trade_id=offer.trade_id or "",
            tag=f"{tag}/{offer.partner}",
        )
        if rows or not tag.startswith("#"):
            return rows
        # Sent by an older version, which kept no tags.
        since = (offer.time_created - _OVERLAP_SECONDS) * SECOND_US
        rows = reader.fetch_as(OfferedTradeRow, "trades_with", bot=bot, seller=offer.partner, since=since)
        return [row for row in rows if tag_of(row.id) == tag]

    async def _tell_of_foreign(self, trades: dict[str, OpenOffer], sent: list[Offer]) -> None:
        """Offers that somebody made with this account by hand or with other software: never credited, left alone, and told."""
        memory = self._bot.memory
        for offer in sent:
            if offer.state not in _OPEN or offer.offer_id in memory.foreign_offers or self._is_awaited(offer, trades):
                continue
            if not self._known_trades(offer):
                logger.warning("bot %d: offer %s was not made by selldesk", self._bot.number, offer.offer_id)
                await self._bot.tell_once("foreign_offer", foreign_offer_text(offer.offer_id))
                memory.foreign_offers |= {offer.offer_id}

    async def _look_for_orphans(self, trades: dict[str, OpenOffer], sent: list[Offer], received: list[Offer]) -> None:
        """Accepted offers that no running trade owns: of a trade that has ended, of one whose exchange was found without its offer, or of
        nobody: then items came or left that no sale explains. Nothing is credited by itself, a human is told."""
        now = self._bot.clock.now_us()
        accepted: set[str] = set()
        for offer in (*sent, *received):
            if offer.state != OfferState.ACCEPTED or self._is_awaited(offer, trades):
                continue
            if offer.offer_id in self._known_accepted:
                accepted.add(offer.offer_id)
                continue
            if self._bot.memory.not_before.get(f"offer {offer.offer_id}", 0) > now:
                continue
            try:
                await self._hear_of_orphan(offer, is_sent=offer in sent)
                accepted.add(offer.offer_id)
            except Refusal as refusal:
                if refusal.status != INTERNAL_ERROR.status:
                    raise
                # One that can't be taken in must not blind the bot to all others.
                self._bot.memory.defer(f"offer {offer.offer_id}", now + LONGEST_WAIT_US)
                await self._bot.tell_of_poison(None, refusal)
        self._known_accepted = accepted

    async def _hear_of_orphan(self, offer: Offer, is_sent: bool) -> None:
        known = self._known_trades(offer) if is_sent else []
        for trade_id, status, offer_state, offer_id in known:
            is_told = offer_id == offer.offer_id and (offer_state in (OfferState.ACCEPTED, MISSING_ITEMS) or status not in RELEASED)
            if not is_told:
                await self._tell_offer(trade_id, offer)
        if known or offer.time_updated * SECOND_US < self._bot.since_us:
            return
        if offer.items_to_give or offer.items_to_receive:
            what = f"Offer {offer.offer_id}, accepted by {offer.partner if is_sent else 'this bot'},"
            await self._bot.tell_unexplained(what, offer.offer_id, offer.trade_id, offer.items_to_give, offer.items_to_receive)

    async def give_up(self, trade: OpenOffer) -> None:
        """Ends a trade for which no offer got out in time. If a send of it was ever lost, only after one more look at everything."""
        looked_at = None
        if trade.is_doubted:
            looked_at = await self.last_look(trade)
            if looked_at is None:
                return
        await self._bot.desk.ask(commands.GiveUp(trade_id=trade.id, looked_at=looked_at))

    async def take_down(self) -> None:
        order, *rest = self._bot.memory.unwanted_offers
        self._bot.memory.unwanted_offers = tuple(rest)
        what, _, offer_id = order.partition(":")
        if what == "cancel" and self._bot.reader.fetch("sale_of_offer", offer_id=offer_id):
            # A trade adopted it since the poll: its own life decides.
            return
        await (self._bot.client.decline(offer_id) if what == "decline" else self._bot.client.cancel(offer_id))

    async def cancel(self, trade: OpenOffer) -> None:
        """Asks for the end of an offer, after a last look at it: they may have accepted. Whatever Steam answers to the cancel, what
        it then shows is what counts (protocol §9 no. 19 and 20)."""
        if trade.offer_id is None:
            # Its exchange was found in the history (a hold): the list must show the offer first.
            await self._find_own_offer(trade)
            return
        offer = await self._bot.client.offer(trade.offer_id)
        if offer is not None and offer.state not in (OfferState.ACTIVE, OfferState.NEEDS_CONFIRMATION, trade.offer_state):
            await self.tell_own_offer(trade, offer)
            return
        granted = await self._bot.desk.ask(commands.IntendCancel(trade_id=trade.id))
        if granted.granted:
            await self._bot.client.cancel(trade.offer_id)
            await self.read_offer(trade)

    async def _find_own_offer(self, trade: OpenOffer) -> None:
        lists = await self._bot.client.offers(max(1, trade.created_at // SECOND_US - _OVERLAP_SECONDS), active_only=False)
        ours = [offer for offer in lists.sent if self._is_ours(trade, offer)]
        if ours:
            await self._tell_offer(trade.id, min(ours, key=lambda offer: (offer.state not in _OPEN, offer.offer_id)))
        else:
            self._bot.memory.defer(trade.id, self._bot.clock.now_us() + _HISTORY_EVERY_US)

    async def read_offer(self, trade: OpenOffer) -> None:
        began_at = self._bot.clock.now_us()
        offer = await self._bot.client.offer(trade.offer_id) if trade.offer_id is not None else None
        if offer is not None:
            await self.tell_own_offer(trade, offer)
        else:
            await self._bot.desk.ask(commands.TradeRead(trade_id=trade.id, word=None, began_at=began_at, raw=""))

    async def _tell_offer(self, trade_id: str, offer: Offer, looked_at: int | None = None) -> None:
        escrow_end = offer.escrow_end * SECOND_US or None
        heard = OfferWord(offer.offer_id, offer.state, offer.time_created * SECOND_US, offer.trade_id, escrow_end)
        await self._bot.desk.ask(
            commands.OfferRead(trade_id=trade_id, offer=heard, raw=msgspec.json.encode(offer.raw).decode(), looked_at=looked_at)
        )


def _best_by_tag(sent: list[Offer]) -> dict[str, Offer]:
    """Of offers with one tag: an accepted one, else an open one."""
    found: dict[str, Offer] = {}
    for offer in sent:
        tag = offer.message[-9:]
        if offer.state == OfferState.ACCEPTED or (offer.state in _OPEN and tag not in found):
            found[tag] = offer
    return found


def _is_news(trade: OpenOffer, offer: Offer) -> bool:
    return (
        offer.state != trade.offer_state
        or trade.expires_at is None
        or (offer.trade_id or trade.steam_trade_id) != trade.steam_trade_id
    )
