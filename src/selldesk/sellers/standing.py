"""How a seller stands: blocked or trusted, strikes and cool-downs, what they have open. The rules of people P6, pure."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from selldesk.kernel import refusals
from selldesk.kernel.refusals import Refusal
from selldesk.kernel.times import DAY_US, SECOND_US, wire_time
from selldesk.sellers.limits import MarketLimits
from selldesk.steamwire.enums import OfferState


class SellerStatus(StrEnum):
    NORMAL = "normal"
    """Nobody has said anything about this seller."""
    TRUSTED = "trusted"
    """No cool-down and no limit on the seller."""
    BLOCKED = "blocked"
    """No new sales, until a date or until an operator lifts it."""


class Seller(msgspec.Struct, array_like=True):
    """What is on record about one SteamID64 across all projects. `until`: end of a block; None: an operator lifts it."""

    steamid64: str
    status: str
    reason: str | None
    until: int | None
    changed_at: int

    def is_blocked(self, now: int) -> bool:
        return self.status == SellerStatus.BLOCKED and (self.until is None or now < self.until)

    @property
    def is_trusted(self) -> bool:
        return self.status == SellerStatus.TRUSTED


class Strikes(msgspec.Struct, array_like=True):
    """One seller's wasted sales with one project, in a row."""

    seller: str
    project: int
    strikes: int
    cooldown_until: int


class SellerLoad(msgspec.Struct, array_like=True):
    """Processing sales of one seller at one bot for one project."""

    seller: str
    bot: int
    project: int
    verified: int
    unverified: int
    verified_value: int
    unverified_value: int


def counted(loads: Iterable[SellerLoad], project: int) -> tuple[int, int]:
    """(sales, value) that count for this project: an unverified claim may be invented, so it counts for its own project alone."""
    sales = value = 0
    for load in loads:
        mine = load.project == project
        sales += load.verified + (load.unverified if mine else 0)
        value += load.verified_value + (load.unverified_value if mine else 0)
    return sales, value


def counted_by_bot(loads: Iterable[SellerLoad], project: int) -> dict[int, int]:
    """Bot → sales with this seller that count against the bound of one bot (readings R7)."""
    found: dict[int, int] = {}
    for load in loads:
        found[load.bot] = found.get(load.bot, 0) + load.verified + (load.unverified if load.project == project else 0)
    return found


def cooldown_end(strikes: Iterable[Strikes], project: int, limits: MarketLimits, now: int) -> int | None:
    """Until when this seller must wait with this project. It holds market-wide once strikes of two projects have reached one."""
    if limits.strikes_free is None or limits.cooldown_seconds is None:
        return None
    reached = [one for one in strikes if one.strikes > limits.strikes_free]
    everywhere = len({one.project for one in reached}) >= 2
    ends = [one.cooldown_until for one in reached if one.cooldown_until > now and (everywhere or one.project == project)]
    return max(ends, default=None)


def why_not(
    seller: Seller | None,
    strikes: Iterable[Strikes],
    loads: Iterable[SellerLoad],
    unsettled_value: int,
    project: int,
    value: int,
    limits: MarketLimits,
    now: int,
) -> Refusal | None:
    """Why this seller may not sell for `value` more, in the order of people P6: SELLER_BLOCKED, SELLER_COOLDOWN, SELLER_LIMIT."""
    if seller is not None and seller.is_blocked(now):
        return refusals.SELLER_BLOCKED()
    if seller is not None and seller.is_trusted:
        return None
    waits_until = cooldown_end(strikes, project, limits, now)
    if waits_until is not None:
        return refusals.SELLER_COOLDOWN(time=wire_time(waits_until + SECOND_US - 1))
    if limits.seller_processing_max is not None or limits.seller_processing_value_max is not None:
        sales, processing_value = counted(loads, project)
        if _over(sales + 1, limits.seller_processing_max) or _over(processing_value + value, limits.seller_processing_value_max):
            return refusals.SELLER_LIMIT()
    return refusals.SELLER_LIMIT() if _over(unsettled_value + value, limits.seller_unsettled_value_max) else None


