"""Alerts that are raised and closed by hand."""

from selldesk.desk import commands
from selldesk.desk.batch import Batch
from selldesk.desk.operator_log import log
from selldesk.kernel import refusals
from selldesk.store.rows import AlertEndRow, OpenAlertRow


def raise_alert(command: commands.RaiseAlert, batch: Batch) -> commands.Done:
    if command.trade_id is not None:
        alerts = batch.store.load_as(OpenAlertRow, "load_open_alerts", [(command.trade_id,)])
        batch.open_alerts = {(alert.kind, alert.trade_id) for alert in alerts}
    batch.alert(command.kind, command.text, command.bot, command.trade_id)
    return commands.Done()


def close_alert(command: commands.CloseAlert, batch: Batch) -> commands.Done:
    """Refuses ALERT_NOT_FOUND. Closing a closed one changes nothing."""
    known = batch.store.fetch_as(AlertEndRow, "alert_by_id", id=command.alert_id)
    if not known:
        raise refusals.ALERT_NOT_FOUND()
    if known[0].closed_at is None:
        batch.close_alert(command.alert_id, command.operator, command.reason)
        log(batch, command.operator, "alert.close", command.alert_id, {"reason": command.reason})
    return commands.Done()
