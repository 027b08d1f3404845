"""What a bot learned or is about to do: the worker's side of a sale."""

from typing import ClassVar

import msgspec

from selldesk.bots.stock import OwnAsset
from selldesk.desk.commands.base import Command, TradeCommand
from selldesk.desk.commands.replies import Done, ItemsMissing, RollbackDecided, StockTaken
from selldesk.offers.words import OfferWord, Proof, SendRefusal, TradeWord


class ProofRead(TradeCommand, frozen=True, kw_only=True):
    """The seller's inventory was read. `classes`: (classid, instanceid) per item, in their order, if all is as named."""

    proof: Proof
    text: str
    began_at: int
    classes: list[tuple[str, str]] = msgspec.field(default_factory=list)
    properties: list[str | None] = msgspec.field(default_factory=list)
    """Float, seed and the like of each item, as JSON, where Steam told any: they tell equal items apart later."""
    looked_at: int | None = None
    """When the last look at history and offers began that showed nothing of a doubted send; None: there was none."""


class IntendSend(TradeCommand, frozen=True, kw_only=True):
    """May this offer go out now? Answers {granted}; a granted intent is on record before Steam is asked."""


class OfferMade(TradeCommand, frozen=True, kw_only=True):
    offer_id: str
    needs_confirmation: bool


class OfferRefused(TradeCommand, frozen=True, kw_only=True):
    why: SendRefusal
    text: str
    seller: str
    """So that another bot's load with them can be looked up."""
    looked_at: int | None = None


class OfferUnconfirmed(TradeCommand, frozen=True, kw_only=True):
    """The bot's own confirmation of its offer did not go through (yet)."""


class OutcomeUnknown(TradeCommand, frozen=True, kw_only=True):
    """The answer to a send was lost, or a process died during one."""


class NotListed(TradeCommand, frozen=True, kw_only=True):
    """A complete list of the bot's sent offers, whose reading began then, does not hold ours."""

    began_at: int


class OfferRead(TradeCommand, frozen=True, kw_only=True):
    offer: OfferWord
    raw: str
    looked_at: int | None = None


class ExchangeFound(TradeCommand, frozen=True, kw_only=True):
    """The bot's trade history holds the exchange, though the answer to the send was lost."""

    steam_trade_id: str
    raw: str


class TradeRead(TradeCommand, frozen=True, kw_only=True):
    """GetTradeStatus; `word` None: Steam has no entry (yet)."""

    word: TradeWord | None
    began_at: int
    raw: str


class ExchangeAfterEnd(TradeCommand, frozen=True, kw_only=True):
    """An exchange of exactly this sale's items with its seller, though the sale was released."""

    steam_trade_id: str
    text: str


class LeftAsset(msgspec.Struct, array_like=True, frozen=True):
    """What Steam says of an asset that left a bot."""

    game: int
    contextid: str
    assetid: str
    classid: str | None
    instanceid: str | None


class UnexplainedExchange(Command[ItemsMissing], frozen=True, kw_only=True):
    """Items changed hands by an offer or exchange that no sale of ours explains: what left is missing, and a human is told. Once, whether it
    is seen as an offer or as an exchange first."""

    bot: int
    what: str
    offer_id: str | None
    steam_trade_id: str | None
    given: list[LeftAsset]
    received: int


class StockRead(Command[StockTaken], frozen=True, kw_only=True):
    """A bot's own inventory of one game, read to its end, which began then. `is_last`: all games of this stocktake are told now."""

    bot: int
    game: int
    assets: list[OwnAsset]
    began_at: int
    is_last: bool


class RolledBack(Command[RollbackDecided], frozen=True, kw_only=True):
    """Readings of a bot's unsettled trades, at least one of them reversed. `readings`: (trade id, Steam's trade status)."""

    alone: ClassVar[bool] = False
    bot: int
    readings: list[tuple[str, int]]
    complete: bool
    """Whether every unsettled protected trade of the bot is among them."""


class IntendCancel(TradeCommand, frozen=True, kw_only=True):
    """The offer's time is up. Answers {granted}."""


class GiveUp(TradeCommand, frozen=True, kw_only=True):
    """No offer is out in time; ends the trade if none can exist."""

    looked_at: int | None = None


class BotReport(Command[Done], frozen=True, kw_only=True):
    """A bot's health, or new tokens (encrypted). A quarantine outlasts it."""

    bot: int
    state: str | None = None
    reason: str | None = None
    tokens: bytes | None = None


class RaiseAlert(Command[Done], frozen=True, kw_only=True):
    """Something that a human should look at; one of a kind stays open per trade."""

    kind: str
    text: str
    bot: int | None
    trade_id: str | None


class BotLooked(Command[Done], frozen=True, kw_only=True):
    """While trading is stopped: the bot's whole list of offers was compared with the store."""

    bot: int
