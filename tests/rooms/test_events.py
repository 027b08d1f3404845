"""Types of events and cursors, as tables (people P2)."""

import uuid

import pytest

from selldesk.events.cursors import BEGINNING, Cursor, cursor_in, end_of, new_event_id, parse_cursor
from selldesk.events.types import STEPS, TYPES, chosen
from selldesk.simulation.chance import SeededChance
from selldesk.trades.status import Status

NOW = 1_773_396_000_000_000

TEXTS: list[tuple[str, Cursor | None]] = [
    ("0",                       BEGINNING),
    ("000000004711-0003",       Cursor(4711, 3)),
    ("999999999999-9999",       Cursor(999_999_999_999, 9_999)),
    ("000000000000-0000",       BEGINNING),
    ("",                        None),
    ("00",                      None),
    ("4711-0003",               None),
    ("000000004711-003",        None),
    ("000000004711_0003",       None),
    ("000000004711-0003\n",     None),
    ("٠٠٠٠٠٠٠٠٤٧١١-٠٠٠٣",       None),
    ("-00000004711-0003",       None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "cursor"), TEXTS, ids=[row[0] or "nothing" for row in TEXTS])
def test_a_cursor_is_read_strictly(text: str, cursor: Cursor | None) -> None:
    assert parse_cursor(text) == cursor
    if cursor is not None and text != "0":
        assert str(cursor) == text


def test_text_order_is_the_order_of_the_commits() -> None:
    order = [Cursor(9, 9_998), end_of(9), Cursor(10, 1), Cursor(10, 2), Cursor(10, 10), Cursor(1_000_010, 1)]
    assert sorted(map(str, reversed(order))) == [str(one) for one in order]


def test_an_event_is_found_by_its_id() -> None:
    """A real UUID of its time; and no two of one history, nor of a lost one, are alike."""
    cursors = [Cursor(1, 1), Cursor(4711, 3), Cursor(999_999_999_999, 9_998)]
    chance = SeededChance(1)
    ids = [new_event_id(NOW, cursor, chance) for cursor in cursors]
    assert [cursor_in(one) for one in ids] == cursors
    for one in ids:
        read = uuid.UUID(one)
        assert (str(read), read.version, read.variant, read.int >> 80) == (one, 7, uuid.RFC_4122, NOW // 1000)
    assert len({new_event_id(NOW, cursors[0], chance) for _ in range(20)}) > 15


CHOSEN: list[tuple[list[str], int | None]] = [
    (["trade.accepted"],                         1),
    (["trade.*"],                                9),
    (["delivery.*"],                             9),
    (["trade.*", "trade.accepted", "wallet.*"],  12),
    (["payout.*"],                               5),
    (["operator.*"],                             5),
    (["*"],                                      None),
    (["trade"],                                  None),
    (["trade.sold"],                             None),
    (["trade.accepted", ""],                     None),
    (["webhook.test"],                           None),
    ([" trade.accepted"],                        None),
]  # fmt: skip


@pytest.mark.parametrize(("names", "count"), CHOSEN, ids=[",".join(row[0]) or "nothing" for row in CHOSEN])
def test_types_are_chosen_by_name(names: list[str], count: int | None) -> None:
    found = chosen(names)
    assert (None if found is None else len(found)) == count


def test_every_status_is_a_step() -> None:
    assert sorted(STEPS) == sorted(Status)
    assert len(set(TYPES)) == len(TYPES)
