"""The fast book. What stands on an item is kept in one of two shapes: few orders as a block of columns, many as a vector over all
people. A match adds the vectors and one bincount of the columns.

`best` bounds each candidate's payout from above, min(sum of what their orders would take, their money), then walks real payouts from
the highest bound down and stops when no bound can win any more. Buyers are numbered by registration, so the first maximum that
numpy finds is also the winner of a tie.
"""

from bisect import bisect_right
from itertools import accumulate
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from selldesk.book.matching import Demand, Fill, Line, Match, payout_of

Columns = NDArray[np.int32]
"""Prices are at most 10^9, units 10^6, and people are numbered one by one: all fit, in half the memory to read."""
Money = NDArray[np.float64]
"""Whole mills below 2^53, which float64 holds exactly; bincount adds in it."""

T = TypeVar("T", bound=np.generic)

_BUYER, _PRICE, _REMAINING = 0, 1, 2
_FIRST_CAPACITY = 4
_FIRST_PEOPLE = 16
_DENSE_FROM, _DENSE_UNTIL = 1 / 8, 1 / 16
"""Of all people: with so many orders an item becomes a vector, with so few a block again."""


class _Few:
    """The live orders on one item: a (3, capacity) block of which the first columns are in use, in no order."""

    __slots__ = ("block", "live")

    def __init__(self) -> None:
        self.block: Columns = np.zeros((3, _FIRST_CAPACITY), dtype=np.int32)
        self.live: Columns = self.block[:, :0]
        """The columns in use: a view."""

    @property
    def count(self) -> int:
        columns: int = self.live.shape[1]
        return columns

    def put(self, buyer: int, price: int, remaining: int) -> None:
        column = self._find(buyer)
        if column < 0:
            column = self.count
            if column == self.block.shape[1]:
                self.block = np.concatenate([self.block, np.zeros_like(self.block)], axis=1)
            self.live = self.block[:, : column + 1]
            self.block[_BUYER, column] = buyer
        self.block[_PRICE, column] = price
        self.block[_REMAINING, column] = remaining

    def drop(self, buyer: int) -> None:
        column = self._find(buyer)
        if column >= 0:
            last = self.count - 1
            self.block[:, column] = self.block[:, last]
            self.live = self.block[:, :last]

    def columns(self) -> Columns:
        return self.live

    def _find(self, buyer: int) -> int:
        """The buyer's column, or -1. A scan: blocks are short, and an index of a million entries costs more than it saves."""
        (hits,) = (self.live[_BUYER] == buyer).nonzero()
        return int(hits[0]) if hits.size else -1


class _Many:
    """The live orders on one item, by the buyer's number; 0 where there is none."""

    __slots__ = ("count", "prices", "remaining")

    def __init__(self, columns: Columns, people: int) -> None:
        self.count: int = columns.shape[1]
        self.prices: Money = np.zeros(people)
        self.prices[columns[_BUYER]] = columns[_PRICE]
        self.remaining: Columns = np.zeros(people, dtype=np.int32)
        self.remaining[columns[_BUYER]] = columns[_REMAINING]

    def put(self, buyer: int, price: int, remaining: int) -> None:
        self.count += not self.remaining[buyer]
        self.prices[buyer] = price
        self.remaining[buyer] = remaining

    def drop(self, buyer: int) -> None:
        self.count -= bool(self.remaining[buyer])
        self.prices[buyer] = self.remaining[buyer] = 0

    def columns(self) -> Columns:
        (buyers,) = self.remaining.nonzero()
        return np.array([buyers, self.prices[buyers], self.remaining[buyers]], dtype=np.int32)


_Orders = _Few | _Many


