"""Items that Steam exchanges for a sale that has ended: nothing is credited, a human is told, once. Pure."""

from selldesk.offers.stages import MISSING_ITEMS
from selldesk.offers.words import OfferWord
from selldesk.steamwire.enums import OfferState
from selldesk.trades.endings import Effects, Move
from selldesk.trades.status import RELEASED, ROLLED_BACK
from selldesk.trades.trade import Trade


def offer_shown(trade: Trade, word: OfferWord) -> Effects:
    """An offer of a sale that was released or rolled back, perhaps accepted all the same."""
    known = trade.offer_state in (OfferState.ACCEPTED, MISSING_ITEMS) or trade.status in ROLLED_BACK
    if word.state != OfferState.ACCEPTED or (known and word.offer_id == trade.offer_id):
        return Effects()
    if trade.status in ROLLED_BACK and word.steam_trade_id is not None and word.steam_trade_id == trade.steam_trade_id:
        return Effects()
    text = f"Offer {word.offer_id} was accepted after its trade ended: items without a trade"
    if trade.status in RELEASED:
        trade.offer_id = trade.offer_id or word.offer_id
        trade.offer_state = OfferState.ACCEPTED
        trade.steam_trade_id = trade.steam_trade_id or word.steam_trade_id
    return Effects([Move(text)], [("items_without_trade", text)])


def exchange_shown(trade: Trade, steam_trade_id: str, text: str) -> Effects:
    """The bot's history holds an exchange of a released sale's items."""
    if trade.status not in RELEASED or trade.steam_trade_id == steam_trade_id:
        return Effects()
    trade.steam_trade_id, trade.offer_state = steam_trade_id, OfferState.ACCEPTED
    return Effects([Move(text)], [("items_without_trade", text)])
