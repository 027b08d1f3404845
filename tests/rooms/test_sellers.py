"""How a seller stands (people P6): strikes and cool-downs, blocks, limits, figures."""

from typing import Any

import msgspec
import pytest

from selldesk.sellers.limits import NO_LIMITS, MarketLimits, ProjectLimits, limits_of_project, read_limits
from selldesk.sellers.standing import (
    FIGURE_NAMES,
    Figures,
    Seller,
    SellerLoad,
    Strikes,
    blocked_for_reversal,
    cooldown_end,
    counted,
    counted_by_bot,
    figures,
    is_strike,
    why_not,
    why_not_project,
    with_strike,
)

S = 1_000_000
NOW = 1_773_396_000 * S
SELLER, SHOP = "76561197961265732", 1

STRIKES = [
    # offer's state, who cancelled it    a strike
    (4, None, True), (5, None, True), (7, None, True), (10, None, True), (6, "deadline", True),
    (6, "operator", False), (6, None, False), (8, None, False), (11, None, False), (None, None, False), (3, None, False),
]  # fmt: skip


@pytest.mark.parametrize(("state", "by", "expected"), STRIKES)
def test_what_is_a_strike(state: int | None, by: str | None, expected: bool) -> None:
    assert is_strike(state, by) is expected


def test_the_ladder_of_cool_downs() -> None:
    """Two are free; then 15 minutes, an hour, a day, a day."""
    limits, known = MarketLimits(), Strikes(SELLER, SHOP, 0, 0)
    waits = []
    for _ in range(6):
        known = with_strike(known, limits, NOW)
        waits.append((known.cooldown_until - NOW) // S if known.cooldown_until else 0)
    assert waits == [0, 0, 900, 3_600, 86_400, 86_400]


def test_a_cool_down_is_a_projects_own_until_two_have_reached_one() -> None:
    limits = MarketLimits()
    mine, theirs = Strikes(SELLER, 1, 3, NOW + 900 * S), Strikes(SELLER, 2, 3, NOW + 3_600 * S)
    free = Strikes(SELLER, 2, 2, 0)
    assert cooldown_end([mine, free], 1, limits, NOW) == NOW + 900 * S
    assert cooldown_end([mine, free], 2, limits, NOW) is None
    assert cooldown_end([mine, theirs], 3, limits, NOW) == NOW + 3_600 * S, "then it holds market-wide"
    assert cooldown_end([mine], 1, limits, NOW + 901 * S) is None


def test_an_unverified_claim_of_another_project_counts_for_nothing() -> None:
    """A trade link may be invented: else a stranger's sales would be blocked by it."""
    limits = MarketLimits(seller_processing_max=2)
    invented = SellerLoad(SELLER, 1, 2, 0, 50, 0, 5_000)
    real = SellerLoad(SELLER, 1, 2, 2, 0, 200, 0)
    assert why_not(None, [], [invented], 0, 1, 100, limits, NOW) is None
    assert why_not(None, [], [invented], 0, 2, 100, limits, NOW) is not None
    assert why_not(None, [], [real], 0, 1, 100, limits, NOW) is not None
    trusted = Seller(SELLER, "trusted", "known", None, NOW)
    assert why_not(trusted, [Strikes(SELLER, 1, 9, NOW + 1)], [real], 0, 1, 100, limits, NOW) is None


UNTIL = NOW + 10 * S
BLOCKS = [
    # status    until    blocked  trusted
    ("blocked", None,    True,    False),
    ("blocked", NOW + 1, True,    False),
    ("blocked", NOW,     False,   False),
    ("trusted", None,    False,   True),
    ("normal",  NOW + 1, False,   False),
]  # fmt: skip


@pytest.mark.parametrize(("status", "until", "blocked", "trusted"), BLOCKS)
def test_who_is_blocked_and_who_is_trusted(status: str, until: int | None, blocked: bool, trusted: bool) -> None:
    seller = Seller(SELLER, status, None, until, NOW)
    assert (seller.is_blocked(NOW), seller.is_trusted) == (blocked, trusted)


def _load(verified: int = 0, unverified: int = 0, project: int = 1, bot: int = 1, each: int = 10) -> SellerLoad:
    return SellerLoad(SELLER, bot, project, verified, unverified, verified * each, unverified * each)


COUNTS: list[tuple[str, list[SellerLoad], tuple[int, int], dict[int, int]]] = [
    # what                            the seller's sales                                     sales, value  bot → sales
    ("none",                          [],                                                    (0, 0),       {}),
    ("with this project",             [_load(2, 1)],                                         (3, 30),      {1: 3}),
    ("with another: verified ones",   [_load(2, 1, project=2)],                              (2, 20),      {1: 2}),
    ("at one bot, with two projects", [_load(1, 1), _load(1, 1, project=2)],                 (3, 30),      {1: 3}),
    ("at two bots",                   [_load(1, 1), _load(0, 2, bot=2), _load(1, 0, bot=2)], (5, 50),      {1: 2, 2: 3}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "loads", "expected", "by_bot"), COUNTS, ids=[row[0] for row in COUNTS])
def test_which_sales_of_a_seller_count(
    what: str, loads: list[SellerLoad], expected: tuple[int, int], by_bot: dict[int, int]
) -> None:
    assert counted(loads, 1) == expected
    assert counted_by_bot(loads, 1) == by_bot


BLOCKED, TRUSTED, NORMAL = (Seller(SELLER, status, None, None, NOW) for status in ("blocked", "trusted", "normal"))
STRUCK = [Strikes(SELLER, 1, 3, UNTIL)]
WHY: list[tuple[str, Seller | None, list[Strikes], list[SellerLoad], int, dict[str, Any], str | None]] = [
    # what                              seller   strikes  open         unsettled  limits                                                              why not
    ("nothing is known",                None,    [],      [],          0,         {},                                                                 None),
    ("nobody has said anything",        NORMAL,  [],      [],          0,         {},                                                                 None),
    ("blocked",                         BLOCKED, STRUCK,  [_load(9)],  0,         {"seller_processing_max": 1},                                       "Seller is blocked"),
    ("trusted: no cool-down, no limit", TRUSTED, STRUCK,  [_load(9)],  999,       {"seller_processing_max": 1, "seller_unsettled_value_max": 1},      None),
    ("cooling down, before limits",     None,    STRUCK,  [_load(9)],  0,         {"seller_processing_max": 1},                                       "Seller must wait until 2026-03-13T10:00:10Z"),
    ("as many as may be open",          None,    [],      [_load(1)],  0,         {"seller_processing_max": 2},                                       None),
    ("one more",                        None,    [],      [_load(2)],  0,         {"seller_processing_max": 2},                                       "Seller has too many open trades"),
    ("as much value as may be open",    None,    [],      [_load(1)],  0,         {"seller_processing_max": None, "seller_processing_value_max": 15}, None),
    ("a mill more",                     None,    [],      [_load(1)],  0,         {"seller_processing_max": None, "seller_processing_value_max": 14}, "Seller has too many open trades"),
    ("nothing is limited",              None,    [],      [_load(99)], 999,       {"seller_processing_max": None},                                    None),
    ("as much unsettled as may be",     None,    [],      [],          95,        {"seller_unsettled_value_max": 100},                                None),
    ("a mill more unsettled",           None,    [],      [],          96,        {"seller_unsettled_value_max": 100},                                "Seller has too many open trades"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "seller", "strikes", "loads", "unsettled", "bounds", "expected"), WHY, ids=[row[0] for row in WHY]
)
def test_why_a_seller_may_not_sell_for_five_more(
    what: str,
    seller: Seller | None,
    strikes: list[Strikes],
    loads: list[SellerLoad],
    unsettled: int,
    bounds: dict[str, Any],
    expected: str | None,
) -> None:
    refusal = why_not(seller, strikes, loads, unsettled, 1, 5, MarketLimits(**bounds), NOW)
    assert (refusal.text if refusal else None) == expected


def test_a_cool_down_is_told_in_whole_seconds_after_its_end() -> None:
    refusal = why_not(None, [Strikes(SELLER, 1, 3, UNTIL + 1)], [], 0, 1, 5, MarketLimits(), NOW)
    assert refusal is not None
    assert refusal.text == "Seller must wait until 2026-03-13T10:00:11Z"


@pytest.mark.parametrize("off", ["strikes_free", "cooldown_seconds"])
def test_without_one_of_its_limits_nobody_cools_down(off: str) -> None:
    limits = MarketLimits(**{off: None})  # type: ignore[arg-type]
    assert cooldown_end(STRUCK, 1, limits, NOW) is None
    assert with_strike(Strikes(SELLER, 1, 9, 7), limits, NOW) == Strikes(SELLER, 1, 10, 7)


PROJECTS: list[tuple[str, int, int, dict[str, Any], bool, bool]] = [
    # what                      sales  value  limits                                a second project  too much
    ("nothing is limited",      99,    99,    {},                                   True,             False),
    ("as many as may be",       3,     99,    {"project_processing_max": 3},        True,             False),
    ("one more",                4,     99,    {"project_processing_max": 3},        True,             True),
    ("as much value as may be", 3,     99,    {"project_processing_value_max": 99}, True,             False),
    ("a mill more",             3,     100,   {"project_processing_value_max": 99}, True,             True),
    ("its share of ten slots",  5,     0,     {"project_processing_percent": 50},   True,             False),
    ("more than its share",     6,     0,     {"project_processing_percent": 50},   True,             True),
    ("… it is the only one",    6,     0,     {"project_processing_percent": 50},   False,            False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "sales", "value", "bounds", "has_second", "too_much"), PROJECTS, ids=[row[0] for row in PROJECTS])
def test_why_a_project_may_not_have_so_much(
    what: str, sales: int, value: int, bounds: dict[str, Any], has_second: bool, too_much: bool
) -> None:
    refusal = why_not_project(sales, value, msgspec.structs.replace(NO_LIMITS, **bounds), 10, has_second)
    assert (refusal.text if refusal else None) == ("Project has too many open trades" if too_much else None)


MONTH = NOW + 30 * 86_400 * S


def _block(until: int | None, reason: str = "why") -> Seller:
    return Seller(SELLER, "blocked", reason, until, NOW)


REVERSALS: list[tuple[str, int, Seller | None, dict[str, Any], Seller | None]] = [
    # what                                  in a year  on record          limits  on record from now on
    ("the first: as long as Steam's ban",   1,         None,              {},     _block(MONTH, "reversed a sale on Steam")),
    ("a trusted one too",                   1,         TRUSTED,           {},     _block(MONTH, "reversed a sale on Steam")),
    ("the second: until it is lifted",      2,         None,              {},     _block(None, "reversed 2 sales within a year on Steam")),
    ("… a block with an end is longer now", 2,         _block(MONTH),     {},     _block(None, "reversed 2 sales within a year on Steam")),
    ("blocked for good already",            2,         BLOCKED,           {},     None),
    ("… the first",                         1,         BLOCKED,           {},     None),
    ("blocked for as long already",         1,         _block(MONTH),     {},     None),
    ("blocked for less",                    1,         _block(MONTH - 1), {},     _block(MONTH, "reversed a sale on Steam")),
    ("a block that is over",                1,         _block(NOW),       {},     _block(MONTH, "reversed a sale on Steam")),
    ("no limit on their number",            9,         None,              {"reversals_max": None}, _block(MONTH, "reversed 9 sales within a year on Steam")),
    ("no block for the first",              1,         None,              {"reversal_block_days": None}, None),
    ("no limit at all",                     9,         None,              {"reversals_max": None, "reversal_block_days": None}, None),
]  # fmt: skip


@pytest.mark.parametrize(("what", "count", "known", "bounds", "expected"), REVERSALS, ids=[row[0] for row in REVERSALS])
def test_a_reversal_blocks(what: str, count: int, known: Seller | None, bounds: dict[str, Any], expected: Seller | None) -> None:
    assert blocked_for_reversal(SELLER, count, known, MarketLimits(**bounds), NOW) == expected


def _day(**counts: int) -> dict[str, int]:
    return dict.fromkeys(FIGURE_NAMES, 0) | counts


PERIODS: list[tuple[str, list[dict[str, int]], Figures]] = [
    # what                days               figures
    ("nothing",           [],                Figures()),
    ("nothing has ended", [_day(opened=3)],  Figures(opened=3)),
    ("all refused",       [_day(refused=2)], Figures(refused=2)),
    ("sums of days",         [_day(opened=2, accepted=1, volume=5), _day(accepted=1, refused=1, completed=1, reversed=1, volume=7)],
                                                                                                  Figures(2, 2, 1, 1, 1, 12, 66.67, 50.0)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "days", "expected"), PERIODS, ids=[row[0] for row in PERIODS])
def test_figures_of_a_period(what: str, days: list[dict[str, int]], expected: Figures) -> None:
    assert figures(days) == expected


OWN: list[tuple[str, ProjectLimits | None, tuple[int | None, int | None]]] = [
    # what                    the project's own                               sales, percent
    ("none",                  None,                                           (1_000, 50)),
    ("nothing said",          ProjectLimits(),                                (1_000, 50)),
    ("one of its own",        ProjectLimits(project_processing_max=7),        (7, 50)),
    ("no limit of that kind", ProjectLimits(project_processing_percent=None), (1_000, None)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "own", "expected"), OWN, ids=[row[0] for row in OWN])
def test_limits_of_a_project(what: str, own: ProjectLimits | None, expected: tuple[int | None, int | None]) -> None:
    limits = limits_of_project(MarketLimits(seller_processing_max=3), own)
    assert (limits.project_processing_max, limits.project_processing_percent) == expected
    assert limits.seller_processing_max == 3, "all else is the market's"


def test_limits_come_from_the_store_or_are_the_defaults() -> None:
    assert read_limits(None) == MarketLimits()
    assert read_limits('{"strikes_free": 5}') == MarketLimits(strikes_free=5)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        read_limits('{"strikes": 5}')
