"""Matching: one test body for both books, and quotes. The books against each other on random baskets: tests/properties/test_book.py."""

from collections.abc import Callable
from typing import Any

import pytest

from selldesk.book.engine import EngineBook
from selldesk.book.matching import UNKNOWN_ITEM, Book, Demand, NoBook
from selldesk.book.orders import Order
from selldesk.book.plain import PlainBook
from selldesk.book.quotes import Quote, QuoteSigner

GAME = 730
NOBODY = 999
CROWD = range(7, 13)


def _book(make: Callable[[], Book], orders: list[tuple[int, int, int, int]], funds: dict[int, int]) -> Book:
    """Orders are (item, buyer, price, remaining); everybody with funds is a candidate."""
    book = make()
    for buyer, money in funds.items():
        book.set_funds(buyer, money)
    for item, buyer, price, remaining in orders:
        book.put_order(item, buyer, price, remaining)
    book.set_candidates(GAME, set(funds))
    return book


def _crowded() -> EngineBook:
    """So many orders on the items that the fast book keeps them as vectors. None of the crowd has money or may be matched."""
    book = EngineBook()
    for item in (1, 2):
        for buyer in CROWD:
            book.put_order(item, buyer, 77, 5)
    return book


def _left_by_a_crowd() -> EngineBook:
    """Vectors again, which all but one of a crowd have left."""
    book = _crowded()
    for item in (1, 2):
        for buyer in CROWD[1:]:
            book.put_order(item, buyer, 0, 0)
            book.put_order(item, buyer, 0, 0)
    return book


def _emptied() -> EngineBook:
    """A crowd that changed its orders, and then left altogether."""
    book = _crowded()
    for price in (78, 0):
        for item in (1, 2):
            for buyer in CROWD:
                book.put_order(item, buyer, price, 5 if price else 0)
    return book


def _grown() -> EngineBook:
    """Blocks again, since the crowd is a small part of all people by now."""
    book = _crowded()
    book.put_order(3, CROWD[0], 77, 5)
    book.set_candidates(GAME, {4})
    book.set_funds(4, 99)
    book.set_funds(200, 0)
    return book


RULES = [
    # what                                   orders                                       funds              lines                  winner  fills
    ("the highest price wins",               [(1, 1, 10, 5), (1, 2, 11, 5)],              {1: 99, 2: 99},    [(1, 1)],              2,      [(11, 1)]),
    ("a tie goes to the first registered",   [(1, 2, 10, 5), (1, 1, 10, 5)],              {1: 99, 2: 99},    [(1, 1)],              1,      [(10, 1)]),
    ("… whoever has more money left",        [(1, 1, 50, 1), (1, 2, 50, 5)],              {1: 99, 2: 60},    [(1, 4)],              1,      [(50, 1)]),
    ("… whatever they can't spend",          [(1, 1, 50, 5), (1, 2, 50, 5)],              {1: 60, 2: 55},    [(1, 4)],              1,      [(50, 1)]),
    ("the whole basket counts",              [(1, 1, 10, 5), (2, 2, 30, 5), (1, 2, 1, 5)], {1: 99, 2: 99},   [(1, 2), (2, 1)],      2,      [(1, 2), (30, 1)]),
    ("no more than remains",                 [(1, 1, 10, 2)],                             {1: 99},           [(1, 5)],              1,      [(10, 2)]),
    ("no more than his money buys",          [(1, 1, 10, 5)],                             {1: 35},           [(1, 5)],              1,      [(10, 3)]),
    ("a poor high bidder loses",             [(1, 1, 50, 5), (1, 2, 20, 5)],              {1: 60, 2: 99},    [(1, 4)],              2,      [(20, 4)]),
    ("money is spent in the lines' order",   [(1, 1, 10, 5), (2, 1, 9, 5)],               {1: 28},           [(1, 2), (2, 1)],      1,      [(10, 2), (0, 0)]),
    ("a name listed twice shares the order", [(1, 1, 10, 3)],                             {1: 99},           [(1, 2), (1, 2)],      1,      [(10, 2), (10, 1)]),
    ("an unknown item matches nothing",      [(1, 1, 10, 3)],                             {1: 99},           [(UNKNOWN_ITEM, 1), (1, 1)], 1, [(0, 0), (10, 1)]),
    ("no order, no match",                   [],                                          {1: 99},           [(1, 1)],              None,   []),
    ("no money, no match",                   [(1, 1, 10, 3)],                             {1: 9},            [(1, 1)],              None,   []),
    ("the order as it is now",               [(1, 1, 10, 5), (1, 1, 12, 2)],              {1: 99},           [(1, 5)],              1,      [(12, 2)]),
    ("an order of nothing is none",          [(1, 1, 10, 3), (1, 1, 10, 0)],              {1: 99},           [(1, 1)],              None,   []),
]  # fmt: skip


@pytest.mark.parametrize("make", [PlainBook, EngineBook, _crowded, _left_by_a_crowd, _emptied, _grown])
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


