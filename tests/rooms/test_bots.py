"""Rooms and bots: who admits what, which bot may send, why none takes a sale (readings R7). Choices: tests/rooms/test_agenda.py."""

from typing import Any

import pytest

from selldesk.bots.rooms import (
    CLOCK_SLACK_US,
    LONGEST_QUARANTINE_US,
    Bot,
    BotState,
    NoBot,
    Room,
    bot_of,
    in_quarantine,
    room_of,
    why_no_bot,
)
from tests.rooms.test_agenda import NOW, S, bot, room

CS2, DOTA2 = 730, 570

ADMITTED: list[tuple[str, Room, bool]] = [
    # what                       room                   admits the buyer 1 for CS2
    ("everybody",                room(),                True),
    ("this game",                room(game=CS2),        True),
    ("another game",             room(game=DOTA2),      False),
    ("this buyer",               room(buyers=[2, 1]),   True),
    ("other buyers",             room(buyers=[2]),      False),
    ("nobody listed: everybody", room(buyers=[]),       True),
    ("disabled",                 room(enabled=0),       False),
    ("at other values",          room(min_value=10**9), True),
]  # fmt: skip


@pytest.mark.parametrize(("what", "where", "expected"), ADMITTED, ids=[row[0] for row in ADMITTED])
def test_which_buyers_a_room_admits(what: str, where: Room, expected: bool) -> None:
    assert where.admits_buyer(CS2, 1) is expected


QUARANTINE = [
    # state                until                        sends nothing
    (BotState.OK,          None,                        False),
    (BotState.OK,          NOW + 1,                     False),
    (BotState.QUARANTINED, None,                        True),
    (BotState.QUARANTINED, NOW + 1,                     True),
    (BotState.QUARANTINED, NOW,                         False),
    (BotState.QUARANTINED, NOW + LONGEST_QUARANTINE_US, True),
    (BotState.QUARANTINED, NOW + LONGEST_QUARANTINE_US + 1, False),
    (BotState.RESTRICTED,  None,                        False),
    (BotState.RESTRICTED,  NOW + 1,                     True),
    (BotState.RESTRICTED,  NOW,                         False),
    (BotState.RESTRICTED,  NOW + LONGEST_QUARANTINE_US + 1, False),
]  # fmt: skip


@pytest.mark.parametrize(("state", "until", "expected"), QUARANTINE)
def test_who_is_in_quarantine(state: BotState, until: int | None, expected: bool) -> None:
    assert in_quarantine(state, until, NOW) is expected


WHY: list[tuple[str, Bot, int, int, NoBot | None]] = [
    # what                               bot                                              items  with the seller  why not
    ("able",                             bot(),                                           1,     4,               None),
    ("disabled",                         bot(enabled=0, games=[DOTA2]),                   1,     0,               NoBot.UNHEALTHY),
    ("not logged in",                    bot(state=BotState.NEEDS_LOGIN),                 1,     0,               NoBot.UNHEALTHY),
    ("stale",                            bot(last_good_real_us=NOW - 120 * S),            1,     0,               NoBot.UNHEALTHY),
    ("a little ahead, as clocks differ", bot(last_good_real_us=NOW + CLOCK_SLACK_US - 1), 1,     0,               None),
    ("well again in the future",         bot(last_good_real_us=NOW + CLOCK_SLACK_US),     1,     0,               NoBot.UNHEALTHY),
    ("not this game, before slots",      bot(games=[DOTA2], live_offers=30),              1,     0,               NoBot.GAME),
    ("not now",                          bot(blocked_games=[CS2]),                        1,     0,               NoBot.GAME),
    ("another game is blocked",          bot(blocked_games=[DOTA2]),                      1,     0,               None),
    ("no slot, before space",            bot(live_offers=30, stock={CS2: 1000}),          1,     0,               NoBot.SLOTS),
    ("its last space",                   bot(stock={CS2: 998}),                           2,     0,               None),
    ("no space, before the seller's",    bot(stock={CS2: 999}),                           2,     5,               NoBot.FULL),
    ("other games take no space",        bot(stock={DOTA2: 1000}),                        2,     0,               None),
    ("too many with this seller",        bot(),                                           1,     5,               NoBot.SELLER),
]  # fmt: skip


@pytest.mark.parametrize(("what", "one", "items", "with_seller", "expected"), WHY, ids=[row[0] for row in WHY])
def test_why_a_bot_takes_no_sale(what: str, one: Bot, items: int, with_seller: int, expected: NoBot | None) -> None:
    assert one.why_not(CS2, items, with_seller, NOW) == expected
    assert one.can_take(CS2, items, with_seller, NOW) is (expected is None)


ILL, BUSY, FULL = bot(1, enabled=0), bot(2, live_offers=30), bot(3, stock={CS2: 1000})
CAUSES: list[tuple[str, Room, list[Bot], dict[int, int], NoBot]] = [
    # what                      room               bots               with the seller  the cause
    ("no bots",                 room(),            [],                {},              NoBot.NONE),
    ("none of this room",       room(bots=[9]),    [ILL, BUSY],       {},              NoBot.NONE),
    ("ill",                     room(),            [ILL],             {},              NoBot.UNHEALTHY),
    ("the closest to a choice", room(),            [ILL, BUSY, FULL], {},              NoBot.FULL),
    ("… whatever their order",  room(),            [FULL, BUSY, ILL], {},              NoBot.FULL),
    ("… of this room",          room(bots=[1, 2]), [ILL, BUSY, FULL], {},              NoBot.SLOTS),
    ("… with this seller",      room(),            [FULL, bot(4)],    {4: 5},          NoBot.SELLER),
]  # fmt: skip


@pytest.mark.parametrize(("what", "where", "bots", "with_seller", "expected"), CAUSES, ids=[row[0] for row in CAUSES])
def test_why_no_bot_of_a_room_takes_a_sale(
    what: str, where: Room, bots: list[Bot], with_seller: dict[int, int], expected: NoBot
) -> None:
    assert why_no_bot(where, bots, CS2, 1, with_seller, NOW) is expected


def test_what_a_bot_holds_is_counted_by_game() -> None:
    one = bot(stock={CS2: 2})
    one.hold(CS2, 3)
    one.hold(DOTA2, 4)
    one.hold(CS2, -1)
    assert (one.stock, one.items_held) == ({CS2: 4, DOTA2: 4}, 8)


LISTS: list[tuple[str | None, list[int] | None]] = [(None, None), ("[]", []), ("[3, 4]", [3, 4])]


@pytest.mark.parametrize(("text", "expected"), LISTS)
def test_rows_of_the_store_keep_lists_as_json(text: str | None, expected: list[int] | None) -> None:
    assert room_of((1, "r", CS2, 5, 6, text, None, 10, 1)) == Room(1, "r", CS2, 5, 6, expected, None, 10, 1)
    assert room_of((1, "r", CS2, 5, 6, None, text, 10, 1)) == Room(1, "r", CS2, 5, 6, None, expected, 10, 1)
    row: Any = (1, "1", None, None, text, 1, "ok", 0, 30, 5, 1000, NOW)
    blocked, stock = (CS2,), {CS2: 3}
    read = bot_of(row, blocked, stock)
    assert read == bot(games=expected, blocked_games=[CS2], stock={CS2: 3})
    read.hold(CS2, 1)
    assert stock == {CS2: 3}, "a bot's own"
    assert bot_of(row) == bot(games=expected)
