"""Bots: who works for them, their records and items."""

import msgspec

from selldesk.desk.commands.base import Command
from selldesk.desk.commands.replies import BotReply, Done, LeasesKept, WaitingMoved


class AskStocktake(Command[Done], frozen=True, kw_only=True):
    """Compare a bot's inventory with the store now. `operator` None: it is the hour for it."""

    bot: int
    operator: str | None = None


class DeclareItem(Command[Done], frozen=True, kw_only=True):
    """`declare-delivered` or `declare-found` of one item, by its `item_id`."""

    operator: str
    item_id: str
    action: str
    reason: str


class KeepLeases(Command[LeasesKept], frozen=True, kw_only=True):
    """A worker process is alive: renews its leases and takes its share of the bots. Answers {held: [[bot, fence]], let_go, bots}."""

    worker: str
    released: list[int] = msgspec.field(default_factory=list)
    """Bots that it has stopped working for."""
    leaves: bool = False
    seal_format: int | None = None
    """The newest seals that its release can read; None: the first."""


class MoveWaiting(Command[WaitingMoved], frozen=True, kw_only=True):
    """A bot can't send: its trades for which no offer can exist move to other bots of their rooms (R7)."""

    bot: int


class AddBot(Command[BotReply], frozen=True, kw_only=True):
    operator: str
    steamid64: str
    account_name: str
    secrets: bytes
    """Encrypted."""
    tokens: bytes | None
    profile_name: str | None
    avatar: str | None
    games: list[int] | None
    live_offers_max: int
    seller_offers_max: int
    items_max: int


class ReplaceBotSecrets(Command[BotReply], frozen=True, kw_only=True):
    """A changed password or a new authenticator. `tokens` None: the known ones stay."""

    operator: str
    number: int
    secrets: bytes
    """Encrypted."""
    tokens: bytes | None = None
    forgets_tokens: bool = False
    """The known ones can't be opened."""


class ResealedBot(msgspec.Struct, array_like=True, frozen=True):
    """What stands in the store, and what takes its place."""

    number: int
    old_secrets: bytes
    old_tokens: bytes | None
    secrets: bytes
    tokens: bytes | None


class Reseal(Command[Done], frozen=True, kw_only=True):
    """The same secrets under another seal. What was changed meanwhile stays as it is.

    `begins`: from now on seals are bound to their places, which earlier releases can't read (kernel/secretbox.py)."""

    operator: str
    begins: bool
    bots: list[ResealedBot]
    links: list[tuple[str, str, str]]
    """(trade, the link as it stands, as it will)."""


class ChangeBot(Command[BotReply], frozen=True, kw_only=True):
    """Only what is given changes."""

    operator: str
    number: int
    enabled: bool | None = None
    profile_name: str | None = None
    avatar: str | None = None
    games: list[int] | None = None
    all_games: bool = False
    """Takes a restriction to some games back."""
    live_offers_max: int | None = None
    seller_offers_max: int | None = None
    items_max: int | None = None
