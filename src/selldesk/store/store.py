"""What the market asks of a store. Synchronous; one engine each implements it (SQLite here, PostgreSQL beside it)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeVar

from selldesk.store.blocks import Migration

Row = tuple[Any, ...]
T = TypeVar("T")

Question = tuple[str, Sequence[Row] | Mapping[str, Any]]
"""A block, and what it is asked over: a set of rows (nothing is asked for an empty one) or named parameters."""


class StoreUnavailable(Exception):
    """The store can't be reached or is locked for too long. Nothing was written."""


class BadStore(Exception):
    """The store is there, but not as a market needs it. One line, with the remedy."""


class StoreInUse(Exception):
    """Somebody may write to the store: a desk has it open."""


class CommitUnknown(Exception):
    """The connection broke while a commit was under way: it may have happened."""


class StoreConflict(Exception):
    """Another transaction was in the way and this one was undone: the same batch may be tried again."""


class Dialect(NamedTuple):
    """The few clauses of composed statements that the engines write differently; formatted with the names of column and parameter."""

    one_of: str
    """The members of a JSON list, as a sub-select of texts."""


class Watch(Protocol):
    """An alarm clock for followers: readable when somebody may have committed. Raises StoreUnavailable when its connection is gone."""

    def fileno(self) -> int:
        """Connects, if need be."""
        ...

    def rang(self) -> int:
        """The highest feed number that was told since the last call; 0: none."""
        ...

    def close(self) -> None: ...


class Reader(Protocol):
    """A read connection. It never waits for the writer and is used by one thread at a time."""

    dialect: Dialect

    def fetch(self, block: str, **parameters: Any) -> list[Row]:
        """All rows of a named block."""
        ...

    def load(self, block: str, rows: Sequence[Row]) -> list[Row]:
        """A named block over a set of rows. Nothing is asked for an empty set."""
        ...

    def fetch_as(self, record: type[T], block: str, **parameters: Any) -> list[T]:
        """All rows of a named block as the record that the block names."""
        ...

    def load_as(self, record: type[T], block: str, rows: Sequence[Row]) -> list[T]:
        """The same over a set of rows."""
        ...

    def column(self, block: str, **parameters: Any) -> list[Any]:
        """All values of a block with one column."""
        ...

    def value(self, block: str, **parameters: Any) -> Any:
        """The one value of a block with one column and at most one row; None: no row."""
        ...

    def load_all(self, wanted: Sequence[Question]) -> list[list[Row]]:
        """Several questions in one go: one round trip to the server, whatever their number."""
        ...

    def stream(self, block: str, **parameters: Any) -> Iterator[Row]:
        """The rows one by one, for sets that should not stand in memory whole."""
        ...

    def query(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        """A statement composed from the store's own clauses (see lists.py)."""
        ...

    def table(self, name: str) -> tuple[list[str], Iterator[Row]]:
        """(the columns, all rows) of a whole table, streamed: for copying."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Everything read inside comes from one moment."""
        ...

    def changed(self) -> bool:
        """Whether somebody may have committed since the last call. Cheap; may say yes too often, never no too often."""
        ...

    def close(self) -> None: ...


class Writer(Reader, Protocol):
    """The connection of a desk. Between begin and commit nobody else writes. What changes may be queued: a fault of it shows at the
    next question or at the commit."""

    connections: int
    """How often it has connected: after a new one, the server may be another than before."""

    def begin(self, wanted: Sequence[Question] = ()) -> list[list[Row]]:
        """Begins, and asks what is wanted, in that order and in the same round trip.

        Raises StoreUnavailable if the store is locked for longer than its time-out; then nothing is begun.
        """
        ...

    def commit(self) -> None:
        """Makes all changes last, those that were queued included, in one round trip. Raises CommitUnknown if it can't be known whether
        it happened, and what the store says about a change that it refuses."""
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

    def put(self, block: str, **parameters: Any) -> None:
        """A changing block with named parameters, of which nothing needs to be known before the commit."""
        ...

    def machine_us(self) -> int | None:
        """The database's own clock, which all its users share, in microseconds; None: it runs on this machine and has none of its own."""
        ...

    def ring(self, seq: int) -> None:
        """Wakes the followers when this transaction commits, and tells them its feed number (see Watch)."""
        ...


class Store(Protocol):
    """Opens connections and keeps the schema."""

    is_local: bool
    """Whether a read by key takes microseconds in this very process, instead of a round trip to a server."""

    def check(self) -> None:
        """Raises BadStore, in one line with the remedy, if the store can't serve a market as it is set up."""
        ...

    def writer(self) -> Writer: ...

    def reader(self) -> Reader: ...

    def watch(self) -> Watch | None:
        """None: this engine rings no bell; ask `changed` from time to time."""
        ...

    def pending_migrations(self) -> list[Migration]:
        """The migrations that this store still lacks."""
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

    def frozen(self) -> AbstractContextManager[Writer]:
        """One moment of the store; meanwhile nobody can write. Raises StoreInUse while a desk has it open, StoreUnavailable."""
        ...

    def filling(self) -> AbstractContextManager[Callable[[str, list[str], Iterable[Row]], None]]:
        """Puts rows into tables whose schema stands, replacing what a fresh schema holds: (table, columns, rows), all in one
        transaction."""
        ...

    def destroy(self) -> None:
        """Removes everything. Only ever called on a sandbox's own store."""
        ...
