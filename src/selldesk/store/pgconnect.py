"""Connections to PostgreSQL, and the bell that rings on one of them."""

from collections.abc import Mapping
from contextlib import suppress

import psycopg
from psycopg import sql
from psycopg.abc import Buffer
from psycopg.adapt import Loader

from selldesk.store import pgarrays
from selldesk.store.store import Row, StoreUnavailable

CHANNEL = "selldesk_feed"
FAR_SEQ = 2**62
_CONNECT_SECONDS = 5


class _WholeNumber(Loader):
    """sum() of bigint is numeric: all our sums are whole numbers."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def connect(url: str, settings: Mapping[str, str] = {}) -> "psycopg.Connection[Row]":
    """Raises StoreUnavailable."""
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_SECONDS, prepare_threshold=2)
        for name, value in settings.items():
            connection.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise StoreUnavailable(str(error).strip()) from error
    connection.adapters.register_loader("numeric", _WholeNumber)
    pgarrays.register(connection.adapters)
    return connection


class PostgresWatch:
    """Rings when somebody committed: one NOTIFY a batch, after which the feed table tells the truth."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Row] | None = None

    def fileno(self) -> int:
        """Raises StoreUnavailable."""
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url)
            self._connection.execute(f"LISTEN {CHANNEL}")
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
