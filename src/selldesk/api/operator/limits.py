"""`/api/operator/limits|sellers|games`: how much anybody may have open, who may sell, what is traded (people P6)."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from selldesk.api.market import Market
from selldesk.api.operator.guard import operator_route
from selldesk.api.sellers import the_seller
from selldesk.catalog.games import GAMES, is_supported
from selldesk.desk import commands
from selldesk.kernel import refusals
from selldesk.kernel.refusals import bad_body
from selldesk.kernel.shapes import Reason
from selldesk.kernel.times import parse_time
from selldesk.people.roles import Role
from selldesk.reads.limits import limits_of_market
from selldesk.reads.sellers import SellerView, seller_view, seller_views
from selldesk.sellers.limits import MarketLimits, ProjectLimits
from selldesk.sellers.standing import SellerStatus
from selldesk.store.store import Reader
from selldesk.web import queries
from selldesk.web.parameters import PAGE
from selldesk.web.routes import Call, Parameter, Reply, RouteSpec

SELLER_SORTS = ("last_trade_at", "steamid64", "live_trades", "live_value", "strikes", "opened", "reversed")


class LimitsRequest(MarketLimits, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole object: every name must be there, null: no limit."""


class SellerRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`trusted`: no cool-down and no `seller_*` limit. `blocked` without `until`: until this is changed. Lifting a block sets strikes to 0
    and ends a cool-down."""

    status: Literal["normal", "trusted", "blocked"]
    reason: Reason
    until: Annotated[str, Meta(max_length=64)] | None = None


class SellerPage(msgspec.Struct):
    sellers: list[SellerView]
    total: int
    limit: int
    offset: int


class GameStopRequest(msgspec.Struct, forbid_unknown_fields=True):
    reason: Reason


class GameState(msgspec.Struct):
    game_id: int
    stopped: bool


class OperatorLimitsApi:
    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[RouteSpec]:
        r, route = refusals, operator_route
        status = Parameter("status", {"type": "string", "enum": [one.value for one in SellerStatus]}, "Only these sellers")
        sort = Parameter(
            "sort_by", {"type": "string", "enum": list(SELLER_SORTS), "default": "last_trade_at"}, "Sort field, highest first"
        )
        return [
            route("GET", "/limits", self.limits, "The market's limits; null: none", MarketLimits),
            route("PUT", "/limits", self.put_limits, "Replace all limits of the market", MarketLimits, body=LimitsRequest),
            route(
                "PUT", "/users/{id}/limits", self.put_project_limits, "What a project has of its own; absent: the market's value", ProjectLimits,
                (r.USER_NOT_FOUND, r.NOT_A_PROJECT), body=ProjectLimits,
            ),
            route("GET", "/sellers", self.sellers, "Sellers, by what became of their sales", SellerPage, (r.INVALID_QUERY,), query=(status, sort, *PAGE)),
            route("GET", "/sellers/{steamid64}", self.seller, "One seller", SellerView, (r.SELLER_NOT_FOUND,)),
            route("PUT", "/sellers/{steamid64}", self.put_seller, "Trust, block or clear a seller", SellerView, (r.SELLER_NOT_FOUND,), body=SellerRequest),
            route("POST", "/games/{game_id}/stop", self.stop, "Stop the trading of one game", GameState, (r.GAME_NOT_SUPPORTED,), body=GameStopRequest),
            route("POST", "/games/{game_id}/resume", self.resume, "Let it go on", GameState, (r.GAME_NOT_SUPPORTED, r.GAME_NOT_STOPPED), body=GameStopRequest),
        ]  # fmt: skip

    async def limits(self, call: Call) -> Reply:
        return Reply(await self._market.read(limits_of_market))

    async def put_limits(self, call: Call) -> Reply:
        request: LimitsRequest = call.body
        missing = [name for name in MarketLimits.__struct_fields__ if name not in msgspec.json.decode(call.raw_body)]
        if missing:
            raise bad_body("$", f"the whole object is needed; missing: {', '.join(missing)}")
        for game in request.min_order_price:
            if not (game.isascii() and game.isdigit() and is_supported(int(game))):
                raise bad_body("$.min_order_price", f"{game!r} is not one of {', '.join(map(str, GAMES))}")
        limits = MarketLimits(**{name: getattr(request, name) for name in MarketLimits.__struct_fields__})
        await self._market.act(call, Role.OPERATOR, commands.SetLimits(operator=call.login, limits=limits))
        return Reply(limits)

    async def put_project_limits(self, call: Call) -> Reply:
        await self._market.act(
            call, Role.OPERATOR, commands.SetProjectLimits(operator=call.login, person_id=call.path["id"].lower(), limits=call.body)
        )
        return Reply(call.body)

    async def sellers(self, call: Call) -> Reply:
        limit, offset = queries.page(call.query)
        status, sort_by = call.query.get("status"), call.query.get("sort_by", "last_trade_at")
        if status is not None and status not in SellerStatus._value2member_map_:
            raise refusals.INVALID_QUERY(name="status")
        if sort_by not in SELLER_SORTS:
            raise refusals.INVALID_QUERY(name="sort_by")
        now = self._market.clock.now_us()

        def ask(reader: Reader) -> SellerPage:
            with reader.snapshot():
                total = int(reader.value("sellers_count", status=status, now=now))
                rows = reader.column("sellers_page", status=status, sort_by=sort_by, now=now, limit=limit, offset=offset)
                found = seller_views(reader, rows, None, now)
            return SellerPage(found, total, limit, offset)

        return Reply(await self._market.read(ask))

    async def seller(self, call: Call) -> Reply:
        steamid64, now = the_seller(call), self._market.clock.now_us()

        def ask(reader: Reader) -> SellerView:
            with reader.snapshot():
                if not reader.fetch("seller_known", seller=steamid64):
                    raise refusals.SELLER_NOT_FOUND()
                return seller_view(reader, steamid64, None, now)

        return Reply(await self._market.read(ask))

    async def put_seller(self, call: Call) -> Reply:
        request: SellerRequest = call.body
        steamid64 = the_seller(call)
        until: int | None = None
        if request.until is not None:
            try:
                until = parse_time(request.until)
            except (ValueError, OverflowError):
                raise bad_body("$.until", "expected an ISO 8601 time") from None
            if request.status != "blocked":
                raise bad_body("$.until", "only `blocked` takes `until`")
            if until <= self._market.clock.now_us():
                raise bad_body("$.until", "lies in the past")
        await self._market.act(
            call,
            Role.OPERATOR,
            commands.SetSeller(operator=call.login, steamid64=steamid64, status=request.status, reason=request.reason, until=until),
        )
        now = self._market.clock.now_us()
        return Reply(await self._market.read(lambda reader: seller_view(reader, steamid64, None, now)))

    async def stop(self, call: Call) -> Reply:
        game = _game(call)
        await self._market.act(call, Role.OPERATOR, commands.StopGame(operator=call.login, game=game, reason=call.body.reason))
        return Reply(GameState(game, True))

    async def resume(self, call: Call) -> Reply:
        game = _game(call)
        await self._market.act(call, Role.OPERATOR, commands.ResumeGame(operator=call.login, game=game, reason=call.body.reason))
        return Reply(GameState(game, False))


def _game(call: Call) -> int:
    text = call.path["game_id"]
    if not (text.isascii() and text.isdigit() and len(text) < 10 and is_supported(int(text))):
        raise refusals.GAME_NOT_SUPPORTED()
    return int(text)
