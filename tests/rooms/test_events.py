"""Types of events and cursors, as tables (people P2)."""

import uuid

import msgspec
import pytest

from selldesk.alerts.views import alert_view
from selldesk.events.cursors import BEGINNING, Cursor, cursor_in, end_of, new_event_ids, parse_cursor
from selldesk.events.types import STEPS, TYPES, chosen, subscribed
from selldesk.ledger.views import MovementTold, movement
from selldesk.offers.outcomes import Outcome, ended
from selldesk.offers.stages import Stage
from selldesk.simulation.chance import SeededChance
from selldesk.trades.endings import OFFER_SENT, event_of, of_sale
from selldesk.trades.status import Status
from selldesk.trades.views import TradeSnapshot
from tests.rooms.sales import trade

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
    ids = [*map(new_event_ids(NOW, chance), cursors)]
    assert [cursor_in(one) for one in ids] == cursors
    for one in ids:
        read = uuid.UUID(one)
        assert (str(read), read.version, read.variant, read.int >> 80) == (one, 7, uuid.RFC_4122, NOW // 1000)
    assert len({new_event_ids(NOW, chance)(cursors[0]) for _ in range(20)}) > 15


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


@pytest.mark.parametrize(("names", "count"), [(["*"], len(TYPES)), (["*", "x"], None), (["trade.*"], 9), (["x"], None)])
def test_an_endpoint_may_have_everything(names: list[str], count: int | None) -> None:
    found = subscribed(names)
    assert (None if found is None else len(found)) == count


TOLD: list[tuple[Status, str]] = [(status, f"trade.{status}") for status in Status]


@pytest.mark.parametrize(("status", "event"), TOLD, ids=[row[1] for row in TOLD])
def test_each_step_of_a_sale_is_told_by_its_name(status: Status, event: str) -> None:
    assert event_of(status) == event
    assert event in TYPES


def test_an_open_offer_is_told_and_is_no_step_to_a_status() -> None:
    (move,) = of_sale(ended(Outcome.OPENED, "Offer 5 is open")).moves
    assert (move.note, move.status, move.event) == ("Offer 5 is open", None, OFFER_SENT)
    assert OFFER_SENT in TYPES


def test_a_snapshot_shows_a_sale_as_it_was() -> None:
    before = trade(offer_id="5", offer_state=2, expires_at=NOW)
    snapshot = TradeSnapshot.of(before)
    after = trade(
        Stage.SETTLING,
        status="accepted",
        version=7,
        offer_id="6",
        offer_state=3,
        steam_trade_id="8",
        settlement=NOW,
        bot=2,
        error="x",
    )
    was = snapshot.laid_over(after)
    assert TradeSnapshot.of(was) == snapshot
    assert (was.id, was.value, was.custom_id) == (after.id, after.value, after.custom_id)


def test_an_alert_and_a_movement_as_they_are_shown() -> None:
    alert = alert_view("a", "foreign_offer", "7", None, False, "see", NOW)
    assert (
        alert_view("a", "k", None, "x", 1, "see", NOW).delivery_id,
        alert_view("a", "k", None, "x", 0, "see", NOW).trade_id,
    ) == ("x", "x")
    assert (alert.since, alert.closed_at, alert.closed_by) == ("2026-03-13T10:00:00Z", None, None)
    line = movement(5, "deposit", 10, 30, None, "r", NOW)
    assert msgspec.to_builtins(line) == {
        "id": "5", "kind": "deposit", "amount": 10, "balance_after": 30, "created_at": "2026-03-13T10:00:00Z", "reference": "r",
    }  # fmt: skip
    told = MovementTold(**msgspec.structs.asdict(line), balance=30)
    assert msgspec.to_builtins(told) == {**msgspec.to_builtins(line), "balance": 30}
    assert "reference" not in msgspec.to_builtins(movement(5, "freeze", 10, 30, "t", None, NOW))


def test_every_status_is_a_step() -> None:
    assert sorted(STEPS) == sorted(Status)
    assert len(set(TYPES)) == len(TYPES)
