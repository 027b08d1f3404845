"""Stopping and resuming the whole trade. A database that lost what was committed (a fail-over to a replica that lagged, a restored
backup) is noticed by whoever remembers more than it does; then nothing new begins until every bot's offers were compared with the
store and an operator has decided what to do about those that it doesn't know."""

from typing import Any

from selldesk.desk import commands
from selldesk.desk.operator_log import log
from selldesk.desk.work import Work
from selldesk.kernel import refusals

_SEQ_JUMP = 1_000_000
"""Feed numbers go on so far beyond every number that anybody may remember of the lost history: nobody takes a new batch for an old one."""


def stop(command: commands.StopTrading, work: Work) -> dict[str, Any]:
    """`known_seq`: the batch that somebody saw committed and the store doesn't hold. A stop by hand ends then, and one for the loss
    begins: whatever was looked at and decided before it counts no more."""
    store = work.store
    lost = command.known_seq is not None
    stops = store.fetch("open_stop")
    if command.known_seq is not None:
        found = work.seq - 1
        work.renumber(max(work.seq, command.known_seq) + _SEQ_JUMP)
        store.execute("jump_seq", seq=work.seq)
        store.execute("clear_feed")
        text = (
            f"The database (its last batch: {found}) no longer holds batch {command.known_seq}, which was committed: what came before and after"
            " it may be lost too. Trading is stopped; see docs/operating.md"
        )
        work.alert("history_lost", text, None, None)
        # An offer may be out of which the store knows nothing: each is looked for before another one is sent.
        store.execute("doubt_sends", now=work.now)
    if stops and lost and stops[0][0] == work.now:
        store.execute("stop_lost_history", since=work.now)
    elif stops and lost:
        store.execute("end_stop", since=stops[0][0], ended_at=work.now, ended_by=command.operator, end_reason=command.reason)
    if not stops or (lost and stops[0][0] != work.now):
        store.execute("add_stop", since=work.now, reason=command.reason, by_whom=command.operator, history_lost=int(lost))
        log(work, command.operator, "trading.stop", "market", {"reason": command.reason})
    if not stops or lost:
        store.execute("forget_looks")
    work.wrote_directly = True
    work.feed.bots.extend(row[0] for row in store.fetch("bot_numbers"))
    return {}


def looked(command: commands.BotLooked, work: Work) -> dict[str, Any]:
    """A bot's whole list of offers was compared with the store."""
    work.store.execute("put_look", bot=command.bot, at=work.now)
    work.wrote_directly = True
    return {}


def resume(command: commands.ResumeTrading, work: Work) -> dict[str, Any]:
    """Refuses NOT_STOPPED. Where history was lost, also BOTS_NOT_LOOKED_AT and OFFERS_UNDECIDED, unless it is forced."""
    store = work.store
    stops = store.fetch("open_stop")
    if not stops:
        raise refusals.NOT_STOPPED()
    since, _, history_lost = stops[0]
    if history_lost and not command.force:
        missing = [row[0] for row in store.fetch("bots_not_looked_at")]
        if missing:
            raise refusals.BOTS_NOT_LOOKED_AT(names=", ".join(missing))
        undecided = store.fetch("open_unknown_offers")[0][0]
        if undecided:
            raise refusals.OFFERS_UNDECIDED(count=undecided)
    store.execute("end_stop", since=since, ended_at=work.now, ended_by=command.operator, end_reason=command.reason)
    store.execute("close_lost_history", closed_at=work.now, closed_by=command.operator, reason=command.reason)
    log(work, command.operator, "trading.resume", "market", {"reason": command.reason, "force": command.force})
    work.wrote_directly = True
    work.feed.bots.extend(row[0] for row in store.fetch("bot_numbers"))
    return {}
