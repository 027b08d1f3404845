"""Stopping and resuming the whole trade. A database that lost what was committed (a fail-over to a replica that lagged, a restored
backup) is noticed by whoever remembers more than it does; then nothing new begins until every bot's offers were compared with the
store and an operator has decided what to do about those that it doesn't know."""

from selldesk.desk import commands
from selldesk.desk.batch import Batch
from selldesk.desk.operator_log import log
from selldesk.kernel import refusals
from selldesk.store.rows import StopRow

_SEQ_JUMP = 1_000_000
"""Feed numbers go on so far beyond every number that anybody may remember of the lost history: nobody takes a new batch for an old one."""


def stop(command: commands.StopTrading, batch: Batch) -> commands.Done:
    """After a loss of history a stop by hand ends and one for the loss begins: what was looked at and decided before counts no more."""
    store = batch.store
    if command.known_seq is not None and batch.seq - command.known_seq > _SEQ_JUMP // 2:
        # Somebody else has told of this loss: the numbers have jumped since.
        return commands.Done()
    lost = command.history_lost or command.known_seq is not None
    stops = store.fetch_as(StopRow, "open_stop")
    if lost:
        _lose_history(command, batch)
        store.execute("forget_looks")
    if stops and lost and stops[0].since == batch.now:
        store.execute("stop_lost_history", since=batch.now)
    elif lost or not stops:
        last = store.value("last_stop")
        since = max(batch.now, last + 1)
        if stops:
            store.execute(
                "end_stop", since=stops[0].since, ended_at=batch.now, ended_by=command.operator, end_reason=command.reason
            )
        store.execute("add_stop", since=since, reason=command.reason, by_whom=command.operator, history_lost=int(lost))
        log(batch, command.operator, "trading.stop", "market", {"reason": command.reason, "history_lost": lost})
        tell_of_stop(batch, "operator.trading_stopped", None, command.reason, command.operator)
    batch.wrote_directly = True
    batch.feed.bots.extend(store.column("bot_numbers"))
    return commands.Done()


def tell_of_stop(batch: Batch, event: str, game: int | None, reason: str, operator: str) -> None:
    """`game` None: all of them."""
    batch.tell_operators(event, "market" if game is None else str(game), {"game_id": game, "reason": reason, "by": operator})


def _lose_history(command: commands.StopTrading, batch: Batch) -> None:
    """From here on nobody takes a new batch for an old one, and no sale is sent before it was looked for: its offer may be out already."""
    store = batch.store
    text = (
        f"An operator says that the database lost what was committed: {command.reason}. Trading is stopped; see docs/operating.md"
    )
    if command.known_seq is not None:
        text = (
            f"The database (its last batch: {batch.seq - 1}) no longer holds batch {command.known_seq}, which was committed: what came before"
            " and after it may be lost too. Trading is stopped; see docs/operating.md"
        )
    batch.renumber(max(batch.seq, command.known_seq or 0) + _SEQ_JUMP)
    store.execute("jump_seq", seq=batch.seq)
    store.execute("clear_feed")
    store.execute("doubt_sends", now=batch.now)
    store.execute("doubt_deliveries", now=batch.now)
    store.execute("recount_live_offers")
    batch.alert("history_lost", text, None, None)


def note_look(command: commands.BotLooked, batch: Batch) -> commands.Done:
    """A bot's whole list of offers was compared with the store."""
    batch.store.execute("put_look", bot=command.bot, at=batch.now)
    batch.wrote_directly = True
    return commands.Done()


def resume(command: commands.ResumeTrading, batch: Batch) -> commands.Done:
    """Refuses NOT_STOPPED. Where history was lost, also BOTS_NOT_LOOKED_AT and OFFERS_UNDECIDED, unless it is forced."""
    store = batch.store
    stops = store.fetch_as(StopRow, "open_stop")
    if not stops:
        raise refusals.NOT_STOPPED()
    (stop,) = stops
    if stop.history_lost and not command.force:
        missing = store.column("bots_not_looked_at")
        if missing:
            raise refusals.BOTS_NOT_LOOKED_AT(names=", ".join(missing))
        undecided = store.value("open_unknown_offers")
        if undecided:
            raise refusals.OFFERS_UNDECIDED(count=undecided)
    store.execute("end_stop", since=stop.since, ended_at=batch.now, ended_by=command.operator, end_reason=command.reason)
    for alert_id in store.column("lost_history_alerts"):
        batch.close_alert(alert_id, command.operator, command.reason)
    log(batch, command.operator, "trading.resume", "market", {"reason": command.reason, "force": command.force})
    tell_of_stop(batch, "operator.trading_resumed", None, command.reason, command.operator)
    batch.wrote_directly = True
    batch.feed.bots.extend(store.column("bot_numbers"))
    return commands.Done()