class _Basket:
    """The orders on all items of one request."""

    __slots__ = ("_amounts", "_blocks", "_columns", "_items", "_people", "_vectors")

    def __init__(self, lines: list[Line], orders: dict[int, _Orders], people: int) -> None:
        asked: dict[int, int] = {}
        for item, amount in lines:
            asked[item] = asked.get(item, 0) + amount
        self._people = people
        self._vectors: list[tuple[int, _Many, int]] = []
        self._items: list[int] = []
        self._blocks: list[Columns] = []
        self._amounts: list[int] = []
        """Of the items that have a block."""
        for item, amount in asked.items():
            known = orders.get(item)
            if known is None:
                continue
            if isinstance(known, _Many):
                self._vectors.append((item, known, amount))
            else:
                self._items.append(item)
                self._blocks.append(known.live)
                self._amounts.append(amount)
        self._columns: Columns | None = np.concatenate(self._blocks, axis=1) if self._blocks else None

    def worth(self) -> Money:
        """Per person what their orders would take, whatever their money, in mills.

        Price × units × lines passes 2^53, where floats stop being exact, only in theory; every bound is capped by the buyer's money
        < 2^53, and a sum that lost exactness above it is above that cap anyway.
        """
        if self._columns is None:
            worth: Money = np.zeros(self._people)
        else:
            buyers, weights, remaining = self._columns
            if max(self._amounts) > 1:
                # A live order has at least one unit left, so that single units need no look at it.
                amounts = np.repeat(np.array(self._amounts, dtype=np.int64), self._counts())
                weights = weights * np.minimum(remaining, amounts)
            worth = np.bincount(buyers, weights=weights, minlength=self._people).astype(np.float64, copy=False)
        for _, orders, amount in self._vectors:
            worth += orders.prices if amount == 1 else orders.prices * np.minimum(orders.remaining, amount)
        return worth

    def terms(self, buyer: int) -> dict[int, tuple[int, int]]:
        """Item → (price, remaining) of this buyer's orders among them."""
        found = {}
        if buyer < self._people:
            for item, orders, _ in self._vectors:
                price = int(orders.prices.item(buyer))
                if price:
                    found[item] = (price, orders.remaining.item(buyer))
        if self._columns is not None:
            (hits,) = (self._columns[_BUYER] == buyer).nonzero()
            if hits.size:
                ends = list(accumulate(self._counts()))
                for column in hits.tolist():
                    item = self._items[bisect_right(ends, column)]
                    found[item] = (self._columns.item(_PRICE, column), self._columns.item(_REMAINING, column))
        return found

    def _counts(self) -> list[int]:
        return [block.shape[1] for block in self._blocks]


