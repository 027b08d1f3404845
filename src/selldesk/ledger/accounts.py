"""Numbers of ledger accounts. Each person has three; the market's own have negative numbers and may be overdrawn."""

from typing import Final

OUTSIDE: Final = -1
"""The world outside: deposits come from it, withdrawals go to it."""
FEES: Final = -2
"""Platform fees that are earned."""
ADJUSTMENTS: Final = -3
"""The market's own account, the other side of every operator's adjustment."""
FEES_IN_ESCROW: Final = -4
"""The platform's share of sales that are accepted and not yet completed."""

MARKET_ACCOUNTS: Final = (OUTSIDE, FEES, ADJUSTMENTS, FEES_IN_ESCROW)


def available(person: int) -> int:
    """Money that the person may spend or withdraw: the wallet's `balance`."""
    return person * 4


def held(person: int) -> int:
    """A buyer's money that is frozen for their processing trades."""
    return person * 4 + 1


def escrow(person: int) -> int:
    """A project's proceeds between acceptance and completion, net of the fee."""
    return person * 4 + 2


def owner(account: int) -> int | None:
    """The person whose account this is; None for the market's own."""
    return account // 4 if account > 0 else None


def owner_of(account: int) -> int:
    """The person whose account this is; only for a person's."""
    return account // 4


def is_available(account: int) -> bool:
    return account > 0 and account % 4 == 0
