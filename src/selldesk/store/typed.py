"""Reading by name: records instead of tuples, values instead of rows of one column."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from selldesk.store.blocks import all_blocks
from selldesk.store.store import Row

T = TypeVar("T")


class TypedReads(ABC):
    """What both engines add to their `fetch` and `load` (see Reader)."""

    @abstractmethod
    def fetch(self, block: str, **parameters: Any) -> list[Row]: ...

    @abstractmethod
    def load(self, block: str, rows: Sequence[Row]) -> list[Row]: ...

    def fetch_as(self, record: type[T], block: str, **parameters: Any) -> list[T]:
        """Raises msgspec.ValidationError if the store holds what the record can't be."""
        _agreed(record, block)
        return records(record, self.fetch(block, **parameters))

    def load_as(self, record: type[T], block: str, rows: Sequence[Row]) -> list[T]:
        _agreed(record, block)
        return records(record, self.load(block, rows))

    def column(self, block: str, **parameters: Any) -> list[Any]:
        return [value for (value,) in self.fetch(block, **parameters)]

    def value(self, block: str, **parameters: Any) -> Any:
        rows = self.fetch(block, **parameters)
        if not rows:
            return None
        ((value,),) = rows
        return value


def records(record: type[T], rows: Sequence[Row]) -> list[T]:
    """Rows in the order of the record's fields, each value of its field's type: a status is a Status."""
    return msgspec.convert(rows, list[record])  # type: ignore[valid-type]


def _agreed(record: type[Any], block: str) -> None:
    """Columns and fields are held against each other by a test, block by block; this holds the call against the block."""
    said = all_blocks()[block].record
    if said != record.__name__:
        raise TypeError(f"block {block} answers {said or 'no record'}, not {record.__name__}")
