"""Until a bot's offer is out: what the seller promised is verified, the offer is sent and confirmed."""

import contextlib

import msgspec

from selldesk.desk import commands
from selldesk.kernel.limits import OFFER_MESSAGE_BYTES_MAX
from selldesk.kernel.secretbox import link_likeness
from selldesk.offers.agenda import LONGEST_WAIT_US
from selldesk.offers.life import OpenOffer
from selldesk.offers.stages import Stage
from selldesk.offers.words import Proof, SendRefusal
from selldesk.steam.results import (
    Asset,
    Cause,
    Inventory,
    InventoryItem,
    NeedsConfirmation,
    NotLoggedIn,
    RateLimited,
    Rejected,
    SendResult,
    SendUnknown,
    Sent,
    SteamFault,
    Throttled,
    Unreachable,
)
from selldesk.steamwire.enums import EResult, OfferState
from selldesk.steamwire.tradelink import TradeLink
from selldesk.trades.trade import TradeItem
from selldesk.workers.context import BotContext
from selldesk.workers.offers import Offers
from selldesk.workers.verifying import prove

BLAME: dict[Cause, SendRefusal] = {
    Cause.ITEM_GONE: SendRefusal.SELLER,
    Cause.BAD_LINK: SendRefusal.SELLER,
    Cause.SELLER_RESTRICTED: SendRefusal.SELLER,
    Cause.SELLER_LIMIT: SendRefusal.BOT_LIMIT,
    Cause.BOT_LIMIT: SendRefusal.BOT_LIMIT,
    Cause.BOT_FULL: SendRefusal.BOT_FULL,
    Cause.BOT_RESTRICTED: SendRefusal.BOT_ILL,
    Cause.ITEM_SERVER_DOWN: SendRefusal.GAME_DOWN,
    Cause.PARTNER_CHANGED: SendRefusal.PARTNER_CHANGED,
}
"""Who is to blame for a refused send, and so what follows (protocol §6)."""


BLAME_OF_DELIVERIES: dict[Cause, SendRefusal] = {
    Cause.ITEM_GONE: SendRefusal.OWN_ITEMS_GONE,
    Cause.BOT_FULL: SendRefusal.SELLER,
}
"""Where the bot gives: the items are its own, and who gives can't be the full one."""

_CHANGED_PARTNERS_THAT_MEAN_US = 3
"""So many sellers in a row with whom Steam says 34: not they have changed, the bot has."""


SendNews = commands.OfferMade | commands.OfferRefused | commands.OutcomeUnknown


