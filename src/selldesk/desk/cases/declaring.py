"""What an operator declares of a sale or a delivery, in Steam's stead (contract C4, settled 5)."""

from collections.abc import Callable
from typing import Final

from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.offers import exchange
from selldesk.offers.life import OfferLife
from selldesk.offers.rules import Rules
from selldesk.offers.stages import MISSING_ITEMS
from selldesk.steamwire.enums import TradeStatus
from selldesk.trades.endings import Effects, Move
from selldesk.trades.status import Status


def declare(command: commands.OperateTrade, life: OfferLife, status: Status, now: int, rules: Rules) -> Effects | None:
    """None: no declaration, or none that fits this status. Refuses FORCE_REQUIRED against Steam's last word, or before there is one."""
    declaration = _DECLARATIONS.get((command.action, status))
    return declaration(command, life, now, rules) if declaration is not None else None


def _accepted(command: commands.OperateTrade, life: OfferLife, now: int, rules: Rules) -> Effects:
    _require(_has_last_word(life) or command.force)
    exchange.declare_exchanged(life, now, rules)
    return Effects([Move(_declared(command), Status.ACCEPTED)])


def _failed(command: commands.OperateTrade, life: OfferLife, now: int, rules: Rules) -> Effects:
    _require(_has_last_word(life) or command.force)
    exchange.declare_failed(life)
    return Effects([Move(_declared(command), Status.ERROR, _declared(command))])


def _completed(command: commands.OperateTrade, life: OfferLife, now: int, rules: Rules) -> Effects:
    is_due = life.settle_at is not None and now >= life.settle_at
    _require((is_due and life.steam_status == TradeStatus.COMPLETE) or command.force)
    return Effects([Move(_declared(command), Status.COMPLETED)])


def _rolled_back(command: commands.OperateTrade, life: OfferLife, now: int, rules: Rules) -> Effects:
    _require(life.steam_status in (TradeStatus.ESCROW_ROLLBACK, TradeStatus.TRADE_PROTECTION_ROLLBACK) or command.force)
    status = Status.ROLLED_BACK_BY_BOT if command.by == "bot" else Status.ROLLED_BACK_BY_USER
    return Effects([Move(_declared(command), status)])


def _declared(command: commands.OperateTrade) -> str:
    return f"Declared by operator {command.operator}: {command.reason}"


def _has_last_word(life: OfferLife) -> bool:
    """Steam's word is in and settles nothing: an operator's is enough (settled 5)."""
    return life.offer_state == MISSING_ITEMS or life.steam_status in exchange.TROUBLE


def _require(allowed: bool) -> None:
    if not allowed:
        raise refusals.FORCE_REQUIRED()


_DECLARATIONS: Final[dict[tuple[str, Status], Callable[[commands.OperateTrade, OfferLife, int, Rules], Effects]]] = {
    ("declare-accepted", Status.PROCESSING): _accepted,
    ("declare-failed", Status.PROCESSING): _failed,
    ("declare-completed", Status.ACCEPTED): _completed,
    ("declare-rolled-back", Status.ACCEPTED): _rolled_back,
}
