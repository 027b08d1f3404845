"""Where a reader of events is: the number of the batch that told one, and its place in that batch (people P2). Pure.

As text its order is the order of the commits, also across a lost history, whose numbers jump.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from selldesk.kernel.chance import Chance

LAST_PLACE = 9_999
"""A batch ends before it has told so much: a cursor with this place stands behind all of the batch."""


class Cursor(NamedTuple):
    seq: int
    place: int

    def __str__(self) -> str:
        return f"{self.seq:012d}-{self.place:04d}"


BEGINNING = Cursor(0, 0)
"""Before the oldest event that is kept, whichever that is."""


def end_of(seq: int) -> Cursor:
    """Behind everything that the batches up to this one have told."""
    return Cursor(seq, LAST_PLACE)


def parse_cursor(text: str) -> Cursor | None:
    """12 digits, a dash, 4 digits; or `0`. None: it is neither."""
    if text == "0":
        return BEGINNING
    found = re.fullmatch(r"([0-9]{12})-([0-9]{4})", text, re.ASCII)
    return None if found is None else Cursor(int(found[1]), int(found[2]))


_PLACE_BITS, _SEQ_BITS = 14, 48


def new_event_ids(at_us: int, chance: Chance) -> Callable[[Cursor], str]:
    """Ids of one batch's events: UUIDv7 whose last 62 bits are the cursor, so that an event is found by its id without an index of its own.
    The batch's 12 bits of chance keep it apart from one of a history that was lost."""
    head = f"{at_us // 1000 << 16 | 0x7 << 12 | int.from_bytes(chance.bytes(2), 'big') & 0xFFF:016x}"
    head = f"{head[:8]}-{head[8:12]}-{head[12:]}-"

    def new_event_id(cursor: Cursor) -> str:
        tail = f"{0b10 << 62 | cursor.seq << _PLACE_BITS | cursor.place:016x}"
        return f"{head}{tail[:4]}-{tail[4:]}"

    return new_event_id


def cursor_in(event_id: str) -> Cursor:
    """Where the event of this (canonical) id stands, if it is one."""
    tail = int(event_id.replace("-", ""), 16) & (1 << (_SEQ_BITS + _PLACE_BITS)) - 1
    return Cursor(tail >> _PLACE_BITS, tail & (1 << _PLACE_BITS) - 1)
