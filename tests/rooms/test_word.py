"""Steam's word as tables: a trade in a stage hears something → status, stage, error. No sale ends without Steam's last word."""

from typing import Any

import pytest

from selldesk.offers import exchange, offered, sending
from selldesk.offers.outcomes import Outcome, ended
from selldesk.offers.rules import Rules
from selldesk.offers.stages import Stage
from selldesk.offers.words import OfferWord, Proof, SendRefusal, TradeWord
from selldesk.trades import reversals
from selldesk.trades.endings import ENDINGS, of_sale
from selldesk.trades.reversals import Reversal
from selldesk.trades.status import TRANSITIONS, Status, may_follow
from tests.rooms.sales import DAY, NOW, S, items, offer, received, trade

RULES = Rules()

OFFERS = [
    # what Steam shows                before                                   status        stage        error contains
    (offer(2), {}, "processing", "offered", None),
    (offer(9), {}, "processing", "offered", None),
    (offer(3, steam_trade_id="4"), {}, "processing", "exchanged", None),
    (offer(3), {}, "processing", "exchanged", None),
    (offer(4), {}, "cancelled", None, "countered"),
    (offer(5), {}, "cancelled", None, "expired"),
    (offer(6), {}, "declined", None, "bot's side"),
    (offer(6), {"cancel_by": "deadline"}, "cancelled", None, "in time"),
    (offer(6), {"cancel_by": "operator"}, "declined", None, "operator"),
    (offer(7), {}, "cancelled", None, "declined"),
    (offer(8), {}, "cancelled", None, "no longer available"),
    (offer(10), {}, "cancelled", None, "mobile confirmation"),
    (offer(11, escrow_end=NOW + 15 * DAY), {}, "processing", "offered", None),
    (offer(6), {"offer_state": 11}, "cancelled", None, "hold ended"),
    (offer(7), {"offer_state": 11}, "cancelled", None, "hold ended"),
    (offer(6), {"offer_state": 11, "cancel_by": "operator"}, "declined", None, "operator"),
    (offer(12), {}, "processing", "exchanged", None),
    (offer(1), {}, "processing", "offered", None),
    (offer(99), {}, "processing", "offered", None),
    # an exchange once seen is never forgotten
    (offer(2), {"stage": "exchanged", "offer_state": 3}, "processing", "exchanged", None),
    (offer(7), {"stage": "exchanged", "offer_state": 3}, "processing", "exchanged", None),
    (offer(6), {"stage": "operator", "offer_state": 13}, "processing", "operator", None),
    # another offer of the same trade: only its acceptance matters
    (offer(6, offer_id="6"), {}, "processing", "offered", None),
    (offer(3, offer_id="6", steam_trade_id="4"), {}, "processing", "exchanged", None),
    # a trade that has ended stays as it is
    (offer(7), {"status": "accepted", "stage": "settling"}, "accepted", "settling", None),
]


@pytest.mark.parametrize(("said", "before", "status", "stage", "error"), OFFERS)
def test_what_an_offer_says(said: OfferWord, before: dict[str, Any], status: str, stage: str | None, error: str | None) -> None:
    before = dict(before)
    one = trade(Stage(before.pop("stage", "offered")), **before)
    effects = of_sale(offered.read_offer(one, said, NOW + 5 * S, RULES))
    moves = [move for move in effects.moves if move.status is not None]
    assert (moves[-1].status.value if moves and moves[-1].status else one.status) == status
    if stage is not None:
        assert one.stage == stage
    if error is not None:
        assert error in (moves[-1].error or "")
    if said.state in (1, 99):
        assert effects.alerts
    if said.state == 11:
        assert one.expires_at == NOW + 15 * DAY
        assert not offered.cancel_due(one, NOW + 20 * DAY, RULES)


EXCHANGES = [
    # game  Steam's word                                                  status        stage        settle after   protected
    (730, TradeWord(3, NOW + 7 * DAY, False, [received()]), "accepted", "settling", 7 * DAY + 900 * S, 1),
    (730, TradeWord(2, NOW + 7 * DAY, False, [received()]), "accepted", "settling", 7 * DAY + 900 * S, 1),
    (730, TradeWord(3, None, False, [received()]), "accepted", "settling", 8 * DAY, 1),
    (440, TradeWord(3, None, False, [received(appid=440)]), "accepted", "settling", 0, 0),
    (440, TradeWord(3, None, True, [received(appid=440)]), "accepted", "settling", 8 * DAY, 1),
    (440, TradeWord(3, NOW + 7 * DAY, False, [received(appid=440)]), "accepted", "settling", 7 * DAY + 900 * S, 1),
    (730, TradeWord(3, None, False, []), "processing", "exchanged", None, 0),
    (730, None, "processing", "exchanged", None, 0),
    (730, TradeWord(0, None, False, []), "processing", "exchanged", None, 0),
    (730, TradeWord(1, None, False, [received()]), "processing", "exchanged", None, 0),
    *[(730, TradeWord(status, None, False, [received()]), "processing", "exchanged", None, 0) for status in (4, 5, 6, 7, 8, 9, 77)],
    (730, TradeWord(10, None, False, []), "processing", "offered", None, 0),
    (730, TradeWord(11, None, False, []), "cancelled", None, None, 0),
    (730, TradeWord(3, None, False, [received(classid="other")]), "processing", "operator", None, 0),
    (730, TradeWord(3, None, False, [received(assetid="8")]), "processing", "operator", None, 0),
]


