"""Alerts: what a human should look at."""

import msgspec

from selldesk.alerts.views import AlertView, alert_view
from selldesk.store.rows import AlertRow
from selldesk.store.store import Reader


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
    return AlertPage([alert_view(*row) for row in rows], total, limit, offset)
