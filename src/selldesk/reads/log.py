"""What operators did."""

import json
from typing import Any

import msgspec

from selldesk.kernel.times import wire_time
from selldesk.store.rows import LogRow
from selldesk.store.store import Reader


class LogLine(msgspec.Struct):
    id: str
    at: str
    operator: str
    action: str
    target: str
    body: Any


class LogPage(msgspec.Struct):
    entries: list[LogLine]
    total: int
    limit: int
    offset: int


def log_page(reader: Reader, limit: int, offset: int) -> LogPage:
    """The latest first, from one moment."""
    with reader.snapshot():
        total = reader.value("log_count")
        rows = reader.fetch_as(LogRow, "log_page", limit=limit, offset=offset)
    lines = [LogLine(line.id, wire_time(line.at), line.operator, line.action, line.target, json.loads(line.body)) for line in rows]
    return LogPage(lines, total, limit, offset)
