"""Named SQL blocks: `-- name: x`, optionally `-- rows: column type, …` for a block over a set of rows and `-- row: Record` for what it
answers (store/rows.py, or an entity of a room), then the statement."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple


@dataclass(frozen=True)
class Block:
    name: str
    sql: str
    columns: tuple[tuple[str, str], ...]
    """Name and type of each column of the row set; empty if the block takes named parameters only."""
    record: str | None = None
    """What each of its rows is called; None: nobody reads them by name."""


def parse(text: str) -> dict[str, Block]:
    """The blocks of one file. Raises ValueError on a name that stands twice."""
    blocks: dict[str, Block] = {}
    for part in text.split("-- name: ")[1:]:
        name, _, rest = part.partition("\n")
        columns: tuple[tuple[str, str], ...] = ()
        if rest.startswith("-- rows: "):
            row_line, _, rest = rest.partition("\n")
            pairs = (column.split() for column in row_line.removeprefix("-- rows: ").split(","))
            columns = tuple((column, kind) for column, kind in pairs)
        record = None
        if rest.startswith("-- row: "):
            record_line, _, rest = rest.partition("\n")
            record = record_line.removeprefix("-- row: ").strip()
        if name in blocks:
            raise ValueError(f"SQL block {name} stands twice")
        blocks[name] = Block(name.strip(), rest.strip(), columns, record)
    return blocks


@cache
def all_blocks() -> dict[str, Block]:
    """Every block of queries/, by name."""
    found: dict[str, Block] = {}
    for file in sorted(resources.files("selldesk.store").joinpath("queries").iterdir(), key=lambda file: file.name):
        for name, block in parse(file.read_text()).items():
            if name in found:
                raise ValueError(f"SQL block {name} stands in two files")
            found[name] = block
    return found


class Migration(NamedTuple):
    number: int
    name: str
    sql: str

    @property
    def purpose(self) -> str:
        """What it says of itself in its first line."""
        return self.sql.partition("\n")[0].removeprefix("-- ")

    @property
    def is_for_all(self) -> bool:
        """Both engines take its text, one statement after the other; else it is written for one."""
        return self.name.count(".") == 1

    @property
    def builds_indexes_only(self) -> bool:
        return self.is_for_all and all("CREATE INDEX" in statement for statement in statements(self.sql))


@cache
def migrations(engine: str) -> list[Migration]:
    """Every file of schema/ that is for this engine (`003_x.sql`: for all, `003_x.postgres.sql`: for one), in order."""
    files = sorted(resources.files("selldesk.store").joinpath("schema").iterdir(), key=lambda file: file.name)
    found = [Migration(int(file.name.split("_")[0]), file.name, file.read_text()) for file in files if file.name.endswith(".sql")]
    return [one for one in found if one.is_for_all or one.name.endswith(f".{engine}.sql")]


def statements(sql: str) -> Iterator[str]:
    """Splits a migration at the semicolons that end a statement."""
    buffer = ""
    for line in sql.splitlines(keepends=True):
        buffer += line
        if sqlite3.complete_statement(buffer):
            yield buffer
            buffer = ""
    if buffer.strip() and not all(line.startswith("--") or not line.strip() for line in buffer.splitlines()):
        raise ValueError(f"a migration ends within a statement: {buffer.strip()[:80]}")