DEMANDS: list[tuple[str, list[tuple[int, int, int, int]], dict[int, int], list[int], list[Demand]]] = [
    # what                          orders                                         funds                  asked      demand: item, price, units
    ("the highest price",           [(1, 1, 10, 5), (1, 2, 11, 4)],                {1: 99, 2: 99},        [1],       [Demand(1, 11, 4)]),
    ("all units at that price",     [(1, 1, 11, 5), (1, 2, 11, 4), (1, 3, 10, 9)], {1: 99, 2: 99, 3: 99}, [1],       [Demand(1, 11, 9)]),
    ("as many as their money buys", [(1, 1, 11, 5), (1, 2, 11, 4)],                {1: 23, 2: 99},        [1],       [Demand(1, 11, 6)]),
    ("money for one unit at least", [(1, 1, 50, 5), (1, 2, 11, 4)],                {1: 49, 2: 99},        [1],       [Demand(1, 11, 4)]),
    ("nobody can pay",              [(1, 1, 50, 5)],                               {1: 49},               [1],       []),
    ("nobody asks for it",          [(1, 1, 10, 5)],                               {1: 99},               [2, 3],    []),
    ("the items' own order",        [(1, 1, 10, 5), (2, 1, 20, 1), (3, 1, 5, 2)],  {1: 99},               [3, 9, 1], [Demand(3, 5, 2), Demand(1, 10, 5)]),
    ("never oneself",               [(1, 5, 30, 5), (1, 1, 10, 5)],                {5: 99, 1: 99},        [1],       [Demand(1, 10, 5)]),
]  # fmt: skip


@pytest.mark.parametrize("make", [PlainBook, EngineBook, _crowded, _left_by_a_crowd, _emptied, _grown])
@pytest.mark.parametrize(("what", "orders", "funds", "asked", "expected"), DEMANDS, ids=[row[0] for row in DEMANDS])
def test_what_the_market_pays_for_one(make: Any, what: str, orders: Any, funds: Any, asked: Any, expected: Any) -> None:
    book = _book(make, orders, funds)
    assert book.demand(GAME, asked, exclude=5) == expected
    assert book.demand(570, asked, exclude=5) == []


PAYOUTS: list[tuple[str, int, list[tuple[int, int]], int]] = [
    # what                          buyer  lines                pays
    ("a candidate",                 1,     [(1, 2), (2, 1)],    40),
    ("as much as their money buys", 2,     [(1, 9)],            88),
    ("no candidate",                3,     [(1, 2)],            60),
    ("no order",                    4,     [(1, 2)],            0),
    ("nobody knows them",           900,   [(1, 2)],            0),
    ("an unknown item",             1,     [(UNKNOWN_ITEM, 1)], 0),
]  # fmt: skip


@pytest.mark.parametrize("make", [PlainBook, EngineBook, _crowded])
@pytest.mark.parametrize(("what", "buyer", "lines", "expected"), PAYOUTS, ids=[row[0] for row in PAYOUTS])
def test_what_one_buyer_pays(make: Any, what: str, buyer: int, lines: list[tuple[int, int]], expected: int) -> None:
    book = _book(make, [(1, 1, 10, 5), (2, 1, 20, 5), (1, 2, 11, 9), (1, 3, 30, 5)], {1: 99, 2: 95, 3: 99, 4: 99})
    book.set_candidates(GAME, {1, 2})
    assert book.payout(buyer, lines) == expected


@pytest.mark.parametrize("make", [PlainBook, EngineBook, _crowded])
def test_orders_and_money_change_at_once(make: Any) -> None:
    """A new price, a withdrawn order, new money: the next match knows of it, whoever else stands on the item."""
    book = _book(make, [(1, buyer, 10 + buyer, 5) for buyer in (1, 2, 3, 4, 5, 6)], dict.fromkeys(range(1, 7), 99))
    line = [(1, 1)]
    steps: list[tuple[Callable[[], None], int]] = [
        (lambda: book.put_order(1, 1, 20, 5), 1),
        (lambda: book.put_order(1, 1, 5, 5), 6),
        (lambda: book.put_order(1, 6, 0, 0), 5),
        (lambda: book.set_funds(5, 14), 4),
        (lambda: book.set_funds(5, 15), 5),
        (lambda: book.put_order(9, 1, 0, 0), 5),
        (lambda: book.put_order(1, 900, 0, 0), 5),
        (lambda: book.set_candidates(GAME, {1, 2}), 2),
        (lambda: book.set_funds(4, 1), 2),
        (lambda: book.set_candidates(GAME, {4, 1}), 1),
    ]
    for change, winner in steps:
        change()
        match = book.best(GAME, line, NOBODY)
        assert match is not None
        assert match.buyer == winner
    book.set_candidates(GAME, set())
    assert book.best(GAME, line, NOBODY) is None


def test_a_book_that_keeps_nothing_answers_nothing() -> None:
    book = _book(NoBook, [(1, 1, 10, 5)], {1: 99})
    assert book.best(GAME, [(1, 1)], NOBODY) is None
    assert not book.is_outbid(2, GAME, [(1, 1)], NOBODY)
    assert (book.payout(1, [(1, 1)]), book.demand(GAME, [1], NOBODY)) == (0, [])


UNITS: list[tuple[str, list[tuple[str, int]], tuple[int, int, int], bool]] = [
    # what           moves                                            remaining, reserved, sold  untouched
    ("nothing",      [],                                              (5, 0, 0),                 True),
    ("reserved",     [("reserve", 2)],                                (3, 2, 0),                 False),
    ("given back",   [("reserve", 2), ("give_back", 2)],              (5, 0, 0),                 True),
    ("sold",         [("reserve", 2), ("sell", 2)],                   (3, 0, 2),                 False),
    ("some of each", [("reserve", 4), ("give_back", 1), ("sell", 2)], (2, 1, 2),                 False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "moves", "expected", "untouched"), UNITS, ids=[row[0] for row in UNITS])
def test_units_of_an_order_move_and_none_is_lost(
    what: str, moves: list[tuple[str, int]], expected: tuple[int, int, int], untouched: bool
) -> None:
    """Promise I5."""
    one = Order(1, 1, GAME, 10, 5, 5, 0, 0, 1, 0)
    for name, units in moves:
        getattr(one, name)(units)
    assert (one.remaining, one.reserved, one.sold) == expected
    assert one.untouched is untouched
    assert sum(expected) == one.amount


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
