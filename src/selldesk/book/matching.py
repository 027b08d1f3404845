"""The law of matching, as types (readings R2). Both books obey it.

Candidates are buyers who may be matched for a game. For each, walk the lines in order: a line takes
min(amount asked, what remains of their order, what their money still buys at their price). The highest payout wins; on a tie the
buyer who registered first. People are known by their registration number, items by their catalog number.
"""

from typing import NamedTuple, Protocol

UNKNOWN_ITEM = -1


Line = tuple[int, int]
"""(item, amount): one line of a match. The item may be UNKNOWN_ITEM: it matches nothing. Plain, for there are many of them."""

Fill = tuple[int, int]
"""(price, units): what one line of the request gets from the winner; (0, 0) without a match."""


class Demand(NamedTuple):
    """What the market pays for one unit of an item, and how many units it takes at that price (contract C3)."""

    item: int
    price: int
    amount: int


class Match(NamedTuple):
    buyer: int
    payout: int
    fills: list[Fill]


class Book(Protocol):
    """Orders, money and candidates, and the answer to 'who pays most for this?'."""

    def put_order(self, item: int, buyer: int, price: int, remaining: int) -> None:
        """Creates or changes the buyer's order on an item; remaining 0 takes it out of the book."""
        ...

    def set_funds(self, buyer: int, available: int) -> None: ...

    def set_candidates(self, game: int, buyers: set[int]) -> None:
        """Who may be matched for a game: active, unfrozen, admitted by some enabled room."""
        ...

    def best(self, game: int, lines: list[Line], exclude: int) -> Match | None:
        """The best candidate other than `exclude` (the project's own account); None if nobody pays anything."""
        ...

    def is_outbid(self, buyer: int, game: int, lines: list[Line], exclude: int) -> bool:
        """Whether some candidate other than `exclude` pays strictly more for the lines than this buyer, a candidate or not."""
        ...

    def payout(self, buyer: int, lines: list[Line]) -> int:
        """What this buyer pays for the lines, a candidate or not."""
        ...

    def demand(self, game: int, items: list[int], exclude: int) -> list[Demand]:
        """For each of the items that anybody pays for, in their order: the highest price of a candidate whose money covers one
        unit, and the units at that price, each buyer's capped by their own money."""
        ...


class NoBook:
    """For processes that follow the market and match nothing: keeps nothing."""

    def put_order(self, item: int, buyer: int, price: int, remaining: int) -> None: ...

    def set_funds(self, buyer: int, available: int) -> None: ...

    def set_candidates(self, game: int, buyers: set[int]) -> None: ...

    def best(self, game: int, lines: list[Line], exclude: int) -> Match | None:
        return None

    def is_outbid(self, buyer: int, game: int, lines: list[Line], exclude: int) -> bool:
        return False

    def payout(self, buyer: int, lines: list[Line]) -> int:
        return 0

    def demand(self, game: int, items: list[int], exclude: int) -> list[Demand]:
        return []


def payout_of(fills: list[Fill]) -> int:
    return sum([price * units for price, units in fills])
