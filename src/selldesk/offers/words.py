"""What a bot learnt from Steam about one offer, in the market's own words. An unknown outcome is news too."""

from enum import StrEnum

import msgspec


class AssetWord(msgspec.Struct, frozen=True):
    """An asset that Steam says was received. `new_*` are None until Steam tells them."""

    appid: int
    contextid: str
    assetid: str
    classid: str | None = None
    new_assetid: str | None = None
    new_contextid: str | None = None


class OfferWord(msgspec.Struct, frozen=True):
    """A trade offer as Steam shows it. Times in microseconds; `state` may be a number that nobody knows yet."""

    offer_id: str
    state: int
    time_created: int
    steam_trade_id: str | None = None
    escrow_end: int | None = None


class TradeWord(msgspec.Struct, frozen=True):
    """Steam's word on an exchange (GetTradeStatus, GetTradeHistory). `settlement` is None where Steam gives no date."""

    status: int
    settlement: int | None
    delayed: bool
    assets: list[AssetWord]
    began: int | None = None
    """When Steam began the exchange; None: it does not say."""


class Proof(StrEnum):
    """What a reading of the seller's inventory says about the items of one trade (R4)."""

    AS_NAMED = "as_named"
    """Every asset is there, free, and has the name that the seller gave."""
    OTHER_NAME = "other_name"
    """Steam calls an asset by another name: counts at once."""
    NOT_SHOWN = "not_shown"
    """Absent, locked, or the inventory is private: counts if a second reading says so too."""
    TRADE_HOLD = "trade_hold"
    """Steam would hold the items for days: no offer."""
    NO_TRADE = "no_trade"
    """Steam won't let us trade with them: bad link, ban, restriction. Counts at once."""
    NO_WORD = "no_word"
    """Steam said nothing about the seller (401, 429, 5xx, empty, malformed)."""


class SendRefusal(StrEnum):
    """Why Steam did not create an offer; each is a certain 'no offer exists'."""

    SELLER = "seller"
    """Items gone, bad link, banned, restricted: final, the seller's side."""
    OWN_ITEMS_GONE = "own_items_gone"
    """Of a delivery: the bot's inventory does not hold them (any more)."""
    TRANSIENT = "transient"
    """Busy, item server down, rate limited, session dead: try again until the deadline."""
    BOT_LIMIT = "bot_limit"
    """This bot has too many offers (in all or with this seller): again when some have ended."""
    BOT_FULL = "bot_full"
    """This bot's inventory of the game is full: another bot, and a look by a human."""
    BOT_ILL = "bot_ill"
    """Steam lets this bot not trade (banned, new device, guard cooldown): quarantine, another bot."""
    PARTNER_CHANGED = "partner_changed"
    """34: this partner renamed himself, or the bot did: then everybody gets it. Try again until the deadline."""
    GAME_DOWN = "game_down"
    """The game's item server can't be reached: all bots pause the game."""
