"""When a sale has stood in one stage for too long, whatever the cause (promise I11). Pure."""

from selldesk.trades.rules import Rules
from selldesk.trades.status import Stage, Status
from selldesk.trades.trade import Trade


def should_have_moved_at(trade: Trade, rules: Rules) -> int | None:
    """By when the present stage should be over if everybody does their part; None: the sale is final."""
    began = trade.stage_at if trade.stage_at is not None else trade.send_started_at or trade.created_at
    match trade.work:
        case Stage.VERIFY | Stage.SEND:
            return max(trade.created_at + rules.offer_out_within_us, began if trade.is_doubted else 0)
        case Stage.SENDING:
            return began
        case Stage.RECONCILE:
            return began + rules.reconcile_last_after_us
        case Stage.OFFERED:
            return began + rules.offer_open_for_us if trade.expires_at is None else trade.expires_at
        case Stage.EXCHANGED:
            return trade.exchanged_at if trade.exchanged_at is not None else began
        case Stage.SETTLING:
            return trade.settle_at if trade.settle_at is not None else began
        case Stage.OPERATOR:
            return began
    return None


def is_overdue(trade: Trade, now: int, rules: Rules) -> bool:
    if trade.state not in (Status.PROCESSING, Status.ACCEPTED):
        return False
    moment = should_have_moved_at(trade, rules)
    return moment is not None and now >= moment + rules.overdue_us.get(trade.stage, rules.overdue_default_us)


def ends_without_steam(trade: Trade, now: int, rules: Rules) -> bool:
    """Nothing was ever sent, or each send is known to have made no offer, and the time for it is over: no bot is needed to end it."""
    late = trade.cancel_by is not None or now >= trade.created_at + rules.offer_out_within_us
    unsent = trade.work in (Stage.VERIFY, Stage.SEND) and trade.offer_id is None and not trade.is_doubted
    return trade.state is Status.PROCESSING and unsent and late
