"""Alerts: what a human should look at."""

import msgspec

from selldesk.kernel.times import wire_time, wire_time_or_none
from selldesk.store.rows import AlertRow
from selldesk.store.store import Reader


class AlertView(msgspec.Struct):
    id: str
    kind: str
    bot: str | None
    trade_id: str | None
    text: str
    since: str
    closed_at: str | None
    closed_by: str | None
    close_reason: str | None


class AlertPage(msgspec.Struct):
    alerts: list[AlertView]
    total: int
    limit: int
    offset: int


def alerts_page(reader: Reader, is_open: bool | None, limit: int, offset: int) -> AlertPage:
    """`is_open` None: closed ones too. The latest first, from one moment."""
    wanted = {"open": None if is_open is None else int(is_open)}
    with reader.snapshot():
        total = reader.value("alerts_count", **wanted)
        rows = reader.fetch_as(AlertRow, "alerts_page", **wanted, limit=limit, offset=offset)
    return AlertPage([_view(row) for row in rows], total, limit, offset)


def _view(one: AlertRow) -> AlertView:
    return AlertView(
        one.id, one.kind, one.steamid64, one.trade_id, one.text, wire_time(one.since), wire_time_or_none(one.closed_at), one.closed_by,
        one.close_reason,
    )  # fmt: skip
