"""Statuses of a sale and the only ways between them (readings R5)."""

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """The wire's `status`."""

    PROCESSING = "processing"
    """From create until Steam's word; the buyer's money is frozen."""
    ACCEPTED = "accepted"
    """Steam exchanged the items; reversible until settlement; the money is in escrow."""
    COMPLETED = "completed"
    """Final: the seller is paid."""
    DECLINED = "declined"
    """Final: buyer-side failure (our bot, our limits, an operator); released."""
    CANCELLED = "cancelled"
    """Final: seller-side failure (they declined, countered, let it expire, items not as named …); released."""
    ROLLED_BACK_BY_USER = "rolled_back_by_user"
    """Final: after acceptance the seller reversed the trade on Steam; refunded."""
    ROLLED_BACK_BY_BOT = "rolled_back_by_bot"
    """Final: reversed from the bot's side; refunded."""
    ERROR = "error"
    """Final: ended without a party to blame, always with an error text; released."""


SUMMARIES: Final[dict[Status, str]] = {
    Status.PROCESSING: "Processing",
    Status.ACCEPTED: "Accepted",
    Status.COMPLETED: "Completed",
    Status.DECLINED: "Declined",
    Status.CANCELLED: "Cancelled",
    Status.ROLLED_BACK_BY_USER: "RolledBackByUser",
    Status.ROLLED_BACK_BY_BOT: "RolledBackByBot",
    Status.ERROR: "Error",
}

TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.PROCESSING: frozenset({Status.ACCEPTED, Status.DECLINED, Status.CANCELLED, Status.ERROR}),
    Status.ACCEPTED: frozenset({Status.COMPLETED, Status.ROLLED_BACK_BY_USER, Status.ROLLED_BACK_BY_BOT}),
}
"""From a status that is not listed here nothing leads on: final states absorb (I10)."""

SUCCESSFUL: Final = frozenset({Status.ACCEPTED, Status.COMPLETED})
RELEASED: Final = frozenset({Status.DECLINED, Status.CANCELLED, Status.ERROR})
ROLLED_BACK: Final = frozenset({Status.ROLLED_BACK_BY_USER, Status.ROLLED_BACK_BY_BOT})
LIVE: Final = frozenset({Status.PROCESSING, Status.ACCEPTED})
"""While a trade is live its assets can't be sold again (I7)."""
KNOWN_BY_STEAM_TRADE: Final = SUCCESSFUL | ROLLED_BACK
"""What the lookup by Steam trade id finds (R6)."""


def may_follow(before: Status, after: Status) -> bool:
    return after in TRANSITIONS.get(before, frozenset())
