"""Exchanges that Steam shows undone under its protection: what becomes of the sale, and who pressed the button (readings R5). Pure."""

from enum import StrEnum

from selldesk.offers.life import OfferLife
from selldesk.offers.stages import Stage
from selldesk.steamwire.enums import OfferState, TradeStatus
from selldesk.trades.endings import EXCHANGED, Effects, Move
from selldesk.trades.status import Status
from selldesk.trades.trade import Trade


class Reversal(StrEnum):
    """Whose account was reversed."""

    USER = "user"
    BOT = "bot"


def rolled_back(trade: Trade, by: Reversal) -> Effects:
    """Steam (or an operator) says that the exchange was undone. What was never seen accepted passes through it (R5)."""
    moves: list[Move] = []
    if trade.status is Status.PROCESSING and trade.stage in (Stage.EXCHANGED, Stage.OFFERED, Stage.OPERATOR):
        moves.append(EXCHANGED)
    elif trade.status is not Status.ACCEPTED:
        return Effects()
    trade.steam_status = TradeStatus.TRADE_PROTECTION_ROLLBACK
    if by is Reversal.BOT:
        moves.append(Move("Reversed from the bot's side", Status.ROLLED_BACK_BY_BOT, offer_state=OfferState.REVERTED))
        return Effects(moves, [("bot_reversed", "All protected trades of this bot were reversed")])
    moves.append(Move("The seller reversed the trade on Steam", Status.ROLLED_BACK_BY_USER, offer_state=OfferState.REVERTED))
    return Effects(moves)


def is_reversible(life: OfferLife, now: int) -> bool:
    """Still under Steam's protection: a reversal of its account would take it along."""
    return bool(life.protected) and (life.settlement is None or life.settlement > now)


def who_reversed(readings: list[tuple[str, int]]) -> Reversal:
    """Of every protected trade of one bot (seller, Steam's trade status): the bot iff all of them, of at least two sellers,
    were rolled back (R5): a reversal takes all protected trades of the account that presses it."""
    sellers = {seller for seller, _ in readings}
    all_gone = all(status == TradeStatus.TRADE_PROTECTION_ROLLBACK for _, status in readings)
    return Reversal.BOT if all_gone and len(sellers) >= 2 else Reversal.USER
