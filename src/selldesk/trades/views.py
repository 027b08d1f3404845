"""A sale as its readers see it: the document's TradeData, with our additions (readings R5)."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from selldesk.kernel.money import divide_half_up
from selldesk.kernel.times import wire_time, wire_time_or_none
from selldesk.offers.stages import OFFER_STATES
from selldesk.trades.status import SUCCESSFUL, SUMMARIES, Status
from selldesk.trades.trade import Trade, TradeItem

MARKET = "market-vpsbot"
"""The document's constant: clients compare it."""


class ReceivedItem(msgspec.Struct):
    """assetid and contextid as the seller sent them; `new_*` are null until Steam tells them."""

    appid: int
    contextid: str
    assetid: str
    market_hash_name: str
    amount: str
    price: int
    new_assetid: str | None
    new_contextid: str | None


class ProcessedTrade(msgspec.Struct):
    """`status` is Steam's offer state 1–12, or 13 MissingItems; `trade_status` its name; null before Steam gives one."""

    market: str
    trade_id: str | None
    tradeoffer_id: str | None
    request_id: str
    partner_id: str | None
    items_to_give: list[ReceivedItem]
    items_to_receive: list[ReceivedItem]
    status: int | None
    trade_status: str | None
    game_id: int
    settlement: str | None


class SelectedBot(msgspec.Struct):
    steamid64: str
    avatar: str
    profile_name: str


class HistoryLine(msgspec.Struct):
    status: str
    at: str
    note: str


class TradeData(msgspec.Struct):
    """One sale. Money in thousandths of a dollar. `history` only on single lookups."""

    trade_id: str
    custom_id: str | None
    summary: str
    processed_trade: ProcessedTrade
    selected_bot: SelectedBot
    status: str
    created_at: str | None
    updated_at: str | None
    error: str | None
    buyer_id: str
    total_value: int
    fee: int
    expires_at: str | None
    offer_url: str | None
    version: int
    history: list[HistoryLine] | UnsetType = UNSET


class TradeSnapshot(msgspec.Struct, array_like=True, frozen=True):
    """What may change of a sale, as it stood after one step: an event of it never shows a later status (people P2)."""

    status: Status
    error: str | None
    version: int
    updated_at: int
    bot: int
    offer_id: str | None
    offer_state: int | None
    expires_at: int | None
    steam_trade_id: str | None
    settlement: int | None

    @classmethod
    def of(cls, trade: Trade) -> "TradeSnapshot":
        return cls(*_WHAT_CHANGES(trade))

    def laid_over(self, trade: Trade) -> Trade:
        """The sale as it was then."""
        return msgspec.structs.replace(trade, **msgspec.structs.asdict(self))


_WHAT_CHANGES = attrgetter(*TradeSnapshot.__struct_fields__)


class TradePage(msgspec.Struct):
    trades: list[TradeData]
    total: int
    limit: int
    offset: int


class Dashboard(msgspec.Struct):
    """Sums over a project's trades (R6). Successful are accepted and completed ones."""

    total_transactions: int
    total_volume: int
    total_revenue: int
    avg_transaction: int
    success_rate: float
    accepted_count: int
    completed_count: int
    processing_count: int
    error_count: int
    cancelled_count: int
    declined_count: int
    rolled_back_by_user_count: int
    rolled_back_by_bot_count: int


ViewedBy = Literal["seller", "buyer"]


def trade_data(
    trade: Trade,
    items: Sequence[tuple[TradeItem, str]],
    bot: SelectedBot,
    buyer_id: str,
    tradelink: str | None,
    viewed_by: ViewedBy = "seller",
) -> TradeData:
    """`items` with their names, in order. The buyer's viewed_by doesn't see what is the seller's: custom id, trade link, offer."""
    sellers = viewed_by == "seller"
    received = [
        ReceivedItem(trade.game, item.contextid, item.assetid, name, "1", item.price, item.new_assetid, item.new_contextid)
        for item, name in items
    ]
    status = Status(trade.status)
    return TradeData(
        trade_id=trade.id,
        custom_id=trade.custom_id if sellers else None,
        summary=SUMMARIES[status],
        processed_trade=ProcessedTrade(
            market=MARKET,
            trade_id=_steam_trade_id(trade, sellers),
            tradeoffer_id=trade.offer_id,
            request_id=trade.id,
            partner_id=tradelink if sellers else None,
            items_to_give=[],
            items_to_receive=received,
            status=trade.offer_state,
            trade_status=OFFER_STATES.get(trade.offer_state) if trade.offer_state is not None else None,
            game_id=trade.game,
            settlement=wire_time_or_none(trade.settlement),
        ),
        selected_bot=bot,
        status=status.value,
        created_at=wire_time(trade.created_at),
        updated_at=wire_time(trade.updated_at),
        error=trade.error,
        buyer_id=buyer_id,
        total_value=trade.value,
        fee=trade.fee,
        expires_at=wire_time_or_none(trade.expires_at),
        offer_url=f"https://steamcommunity.com/tradeoffer/{trade.offer_id}/" if sellers and trade.offer_id else None,
        version=trade.version,
    )


def _steam_trade_id(trade: Trade, for_seller: bool) -> str | None:
    """The suffix names the seller, who is the seller's own affair (contract C2)."""
    if trade.steam_trade_id is None or not for_seller:
        return trade.steam_trade_id
    return f"{trade.steam_trade_id}_{trade.seller}"


def dashboard(sums: Sequence[tuple[str, int, int]]) -> Dashboard:
    """From (status, trades, value) per status, any number of rows each."""
    counts: dict[Status, int] = dict.fromkeys(Status, 0)
    volume = 0
    for name, trades, value in sums:
        status = Status(name)
        counts[status] += trades
        if status in SUCCESSFUL:
            volume += value
    total = sum(counts.values())
    successful = sum(counts[status] for status in SUCCESSFUL)
    return Dashboard(
        total_transactions=total,
        total_volume=volume,
        total_revenue=volume,
        avg_transaction=divide_half_up(volume, total) if total else 0,
        success_rate=divide_half_up(successful * 10_000, total) / 100 if total else 0.0,
        accepted_count=counts[Status.ACCEPTED],
        completed_count=counts[Status.COMPLETED],
        processing_count=counts[Status.PROCESSING],
        error_count=counts[Status.ERROR],
        cancelled_count=counts[Status.CANCELLED],
        declined_count=counts[Status.DECLINED],
        rolled_back_by_user_count=counts[Status.ROLLED_BACK_BY_USER],
        rolled_back_by_bot_count=counts[Status.ROLLED_BACK_BY_BOT],
    )
