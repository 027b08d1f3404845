"""Moves a whole market from one store to another, of whatever engines, and proves that nothing changed on the way."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from selldesk.store.audit import run_audit
from selldesk.store.blocks import migrations
from selldesk.store.store import Row, Store, StoreInUse

_NEVER_COPIED = ("worker", "bot_lease")
"""Who works for which bot is settled anew."""


class CannotCopy(Exception):
    """One clear line about what is in the way. Nothing was changed."""


class Table(NamedTuple):
    name: str
    rows: int
    digest: str
    """Of all rows, whatever their order."""


def tables() -> list[str]:
    """Every table of the schema, in the order in which they were made: what is referred to comes first."""
    found = [name for migration in migrations("sqlite") for name in re.findall(r"^CREATE TABLE (\w+)", migration.sql, re.MULTILINE)]
    return [name for name in found if name not in _NEVER_COPIED]


def copy_market(source: Store, target: Store, now_us: int, tell: Callable[[str], None]) -> list[Table]:
    """Copies everything while nobody can write to the source, in one transaction of the target. Raises CannotCopy, StoreUnavailable.

    `now_us`: this machine's time, to tell whether worker processes are alive, where the store has no clock of its own.
    """
    if source.pending_migrations():
        raise CannotCopy("the source is not up to date: run selldesk migrate on it first")
    if not target.is_empty():
        raise CannotCopy("the target is not empty: give it a database of its own")
    try:
        return _copy(source, target, now_us, tell)
    except StoreInUse:
        raise CannotCopy("a market is running on the source: stop it first") from None


def _copy(source: Store, target: Store, now_us: int, tell: Callable[[str], None]) -> list[Table]:
    with source.frozen() as frozen:
        now_us = frozen.machine_us() or now_us
        alive = [row for row in frozen.fetch("all_workers") if row[1] > now_us]
        if alive:
            raise CannotCopy(f"a market is running on the source ({len(alive)} worker processes): stop it first")
        if run_audit(frozen).violations:
            raise CannotCopy("the source's audit finds something wrong: see selldesk audit")
        target.migrate()
        copied = []
        with target.filling() as fill:
            for name in tables():
                columns, rows = frozen.table(name)
                digest = _Digest()
                fill(name, columns, digest.of(rows))
                copied.append(Table(name, digest.rows, digest.text()))
                tell(f"{name}: {digest.rows} rows")
        reader = target.reader()
        for table in copied:
            digest = _Digest()
            for _ in digest.of(reader.table(table.name)[1]):
                pass
            if (digest.rows, digest.text()) != (table.rows, table.digest):
                target.destroy()
                raise CannotCopy(f"table {table.name} came out differently; the target was emptied again")
        if run_audit(reader).violations:
            target.destroy()
            raise CannotCopy("the target's audit finds something wrong; the target was emptied again")
    return copied


class _Digest:
    """A sum of row hashes: equal for equal sets of rows, and computed while they pass by."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def of(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.rows += 1
            plain = repr(tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)).encode()
            self._sum = (self._sum + int.from_bytes(hashlib.blake2b(plain, digest_size=16).digest(), "big")) % 2**128
            yield row

    def text(self) -> str:
        return f"{self._sum:032x}"
