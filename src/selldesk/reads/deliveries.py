"""Deliveries as their buyers and operators see them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from selldesk.deliveries.delivery import Delivery, DeliveryItem, link_place
from selldesk.deliveries.views import DeliveryData, DeliveryPage, DeliverySnapshot, delivery_data
from selldesk.kernel.refusals import DELIVERY_NOT_FOUND
from selldesk.kernel.secretbox import CannotOpen
from selldesk.kernel.times import wire_time, wire_time_or_none
from selldesk.reads.showing import Showing
from selldesk.reads.trades import Evidence
from selldesk.store.rows import BotFaceRow
from selldesk.store.store import Reader, Row
from selldesk.store.typed import records
from selldesk.trades.views import HistoryLine


class OperatorDelivery(msgspec.Struct):
    delivery: DeliveryData
    buyer: str
    stage: str
    due_at: str | None
    steam_trade_status: int | None
    evidence: list[Evidence]


@dataclass
class DeliveryFilter:
    """What a list asks for; None: not filtered. Times in microseconds."""

    buyer: int | None = None
    status: str | None = None
    game: int | None = None
    custom_id: str | None = None
    date_from: int | None = None
    date_to: int | None = None
    updated_from: int | None = None
    updated_to: int | None = None


def deliveries(reader: Reader, showing: Showing, ids: Sequence[str]) -> list[DeliveryData]:
    """In the order of the ids."""
    found = {one.id: one for one in reader.load_as(Delivery, "load_deliveries", [(one,) for one in ids])}
    return _views(reader, showing, [found[one] for one in ids if one in found])


def deliveries_page(reader: Reader, showing: Showing, wanted: DeliveryFilter, limit: int, offset: int) -> DeliveryPage:
    """Page and total, from one moment. The latest first."""
    asked = vars(wanted)
    with reader.snapshot():
        total = reader.value("deliveries_count", **asked)
        ids = reader.column("deliveries_page", **asked, limit=limit, offset=offset)
        return DeliveryPage(deliveries(reader, showing, ids), total, limit, offset)


def one_delivery(reader: Reader, showing: Showing, delivery_id: str, buyer: int | None) -> DeliveryData:
    """With its history. Another's is like an unknown one: refuses DELIVERY_NOT_FOUND."""
    with reader.snapshot():
        found = reader.load_as(Delivery, "load_deliveries", [(delivery_id,)])
        if not found or buyer not in (None, found[0].buyer):
            raise DELIVERY_NOT_FOUND()
        (view,) = _views(reader, showing, found)
        steps = reader.fetch("steps_of_delivery", delivery_id=delivery_id)
    view.history = [HistoryLine(status, wire_time(at), note) for status, at, note in steps]
    return view


def operator_delivery(reader: Reader, showing: Showing, delivery_id: str) -> OperatorDelivery:
    """With Steam's words as they came. Refuses DELIVERY_NOT_FOUND."""
    view = one_delivery(reader, showing, delivery_id, None)
    (delivery,) = reader.load_as(Delivery, "load_deliveries", [(delivery_id,)])
    evidence = [
        Evidence(wire_time(at), kind, json.loads(body) if body else None)
        for at, kind, body in reader.fetch("evidence_of", trade_id=delivery_id)
    ]
    return OperatorDelivery(
        view,
        showing.people[delivery.buyer].login,
        delivery.stage,
        wire_time_or_none(delivery.due_at),
        delivery.steam_status,
        evidence,
    )


def deliveries_as_they_were(reader: Reader, showing: Showing, wanted: Sequence[tuple[str, DeliverySnapshot]]) -> list[DeliveryData]:
    """As they stood after certain steps, in that order."""
    keys = [(one,) for one in dict.fromkeys(one for one, _ in wanted)]
    now = {one.id: one for one in reader.load_as(Delivery, "load_deliveries", keys)}
    return _views(reader, showing, [snapshot.laid_over(now[one]) for one, snapshot in wanted])


def _views(reader: Reader, showing: Showing, found: Sequence[Delivery]) -> list[DeliveryData]:
    keys = [(one,) for one in dict.fromkeys(one.id for one in found)]
    rows: list[Row]
    rows, faces = reader.load_all([("named_delivery_items", keys), ("bot_faces", {})])
    items: dict[str, list[tuple[DeliveryItem, str]]] = {}
    for *columns, name in rows:
        item = DeliveryItem(*columns)
        items.setdefault(item.delivery_id, []).append((item, name))
    face_of = {bot.number: showing.face(*bot) for bot in records(BotFaceRow, faces)}
    return [delivery_data(one, items[one.id], face_of[one.bot], _link(showing, one)) for one in found]


def _link(showing: Showing, delivery: Delivery) -> str | None:
    """None if its seal can't be opened."""
    try:
        return showing.box.open_link(delivery.tradelink, link_place(delivery.buyer, delivery.custom_id))
    except CannotOpen:
        return None
