"""Purchase rooms and bots: which room takes a trade, which bot serves it (readings R7)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Any

import msgspec

FRESH_WITHIN_US = 120 * 1_000_000
"""A healthy bot's last good call to Steam is younger than this, by the machine's clock."""


CLOCK_SLACK_US = 60 * 1_000_000
"""Clocks of several machines may differ so much."""
LONGEST_QUARANTINE_US = 366 * 86_400 * 1_000_000
"""An end that lies further away was set by a clock that has since gone back."""


class Room(msgspec.Struct, array_like=True):
    """An operator's rule. None: open end, any game, any buyer; no bots listed: all bots."""

    id: int
    name: str
    game: int | None
    min_value: int | None
    max_value: int | None
    buyers: list[int] | None
    bots: list[int] | None
    priority: int
    enabled: int

    def admits_buyer(self, game: int, buyer: int) -> bool:
        """At any value: what makes a buyer a candidate for match (R2)."""
        return bool(self.enabled) and self.game in (None, game) and (not self.buyers or buyer in self.buyers)

    def admits(self, game: int, value: int, buyer: int) -> bool:
        low_enough = self.max_value is None or value <= self.max_value
        high_enough = self.min_value is None or value >= self.min_value
        return low_enough and high_enough and self.admits_buyer(game, buyer)

    def served_by(self, bot: int) -> bool:
        return not self.bots or bot in self.bots


class BotState(StrEnum):
    """A bot's health, as its worker last reported it."""

    OK = "ok"
    """Logged in; Steam answers."""
    LIMITED = "limited"
    """Steam asks us to slow down."""
    NEEDS_LOGIN = "needs_login"
    """No session yet, or Steam refuses the credentials."""
    RESTRICTED = "restricted"
    """Steam refuses its offers whoever the partner is: it sends nothing for a while, then tries again."""
    QUARANTINED = "quarantined"
    """Steam restricts the account, or its trades were reversed on its own side: it sends nothing, but finishes what runs."""
    DOWN = "down"
    """Steam can't be reached."""


def in_quarantine(state: str, until: int | None, now: int) -> bool:
    """Whether the bot must not send. `until` (virtual time): when that ends by itself; None: when an operator enables it."""
    if state == BotState.RESTRICTED:
        return until is not None and now < until <= now + LONGEST_QUARANTINE_US
    return state == BotState.QUARANTINED and (until is None or now < until <= now + LONGEST_QUARANTINE_US)


class NoBot(StrEnum):
    """Why no bot of a room takes a trade, the most telling cause first: it names the metric `selldesk_no_bot_total{cause}`."""

    SELLER = "seller"
    """All that could have as many offers with this seller as they may."""
    FULL = "full"
    """The inventories of all that could are full."""
    SLOTS = "slots"
    """All that could have as many live offers as they may."""
    GAME = "game"
    """None that is healthy takes this game (now)."""
    UNHEALTHY = "unhealthy"
    """None is healthy."""
    NONE = "none"
    """The room has no bots."""


class Bot(msgspec.Struct, array_like=True):
    """A bot as the choice sees it. `live_offers` counts its processing trades; `items_max` is per game, as Steam's limit is."""

    number: int
    steamid64: str
    profile_name: str | None
    avatar: str | None
    games: list[int] | None
    """None: all."""
    enabled: int
    state: str
    live_offers: int
    live_offers_max: int
    seller_offers_max: int
    items_max: int
    last_good_real_us: int
    blocked_games: list[int] = []
    """Games that it can't take now, since its inventory there is full."""
    stock: dict[int, int] = {}
    """Game → items of buyers: reserved by processing sales, protected and held."""

    @property
    def items_held(self) -> int:
        """Of all games together."""
        return sum(self.stock.values())

    def hold(self, game: int, items: int) -> None:
        """So many more items of a game (or fewer)."""
        self.stock[game] = self.stock.get(game, 0) + items

    def is_fresh(self, real_us: int) -> bool:
        """A sign of life that lies in the future was given before a clock went back: it says nothing about now."""
        return -CLOCK_SLACK_US < real_us - self.last_good_real_us < FRESH_WITHIN_US

    def is_healthy(self, real_us: int) -> bool:
        return bool(self.enabled) and self.state == BotState.OK and self.is_fresh(real_us)

    def can_take(self, game: int, items: int, seller_offers: int, real_us: int) -> bool:
        return self.why_not(game, items, seller_offers, real_us) is None

    def why_not(self, game: int, items: int, seller_offers: int, real_us: int) -> "NoBot | None":
        """Why it can't take a trade of so many items; None: it can (R7)."""
        if not self.is_healthy(real_us):
            return NoBot.UNHEALTHY
        if (self.games is not None and game not in self.games) or game in self.blocked_games:
            return NoBot.GAME
        if self.live_offers >= self.live_offers_max:
            return NoBot.SLOTS
        if self.stock.get(game, 0) + items > self.items_max:
            return NoBot.FULL
        return NoBot.SELLER if seller_offers >= self.seller_offers_max else None


def room_of(row: Sequence[Any]) -> Room:
    """From a row of the store, where lists are JSON."""
    number, name, game, low, high, buyers, bots, priority, enabled = row
    return Room(number, name, game, low, high, _listed(buyers), _listed(bots), priority, enabled)


def bot_of(row: Sequence[Any], blocked_games: Sequence[int] = (), stock: Mapping[int, int] = {}) -> Bot:
    """From a row of the store, where lists are JSON."""
    number, steamid64, profile_name, avatar, games, *rest = row
    bot = Bot(number, steamid64, profile_name, avatar, _listed(games), *rest)
    bot.blocked_games, bot.stock = list(blocked_games), dict(stock)
    return bot


def _listed(text: str | None) -> list[int] | None:
    return None if text is None else list(json.loads(text))


def choose_room(rooms: list[Room], game: int, value: int, buyer: int) -> Room | None:
    """The enabled room with the lowest priority number (ties: lowest id) whose rule admits game, value and buyer."""
    admitting = [room for room in rooms if room.admits(game, value, buyer)]
    return min(admitting, key=lambda room: (room.priority, room.id), default=None)


def choose_bot(
    room: Room, bots: Iterable[Bot], game: int, items: int, seller_offers: Mapping[int, int], real_us: int
) -> Bot | None:
    """The able bot of the room with the fewest live offers, ties by number. `seller_offers`: bot → live ones with this seller."""
    for bot in sorted(bots, key=_LEAST_LOADED):
        if room.served_by(bot.number) and bot.can_take(game, items, seller_offers.get(bot.number, 0), real_us):
            return bot
    return None


def why_no_bot(room: Room, bots: Iterable[Bot], game: int, items: int, seller_offers: Mapping[int, int], real_us: int) -> NoBot:
    """The cause that came closest to a choice, where `choose_bot` found none."""
    causes = {bot.why_not(game, items, seller_offers.get(bot.number, 0), real_us) for bot in bots if room.served_by(bot.number)}
    return next((cause for cause in NoBot if cause in causes), NoBot.NONE)


_LEAST_LOADED = attrgetter("live_offers", "number")
