"""The market's limits, settable by an operator, and what a project may have of its own (people P6)."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from selldesk.kernel.limits import MONEY_MAX, PRICE_MAX

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Mills = Annotated[int, Meta(ge=1, le=MONEY_MAX)]
Seconds = Annotated[int, Meta(ge=1, le=31_536_000)]
Percent = Annotated[int, Meta(ge=1, le=100)]


class MarketLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every limit; None: there is none. Money in mills. All but `min_order_price` are judged inside the transaction of a create."""

    seller_processing_max: Count | None = 20
    """Processing sales of one seller, all bots and projects together."""
    seller_processing_value_max: Mills | None = None
    seller_unsettled_value_max: Mills | None = None
    """Value of a seller's accepted sales that can still be reversed."""
    project_processing_max: Count | None = 1_000
    project_processing_value_max: Mills | None = None
    project_processing_percent: Percent | None = 50
    """Of all slots, as soon as there is a second project."""
    strikes_free: Annotated[int, Meta(ge=0, le=1_000)] | None = 2
    """Sales that a seller let go to waste before the first cool-down; None: no strikes are counted against anybody."""
    cooldown_seconds: Annotated[list[Seconds], Meta(min_length=1, max_length=20)] | None = msgspec.field(
        default_factory=lambda: [900, 3_600, 86_400]
    )
    """One after the other, the last value from then on."""
    reversal_block_days: Annotated[int, Meta(ge=1, le=3_650)] | None = 30
    """Steam bans an account from trading for as long after a reversal."""
    reversals_max: Annotated[int, Meta(ge=1, le=1_000)] | None = 2
    """So many reversals within a year block until an operator lifts it."""
    min_order_price: dict[str, Annotated[int, Meta(ge=1, le=PRICE_MAX)]] = {}
    """Game number as text → the lowest price of a buy order's line."""


class ProjectLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What one project has of its own: absent: the market's value; null: no limit."""

    project_processing_max: Count | msgspec.UnsetType | None = msgspec.UNSET
    project_processing_value_max: Mills | msgspec.UnsetType | None = msgspec.UNSET
    project_processing_percent: Percent | msgspec.UnsetType | None = msgspec.UNSET


NO_LIMITS = MarketLimits(
    seller_processing_max=None,
    project_processing_max=None,
    project_processing_percent=None,
    strikes_free=None,
    cooldown_seconds=None,
    reversal_block_days=None,
    reversals_max=None,
)
"""What the sandbox and benchmarks start with."""


def read_limits(body: str | None) -> MarketLimits:
    """From the store, which keeps JSON; None: nobody has set any, the defaults count."""
    return MarketLimits() if body is None else msgspec.json.decode(body, type=MarketLimits)


def limits_of_project(limits: MarketLimits, own: ProjectLimits | None) -> MarketLimits:
    """The market's, with what the project has of its own."""
    if own is None:
        return limits
    changed: dict[str, Any] = {name: value for name in own.__struct_fields__ if (value := getattr(own, name)) is not msgspec.UNSET}
    return msgspec.structs.replace(limits, **changed)
