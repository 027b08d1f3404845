"""The fast book: per item one int64 block of columns (buyer, price, remaining); a match is one bincount over them.

`best` first bounds each candidate's payout from above, min(sum of what his orders would take, his money), then walks real
payouts from the highest bound down and stops when no bound can win any more. Buyers are numbered by registration, so the first
maximum that numpy finds is also the winner of a tie.
"""

import numpy as np
from numpy.typing import NDArray

from selldesk.book.matching import Demand, Fill, Line, Match, payout_of

Column = NDArray[np.int64]

_BUYER, _PRICE, _REMAINING = 0, 1, 2
_FIRST_CAPACITY = 4


class _Orders:
    """The live orders on one item: a (3, capacity) block of which the first `count` columns are in use, in no order."""

    __slots__ = ("block", "count")

    def __init__(self) -> None:
        self.block: Column = np.zeros((3, _FIRST_CAPACITY), dtype=np.int64)
        self.count = 0

    def find(self, buyer: int) -> int:
        """The buyer's column, or -1. A scan: blocks are short, and an index of a million entries costs more than it saves."""
        hits = np.flatnonzero(self.block[_BUYER, : self.count] == buyer)
        return int(hits[0]) if hits.size else -1

    def put(self, buyer: int, price: int, remaining: int) -> None:
        column = self.find(buyer)
        if column < 0:
            if self.count == self.block.shape[1]:
                self.block = np.concatenate([self.block, np.zeros_like(self.block)], axis=1)
            column = self.count
            self.count += 1
            self.block[_BUYER, column] = buyer
        self.block[_PRICE, column] = price
        self.block[_REMAINING, column] = remaining

    def drop(self, buyer: int) -> None:
        column = self.find(buyer)
        if column >= 0:
            self.count -= 1
            self.block[:, column] = self.block[:, self.count]


class EngineBook:
    def __init__(self) -> None:
        self._items: dict[int, _Orders] = {}
        self._funds: Column = np.zeros(16, dtype=np.int64)
        self._candidates: dict[int, NDArray[np.bool_]] = {}

    def put_order(self, item: int, buyer: int, price: int, remaining: int) -> None:
        self._make_room_for(buyer)
        orders = self._items.get(item)
        if remaining > 0:
            if orders is None:
                orders = self._items[item] = _Orders()
            orders.put(buyer, price, remaining)
        elif orders is not None:
            orders.drop(buyer)
            if orders.count == 0:
                del self._items[item]

    def set_funds(self, buyer: int, available: int) -> None:
        self._make_room_for(buyer)
        self._funds[buyer] = available

    def set_candidates(self, game: int, buyers: set[int]) -> None:
        self._make_room_for(max(buyers, default=0))
        mask = np.zeros(self._funds.size, dtype=np.bool_)
        mask[list(buyers)] = True
        self._candidates[game] = mask

    def best(self, game: int, lines: list[Line], exclude: int) -> Match | None:
        mask = self._candidates.get(game)
        if mask is None:
            return None
        bounds = self._bounds(lines)
        if bounds is None:
            return None
        bounds[~mask] = 0
        if exclude < bounds.size:
            bounds[exclude] = 0
        winner: Match | None = None
        while True:
            buyer = int(bounds.argmax())
            bound = int(bounds[buyer])
            if bound == 0 or (winner is not None and (bound < winner.payout or (bound == winner.payout and buyer > winner.buyer))):
                return winner
            fills = self.fills(buyer, lines)
            payout = payout_of(fills)
            if payout and (winner is None or payout > winner.payout or (payout == winner.payout and buyer < winner.buyer)):
                winner = Match(buyer, payout, fills)
            bounds[buyer] = 0

    def fills(self, buyer: int, lines: list[Line]) -> list[Fill]:
        money = int(self._funds[buyer]) if buyer < self._funds.size else 0
        terms: dict[int, tuple[int, int]] = {}
        answer = []
        for item, amount in lines:
            known = terms.get(item)
            if known is None:
                known = terms[item] = self._terms(item, buyer)
            price, left = known
            units = min(amount, left, money // price) if price else 0
            if units:
                terms[item] = (price, left - units)
                money -= units * price
                answer.append(Fill(price, units))
            else:
                answer.append(Fill(0, 0))
        return answer

    def demand(self, game: int, items: list[int], exclude: int) -> list[Demand]:
        mask = self._candidates.get(game)
        known = [(item, orders) for item in items if (orders := self._items.get(item)) is not None]
        if mask is None or not known:
            return []
        columns = np.concatenate([orders.block[:, : orders.count] for _, orders in known], axis=1)
        counts = np.array([orders.count for _, orders in known])
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        buyers, prices = columns[_BUYER], columns[_PRICE]
        able = mask[buyers] & (buyers != exclude) & (self._funds[buyers] >= prices)
        top = np.maximum.reduceat(np.where(able, prices, 0), starts)
        at_top = able & (prices == np.repeat(top, counts))
        units = np.where(at_top, np.minimum(columns[_REMAINING], self._funds[buyers] // np.maximum(prices, 1)), 0)
        amounts = np.add.reduceat(units, starts)
        return [
            Demand(item, price, amount)
            for (item, _), price, amount in zip(known, top.tolist(), amounts.tolist(), strict=True)
            if price
        ]

    def _terms(self, item: int, buyer: int) -> tuple[int, int]:
        orders = self._items.get(item)
        column = orders.find(buyer) if orders is not None else -1
        if orders is None or column < 0:
            return (0, 0)
        return (int(orders.block[_PRICE, column]), int(orders.block[_REMAINING, column]))

    def _bounds(self, lines: list[Line]) -> Column | None:
        """Per buyer an upper bound of his payout, in mills; None if there is no order on any line.

        bincount adds in float64. Price × units × lines stays within 10^9 × 10^6 × 1,000 only in theory; every bound is capped
        by the buyer's money < 2^53, and a sum that lost exactness above 2^53 is above that cap anyway.
        """
        asked: dict[int, int] = {}
        for item, amount in lines:
            asked[item] = asked.get(item, 0) + amount
        blocks, units = [], []
        for item, amount in asked.items():
            orders = self._items.get(item)
            if orders is not None:
                block = orders.block[:, : orders.count]
                blocks.append(block)
                units.append(np.minimum(block[_REMAINING], amount))
        if not blocks:
            return None
        columns = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        worth = columns[_PRICE] * (units[0] if len(units) == 1 else np.concatenate(units))
        sums = np.bincount(columns[_BUYER], weights=worth, minlength=self._funds.size)
        return np.minimum(sums, self._funds).astype(np.int64)

    def _make_room_for(self, buyer: int) -> None:
        size = self._funds.size
        if buyer < size:
            return
        grown = max(buyer + 1, 2 * size)
        self._funds = np.concatenate([self._funds, np.zeros(grown - size, dtype=np.int64)])
        for game, mask in self._candidates.items():
            self._candidates[game] = np.concatenate([mask, np.zeros(grown - size, dtype=np.bool_)])
