"""Matching: one test body for both books, and the fast one against the obvious one on random baskets."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from selldesk.book.engine import EngineBook
from selldesk.book.matching import UNKNOWN_ITEM, Book
from selldesk.book.plain import PlainBook
from selldesk.book.quotes import Quote, QuoteSigner

GAME = 730
NOBODY = 999


def _book(make: Callable[[], Book], orders: list[tuple[int, int, int, int]], funds: dict[int, int]) -> Book:
    """Orders are (item, buyer, price, remaining); everybody with funds is a candidate."""
    book = make()
    for buyer, money in funds.items():
        book.set_funds(buyer, money)
    for item, buyer, price, remaining in orders:
        book.put_order(item, buyer, price, remaining)
    book.set_candidates(GAME, set(funds))
    return book


RULES = [
    # what                                   orders                                       funds              lines                  winner  fills
    ("the highest price wins",               [(1, 1, 10, 5), (1, 2, 11, 5)],              {1: 99, 2: 99},    [(1, 1)],              2,      [(11, 1)]),
    ("a tie goes to the first registered",   [(1, 2, 10, 5), (1, 1, 10, 5)],              {1: 99, 2: 99},    [(1, 1)],              1,      [(10, 1)]),
    ("the whole basket counts",              [(1, 1, 10, 5), (2, 2, 30, 5), (1, 2, 1, 5)], {1: 99, 2: 99},   [(1, 2), (2, 1)],      2,      [(1, 2), (30, 1)]),
    ("no more than remains",                 [(1, 1, 10, 2)],                             {1: 99},           [(1, 5)],              1,      [(10, 2)]),
    ("no more than his money buys",          [(1, 1, 10, 5)],                             {1: 35},           [(1, 5)],              1,      [(10, 3)]),
    ("a poor high bidder loses",             [(1, 1, 50, 5), (1, 2, 20, 5)],              {1: 60, 2: 99},    [(1, 4)],              2,      [(20, 4)]),
    ("money is spent in the lines' order",   [(1, 1, 10, 5), (2, 1, 9, 5)],               {1: 28},           [(1, 2), (2, 1)],      1,      [(10, 2), (0, 0)]),
    ("a name listed twice shares the order", [(1, 1, 10, 3)],                             {1: 99},           [(1, 2), (1, 2)],      1,      [(10, 2), (10, 1)]),
    ("an unknown item matches nothing",      [(1, 1, 10, 3)],                             {1: 99},           [(UNKNOWN_ITEM, 1), (1, 1)], 1, [(0, 0), (10, 1)]),
    ("no order, no match",                   [],                                          {1: 99},           [(1, 1)],              None,   []),
    ("no money, no match",                   [(1, 1, 10, 3)],                             {1: 9},            [(1, 1)],              None,   []),
    ("an order of nothing is none",          [(1, 1, 10, 3), (1, 1, 10, 0)],              {1: 99},           [(1, 1)],              None,   []),
]  # fmt: skip


@pytest.mark.parametrize("make", [PlainBook, EngineBook])
@pytest.mark.parametrize(("what", "orders", "funds", "lines", "winner", "fills"), RULES, ids=[rule[0] for rule in RULES])
def test_the_law_of_matching(make: Any, what: str, orders: Any, funds: Any, lines: Any, winner: Any, fills: Any) -> None:
    match = _book(make, orders, funds).best(GAME, lines, NOBODY)
    if winner is None:
        assert match is None
    else:
        assert match is not None
        assert (match.buyer, match.fills) == (winner, fills)
        assert match.payout == sum(price * units for price, units in fills)


@pytest.mark.parametrize("make", [PlainBook, EngineBook])
def test_large_numbers_stay_exact(make: Callable[[], Book]) -> None:
    orders = [(1, 1, 10**9 - 1, 10**6), (1, 2, 10**9, 10**6)]
    match = _book(make, orders, {1: 2**53 - 1, 2: 2**53 - 1}).best(GAME, [(1, 10_000)] * 1000, NOBODY)
    assert match is not None
    assert (match.buyer, match.payout) == (2, 10**9 * 10**6)
    spread = [(item, buyer, 10**9 - (buyer == 1), 10**6) for item in range(20) for buyer in (1, 2)]
    match = _book(make, spread, {1: 2**53 - 1, 2: 2**53 - 1}).best(GAME, [(item, 10_000) for item in range(20)] * 50, NOBODY)
    assert match is not None
    assert match.payout == max((2**53 - 1) // 10**9 * 10**9, (2**53 - 1) // (10**9 - 1) * (10**9 - 1))


@pytest.mark.parametrize("make", [PlainBook, EngineBook])
def test_only_candidates_and_never_oneself(make: Callable[[], Book]) -> None:
    book = _book(make, [(1, 1, 30, 5), (1, 2, 20, 5), (1, 3, 10, 5)], {1: 99, 2: 99, 3: 99})
    line = [(1, 1)]
    assert book.best(GAME, line, exclude=1).buyer == 2  # type: ignore[union-attr]
    book.set_candidates(GAME, {2, 3})
    assert book.best(GAME, line, exclude=2).buyer == 3  # type: ignore[union-attr]
    assert book.best(570, line, NOBODY) is None
    assert not book.is_outbid(1, GAME, line, NOBODY), "nobody pays more, although he is no candidate any more"
    assert book.is_outbid(3, GAME, line, NOBODY)
    assert not book.is_outbid(3, GAME, line, exclude=2), "the project's own account outbids nobody"
    assert not book.is_outbid(3, 570, line, NOBODY)


@pytest.mark.parametrize("make", [PlainBook, EngineBook])
def test_a_tie_outbids_nobody_and_a_rich_promise_without_money_neither(make: Callable[[], Book]) -> None:
    book = _book(make, [(1, 1, 10, 5), (1, 2, 10, 5), (1, 3, 50, 5)], {1: 99, 2: 99, 3: 49})
    assert not book.is_outbid(2, GAME, [(1, 1)], NOBODY)
    book.set_funds(3, 50)
    assert book.is_outbid(2, GAME, [(1, 1)], NOBODY)


@pytest.mark.long
def test_engine_and_plain_agree_on_random_baskets() -> None:
    """20,000 baskets over books that change in between: buyer, prices, amounts and ties."""
    chance = random.Random(20_261_123)
    differences = 0
    outbid = {True: 0, False: 0}
    for _ in range(40):
        fast, plain = EngineBook(), PlainBook()
        buyers, items = chance.randint(1, 40), chance.randint(1, 30)
        few_prices = chance.random() < 0.5
        for _ in range(500):
            for _ in range(chance.randint(0, 6)):
                item, buyer = chance.randrange(items), chance.randint(1, buyers)
                price = chance.randint(1, 4) if few_prices else chance.randint(1, 10 ** chance.randint(1, 9))
                remaining = chance.choice([0, 1, 2, 5, 1_000_000])
                money = chance.choice([0, 3, 10, 1_000, 10**9, 2**53 - 1])
                candidates = {one for one in range(1, buyers + 1) if chance.random() < 0.8}
                what = chance.randrange(4)
                for book in (fast, plain):
                    if what <= 1:
                        book.put_order(item, buyer, price, remaining)
                    elif what == 2:
                        book.set_funds(buyer, money)
                    else:
                        book.set_candidates(GAME, candidates)
            lines = [
                (chance.choice([UNKNOWN_ITEM, *range(items)]), chance.choice([1, 1, 2, 7, 10_000]))
                for _ in range(chance.randint(1, 12))
            ]
            exclude = chance.choice([NOBODY, chance.randint(1, buyers)])
            differences += fast.best(GAME, lines, exclude) != plain.best(GAME, lines, exclude)
            wanted = chance.sample(range(items), chance.randint(0, items))
            differences += fast.demand(GAME, wanted, exclude) != plain.demand(GAME, wanted, exclude)
            one = chance.randint(1, buyers + 1)
            is_outbid = fast.is_outbid(one, GAME, lines, exclude)
            outbid[is_outbid] += 1
            differences += is_outbid != plain.is_outbid(one, GAME, lines, exclude)
    assert differences == 0
    assert min(outbid.values()) > 1_000


QUOTE = Quote(project=2, game=GAME, buyer=3, expires_at=1_000, units={7: 2, 9: 1})
COVERING = [
    # project game  buyer units          now    covered
    (2, 730, 3, {7: 2, 9: 1}, 999, True),
    (2, 730, 3, {7: 1}, 0, True),
    (2, 730, 3, {7: 3}, 0, False),
    (2, 730, 3, {8: 1}, 0, False),
    (2, 730, 3, {7: 1}, 1_000, False),
    (1, 730, 3, {7: 1}, 0, False),
    (2, 570, 3, {7: 1}, 0, False),
    (2, 730, 4, {7: 1}, 0, False),
]


@pytest.mark.parametrize(("project", "game", "buyer", "units", "now", "covered"), COVERING)
def test_what_a_quote_covers(project: int, game: int, buyer: int, units: dict[int, int], now: int, covered: bool) -> None:
    signer = QuoteSigner(b"secret")
    text = signer.sign(QUOTE)
    assert signer.covers(text, project, game, buyer, units, now) is covered
    assert not QuoteSigner(b"another").covers(text, project, game, buyer, units, now)


@pytest.mark.parametrize("text", ["", "x", "é", "A" * 22, "!!!!", "A" * 1000])
def test_a_forged_quote_covers_nothing(text: str) -> None:
    assert not QuoteSigner(b"secret").covers(text, 2, GAME, 3, {7: 1}, 0)
