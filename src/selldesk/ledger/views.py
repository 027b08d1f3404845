"""A movement of money as its owner sees it."""

import msgspec
from msgspec import UNSET, UnsetType

from selldesk.kernel.times import wire_time


class Movement(msgspec.Struct):
    """One movement of `balance`; they sum up to it."""

    id: str
    kind: str
    amount: int
    balance_after: int
    created_at: str
    trade_id: str | UnsetType = UNSET
    reference: str | UnsetType = UNSET


def movement(
    entry_id: int, kind: str, amount: int, balance_after: int, trade_id: str | None, reference: str | None, at: int
) -> Movement:
    return Movement(
        str(entry_id), kind, amount, balance_after, wire_time(at), trade_id or UNSET, UNSET if reference is None else reference
    )


class MovementTold(Movement, kw_only=True):
    """The same in an event, with the balance that it left."""

    balance: int