@pytest.mark.parametrize(("game", "said", "status", "stage", "settle_after", "protected"), EXCHANGES)
def test_what_an_exchange_says(
    game: int, said: TradeWord | None, status: str, stage: str | None, settle_after: int | None, protected: int
) -> None:
    one = trade(Stage.EXCHANGED, game=game)
    effects = of_sale(exchange.read_trade(one, items(), said, NOW, NOW, RULES))
    moves = [move for move in effects.moves if move.status is not None]
    assert (moves[-1].status.value if moves and moves[-1].status else "processing") == status
    if stage is not None:
        assert (one.stage, one.protected) == (stage, protected)
    if settle_after is not None:
        assert one.settle_at == NOW + settle_after
    assert bool(effects.alerts) == (said is not None and (said.status in range(4, 10) or one.stage == "operator"))
    assert status in ("accepted", "cancelled") or one.stage == "operator" or (one.due_at or 0) > NOW


def test_an_exchange_that_steam_does_not_confirm_raises_an_alert() -> None:
    one = trade(Stage.EXCHANGED)
    assert exchange.read_trade(one, items(), None, NOW, NOW + 599 * S, RULES).alerts == []
    assert [kind for kind, _ in exchange.read_trade(one, items(), None, NOW, NOW + 600 * S, RULES).alerts] == [
        "exchange_unconfirmed"
    ]


PROOFS = [
    # proof             doubt began  reading began  ends
    (Proof.AS_NAMED, None, 0, None),
    (Proof.OTHER_NAME, None, 0, "cancelled"),
    (Proof.TRADE_HOLD, None, 0, "cancelled"),
    (Proof.NO_WORD, None, 0, None),
    (Proof.NOT_SHOWN, None, 0, None),
    (Proof.NOT_SHOWN, 0, 4, None),
    (Proof.NOT_SHOWN, 0, 5, "cancelled"),
    (Proof.NO_WORD, 0, 60, None),
    (Proof.AS_NAMED, 0, 5, None),
]


@pytest.mark.parametrize(("proof", "doubt", "began", "ends"), PROOFS)
def test_what_an_inventory_says(proof: Proof, doubt: int | None, began: int, ends: str | None) -> None:
    one = trade(Stage.VERIFY, doubt_at=None if doubt is None else NOW + doubt * S)
    effects = of_sale(sending.read_proof(one, proof, "text", NOW + began * S, NOW + began * S, RULES))
    assert ([move.status for move in effects.moves] or [None])[0] == ends
    assert (one.stage == Stage.SEND) == (proof is Proof.AS_NAMED)


def test_a_lost_send_is_absent_only_after_all_windows() -> None:
    one = trade(Stage.SENDING, send_started_at=NOW)
    sending.outcome_unknown(one, NOW)
    for seconds, stage in [(-1, "reconcile"), (0, "reconcile"), (59, "reconcile"), (299, "reconcile"), (300, "verify")]:
        sending.not_listed(one, NOW + seconds * S, NOW + seconds * S, RULES)
        assert one.stage == stage, seconds
    assert one.unknown_since == NOW
    one = trade(Stage.SENDING, send_started_at=NOW)
    sending.outcome_unknown(one, NOW)
    sending.not_listed(one, NOW + 400 * S, NOW + 400 * S, RULES)
    assert one.stage == "reconcile", "one poll alone proves nothing"


REFUSALS = [
    # why                ends the sale
    (SendRefusal.SELLER,    "cancelled"),
    (SendRefusal.TRANSIENT, None),
    (SendRefusal.BOT_LIMIT, None),
    (SendRefusal.BOT_FULL,  None),
    (SendRefusal.BOT_ILL,   None),
    (SendRefusal.GAME_DOWN, None),
]  # fmt: skip


@pytest.mark.parametrize(("why", "ends"), REFUSALS)
def test_a_refused_send(why: SendRefusal, ends: str | None) -> None:
    one = trade(Stage.SENDING, send_started_at=NOW)
    effects = of_sale(sending.offer_refused(one, why, "text", NOW, RULES))
    assert ([move.status for move in effects.moves] or [None])[0] == ends
    if ends is None:
        assert (one.stage, one.send_started_at) == ("send", None)


