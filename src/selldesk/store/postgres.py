"""PostgreSQL: the engine for many machines. The same SQL text as SQLite's, rendered: names become placeholders, row sets arrays."""

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from typing import Any, TypeVar

import psycopg
from psycopg import pq, sql

from selldesk.kernel.secretbox import SEAL_FORMAT, SEAL_MARK
from selldesk.store import pgarrays
from selldesk.store.blocks import Migration, all_blocks, migrations, statements
from selldesk.store.pgconnect import (
    CHANNEL,
    WRITER,
    PostgresWatch,
    connect,
    cut_off_stalled,
    is_conflict,
    is_lock_timeout,
    is_lost,
    is_unavailable,
    pools_transactions,
    server_of,
)
from selldesk.store.pgwatchdog import WATCHDOG, Watched
from selldesk.store.store import (
    BadStore,
    CommitUnknown,
    Dialect,
    Question,
    Reader,
    Row,
    StoreConflict,
    StoreInUse,
    StoreUnavailable,
    Watch,
    Writer,
)
from selldesk.store.typed import TypedReads

logger = logging.getLogger(__name__)

_MIGRATION_LOCK = 7_355_608
_IN_USE_LOCK = 7_355_609
"""With the schema: shared by everybody who may write."""
_IS_WRITER = """
SELECT pg_advisory_lock_shared(%s, hashtext(current_schema())),
       set_config('application_name', %s || ' ' || hashtext(current_schema()), false)
"""
_MIGRATION_LOOK_SECONDS = 0.05
_READING = {"default_transaction_read_only": "on", "lock_timeout": "3s", "jit": "off"}
"""No list is long enough to repay just-in-time compilation."""
_WRITING = {
    "idle_in_transaction_session_timeout": "2s",
    "lock_timeout": "3s",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "enable_material": "off",
}
"""A writer that is stopped inside its transaction is cut off after two seconds: before those who wait for the lock give up. The server does
that by itself unless it was sent a part of what the writer queues: then those who wait for the lock do it (`cut_off_stalled`).
The desk looks up a few rows by an index, always. A planner that saw the table when it was empty, or finds many trades processing, would
rather read all of them."""
_PLANS_KEPT, _PLANS_KEPT_FIRST = 256, 16
"""After so many transactions, and more often at first, the server plans its prepared statements anew: a plan that was made when a table
was empty is kept otherwise until somebody analyzes the table."""
_STREAMED_ROWS = 5_000
READER_SECONDS, WRITER_SECONDS = 2.0, 5.0
"""After so long without an answer somebody else asks whether the server is there (settled 9)."""
_NAME = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")

T = TypeVar("T")

DIALECT = Dialect(
    one_of="(SELECT jsonb_array_elements_text(CAST(:{name} AS jsonb)))",
)


@cache
def render(text: str) -> str:
    """`:name` → `%(name)s`; what is a percent sign stays one."""
    return _NAME.sub(r"%(\1)s", text.replace("%", "%%"))


@cache
def render_rows(name: str) -> str:
    """A block over a row set: {rows} becomes one binary array a column, so that one statement serves any number of rows."""
    block = all_blocks()[name]
    arrays = ", ".join(f"%b::{kind}[]" for _, kind in block.columns)
    columns = ", ".join(column for column, _ in block.columns)
    return block.sql.replace("%", "%%").replace("{rows}", f"(SELECT * FROM unnest({arrays}) AS u ({columns})) AS k")  # noqa: S608 — own names


def ddl(text: str) -> str:
    """The same DDL as SQLite's; texts compare by code point on both."""
    return re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', text)


def beside_writers(statement: str) -> list[str]:
    """CREATE INDEX without a lock. What a build that was broken off has left is no index that anybody uses: it goes first."""
    found = re.search(r"CREATE INDEX (\w+)", statement)
    assert found is not None
    build = statement[found.start() :].replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)
    return [f"DROP INDEX CONCURRENTLY IF EXISTS {found.group(1)}", build]


