"""Sales as people see them."""

import json
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from selldesk.kernel.refusals import TRADE_NOT_FOUND
from selldesk.kernel.times import wire_time, wire_time_or_none
from selldesk.reads.showing import Showing
from selldesk.store.lists import TradeFilter, list_trades
from selldesk.store.rows import BotFaceRow
from selldesk.store.store import Reader, Row
from selldesk.store.typed import records
from selldesk.trades.trade import Trade, TradeItem
from selldesk.trades.views import HistoryLine, TradeData, TradePage, TradeSnapshot, ViewedBy, trade_data


class Evidence(msgspec.Struct):
    """What Steam answered, as it came."""

    at: str
    kind: Literal["offer", "trade"]
    body: Any


class OperatorTrade(msgspec.Struct):
    trade: TradeData
    project: str
    buyer: str
    stage: str
    due_at: str | None
    steam_trade_status: int | None
    evidence: list[Evidence]


def trades(reader: Reader, showing: Showing, trade_ids: Sequence[str], viewed_by: ViewedBy) -> list[TradeData]:
    """Whole trades, in the order of the ids."""
    found = {trade.id: trade for trade in reader.load_as(Trade, "load_trades", [(trade_id,) for trade_id in trade_ids])}
    return _whole(reader, showing, [found[trade_id] for trade_id in trade_ids if trade_id in found], viewed_by)


def one_trade(reader: Reader, showing: Showing, trade_id: str, viewed_by: ViewedBy) -> TradeData:
    """A single lookup, with its history. Refuses TRADE_NOT_FOUND."""
    key = [(trade_id,)]
    rows, items, faces, history = reader.load_all(
        [("load_trades", key), ("named_items", key), ("bot_faces", {}), ("history_of", {"trade_id": trade_id})]
    )
    if not rows:
        raise TRADE_NOT_FOUND()
    (found,) = _views(showing, records(Trade, rows), items, faces, viewed_by)
    found.history = [HistoryLine(status, wire_time(at), note) for status, at, note in history]
    return found


def trades_page(reader: Reader, showing: Showing, wanted: TradeFilter, viewed_by: ViewedBy) -> TradePage:
    """Page and total, from one moment."""
    rows, total = list_trades(reader, wanted)
    return TradePage(_whole(reader, showing, records(Trade, rows), viewed_by), total, wanted.limit, wanted.offset)


def trades_as_they_were(reader: Reader, showing: Showing, wanted: Sequence[tuple[str, TradeSnapshot, ViewedBy]]) -> list[TradeData]:
    """Sales as they stood after certain steps, in that order. None of them is ever deleted."""
    keys = [(trade_id,) for trade_id in dict.fromkeys(trade_id for trade_id, _, _ in wanted)]
    trades, items, faces = reader.load_all([("load_trades", keys), ("named_items", keys), ("bot_faces", {})])
    now = {trade.id: trade for trade in records(Trade, trades)}
    items_of: dict[str, list[Row]] = {}
    for trade_id, *columns in items:
        items_of.setdefault(trade_id, []).append((trade_id, *columns))
    return [
        view
        for trade_id, snapshot, viewed_by in wanted
        for view in _views(showing, [snapshot.laid_over(now[trade_id])], items_of[trade_id], faces, viewed_by)
    ]


def operator_trade(reader: Reader, showing: Showing, trade_id: str) -> OperatorTrade:
    """With Steam's words as they came. Refuses TRADE_NOT_FOUND."""
    trade = one_trade(reader, showing, trade_id, "seller")
    (sale,) = reader.load_as(Trade, "load_trades", [(trade_id,)])
    evidence = [
        Evidence(wire_time(at), kind, json.loads(body) if body else None)
        for at, kind, body in reader.fetch("evidence_of", trade_id=trade_id)
    ]
    project, buyer = showing.people[sale.project].login, showing.people[sale.buyer].login
    return OperatorTrade(trade, project, buyer, sale.stage, wire_time_or_none(sale.due_at), sale.steam_status, evidence)


def _whole(reader: Reader, showing: Showing, found: Sequence[Trade], viewed_by: ViewedBy) -> list[TradeData]:
    items, faces = reader.load_all([("named_items", [(trade.id,) for trade in found]), ("bot_faces", {})])
    return _views(showing, found, items, faces, viewed_by)


def _views(
    showing: Showing, found: Sequence[Trade], items: Sequence[Row], faces: Sequence[Row], viewed_by: ViewedBy
) -> list[TradeData]:
    items_of: dict[str, list[tuple[TradeItem, str]]] = {trade.id: [] for trade in found}
    for *columns, name in items:
        item = TradeItem(*columns)
        items_of[item.trade_id].append((item, name))
    face_of = {bot.number: showing.face(*bot) for bot in (BotFaceRow(*row) for row in faces)}
    return [
        trade_data(
            trade,
            items_of[trade.id],
            face_of[trade.bot],
            showing.people[trade.buyer].steamid64 or "",
            showing.link(trade) if viewed_by == "seller" else None,
            viewed_by,
        )
        for trade in found
    ]
