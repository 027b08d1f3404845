"""Rows of one batch that are to be written. Each kind says once what it is, how it is written, and which of it changed."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from selldesk.store.store import Row

K = TypeVar("K", bound=Any)
R = TypeVar("R")


def plain(row: Any) -> Row:
    """A struct's fields in their order."""
    return msgspec.structs.astuple(row)


class Written(Protocol):
    """What the end of a batch writes with one SQL block."""

    @property
    def block(self) -> str: ...

    def changes(self) -> Iterable[Row]: ...


class Kept(dict[K, R], Generic[K, R]):
    """Rows of a table by key: how they are written, and which of them changed. Written in the order of their keys,
    so that no two batches lock them crosswise."""

    def __init__(self, record: Callable[..., R], key: Callable[[R], K], write: str = "", row: Callable[[R], Row] = plain) -> None:
        """`write` is an SQL block; without it the rows are only read."""
        super().__init__()
        self.block = write
        self.changed: set[K] = set()
        self._record, self._key, self._row = record, key, row

    def take(self, rows: Iterable[Row]) -> None:
        """What the store holds of them."""
        record, key = self._record, self._key
        for row in rows:
            one = record(*row)
            self[key(one)] = one

    def put(self, row: R) -> None:
        """A new one, or in the place of the one with its key."""
        key = self._key(row)
        self[key] = row
        self.changed.add(key)

    def changes(self) -> list[Row]:
        return [self._row(self[key]) for key in sorted(self.changed)]


class Added(list[R], Generic[R]):
    """New rows, in the order in which they were added."""

    def __init__(self, block: str, row: Callable[[R], Row] = plain) -> None:
        super().__init__()
        self.block = block
        self._row = row

    def changes(self) -> list[Row]:
        return [self._row(row) for row in self]


class Reckoned(NamedTuple):
    """Rows that follow from others at the end."""

    block: str
    changes: Callable[[], Iterable[Row]]


def as_json(values: list[int] | None) -> str | None:
    return None if values is None else json.dumps(values)
