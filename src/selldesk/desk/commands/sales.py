"""Opening a sale, and what an operator does to one."""

from typing import ClassVar

import msgspec

from selldesk.desk.commands.base import Command, TradeCommand
from selldesk.desk.commands.replies import TradeOpened


class OpenItem(msgspec.Struct, array_like=True, frozen=True):
    item: int
    """Catalog number, or UNKNOWN_ITEM."""
    name: str
    contextid: str
    assetid: str
    price: int


class OpenTrade(Command[TradeOpened], frozen=True, kw_only=True):
    """`POST /api/sell/trades/create`, its body checked and its names resolved. Refusals: R3's list, in its order."""

    alone: ClassVar[bool] = False
    trade_id: str
    project: int
    custom_id: str
    game: int
    buyer: int | None
    """None: no such buyer."""
    mismatch: bool
    """The API process's verdict: another candidate pays strictly more, and no quote covers it."""
    seller: str
    tradelink: str
    message: str
    items: list[OpenItem]


class OperateTrade(TradeCommand, frozen=True, kw_only=True):
    """`cancel`, `retry`, `declare-accepted`, `declare-failed`, `declare-completed`, `declare-rolled-back` (contract C4)."""

    operator: str
    action: str
    reason: str
    by: str | None = None
    force: bool = False
