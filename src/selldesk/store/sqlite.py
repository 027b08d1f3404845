"""SQLite: the embedded default. WAL, synchronous=FULL, one writer at a time, readers never wait."""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from selldesk.kernel.secretbox import SEAL_FORMAT, SEAL_MARK
from selldesk.store.blocks import Block, Migration, all_blocks, migrations, statements
from selldesk.store.store import CommitUnknown, Dialect, Question, Reader, Row, StoreInUse, StoreUnavailable, Watch, Writer
from selldesk.store.typed import TypedReads

logger = logging.getLogger(__name__)

_CHUNKS = (64, 16, 4, 1)
"""Row sets are sent in chunks of these sizes, so that few statement texts exist and stay prepared."""


def render(block: Block, count: int) -> str:
    """The block for `count` rows: {rows} becomes a VALUES list whose columns carry their names."""
    names = ", ".join(f"column{place} AS {name}" for place, (name, _) in enumerate(block.columns, start=1))
    one_row = "(" + ", ".join("?" * len(block.columns)) + ")"
    values = ", ".join([one_row] * count)
    return block.sql.replace("{rows}", f"(SELECT {names} FROM (VALUES {values})) AS k")  # noqa: S608 — our own column names


def hold(path: Path, alone: bool) -> BinaryIO:
    """Says that somebody may write to the store (`alone`: that nobody else may) until the file that it answers is closed. On a file
    beside the database, for whoever closes a second descriptor of the database itself takes SQLite's locks away. Raises StoreInUse."""
    # Read only: whoever first opened the store may be another user than the one who serves it.
    file = os.fdopen(os.open(path.with_name(path.name + _USE), os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666), "rb")
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise StoreInUse from error
    except OSError as error:
        logger.warning(
            "%s can't be locked (%s); it goes on, but nothing prevents copying the market while it runs", file.name, error
        )
    return file


_USE = "-use"
DIALECT = Dialect(one_of="(SELECT value FROM json_each(:{name}))")


