"""Until an offer is out: verified, intended, sent, or lost and looked for (readings R4, R5, protocol §9). Pure.

Each function changes the given life (stage, due time, Steam's numbers) and answers what was heard.
"""

from typing import Final

from selldesk.offers.life import OfferLife
from selldesk.offers.outcomes import Heard, Outcome, note
from selldesk.offers.pacing import end_after_look, retry
from selldesk.offers.rules import Rules
from selldesk.offers.stages import Stage
from selldesk.offers.words import Proof, SendRefusal
from selldesk.steamwire.enums import OfferState

CALLED_OFF_BY: Final[dict[str | None, Outcome]] = {
    "operator": Outcome.WITHDRAWN,
    "owner": Outcome.CALLED_OFF,
    "missing": Outcome.ITEMS_GONE,
}
"""Why no offer is to be made, where it is not the time that is over."""

_FORBIDS = frozenset({Proof.OTHER_NAME, Proof.TRADE_HOLD, Proof.NO_TRADE})
"""What counts at once."""


# -- before the offer --------------------------------------------------------------------------------------------------


def read_proof(
    life: OfferLife, proof: Proof, text: str, began_at: int, now: int, rules: Rules, looked_at: int | None = None
) -> Heard:
    """A reading of the inventory that began at `began_at`. Only an offer that waits for one listens (R4)."""
    if life.stage is not Stage.VERIFY:
        return Heard()
    if proof in _FORBIDS:
        return end_after_look(life, Outcome.REFUSED, text, looked_at, now, rules)
    if proof is Proof.AS_NAMED:
        life.stage, life.due_at, life.attempts = Stage.SEND, now, 0
        if life.verified_at is None:
            life.verified_at = now
    elif proof is Proof.NO_WORD:
        retry(life, now, rules)
    elif life.doubt_at is None:
        life.doubt_at, life.due_at = began_at, began_at + rules.second_reading_after_us
    elif began_at >= life.doubt_at + rules.second_reading_after_us:
        return end_after_look(life, Outcome.REFUSED, text, looked_at, now, rules)
    else:
        life.due_at = life.doubt_at + rules.second_reading_after_us
    return Heard()


def wait_for_a_bot(life: OfferLife, now: int, rules: Rules) -> None:
    """Verified, but its bot has as many offers with this partner as it may: it is verified again a little later."""
    retry(life, now, rules)


def too_late_to_offer(life: OfferLife, now: int, rules: Rules) -> bool:
    """No offer is out, none can be on its way, and the time for it has passed or an operator withdrew it."""
    return life.is_unsent and (life.cancel_by is not None or now >= life.began_at + rules.offer_out_within_us)


def give_up(life: OfferLife, looked_at: int | None, now: int, rules: Rules) -> Heard:
    """The end of an offer for which `too_late_to_offer` holds: no send was attempted, or each is known to have made none."""
    outcome = CALLED_OFF_BY.get(life.cancel_by, Outcome.NOT_SENT)
    return end_after_look(life, outcome, "", looked_at, now, rules)


def intend_to_send(life: OfferLife, now: int, rules: Rules) -> bool:
    """Puts the intent on record; False if this offer may not be sent (now)."""
    ready = life.stage is Stage.SEND and life.offer_id is None
    if not ready or too_late_to_offer(life, now, rules):
        return False
    life.stage, life.send_started_at, life.misses, life.first_miss_at = Stage.SENDING, now, 0, None
    return True


# -- the answer to a send ----------------------------------------------------------------------------------------------


def offer_made(life: OfferLife, offer_id: str, needs_confirmation: bool, now: int) -> Heard:
    """Steam named the offer. Its own times follow with the first reading, which is due at once. Also of one whose intent to send is
    no longer on record (a database that lost its last second): the offer exists all the same."""
    if life.stage not in (Stage.VERIFY, Stage.SEND, Stage.SENDING, Stage.RECONCILE) or life.offer_id is not None:
        return Heard()
    life.offer_id, life.offer_state = offer_id, OfferState.NEEDS_CONFIRMATION if needs_confirmation else OfferState.ACTIVE
    life.stage, life.due_at, life.attempts = Stage.OFFERED, now, 0
    return note(f"Offer {offer_id} sent")


def offer_unconfirmed(life: OfferLife, now: int, rules: Rules) -> Heard:
    """The confirmation did not go through: again a little later, until `cancel_due` says that it is enough."""
    if life.needs_confirmation and life.cancel_by is None:
        life.due_at = now + rules.confirm_after_us(life.attempts)
        life.attempts += 1
    return Heard()


def offer_refused(life: OfferLife, why: SendRefusal, text: str, now: int, rules: Rules, looked_at: int | None = None) -> Heard:
    """A certain 'no offer exists'. The partner's faults are final; ours are tried again until the deadline."""
    if life.stage is not Stage.SENDING:
        return Heard()
    life.stage, life.send_started_at = Stage.SEND, None
    if why is SendRefusal.SELLER:
        return end_after_look(life, Outcome.REFUSED, text, looked_at, now, rules)
    retry(life, now, rules)
    return Heard()


def outcome_unknown(life: OfferLife, now: int) -> Heard:
    """The offer may exist: nothing is sent again before Steam's list has been read."""
    if life.stage is not Stage.SENDING:
        return Heard()
    life.stage, life.due_at, life.misses, life.first_miss_at = Stage.RECONCILE, now, 0, None
    if life.unknown_since is None:
        life.unknown_since = life.send_started_at
    return note("The answer to the send was lost; looking for the offer")


def not_listed(life: OfferLife, began_at: int, now: int, rules: Rules) -> Heard:
    """A complete list of sent offers that began at `began_at` does not hold ours (protocol §9 no. 1)."""
    if life.stage is not Stage.RECONCILE or life.send_started_at is None or began_at < life.send_started_at:
        return Heard()
    if life.first_miss_at is None:
        life.first_miss_at = began_at
    life.misses += 1
    spread_until = life.first_miss_at + rules.reconcile_spread_us
    last_after = life.send_started_at + rules.reconcile_last_after_us
    if life.misses >= rules.reconcile_polls_min and began_at >= spread_until and began_at >= last_after:
        # Back to verifying: the items may have gone meanwhile.
        life.stage, life.send_started_at, life.due_at, life.attempts = Stage.VERIFY, None, now, 0
        life.doubt_at = None
        return note("No offer was created by the lost send")
    # Look often at first, since most offers show up at once; then when the windows end.
    soon = began_at + (2 * rules.retry_first_us << min(life.misses, 6))
    life.due_at = min(soon, spread_until if began_at < spread_until else last_after)
    return Heard()
