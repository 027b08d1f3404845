"""Money moves as rows: what each movement leaves behind, and what no movement may do. Any order of moves: tests/properties/test_ledger.py."""

from collections.abc import Callable

import pytest

from selldesk.kernel.limits import MONEY_MAX
from selldesk.kernel.refusals import Refusal
from selldesk.ledger import accounts
from selldesk.ledger.ledger import Entry, Hold, Kind, Ledger, LedgerFault

VIP, SHOP = 2, 1
WALLET, HELD = accounts.available(VIP), accounts.held(VIP)
SHOPS, ESCROW = accounts.available(SHOP), accounts.escrow(SHOP)
OUTSIDE, FEES, BY_HAND, FEES_HELD = accounts.OUTSIDE, accounts.FEES, accounts.ADJUSTMENTS, accounts.FEES_IN_ESCROW


def _open() -> Hold:
    return Hold("t", VIP, 100, 0, 0, 0, None)


def _captured() -> Hold:
    return Hold("t", VIP, 100, 100, 0, 0, 5)


def _released() -> Hold:
    return Hold("t", VIP, 100, 0, 100, 0, 5)


Move = Callable[[Ledger], object]
MOVES: list[tuple[str, Move, dict[int, int], dict[int, int]]] = [
    # what                                movement                                                balances before                   balances after
    ("a deposit",                         lambda one: one.deposit(VIP, 50, "r", 9),               {WALLET: 7},                      {WALLET: 57, OUTSIDE: -50}),
    ("… up to the bound",                 lambda one: one.deposit(VIP, 1, "r", 9),                {WALLET: MONEY_MAX - 3, HELD: 2}, {WALLET: MONEY_MAX - 2, HELD: 2, OUTSIDE: -1}),
    ("a withdrawal of all",               lambda one: one.withdraw(VIP, 50, "r", 9),              {WALLET: 50},                     {WALLET: 0, OUTSIDE: 50}),
    ("an adjustment",                     lambda one: one.adjust(VIP, 5, "r", 9, "t"),            {WALLET: 1},                      {WALLET: 6, BY_HAND: -5}),
    ("… downwards, to nothing",           lambda one: one.adjust(VIP, -5, "r", 9, None),          {WALLET: 5},                      {WALLET: 0, BY_HAND: 5}),
    ("… up to the bound",                 lambda one: one.adjust(VIP, 1, "r", 9, None),           {WALLET: MONEY_MAX - 1},          {WALLET: MONEY_MAX, BY_HAND: -1}),
    ("a sale begins with all",            lambda one: one.freeze("t", VIP, 100, 9),               {WALLET: 100},                    {WALLET: 0, HELD: 100}),
    ("… is released",                     lambda one: one.release(_open(), 9),                    {HELD: 100},                      {HELD: 0, WALLET: 100}),
    ("… is accepted",                     lambda one: one.capture(_open(), SHOP, 3, 9),           {HELD: 100},                      {HELD: 0, ESCROW: 97, FEES_HELD: 3}),
    ("… without a fee",                   lambda one: one.capture(_open(), SHOP, 0, 9),           {HELD: 100},                      {HELD: 0, ESCROW: 100}),
    ("… is completed",                    lambda one: one.pay_out(_captured(), SHOP, 3, 9),       {ESCROW: 97, FEES_HELD: 3},       {ESCROW: 0, SHOPS: 97, FEES_HELD: 0, FEES: 3}),
    ("… is reversed",                     lambda one: one.refund(_captured(), SHOP, 3, 9),        {ESCROW: 97, FEES_HELD: 3},       {ESCROW: 0, FEES_HELD: 0, WALLET: 100}),
    ("nothing moves nothing",             lambda one: one.transfer(Kind.FEE, HELD, FEES, 0, 9),   {HELD: 1},                        {HELD: 1}),
    ("the market's own may be overdrawn", lambda one: one.transfer(Kind.FEE, FEES, WALLET, 5, 9), {},                               {FEES: -5, WALLET: 5}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "move", "before", "after"), MOVES, ids=[row[0] for row in MOVES])
def test_a_movement(what: str, move: Move, before: dict[int, int], after: dict[int, int]) -> None:
    """Pairs of entries that sum to zero, each with the balance that it left; only what was touched is written."""
    one = Ledger(dict(before), 71)
    move(one)
    assert one.balances == after
    assert sum(entry.amount for entry in one.entries) == 0
    assert [entry.id for entry in one.entries] == list(range(71, 71 + len(one.entries)))
    assert {entry.account for entry in one.entries} == one.touched
    assert {entry.account: entry.balance_after for entry in one.entries} == {account: after[account] for account in one.touched}
    assert [entry.transfer for entry in one.entries] == [entry.id - (entry.id - 71) % 2 for entry in one.entries]


