"""The ledger: a state machine that tries every order of moves, and the rule book as a table."""

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from selldesk.kernel import refusals
from selldesk.kernel.limits import MONEY_MAX
from selldesk.kernel.money import divide_half_up, dollars, platform_fee
from selldesk.kernel.refusals import Refusal
from selldesk.ledger import accounts
from selldesk.ledger.ledger import Hold, Ledger, LedgerFault

PEOPLE = st.integers(1, 4)
MONEY = st.one_of(st.integers(1, 100), st.integers(1, 10**9), st.just(MONEY_MAX))


class LedgerMachine(RuleBasedStateMachine):
    """Deposits, withdrawals, adjustments and sales in any order; a model of plain numbers stands beside."""

    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger({}, 1)
        self.available = dict.fromkeys(range(1, 5), 0)
        self.trades = 0
        self.open: dict[str, tuple[Hold, int, int, str]] = {}

    @rule(person=PEOPLE, amount=MONEY)
    def deposit(self, person: int, amount: int) -> None:
        owned = sum(self.ledger.balance(part(person)) for part in (accounts.available, accounts.held, accounts.escrow))
        try:
            entry = self.ledger.deposit(person, amount, "r", 0)
        except Refusal as refusal:
            assert refusal.code == refusals.BALANCE_TOO_LARGE.code
            assert owned + amount > MONEY_MAX
            return
        self.available[person] += amount
        assert entry.balance_after == self.available[person]

    @rule(person=PEOPLE, amount=MONEY)
    def withdraw(self, person: int, amount: int) -> None:
        if amount > self.available[person]:
            with pytest.raises(Refusal, match="Insufficient balance"):
                self.ledger.withdraw(person, amount, "r", 0)
            return
        self.ledger.withdraw(person, amount, "r", 0)
        self.available[person] -= amount

    @rule(person=PEOPLE, amount=st.integers(-(10**6), 10**6).filter(bool))
    def adjust(self, person: int, amount: int) -> None:
        owned = sum(self.ledger.balance(part(person)) for part in (accounts.available, accounts.held, accounts.escrow))
        if self.available[person] + amount < 0 or owned + amount > MONEY_MAX:
            with pytest.raises(Refusal):
                self.ledger.adjust(person, amount, "r", 0, None)
            return
        self.ledger.adjust(person, amount, "r", 0, None)
        self.available[person] += amount

    @rule(target=holds, buyer=PEOPLE, project=PEOPLE, amount=st.integers(1, 10**9), bps=st.integers(0, 10_000))
    def freeze(self, buyer: int, project: int, amount: int, bps: int) -> str:
        self.trades += 1
        trade_id = f"t{self.trades}"
        if amount > self.available[buyer]:
            with pytest.raises(Refusal, match="Insufficient balance"):
                self.ledger.freeze(trade_id, buyer, amount, 0)
            return ""
        hold = self.ledger.freeze(trade_id, buyer, amount, 0)
        self.available[buyer] -= amount
        self.open[trade_id] = (hold, project, platform_fee(amount, bps), "frozen")
        return trade_id

    @rule(trade_id=holds, end=st.sampled_from(["release", "capture", "pay", "refund"]))
    def go_on(self, trade_id: str, end: str) -> None:
        if trade_id not in self.open:
            return
        hold, project, fee, state = self.open[trade_id]
        allowed = {"release": "frozen", "capture": "frozen", "pay": "captured", "refund": "captured"}[end] == state
        if not allowed:
            if state in ("frozen", "released"):
                with pytest.raises(LedgerFault):
                    self._do(end, hold, project, fee)
            return
        self._do(end, hold, project, fee)
        if end == "release" or end == "refund":
            self.available[hold.buyer] += hold.amount
        if end == "pay":
            self.available[project] += hold.amount - fee
        after = {"release": "released", "capture": "captured", "pay": "paid", "refund": "refunded"}[end]
        self.open[trade_id] = (hold, project, fee, after)

    def _do(self, end: str, hold: Hold, project: int, fee: int) -> None:
        match end:
            case "release":
                self.ledger.release(hold, 1)
            case "capture":
                self.ledger.capture(hold, project, fee, 1)
            case "pay":
                self.ledger.pay_out(hold, project, fee, 1)
            case "refund":
                self.ledger.refund(hold, project, fee, 1)

    @invariant()
    def money_is_conserved(self) -> None:
        assert sum(self.ledger.balances.values()) == 0
        assert all(balance >= 0 for account, balance in self.ledger.balances.items() if account > 0)

    @invariant()
    def balances_are_their_entries(self) -> None:
        folded: dict[int, int] = {}
        for entry in self.ledger.entries:
            folded[entry.account] = folded.get(entry.account, 0) + entry.amount
            assert entry.balance_after == folded[entry.account]
        assert all(self.ledger.balance(account) == total for account, total in folded.items())

    @invariant()
    def available_is_the_models(self) -> None:
        assert all(self.ledger.balance(accounts.available(person)) == money for person, money in self.available.items())

    @invariant()
    def held_is_the_open_holds(self) -> None:
        for person in range(1, 5):
            frozen = sum(hold.amount for hold, *_, state in self.open.values() if hold.buyer == person and state == "frozen")
            assert self.ledger.balance(accounts.held(person)) == frozen


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)


@pytest.mark.parametrize(
    ("value", "bps", "fee"),
    [(10_000, 0, 0), (10_000, 250, 250), (9_999, 1, 0), (10_001, 9_999, 9_999), (1, 10_000, 1), (39_999, 125, 499)],
)
def test_the_fee_is_floored(value: int, bps: int, fee: int) -> None:
    assert platform_fee(value, bps) == fee


@pytest.mark.parametrize(("up", "down", "result"), [(0, 3, 0), (1, 2, 1), (1, 3, 0), (2, 3, 1), (10, 4, 3), (9, 4, 2)])
def test_rounding_is_half_up(up: int, down: int, result: int) -> None:
    assert divide_half_up(up, down) == result


@pytest.mark.parametrize(
    ("mills", "text"), [(14_500, "14.50 $"), (5, "0.005 $"), (0, "0.00 $"), (-1_230, "-1.23 $"), (1_234_567_890, "1,234,567.89 $")]
)
def test_dollars_for_people(mills: int, text: str) -> None:
    assert dollars(mills) == text
