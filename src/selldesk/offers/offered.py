"""What Steam shows of our offer, and how it is cancelled (readings R5, protocol §5 and §9). Pure.

`read_offer` is an ordered list of small rules: the first that has something to say is heard; then the state that Steam shows decides
by a table. Only explicit states count; an exchange once seen is never forgotten (protocol §9 no. 8).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from selldesk.offers.life import OfferLife
from selldesk.offers.outcomes import Heard, Outcome, Step, ended, note
from selldesk.offers.pacing import alert_if_late, may_end, retry, retry_if_due, wait_for_hold
from selldesk.offers.rules import Rules
from selldesk.offers.stages import BEFORE_AN_OFFER, OFFER_STATES, Stage
from selldesk.offers.words import OfferWord
from selldesk.steamwire.enums import OfferState

ENDINGS: Final[dict[int, Outcome]] = {
    OfferState.COUNTERED: Outcome.COUNTERED,
    OfferState.EXPIRED: Outcome.EXPIRED,
    OfferState.DECLINED: Outcome.DECLINED,
    OfferState.INVALID_ITEMS: Outcome.ITEMS_GONE,
    OfferState.CANCELED_BY_SECOND_FACTOR: Outcome.STOPPED_ON_PHONE,
}
"""Offer states that end an offer by themselves; 6 depends on who wanted it."""

CANCELED_BY: Final[dict[str | None, Outcome]] = {
    "deadline": Outcome.OUT_OF_TIME,
    "operator": Outcome.WITHDRAWN,
    "owner": Outcome.CALLED_OFF,
    "unconfirmed": Outcome.UNCONFIRMED,
}


@dataclass(frozen=True)
class _Reading:
    """One look at the offer. `was_held`: Steam held its items when it was last seen."""

    life: OfferLife
    word: OfferWord
    now: int
    rules: Rules
    looked_at: int | None
    was_held: bool
    was_unconfirmed: bool
    """It waited for the bot's phone: nobody could see it yet."""

    @property
    def is_ended(self) -> bool:
        return self.word.state in ENDINGS or self.word.state == OfferState.CANCELED


def read_offer(life: OfferLife, word: OfferWord, now: int, rules: Rules, looked_at: int | None = None) -> Heard:
    """Steam shows our offer. `looked_at`: when the last look of `may_end` began, if there was one."""
    reading = _Reading(life, word, now, rules, looked_at, life.is_held, life.needs_confirmation)
    for rule in _BEFORE_ADOPTING:
        heard = rule(reading)
        if heard is not None:
            return heard
    heard = Heard()
    _adopt(reading, heard)
    _BY_STATE.get(word.state, _unknown_state)(reading, heard)
    return heard


# -- whether this reading counts ---------------------------------------------------------------------------------------


def _offer_of_a_known_exchange(reading: _Reading) -> Heard | None:
    """Its exchange was found in the history before the list showed the offer."""
    life, word = reading.life, reading.word
    if life.is_open or life.offer_id is not None or word.steam_trade_id != life.steam_trade_id:
        return None
    life.offer_id = word.offer_id
    return Heard()


def _exchange_of_a_declared_one(reading: _Reading) -> Heard | None:
    """Which exchange it was, if an operator declared it exchanged before Steam told; without it nothing can be settled."""
    life, word = reading.life, reading.word
    if life.stage is not Stage.SETTLING or life.steam_trade_id is not None or word.offer_id != life.offer_id:
        return None
    heard = Heard()
    if word.steam_trade_id:
        life.steam_trade_id = word.steam_trade_id
    else:
        retry_if_due(life, reading.now, reading.rules)
        alert_if_late(life, reading.now, reading.rules, heard)
    return heard


def _nobody_listens(reading: _Reading) -> Heard | None:
    life = reading.life
    listens = life.stage in (Stage.OFFERED, Stage.EXCHANGED, Stage.RECONCILE, Stage.SENDING)
    turns_up = life.stage in BEFORE_AN_OFFER and life.unknown_since is not None
    return None if listens or turns_up else Heard()


def _another_offer(reading: _Reading) -> Heard | None:
    """A second offer of the same life (a send that was thought lost): only its acceptance matters."""
    life, word = reading.life, reading.word
    if life.offer_id is None or word.offer_id == life.offer_id:
        return None
    if word.state != OfferState.ACCEPTED or life.stage is Stage.EXCHANGED:
        return Heard()
    life.offer_id = None
    return None


def _exchange_is_not_forgotten(reading: _Reading) -> Heard | None:
    life, word = reading.life, reading.word
    if life.stage is not Stage.EXCHANGED or word.state == OfferState.ACCEPTED:
        return None
    heard = Heard()
    life.steam_trade_id = life.steam_trade_id or word.steam_trade_id
    retry_if_due(life, reading.now, reading.rules)
    alert_if_late(life, reading.now, reading.rules, heard)
    return heard


def _last_look_first(reading: _Reading) -> Heard | None:
    if not reading.is_ended or may_end(reading.life, reading.looked_at):
        return None
    retry(reading.life, reading.now, reading.rules)
    return Heard()


_BEFORE_ADOPTING: Final[tuple[Callable[[_Reading], Heard | None], ...]] = (
    _offer_of_a_known_exchange,
    _exchange_of_a_declared_one,
    _nobody_listens,
    _another_offer,
    _exchange_is_not_forgotten,
    _last_look_first,
)


# -- what the state says -----------------------------------------------------------------------------------------------


