"""A bot's agenda as a table: what it knows → the one call it makes next."""

import pytest

from selldesk.bots.rooms import Bot, BotState, Room, choose_bot, choose_room
from selldesk.offers.agenda import LONGEST_WAIT_US, Call, CallKind, Memory, Pace, Task, Window, next_call, task_of
from selldesk.offers.rules import Rules
from selldesk.offers.stages import Stage
from tests.rooms import sales

S = 1_000_000
NOW = 1_000_000 * S
PACE = Pace()


def memory(**changed: object) -> Memory:
    """A bot that is logged in and has just polled, swept and sent nothing for long."""
    known: dict[str, object] = {
        "logged_in": True, "token_expires_at": NOW + 3600 * S, "acknowledged": True, "last_poll_at": NOW, "last_full_poll_at": NOW,
        "last_sweep_at": NOW, "poll_now": False,
    }  # fmt: skip
    return Memory(**(known | changed))  # type: ignore[arg-type]


def task(stage: str, due_in: int | None = 0, **changed: object) -> Task:
    fields: dict[str, object] = {
        "trade_id": stage, "stage": stage, "due_at": None if due_in is None else NOW + due_in * S, "steam_trade_id": None,
        "wants_cancel": False, "is_too_late": False, "is_held": False,
    }  # fmt: skip
    return Task(**(fields | changed))  # type: ignore[arg-type]


def call(kind: str, trade_id: str | None = None, until: int = 0) -> Call:
    return Call(CallKind(kind), trade_id, until)


