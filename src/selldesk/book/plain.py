"""The law of matching in obvious lines: the oracle that the engine is tested against."""

from selldesk.book.matching import Demand, Fill, Line, Match, payout_of


class PlainBook:
    def __init__(self) -> None:
        self._orders: dict[tuple[int, int], tuple[int, int]] = {}
        self._funds: dict[int, int] = {}
        self._candidates: dict[int, set[int]] = {}

    def put_order(self, item: int, buyer: int, price: int, remaining: int) -> None:
        if remaining > 0:
            self._orders[buyer, item] = (price, remaining)
        else:
            self._orders.pop((buyer, item), None)

    def set_funds(self, buyer: int, available: int) -> None:
        self._funds[buyer] = available

    def set_candidates(self, game: int, buyers: set[int]) -> None:
        self._candidates[game] = set(buyers)

    def best(self, game: int, lines: list[Line], exclude: int) -> Match | None:
        winner: Match | None = None
        for buyer in sorted(self._candidates.get(game, set()) - {exclude}):
            fills = self._fills(buyer, lines)
            payout = payout_of(fills)
            if payout > (winner.payout if winner else 0):
                winner = Match(buyer, payout, fills)
        return winner

    def is_outbid(self, buyer: int, game: int, lines: list[Line], exclude: int) -> bool:
        best = self.best(game, lines, exclude)
        return best is not None and best.payout > payout_of(self._fills(buyer, lines))

    def payout(self, buyer: int, lines: list[Line]) -> int:
        return payout_of(self._fills(buyer, lines))

    def _fills(self, buyer: int, lines: list[Line]) -> list[Fill]:
        money = self._funds.get(buyer, 0)
        taken: dict[int, int] = {}
        answer = []
        for item, amount in lines:
            price, remaining = self._orders.get((buyer, item), (0, 0))
            left = remaining - taken.get(item, 0)
            units = min(amount, left, money // price) if price else 0
            taken[item] = taken.get(item, 0) + units
            money -= units * price
            answer.append((price, units) if units else (0, 0))
        return answer

    def demand(self, game: int, items: list[int], exclude: int) -> list[Demand]:
        answer = []
        for item in items:
            units_at: dict[int, int] = {}
            for buyer in self._candidates.get(game, set()) - {exclude}:
                price, remaining = self._orders.get((buyer, item), (0, 0))
                units = min(remaining, self._funds.get(buyer, 0) // price) if price else 0
                if units:
                    units_at[price] = units_at.get(price, 0) + units
            if units_at:
                answer.append(Demand(item, max(units_at), units_at[max(units_at)]))
        return answer