class Sending:
    def __init__(self, bot: BotContext, offers: Offers) -> None:
        self._bot = bot
        self._offers = offers

    # -- verifying -----------------------------------------------------------------------------------------------------

    async def verify(self, trade: OpenOffer, trades: dict[str, OpenOffer]) -> None:
        """One reading of the seller's inventory serves all their waiting trades of that game (R4). Raises SteamFault."""
        link = self._bot.link(trade)
        began_at = self._bot.clock.now_us()
        waiting = [other for other in trades.values() if _is_verified_with(other, trade, began_at)]
        items = {other.id: self._bot.items(other.id) for other in waiting}
        try:
            refusal = await self._why_no_trade(link)
            inventories = await self._inventories(link, trade.game, items) if refusal is None else {}
        except SteamFault:
            for other in waiting:
                await self._bot.desk.ask(commands.ProofRead(trade_id=other.id, proof=Proof.NO_WORD, text="", began_at=began_at))
            raise
        for other in waiting:
            proof, text, seen = (*refusal, []) if refusal is not None else prove(items[other.id], inventories)
            await self._tell_proof(other, proof, text, seen, began_at)

    async def _inventories(self, link: TradeLink, game: int, items: dict[str, list[tuple[TradeItem, str]]]) -> dict[str, Inventory]:
        contexts = sorted({item.contextid for named in items.values() for item, _ in named})
        return {context: await self._bot.client.partner_inventory(link, game, context) for context in contexts}

    async def _tell_proof(self, trade: OpenOffer, proof: Proof, text: str, seen: list[InventoryItem], began_at: int) -> None:
        looked_at = None
        if proof is not Proof.AS_NAMED and trade.is_doubted:
            # "Item gone" is also what the seller's inventory shows after a lost offer was accepted.
            looked_at = await self._offers.last_look(trade)
            if looked_at is None:
                return
        await self._bot.desk.ask(
            commands.ProofRead(
                trade_id=trade.id,
                proof=proof,
                text=text,
                began_at=began_at,
                classes=[(item.classid, item.instanceid) for item in seen],
                properties=[item.properties for item in seen],
                looked_at=looked_at,
            )
        )

    async def _why_no_trade(self, link: TradeLink) -> tuple[Proof, str] | None:
        """A hold, or Steam's refusal to trade with this seller at all, before anything is sent."""
        hold_seconds = await self._bot.client.hold_seconds(link)
        if hold_seconds is None:
            page = await self._bot.client.trade_page(link)
            if page.refusal is not None and BLAME[page.refusal.cause] is SendRefusal.SELLER:
                return Proof.NO_TRADE, page.refusal.text
            hold_seconds = page.hold_seconds
        if hold_seconds:
            return Proof.TRADE_HOLD, f"Steam would hold the items for {max(1, hold_seconds // 86_400)} days (trade hold)"
        return None

    # -- sending -------------------------------------------------------------------------------------------------------

    async def send(self, trade: OpenOffer) -> None:
        """The intent is on record before Steam is asked; whatever happens then, the record tells (protocol §9 no. 1 and 2). Raises
        SteamFault."""
        if not (await self._bot.desk.ask(commands.IntendSend(trade_id=trade.id))).granted:
            return
        if not self._bot.lease.outlives_a_send:
            # This process slept since the desk granted it. The intent stays on record as a lost send: that is looked into.
            return
        self._bot.memory.last_send_at = self._bot.clock.now_us()
        news, fault = await self._send(trade)
        self._bot.memory.poll_now = True
        self._note_changed_partners(trade, news)
        if isinstance(news, commands.OfferRefused) and news.why is SendRefusal.SELLER and trade.is_doubted:
            # "Item gone" is also what a second send gets after the first one was accepted.
            with contextlib.suppress(SteamFault):
                news = msgspec.structs.replace(news, looked_at=await self._offers.last_look(trade))
        await self._bot.desk.ask(news)
        if fault is not None:
            raise fault

    async def deliver(self, trade: OpenOffer) -> None:
        """The same for an offer that gives. A bot whose own items Steam would hold delivers nothing: the hold falls on who gives (protocol
        §11). Raises SteamFault."""
        seconds = await self._bot.client.own_hold_seconds(self._bot.link(trade))
        if not seconds:
            await self.send(trade)
            return
        self._bot.memory.defer(trade.id, self._bot.clock.now_us() + LONGEST_WAIT_US)
        await self._bot.tell_once(
            "bot_escrow", f"Steam would hold what it gives for {max(1, seconds // 86_400)} days: it delivers nothing"
        )

    async def _send(self, trade: OpenOffer) -> tuple[SendNews, SteamFault | None]:
        """What the desk is to hear of it, and what it says about the bot."""
        assets = [Asset(*key) for key in sorted(self._bot.assets(trade))]
        asked, given = ([], assets) if trade.gives else (assets, [])
        try:
            message = offer_message(trade.message, trade.tag)
            result = await self._bot.client.send(self._bot.link(trade), asked, message, given)
            if isinstance(result, Rejected):
                result = await self._look_closer(trade, result)
        except (NotLoggedIn, RateLimited, Throttled, Unreachable) as certain:
            refused = commands.OfferRefused(trade_id=trade.id, why=SendRefusal.TRANSIENT, text=str(certain), seller=trade.partner)
            return refused, certain
        return _news_of(result, trade), self._learn(result)

    def _learn(self, result: SendResult) -> SteamFault | None:
        """What an unknown outcome says about the session."""
        if not isinstance(result, SendUnknown):
            return None
        if result.eresult == EResult.INVALID_PARAM:
            self._bot.client.session.new_session_id()
            return NotLoggedIn(result.reason)
        if result.eresult == EResult.INVALID_STATE:
            self._bot.memory.acknowledged = False
        return None

    def _note_changed_partners(self, trade: OpenOffer, news: commands.TradeCommand) -> None:
        """34 means that the partner renamed himself, or that the bot did: then it comes with everybody (protocol §11)."""
        memory = self._bot.memory
        if isinstance(news, commands.OfferMade):
            memory.changed_partners, memory.was_restricted = frozenset(), False
        elif isinstance(news, commands.OfferRefused) and news.why is SendRefusal.PARTNER_CHANGED:
            memory.changed_partners |= {trade.partner}
            if len(memory.changed_partners) >= (1 if memory.was_restricted else _CHANGED_PARTNERS_THAT_MEAN_US):
                memory.restricted_for, memory.changed_partners = news.text, frozenset()

    async def _look_closer(self, trade: OpenOffer, result: Rejected) -> Rejected:
        """15 alone may be anything between a dead link and a full bot: the trade page says it in words (protocol §6)."""
        if result.cause is not Cause.BAD_LINK or "trade url" in result.text.lower():
            return result
        try:
            page = await self._bot.client.trade_page(self._bot.link(trade))
        except SteamFault:
            return result
        return page.refusal if page.refusal is not None else result

    async def confirm(self, trade: OpenOffer) -> None:
        """Our own offer waits for the bot's phone. Whatever that says, the offer itself tells what became of it (§9 no. 22)."""
        assert trade.offer_id is not None
        waiting = [one for one in await self._bot.client.confirmations() if one.offer_id == trade.offer_id and one.is_trade]
        done = False
        for one in waiting:
            done = await self._bot.client.confirm(one) or done
        offer = await self._bot.client.offer(trade.offer_id)
        if offer is not None and offer.state != OfferState.NEEDS_CONFIRMATION:
            await self._offers.tell_own_offer(trade, offer)
        else:
            await self._bot.desk.ask(commands.OfferUnconfirmed(trade_id=trade.id))


