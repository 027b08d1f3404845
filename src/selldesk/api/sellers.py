"""What a market knows of a seller, for operators (across projects) and for a project (its own sales only) (people P6)."""

import msgspec

from selldesk.api.market import Market, limits_of_market, own_limits
from selldesk.kernel import refusals
from selldesk.kernel.shapes import is_steamid64
from selldesk.kernel.times import DAY_US, SECOND_US, wire_time_or_none
from selldesk.people.roles import Role
from selldesk.sellers.limits import limits_of_project
from selldesk.sellers.standing import (
    FIGURE_NAMES,
    Figures,
    Seller,
    SellerLoad,
    SellerStatus,
    Strikes,
    cooldown_end,
    figures,
    why_not,
)
from selldesk.store.store import Reader
from selldesk.web.routes import Call, Reply, RouteSpec


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


class MaySell(msgspec.Struct):
    """The verdict that a create would give now, before anything that depends on items and prices. `reason`: the refusal's code."""

    may_sell: bool
    reason: str | None
    retry_at: str | None
    days_30: Figures


class SellersApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        return [
            RouteSpec(
                "GET", "/api/sell/sellers/{steamid64}", self.may_sell, "May this seller sell? With the figures of your own sales",
                (Role.PROJECT,), MaySell, refusals=(refusals.SELLER_NOT_FOUND,), tag="Sell", lookup=refusals.SELLER_NOT_FOUND,
            )
        ]  # fmt: skip

    async def may_sell(self, call: Call) -> Reply:
        steamid64, project, now = the_seller(call), call.person, self._market.clock.now_us()
        return Reply(await self._market.read(lambda reader: _verdict(reader, steamid64, project, now)))


def the_seller(call: Call) -> str:
    """Refuses SELLER_NOT_FOUND for what is not a SteamID64."""
    text = call.path["steamid64"]
    if not is_steamid64(text):
        raise refusals.SELLER_NOT_FOUND()
    return text


def _verdict(reader: Reader, steamid64: str, project: int, now: int) -> MaySell:
    with reader.snapshot():
        limits = limits_of_project(limits_of_market(reader), own_limits(reader, project))
        seller, strikes, loads = _standing(reader, steamid64)
        unsettled = int(reader.value("unsettled_of_seller", seller=steamid64))
        month = _figures(reader, steamid64, project, now, 30)
    refusal = why_not(seller, strikes, loads, unsettled, project, 1, limits, now)
    if refusal is None:
        return MaySell(True, None, None, month)
    retry_at: int | None = None
    if refusal.code == refusals.SELLER_BLOCKED.code and seller is not None:
        retry_at = seller.until
    elif refusal.code == refusals.SELLER_COOLDOWN.code:
        retry_at = cooldown_end(strikes, project, limits, now)
    return MaySell(False, refusal.code, wire_time_or_none(None if retry_at is None else retry_at + SECOND_US - 1), month)


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