REFUSED: list[tuple[str, Move, dict[int, int], str]] = [
    # what                          movement                                        balances                          refused as
    ("too rich, with what is held", lambda one: one.deposit(VIP, 1, "r", 9),        {WALLET: MONEY_MAX - 2, HELD: 2}, "balance would be too large"),
    ("… with what is in escrow",    lambda one: one.deposit(SHOP, 1, "r", 9),       {ESCROW: MONEY_MAX},              "balance would be too large"),
    ("… by hand",                   lambda one: one.adjust(VIP, 1, "r", 9, None),   {WALLET: MONEY_MAX},              "balance would be too large"),
    ("more than there is",          lambda one: one.withdraw(VIP, 51, "r", 9),      {WALLET: 50, HELD: 50},           "Insufficient balance"),
    ("… by hand",                   lambda one: one.adjust(VIP, -51, "r", 9, None), {WALLET: 50, HELD: 50},           "Insufficient balance"),
    ("… for a sale",                lambda one: one.freeze("t", VIP, 101, 9),       {WALLET: 100},                    "Insufficient balance"),
]  # fmt: skip
FAULTS: list[tuple[str, Move, dict[int, int], str]] = [
    # what                              movement                                               balances       the fault
    ("less than nothing",               lambda one: one.transfer(Kind.FEE, HELD, FEES, -1, 9), {HELD: 5},     "negative transfer fee -1"),
    ("a person overdrawn",              lambda one: one.transfer(Kind.FEE, HELD, FEES, 6, 9),  {HELD: 5},     "overdrawn by fee of 6"),
    ("a deposit of nothing",            lambda one: one.deposit(VIP, 0, "r", 9),               {},            "a movement of nothing"),
    ("an adjustment by nothing",        lambda one: one.adjust(VIP, 0, "r", 9, None),          {},            "a movement of nothing"),
    ("released twice",                  lambda one: one.release(_released(), 9),               {HELD: 100},   "hold of trade t is resolved already"),
    ("captured after a release",        lambda one: one.capture(_released(), SHOP, 3, 9),      {HELD: 100},   "hold of trade t is resolved already"),
    ("released after a capture",        lambda one: one.release(_captured(), 9),               {HELD: 100},   "hold of trade t is resolved already"),
    ("paid before it was captured",     lambda one: one.pay_out(_open(), SHOP, 3, 9),          {ESCROW: 100}, "hold of trade t was never captured"),
    ("refunded before it was captured", lambda one: one.refund(_released(), SHOP, 3, 9),       {ESCROW: 100}, "hold of trade t was never captured"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "move", "before", "text"), REFUSED + FAULTS, ids=[row[0] for row in REFUSED + FAULTS])
def test_what_no_movement_may_do(what: str, move: Move, before: dict[int, int], text: str) -> None:
    """A refusal where a person asked for it, a fault where only a bug can."""
    one = Ledger(dict(before), 1)
    with pytest.raises(LedgerFault if any(row[0] == what and row[3] == text for row in FAULTS) else Refusal, match=text):
        move(one)
    assert (one.balances, one.entries) == (before, [])


def test_an_entry_says_why_and_for_what() -> None:
    """The wallet shows the entry on the available account."""
    one = Ledger({WALLET: 5}, 71)
    assert one.adjust(VIP, -5, "r", 9, "t") == Entry(71, 71, WALLET, -5, 0, "adjustment", "t", "r", 9)
    assert one.deposit(VIP, 7, "d", 9) == Entry(74, 73, WALLET, 7, 7, "deposit", None, "d", 9)
    assert one.transfer(Kind.FEE, FEES_HELD, FEES, 1, 9) is None, "nobody's wallet shows it"


def test_a_hold_is_resolved_once_and_whole() -> None:
    one = Ledger({WALLET: 200}, 1)
    first, second = (one.freeze(trade, VIP, 100, 9) for trade in ("a", "b"))
    assert (first, first.is_open) == (Hold("a", VIP, 100, 0, 0, 9, None), True)
    one.release(first, 10)
    one.capture(second, SHOP, 3, 11)
    assert (first, first.is_open) == (Hold("a", VIP, 100, 0, 100, 9, 10), False)
    assert (second, second.is_open) == (Hold("b", VIP, 100, 100, 0, 9, 11), False)


ACCOUNTS = [
    # account   whose  available
    (WALLET,    VIP,   True),
    (HELD,      VIP,   False),
    (ESCROW,    SHOP,  False),
    (OUTSIDE,   None,  False),
    (FEES_HELD, None,  False),
]  # fmt: skip


@pytest.mark.parametrize(("account", "whose", "is_available"), ACCOUNTS)
def test_whose_an_account_is(account: int, whose: int | None, is_available: bool) -> None:
    assert accounts.owner(account) == whose
    assert accounts.is_available(account) is is_available
    if whose is not None:
        assert accounts.owner_of(account) == whose


def test_no_two_accounts_have_one_number() -> None:
    numbers = [part(person) for person in range(1, 9) for part in (accounts.available, accounts.held, accounts.escrow)]
    numbers += accounts.MARKET_ACCOUNTS
    assert len(set(numbers)) == len(numbers)