class _Connection(TypedReads):
    """One SQLite connection; reader and writer in one, since only the writer's caller begins transactions."""

    dialect = DIALECT

    def __init__(self, path: Path, busy_seconds: float, read_only: bool, alone: bool = False) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._read_only = read_only
        self._rendered: dict[tuple[str, int], str] = {}
        self._data_version = -1
        self.connections = 1
        self._use = None if read_only else hold(path, alone)
        self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -65536")
        # Twice the default: the pages that every batch changes are written back half as often (creates +10 %); the file has 8 MB.
        connection.execute("PRAGMA wal_autocheckpoint = 2000")
        if self._read_only:
            connection.execute("PRAGMA query_only = ON")
        return connection

    # -- reading -------------------------------------------------------------------------------------------------------

    def fetch(self, block: str, **parameters: Any) -> list[Row]:
        return self._connection.execute(all_blocks()[block].sql, parameters).fetchall()

    def load(self, block: str, rows: Sequence[Row]) -> list[Row]:
        answer: list[Row] = []
        for statement, values in self._chunked(block, rows):
            answer.extend(self._connection.execute(statement, values))
        return answer

    def load_all(self, wanted: Sequence[Question]) -> list[list[Row]]:
        return [self.fetch(block, **over) if isinstance(over, Mapping) else self.load(block, over) for block, over in wanted]

    def stream(self, block: str, **parameters: Any) -> Iterator[Row]:
        yield from self._connection.execute(all_blocks()[block].sql, parameters)

    def query(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        return self._connection.execute(sql, parameters).fetchall()

    def table(self, name: str) -> tuple[list[str], Iterator[Row]]:
        cursor = self._connection.execute(f"SELECT * FROM {name}")  # noqa: S608 — a name of our own schema
        return [column[0] for column in cursor.description], cursor

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        if self._connection.in_transaction:
            # One moment already.
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def changed(self) -> bool:
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        before, self._data_version = self._data_version, version
        return version != before

    def close(self) -> None:
        self._connection.close()
        if self._use is not None:
            self._use.close()

    # -- writing -------------------------------------------------------------------------------------------------------

    def begin(self, wanted: Sequence[Question] = ()) -> list[list[Row]]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(str(error)) from error
        try:
            return self.load_all(wanted)
        except BaseException:
            self.rollback()
            raise

    def commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise CommitUnknown(str(error)) from error

    def rollback(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._connection.close()
            self._connection = self._connect()

    def write(self, block: str, rows: Sequence[Row]) -> None:
        with _has_room():
            for statement, values in self._chunked(block, rows):
                self._connection.execute(statement, values)

    def execute(self, block: str, **parameters: Any) -> list[Row]:
        with _has_room():
            return self.fetch(block, **parameters)

    def put(self, block: str, **parameters: Any) -> None:
        with _has_room():
            self.fetch(block, **parameters)

    def machine_us(self) -> int | None:
        return None

    def ring(self, seq: int) -> None:
        """SQLite rings no bell: followers ask `changed`."""

    def _chunked(self, name: str, rows: Sequence[Row]) -> Iterator[tuple[str, list[Any]]]:
        position, total = 0, len(rows)
        for size in _CHUNKS:
            while total - position >= size:
                key = (name, size)
                statement = self._rendered.get(key)
                if statement is None:
                    statement = self._rendered[key] = render(all_blocks()[name], size)
                yield statement, [value for row in rows[position : position + size] for value in row]
                position += size


@contextmanager
def _has_room() -> Iterator[None]:
    """A full or failing disk is no fault of what is written. Raises StoreUnavailable."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise StoreUnavailable(str(error)) from error
        raise


class SqliteStore:
    """A store in one file (and SQLite's two helpers beside it)."""

    is_local = True

    def __init__(self, path: Path, busy_seconds: float = 5.0) -> None:
        self.path = path
        self._busy_seconds = busy_seconds

    def check(self) -> None:
        """A file needs nothing more."""

    def writer(self) -> Writer:
        """Raises StoreUnavailable while the store is being copied."""
        try:
            return _Connection(self.path, self._busy_seconds, read_only=False)
        except StoreInUse as error:
            raise StoreUnavailable("the store is being copied") from error

    def reader(self) -> Reader:
        return _Connection(self.path, self._busy_seconds, read_only=True)

    def watch(self) -> Watch | None:
        return None

    def pending_migrations(self) -> list[Migration]:
        if not self.path.exists():
            return list(migrations("sqlite"))
        done = self._applied()
        return [migration for migration in migrations("sqlite") if migration.number not in done]

    def migrate(self, first_marks: Mapping[str, str] = {}) -> list[str]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        applied = []
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL)")
            done = {row[0] for row in connection.execute("SELECT number FROM migration")}
            for number, name, sql in migrations("sqlite"):
                if number in done:
                    continue
                # Statement by statement: executescript would commit the transaction first.
                for statement in statements(sql):
                    connection.execute(statement)
                connection.execute("INSERT INTO migration (number, name) VALUES (?, ?)", (number, name))
                applied.append(name)
                if number == 1:
                    connection.executemany(
                        "INSERT INTO mark (name, value) VALUES (?, ?)", {SEAL_MARK: SEAL_FORMAT, **first_marks}.items()
                    )
            connection.execute("COMMIT")
        finally:
            connection.close()
        return applied

    def mark(self, name: str) -> str | None:
        if self.is_empty() or "mark" not in self._tables():
            return None
        connection = sqlite3.connect(self.path)
        try:
            row = connection.execute("SELECT value FROM mark WHERE name = ?", (name,)).fetchone()
            return None if row is None else str(row[0])
        finally:
            connection.close()

    def is_empty(self) -> bool:
        return not self.path.exists() or self.path.stat().st_size == 0 or not self._tables()

    @contextmanager
    def frozen(self) -> Iterator[Writer]:
        connection = _Connection(self.path, self._busy_seconds, read_only=False, alone=True)
        try:
            connection.begin()
            yield connection
        finally:
            connection.rollback()
            connection.close()

    @contextmanager
    def filling(self) -> Iterator[Callable[[str, list[str], Iterable[Row]], None]]:
        connection = sqlite3.connect(self.path, isolation_level=None)

        def fill(table: str, columns: list[str], rows: Iterable[Row]) -> None:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 — names of our own schema
            places = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)  # noqa: S608

        try:
            connection.execute("BEGIN IMMEDIATE")
            yield fill
            connection.execute("COMMIT")
        finally:
            connection.close()

    def destroy(self) -> None:
        for suffix in ("", "-wal", "-shm", _USE):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _tables(self) -> set[str]:
        connection = sqlite3.connect(self.path)
        try:
            return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        finally:
            connection.close()

    def _applied(self) -> set[int]:
        if "migration" not in self._tables():
            return set()
        connection = sqlite3.connect(self.path)
        try:
            return {row[0] for row in connection.execute("SELECT number FROM migration")}
        finally:
            connection.close()