def _is_verified_with(other: OpenOffer, trade: OpenOffer, began_at: int) -> bool:
    """Whether the reading that began then serves the other trade too: it is of the same seller and game. What was created meanwhile is
    left out; the trade itself is not, even if the clock has gone back since."""
    if other.stage is not Stage.VERIFY or other.game != trade.game:
        return False
    if link_likeness(other.tradelink) != link_likeness(trade.tradelink):
        return False
    return other is trade or other.created_at <= began_at


def _news_of(result: SendResult, trade: OpenOffer) -> SendNews:
    match result:
        case Sent():
            return commands.OfferMade(trade_id=trade.id, offer_id=result.offer_id, needs_confirmation=False)
        case NeedsConfirmation():
            return commands.OfferMade(trade_id=trade.id, offer_id=result.offer_id, needs_confirmation=True)
        case Rejected():
            blame = BLAME_OF_DELIVERIES.get(result.cause, BLAME[result.cause]) if trade.gives else BLAME[result.cause]
            return commands.OfferRefused(trade_id=trade.id, why=blame, text=result.text, seller=trade.partner)
        case SendUnknown():
            return commands.OutcomeUnknown(trade_id=trade.id)


def offer_message(message: str, tag: str) -> str:
    """As much of the seller's message as fits with our tag into what Steam takes, whole characters: it drops longer ones whole (R3)."""
    room = OFFER_MESSAGE_BYTES_MAX - len(tag.encode()) - 1
    return f"{message.encode()[:room].decode('utf-8', 'ignore').rstrip()} {tag}".strip()
