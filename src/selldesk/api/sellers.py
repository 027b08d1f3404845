"""What a market knows of a seller, for operators (across projects) and for a project (its own sales only) (people P6)."""

import msgspec

from selldesk.api.market import Market
from selldesk.kernel import refusals
from selldesk.kernel.shapes import is_steamid64
from selldesk.kernel.times import SECOND_US, wire_time_or_none
from selldesk.people.roles import Role
from selldesk.reads.limits import limits_of_market, own_limits
from selldesk.reads.sellers import _figures, _standing
from selldesk.sellers.limits import limits_of_project
from selldesk.sellers.standing import (
    Figures,
    cooldown_end,
    why_not,
)
from selldesk.store.store import Reader
from selldesk.web.routes import Call, Reply, RouteSpec


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
