"""A buy order as the store keeps it, and how its units move (contract C2, promise I5)."""

import msgspec


class Order(msgspec.Struct, array_like=True):
    """One buyer's wish for one item. Each change of it, and a withdrawal, starts a new generation; a trade remembers the
    generation that its unit came from. Always 0 ≤ remaining ≤ amount and remaining + reserved + sold = amount."""

    buyer: int
    item: int
    game: int
    price: int
    amount: int
    remaining: int
    reserved: int
    sold: int
    generation: int
    updated_at: int

    @property
    def untouched(self) -> bool:
        """No trade ever took from this generation: nothing to remember of it."""
        return self.reserved == 0 and self.sold == 0

    def reserve(self, units: int) -> None:
        self.remaining -= units
        self.reserved += units

    def give_back(self, units: int) -> None:
        self.reserved -= units
        self.remaining += units

    def sell(self, units: int) -> None:
        self.reserved -= units
        self.sold += units
