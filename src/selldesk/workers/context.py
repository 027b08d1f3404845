"""What the parts of one bot's worker share: its client, its desk, its memory, and look-ups of its trades."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from selldesk.deliveries.delivery import DeliveryItem
from selldesk.deliveries.delivery import link_place as link_place_of_request
from selldesk.desk import commands
from selldesk.kernel.clock import Clock
from selldesk.kernel.refusals import Refusal
from selldesk.kernel.secretbox import CannotOpen, SecretBox, link_place
from selldesk.offers.agenda import LONGEST_WAIT_US, Memory, Pace
from selldesk.offers.life import OfferItem, OpenOffer
from selldesk.offers.rules import Rules
from selldesk.steam.client import SteamClient
from selldesk.steam.results import Asset
from selldesk.steamwire.tradelink import TradeLink, parse_trade_link
from selldesk.store.store import Reader
from selldesk.trades.trade import TradeItem
from selldesk.workers.lease import HeldLease, NewsPort

logger = logging.getLogger(__name__)


@dataclass
class BotContext:
    """One bot. Only `memory` changes, and nothing in it needs to survive a restart."""

    number: int
    client: SteamClient
    desk: NewsPort
    lease: HeldLease
    reader: Reader
    clock: Clock
    rules: Rules
    pace: Pace
    memory: Memory
    box: SecretBox
    since_us: int = 0
    """When the bot began to work for this market: what it traded before explains itself."""

    def open_offers(self) -> dict[str, OpenOffer]:
        """All running offers of the bot, and those that settle and are due next."""
        running = self.reader.fetch_as(OpenOffer, "running_of_bot", bot=self.number)
        settling = self.reader.fetch_as(OpenOffer, "settling_of_bot", bot=self.number, most=10 + len(self.memory.not_before))
        return {trade.id: trade for trade in running + settling}

    def items(self, trade_id: str) -> list[tuple[TradeItem, str]]:
        """The trade's items with the names that the seller gave."""
        return [(TradeItem(*columns), name) for *columns, name in self.reader.fetch("items_of_trade", trade_id=trade_id)]

    def assets(self, offer: OpenOffer) -> set[tuple[int, str, str]]:
        """(game, context, asset id) of everything that the offer is about: the seller's, or of a delivery the bot's own."""
        items: Iterable[OfferItem] = (item for item, _ in self.items(offer.id))
        if offer.gives:
            rows = self.reader.fetch("items_of_delivery", delivery_id=offer.id)
            items = (DeliveryItem(*columns) for *columns, _ in rows)
        return {(offer.game, item.contextid, item.assetid) for item in items}

    def link(self, trade: OpenOffer) -> TradeLink:
        place = link_place(trade.id)
        if trade.gives:
            ((buyer, custom_id),) = self.reader.fetch("request_of_delivery", id=trade.id)
            place = link_place_of_request(buyer, custom_id)
        link = parse_trade_link(self.box.open_link(trade.tradelink, place))
        if link is None:
            raise CannotOpen(f"{trade.purpose} {trade.id} has no readable trade link")
        return link

    async def tell_once(self, kind: str, text: str) -> None:
        """What an operator has decided, and closed the alert, no later worker asks them again: they might pay twice."""
        if not self.reader.fetch("alert_of_bot", kind=kind, bot=self.number, text=text):
            await self.desk.ask(commands.RaiseAlert(kind=kind, text=text, bot=self.number, trade_id=None))

    async def tell_unexplained(
        self, what: str, offer_id: str | None, steam_trade_id: str | None, given: list[Asset], received: list[Asset]
    ) -> None:
        """Items changed hands, and no sale of ours explains it (promise I18)."""
        logger.error(
            "bot %d: %s took %d items and brought %d, and no sale explains it; telling the operators",
            self.number,
            what,
            len(given),
            len(received),
        )
        gone = [commands.LeftAsset(one.appid, one.contextid, one.assetid, one.classid, one.instanceid) for one in given]
        await self.desk.ask(
            commands.UnexplainedExchange(
                bot=self.number, what=what, offer_id=offer_id, steam_trade_id=steam_trade_id, given=gone, received=len(received)
            )
        )

    async def tell_of_poison(self, trade_id: str | None, refusal: Refusal) -> None:
        """News that the desk can't digest: a human must look, the other trades go on."""
        logger.error(
            "bot %d: news about trade %s could not be recorded (%s); trying again later", self.number, trade_id, refusal.text
        )
        if trade_id is not None:
            self.memory.defer(trade_id, self.clock.now_us() + LONGEST_WAIT_US)
            text = "What Steam says about this trade could not be recorded; see the desk's log"
            await self.desk.ask(commands.RaiseAlert(kind="news_not_taken", text=text, bot=self.number, trade_id=trade_id))
