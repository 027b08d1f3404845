"""The ledger of one transaction: the balances that were loaded, the entries that were written.

A transfer is two entries that sum to zero and is never edited: capture, release, refund are new transfers. Promises I1–I4.
"""

from enum import StrEnum

import msgspec

from selldesk.kernel import refusals
from selldesk.kernel.limits import MONEY_MAX
from selldesk.ledger import accounts


class Kind(StrEnum):
    """Why money moved. The first seven move a person's available balance and show in their wallet."""

    DEPOSIT = "deposit"
    """outside → available"""
    WITHDRAWAL = "withdrawal"
    """available → outside"""
    FREEZE = "freeze"
    """buyer's available → held, at create"""
    RELEASE = "release"
    """held → available, a trade ended without exchange"""
    REFUND = "refund"
    """escrow → buyer's available, a trade was rolled back"""
    PROCEEDS = "proceeds"
    """escrow → project's available, at completion"""
    ADJUSTMENT = "adjustment"
    """between available and the market's own account, by an operator"""
    CAPTURE = "capture"
    """buyer's held → escrow, at acceptance"""
    FEE = "fee"
    """the platform's share: held → fees in escrow at acceptance, → fees at completion"""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One side of a transfer: what it changed on one account, and the balance that it left there."""

    id: int
    transfer: int
    account: int
    amount: int
    balance_after: int
    kind: str
    trade_id: str | None
    reference: str | None
    at: int


class Hold(msgspec.Struct, array_like=True):
    """The buyer's money that one trade froze. It is resolved once: captured + released = amount (I3)."""

    trade_id: str
    buyer: int
    amount: int
    captured: int
    released: int
    opened_at: int
    closed_at: int | None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class LedgerFault(Exception):
    """A transfer that no rule of the market allows. It means a bug: the command fails, nothing is written."""


