"""Everything that changes the market, as data. A command travels to the desk, is decided there, and is answered.

`alone` commands get a transaction of their own; the others share one with what is waiting (group commit).

One file an area.
"""

from typing import Any, ClassVar

import msgspec

from selldesk.desk.commands.answers import Answer, BatchResult, Feed
from selldesk.desk.commands.base import Command, R, TradeCommand, reply_type
from selldesk.desk.commands.bots import (
    AddBot,
    AskStocktake,
    ChangeBot,
    DeclareItem,
    KeepLeases,
    MoveWaiting,
    ReplaceBotSecrets,
    Reseal,
    ResealedBot,
)
from selldesk.desk.commands.deliveries import CancelDelivery, OpenDelivery, SetDeliverTo, SetTradeLink
from selldesk.desk.commands.limits import SetLimits, SetProjectLimits, SetSeller
from selldesk.desk.commands.market import (
    CloseAlert,
    DropRoom,
    ForgetEvents,
    ImportItems,
    PutRoom,
    ResumeGame,
    ResumeTrading,
    SetMark,
    StopGame,
    StopTrading,
    Watch,
)
from selldesk.desk.commands.news import (
    BotLooked,
    BotReport,
    ExchangeAfterEnd,
    ExchangeFound,
    GiveUp,
    IntendCancel,
    IntendSend,
    LeftAsset,
    NotListed,
    OfferMade,
    OfferRead,
    OfferRefused,
    OfferUnconfirmed,
    OutcomeUnknown,
    ProofRead,
    RaiseAlert,
    RolledBack,
    StockRead,
    TradeRead,
    UnexplainedExchange,
)
from selldesk.desk.commands.orders import BeginOrders, ChangeOrders, OrderLine, PutOrders, WithdrawOrders
from selldesk.desk.commands.people import ChangePerson, CreateKey, CreatePerson, DeleteKey, MoveMoney
from selldesk.desk.commands.replies import (
    BotReply,
    DeliveriesOpened,
    Done,
    EndpointReply,
    ItemsImported,
    ItemsMissing,
    KeyCreated,
    LeasesKept,
    MoneyMoved,
    OrderListBegun,
    OrdersChanged,
    PersonReply,
    Queued,
    RollbackDecided,
    RoomReply,
    SecretRotated,
    StockTaken,
    TradeOpened,
    TradeReply,
    WaitingMoved,
    Watched,
)
from selldesk.desk.commands.sales import OpenItem, OpenTrade, OperateTrade
from selldesk.desk.commands.webhooks import (
    AddEndpoint,
    ChangeEndpoint,
    DisableEndpoint,
    DropEndpoint,
    Recover,
    Redeliver,
    ResealEndpoint,
    RotateSecret,
)

News = (
    ProofRead
    | IntendSend
    | OfferMade
    | OfferRefused
    | OfferUnconfirmed
    | OutcomeUnknown
    | NotListed
    | OfferRead
    | ExchangeFound
    | ExchangeAfterEnd
    | UnexplainedExchange
    | StockRead
    | TradeRead
    | RaiseAlert
    | RolledBack
    | IntendCancel
    | GiveUp
    | BotReport
    | BotLooked
)


class BotNews(Command[Any], frozen=True, kw_only=True):
    """News under a lease: refused (LEASE_LOST) if another worker has taken the bot over meanwhile (I13)."""

    alone: ClassVar[bool] = False
    bot: int
    fence: int
    news: News


PersonsCommand = (
    MoveWaiting
    | AskStocktake
    | DeclareItem
    | OperateTrade
    | CloseAlert
    | SetLimits
    | SetProjectLimits
    | SetSeller
    | StopGame
    | ResumeGame
    | StopTrading
    | ResumeTrading
    | CreatePerson
    | ChangePerson
    | CreateKey
    | DeleteKey
    | MoveMoney
    | PutRoom
    | DropRoom
    | AddBot
    | ReplaceBotSecrets
    | ChangeBot
    | ImportItems
    | AddEndpoint
    | ChangeEndpoint
    | DropEndpoint
    | RotateSecret
    | Redeliver
    | Recover
    | OpenDelivery
    | CancelDelivery
    | SetTradeLink
    | SetDeliverTo
)


