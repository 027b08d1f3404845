"""What the market knows of a seller (people P6)."""

import msgspec

from selldesk.kernel.times import DAY_US, wire_time_or_none
from selldesk.reads.limits import limits_of_market
from selldesk.sellers.standing import (
    FIGURE_NAMES,
    Figures,
    Seller,
    SellerLoad,
    SellerStatus,
    Strikes,
    cooldown_end,
    figures,
)
from selldesk.store.store import Reader


class LiveSales(msgspec.Struct):
    """Processing sales: how many, and their value in mills."""

    trades: int
    value: int


class SellerView(msgspec.Struct):
    """`until`: end of a block by itself; null: until an operator lifts it. Figures by the UTC day of each step, the last 7 and 30 days
    today included."""

    steamid64: str
    status: SellerStatus
    reason: str | None
    until: str | None
    strikes: int
    cooldown_until: str | None
    live: LiveSales
    days_7: Figures
    days_30: Figures
    ever: Figures
    last_trade_at: str | None


def _standing(reader: Reader, steamid64: str) -> tuple[Seller | None, list[Strikes], list[SellerLoad]]:
    key = [(steamid64,)]
    seller = next(iter(reader.load_as(Seller, "load_sellers", key)), None)
    return seller, reader.load_as(Strikes, "load_strikes", key), reader.load_as(SellerLoad, "load_seller_loads", key)


def seller_views(reader: Reader, sellers: list[str], project: int | None, now: int) -> list[SellerView]:
    return [seller_view(reader, steamid64, project, now) for steamid64 in sellers]


def seller_view(reader: Reader, steamid64: str, project: int | None, now: int) -> SellerView:
    """`project` None: across all. Inside a snapshot, or all at once."""
    seller, strikes, loads = _standing(reader, steamid64)
    limits = limits_of_market(reader)
    is_trusted = seller is not None and seller.is_trusted
    waits = [end for one in strikes if (end := cooldown_end(strikes, one.project, limits, now)) is not None and not is_trusted]
    is_over = seller is not None and seller.status == SellerStatus.BLOCKED and not seller.is_blocked(now)
    shown = None if is_over else seller
    status = SellerStatus.NORMAL if shown is None else SellerStatus(shown.status)
    last = reader.value("last_trade_of_seller", seller=steamid64)
    return SellerView(
        steamid64,
        status,
        None if shown is None else shown.reason,
        None if shown is None else wire_time_or_none(shown.until),
        sum(one.strikes for one in strikes),
        wire_time_or_none(max(waits, default=None)),
        LiveSales(
            sum(load.verified + load.unverified for load in loads),
            sum(load.verified_value + load.unverified_value for load in loads),
        ),
        _figures(reader, steamid64, project, now, 7),
        _figures(reader, steamid64, project, now, 30),
        _figures(reader, steamid64, project, now, None),
        wire_time_or_none(last),
    )


def _figures(reader: Reader, steamid64: str, project: int | None, now: int, days: int | None) -> Figures:
    since = -1 if days is None else now // DAY_US - days
    rows = reader.fetch("figures_of_seller", seller=steamid64, project=project, since=since)
    return figures(dict(zip(FIGURE_NAMES, map(int, row), strict=True)) for row in rows)
