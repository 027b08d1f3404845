"""What the desk answers to each kind of command, if it does not refuse."""

import msgspec

from selldesk.trades.status import Status


class Done(msgspec.Struct, frozen=True):
    """It is done, and there is nothing more to say."""


class TradeReply(msgspec.Struct, frozen=True):
    status: Status
    granted: bool = False
    """Of an intent: it is on record, and may be carried out now."""


class TradeOpened(msgspec.Struct, frozen=True):
    """Money in mills."""

    trade_id: str
    items_count: int
    value: int
    bot: int
    bot_steamid64: str
    bot_avatar: str | None
    bot_profile_name: str | None


class LeasesKept(msgspec.Struct, frozen=True):
    held: list[tuple[int, int]]
    """(bot, fence)"""
    let_go: list[int]
    """Bots that are to be given up, so that others have their share."""
    bots: list[int]
    """All there are."""


class RollbackDecided(msgspec.Struct, frozen=True):
    by: str
    """Whose account was reversed: 'user' or 'bot'."""


class MoneyMoved(msgspec.Struct, frozen=True):
    id: str
    kind: str
    amount: int
    reference: str
    balance_after: int
    created_at: str
    repeated: bool
    """It was moved before under this reference, and this is the first answer again."""


class KeyCreated(msgspec.Struct, frozen=True):
    name: str
    created_at: str


class PersonReply(msgspec.Struct, frozen=True):
    number: int


class RoomReply(msgspec.Struct, frozen=True):
    id: int


class BotReply(msgspec.Struct, frozen=True):
    number: int


class DeliveriesOpened(msgspec.Struct, frozen=True):
    ids: list[str]
    """In the order of the parts."""


class EndpointReply(msgspec.Struct, frozen=True):
    id: str


class SecretRotated(msgspec.Struct, frozen=True):
    until: int | None
    """Until when the former secret signs too; None: it does not."""


class Queued(msgspec.Struct, frozen=True):
    queued: int
    next: tuple[int, int] | None
    """Where the next portion begins; None: there is none."""


class ItemsImported(msgspec.Struct, frozen=True):
    created: int
    updated: int
    unchanged: int


class OrderListBegun(msgspec.Struct, frozen=True):
    list: int
    """The feed number under which it goes on."""


class OrdersChanged(msgspec.Struct):
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    withdrawn: int = 0


class ItemsMissing(msgspec.Struct, frozen=True):
    missing: int


class StockTaken(msgspec.Struct, frozen=True):
    missing: int
    surplus: int


class WaitingMoved(msgspec.Struct, frozen=True):
    moved: int


class Watched(msgspec.Struct, frozen=True):
    ended: int