def _adopt(reading: _Reading, heard: Heard) -> None:
    life, word = reading.life, reading.word
    if life.offer_id is None:
        life.offer_id = word.offer_id
        heard.steps.append(Step(f"Offer {word.offer_id} found"))
    if word.state in OFFER_STATES and word.state <= OfferState.REVERTED:
        life.offer_state = word.state
    if word.steam_trade_id:
        life.steam_trade_id = word.steam_trade_id


def _open(reading: _Reading, heard: Heard) -> None:
    life, now = reading.life, reading.now
    life.stage = Stage.OFFERED
    if life.expires_at is None or reading.was_unconfirmed:
        heard.steps.append(Step(f"Offer {life.offer_id} is open", Outcome.OPENED))
    life.expires_at = reading.word.time_created + reading.rules.offer_open_for_us
    if life.cancel_by is None:
        life.due_at = life.expires_at
    else:
        retry_if_due(life, now, reading.rules)


def _unconfirmed(reading: _Reading, heard: Heard) -> None:
    life, now, rules = reading.life, reading.now, reading.rules
    life.stage = Stage.OFFERED
    life.expires_at = reading.word.time_created + rules.offer_open_for_us
    if life.cancel_by is not None:
        retry_if_due(life, now, rules)
    elif life.due_at is None or life.due_at > now + rules.confirm_after_us(life.attempts):
        life.due_at = now


def _accepted(reading: _Reading, heard: Heard) -> None:
    life, now = reading.life, reading.now
    if life.stage is not Stage.EXCHANGED:
        life.stage, life.attempts, life.exchanged_at = Stage.EXCHANGED, 0, now
        life.due_at = now
        if life.expires_at is None:
            life.expires_at = reading.word.time_created + reading.rules.offer_open_for_us
    elif not reading.word.steam_trade_id:
        retry_if_due(life, now, reading.rules)
        alert_if_late(life, now, reading.rules, heard)


def _held(reading: _Reading, heard: Heard) -> None:
    life = reading.life
    life.stage = Stage.OFFERED
    if reading.word.escrow_end:
        life.expires_at = reading.word.escrow_end
    if life.cancel_by == "deadline":
        # They accepted in time after all: we don't cancel a held trade ourselves.
        life.cancel_by = None
    wait_for_hold(life, reading.now)
    if not reading.was_held:
        heard.steps.append(Step("Steam holds the items (trade hold)"))


def _ended(reading: _Reading, heard: Heard) -> None:
    outcome = ENDINGS[reading.word.state]
    heard.steps.append(Step(outcome=Outcome.HOLD_ENDED if _ends_a_hold(reading) else outcome))


def _cancelled(reading: _Reading, heard: Heard) -> None:
    life = reading.life
    if _ends_a_hold(reading):
        heard.steps.append(Step(outcome=Outcome.HOLD_ENDED))
        return
    if life.cancel_by is None:
        text = f"Offer {life.offer_id} was cancelled from the bot's account, but not by selldesk: somebody else has its session"
        heard.alerts.append(("session_in_other_hands", text))
    heard.steps.append(Step(outcome=CANCELED_BY.get(life.cancel_by, Outcome.CANCELLED_ELSEWHERE)))


def _ends_a_hold(reading: _Reading) -> bool:
    return reading.was_held and reading.life.cancel_by != "operator"


def _unknown_state(reading: _Reading, heard: Heard) -> None:
    reading.life.stage = Stage.OFFERED
    retry_if_due(reading.life, reading.now, reading.rules)
    heard.alerts.append(("unknown_offer_state", f"Steam shows offer {reading.word.offer_id} in state {reading.word.state}"))


_BY_STATE: Final[dict[int, Callable[[_Reading, Heard], None]]] = {
    OfferState.ACTIVE: _open,
    OfferState.NEEDS_CONFIRMATION: _unconfirmed,
    OfferState.ACCEPTED: _accepted,
    OfferState.REVERTED: _accepted,
    OfferState.IN_ESCROW: _held,
    OfferState.CANCELED: _cancelled,
    **dict.fromkeys(ENDINGS, _ended),
}


# -- cancelling --------------------------------------------------------------------------------------------------------


def _is_unconfirmed_for_long(life: OfferLife, now: int, rules: Rules) -> bool:
    return (
        life.needs_confirmation
        and life.expires_at is not None
        and now >= life.expires_at - rules.offer_open_for_us + rules.confirm_within_us
    )


def cancel_due(life: OfferLife, now: int, rules: Rules) -> bool:
    """The partner had their time, or our own confirmation had, or an operator withdrew it; and the offer is still open."""
    if life.stage is not Stage.OFFERED or life.due_at is None or now < life.due_at:
        return False
    if life.is_held:
        return life.cancel_by == "operator"
    is_over = life.expires_at is not None and now >= life.expires_at
    return life.cancel_by is not None or is_over or _is_unconfirmed_for_long(life, now, rules)


def intend_to_cancel(life: OfferLife, now: int, rules: Rules) -> bool:
    """Puts the cancellation on record before Steam is asked. Not final until Steam shows the state (R5)."""
    if not cancel_due(life, now, rules):
        return False
    if life.cancel_by is None:
        life.cancel_by = "unconfirmed" if life.needs_confirmation else "deadline"
        life.attempts = 0
    retry(life, now, rules)
    return True


def withdraw(life: OfferLife, now: int, by: str = "operator", text: str = "An operator withdrew the trade") -> Heard:
    """A cancel by hand: at once if no offer can exist, else it starts the cancellation (contract C4)."""
    life.cancel_by, life.due_at, life.attempts = by, now, 0
    if life.stage in BEFORE_AN_OFFER and may_end(life, None):
        return ended(CANCELED_BY[by])
    return note(text)
