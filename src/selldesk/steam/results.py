"""What Steam's answers mean, as types. An outcome that can't be known is a first-class answer."""

from enum import StrEnum
from typing import Any

import msgspec


class SteamFault(Exception):
    """A call that brought no usable answer.

    SteamFault
    ├── Unreachable       no answer, 5xx, maintenance page: try again later
    ├── Malformed         an answer that isn't what it should be
    ├── RateLimited       429 or eresult 84
    ├── Throttled         our own restraint: the call was not even made
    ├── NotLoggedIn       the session is dead: refresh or log in
    ├── ResultFault       an eresult that isn't OK
    └── LoginRefused      Steam refuses the credentials themselves
    """


class Unreachable(SteamFault):
    pass


class Malformed(SteamFault):
    pass


class RateLimited(SteamFault):
    pass


class Throttled(SteamFault):
    """A bucket of Steam's is empty, or all calls of this address rest: nothing was asked."""

    def __init__(self, bucket: str | None, until_us: int) -> None:
        super().__init__(f"{bucket or 'this address'}: waiting for a free call")
        self.bucket = bucket
        """Which kind of call must wait; None: all of them, for the address is meant."""
        self.until_us = until_us


class NotLoggedIn(SteamFault):
    pass


class ResultFault(SteamFault):
    def __init__(self, call: str, eresult: int) -> None:
        super().__init__(f"{call}: eresult {eresult}")
        self.eresult = eresult


class LoginRefused(SteamFault):
    """`terminal`: trying again with the same credentials can't help."""

    def __init__(self, reason: str, eresult: int, terminal: bool) -> None:
        super().__init__(f"{reason} ({eresult})")
        self.eresult = eresult
        self.terminal = terminal


class Cause(StrEnum):
    """Why a send was refused, as far as the bot must know (protocol §6)."""

    ITEM_GONE = "item_gone"
    """26: an item is not in the seller's inventory."""
    BAD_LINK = "bad_link"
    """15 and its texts: token, ban, privacy, restriction."""
    SELLER_RESTRICTED = "seller_restricted"
    SELLER_LIMIT = "seller_limit"
    """50: too many offers with this partner, as a rule."""
    BOT_LIMIT = "bot_limit"
    """25: too many offers of this bot."""
    BOT_FULL = "bot_full"
    BOT_RESTRICTED = "bot_restricted"
    """24, new device: days of cooldown."""
    ITEM_SERVER_DOWN = "item_server_down"
    """20: one game's item server."""
    PARTNER_CHANGED = "partner_changed"
    """34: clears in hours."""


class Sent(msgspec.Struct, frozen=True):
    offer_id: str


class NeedsConfirmation(msgspec.Struct, frozen=True):
    offer_id: str
    kind: str
    """mobile or email"""


class Rejected(msgspec.Struct, frozen=True):
    """Certainly no offer exists."""

    eresult: int
    cause: Cause
    text: str


class SendUnknown(msgspec.Struct, frozen=True):
    """The offer may or may not exist."""

    reason: str
    eresult: int = 0
    """0: no number was told. 8 is, as a rule, a wrong session id; 11 may be a notice that must be acknowledged again."""


SendResult = Sent | NeedsConfirmation | Rejected | SendUnknown


class Asset(msgspec.Struct, frozen=True):
    appid: int
    contextid: str
    assetid: str
    classid: str | None = None
    instanceid: str | None = None
    missing: bool = False
    new_assetid: str | None = None
    new_contextid: str | None = None


class Offer(msgspec.Struct, frozen=True):
    """A trade offer. Times in seconds; `state` may be a number that nobody knows."""

    offer_id: str
    partner: str
    """SteamID64"""
    state: int
    is_ours: bool
    items_to_give: list[Asset]
    items_to_receive: list[Asset]
    time_created: int
    time_updated: int
    message: str
    trade_id: str | None
    escrow_end: int
    settlement: int
    raw: dict[str, Any]


class Confirmation(msgspec.Struct, frozen=True):
    """A line on the bot's own phone."""

    id: str
    nonce: str
    offer_id: str
    """What it is about: `creator_id`, for a trade its offer."""
    is_trade: bool


class OfferLists(msgspec.Struct):
    """`complete`: nothing in Steam's answer had to be left out. An empty answer may still be one of Steam's moods.

    `cursor`: where the next page begins; None when all were read. A listing that stopped half-way is carried on from there.
    """

    sent: list[Offer] = []
    received: list[Offer] = []
    complete: bool = True
    cursor: str | None = "0"
    pages: int = 0


class Exchange(msgspec.Struct, frozen=True):
    """A trade of GetTradeStatus or GetTradeHistory. Times in seconds, 0 for none."""

    trade_id: str
    partner: str | None
    status: int
    time_init: int
    settlement: int
    delayed: bool
    received: list[Asset]
    given: list[Asset]
    rollback_of: str | None
    """The trade that this one compensates."""
    raw: dict[str, Any]


class TradePage(msgspec.Struct, frozen=True):
    """What the page behind a trade link says. `refusal`: Steam's own text, with the cause that the bot must know."""

    hold_seconds: int | None
    refusal: Rejected | None
    own_hold_seconds: int = 0
    """Of what the bot gives."""


class InventoryItem(msgspec.Struct, frozen=True):
    assetid: str
    classid: str
    instanceid: str
    market_hash_name: str
    tradable: bool
    amount: int = 1
    """More than 1: a stack."""
    properties: str | None = None
    """Float, seed and the like as Steam's JSON with sorted keys; None: it tells none."""


class Inventory(msgspec.Struct, frozen=True):
    """One game and context of somebody. `private`: Steam says that they show it to nobody."""

    items: dict[str, InventoryItem]
    private: bool = False
    unreadable: frozenset[str] = frozenset()
    """Assets without a description: they alone can't be judged, the rest is good (protocol §11)."""
