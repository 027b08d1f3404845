"""What news make of an offer: steps with neutral outcomes. What an outcome means to a sale: trades/endings.py."""

from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What became of an offer, whatever it is for."""

    OPENED = "opened"
    """Steam shows the offer open to the partner, for the first time."""
    EXCHANGED = "exchanged"
    """Steam exchanged the items."""
    SETTLED = "settled"
    """Steam's protection is over, and a fresh reading says Complete."""
    COUNTERED = "countered"
    """The partner answered with an offer of their own."""
    EXPIRED = "expired"
    """Steam let it expire."""
    DECLINED = "declined"
    """The partner declined."""
    ITEMS_GONE = "items_gone"
    """Items of the offer are no longer where they were."""
    STOPPED_ON_PHONE = "stopped_on_phone"
    """Cancelled at a mobile confirmation."""
    HOLD_ENDED = "hold_ended"
    """Steam's trade hold ended without an exchange."""
    OUT_OF_TIME = "out_of_time"
    """We cancelled: the partner did not accept in time."""
    WITHDRAWN = "withdrawn"
    """An operator withdrew it."""
    CALLED_OFF = "called_off"
    """Whoever it is made for wants it no more."""
    UNCONFIRMED = "unconfirmed"
    """We cancelled: the bot's own confirmation did not go through."""
    CANCELLED_ELSEWHERE = "cancelled_elsewhere"
    """Cancelled on the bot's side, and not by us."""
    NOT_SENT = "not_sent"
    """No offer could be sent in time."""
    REFUSED = "refused"
    """Steam's word on the partner or the items forbids an offer; the step's text says why."""


@dataclass(frozen=True)
class Step:
    """Without an outcome it is a note in the history; with one, `text` is Steam's reason where the outcome has no fixed words."""

    text: str = ""
    outcome: Outcome | None = None


@dataclass
class Heard:
    steps: list[Step] = field(default_factory=list)
    alerts: list[tuple[str, str]] = field(default_factory=list)
    """(kind, text); one of a kind stays open per offer."""


def note(text: str) -> Heard:
    return Heard([Step(text)])


def ended(outcome: Outcome, text: str = "") -> Heard:
    return Heard([Step(text, outcome)])
