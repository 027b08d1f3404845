"""What the desk must know to decide."""

import msgspec

from selldesk.kernel.times import DAY_US
from selldesk.offers.rules import Rules


class DeskSettings(msgspec.Struct, frozen=True):
    rules: Rules = Rules()
    fee_basis_points: int = 0
    batch_max: int = 64
    stocktake_at_us: int | None = None
    """Time of the day, UTC, at which each bot's inventory is compared with the store; None: never by itself."""
    event_us: int = 30 * DAY_US
    """So long events are kept."""
    delivery_items_max: int = 100
    """Of one delivery."""
    deliveries_per_buyer: int = 20
    """Running ones of one buyer."""
    watch_seconds: float = 1.0
    """Real time between two looks of the desk's own clock; 0: it has none (tests look by hand)."""
