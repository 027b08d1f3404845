"""`GET /api/sell/prices`: what everything fetches, in one answer, for price lists (contract C3). A sale always goes through match."""

import asyncio
import gzip
import hashlib
import time
from typing import NamedTuple

import msgspec

from selldesk.api.market import Market
from selldesk.kernel import refusals
from selldesk.kernel.times import wire_time
from selldesk.people.roles import Role
from selldesk.web import queries
from selldesk.web.parameters import THIS_GAME
from selldesk.web.routes import Call, Reply, RouteSpec

_REBUILT_EVERY_SECONDS = 1.0
_NOBODY = 0
"""Registrations are counted from 1: excludes no buyer."""


class PriceLine(msgspec.Struct):
    """The highest price that somebody can pay for one unit, and the units that are taken at that price."""

    market_hash_name: str
    price: int
    amount: int


class Prices(msgspec.Struct):
    game_id: int
    as_of: str
    items: list[PriceLine]


class _List(NamedTuple):
    seq: int
    built_at: float
    etag: str
    body: bytes
    packed: bytes


class PricesApi:
    def __init__(self, market: Market) -> None:
        self._market = market
        self._lists: dict[tuple[int, int], _List] = {}

    def routes(self) -> list[RouteSpec]:
        return [
            RouteSpec(
                "GET", "/api/sell/prices", self.prices, "What everything of a game fetches; ETag and gzip", (Role.PROJECT,), Prices,
                query=(THIS_GAME,), also=((304, "You have this list already (If-None-Match)"),), refusals=(refusals.INVALID_QUERY,), tag="Sell",
            )
        ]  # fmt: skip

    async def prices(self, call: Call) -> Reply:
        """304 for a known ETag. Rebuilt at most once a second, and only if the market moved."""
        game = queries.game(call.query)
        if game is None:
            raise refusals.INVALID_QUERY(name="game_id")
        # A project that buys too is never matched with itself, so it has a list of its own.
        person = self._market.view.people.get(call.person)
        known = await self._list(game, call.person if person is not None and person.may_buy else _NOBODY)
        headers = [("ETag", known.etag), ("Vary", "Accept-Encoding"), ("Cache-Control", "private, max-age=1")]
        if known.etag in {tag.strip().removeprefix("W/") for tag in call.headers.get("if-none-match", "").split(",")}:
            return Reply(status=304, raw=b"", headers=headers)
        if "gzip" in call.headers.get("accept-encoding", ""):
            return Reply(raw=known.packed, headers=[*headers, ("Content-Encoding", "gzip")])
        return Reply(raw=known.body, headers=headers)

    async def _list(self, game: int, exclude: int) -> _List:
        view, key = self._market.view, (game, exclude)
        known = self._lists.get(key)
        now = time.monotonic()
        if known is not None and (known.seq == view.seq or now < known.built_at + _REBUILT_EVERY_SECONDS):
            return known
        seq, as_of = view.seq, wire_time(self._market.clock.now_us())
        names = view.catalog.game(game)
        demand = view.book.demand(game, sorted(names.values()), exclude)
        items = [PriceLine(view.catalog.name(line.item), line.price, line.amount) for line in demand]
        body, etag, packed = await asyncio.to_thread(_write, Prices(game, as_of, items))
        fresh = self._lists[key] = _List(seq, now, etag, body, packed)
        return fresh


def _write(prices: Prices) -> tuple[bytes, str, bytes]:
    """(body, ETag, compressed body). The ETag is the items' alone: the same prices at another moment are the same list."""
    body = msgspec.json.encode({"success": True, "data": prices})
    digest = hashlib.sha256(msgspec.json.encode(prices.items)).hexdigest()[:32]
    return body, f'"{digest}"', gzip.compress(body, compresslevel=5, mtime=0)
