"""What an offer's outcome means to the sale that it is for: status and text (readings R5). Pure.

The desk carries moves and alerts out; status and money are moved by it alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from selldesk.offers.outcomes import Heard, Outcome, Step
from selldesk.trades.status import Status


@dataclass(frozen=True)
class Move:
    """A step of the sale. Without a status it is a note in the history."""

    note: str
    status: Status | None = None
    error: str | None = None
    event: str | None = None
    """What readers are told, where it is no step to a status."""
    offer_state: int | None = None
    """What readers see of the offer from this step on, where that is no word on the offer itself."""


@dataclass
class Effects:
    moves: list[Move] = field(default_factory=list)
    alerts: list[tuple[str, str]] = field(default_factory=list)
    """(kind, text); one of a kind stays open per trade."""


OFFER_SENT: Final = "trade.offer_sent"
EXCHANGED: Final = Move("Steam exchanged the items", Status.ACCEPTED)

ENDINGS: Final[dict[Outcome, tuple[Status, str]]] = {
    Outcome.COUNTERED: (Status.CANCELLED, "The seller countered the offer"),
    Outcome.EXPIRED: (Status.CANCELLED, "The offer expired on Steam"),
    Outcome.DECLINED: (Status.CANCELLED, "The seller declined the offer"),
    Outcome.ITEMS_GONE: (Status.CANCELLED, "Items of the offer are no longer available"),
    Outcome.STOPPED_ON_PHONE: (Status.CANCELLED, "The trade was cancelled at the mobile confirmation"),
    Outcome.HOLD_ENDED: (Status.CANCELLED, "The trade hold ended without an exchange"),
    Outcome.OUT_OF_TIME: (Status.CANCELLED, "The seller did not accept the offer in time"),
    Outcome.WITHDRAWN: (Status.DECLINED, "The trade was withdrawn by an operator"),
    Outcome.CALLED_OFF: (Status.CANCELLED, "The trade was called off by its project"),
    Outcome.UNCONFIRMED: (Status.DECLINED, "The offer could not be confirmed on the bot's side"),
    Outcome.CANCELLED_ELSEWHERE: (Status.DECLINED, "The offer was withdrawn on the bot's side"),
    Outcome.NOT_SENT: (Status.DECLINED, "No offer could be sent in time"),
    Outcome.REFUSED: (Status.CANCELLED, ""),
}
"""Outcomes that release the buyer's money. Of the last one Steam's word is the text."""


def event_of(status: Status) -> str:
    """What readers are told of a step to this status."""
    return f"trade.{status.value}"


def of_sale(heard: Heard) -> Effects:
    return effects_of(heard, ENDINGS, EXCHANGED, OFFER_SENT)


def effects_of(heard: Heard, endings: Mapping[Outcome, tuple[Status, str]], exchanged: Move, offer_sent: str) -> Effects:
    """Also for deliveries, which have endings and words of their own. `offer_sent`: what readers are told of an offer that is open."""

    def moved(step: Step) -> Move:
        match step.outcome:
            case None:
                return Move(step.text)
            case Outcome.OPENED:
                return Move(step.text, event=offer_sent)
            case Outcome.EXCHANGED:
                return exchanged
            case Outcome.SETTLED:
                return Move("Settled", Status.COMPLETED)
        status, text = endings[step.outcome]
        return Move(step.text or text, status, step.text or text)

    return Effects([moved(step) for step in heard.steps], heard.alerts)
