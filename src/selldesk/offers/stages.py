"""Where the bot's work on an offer stands, and Steam's states of an offer."""

from enum import StrEnum
from typing import Final


class Stage(StrEnum):
    """The bot's side of an offer's life; never on the wire."""

    VERIFY = "verify"
    """What the offer asks for must be compared with the inventory that it is in."""
    SEND = "send"
    """Verified; an offer may go out."""
    SENDING = "sending"
    """The intent to send is on record. Seen without a send under way, its outcome is unknown."""
    RECONCILE = "reconcile"
    """A send of unknown outcome: look for the offer before anything else."""
    OFFERED = "offered"
    """The offer is out; Steam's next word is awaited."""
    EXCHANGED = "exchanged"
    """The offer says Accepted; the trade itself must say so too."""
    SETTLING = "settling"
    """Steam exchanged the items; waiting for a fresh word after settlement."""
    OPERATOR = "operator"
    """What arrived isn't what was verified: a human decides."""
    DONE = "done"
    """Nothing left to do."""


BEFORE_AN_OFFER: Final = frozenset({Stage.VERIFY, Stage.SEND})
"""Nothing is out, unless a send was lost."""

OFFER_STATES: Final[dict[int, str]] = {
    1: "Invalid",
    2: "Active",
    3: "Accepted",
    4: "Countered",
    5: "Expired",
    6: "Canceled",
    7: "Declined",
    8: "InvalidItems",
    9: "NeedsConfirmation",
    10: "CanceledBy2FA",
    11: "InEscrow",
    12: "RolledBack",
    13: "MissingItems",
}
"""`processed_trade.status` and its names: Steam's 1–12, and our 13 (R5)."""

MISSING_ITEMS: Final = 13
"""Our own state of an offer, after Steam's: accepted, but what arrived is not what was verified (R5)."""
