"""What an offer's outcome means to the delivery that it is for (people P4): the words of sales, with the buyer as the user. Pure."""

from typing import Final

from selldesk.offers.outcomes import Heard, Outcome
from selldesk.trades.endings import Effects, Move, effects_of
from selldesk.trades.status import Status

OFFER_SENT: Final = "delivery.offer_sent"
EXCHANGED: Final = Move("The items are with the buyer", Status.ACCEPTED)

ENDINGS: Final[dict[Outcome, tuple[Status, str]]] = {
    Outcome.COUNTERED: (Status.CANCELLED, "The buyer countered the offer"),
    Outcome.EXPIRED: (Status.CANCELLED, "The offer expired on Steam"),
    Outcome.DECLINED: (Status.CANCELLED, "The buyer declined the offer"),
    Outcome.OUT_OF_TIME: (Status.CANCELLED, "The buyer did not accept the offer in time"),
    Outcome.CALLED_OFF: (Status.CANCELLED, "The buyer cancelled the delivery"),
    Outcome.REFUSED: (Status.CANCELLED, ""),
    Outcome.STOPPED_ON_PHONE: (Status.DECLINED, "The offer was stopped at the bot's mobile confirmation"),
    Outcome.HOLD_ENDED: (Status.DECLINED, "The trade hold ended without an exchange"),
    Outcome.WITHDRAWN: (Status.DECLINED, "The delivery was withdrawn by an operator"),
    Outcome.UNCONFIRMED: (Status.DECLINED, "The offer could not be confirmed on the bot's side"),
    Outcome.CANCELLED_ELSEWHERE: (Status.DECLINED, "The offer was withdrawn on the bot's side"),
    Outcome.NOT_SENT: (Status.DECLINED, "No offer could be sent in time"),
    Outcome.ITEMS_GONE: (Status.ERROR, "Items of the delivery are not in the bot's inventory"),
}
"""Outcomes that end it without an exchange. Of `REFUSED` Steam's word is the text."""


def of_delivery(heard: Heard) -> Effects:
    return effects_of(heard, ENDINGS, EXCHANGED, OFFER_SENT)


def event_of(status: Status) -> str:
    return f"delivery.{status.value}"