class EngineBook:
    def __init__(self) -> None:
        self._items: dict[int, _Orders] = {}
        self._funds: Money = np.zeros(_FIRST_PEOPLE)
        self._able: dict[int, Money] = {}
        """Game → the money of each who may be matched there; 0 for everybody else."""
        self._candidates: dict[int, NDArray[np.bool_]] = {}

    def put_order(self, item: int, buyer: int, price: int, remaining: int) -> None:
        self._make_room_for(buyer)
        orders = self._items.get(item)
        if remaining > 0:
            if orders is None:
                orders = self._items[item] = _Few()
            orders.put(buyer, price, remaining)
        elif orders is not None:
            orders.drop(buyer)
            if orders.count == 0:
                del self._items[item]
                return
        if orders is not None:
            self._shape(item, orders)

    def set_funds(self, buyer: int, available: int) -> None:
        self._make_room_for(buyer)
        self._funds[buyer] = available
        for game, mask in self._candidates.items():
            if mask[buyer]:
                self._able[game][buyer] = available

    def set_candidates(self, game: int, buyers: set[int]) -> None:
        self._make_room_for(max(buyers, default=0))
        mask = np.zeros(self._people, dtype=np.bool_)
        mask[list(buyers)] = True
        self._candidates[game] = mask
        self._able[game] = np.where(mask, self._funds, 0)

    def best(self, game: int, lines: list[Line], exclude: int) -> Match | None:
        able = self._able.get(game)
        if able is None:
            return None
        basket = _Basket(lines, self._items, self._people)
        bounds = self._bounds(basket, able, exclude)
        winner: Match | None = None
        while True:
            buyer = int(bounds.argmax())
            bound = int(bounds[buyer])
            if bound == 0 or (winner is not None and (bound < winner.payout or (bound == winner.payout and buyer > winner.buyer))):
                return winner
            fills = self._fill(buyer, lines, basket.terms(buyer))
            payout = payout_of(fills)
            if payout and (winner is None or payout > winner.payout or (payout == winner.payout and buyer < winner.buyer)):
                winner = Match(buyer, payout, fills)
            bounds[buyer] = 0

    def is_outbid(self, buyer: int, game: int, lines: list[Line], exclude: int) -> bool:
        able = self._able.get(game)
        if able is None:
            return False
        basket = _Basket(lines, self._items, self._people)
        payout = payout_of(self._fill(buyer, lines, basket.terms(buyer)))
        bounds = self._bounds(basket, able, exclude)
        while True:
            other = int(bounds.argmax())
            if int(bounds[other]) <= payout:
                return False
            if payout_of(self._fill(other, lines, basket.terms(other))) > payout:
                return True
            bounds[other] = 0

    def payout(self, buyer: int, lines: list[Line]) -> int:
        return payout_of(self._fill(buyer, lines, _Basket(lines, self._items, self._people).terms(buyer)))

    def demand(self, game: int, items: list[int], exclude: int) -> list[Demand]:
        mask = self._candidates.get(game)
        known = [(item, orders.columns()) for item in items if (orders := self._items.get(item)) is not None]
        if mask is None or not known:
            return []
        columns = np.concatenate([live for _, live in known], axis=1).astype(np.int64)
        counts = np.array([live.shape[1] for _, live in known])
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        buyers, prices = columns[_BUYER], columns[_PRICE]
        funds = self._funds.astype(np.int64)[buyers]
        able = mask[buyers] & (buyers != exclude) & (funds >= prices)
        top = np.maximum.reduceat(np.where(able, prices, 0), starts)
        at_top = able & (prices == np.repeat(top, counts))
        units = np.where(at_top, np.minimum(columns[_REMAINING], funds // np.maximum(prices, 1)), 0)
        amounts = np.add.reduceat(units, starts)
        return [
            Demand(item, price, amount)
            for (item, _), price, amount in zip(known, top.tolist(), amounts.tolist(), strict=True)
            if price
        ]

    @property
    def _people(self) -> int:
        """So many numbers there is room for."""
        return self._funds.size

    def _bounds(self, basket: _Basket, able: Money, exclude: int) -> Money:
        """Per person what they pay at most: 0 for whoever may not be matched."""
        bounds: Money = np.minimum(basket.worth(), able)
        if 0 <= exclude < self._people:
            bounds[exclude] = 0
        return bounds

    def _shape(self, item: int, orders: _Orders) -> None:
        """The other shape, if the number of orders calls for it."""
        if isinstance(orders, _Few):
            if orders.count > max(self._people * _DENSE_FROM, _FIRST_CAPACITY):
                self._items[item] = _Many(orders.live, self._people)
        elif orders.count < self._people * _DENSE_UNTIL:
            few = self._items[item] = _Few()
            few.block = orders.columns()
            few.live = few.block

    def _fill(self, buyer: int, lines: list[Line], terms: dict[int, tuple[int, int]]) -> list[Fill]:
        money = int(self._funds[buyer]) if buyer < self._people else 0
        answer = []
        for item, amount in lines:
            price, left = terms.get(item, _NO_ORDER)
            units = min(amount, left, money // price) if price else 0
            if units:
                terms[item] = (price, left - units)
                money -= units * price
                answer.append((price, units))
            else:
                answer.append(_NOTHING)
        return answer

    def _make_room_for(self, buyer: int) -> None:
        people = self._people
        if buyer < people:
            return
        grown = max(buyer + 1, 2 * people)
        self._funds = _longer(self._funds, grown)
        for game, mask in self._candidates.items():
            self._candidates[game] = _longer(mask, grown)
            self._able[game] = _longer(self._able[game], grown)
        for item, orders in list(self._items.items()):
            if isinstance(orders, _Many):
                orders.prices = _longer(orders.prices, grown)
                orders.remaining = _longer(orders.remaining, grown)
                self._shape(item, orders)


def _longer(vector: NDArray[T], length: int) -> NDArray[T]:
    return np.concatenate([vector, np.zeros(length - vector.size, dtype=vector.dtype)])


_NO_ORDER = (0, 0)
_NOTHING: Fill = (0, 0)