class OnBehalf(Command[Any], frozen=True, kw_only=True):
    """A person's command, as an edge brings it: the desk judges on its own rows whether they (still) may. Refusals: INVALID_API_KEY
    (unknown or disabled), FORBIDDEN (none of these roles)."""

    alone: ClassVar[bool] = False
    person: int
    role_bits: int
    command: PersonsCommand


def runs_alone(command: Command[Any]) -> bool:
    """Whether the command needs a transaction of its own."""
    if isinstance(command, BotNews):
        return command.news.alone
    return command.command.alone if isinstance(command, OnBehalf) else command.alone


def reply_of(command: Command[R], value: Any) -> R:
    """The desk's answer to this command, as it came over the wire, in its own type."""
    inner: Command[Any] = command
    if isinstance(command, BotNews):
        inner = command.news
    elif isinstance(command, OnBehalf):
        inner = command.command
    reply: R = msgspec.convert(value, reply_type(type(inner)))
    return reply


AnyCommand = (
    PersonsCommand
    | OpenTrade
    | BotNews
    | OnBehalf
    | News
    | KeepLeases
    | Watch
    | PutOrders
    | WithdrawOrders
    | BeginOrders
    | ChangeOrders
    | Reseal
    | SetMark
    | ForgetEvents
    | DisableEndpoint
    | ResealEndpoint
)

__all__ = [
    "AddBot",
    "AddEndpoint",
    "Answer",
    "AnyCommand",
    "AskStocktake",
    "BatchResult",
    "BeginOrders",
    "BotLooked",
    "BotNews",
    "BotReply",
    "BotReport",
    "CancelDelivery",
    "ChangeBot",
    "ChangeEndpoint",
    "ChangeOrders",
    "ChangePerson",
    "CloseAlert",
    "Command",
    "CreateKey",
    "CreatePerson",
    "DeclareItem",
    "DeleteKey",
    "DeliveriesOpened",
    "DisableEndpoint",
    "Done",
    "DropEndpoint",
    "DropRoom",
    "EndpointReply",
    "ExchangeAfterEnd",
    "ExchangeFound",
    "Feed",
    "ForgetEvents",
    "GiveUp",
    "ImportItems",
    "IntendCancel",
    "IntendSend",
    "ItemsImported",
    "ItemsMissing",
    "KeepLeases",
    "KeyCreated",
    "LeasesKept",
    "LeftAsset",
    "MoneyMoved",
    "MoveMoney",
    "MoveWaiting",
    "News",
    "NotListed",
    "OfferMade",
    "OfferRead",
    "OfferRefused",
    "OfferUnconfirmed",
    "OnBehalf",
    "OpenDelivery",
    "OpenItem",
    "OpenTrade",
    "OperateTrade",
    "OrderLine",
    "OrderListBegun",
    "OrdersChanged",
    "OutcomeUnknown",
    "PersonReply",
    "PersonsCommand",
    "ProofRead",
    "PutOrders",
    "PutRoom",
    "Queued",
    "R",
    "RaiseAlert",
    "Recover",
    "Redeliver",
    "ReplaceBotSecrets",
    "Reseal",
    "ResealEndpoint",
    "ResealedBot",
    "ResumeGame",
    "ResumeTrading",
    "RollbackDecided",
    "RolledBack",
    "RoomReply",
    "RotateSecret",
    "SecretRotated",
    "SetDeliverTo",
    "SetLimits",
    "SetMark",
    "SetProjectLimits",
    "SetSeller",
    "SetTradeLink",
    "StockRead",
    "StockTaken",
    "StopGame",
    "StopTrading",
    "TradeCommand",
    "TradeOpened",
    "TradeRead",
    "TradeReply",
    "UnexplainedExchange",
    "WaitingMoved",
    "Watch",
    "Watched",
    "WithdrawOrders",
    "reply_of",
    "runs_alone",
]
