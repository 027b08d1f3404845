"""Marks of a store, and how far back its events reach."""

from selldesk.desk import commands
from selldesk.desk.batch import Batch

_PORTION = 1_000


def set_mark(command: commands.SetMark, batch: Batch) -> commands.Done:
    batch.store.execute("set_mark", name=command.name, value=command.value)
    batch.wrote_directly = True
    return commands.Done()


def forget_events(command: commands.ForgetEvents, batch: Batch) -> commands.Done:
    """Who reads on from a mark before the last one that was deleted is told so (people P2)."""
    gone: list[tuple[int, int, int]] = []
    for person in command.people:
        rows = batch.store.execute("drop_old_events", person=person, before=command.before, most=_PORTION)
        last = max(((seq, place) for seq, place, _ in rows), default=None)
        if last is not None:
            batch.store.execute("drop_old_entries", person=person, seq=last[0], place=last[1])
        gone += [(seq, place, at) for seq, place, at in rows]
    if gone:
        seq, place, _ = max(gone)
        batch.store.execute("put_event_mark", seq=seq, place=place, at=max(at for _, _, at in gone))
        batch.wrote_directly = True
    return commands.Done()
