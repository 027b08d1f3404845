"""What the market asks of a store. Synchronous; one engine each implements it (SQLite here, PostgreSQL beside it)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Row = tuple[Any, ...]


class StoreUnavailable(Exception):
    """The store can't be reached or is locked for too long. Nothing was written."""


class CommitUnknown(Exception):
    """The connection broke while a commit was under way: it may have happened."""


class Reader(Protocol):
    """A read connection. It never waits for the writer and is used by one thread at a time."""

    def fetch(self, block: str, **parameters: Any) -> list[Row]:
        """All rows of a named block."""
        ...

    def load(self, block: str, rows: Sequence[Row]) -> list[Row]:
        """A named block over a set of rows. Nothing is asked for an empty set."""
        ...

    def stream(self, block: str, **parameters: Any) -> Iterator[Row]:
        """The rows one by one, for sets that should not stand in memory whole."""
        ...

    def query(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        """A statement composed from the store's own clauses (see lists.py)."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Everything read inside comes from one moment."""
        ...

    def changed(self) -> bool:
        """Whether somebody may have committed since the last call. Cheap; may say yes too often, never no too often."""
        ...

    def close(self) -> None: ...


class Writer(Reader, Protocol):
    """The connection of a desk. Between begin and commit nobody else writes."""

    def begin(self) -> None:
        """Raises StoreUnavailable if the store is locked for longer than its time-out."""
        ...

    def commit(self) -> None:
        """Raises CommitUnknown if it can't be known whether it happened."""
        ...

    def rollback(self) -> None:
        """Never raises: a broken connection is replaced."""
        ...

    def write(self, block: str, rows: Sequence[Row]) -> None:
        """A changing block over a set of rows. Nothing happens for an empty set."""
        ...

    def execute(self, block: str, **parameters: Any) -> list[Row]:
        """A changing block with named parameters; its RETURNING rows."""
        ...


class Store(Protocol):
    """Opens connections and keeps the schema."""

    def writer(self) -> Writer: ...

    def reader(self) -> Reader: ...

    def pending_migrations(self) -> list[str]:
        """Names of the migrations that this store still lacks."""
        ...

    def migrate(self, first_marks: Mapping[str, str] = {}) -> list[str]:
        """Brings the schema up to date; the names of what was applied. Safe to run by several processes at once.

        A store that was empty gets `first_marks` in the same transaction.
        """
        ...

    def mark(self, name: str) -> str | None:
        """A fact about the store itself; None without it, or without a schema."""
        ...

    def is_empty(self) -> bool:
        """No schema at all."""
        ...

    def destroy(self) -> None:
        """Removes everything. Only ever called on a sandbox's own store."""
        ...
