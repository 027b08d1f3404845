"""What Steam shows of our offer, row by row: what changes in its life, and what is said of it. And when it is cancelled."""

from copy import copy
from typing import Any

import pytest

from selldesk.offers.offered import cancel_due, intend_to_cancel, read_offer, withdraw
from selldesk.offers.rules import Rules
from selldesk.offers.stages import Stage
from selldesk.offers.words import OfferWord
from tests.rooms.sales import MINUTE, NOW, S, changes, offer, said, trade

RULES = Rules()
T = NOW + 5 * S
"""When the offer is read."""
UNTIL = NOW + 15 * MINUTE
RETRY = {"due_at": T + S, "attempts": 1}

VERIFY, SEND, SENDING, RECONCILE = Stage.VERIFY, Stage.SEND, Stage.SENDING, Stage.RECONCILE
OFFERED, EXCHANGED, SETTLING, DONE = Stage.OFFERED, Stage.EXCHANGED, Stage.SETTLING, Stage.DONE
LATE = {"exchanged_at": NOW - 10 * MINUTE}

READINGS: list[tuple[str, Stage, dict[str, Any], OfferWord, int | None, dict[str, Any], list[str]]] = [
    # what                                    stage      before                                        what Steam shows               last look  what changes                               what is said
    ("open: until its time",                  OFFERED,   {},                                           offer(2),                      None,      {"due_at": UNTIL},                         []),
    ("open for the first time",               OFFERED,   {"expires_at": None},                         offer(2),                      None,      {"due_at": UNTIL, "expires_at": UNTIL},    ["opened Offer 5 is open"]),
    ("open, to be cancelled",                 OFFERED,   {"cancel_by": "deadline"},                    offer(2),                      None,      RETRY,                                     []),
    ("… no time was set",                     OFFERED,   {"cancel_by": "deadline", "due_at": None},    offer(2),                      None,      RETRY,                                     []),
    ("… not yet again",                       OFFERED,   {"cancel_by": "deadline", "due_at": T + S},   offer(2),                      None,      {},                                        []),
    ("a lost one turns up",                   SENDING,   {},                                           offer(2),                      None,      {"stage": OFFERED, "offer_id": "5", "offer_state": 2, "expires_at": UNTIL, "due_at": UNTIL}, ["Offer 5 found", "opened Offer 5 is open"]),
    ("… while it is looked for",              RECONCILE, {"unknown_since": NOW},                       offer(2),                      None,      {"stage": OFFERED, "offer_id": "5", "offer_state": 2, "expires_at": UNTIL, "due_at": UNTIL}, ["Offer 5 found", "opened Offer 5 is open"]),
    ("… after all windows",                   VERIFY,    {"unknown_since": NOW},                       offer(2),                      None,      {"stage": OFFERED, "offer_id": "5", "offer_state": 2, "expires_at": UNTIL, "due_at": UNTIL}, ["Offer 5 found", "opened Offer 5 is open"]),
    ("none was ever lost: not ours",          SEND,      {},                                           offer(2),                      None,      {},                                        []),
    ("the sale has ended",                    DONE,      {"offer_id": "5"},                            offer(3, steam_trade_id="4"),  None,      {},                                        []),
    # our own confirmation
    ("to be confirmed: at once",              OFFERED,   {"due_at": None},                             offer(9),                      None,      {"offer_state": 9, "due_at": T},           []),
    ("… not when the offer would be over",    OFFERED,   {"due_at": T + 5 * S + 1},                    offer(9),                      None,      {"offer_state": 9, "due_at": T},           []),
    ("… a try that waits goes on waiting",    OFFERED,   {"due_at": T + 5 * S},                        offer(9),                      None,      {"offer_state": 9},                        []),
    ("… its time counts from its creation",   OFFERED,   {"expires_at": None},                         offer(9),                      None,      {"offer_state": 9, "expires_at": UNTIL},   []),
    ("… to be cancelled",                     OFFERED,   {"cancel_by": "unconfirmed"},                 offer(9),                      None,      {"offer_state": 9, **RETRY},               []),
    # accepted
    ("accepted: read the exchange at once",   OFFERED,   {"attempts": 3},                              offer(3, steam_trade_id="4"),  None,      {"stage": EXCHANGED, "offer_state": 3, "steam_trade_id": "4", "exchanged_at": T, "due_at": T, "attempts": 0}, []),
    ("accepted before it was seen open",      OFFERED,   {"expires_at": None},                         offer(3, steam_trade_id="4"),  None,      {"stage": EXCHANGED, "offer_state": 3, "steam_trade_id": "4", "exchanged_at": T, "due_at": T, "expires_at": UNTIL}, []),
    ("reversed before it was seen accepted",  OFFERED,   {},                                           offer(12, steam_trade_id="4"), None,      {"stage": EXCHANGED, "offer_state": 12, "steam_trade_id": "4", "exchanged_at": T, "due_at": T}, []),
    ("accepted still: the exchange is asked", EXCHANGED, {"offer_state": 3},                           offer(3, steam_trade_id="4"),  None,      {},                                        []),
    ("accepted, no exchange yet",             EXCHANGED, {"offer_state": 3},                           offer(3),                      None,      RETRY,                                     []),
    ("… for ten minutes",                     EXCHANGED, {"offer_state": 3, **LATE},                   offer(3),                      None,      RETRY,                                     ["! exchange_unconfirmed"]),
    ("open again: never forgotten",           EXCHANGED, {"offer_state": 3, "steam_trade_id": None},   offer(2, steam_trade_id="8"),  None,      {"steam_trade_id": "8", **RETRY},          []),
    ("… the first number stays",              EXCHANGED, {"offer_state": 3, **LATE},                   offer(2, steam_trade_id="8"),  None,      RETRY,                                     ["! exchange_unconfirmed"]),
    # another offer of the same sale
    ("another one, open",                     OFFERED,   {},                                           offer(2, offer_id="6"),        None,      {},                                        []),
    ("another one, accepted",                 OFFERED,   {},                                           offer(3, offer_id="6", steam_trade_id="8"), None, {"offer_id": "6", "stage": EXCHANGED, "offer_state": 3, "steam_trade_id": "8", "exchanged_at": T, "due_at": T}, ["Offer 6 found"]),
    ("another one, accepted too",             EXCHANGED, {},                                           offer(3, offer_id="6", steam_trade_id="8"), None, {},                                []),
    # known by its exchange
    ("its exchange was found first",          SETTLING,  {"offer_id": None},                           offer(3, steam_trade_id="4"),  None,      {"offer_id": "5"},                         []),
    ("… it was another's",                    SETTLING,  {"offer_id": None},                           offer(3, steam_trade_id="8"),  None,      {},                                        []),
    ("declared: which exchange it was",       SETTLING,  {"steam_trade_id": None},                     offer(3, steam_trade_id="8"),  None,      {"steam_trade_id": "8"},                   []),
    ("… not told yet",                        SETTLING,  {"steam_trade_id": None},                     offer(3),                      None,      RETRY,                                     []),
    ("… not told for ten minutes",            SETTLING,  {"steam_trade_id": None, **LATE},             offer(3),                      None,      RETRY,                                     ["! exchange_unconfirmed"]),
    ("… of another offer",                    SETTLING,  {"steam_trade_id": None},                     offer(3, offer_id="6", steam_trade_id="8"), None, {},                                []),
    # held
    ("held until a date",                     OFFERED,   {},                                           offer(11, escrow_end=NOW + 9 * MINUTE), None, {"offer_state": 11, "expires_at": NOW + 9 * MINUTE, "due_at": NOW + 9 * MINUTE}, ["Steam holds the items (trade hold)"]),
    ("held without a date",                   OFFERED,   {"offer_state": 11, "expires_at": None},      offer(11),                     None,      {"due_at": T + 60 * MINUTE},               []),
    ("held, and its date has passed",         OFFERED,   {"offer_state": 11, "expires_at": T},         offer(11),                     None,      {"due_at": T + 60 * MINUTE},               []),
    ("held: they accepted in time after all", OFFERED,   {"cancel_by": "deadline"},                    offer(11),                     None,      {"offer_state": 11, "cancel_by": None, "due_at": UNTIL}, ["Steam holds the items (trade hold)"]),
    ("held, but an operator withdrew it",     OFFERED,   {"cancel_by": "operator"},                    offer(11),                     None,      {"offer_state": 11, "due_at": T + MINUTE}, ["Steam holds the items (trade hold)"]),
    ("a hold that somebody ended",            OFFERED,   {"offer_state": 11},                          offer(6),                      None,      {"offer_state": 6},                        ["hold_ended"]),
    ("… an operator did",                     OFFERED,   {"offer_state": 11, "cancel_by": "operator"}, offer(6),                      None,      {"offer_state": 6},                        ["withdrawn"]),
    ("… they did",                            OFFERED,   {"offer_state": 11},                          offer(7),                      None,      {"offer_state": 7},                        ["hold_ended"]),
    # ended
    ("countered",                             OFFERED,   {},                                           offer(4),                      None,      {"offer_state": 4},                        ["countered"]),
    ("expired",                               OFFERED,   {},                                           offer(5),                      None,      {"offer_state": 5},                        ["expired"]),
    ("declined",                              OFFERED,   {},                                           offer(7),                      None,      {"offer_state": 7},                        ["declined"]),
    ("items gone",                            OFFERED,   {},                                           offer(8),                      None,      {"offer_state": 8},                        ["items_gone"]),
    ("stopped on the phone",                  OFFERED,   {},                                           offer(10),                     None,      {"offer_state": 10},                       ["stopped_on_phone"]),
    ("cancelled, and not by us",              OFFERED,   {},                                           offer(6),                      None,      {"offer_state": 6},                        ["cancelled_elsewhere", "! session_in_other_hands"]),
    ("cancelled in time",                     OFFERED,   {"cancel_by": "deadline"},                    offer(6),                      None,      {"offer_state": 6},                        ["out_of_time"]),
    ("cancelled unconfirmed",                 OFFERED,   {"cancel_by": "unconfirmed"},                 offer(6),                      None,      {"offer_state": 6},                        ["unconfirmed"]),
    ("withdrawn",                             OFFERED,   {"cancel_by": "operator"},                    offer(6),                      None,      {"offer_state": 6},                        ["withdrawn"]),
    ("a send was lost: look first",           OFFERED,   {"unknown_since": NOW},                       offer(7),                      None,      RETRY,                                     []),
    ("… a look before the send is none",      OFFERED,   {"unknown_since": NOW},                       offer(6),                      NOW - 1,   RETRY,                                     []),
    ("… and then it ends",                    OFFERED,   {"unknown_since": NOW},                       offer(7),                      NOW,       {"offer_state": 7},                        ["declined"]),
    # unknown
    ("a state that nobody knows",             OFFERED,   {},                                           offer(99),                     None,      RETRY,                                     ["! unknown_offer_state"]),
    ("our own 13 is no state of Steam's",     OFFERED,   {},                                           offer(13),                     None,      RETRY,                                     ["! unknown_offer_state"]),
    ("invalid",                               RECONCILE, {"due_at": T + S},                            offer(1),                      None,      {"stage": OFFERED, "offer_id": "5", "offer_state": 1}, ["Offer 5 found", "! unknown_offer_state"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "stage", "before", "word", "looked_at", "changed", "expected"), READINGS, ids=[row[0] for row in READINGS]
)
def test_a_reading_of_an_offer(
    what: str,
    stage: Stage,
    before: dict[str, Any],
    word: OfferWord,
    looked_at: int | None,
    changed: dict[str, Any],
    expected: list[str],
) -> None:
    one = trade(stage, **before)
    was = copy(one)
    heard = read_offer(one, word, T, RULES, looked_at)
    assert changes(was, one) == changed
    assert said(heard) == expected


CANCELLING: list[tuple[str, Stage, dict[str, Any], int, str | None]] = [
    # what                            stage      before                                        at                    who cancels
    ("open",                          OFFERED,   {},                                           UNTIL - 1,            None),
    ("its time is over",              OFFERED,   {},                                           UNTIL,                "deadline"),
    ("its time was never read",       OFFERED,   {"expires_at": None},                         UNTIL,                None),
    ("not due",                       OFFERED,   {"due_at": UNTIL + 1},                        UNTIL,                None),
    ("nothing is due",                OFFERED,   {"due_at": None},                             UNTIL,                None),
    ("accepted",                      EXCHANGED, {},                                           UNTIL,                None),
    ("withdrawn",                     OFFERED,   {"cancel_by": "operator"},                    NOW,                  "operator"),
    ("cancelled in vain: again",      OFFERED,   {"cancel_by": "deadline"},                    NOW,                  "deadline"),
    ("unconfirmed for three minutes", OFFERED,   {"offer_state": 9},                           NOW + 3 * MINUTE,     "unconfirmed"),
    ("unconfirmed for less",          OFFERED,   {"offer_state": 9},                           NOW + 3 * MINUTE - 1, None),
    ("unconfirmed, and never read",   OFFERED,   {"offer_state": 9, "expires_at": None},       NOW + 3 * MINUTE,     None),
    ("held",                          OFFERED,   {"offer_state": 11},                          UNTIL,                None),
    ("held, cancelled before that",   OFFERED,   {"offer_state": 11, "cancel_by": "deadline"}, UNTIL,                None),
    ("held and withdrawn",            OFFERED,   {"offer_state": 11, "cancel_by": "operator"}, NOW,                  "operator"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "before", "at", "by"), CANCELLING, ids=[row[0] for row in CANCELLING])
def test_when_an_offer_is_cancelled_and_who_wants_it(
    what: str, stage: Stage, before: dict[str, Any], at: int, by: str | None
) -> None:
    """The intent is on record, with the first back-off if it is a new one."""
    one = trade(stage, attempts=3, **before)
    was = copy(one)
    assert cancel_due(one, at, RULES) is (by is not None)
    assert changes(was, one) == {}
    assert intend_to_cancel(one, at, RULES) is (by is not None)
    if by is None:
        assert changes(was, one) == {}
    else:
        is_new = was.cancel_by is None
        assert (one.cancel_by, one.attempts, one.due_at) == (by, 1 if is_new else 4, at + (1 if is_new else 8) * S)


WITHDRAWALS: list[tuple[str, Stage, dict[str, Any], list[str]]] = [
    # what                  stage    before  what is said
    ("nothing sent",        VERIFY,  {},     ["withdrawn"]),
    ("verified",            SEND,    {},     ["withdrawn"]),
    ("a send was lost",     SEND,    {"unknown_since": NOW}, ["An operator withdrew the trade"]),
    ("a send is under way", SENDING, {},     ["An operator withdrew the trade"]),
    ("the offer is out",    OFFERED, {},     ["An operator withdrew the trade"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "stage", "before", "expected"), WITHDRAWALS, ids=[row[0] for row in WITHDRAWALS])
def test_an_operator_withdraws(what: str, stage: Stage, before: dict[str, Any], expected: list[str]) -> None:
    one = trade(stage, attempts=3, **before)
    was = copy(one)
    assert said(withdraw(one, T)) == expected
    assert changes(was, one) == {"cancel_by": "operator", "due_at": T, "attempts": 0}