def why_not_project(sales: int, value_then: int, limits: MarketLimits, slots: int, has_second_project: bool) -> Refusal | None:
    """Why a project may not have `sales` processing sales worth `value_then`, this one included: PROJECT_LIMIT."""
    if _over(sales, limits.project_processing_max) or _over(value_then, limits.project_processing_value_max):
        return refusals.PROJECT_LIMIT()
    share = limits.project_processing_percent
    if share is not None and has_second_project and sales * 100 > slots * share:
        return refusals.PROJECT_LIMIT()
    return None


def _over(count: int, bound: int | None) -> bool:
    return bound is not None and count > bound


_WASTED = frozenset({OfferState.COUNTERED, OfferState.EXPIRED, OfferState.DECLINED, OfferState.CANCELED_BY_SECOND_FACTOR})


def is_strike(offer_state: int | None, cancelled_by: str | None) -> bool:
    """Whether a sale that ended `cancelled`, its offer having been out in this state of Steam's, was the seller's doing (settled 2): not
    a wrong name, not a missing item."""
    return offer_state in _WASTED or (offer_state == OfferState.CANCELED and cancelled_by == "deadline")


def with_strike(known: Strikes, limits: MarketLimits, now: int) -> Strikes:
    """One strike more; beyond the free ones each starts the next cool-down."""
    strikes, until = known.strikes + 1, known.cooldown_until
    if limits.strikes_free is not None and limits.cooldown_seconds is not None and strikes > limits.strikes_free:
        step = min(strikes - limits.strikes_free, len(limits.cooldown_seconds)) - 1
        until = now + limits.cooldown_seconds[step] * SECOND_US
    return Strikes(known.seller, known.project, strikes, until)


def blocked_for_reversal(
    seller: str, reversals_in_a_year: int, known: Seller | None, limits: MarketLimits, now: int
) -> Seller | None:
    """What a reversal by the seller makes of the record: a block for as long as Steam's own ban, or until an operator lifts it. None:
    no limit says so, or a block that lasts longer stands already."""
    if limits.reversals_max is not None and reversals_in_a_year >= limits.reversals_max:
        until = None
    elif limits.reversal_block_days is not None:
        until = now + limits.reversal_block_days * DAY_US
    else:
        return None
    if known is not None and known.is_blocked(now) and (known.until is None or (until is not None and known.until >= until)):
        return None
    count = f"{reversals_in_a_year} sales within a year" if reversals_in_a_year > 1 else "a sale"
    return Seller(seller, SellerStatus.BLOCKED, f"reversed {count} on Steam", until, now)


class Figures(msgspec.Struct):
    """What became of a seller's sales in a period, by the UTC day of each step (settled 13)."""

    opened: int = 0
    accepted: int = 0
    completed: int = 0
    refused: int = 0
    """Ended cancelled, declined or in error."""
    reversed: int = 0
    volume: int = 0
    """Value of the accepted ones, mills."""
    acceptance_rate: float = 0.0
    """accepted ÷ (accepted + refused) × 100."""
    reversal_rate: float = 0.0
    """reversed ÷ accepted × 100."""


FIGURE_NAMES = ("opened", "accepted", "completed", "refused", "reversed", "volume")


def figures(rows: Iterable[Mapping[str, int]]) -> Figures:
    """The sums of some days, with their rates."""
    sums = dict.fromkeys(FIGURE_NAMES, 0)
    for row in rows:
        for name in FIGURE_NAMES:
            sums[name] += row[name]
    ended = sums["accepted"] + sums["refused"]
    return Figures(
        **sums,
        acceptance_rate=_rate(sums["accepted"], ended),
        reversal_rate=_rate(sums["reversed"], sums["accepted"]),
    )


def _rate(part: int, whole: int) -> float:
    return (2 * part * 10_000 + whole) // (2 * whole) / 100 if whole else 0.0
