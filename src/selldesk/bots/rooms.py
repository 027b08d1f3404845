"""Purchase rooms and bots: which room takes a trade, which bot serves it (readings R7)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Any

import msgspec

FRESH_WITHIN_US = 120 * 1_000_000
"""A healthy bot's last good call to Steam is younger than this, by the machine's clock."""


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
    QUARANTINED = "quarantined"
    """Steam restricts the account, or its trades were reversed on its own side: it sends nothing, but finishes what runs."""
    DOWN = "down"
    """Steam can't be reached."""


def in_quarantine(state: str, until: int | None, now: int) -> bool:
    """Whether the bot must not send. `until` (virtual time): when that ends by itself; None: when an operator enables it."""
    return state == BotState.QUARANTINED and (until is None or now < until <= now + LONGEST_QUARANTINE_US)


class Bot(msgspec.Struct, array_like=True):
    """A bot as the choice sees it. `live_offers` counts its processing trades, `items_held` what it received for buyers."""

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
    items_held: int
    items_max: int
    last_good_real_us: int
    blocked_games: list[int] = []
    """Games that it can't take now, since its inventory there is full."""

    def is_fresh(self, real_us: int) -> bool:
        return real_us - self.last_good_real_us < FRESH_WITHIN_US

    def is_healthy(self, real_us: int) -> bool:
        return bool(self.enabled) and self.state == BotState.OK and self.is_fresh(real_us)

    def can_take(self, game: int, items: int, seller_offers: int, real_us: int) -> bool:
        return (
            self.is_healthy(real_us)
            and (self.games is None or game in self.games)
            and game not in self.blocked_games
            and self.live_offers < self.live_offers_max
            and seller_offers < self.seller_offers_max
            and self.items_held + items <= self.items_max
        )


def room_of(row: Sequence[Any]) -> Room:
    """From a row of the store, where lists are JSON."""
    number, name, game, low, high, buyers, bots, priority, enabled = row
    return Room(number, name, game, low, high, _listed(buyers), _listed(bots), priority, enabled)


def bot_of(row: Sequence[Any], blocked_games: Sequence[int] = ()) -> Bot:
    """From a row of the store, where lists are JSON."""
    number, steamid64, profile_name, avatar, games, *rest = row
    bot = Bot(number, steamid64, profile_name, avatar, _listed(games), *rest)
    bot.blocked_games = list(blocked_games)
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


_LEAST_LOADED = attrgetter("live_offers", "number")
