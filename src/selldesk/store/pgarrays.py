"""Columns of a row set as PostgreSQL's binary arrays, each by its own type."""

import struct
from itertools import chain, repeat
from typing import Any

import psycopg
from psycopg import postgres, pq
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper


class BigintArray(list[Any]):
    """A column of a row set, by its own type: what psycopg would guess from the values would differ from batch to batch, and with it
    the prepared statement."""


class TextArray(list[Any]):
    """See BigintArray."""


class _ArrayDumper(Dumper):
    """PostgreSQL's binary array of one dimension: dimensions, whether there are NULLs, the element's type, length and lower bound;
    then each element with its length, -1 for NULL. psycopg's own takes twice as long for numbers, a third longer for texts."""

    format = pq.Format.BINARY
    _element_oid: int

    def _head(self, values: list[Any]) -> bytes:
        return _ARRAY_HEAD.pack(1, None in values, self._element_oid, len(values), 1)


class _BigintArrayDumper(_ArrayDumper):
    oid = postgres.types["int8"].array_oid
    _element_oid = postgres.types["int8"].oid

    def dump(self, obj: list[int | None]) -> Buffer:
        if None not in obj:
            lengths = repeat(8, len(obj))
            return self._head(obj) + struct.pack(f">{'iq' * len(obj)}", *chain.from_iterable(zip(lengths, obj, strict=True)))
        return self._head(obj) + b"".join([_NULL if value is None else _BIGINT.pack(8, value) for value in obj])


class _TextArrayDumper(_ArrayDumper):
    oid = postgres.types["text"].array_oid
    _element_oid = postgres.types["text"].oid

    def dump(self, obj: list[str | None]) -> Buffer:
        parts = [self._head(obj)]
        for value in obj:
            if value is None:
                parts.append(_NULL)
            else:
                if "\0" in value:
                    raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
                encoded = value.encode()
                parts += (_LENGTH.pack(len(encoded)), encoded)
        return b"".join(parts)


_ARRAY_HEAD = struct.Struct(">iiIii")
_BIGINT = struct.Struct(">iq")
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
BY_KIND: dict[str, type[list[Any]]] = {"bigint": BigintArray, "text": TextArray}


def register(adapters: AdaptersMap) -> None:
    """Makes a connection know them."""
    adapters.register_dumper(BigintArray, _BigintArrayDumper)
    adapters.register_dumper(TextArray, _TextArrayDumper)
