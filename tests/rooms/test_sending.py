"""Until an offer is out, row by row: verifying, sending, a refusal, a lost answer and the look for it (readings R4, R5)."""

from collections.abc import Callable
from copy import copy
from typing import Any

import pytest

from selldesk.offers import sending
from selldesk.offers.outcomes import Heard
from selldesk.offers.rules import Rules
from selldesk.offers.stages import Stage
from selldesk.offers.words import Proof, SendRefusal
from selldesk.trades.trade import Trade
from tests.rooms.sales import DAY, MINUTE, NOW, S, changes, said, trade

RULES = Rules()
T = NOW + 5 * S
RETRY = {"due_at": T + S, "attempts": 1}
LOST = {"unknown_since": NOW}

VERIFY, SEND, SENDING, RECONCILE = Stage.VERIFY, Stage.SEND, Stage.SENDING, Stage.RECONCILE
OFFERED, DONE = Stage.OFFERED, Stage.DONE
AS_NAMED, OTHER_NAME, NOT_SHOWN, NO_WORD = Proof.AS_NAMED, Proof.OTHER_NAME, Proof.NOT_SHOWN, Proof.NO_WORD

PROOFS: list[tuple[str, Stage, dict[str, Any], Proof, int, int | None, dict[str, Any], list[str]]] = [
    # what                            stage    before                 proof             began  last look  what changes       what is said
    ("as named: send",                VERIFY,  {"attempts": 2},       AS_NAMED,         T,     None,      {"stage": SEND, "due_at": T, "attempts": 0, "verified_at": T}, []),
    ("… again: it was so before",     VERIFY,  {"verified_at": NOW},  AS_NAMED,         T,     None,      {"stage": SEND, "due_at": T}, []),
    ("another name",                  VERIFY,  {},                    OTHER_NAME,       T,     None,      {},                ["refused why"]),
    ("a trade hold",                  VERIFY,  {},                    Proof.TRADE_HOLD, T,     None,      {},                ["refused why"]),
    ("no trade with them",            VERIFY,  {},                    Proof.NO_TRADE,   T,     None,      {},                ["refused why"]),
    ("… a send was lost: look first", VERIFY,  LOST,                  Proof.NO_TRADE,   T,     None,      RETRY,             []),
    ("… looked",                      VERIFY,  LOST,                  Proof.NO_TRADE,   T,     NOW,       {},                ["refused why"]),
    ("no word",                       VERIFY,  {},                    NO_WORD,          T,     None,      RETRY,             []),
    ("not shown: a second reading",   VERIFY,  {},                    NOT_SHOWN,        T,     None,      {"doubt_at": T, "due_at": T + 5 * S}, []),
    ("… too early",                   VERIFY,  {"doubt_at": NOW + 1}, NOT_SHOWN,        T,     None,      {"due_at": T + 1}, []),
    ("… says so too",                 VERIFY,  {"doubt_at": NOW},     NOT_SHOWN,        T,     None,      {},                ["refused why"]),
    ("… a send was lost: look first", VERIFY,  {"doubt_at": NOW, **LOST}, NOT_SHOWN,    T,     NOW - 1,   RETRY,             []),
    ("nobody asked: verified",        SEND,    {},                    OTHER_NAME,       T,     None,      {},                []),
    ("nobody asked: out",             OFFERED, {},                    OTHER_NAME,       T,     None,      {},                []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "stage", "before", "proof", "began", "looked_at", "changed", "expected"), PROOFS, ids=[row[0] for row in PROOFS]
)
def test_a_reading_of_the_inventory(
    what: str,
    stage: Stage,
    before: dict[str, Any],
    proof: Proof,
    began: int,
    looked_at: int | None,
    changed: dict[str, Any],
    expected: list[str],
) -> None:
    one = trade(stage, **before)
    was = copy(one)
    assert said(sending.read_proof(one, proof, "why", began, T, RULES, looked_at)) == expected
    assert changes(was, one) == changed


