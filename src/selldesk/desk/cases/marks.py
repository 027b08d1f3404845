"""Marks of a store."""

from selldesk.desk import commands
from selldesk.desk.batch import Batch


def set_mark(command: commands.SetMark, batch: Batch) -> commands.Done:
    batch.store.execute("set_mark", name=command.name, value=command.value)
    batch.wrote_directly = True
    return commands.Done()
