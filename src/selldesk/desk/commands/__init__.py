"""Everything that changes the market, as data. A command travels to the desk, is decided there, and is answered.

`alone` commands get a transaction of their own; the others share one with what is waiting (group commit).

One file an area.
"""

from typing import ClassVar

from selldesk.desk.commands.answers import Answer, BatchResult, Feed
from selldesk.desk.commands.base import Command, TradeCommand
from selldesk.desk.commands.bots import (
    AddBot,
    AskStocktake,
    ChangeBot,
    DeclareItem,
    KeepLeases,
    Relieve,
    ReplaceBotSecrets,
    Reseal,
    ResealedBot,
)
from selldesk.desk.commands.limits import SetLimits, SetProjectLimits, SetSeller
from selldesk.desk.commands.market import (
    CloseAlert,
    DropRoom,
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
from selldesk.desk.commands.sales import OpenItem, OpenTrade, OperateTrade

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


class BotNews(Command, frozen=True):
    """News under a lease: refused (LEASE_LOST) if another worker has taken the bot over meanwhile (I13)."""

    alone: ClassVar[bool] = False
    bot: int
    fence: int
    news: News


PersonsCommand = (
    Relieve
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
)


class OnBehalf(Command, frozen=True):
    """A person's command, as an edge brings it: the desk judges on its own rows whether they (still) may. Refusals: INVALID_API_KEY
    (unknown or disabled), FORBIDDEN (none of these roles)."""

    alone: ClassVar[bool] = False
    person: int
    role_bits: int
    command: PersonsCommand


def runs_alone(command: Command) -> bool:
    """Whether the command needs a transaction of its own."""
    if isinstance(command, BotNews):
        return command.news.alone
    return command.command.alone if isinstance(command, OnBehalf) else command.alone


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
)

__all__ = [
    "AddBot",
    "Answer",
    "AnyCommand",
    "AskStocktake",
    "BatchResult",
    "BeginOrders",
    "BotLooked",
    "BotNews",
    "BotReport",
    "ChangeBot",
    "ChangeOrders",
    "ChangePerson",
    "CloseAlert",
    "Command",
    "CreateKey",
    "CreatePerson",
    "DeclareItem",
    "DeleteKey",
    "DropRoom",
    "ExchangeAfterEnd",
    "ExchangeFound",
    "Feed",
    "GiveUp",
    "ImportItems",
    "IntendCancel",
    "IntendSend",
    "KeepLeases",
    "LeftAsset",
    "MoveMoney",
    "News",
    "NotListed",
    "OfferMade",
    "OfferRead",
    "OfferRefused",
    "OfferUnconfirmed",
    "OnBehalf",
    "OpenItem",
    "OpenTrade",
    "OperateTrade",
    "OrderLine",
    "OutcomeUnknown",
    "PersonsCommand",
    "ProofRead",
    "PutOrders",
    "PutRoom",
    "RaiseAlert",
    "Relieve",
    "ReplaceBotSecrets",
    "Reseal",
    "ResealedBot",
    "ResumeGame",
    "ResumeTrading",
    "RolledBack",
    "SetLimits",
    "SetMark",
    "SetProjectLimits",
    "SetSeller",
    "StockRead",
    "StopGame",
    "StopTrading",
    "TradeCommand",
    "TradeRead",
    "UnexplainedExchange",
    "Watch",
    "WithdrawOrders",
    "runs_alone",
]
