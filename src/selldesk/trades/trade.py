"""A sale as the store keeps it."""

import msgspec

from selldesk.offers.life import OfferLife
from selldesk.trades.status import Status


class TradeItem(msgspec.Struct, array_like=True):
    """One asset of a sale. assetid and contextid stay as the seller sent them; Steam's later ids stand beside them."""

    trade_id: str
    position: int
    item: int
    contextid: str
    assetid: str
    price: int
    generation: int
    """The generation of the buy order that the unit was taken from (contract C2)."""
    classid: str | None
    instanceid: str | None
    new_assetid: str | None
    new_contextid: str | None


class Trade(OfferLife, array_like=True):
    """One sale: its offer's life, and what it is about. Money in mills, times in microseconds UTC, people, bots, rooms and items by
    number."""

    project: int
    buyer: int
    custom_id: str
    value: int
    fee: int
    items_count: int
    room: int
    seller: str
    """SteamID64 from the trade link."""
    tradelink: str
    message: str

    # What changes.
    status: Status
    updated_at: int
    version: int
    """Counts the history; moves with every change of what a reader sees."""
    error: str | None

    @property
    def custom_fold(self) -> str:
        """What a search for part of a custom_id compares."""
        return self.custom_id.casefold()


class HistoryEntry(msgspec.Struct, array_like=True, frozen=True):
    """One step of a trade's life, append-only and gapless by version (I10)."""

    trade_id: str
    version: int
    status: str
    at: int
    note: str
    told: int = 0
    """How many readers an event told of it."""
