"""A delivery as the store keeps it: one offer of one bot, up to a hundred items of one game (people P4)."""

import msgspec

from selldesk.offers.life import OfferLife, delivery_began_at
from selldesk.trades.status import Status


class DeliveryItem(msgspec.Struct, array_like=True):
    """One item of a sale, and the asset that it is in the bot's inventory: empty until it is found there."""

    delivery_id: str
    position: int
    trade_id: str
    trade_position: int
    item: int
    contextid: str
    assetid: str
    classid: str | None
    instanceid: str | None
    new_assetid: str | None
    new_contextid: str | None

    @property
    def key(self) -> tuple[str, int]:
        """(sale, position there)"""
        return self.trade_id, self.trade_position


class Delivery(OfferLife, array_like=True):
    """One part of a buyer's request. Parts share its `custom_id`, and end each by itself."""

    buyer: int
    custom_id: str
    part: int
    parts: int
    partner: str
    """SteamID64 of whoever gets the items."""
    tradelink: str
    """Theirs, sealed."""
    message: str
    items_count: int

    # What changes.
    status: Status
    updated_at: int
    version: int
    error: str | None
    resends: int
    """Offers that were made anew since the items were still there after Steam had called one invalid."""
    refused_text: str | None
    """Steam's last word on the partner that may still change (34)."""

    @property
    def gives(self) -> bool:
        return True

    @property
    def began_at(self) -> int:
        return delivery_began_at(self)


class DeliveryStep(msgspec.Struct, array_like=True, frozen=True):
    """One step of its life, append-only and gapless by version."""

    delivery_id: str
    version: int
    status: str
    at: int
    note: str
    told: int


def link_place(buyer: int, custom_id: str) -> str:
    """Where the trade link of a request is sealed for: all its parts have the same."""
    return f"delivery:{buyer}:{custom_id}:tradelink"


def settings_place(buyer: int) -> str:
    return f"person:{buyer}:tradelink"
