"""Everything that changes the market, as data. A command travels to the desk, is decided there, and is answered.

`alone` commands get a transaction of their own; the others share one with what is waiting (group commit).
"""

from typing import Any, ClassVar

import msgspec

from selldesk.bots.rooms import Room
from selldesk.bots.stock import OwnAsset
from selldesk.sellers.limits import MarketLimits, ProjectLimits
from selldesk.trades.news import OfferWord, Proof, Refusal, TradeWord


class Command(msgspec.Struct, tag=True, frozen=True):
    alone: ClassVar[bool] = True


class TradeCommand(Command, frozen=True):
    """News or orders about one existing trade."""

    alone: ClassVar[bool] = False
    trade_id: str


# -- selling -----------------------------------------------------------------------------------------------------------


class OpenItem(msgspec.Struct, array_like=True, frozen=True):
    item: int
    """Catalog number, or UNKNOWN_ITEM."""
    name: str
    contextid: str
    assetid: str
    price: int


class OpenTrade(Command, frozen=True):
    """`POST /api/sell/trades/create`, its body checked and its names resolved. Refusals: R3's list, in its order."""

    alone: ClassVar[bool] = False
    trade_id: str
    project: int
    custom_id: str
    game: int
    buyer: int | None
    """None: no such buyer."""
    mismatch: bool
    """The API process's verdict: another candidate pays strictly more, and no quote covers it."""
    seller: str
    tradelink: str
    message: str
    items: list[OpenItem]


# -- a bot's news ------------------------------------------------------------------------------------------------------


class ProofRead(TradeCommand, frozen=True):
    """The seller's inventory was read. `classes`: (classid, instanceid) per item, in their order, if all is as named."""

    proof: Proof
    text: str
    began_at: int
    classes: list[tuple[str, str]] = []
    properties: list[str | None] = []
    """Float, seed and the like of each item, as JSON, where Steam told any: they tell equal items apart later."""
    looked_at: int | None = None
    """When the last look at history and offers began that showed nothing of a doubted send; None: there was none."""


class IntendSend(TradeCommand, frozen=True):
    """May this offer go out now? Answers {granted}; a granted intent is on record before Steam is asked."""


class OfferMade(TradeCommand, frozen=True):
    offer_id: str
    needs_confirmation: bool


class OfferRefused(TradeCommand, frozen=True):
    why: Refusal
    text: str
    seller: str
    """So that another bot's load with him can be looked up."""
    looked_at: int | None = None


class OfferUnconfirmed(TradeCommand, frozen=True):
    """The bot's own confirmation of its offer did not go through (yet)."""


class OutcomeUnknown(TradeCommand, frozen=True):
    """The answer to a send was lost, or a process died during one."""


class NotListed(TradeCommand, frozen=True):
    """A complete list of the bot's sent offers, whose reading began then, does not hold ours."""

    began_at: int


class OfferRead(TradeCommand, frozen=True):
    offer: OfferWord
    raw: str
    looked_at: int | None = None


class ExchangeFound(TradeCommand, frozen=True):
    """The bot's trade history holds the exchange, though the answer to the send was lost."""

    steam_trade_id: str
    raw: str


class TradeRead(TradeCommand, frozen=True):
    """GetTradeStatus; `word` None: Steam has no entry (yet)."""

    word: TradeWord | None
    began_at: int
    raw: str


class ExchangeAfterEnd(TradeCommand, frozen=True):
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


class UnexplainedExchange(Command, frozen=True):
    """Items changed hands by an offer or exchange that no sale of ours explains: what left is missing, and a human is told. Once, whether it
    is seen as an offer or as an exchange first."""

    bot: int
    what: str
    offer_id: str | None
    steam_trade_id: str | None
    given: list[LeftAsset]
    received: int


class StockRead(Command, frozen=True):
    """A bot's own inventory of one game, read to its end, which began then. `is_last`: all games of this stocktake are told now."""

    bot: int
    game: int
    assets: list[OwnAsset]
    began_at: int
    is_last: bool


class AskStocktake(Command, frozen=True):
    """Compare a bot's inventory with the store now. `operator` None: it is the hour for it."""

    bot: int
    operator: str | None = None


class DeclareItem(Command, frozen=True):
    """`declare-delivered` or `declare-found` of one item, by its `item_id`."""

    operator: str
    item_id: str
    action: str
    reason: str


class RolledBack(Command, frozen=True):
    """Readings of a bot's unsettled trades, at least one of them reversed. `readings`: (trade id, Steam's trade status)."""

    alone: ClassVar[bool] = False
    bot: int
    readings: list[tuple[str, int]]
    complete: bool
    """Whether every unsettled protected trade of the bot is among them."""


