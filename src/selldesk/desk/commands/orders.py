"""What buyers want."""

import msgspec

from selldesk.desk.commands.base import Command
from selldesk.desk.commands.replies import OrderListBegun, OrdersChanged


class OrderLine(msgspec.Struct, array_like=True, frozen=True):
    item: int
    price: int
    amount: int


class PutOrders(Command[OrdersChanged], frozen=True, kw_only=True):
    """A whole `PUT /api/buy/orders`, its lines checked. The desk works it off in portions, creates in between."""

    buyer: int
    game: int
    replace: bool
    lines: list[OrderLine]
    keep: list[int]
    """Items of rejected lines: under `replace` their orders stay as they are."""


class WithdrawOrders(Command[OrdersChanged], frozen=True, kw_only=True):
    buyer: int
    game: int
    items: list[int] | None
    """None: all of the game."""


class BeginOrders(Command[OrderListBegun], frozen=True, kw_only=True):
    """The beginning of one of the two commands above: what is left of an older one for this buyer and game, at whatever desk, is not
    carried out any more. Answers {list}."""

    buyer: int
    game: int


class ChangeOrders(Command[OrdersChanged], frozen=True, kw_only=True):
    """One portion of them: first what is withdrawn, then what is put. Refusal: LIST_SUPERSEDED."""

    buyer: int
    game: int
    withdraw: list[int]
    put: list[OrderLine]
    list_seq: int | None = None
    """What `BeginOrders` answered; None: a change that belongs to no list, or is a whole one (`begins`)."""
    begins: bool = False