class Ledger:
    """Balances of the accounts in play, changed by transfers. `touched` and `entries` are what the store must write."""

    def __init__(self, balances: dict[int, int], first_entry_id: int) -> None:
        self.balances = balances
        self.entries: list[Entry] = []
        self.touched: set[int] = set()
        self._next_id = first_entry_id

    def balance(self, account: int) -> int:
        return self.balances.get(account, 0)

    def transfer(
        self,
        kind: Kind,
        source: int,
        target: int,
        amount: int,
        at: int,
        trade_id: str | None = None,
        reference: str | None = None,
    ) -> Entry | None:
        """Moves `amount` ≥ 0 mills from source to target; answers the entry on a person's available account, if any.

        Raises LedgerFault if a person's account would be overdrawn: callers check first and refuse in their own words.
        """
        if amount < 0:
            raise LedgerFault(f"negative transfer {kind} {amount}")
        if amount == 0:
            return None
        transfer_id, word = self._next_id, kind.value
        shown: Entry | None = None
        for account, change in ((source, -amount), (target, amount)):
            after = self.balance(account) + change
            if account > 0 and after < 0:
                raise LedgerFault(f"account {account} overdrawn by {kind} of {amount}")
            self.balances[account] = after
            self.touched.add(account)
            entry = Entry(self._next_id, transfer_id, account, change, after, word, trade_id, reference, at)
            self._next_id += 1
            self.entries.append(entry)
            if accounts.is_available(account):
                shown = entry
        return shown

    # -- people's money ------------------------------------------------------------------------------------------------

    def deposit(self, person: int, amount: int, reference: str, at: int) -> Entry:
        """Refuses BALANCE_TOO_LARGE: what they own altogether must stay below 2^53."""
        if self.owned(person) + amount > MONEY_MAX:
            raise refusals.BALANCE_TOO_LARGE()
        return _shown(self.transfer(Kind.DEPOSIT, accounts.OUTSIDE, accounts.available(person), amount, at, reference=reference))

    def withdraw(self, person: int, amount: int, reference: str, at: int) -> Entry:
        """Refuses INSUFFICIENT_BALANCE: only available money can leave."""
        if amount > self.balance(accounts.available(person)):
            raise refusals.INSUFFICIENT_BALANCE()
        return _shown(self.transfer(Kind.WITHDRAWAL, accounts.available(person), accounts.OUTSIDE, amount, at, reference=reference))

    def adjust(self, person: int, amount: int, reference: str, at: int, trade_id: str | None) -> Entry:
        """A correction by hand, against the market's own account. Refuses INSUFFICIENT_BALANCE, BALANCE_TOO_LARGE."""
        purse = accounts.available(person)
        if self.balance(purse) + amount < 0:
            raise refusals.INSUFFICIENT_BALANCE()
        if self.owned(person) + amount > MONEY_MAX:
            raise refusals.BALANCE_TOO_LARGE()
        source, target = (accounts.ADJUSTMENTS, purse) if amount > 0 else (purse, accounts.ADJUSTMENTS)
        return _shown(self.transfer(Kind.ADJUSTMENT, source, target, abs(amount), at, trade_id, reference))

    def owned(self, person: int) -> int:
        """Available, held and in escrow together."""
        return (
            self.balance(accounts.available(person)) + self.balance(accounts.held(person)) + self.balance(accounts.escrow(person))
        )

    # -- one sale's money (R5) -----------------------------------------------------------------------------------------

    def freeze(self, trade_id: str, buyer: int, amount: int, at: int) -> Hold:
        """available → held. Refuses INSUFFICIENT_BALANCE."""
        if amount > self.balance(accounts.available(buyer)):
            raise refusals.INSUFFICIENT_BALANCE()
        self.transfer(Kind.FREEZE, accounts.available(buyer), accounts.held(buyer), amount, at, trade_id)
        return Hold(trade_id, buyer, amount, 0, 0, at, None)

    def release(self, hold: Hold, at: int) -> None:
        """held → available: the trade ended without an exchange."""
        self._close(hold, at)
        hold.released = hold.amount
        self.transfer(Kind.RELEASE, accounts.held(hold.buyer), accounts.available(hold.buyer), hold.amount, at, hold.trade_id)

    def capture(self, hold: Hold, project: int, fee: int, at: int) -> None:
        """held → escrow for the project, the fee apart: Steam exchanged the items."""
        self._close(hold, at)
        hold.captured = hold.amount
        source = accounts.held(hold.buyer)
        self.transfer(Kind.CAPTURE, source, accounts.escrow(project), hold.amount - fee, at, hold.trade_id)
        self.transfer(Kind.FEE, source, accounts.FEES_IN_ESCROW, fee, at, hold.trade_id)

    def pay_out(self, hold: Hold, project: int, fee: int, at: int) -> None:
        """escrow → the project's balance: the sale is final."""
        self._require_captured(hold)
        self.transfer(Kind.PROCEEDS, accounts.escrow(project), accounts.available(project), hold.amount - fee, at, hold.trade_id)
        self.transfer(Kind.FEE, accounts.FEES_IN_ESCROW, accounts.FEES, fee, at, hold.trade_id)

    def refund(self, hold: Hold, project: int, fee: int, at: int) -> None:
        """escrow → the buyer's balance: the exchange was reversed. One entry in their wallet, whatever the fee."""
        self._require_captured(hold)
        self.transfer(Kind.FEE, accounts.FEES_IN_ESCROW, accounts.escrow(project), fee, at, hold.trade_id)
        self.transfer(Kind.REFUND, accounts.escrow(project), accounts.available(hold.buyer), hold.amount, at, hold.trade_id)

    def _close(self, hold: Hold, at: int) -> None:
        if not hold.is_open:
            raise LedgerFault(f"hold of trade {hold.trade_id} is resolved already")
        hold.closed_at = at

    def _require_captured(self, hold: Hold) -> None:
        if hold.captured != hold.amount:
            raise LedgerFault(f"hold of trade {hold.trade_id} was never captured")


def _shown(entry: Entry | None) -> Entry:
    if entry is None:
        raise LedgerFault("a movement of nothing")
    return entry
