"""Steam's word on an exchange, row by row: was it exchanged, is it final, what arrived, when is it paid (readings R4, R5)."""

from copy import copy
from typing import Any

import pytest

from selldesk.offers import exchange
from selldesk.offers.rules import Rules
from selldesk.offers.stages import Stage
from selldesk.offers.words import AssetWord, TradeWord
from selldesk.trades.trade import TradeItem
from tests.rooms.sales import DAY, MINUTE, NOW, S, changes, items, received, said, trade

RULES = Rules()
T = NOW + 5 * S
RETRY = {"due_at": T + S, "attempts": 1}
RARELY = {"due_at": T + 60 * S, "attempts": 7}
WEEK = NOW + 7 * DAY
PAID = WEEK + 15 * MINUTE
TF2 = 440

VERIFY, RECONCILE, OFFERED, EXCHANGED = Stage.VERIFY, Stage.RECONCILE, Stage.OFFERED, Stage.EXCHANGED
SETTLING, OPERATOR, DONE = Stage.SETTLING, Stage.OPERATOR, Stage.DONE
ARRIVED, NOTHING = [received()], list[AssetWord]()
OTHERS = [received(assetid="8")]
PROTECTED = {"protected": 1, "settlement": WEEK, "settle_at": PAID, "steam_status": 3}


def word(
    status: int = 3,
    settlement: int | None = WEEK,
    assets: list[AssetWord] = ARRIVED,
    delayed: bool = False,
    began: int | None = None,
) -> TradeWord:
    return TradeWord(status, settlement, delayed, assets, began)


FOUND: list[tuple[str, Stage, dict[str, Any], dict[str, Any], list[str]]] = [
    # what                          stage      before           what changes  what is said
    ("of a lost offer",             RECONCILE, {"attempts": 3}, {"stage": EXCHANGED, "due_at": T, "attempts": 0, "steam_trade_id": "8", "exchanged_at": T, "offer_state": 3}, ["Exchange 8 found in the bot's history"]),
    ("of an offer that is out",     OFFERED,   {},              {"stage": EXCHANGED, "due_at": T, "steam_trade_id": "8", "exchanged_at": T, "offer_state": 3}, ["Exchange 8 found in the bot's history"]),
    ("its number was unknown",      EXCHANGED, {"steam_trade_id": None}, {"steam_trade_id": "8", "due_at": T}, []),
    ("its number is known",         EXCHANGED, {},              {},           []),
    ("a human decides already",     OPERATOR,  {},              {},           []),
    ("it is known to be exchanged", SETTLING,  {},              {},           []),
    ("the sale is over",            DONE,      {},              {},           []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "before", "changed", "expected"), FOUND, ids=[row[0] for row in FOUND])
def test_an_exchange_in_the_history(
    what: str, stage: Stage, before: dict[str, Any], changed: dict[str, Any], expected: list[str]
) -> None:
    one = trade(stage, **before)
    was = copy(one)
    assert said(exchange.exchange_found(one, "8", T)) == expected
    assert changes(was, one) == changed


