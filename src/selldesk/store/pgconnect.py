"""Connections to PostgreSQL: how they are made, what their ends mean, and the bell that rings on one of them."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict

from selldesk.store import pgarrays
from selldesk.store.store import Row, StoreUnavailable

logger = logging.getLogger(__name__)

CHANNEL = "selldesk_feed"
FAR_SEQ = 2**62
WRITER = "selldesk writer"
"""The name by which the server knows whoever may write; a hash of the schema behind it, for the markets of one database
must not cut off each other's."""
_READ_ONLY = "25006"
_STALLED = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
  AND application_name = %s || ' ' || hashtext(current_schema())
  AND wait_event = 'ClientRead' AND xact_start IS NOT NULL AND state_change < clock_timestamp() - interval '2 seconds'
"""
_PATIENCE = {
    "connect_timeout": 2,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
    "target_session_attrs": "read-write",
}
"""Unless the URL says otherwise. A server that vanishes without a word is noticed within some six seconds, not when the kernel's two hours
are over; and a standby, which a host's name may lead to in the middle of a fail-over, is not taken for the market's database."""


class _WholeNumber(Loader):
    """sum() of bigint is numeric: all our sums are whole numbers."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def connect(url: str, settings: Mapping[str, str] = {}) -> "psycopg.Connection[Row]":
    """Raises StoreUnavailable."""
    try:
        given = conninfo_to_dict(url)
        patience: dict[str, Any] = {name: value for name, value in _PATIENCE.items() if name not in given}
        connection = psycopg.connect(url, autocommit=True, prepare_threshold=2, **patience)
        for name, value in settings.items():
            connection.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise StoreUnavailable(str(error).strip()) from error
    connection.adapters.register_loader("numeric", _WholeNumber)
    pgarrays.register(connection.adapters)
    return connection


def server_of(connection: "psycopg.Connection[Row]") -> object:
    """Tells one start of one server from every other, whatever stands between."""
    return connection.execute("SELECT pg_postmaster_start_time(), inet_server_addr(), inet_server_port()").fetchone()


def pools_transactions(url: str) -> bool:
    """Whether a pooler gives out the server's sessions by the transaction: two of ours at once are then served by the same. LISTEN, locks
    and prepared statements need whole sessions. Raises StoreUnavailable."""
    question = "SELECT pg_backend_pid()"
    with connect(url) as one, connect(url) as other:
        first = one.execute(question).fetchone()
        return bool(other.execute(question).fetchone() == first or one.execute(question).fetchone() != first)


def cut_off_stalled(url: str) -> bool:
    """Ends the sessions of writers that have sent nothing for long in the middle of a transaction; whether there were any."""
    try:
        with connect(url) as connection:
            stalled = connection.execute(_STALLED, [WRITER]).fetchall()
    except (StoreUnavailable, psycopg.Error):
        return False
    if stalled:
        logger.warning("%d writers had stalled in their transactions; their connections were closed", len(stalled))
    return bool(stalled)


def is_conflict(error: psycopg.Error) -> bool:
    """Somebody else's transaction was in the way: the same batch may go through the next time."""
    return error.sqlstate in ("40001", "40P01")


def is_unavailable(error: psycopg.Error) -> bool:
    """No fault of the statement: no connection, no lock, a server that has become a standby, or one that cut off a writer that slept in its
    transaction (25P03)."""
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) or error.sqlstate in ("25P03", _READ_ONLY)


def is_lost(error: psycopg.Error) -> bool:
    """The connection itself is gone, as opposed to a statement that was refused (a lock that could not be had, say)."""
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P", _READ_ONLY))


def is_lock_timeout(error: psycopg.Error) -> bool:
    return error.sqlstate == "55P03"


class PostgresWatch:
    """Rings when somebody committed: one NOTIFY a batch, after which the feed table tells the truth."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Row] | None = None

    def fileno(self) -> int:
        """Raises StoreUnavailable."""
        if self._connection is None or self._connection.closed:
            connection = connect(self._url)
            try:
                connection.execute(f"LISTEN {CHANNEL}")
            except psycopg.Error as error:
                connection.close()
                raise StoreUnavailable(str(error)) from error
            self._connection = connection
        return self._connection.fileno()

    def rang(self) -> int:
        """The highest feed number that was told since the last call. Raises StoreUnavailable if the connection is gone."""
        if self._connection is None:
            return 0
        try:
            self._connection.pgconn.consume_input()
            rang = 0
            while (notice := self._connection.pgconn.notifies()) is not None:
                # An older version's desk tells no number: whatever it is, it is news.
                rang = max(rang, int(notice.extra) if notice.extra else FAR_SEQ)
        except psycopg.Error as error:
            self.close()
            raise StoreUnavailable(str(error)) from error
        return rang

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()