VERIFY, SEND, SETTLING = task("verify"), task("send"), task("settling")
DELIVER, FIND = task("send", trade_id="out", gives=True), task("verify", trade_id="find", gives=True)
EXCHANGED = task("exchanged", steam_trade_id="4")
TABLE = [
    # what                                    memory                                       tasks                                       unsettled  call
    ("back-off comes before all",             memory(quiet_until=NOW + 9 * S),             [EXCHANGED],                                True,  call("wait", until=NOW + 9 * S)),
    ("no session: log in",                    memory(logged_in=False),                     [EXCHANGED],                                True,  call("login")),
    ("token nearly over: renew",              memory(token_expires_at=NOW + 299 * S),      [EXCHANGED],                                True,  call("renew")),
    ("… not before that",                     memory(token_expires_at=NOW + 300 * S + 1),  [SETTLING],                                 True,  call("settle", "settling")),
    ("… at that moment",                      memory(token_expires_at=NOW + 300 * S),      [SETTLING],                                 True,  call("renew")),
    ("first the notice",                      memory(acknowledged=False),                  [SEND],                                     False, call("acknowledge")),
    ("a reversal is decided at once",         memory(suspects=("x",)),                     [SEND, SETTLING],                           True,  call("reversal")),
    ("an exchange and a reversal",            memory(suspects=("x",)),                     [EXCHANGED],                                True,  call("read_trade", "exchanged")),
    ("… take turns",                          memory(suspects=("x",), after_exchanged=True), [EXCHANGED],                              True,  call("reversal")),
    ("no drop for trades: do something else", memory(free_at={"status": NOW + S}, suspects=("x",)), [EXCHANGED, SETTLING, VERIFY],      True,  call("verify", "verify")),
    ("no drop for lists",                     memory(free_at={"offers": NOW + S}, poll_now=True), [SEND],                               False, call("send", "send")),
    ("no drop for inventories",               memory(free_at={"inventory": NOW + 4 * S}),  [VERIFY, SEND],                             False, call("send", "send")),
    ("wait for the next drop",                memory(free_at={"status": NOW + 2 * S}),     [EXCHANGED],                                True,  call("wait", until=NOW + 2 * S)),
    ("a sweep goes on page by page",          memory(is_sweeping=True),                    [],                                         True,  call("sweep")),
    ("… as drops come",                       memory(is_sweeping=True, free_at={"history": NOW + 16 * S}), [],                         True,  call("wait", until=NOW + 16 * S)),
    ("a reversal has its time now",           memory(suspects=("x",), suspects_not_before=NOW), [SETTLING],                            True,  call("reversal")),
    ("but not before its time",               memory(suspects=("x",), suspects_not_before=NOW + S), [EXCHANGED],                       True,  call("read_trade", "exchanged")),
    ("an exchange is read before polls",      memory(poll_now=True),                       [VERIFY, EXCHANGED],                        False, call("read_trade", "exchanged")),
    ("without trade id: the offer",           memory(),                                    [task("exchanged")],                        False, call("read_offer", "exchanged")),
    ("a deadline",                            memory(),                                    [VERIFY, task("offered", wants_cancel=True)], False, call("cancel", "offered")),
    ("our own confirmation",                  memory(poll_now=True),                       [VERIFY, task("offered", needs_confirmation=True)], False, call("confirm", "offered")),
    ("paused or in quarantine: no send",      memory(),                                    [task("send", may_send=False)],             False, call("wait", until=NOW + 45 * S)),
    ("too late for an offer",                 memory(poll_now=True),                       [task("verify", is_too_late=True)],         False, call("give_up", "verify")),
    ("after a send: look",                    memory(poll_now=True),                       [SEND],                                     False, call("poll")),
    ("a lost send: look",                     memory(),                                    [SEND, task("reconcile")],                  False, call("poll")),
    ("offers out: every 5 seconds",           memory(last_poll_at=NOW - 5 * S),            [task("offered", 60)],                      False, call("poll")),
    ("idle: a sign of life",                  memory(last_poll_at=NOW - 45 * S),           [],                                         False, call("poll")),
    ("verify before send",                    memory(),                                    [SEND, VERIFY],                             False, call("verify", "verify")),
    ("deliver",                               memory(),                                    [DELIVER],                                  False, call("deliver", "out")),
    ("… in quarantine: nothing",              memory(),                                    [task("send", gives=True, may_send=False)],  False, call("wait", until=NOW + 45 * S)),
    ("… after a sale, by turns",              memory(last_turn="send"),                    [SEND, DELIVER],                            False, call("deliver", "out")),
    ("… and a sale after it",                 memory(last_turn="deliver"),                 [SEND, DELIVER],                            False, call("send", "send")),
    ("… not within a second of a send",       memory(last_send_at=NOW - S // 2),           [DELIVER],                                  False, call("wait", until=NOW + S // 2)),
    ("its items are found in the inventory",  memory(stock_games=(440,)),                  [FIND],                                     False, call("stock")),
    ("… and verified by nobody's inventory",  memory(),                                    [FIND],                                     False, call("wait", until=NOW + 45 * S)),
    ("send",                                  memory(),                                    [SEND],                                     False, call("send", "send")),
    ("not twice within a second",             memory(last_send_at=NOW - S // 2),           [SEND],                                     False, call("wait", until=NOW + S // 2)),
    ("take down what nobody wants",           memory(unwanted_offers=("cancel:1",)),       [SETTLING],                                 False, call("take_down")),
    ("settle",                                memory(),                                    [SETTLING],                                 True,  call("settle", "settling")),
    ("a hold's end",                          memory(),                                    [task("offered", is_held=True, steam_trade_id="4")], False, call("settle", "offered")),
    ("exchanged and settling",                memory(after_exchanged=True),                [EXCHANGED, SETTLING],                      True,  call("settle", "settling")),
    ("… take turns too",                      memory(),                                    [EXCHANGED, SETTLING],                      True,  call("read_trade", "exchanged")),
    ("a failed poll makes way",               memory(is_blind=True, polls_not_before=NOW + S, poll_now=True), [SETTLING],              True,  call("settle", "settling")),
    ("… but nothing new is begun",            memory(is_blind=True, polls_not_before=NOW + S), [VERIFY, SEND],                         False, call("wait", until=NOW + S)),
    ("… and comes back",                      memory(is_blind=True, polls_not_before=NOW), [VERIFY, SEND, SETTLING],                   True,  call("poll")),
    ("new sales don't starve settlement",     memory(last_turn="verify"),                  [VERIFY, SETTLING],                         True,  call("settle", "settling")),
    ("… nor that the new sales",              memory(last_turn="settle"),                  [VERIFY, SETTLING],                         True,  call("verify", "verify")),
    ("… nor both the sweep",                  memory(last_turn="settle", last_sweep_at=NOW - 60 * S), [VERIFY, SEND, SETTLING],          True,  call("sweep")),
    ("… nor the sending",                     memory(last_turn="verify"),                  [VERIFY, SEND, SETTLING],                   True,  call("send", "send")),
    ("a turn without a drop passes on",       memory(last_turn="verify", free_at={"status": NOW + S}), [VERIFY, SETTLING],              True,  call("verify", "verify")),
    ("sweep for reversals",                   memory(last_sweep_at=NOW - 60 * S),          [],                                         True,  call("sweep")),
    ("nothing to be reversed: less often",    memory(last_sweep_at=NOW - 299 * S),         [],                                         False, call("wait", until=NOW + S)),
    ("… but what left is looked for",         memory(last_sweep_at=NOW - 300 * S),         [],                                         False, call("sweep")),
    ("the own inventory, when it is wanted",  memory(stock_games=(730,)),                  [],                                         False, call("stock")),
    ("… not before its time",                 memory(stock_games=(730,), stock_not_before=NOW + S), [],                                False, call("wait", until=NOW + S)),
    ("… not while it is blind",               memory(stock_games=(730,), is_blind=True, polls_not_before=NOW + S), [],                  False, call("wait", until=NOW + S)),
    ("… and by turns",                        memory(stock_games=(730,), last_turn="verify"), [VERIFY, SEND],                          False, call("send", "send")),
    ("wait for what comes first",             memory(),                                    [task("settling", 7), task("offered", 9)],  True,  call("wait", until=NOW + 5 * S)),
    ("a failed trade makes way",              memory(not_before={"exchanged": NOW + S}),   [EXCHANGED, VERIFY],                        False, call("verify", "verify")),
    ("and comes back",                        memory(not_before={"exchanged": NOW + S}),   [EXCHANGED],                                False, call("wait", until=NOW + S)),
    ("a reversal that is put off",            memory(suspects=("x",), suspects_not_before=NOW + S), [],                                 True,  call("wait", until=NOW + S)),
    ("a back-off of another clock is over",   memory(),                                    [task("send", 61)],                         False, call("send", "send")),
    ("… not one that can be",                 memory(last_poll_at=NOW + 60 * S),           [task("send", 60)],                         False, call("wait", until=NOW + 60 * S)),
    ("… nor what waits for its day",          memory(),                                    [task("settling", 61)],                     False, call("wait", until=NOW + 45 * S)),
    ("an operator decides, not we",           memory(),                                    [task("operator", None)],                   False, call("wait", until=NOW + 45 * S)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "known", "tasks", "unsettled", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_the_agenda(what: str, known: Memory, tasks: list[Task], unsettled: bool, expected: Call) -> None:
    assert next_call(known, tasks, unsettled, NOW, PACE) == expected


LOGINS = [
    # what                          now (UTC, Tuesday 2026-03-10)   next login at  call
    ("in the window: wait",         1_773_172_800,                  0,             call("wait", until=1_773_188_100 * S)),
    ("before it: log in",           1_773_172_799,                  0,             call("login")),
    ("after it: log in",            1_773_188_100,                  0,             call("login")),
    ("refused before: wait longer", 1_773_172_800,                  1_773_190_000, call("wait", until=1_773_190_000 * S)),
    ("refused, no window",          1_773_190_000,                  1_773_190_030, call("wait", until=1_773_190_030 * S)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "now", "next_login_at", "expected"), LOGINS, ids=[row[0] for row in LOGINS])
def test_full_logins_keep_away_from_maintenance(what: str, now: int, next_login_at: int, expected: Call) -> None:
    pace = Pace(no_logins=Window(1, 13 * 60, 17 * 60 + 15, "America/Los_Angeles"))
    known = memory(logged_in=False, next_login_at=next_login_at * S)
    assert next_call(known, [EXCHANGED], True, now * S, pace) == expected
    assert next_call(memory(token_expires_at=now * S), [], False, now * S, pace) == call("renew"), "renewals go on"


def test_a_clock_that_went_back_does_not_silence_a_bot() -> None:
    known = memory(last_poll_at=NOW + 86_400 * S, quiet_until=NOW + 86_400 * S, not_before={"offered": NOW + 86_400 * S})
    known.mend(NOW)
    assert next_call(known, [task("offered", -5)], False, NOW, PACE).until <= NOW + LONGEST_WAIT_US
    known.quiet_until = 0
    assert next_call(known, [task("offered", -5)], False, NOW + 6 * S, PACE) == call("poll")


def room(number: int = 1, **changed: object) -> Room:
    fields: dict[str, object] = {
        "id": number, "name": "r", "game": None, "min_value": None, "max_value": None, "buyers": None, "bots": None, "priority": 10, "enabled": 1,
    }  # fmt: skip
    return Room(**(fields | changed))  # type: ignore[arg-type]


ROOMS = [
    # rooms                                                             game value buyer  chosen
    ([room()], 730, 5, 1, 1),
    ([room(min_value=10)], 730, 9, 1, None),
    ([room(min_value=10)], 730, 10, 1, 1),
    ([room(max_value=10)], 730, 11, 1, None),
    ([room(max_value=10)], 730, 10, 1, 1),
    ([room(game=570)], 730, 5, 1, None),
    ([room(buyers=[2])], 730, 5, 1, None),
    ([room(buyers=[])], 730, 5, 1, 1),
    ([room(enabled=0)], 730, 5, 1, None),
    ([room(1, priority=2), room(2, priority=1)], 730, 5, 1, 2),
    ([room(2, priority=1), room(1, priority=1)], 730, 5, 1, 1),
    ([room(1, priority=1, game=570), room(2, priority=9)], 730, 5, 1, 2),
]


@pytest.mark.parametrize(("rooms", "game", "value", "buyer", "chosen"), ROOMS)
def test_the_room_of_a_trade(rooms: list[Room], game: int, value: int, buyer: int, chosen: int | None) -> None:
    found = choose_room(rooms, game, value, buyer)
    assert (found.id if found else None) == chosen


def bot(number: int = 1, **changed: object) -> Bot:
    fields: dict[str, object] = {
        "number": number, "steamid64": str(number), "profile_name": None, "avatar": None, "games": None, "enabled": 1, "state": BotState.OK,
        "live_offers": 0, "live_offers_max": 30, "seller_offers_max": 5, "items_max": 1000, "last_good_real_us": NOW,
    }  # fmt: skip
    return Bot(**(fields | changed))  # type: ignore[arg-type]


BOTS = [
    # bots                                       room             seller's  items chosen
    ([bot()], room(), {}, 1, 1),
    ([bot(enabled=0)], room(), {}, 1, None),
    ([bot(state=BotState.LIMITED)], room(), {}, 1, None),
    ([bot(last_good_real_us=NOW - 120 * S)], room(), {}, 1, None),
    ([bot(last_good_real_us=NOW - 119 * S)], room(), {}, 1, 1),
    ([bot(games=[570])], room(), {}, 1, None),
    ([bot(games=[570, 730])], room(), {}, 1, 1),
    ([bot(live_offers=30)], room(), {}, 1, None),
    ([bot(live_offers=29)], room(), {}, 1, 1),
    ([bot()], room(), {1: 5}, 1, None),
    ([bot()], room(), {1: 4}, 1, 1),
    ([bot(stock={730: 999})], room(), {}, 2, None),
    ([bot(1, live_offers=2), bot(2, live_offers=1)], room(), {}, 1, 2),
    ([bot(2), bot(1)], room(), {}, 1, 1),
    ([bot(1), bot(2, live_offers=7)], room(bots=[2]), {}, 1, 2),
    ([bot(1)], room(bots=[]), {}, 1, 1),
    ([], room(), {}, 1, None),
]


@pytest.mark.parametrize(("bots", "where", "with_seller", "items", "chosen"), BOTS)
def test_the_bot_of_a_trade(bots: list[Bot], where: Room, with_seller: dict[int, int], items: int, chosen: int | None) -> None:
    found = choose_bot(where, bots, 730, items, with_seller, NOW)
    assert (found.number if found else None) == chosen


TASKS: list[tuple[str, Stage, dict[str, object], int, dict[str, object]]] = [
    # what                             stage            the sale                          at       what the agenda sees
    ("verified",                       Stage.SEND,      {},                               0,       {}),
    ("too late",                       Stage.SEND,      {},                               900,     {"is_too_late": True}),
    ("its offer's time is over",       Stage.OFFERED,   {},                               900,     {"wants_cancel": True}),
    ("our own confirmation",           Stage.OFFERED,   {"offer_state": 9},               0,       {"needs_confirmation": True}),
    ("held",                           Stage.OFFERED,   {"offer_state": 11},              900,     {"is_held": True}),
    ("exchanged",                      Stage.EXCHANGED, {},                               900,     {"steam_trade_id": "4"}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "sale", "at", "expected"), TASKS, ids=[row[0] for row in TASKS])
def test_a_sale_as_the_agenda_sees_it(
    what: str, stage: Stage, sale: dict[str, object], at: int, expected: dict[str, object]
) -> None:
    one = sales.trade(stage, **sale)
    blank = {
        "steam_trade_id": None,
        "wants_cancel": False,
        "is_too_late": False,
        "is_held": False,
        "needs_confirmation": False,
        "gives": False,
    }
    for may_send in (True, False):
        known = {"trade_id": one.id, "stage": stage, "due_at": sales.NOW, "may_send": may_send}
        assert task_of(one, sales.NOW + at * S, Rules(), may_send)._asdict() == known | blank | expected


def test_a_poll_that_failed_leaves_time_for_all_else() -> None:
    """Twice as long as the bot rests; one that works ends that."""
    known = memory()
    known.polls_failed(3 * S, NOW)
    assert (known.is_blind, known.polls_not_before) == (True, NOW + 6 * S)
    known.polls_worked()
    assert (known.is_blind, known.polls_not_before) == (False, 0)


def test_one_trade_is_put_off_and_no_other() -> None:
    known = memory()
    known.defer("send", NOW + 3 * S)
    assert next_call(known, [SEND, SETTLING], True, NOW, PACE) == call("settle", "settling")
    assert next_call(known, [SEND], True, NOW + 3 * S, PACE) == call("send", "send")


MENDED: list[tuple[str, object, object]] = [
    # what is remembered     of a clock that was ahead                            afterwards
    ("last_poll_at",         NOW + 1,                                             NOW),
    ("last_full_poll_at",    NOW + 1,                                             NOW),
    ("last_send_at",         NOW + 1,                                             NOW),
    ("last_sweep_at",        NOW + 1,                                             NOW),
    ("quiet_until",          NOW + 999 * S,                                       NOW + 60 * S),
    ("next_login_at",        NOW + 9_999 * S,                                     NOW + 1_920 * S),
    ("polls_not_before",     NOW + 999 * S,                                       NOW + 120 * S),
    ("suspects_not_before",  NOW + 999 * S,                                       NOW + 60 * S),
    ("stock_not_before",     NOW + 999 * S,                                       NOW + 600 * S),
    ("free_at",              {"a": NOW, "b": NOW + 60 * S, "c": NOW + 61 * S},    {"b": NOW + 60 * S}),
    ("not_before",           {"a": NOW, "b": NOW + S, "c": NOW + 61 * S},         {"b": NOW + S, "c": NOW + 60 * S}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "ahead", "afterwards"), MENDED)
def test_no_remembered_moment_lies_further_away_than_any_can(name: str, ahead: object, afterwards: object) -> None:
    known = memory(**{name: ahead})
    known.mend(NOW)
    assert getattr(known, name) == afterwards
    known.mend(NOW)
    assert getattr(known, name) == afterwards