class _Connection(TypedReads):
    """One connection, made again when it breaks. Reader and writer in one, since only the writer's caller begins transactions."""

    dialect = DIALECT

    def __init__(self, url: str, read_only: bool) -> None:
        self._url = url
        self._read_only = read_only
        self._connection: psycopg.Connection[Row] | None = None
        self._in_transaction = False
        self._pipeline: AbstractContextManager[psycopg.Pipeline] | None = None
        self._seen: int | None = None
        self._begun = 0
        self.connections = 0
        self._server: object = None
        """Which start of which server this connection leads to."""
        kind = "a reader" if read_only else "a writer"
        self._watched = Watched(READER_SECONDS if read_only else WRITER_SECONDS, self._server_answers, f"PostgreSQL, {kind}")
        WATCHDOG.add(self._watched)

    def _server_answers(self) -> bool:
        """Asked by another connection: whether the server that this one leads to is there, and not only another in its place."""
        with connect(self._url) as other:
            return self._server is not None and server_of(other) == self._server

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """What is asked inside is watched: see pgwatchdog.py."""
        watched = self._watched
        outer = watched.since
        if outer is None:
            watched.descriptor = self._connection.fileno() if self._connection is not None and not self._connection.closed else None
            watched.since = time.monotonic()
        try:
            yield
        finally:
            if outer is None:
                watched.since = None

    def _connected(self) -> "psycopg.Connection[Row]":
        """Raises StoreUnavailable."""
        if self._connection is None or self._connection.closed:
            connection = connect(self._url, _READING if self._read_only else _WRITING)
            if not self._read_only:
                try:
                    connection.execute(_IS_WRITER, [_IN_USE_LOCK, WRITER])
                except BaseException:
                    connection.close()
                    raise
            self._server = server_of(connection)
            self._connection = connection
            self._watched.descriptor = connection.fileno()
            self.connections += 1
        return self._connection

    def _ask(self, question: Callable[["psycopg.Connection[Row]"], T]) -> T:
        """Outside a transaction a broken connection is made again, and the question asked once more. Raises StoreUnavailable,
        StoreConflict."""
        with self._in_time():
            return self._ask_twice(question)

    def _ask_twice(self, question: Callable[["psycopg.Connection[Row]"], T]) -> T:
        try:
            return question(self._connected())
        except psycopg.Error as error:
            if is_conflict(error):
                raise StoreConflict(str(error)) from error
            if not is_unavailable(error):
                raise
            was_in_transaction = self._in_transaction
            self._drop()
            if is_lock_timeout(error) and not self._read_only and cut_off_stalled(self._url):
                raise StoreConflict(str(error)) from error
            if was_in_transaction or not is_lost(error):
                raise StoreUnavailable(str(error)) from error
        try:
            return question(self._connected())
        except psycopg.Error as error:
            if not is_unavailable(error):
                raise
            self._drop()
            raise StoreUnavailable(str(error)) from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._in_transaction, self._pipeline = False, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    # -- reading -------------------------------------------------------------------------------------------------------

    def fetch(self, block: str, **parameters: Any) -> list[Row]:
        self._flush()
        text = render(all_blocks()[block].sql)
        return self._ask(lambda connection: connection.execute(text, parameters).fetchall())

    def load(self, block: str, rows: Sequence[Row]) -> list[Row]:
        if not rows:
            return []
        self._flush()
        return self._ask(lambda connection: connection.execute(render_rows(block), _columns(block, rows)).fetchall())

    def load_all(self, wanted: Sequence[Question]) -> list[list[Row]]:
        self._flush()
        return self._ask(lambda connection: _ask_all(connection, wanted))

    def stream(self, block: str, **parameters: Any) -> Iterator[Row]:
        text = render(all_blocks()[block].sql)
        if not self._in_transaction:
            # A server-side cursor lives in a transaction; this one reads one statement and needs no more.
            with self.snapshot():
                yield from self.stream(block, **parameters)
            return
        connection = self._connected()
        with connection.cursor(name="selldesk_stream") as cursor:
            cursor.itersize = _STREAMED_ROWS
            cursor.execute(text, parameters)
            yield from cursor

    def query(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        text = render(sql)
        return self._ask(lambda connection: connection.execute(text, parameters).fetchall())

    def table(self, name: str) -> tuple[list[str], Iterator[Row]]:
        first = self._ask(lambda connection: connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(name))))
        assert first.description is not None
        return [column.name for column in first.description], self._rows_of(name)

    def _rows_of(self, name: str) -> Iterator[Row]:
        if not self._in_transaction:
            with self.snapshot():
                yield from self._rows_of(name)
            return
        with self._connected().cursor(name="selldesk_table") as cursor:
            cursor.itersize = _STREAMED_ROWS
            cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name)))
            yield from cursor

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        if self._in_transaction:
            # One moment already, for nobody writes meanwhile.
            yield
            return
        self._ask(lambda connection: connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        self._in_transaction = True
        try:
            yield
        finally:
            self._in_transaction = False
            if self._connection is not None:
                try:
                    self._connection.execute("COMMIT")
                except psycopg.Error:
                    self._drop()

    def changed(self) -> bool:
        seq: int = self.fetch("current_seq")[0][0]
        before, self._seen = self._seen, seq
        return seq != before

    def close(self) -> None:
        self._drop()

    # -- writing -------------------------------------------------------------------------------------------------------

    def begin(self, wanted: Sequence[Question] = ()) -> list[list[Row]]:
        first = ["BEGIN"]
        self._begun += 1
        if self._begun >= _PLANS_KEPT_FIRST and (self._begun % _PLANS_KEPT == 0 or self._begun & (self._begun - 1) == 0):
            first.append("DISCARD PLANS")
        try:
            answers = self._ask(lambda connection: _ask_all(connection, wanted, first))
        except BaseException:
            self._in_transaction = True
            self.rollback()
            raise
        self._in_transaction = True
        return answers

    def commit(self) -> None:
        connection, pipeline = self._connection, self._pipeline
        self._pipeline = None
        if connection is None:
            raise StoreUnavailable("the connection was lost before the commit")
        try:
            with self._in_time():
                connection.execute("COMMIT")
                if pipeline is not None:
                    pipeline.__exit__(None, None, None)
            self._in_transaction = False
        except psycopg.Error as error:
            if pipeline is not None and connection.pgconn.pipeline_status != pq.PipelineStatus.OFF:
                with suppress(psycopg.Error):
                    pipeline.__exit__(type(error), error, error.__traceback__)
            if is_conflict(error):
                raise StoreConflict(str(error)) from error
            if not is_unavailable(error):
                # The server refused one of the changes, and with it the commit.
                raise
            self._drop()
            raise CommitUnknown(str(error)) from error

    def rollback(self) -> None:
        self._pipeline = None
        if self._connection is None or not self._in_transaction:
            self._in_transaction = False
            return
        self._in_transaction = False
        try:
            if self._connection.pgconn.pipeline_status != pq.PipelineStatus.OFF:
                self._drop()
                return
            with self._in_time():
                self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._drop()

    def write(self, block: str, rows: Sequence[Row]) -> None:
        if rows:
            self._queue(render_rows(block), _columns(block, rows))

    def put(self, block: str, **parameters: Any) -> None:
        self._queue(render(all_blocks()[block].sql), parameters)

    def execute(self, block: str, **parameters: Any) -> list[Row]:
        self._flush()

        def ask(connection: "psycopg.Connection[Row]") -> list[Row]:
            cursor = connection.execute(render(all_blocks()[block].sql), parameters)
            return cursor.fetchall() if cursor.description is not None else []

        return self._ask(ask)

    def lock_market(self) -> None:
        """Keeps everybody from writing as long as this transaction lasts, and it may take its time. Raises StoreInUse."""
        self._ask(lambda connection: connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0"))
        self._ask(lambda connection: connection.execute("SET LOCAL application_name = 'selldesk copy'"))
        question = "SELECT pg_try_advisory_lock(%s, hashtext(current_schema()))"
        if not self._ask(lambda connection: connection.execute(question, [_IN_USE_LOCK]).fetchall())[0][0]:
            raise StoreInUse
        self._ask(lambda connection: connection.execute("SELECT seq FROM market FOR UPDATE"))

    def machine_us(self) -> int | None:
        self._flush()
        question = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
        return int(self._ask(lambda connection: connection.execute(question).fetchall())[0][0])

    def ring(self, seq: int) -> None:
        self._queue("SELECT pg_notify(%s, %s)", [CHANNEL, str(seq)])

    def _queue(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> None:
        """Sent with all the others of the batch, and not waited for."""
        connection = self._connected()
        if self._pipeline is None:
            pipeline = connection.pipeline()
            pipeline.__enter__()
            self._pipeline = pipeline
        try:
            with self._in_time():
                connection.execute(statement, parameters or None)
        except psycopg.Error as error:
            self._fail(error)

    def _flush(self) -> None:
        """Sends what is queued and waits for it. Raises what the server says about it."""
        if self._pipeline is None:
            return
        pipeline, self._pipeline = self._pipeline, None
        try:
            with self._in_time():
                pipeline.__exit__(None, None, None)
        except psycopg.Error as error:
            self._fail(error)

    def _fail(self, error: psycopg.Error) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            with suppress(psycopg.Error):
                pipeline.__exit__(type(error), error, None)
        if is_conflict(error):
            raise StoreConflict(str(error)) from error
        if is_unavailable(error):
            self._drop()
            raise StoreUnavailable(str(error)) from error
        raise error


def _ask_all(connection: "psycopg.Connection[Row]", wanted: Sequence[Question], first: Sequence[str] = ()) -> list[list[Row]]:
    cursors: list[psycopg.Cursor[Row] | None] = []
    with connection.pipeline():
        for statement in first:
            connection.execute(statement.encode())
        for block, over in wanted:
            if isinstance(over, Mapping):
                cursors.append(connection.execute(render(all_blocks()[block].sql), over))
            else:
                cursors.append(connection.execute(render_rows(block), _columns(block, over)) if over else None)
    return [cursor.fetchall() if cursor is not None else [] for cursor in cursors]


def _columns(block: str, rows: Sequence[Row]) -> list[list[Any]]:
    kinds = all_blocks()[block].columns
    return [pgarrays.BY_KIND[kind](column) for (_, kind), column in zip(kinds, zip(*rows, strict=True), strict=True)]


class PostgresStore:
    """A store in one schema of a database: that which the URL's search_path names, `public` without one."""

    is_local = False

    def __init__(self, url: str) -> None:
        self._url = url

    def check(self) -> None:
        if pools_transactions(self._url):
            raise BadStore(
                "this database is behind a pooler in transaction mode, but selldesk needs whole sessions (LISTEN, locks,"
                " prepared statements): set pool_mode = session, or connect to the server itself"
            )

    def writer(self) -> Writer:
        """Connects at once if it can, so that everybody sees that the store is in use."""
        connection = _Connection(self._url, read_only=False)
        with suppress(StoreUnavailable, psycopg.Error):
            connection._connected()
        return connection

    def reader(self) -> Reader:
        return _Connection(self._url, read_only=True)

    def watch(self) -> Watch | None:
        return PostgresWatch(self._url)

    def pending_migrations(self) -> list[Migration]:
        with connect(self._url) as connection:
            done = _applied(connection)
        return [migration for migration in migrations("postgres") if migration.number not in done]

    def migrate(self, first_marks: Mapping[str, str] = {}) -> list[str]:
        """A new store comes into being in one transaction. An old one takes a transaction a migration, and builds indexes
        concurrently, so that an older version goes on writing meanwhile."""
        applied = []
        with connect(self._url) as connection:
            # By asking again: whoever waits inside a statement would be waited for by CREATE INDEX CONCURRENTLY.
            while connection.execute("SELECT pg_try_advisory_lock(%s)", [_MIGRATION_LOCK]).fetchone() != (True,):
                time.sleep(_MIGRATION_LOOK_SECONDS)
            done = _applied(connection)
            with connection.transaction() if not done else nullcontext():
                connection.execute("CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL)")
                for migration in migrations("postgres"):
                    if migration.number in done:
                        continue
                    concurrently = bool(done) and migration.builds_indexes_only
                    with nullcontext() if concurrently else connection.transaction():
                        for statement in statements(migration.sql) if migration.is_for_all else [migration.sql]:
                            for step in beside_writers(statement) if concurrently else [ddl(statement)]:
                                connection.execute(step.encode())
                        row = [migration.number, migration.name]
                        connection.execute("INSERT INTO migration (number, name) VALUES (%s, %s)", row)
                        if migration.number == 1:
                            for mark, value in {SEAL_MARK: SEAL_FORMAT, **first_marks}.items():
                                connection.execute("INSERT INTO mark (name, value) VALUES (%s, %s)", [mark, value])
                    applied.append(migration.name)
        return applied

    def mark(self, name: str) -> str | None:
        with connect(self._url) as connection:
            if "mark" not in _tables(connection):
                return None
            row = connection.execute("SELECT value FROM mark WHERE name = %s", [name]).fetchone()
            return None if row is None else str(row[0])

    def is_empty(self) -> bool:
        with connect(self._url) as connection:
            return not _tables(connection)

    @contextmanager
    def frozen(self) -> Iterator[Writer]:
        connection = _Connection(self._url, read_only=False)
        try:
            connection.begin()
            connection.lock_market()
            yield connection
        finally:
            connection.rollback()
            connection.close()

    @contextmanager
    def filling(self) -> Iterator[Callable[[str, list[str], Iterable[Row]], None]]:
        with connect(self._url) as connection, connection.transaction():

            def fill(table: str, columns: list[str], rows: Iterable[Row]) -> None:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                # What the triggers keep is copied too.
                connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))
                names = sql.SQL(", ").join(map(sql.Identifier, columns))
                into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
                with connection.cursor() as cursor, cursor.copy(into) as copy:
                    for row in rows:
                        copy.write_row(row)
                connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(sql.Identifier(table)))

            yield fill

    def destroy(self) -> None:
        with connect(self._url) as connection, connection.transaction():
            for table in _tables(connection):
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(sql.Identifier(table)))
            for migration in migrations("postgres"):
                for function in re.findall(r"CREATE FUNCTION (\w+)", migration.sql):
                    connection.execute(sql.SQL("DROP FUNCTION IF EXISTS {}").format(sql.Identifier(function)))


def _tables(connection: "psycopg.Connection[Row]") -> set[str]:
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
    return {str(row[0]) for row in found}


def _applied(connection: "psycopg.Connection[Row]") -> set[int]:
    if "migration" not in _tables(connection):
        return set()
    return {int(row[0]) for row in connection.execute("SELECT number FROM migration").fetchall()}
