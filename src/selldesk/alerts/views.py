"""An alert as operators see it."""

import msgspec

from selldesk.kernel.times import wire_time, wire_time_or_none


class AlertView(msgspec.Struct):
    id: str
    kind: str
    bot: str | None
    trade_id: str | None
    delivery_id: str | None
    text: str
    since: str
    closed_at: str | None
    closed_by: str | None
    close_reason: str | None


def alert_view(
    id: str,
    kind: str,
    steamid64: str | None,
    about: str | None,
    is_delivery: int | bool,
    text: str,
    since: int,
    closed_at: int | None = None,
    closed_by: str | None = None,
    close_reason: str | None = None,
) -> AlertView:
    """`steamid64`: the bot's, if the alert is about one. `about`: the sale's id, or the delivery's."""
    trade_id, delivery_id = (None, about) if is_delivery else (about, None)
    ended_at = wire_time_or_none(closed_at)
    return AlertView(id, kind, steamid64, trade_id, delivery_id, text, wire_time(since), ended_at, closed_by, close_reason)
