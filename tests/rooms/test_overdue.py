"""When an offer should have moved, when it may end, and what its life says of itself (promise I11)."""

from typing import Any

import pytest

from selldesk.offers.life import tag_of
from selldesk.offers.overdue import ends_without_steam, is_overdue, should_have_moved_at
from selldesk.offers.pacing import may_end
from selldesk.offers.rules import Rules
from selldesk.offers.stages import Stage
from tests.rooms.sales import DAY, MINUTE, NOW, S, trade

RULES = Rules()
LATER = NOW + 60 * MINUTE
OUT_BY = NOW + 15 * MINUTE

VERIFY, SEND, SENDING, RECONCILE = Stage.VERIFY, Stage.SEND, Stage.SENDING, Stage.RECONCILE
OFFERED, EXCHANGED, SETTLING, OPERATOR, DONE = Stage.OFFERED, Stage.EXCHANGED, Stage.SETTLING, Stage.OPERATOR, Stage.DONE

MOMENTS: list[tuple[str, Stage, dict[str, Any], int | None]] = [
    # what                                    stage      before                                        should have moved
    ("an offer must be out in time",          VERIFY,    {"stage_at": LATER},                          OUT_BY),
    ("… verified or not",                     SEND,      {"stage_at": NOW},                            OUT_BY),
    ("… back from a lost send: at once",      VERIFY,    {"stage_at": LATER, "unknown_since": NOW},    LATER),
    ("… unless there is time",                VERIFY,    {"stage_at": NOW + S, "unknown_since": NOW},  OUT_BY),
    ("a send under way",                      SENDING,   {"stage_at": LATER},                          LATER),
    ("… an older release began it",           SENDING,   {"stage_at": NOW, "send_started_at": LATER},  LATER),
    ("a lost one: when all windows are over", RECONCILE, {"send_started_at": LATER},                   LATER + 5 * MINUTE),
    ("an offer's own time",                   OFFERED,   {"stage_at": LATER},                          OUT_BY),
    ("… that was never read",                 OFFERED,   {"stage_at": LATER, "expires_at": None},      LATER + 15 * MINUTE),
    ("an exchange, since it was seen",        EXCHANGED, {"stage_at": LATER, "exchanged_at": NOW + S}, NOW + S),
    ("… or since the stage began",            EXCHANGED, {"stage_at": LATER, "exchanged_at": None},    LATER),
    ("the settlement",                        SETTLING,  {"settle_at": NOW + 8 * DAY},                 NOW + 8 * DAY),
    ("… of which nobody knows",               SETTLING,  {"stage_at": LATER},                          LATER),
    ("a human decides",                       OPERATOR,  {"stage_at": NOW, "exchanged_at": LATER},     LATER),
    ("… since the stage began",               OPERATOR,  {"stage_at": LATER, "exchanged_at": NOW},     LATER),
    ("only of the stage itself counts",       SENDING,   {"stage_at": None, "exchanged_at": LATER},    NOW),
    ("nothing left to do",                    DONE,      {"stage_at": NOW},                            None),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "before", "expected"), MOMENTS, ids=[row[0] for row in MOMENTS])
def test_when_a_stage_should_be_over(what: str, stage: Stage, before: dict[str, Any], expected: int | None) -> None:
    """Overdue is what stands so much longer; a stage may have a time of its own."""
    one = trade(stage, **before)
    assert should_have_moved_at(one, RULES) == expected
    patient = Rules(overdue_us={stage.value: 20 * MINUTE})
    for rules, after in ((RULES, 10 * MINUTE), (patient, 20 * MINUTE)):
        if expected is None:
            assert not is_overdue(one, NOW + 365 * DAY, rules)
        else:
            assert (is_overdue(one, expected + after - 1, rules), is_overdue(one, expected + after, rules)) == (False, True)


WITHOUT_STEAM: list[tuple[str, Stage, dict[str, Any], int, bool]] = [
    # what                   stage    before  at          ends without Steam
    ("nothing sent in time", VERIFY,  {},     OUT_BY,     True),
    ("there is time",        VERIFY,  {},     OUT_BY - 1, False),
    ("a send was lost",      VERIFY,  {"unknown_since": NOW}, OUT_BY, False),
    ("a send is under way",  SENDING, {},     OUT_BY,     False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "before", "at", "expected"), WITHOUT_STEAM, ids=[row[0] for row in WITHOUT_STEAM])
def test_what_ends_without_steam(what: str, stage: Stage, before: dict[str, Any], at: int, expected: bool) -> None:
    assert ends_without_steam(trade(stage, **before), at, RULES) is expected


GATE: list[tuple[str, Stage, dict[str, Any], int | None, bool]] = [
    # what                        stage      before                                            last look  may end
    ("no send was lost",          VERIFY,    {},                                               None,      True),
    ("one was: no look",          VERIFY,    {"unknown_since": NOW},                           None,      False),
    ("… a look before it",        VERIFY,    {"unknown_since": NOW},                           NOW - 1,   False),
    ("… a look since",            VERIFY,    {"unknown_since": NOW},                           NOW,       True),
    ("… and another send since",  OFFERED,   {"unknown_since": NOW, "send_started_at": LATER}, LATER - 1, False),
    ("… and a look since that",   OFFERED,   {"unknown_since": NOW, "send_started_at": LATER}, LATER,     True),
    ("one is under way",          SENDING,   {"send_started_at": NOW},                         LATER,     False),
    ("one is looked for",         RECONCILE, {"send_started_at": NOW},                         NOW,       True),
    ("… nobody knows since when", RECONCILE, {},                                               0,         True),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "before", "looked_at", "expected"), GATE, ids=[row[0] for row in GATE])
def test_the_gate_of_all_endings(what: str, stage: Stage, before: dict[str, Any], looked_at: int | None, expected: bool) -> None:
    assert may_end(trade(stage, **before), looked_at) is expected


LIVES: list[tuple[Stage, dict[str, Any], str]] = [
    # stage     before               what it is
    (VERIFY,    {},                  "open unsent"),
    (VERIFY,    {"unknown_since": NOW}, "open doubted unsent"),
    (SEND,      {"offer_id": "5"},   "open"),
    (SENDING,   {},                  "open doubted"),
    (RECONCILE, {},                  "open doubted"),
    (OFFERED,   {},                  "open"),
    (OFFERED,   {"offer_state": 9},  "open needs_confirmation"),
    (OFFERED,   {"offer_state": 11}, "open held"),
    (EXCHANGED, {"offer_state": 9},  "open"),
    (OPERATOR,  {},                  "open"),
    (SETTLING,  {},                  ""),
    (DONE,      {},                  ""),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "before", "expected"), LIVES)
def test_what_a_life_says_of_itself(stage: Stage, before: dict[str, Any], expected: str) -> None:
    one = trade(stage, **before)
    words = {
        "open": one.is_open, "doubted": one.is_doubted, "unsent": one.is_unsent, "needs_confirmation": one.needs_confirmation, "held": one.is_held,
    }  # fmt: skip
    assert " ".join(word for word, holds in words.items() if holds) == expected


def test_a_tag_is_the_end_of_an_id() -> None:
    assert tag_of("019ce6a3-7d00-71ac-860a-694a5c54-17f0") == "#5c5417f0"
    assert trade(id="019ce6a3-7d00-71ac-860a-694a5c5417f0").tag == "#5c5417f0"