@pytest.mark.parametrize("stage", [Stage.SENDING, Stage.RECONCILE, Stage.OFFERED, Stage.EXCHANGED, Stage.OPERATOR])
def test_a_deadline_never_ends_what_may_be_on_its_way(stage: Stage) -> None:
    assert not sending.too_late_to_offer(trade(stage), NOW + 365 * DAY, RULES)


@pytest.mark.parametrize("stage", [Stage.VERIFY, Stage.SEND, Stage.SENDING, Stage.RECONCILE])
def test_an_offer_that_steam_names_is_taken_up_whatever_the_store_forgot(stage: Stage) -> None:
    """Also when the intent to send is no longer on record; a second one never takes the first one's place."""
    one = trade(stage)
    assert [step.text for step in sending.offer_made(one, "7", False, NOW).steps] == ["Offer 7 sent"]
    assert (one.stage, one.offer_id, one.offer_state) == (Stage.OFFERED, "7", 2)
    assert sending.offer_made(one, "8", False, NOW).steps == []
    assert one.offer_id == "7"


@pytest.mark.parametrize("stage", [Stage.VERIFY, Stage.SEND])
def test_an_offer_must_be_out_in_time(stage: Stage) -> None:
    one = trade(stage)
    assert not sending.too_late_to_offer(one, NOW + 899 * S, RULES)
    assert sending.too_late_to_offer(one, NOW + 900 * S, RULES)
    assert not sending.intend_to_send(one, NOW + 900 * S, RULES)


WHO = [
    ([("a", 12)], Reversal.USER),
    ([("a", 12), ("a", 12)], Reversal.USER),
    ([("a", 12), ("b", 12)], Reversal.BOT),
    ([("a", 12), ("b", 3)], Reversal.USER),
    ([("a", 12), ("b", 12), ("c", 3)], Reversal.USER),
]


@pytest.mark.parametrize(("readings", "who"), WHO)
def test_who_pressed_reverse(readings: list[tuple[str, int]], who: Reversal) -> None:
    assert reversals.who_reversed(readings) is who


def test_the_status_table() -> None:
    allowed = {(before.value, after.value) for before, afters in TRANSITIONS.items() for after in afters}
    assert allowed == {
        ("processing", "accepted"), ("processing", "declined"), ("processing", "cancelled"), ("processing", "error"),
        ("accepted", "completed"), ("accepted", "rolled_back_by_user"), ("accepted", "rolled_back_by_bot"),
    }  # fmt: skip
    assert not any(may_follow(Status.COMPLETED, after) for after in Status)


@pytest.mark.parametrize("status", [0, 1, 2, 4, 5, 6, 7, 8, 9, 77])
def test_only_complete_pays(status: int) -> None:
    """Past settlement and margin, with a fresh reading: anything but 3 waits; trouble raises an alert."""
    one = trade(Stage.SETTLING, status="accepted", settle_at=NOW, protected=1, settlement=NOW)
    effects = of_sale(exchange.read_trade(one, items(), TradeWord(status, None, False, []), NOW + S, NOW + S, RULES))
    assert effects.moves == []
    assert (one.due_at or 0) > NOW + S
    assert bool(effects.alerts) == (status in range(4, 10))
    settled = exchange.read_trade(one, items(), TradeWord(3, None, False, []), NOW + S, NOW + S, RULES)
    assert [move.status for move in of_sale(settled).moves] == ["completed"]


def test_protection_that_is_announced_late_is_waited_for() -> None:
    """First a committed trade without a date, then Steam says that settlement is delayed: nobody is paid (R5)."""
    one = trade(Stage.EXCHANGED, game=440)
    exchange.read_trade(one, items(), TradeWord(2, None, False, [received(appid=440)]), NOW, NOW, RULES)
    assert (one.stage, one.protected) == ("settling", 0)
    one.status = Status.ACCEPTED
    assert exchange.read_trade(one, items(), TradeWord(3, None, True, []), NOW + S, NOW + S, RULES).steps == []
    assert (one.protected, one.settle_at) == (1, NOW + 8 * DAY)


def test_every_outcome_of_an_offer_means_something_to_its_sale() -> None:
    """What ends an offer ends its sale, with a text for the seller; no outcome is left out."""
    for outcome in sorted(set(Outcome) - {Outcome.OPENED}):
        (move,) = of_sale(ended(outcome, "Steam's reason" if outcome is Outcome.REFUSED else "")).moves
        assert move.status is not None
        assert may_follow(Status.PROCESSING, move.status) or may_follow(Status.ACCEPTED, move.status)
        assert bool(move.error) == (outcome in ENDINGS), outcome
        assert move.note