LATE = {"exchanged_at": NOW - 10 * MINUTE}
READINGS: list[tuple[str, Stage, dict[str, Any], TradeWord | None, dict[str, Any], list[str]]] = [
    # what                              stage      before               Steam's word                what changes                                                                                                 what is said
    ("exchanged: until the date",       EXCHANGED, {"attempts": 2},     word(),                     {**PROTECTED, "stage": SETTLING, "due_at": PAID, "attempts": 0},                                             ["exchanged"]),
    ("exchanged, of a hold",            OFFERED,   {"offer_state": 11}, word(),                     {**PROTECTED, "stage": SETTLING, "due_at": PAID, "exchanged_at": T},                                         ["exchanged"]),
    ("committed is exchanged too",      EXCHANGED, {},                  word(2),                    {**PROTECTED, "stage": SETTLING, "due_at": PAID, "steam_status": 2},                                         ["exchanged"]),
    ("no date: eight days",             EXCHANGED, {},                  word(settlement=None),      {"stage": SETTLING, "steam_status": 3, "protected": 1, "settle_at": NOW + 8 * DAY, "due_at": NOW + 8 * DAY}, ["exchanged"]),
    ("no date, no protection: at once", EXCHANGED, {"game": TF2},       word(settlement=None, assets=[received(appid=TF2)]), {"stage": SETTLING, "steam_status": 3, "settle_at": T, "due_at": T},                ["exchanged"]),
    ("no date, but delayed",            EXCHANGED, {"game": TF2},       word(settlement=None, assets=[received(appid=TF2)], delayed=True), {"stage": SETTLING, "steam_status": 3, "protected": 1, "settle_at": NOW + 8 * DAY, "due_at": NOW + 8 * DAY}, ["exchanged"]),
    ("a date too early is not used",    EXCHANGED, {"game": TF2},       word(settlement=WEEK - MINUTE - 1, assets=[received(appid=TF2)]), {"stage": SETTLING, "steam_status": 3, "protected": 1, "settle_at": NOW + 8 * DAY, "due_at": NOW + 8 * DAY}, ["exchanged", "! settlement_doubted"]),
    ("its protection is over already",  EXCHANGED, {"created_at": NOW - 9 * DAY, "exchanged_at": NOW - 9 * DAY}, word(settlement=NOW - DAY), {"stage": SETTLING, "steam_status": 3, "protected": 1, "settlement": NOW - DAY, "settle_at": NOW - DAY + 15 * MINUTE, "due_at": T}, ["exchanged"]),
    ("other items arrived",             EXCHANGED, {},                  word(assets=OTHERS),        {"stage": OPERATOR, "steam_status": 3, "offer_state": 13, "due_at": None},                                   ["Asset 9 did not arrive", "! missing_items"]),
    ("nothing is shown yet",            EXCHANGED, {},                  word(assets=NOTHING),       RETRY,                                                                                                       []),
    ("no word",                         EXCHANGED, {},                  None,                       RETRY,                                                                                                       []),
    ("… for ten minutes",               EXCHANGED, LATE,                None,                       RETRY,                                                                                                       ["! exchange_unconfirmed"]),
    ("begun",                           EXCHANGED, {},                  word(0),                    {"steam_status": 0, **RETRY},                                                                                []),
    ("failed",                          EXCHANGED, {},                  word(4),                    {"steam_status": 4, **RETRY},                                                                                ["! steam_trade_trouble"]),
    ("abandoned, for ten minutes",      EXCHANGED, LATE,                word(9),                    {"steam_status": 9, **RETRY},                                                                                ["! steam_trade_trouble", "! exchange_unconfirmed"]),
    ("held after all",                  EXCHANGED, {},                  word(10),                   {"steam_status": 10, "offer_state": 11, "stage": OFFERED, "due_at": NOW + 15 * MINUTE},                      []),
    ("a hold ended",                    OFFERED,   {"offer_state": 11}, word(11),                   {"steam_status": 11, "offer_state": 6},                                                                      ["hold_ended"]),
    ("… an operator ended it",          OFFERED,   {"offer_state": 11, "cancel_by": "operator"}, word(11), {"steam_status": 11, "offer_state": 6},                                                               ["withdrawn"]),
    ("nobody asked",                    VERIFY,    {},                  word(),                     {},                                                                                                          []),
    ("the sale is over",                DONE,      {},                  word(),                     {},                                                                                                          []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "before", "told", "changed", "expected"), READINGS, ids=[row[0] for row in READINGS])
def test_was_it_exchanged(
    what: str, stage: Stage, before: dict[str, Any], told: TradeWord | None, changed: dict[str, Any], expected: list[str]
) -> None:
    one = trade(stage, **before)
    was = copy(one)
    assert said(exchange.read_trade(one, items(), told, T, T, RULES)) == expected
    assert changes(was, one) == changed


