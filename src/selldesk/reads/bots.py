"""Bots, their health and what they hold."""

import json

import msgspec

from selldesk.bots.rooms import FRESH_WITHIN_US, BotState
from selldesk.catalog.games import GAMES
from selldesk.kernel.times import FAR_US, wire_time, wire_time_or_none
from selldesk.reads.showing import Face
from selldesk.store.rows import BotHealthRow
from selldesk.store.store import Reader


class StockView(msgspec.Struct):
    """Items of one game: of processing sales, under Steam's protection, held for buyers, on their way to them; `max` together."""

    reserved: int
    protected: int
    held: int
    in_delivery: int
    max: int


class BotView(msgspec.Struct):
    """`state`: ok, limited, needs_login, restricted, quarantined or down, with its reason and since when. `quarantined_until`: when a
    restriction or quarantine ends by itself; null: until an operator enables the bot. `blocked_games`: where its inventory was full."""

    steamid64: str
    account_name: str
    profile_name: str
    avatar: str
    games: list[int] | None
    enabled: bool
    state: str
    reason: str | None
    since: str
    healthy: bool
    live_offers: int
    max_live_offers: int
    max_offers_per_seller: int
    items_held: int
    max_items: int
    quarantined_until: str | None
    blocked_games: list[int]
    items: dict[str, StockView]
    """By game; `items_held` is the sum of what they hold."""


def bot_views(reader: Reader, now: int, real_us: int, face: Face) -> list[BotView]:
    """All bots and their health, from one moment."""
    blocked: dict[int, list[int]] = {}
    stock: dict[int, dict[int, dict[str, int]]] = {}
    with reader.snapshot():
        for bot, game in reader.fetch("standing_blocks", now=now, furthest=FAR_US):
            blocked.setdefault(bot, []).append(game)
        for bot, game, kind, items in reader.fetch("stock_by_kind"):
            stock.setdefault(bot, {}).setdefault(game, {})[kind] = items
        for bot, game, items in reader.fetch("stock_in_delivery"):
            stock.setdefault(bot, {}).setdefault(game, {})["in_delivery"] = items
        records = reader.fetch_as(BotHealthRow, "bots_with_heartbeat")
    views = []
    for bot in records:
        shown = face(bot.number, bot.steamid64, bot.profile_name, bot.avatar)
        fresh = real_us - bot.last_good_real_us < FRESH_WITHIN_US
        ends = bot.quarantined_until if bot.state in (BotState.QUARANTINED, BotState.RESTRICTED) else None
        by_game = stock.get(bot.number, {})
        views.append(
            BotView(
                bot.steamid64, bot.account_name, shown.profile_name, shown.avatar,
                None if bot.games is None else json.loads(bot.games), bool(bot.enabled), bot.state, bot.state_reason,
                wire_time(bot.state_since), bool(bot.enabled) and bot.state == BotState.OK and fresh, bot.live_offers,
                bot.live_offers_max, bot.seller_offers_max, bot.items_held, bot.items_max, wire_time_or_none(ends),
                blocked.get(bot.number, []), {str(game): _stock_view(by_game.get(game, {}), bot.items_max) for game in GAMES},
            )
        )  # fmt: skip
    return views


def _stock_view(kinds: dict[str, int], most: int) -> StockView:
    """What is missing or was handed over is taken from what is held; a missing item that is still protected, from that."""
    gone = kinds.get("missing", 0) + kinds.get("delivered", 0)
    held = kinds.get("held", 0) - gone
    protected = kinds.get("protected", 0) + min(0, held)
    in_delivery = kinds.get("in_delivery", 0)
    return StockView(kinds.get("reserved", 0), max(0, protected), max(0, held - in_delivery), in_delivery, most)