class IntendCancel(TradeCommand, frozen=True):
    """The offer's time is up. Answers {granted}."""


class GiveUp(TradeCommand, frozen=True):
    """No offer is out in time; ends the trade if none can exist."""

    looked_at: int | None = None


class BotReport(Command, frozen=True):
    """A bot's health, or new tokens (encrypted). A quarantine outlasts it."""

    bot: int
    state: str | None = None
    reason: str | None = None
    tokens: bytes | None = None


class KeepLeases(Command, frozen=True):
    """A worker process is alive: renews its leases and takes its share of the bots. Answers {held: [[bot, fence]], let_go, bots}."""

    worker: str
    released: list[int] = []
    """Bots that it has stopped working for."""
    leaves: bool = False
    seal_format: int | None = None
    """The newest seals that its release can read; None: the first."""


class Relieve(Command, frozen=True):
    """A bot can't send: its trades for which no offer can exist move to other bots of their rooms (R7)."""

    bot: int


# -- operators on trades -----------------------------------------------------------------------------------------------


class OperateTrade(TradeCommand, frozen=True):
    """`cancel`, `retry`, `declare-accepted`, `declare-failed`, `declare-completed`, `declare-rolled-back` (contract C4)."""

    operator: str
    action: str
    reason: str
    by: str | None = None
    force: bool = False


class RaiseAlert(Command, frozen=True):
    """Something that a human should look at; one of a kind stays open per trade."""

    kind: str
    text: str
    bot: int | None
    trade_id: str | None


class CloseAlert(Command, frozen=True):
    operator: str
    alert_id: str
    reason: str


class Watch(Command, frozen=True):
    """What the desk's own clock found to be done (desk/watching.py). All of it is judged again on the rows of the transaction."""

    end: list[str]
    overdue: list[str]
    close: list[tuple[str, str]]
    open: list[tuple[str, int | None, str]]
    stocktakes: list[int]


class SetLimits(Command, frozen=True):
    """The market's limits, whole (people P6)."""

    operator: str
    limits: MarketLimits


class SetProjectLimits(Command, frozen=True):
    """What one project has of its own; nothing set: the market's."""

    operator: str
    person_id: str
    limits: ProjectLimits


class SetSeller(Command, frozen=True):
    """`normal`, `trusted` or `blocked`, until then or until it is changed."""

    operator: str
    steamid64: str
    status: str
    reason: str
    until: int | None = None


class StopGame(Command, frozen=True):
    """Nothing new of one game begins."""

    operator: str
    game: int
    reason: str


class ResumeGame(Command, frozen=True):
    operator: str
    game: int
    reason: str


class StopTrading(Command, frozen=True):
    """Nothing new begins. `known_seq`: a batch that was seen committed and that the store has lost. `history_lost`: an operator says that it
    lost some."""

    operator: str
    reason: str
    known_seq: int | None = None
    history_lost: bool = False


class ResumeTrading(Command, frozen=True):
    operator: str
    reason: str
    force: bool = False


class BotLooked(Command, frozen=True):
    """While trading is stopped: the bot's whole list of offers was compared with the store."""

    bot: int


# -- buyers' orders ----------------------------------------------------------------------------------------------------


class OrderLine(msgspec.Struct, array_like=True, frozen=True):
    item: int
    price: int
    amount: int


class PutOrders(Command, frozen=True):
    """A whole `PUT /api/buy/orders`, its lines checked. The desk works it off in portions, creates in between."""

    buyer: int
    game: int
    replace: bool
    lines: list[OrderLine]
    keep: list[int]
    """Items of rejected lines: under `replace` their orders stay as they are."""


class WithdrawOrders(Command, frozen=True):
    buyer: int
    game: int
    items: list[int] | None
    """None: all of the game."""


class BeginOrders(Command, frozen=True):
    """The beginning of one of the two commands above: what is left of an older one for this buyer and game, at whatever desk, is not
    carried out any more. Answers {list}."""

    buyer: int
    game: int


class ChangeOrders(Command, frozen=True):
    """One portion of them: first what is withdrawn, then what is put. Refusal: LIST_SUPERSEDED."""

    buyer: int
    game: int
    withdraw: list[int]
    put: list[OrderLine]
    list_seq: int | None = None
    """What `BeginOrders` answered; None: a change that belongs to no list, or is a whole one (`begins`)."""
    begins: bool = False


# -- people and money --------------------------------------------------------------------------------------------------