ENDS: list[tuple[str, dict[str, Any], int | None, list[str]]] = [
    # what                          before  last look  what is said
    ("too late",                    {},     None,      ["not_sent"]),
    ("withdrawn",                   {"cancel_by": "operator"}, None, ["withdrawn"]),
    ("a send was lost: look first", LOST,   None,      []),
    ("… looked",                    LOST,   NOW,       ["not_sent"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "before", "looked_at", "expected"), ENDS, ids=[row[0] for row in ENDS])
def test_giving_up(what: str, before: dict[str, Any], looked_at: int | None, expected: list[str]) -> None:
    one = trade(SEND, **before)
    was = copy(one)
    assert said(sending.give_up(one, looked_at, T, RULES)) == expected
    assert changes(was, one) == ({} if expected else RETRY)


INTENTS: list[tuple[str, Stage, dict[str, Any], int, bool]] = [
    # what                stage    before             at                     may be sent
    ("verified",          SEND,    {},                NOW + 15 * MINUTE - 1, True),
    ("too late",          SEND,    {},                NOW + 15 * MINUTE,     False),
    ("withdrawn",         SEND,    {"cancel_by": "operator"}, NOW,           False),
    ("an offer is known", SEND,    {"offer_id": "5"}, NOW,                   False),
    ("not verified",      VERIFY,  {},                NOW,                   False),
    ("under way",         SENDING, {},                NOW,                   False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "before", "at", "granted"), INTENTS, ids=[row[0] for row in INTENTS])
def test_the_intent_to_send(what: str, stage: Stage, before: dict[str, Any], at: int, granted: bool) -> None:
    """What an earlier look for a lost offer counted, begins anew."""
    one = trade(stage, misses=2, first_miss_at=NOW, **before)
    was = copy(one)
    assert sending.intend_to_send(one, at, RULES) is granted
    assert changes(was, one) == ({"stage": SENDING, "send_started_at": at, "misses": 0, "first_miss_at": None} if granted else {})


TOLD: dict[str, Callable[[Trade], Heard | None]] = {
    "refused": lambda one: sending.offer_refused(one, SendRefusal.SELLER, "why", T, RULES),
    "refused after a look": lambda one: sending.offer_refused(one, SendRefusal.SELLER, "why", T, RULES, NOW),
    "busy": lambda one: sending.offer_refused(one, SendRefusal.TRANSIENT, "why", T, RULES),
    "made": lambda one: sending.offer_made(one, "7", False, T),
    "made, unconfirmed": lambda one: sending.offer_made(one, "7", True, T),
    "unconfirmed": lambda one: sending.offer_unconfirmed(one, T, RULES),
    "lost": lambda one: sending.outcome_unknown(one, T),
    "no bot": lambda one: sending.wait_for_a_bot(one, T, RULES),
}
UNDER_WAY = {"send_started_at": NOW}
OUT = {"stage": OFFERED, "offer_id": "7", "due_at": T}
BACK = {"stage": SEND, "send_started_at": None}
LOOKING = "The answer to the send was lost; looking for the offer"

ANSWERS: list[tuple[str, Stage, dict[str, Any], str, dict[str, Any], list[str]]] = [
    # what                              stage      before                                what is told            what changes               what is said
    ("sent",                            SENDING,   {"attempts": 2},                      "made",                 {**OUT, "offer_state": 2, "attempts": 0}, ["Offer 7 sent"]),
    ("sent, for our phone to confirm",  SENDING,   {},                                   "made, unconfirmed",    {**OUT, "offer_state": 9}, ["Offer 7 sent"]),
    ("sent, but another one is known",  RECONCILE, {"offer_id": "5"},                    "made",                 {},                        []),
    ("sent, but the sale is over",      DONE,      {},                                   "made",                 {},                        []),
    ("not confirmed: 5 seconds",        OFFERED,   {"offer_state": 9},                   "unconfirmed",          {"due_at": T + 5 * S, "attempts": 1}, []),
    ("… then 10",                       OFFERED,   {"offer_state": 9, "attempts": 1},    "unconfirmed",          {"due_at": T + 10 * S, "attempts": 2}, []),
    ("… at most 20",                    OFFERED,   {"offer_state": 9, "attempts": 7},    "unconfirmed",          {"due_at": T + 20 * S, "attempts": 8}, []),
    ("… to be cancelled",               OFFERED,   {"offer_state": 9, "cancel_by": "unconfirmed"}, "unconfirmed", {},                       []),
    ("… confirmed after all",           OFFERED,   {},                                   "unconfirmed",          {},                        []),
    ("their fault: the end",            SENDING,   UNDER_WAY,                            "refused",              BACK,                      ["refused why"]),
    ("… an earlier one was lost: look", SENDING,   {**UNDER_WAY, **LOST},                "refused",              {**BACK, **RETRY},         []),
    ("… looked",                        SENDING,   {**UNDER_WAY, **LOST},                "refused after a look", BACK,                      ["refused why"]),
    ("busy: again",                     SENDING,   UNDER_WAY,                            "busy",                 {**BACK, **RETRY},         []),
    ("refused, but nothing was sent",   SEND,      {},                                   "refused",              {},                        []),
    ("refused, but it is out",          OFFERED,   {},                                   "refused",              {},                        []),
    ("the answer is lost: look",        SENDING,   {**UNDER_WAY, "misses": 2, "first_miss_at": NOW}, "lost",     {"stage": RECONCILE, "due_at": T, "misses": 0, "first_miss_at": None, "unknown_since": NOW}, [LOOKING]),
    ("… and so was an earlier one",     SENDING,   {"send_started_at": NOW + S, **LOST}, "lost",                 {"stage": RECONCILE, "due_at": T}, [LOOKING]),
    ("… but nothing was sent",          SEND,      {},                                   "lost",                 {},                        []),
    ("its bot has too many with them",  VERIFY,    {},                                   "no bot",               RETRY,                     []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "before", "told", "changed", "expected"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_the_answer_to_a_send(
    what: str, stage: Stage, before: dict[str, Any], told: str, changed: dict[str, Any], expected: list[str]
) -> None:
    one = trade(stage, **before)
    was = copy(one)
    assert said(TOLD[told](one) or Heard()) == expected
    assert changes(was, one) == changed


LISTS: list[tuple[str, Stage, dict[str, Any], int, dict[str, Any], list[str]]] = [
    # what                             stage      before: misses, the first one, send                                  began  what changes                                                            what is said
    ("the first miss",                 RECONCILE, {},                                                                  0,     {"misses": 1, "first_miss_at": NOW, "due_at": NOW + 4 * S},             []),
    ("often at first",                 RECONCILE, {"misses": 1, "first_miss_at": NOW},                                 4,     {"misses": 2, "due_at": NOW + 12 * S},                                  []),
    ("… then when the spread is over", RECONCILE, {"misses": 4, "first_miss_at": NOW},                                 50,    {"misses": 5, "due_at": NOW + 60 * S},                                  []),
    ("… then rarely",                  RECONCILE, {"misses": 5, "first_miss_at": NOW},                                 60,    {"misses": 6, "due_at": NOW + 188 * S},                                 []),
    ("… then when all windows are",    RECONCILE, {"misses": 6, "first_miss_at": NOW},                                 200,   {"misses": 7, "due_at": NOW + 300 * S},                                 []),
    ("all windows are over",           RECONCILE, {"misses": 1, "first_miss_at": NOW, "attempts": 3, "doubt_at": NOW}, 300,   {"stage": VERIFY, "send_started_at": None, "due_at": NOW + 300 * S, "misses": 2, "attempts": 0, "doubt_at": None}, ["No offer was created by the lost send"]),
    ("one list alone proves nothing",  RECONCILE, {},                                                                  400,   {"misses": 1, "first_miss_at": NOW + 400 * S, "due_at": NOW + 404 * S}, []),
    ("two within the spread neither",  RECONCILE, {"misses": 1, "first_miss_at": NOW + 300 * S},                       359,   {"misses": 2, "due_at": NOW + 360 * S},                                 []),
    ("it began before the send",       RECONCILE, {},                                                                  -1,    {},                                                                     []),
    ("nothing was sent",               RECONCILE, {"send_started_at": None},                                           0,     {},                                                                     []),
    ("nothing is looked for",          SENDING,   {},                                                                  0,     {},                                                                     []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "before", "began", "changed", "expected"), LISTS, ids=[row[0] for row in LISTS])
def test_a_list_without_the_lost_offer(
    what: str, stage: Stage, before: dict[str, Any], began: int, changed: dict[str, Any], expected: list[str]
) -> None:
    one = trade(stage, **({"send_started_at": NOW} | before))
    was = copy(one)
    at = NOW + began * S
    assert said(sending.not_listed(one, at, at, RULES)) == expected
    assert changes(was, one) == changed


TOO_LATE: list[tuple[str, Stage, dict[str, Any], int, bool]] = [
    # what                 stage    before                     at                     too late
    ("in time",            VERIFY,  {},                        NOW + 15 * MINUTE - 1, False),
    ("over",               VERIFY,  {},                        NOW + 15 * MINUTE,     True),
    ("withdrawn",          SEND,    {"cancel_by": "operator"}, NOW,                   True),
    ("under way",          SENDING, {"cancel_by": "operator"}, NOW + DAY,             False),
    ("its offer is known", SEND,    {"offer_id": "5"},         NOW + DAY,             False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "before", "at", "expected"), TOO_LATE, ids=[row[0] for row in TOO_LATE])
def test_too_late_to_offer(what: str, stage: Stage, before: dict[str, Any], at: int, expected: bool) -> None:
    assert sending.too_late_to_offer(trade(stage, **before), at, RULES) is expected
