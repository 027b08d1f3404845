"""The fast book against the obvious one on random baskets. The law itself: tests/rooms/test_book.py."""

import random

import pytest

from selldesk.book.engine import EngineBook
from selldesk.book.matching import UNKNOWN_ITEM
from selldesk.book.plain import PlainBook

GAME = 730
NOBODY = 999


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