class CreatePerson(Command, frozen=True):
    operator: str
    id: str
    login: str
    roles: int
    first_name: str | None = None
    last_name: str | None = None
    avatar: str | None = None
    steamid64: str | None = None


class ChangePerson(Command, frozen=True):
    """Only what is given changes (msgspec's UNSET is not on this wire: None means 'as it is')."""

    operator: str
    person_id: str
    roles: int | None = None
    disabled: bool | None = None
    frozen: bool | None = None
    steamid64: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    avatar: str | None = None


class CreateKey(Command, frozen=True):
    person: int
    name: str
    key_hash: str
    operator: str | None = None


class DeleteKey(Command, frozen=True):
    person: int
    name: str
    operator: str | None = None


class MoveMoney(Command, frozen=True):
    """`deposit`, `withdrawal` or `adjustment` (amount may be negative), once per reference."""

    operator: str
    person: int
    direction: str
    amount: int
    reference: str
    reason: str | None = None
    trade_id: str | None = None


# -- rooms, bots, catalog ----------------------------------------------------------------------------------------------


class PutRoom(Command, frozen=True):
    """Creates (id None) or replaces a room."""

    operator: str
    id: int | None
    name: str
    game: int | None
    min_value: int | None
    max_value: int | None
    buyers: list[int] | None
    bots: list[int] | None
    priority: int
    enabled: bool


class DropRoom(Command, frozen=True):
    operator: str
    id: int


class AddBot(Command, frozen=True):
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


class ReplaceBotSecrets(Command, frozen=True):
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


class Reseal(Command, frozen=True):
    """The same secrets under another seal. What was changed meanwhile stays as it is.

    `begins`: from now on seals are bound to their places, which earlier releases can't read (kernel/secretbox.py)."""

    operator: str
    begins: bool
    bots: list[ResealedBot]
    links: list[tuple[str, str, str]]
    """(trade, the link as it stands, as it will)."""


class ChangeBot(Command, frozen=True):
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


class ImportItems(Command, frozen=True):
    """One portion of a catalog: (name, reference price or None)."""

    operator: str
    game: int
    items: list[tuple[str, int | None]]


class SetMark(Command, frozen=True):
    name: str
    value: str


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
"""What a bot's worker may say."""


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
"""What a person may ask for."""


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
    OpenTrade
    | BotNews
    | OnBehalf
    | News
    | KeepLeases
    | Relieve
    | AskStocktake
    | DeclareItem
    | OperateTrade
    | CloseAlert
    | Watch
    | SetLimits
    | SetProjectLimits
    | SetSeller
    | StopGame
    | ResumeGame
    | StopTrading
    | ResumeTrading
    | PutOrders
    | WithdrawOrders
    | BeginOrders
    | ChangeOrders
    | CreatePerson
    | ChangePerson
    | CreateKey
    | DeleteKey
    | MoveMoney
    | PutRoom
    | DropRoom
    | AddBot
    | ReplaceBotSecrets
    | Reseal
    | ChangeBot
    | ImportItems
    | SetMark
)


class Answer(msgspec.Struct, frozen=True):
    """The desk's answer: a value, or a refusal that `kernel.refusals` declares."""

    value: dict[str, Any] | None = None
    status: int = 200
    code: str = ""
    text: str = ""
    cause: str | None = None
    """Which of several reasons a refusal had: for the metrics."""
    details: list[dict[str, str]] | None = None


class Feed(msgspec.Struct, array_like=True):
    """What one batch changed, for everybody who follows the market."""

    seq: int
    orders: list[tuple[int, int, int, int]] = []
    """(item, buyer, price, remaining); remaining 0: no longer for sale."""
    funds: list[tuple[int, int]] = []
    """(person, available)"""
    people: list[tuple[int, str, str, str | None, int, int, int]] = []
    """Person rows, whole."""
    rooms: bool = False
    items: list[tuple[int, int, str]] = []
    """New catalog items: (number, game, name)."""
    trades: list[str] = []
    """Trades that moved."""
    bots: list[int] = []
    """Bots that have something new to do."""
    keys: list[int] = []
    """People whose keys, roles or state changed: forget what is remembered of them."""
    stamp: int = 0
    """A number that no other batch has; 0: an older version wrote it."""
    after: int = 0
    """The stamp of the batch before this one; 0: not known. Whoever knows another one follows a history that was lost."""
    room_list: list[Room] | None = None
    """With `rooms`: all of them, as they are now; None: an older version's desk."""


class BatchResult(msgspec.Struct):
    """What the desk sends when a batch is through: the feed (None: nothing changed) and the answers in the commands' order."""

    feed: Feed | None
    answers: list[Answer]
