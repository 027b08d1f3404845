"""When an offer has stood in one stage for too long, whatever the cause (promise I11). Pure."""

from selldesk.offers.life import OfferLife
from selldesk.offers.rules import Rules
from selldesk.offers.sending import too_late_to_offer
from selldesk.offers.stages import Stage


def should_have_moved_at(life: OfferLife, rules: Rules) -> int | None:
    """By when the present stage should be over if everybody does their part; None: it is final."""
    began = _stage_began_at(life)
    match life.stage:
        case Stage.VERIFY | Stage.SEND:
            return max(life.began_at + rules.offer_out_within_us, began if life.is_doubted else 0)
        case Stage.SENDING:
            return began
        case Stage.RECONCILE:
            return began + rules.reconcile_last_after_us
        case Stage.OFFERED:
            return began + rules.offer_open_for_us if life.expires_at is None else life.expires_at
        case Stage.EXCHANGED:
            return life.exchanged_at if life.exchanged_at is not None else began
        case Stage.SETTLING:
            return life.settle_at if life.settle_at is not None else began
        case Stage.OPERATOR:
            return began
    return None


def _stage_began_at(life: OfferLife) -> int:
    """`stage_at` says it, unless an older release has moved the stage since: then what is known of the stage itself is later."""
    moments = [life.created_at, life.stage_at]
    if life.stage in (Stage.SENDING, Stage.RECONCILE):
        moments.append(life.send_started_at)
    elif life.stage is Stage.OPERATOR:
        moments.append(life.exchanged_at)
    return max(moment for moment in moments if moment is not None)


def is_overdue(life: OfferLife, now: int, rules: Rules) -> bool:
    moment = should_have_moved_at(life, rules)
    return moment is not None and now >= moment + rules.overdue_us.get(life.stage, rules.overdue_default_us)


def ends_without_steam(life: OfferLife, now: int, rules: Rules) -> bool:
    """Nothing was ever sent, or each send is known to have made no offer, and the time for it is over: no bot is needed to end it."""
    return too_late_to_offer(life, now, rules) and not life.is_doubted