DUE = {"settlement": WEEK, "settle_at": PAID, "protected": 1, "steam_status": 3}
SETTLEMENTS: list[tuple[str, dict[str, Any], TradeWord | None, int, int, dict[str, Any], list[str]]] = [
    # what                                            before           Steam's word                 began     at    what changes                              what is said
    ("its time is over: paid",                        DUE,             word(),                      PAID,     PAID, {},                                       ["settled"]),
    ("… but the reading began before",                DUE,             word(),                      PAID - 1, PAID, {"due_at": PAID + S, "attempts": 1},      []),
    ("… but it is not complete",                      DUE,             word(2),                     PAID,     PAID, {"due_at": PAID + S, "attempts": 1, "steam_status": 2}, []),
    ("its time is not over",                          DUE,             word(),                      T,        T,    {"due_at": PAID},                         []),
    ("the date has moved",                            {**DUE, "attempts": 3}, word(settlement=WEEK + DAY), PAID, PAID, {"settlement": WEEK + DAY, "settle_at": PAID + DAY, "due_at": PAID + DAY, "attempts": 0}, []),
    ("the date is gone: the old one counts",          DUE,             word(settlement=None),       PAID,     PAID, {},                                       ["settled"]),
    ("protected since",                               {"game": TF2, "settle_at": NOW}, word(settlement=None, assets=NOTHING, delayed=True), T, T, {"protected": 1, "settle_at": NOW + 8 * DAY, "due_at": NOW + 8 * DAY, "steam_status": 3}, []),
    ("… as was known",                                {"game": TF2, "settle_at": NOW, "protected": 1}, word(settlement=None, assets=NOTHING, delayed=True), T, T, {"steam_status": 3}, ["settled"]),
    ("no moment is known",                            {},              word(settlement=None, assets=NOTHING), T, T, {"steam_status": 3, **RETRY},             []),
    ("no word",                                       DUE,             None,                        T,        T,    RETRY,                                    []),
    ("no word, for ten minutes: its number is known", {**DUE, **LATE}, None,                        T,        T,    RETRY,                                    []),
    ("… and not even its number",                     {**DUE, **LATE, "steam_trade_id": None}, None, T,       T,    RETRY,                                    ["! exchange_unconfirmed"]),
    ("trouble",                                       DUE,             word(4),                     T,        T,    {"steam_status": 4, **RARELY},            ["! steam_trade_trouble"]),
    ("a hold",                                        DUE,             word(10),                    T,        T,    {"steam_status": 10, **RARELY},           ["! steam_trade_trouble"]),
    ("a hold ended",                                  DUE,             word(11),                    T,        T,    {"steam_status": 11, **RARELY},           ["! steam_trade_trouble"]),
    ("a date too early",                              DUE,             word(settlement=NOW),        T,        T,    RARELY,                                   ["! settlement_doubted"]),
    ("declared; other items arrived",                 {**DUE, "steam_status": None}, word(assets=OTHERS), PAID, PAID, {"due_at": PAID + 60 * S, "attempts": 7}, ["! missing_items"]),
    ("declared, and so it was",                       {**DUE, "steam_status": None}, word(),        PAID,     PAID, {"steam_status": 3},                      ["settled"]),
    ("what was compared is not again",                DUE,             word(assets=OTHERS),         PAID,     PAID, {},                                       ["settled"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "before", "told", "began", "at", "changed", "expected"), SETTLEMENTS, ids=[row[0] for row in SETTLEMENTS]
)
def test_is_it_final(
    what: str, before: dict[str, Any], told: TradeWord | None, began: int, at: int, changed: dict[str, Any], expected: list[str]
) -> None:
    one = trade(SETTLING, **before)
    was = copy(one)
    assert said(exchange.read_trade(one, items(), told, began, at, RULES)) == expected
    assert changes(was, one) == changed


EARLY: list[tuple[str, int | None, dict[str, Any], int | None, bool]] = [
    # what                               settlement             before                  Steam began  too early
    ("no date",                          None,                  {},                     None,        False),
    ("seven days, but for clocks",       WEEK - MINUTE,         {},                     None,        False),
    ("less",                             WEEK - MINUTE - 1,     {},                     None,        True),
    ("Steam says when it began",         WEEK + 4 * S - MINUTE, {"exchanged_at": T},    T,           True),
    ("… later than it was seen: not so", WEEK + 4 * S - MINUTE, {"exchanged_at": T},    T + 1,       False),
    ("… before the sale: not so",        WEEK - MINUTE - 1,     {"exchanged_at": T},    NOW - 1,     True),
    ("it was never seen exchanged",      WEEK + 4 * S - MINUTE, {"exchanged_at": None}, T,           True),
]  # fmt: skip


@pytest.mark.parametrize(("what", "settlement", "before", "began", "expected"), EARLY, ids=[row[0] for row in EARLY])
def test_a_settlement_date_that_can_not_be(
    what: str, settlement: int | None, before: dict[str, Any], began: int | None, expected: bool
) -> None:
    assert exchange.is_too_early(trade(EXCHANGED, **before), word(settlement=settlement, began=began)) is expected


def _item(assetid: str = "9", classid: str | None = "class") -> TradeItem:
    return TradeItem("t", 0, 1, "2", assetid, 100, 1, classid, "0", None, None)


MISSING: list[tuple[str, list[TradeItem], list[AssetWord], str | None]] = [
    # what                    the sale's items        what arrived                 what is wrong
    ("nothing asked",         [],                     ARRIVED,                     None),
    ("as named",              [_item()],              ARRIVED,                     None),
    ("more than named",       [_item()],              [*ARRIVED, *OTHERS],         None),
    ("one of two",            [_item(), _item("10")], ARRIVED,                     "Asset 10 did not arrive"),
    ("of another game",       [_item()],              [received(appid=TF2)],       "Asset 9 did not arrive"),
    ("of another context",    [_item()],              [received(contextid="6")],   "Asset 9 did not arrive"),
    ("of another class",      [_item()],              [received(classid="other")], "Asset 9 arrived as another item (class other instead of class)"),
    ("its class isn't told",  [_item()],              [received(classid=None)],    None),
    ("its class wasn't read", [_item(classid=None)],  [received(classid="other")], None),
]  # fmt: skip


@pytest.mark.parametrize(("what", "sold", "arrived", "expected"), MISSING, ids=[row[0] for row in MISSING])
def test_what_is_missing(what: str, sold: list[TradeItem], arrived: list[AssetWord], expected: str | None) -> None:
    assert exchange.what_is_missing(730, sold, arrived) == expected


IDS: list[tuple[str, list[AssetWord], tuple[str | None, str | None]]] = [
    # what               what arrived                                      the item's new id and context
    ("told",             [received(new_assetid="77", new_contextid="16")], ("77", "16")),
    ("not told",         ARRIVED,                                          (None, None)),
    ("of another asset", [received(assetid="8", new_assetid="77")],        (None, None)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "arrived", "expected"), IDS, ids=[row[0] for row in IDS])
def test_new_ids_are_noted_at_a_later_reading_too(
    what: str, arrived: list[AssetWord], expected: tuple[str | None, str | None]
) -> None:
    (item,) = sold = items()
    exchange.read_trade(trade(SETTLING, **DUE), sold, word(assets=arrived), T, T, RULES)
    assert (item.new_assetid, item.new_contextid) == expected


@pytest.mark.parametrize(("state", "expected"), [(3, 13), (12, 13), (2, 2), (11, 11), (None, None)])
def test_declared_failed(state: int | None, expected: int | None) -> None:
    """Accepted without an exchange brought no items; an open offer keeps its state (settled 5)."""
    one = trade(EXCHANGED, offer_state=state)
    exchange.declare_failed(one)
    assert one.offer_state == expected


DECLARED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # what                        before                                    what changes
    ("never seen exchanged",      {},                                       {"exchanged_at": T, "protected": 1, "settle_at": T + 8 * DAY, "due_at": T + 8 * DAY}),
    ("seen before",               {"exchanged_at": NOW},                    {"protected": 1, "settle_at": NOW + 8 * DAY, "due_at": NOW + 8 * DAY}),
    ("a game without protection", {"game": TF2},                            {"exchanged_at": T, "settle_at": T, "due_at": T}),
    ("its moment is known",       {"exchanged_at": NOW, "settle_at": PAID}, {"due_at": PAID}),
    ("… and over",                {"exchanged_at": NOW, "settle_at": NOW},  {"due_at": T}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "before", "changed"), DECLARED, ids=[row[0] for row in DECLARED])
def test_declared_exchanged(what: str, before: dict[str, Any], changed: dict[str, Any]) -> None:
    one = trade(OPERATOR, **before)
    was = copy(one)
    exchange.declare_exchanged(one, T, RULES)
    assert changes(was, one) == {"stage": SETTLING, **changed}
