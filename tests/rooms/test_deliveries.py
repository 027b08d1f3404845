"""What an offer's outcome means to a delivery, and how one is shown, as tables (people P4)."""

import pytest

from selldesk.deliveries.delivery import Delivery, DeliveryItem, link_place, settings_place
from selldesk.deliveries.endings import ENDINGS, OFFER_SENT, event_of, of_delivery
from selldesk.deliveries.views import DeliverySnapshot, delivery_data
from selldesk.events.types import TYPES
from selldesk.kernel.times import HOUR_US, MINUTE_US
from selldesk.offers.agenda import task_of
from selldesk.offers.exchange import read_trade, what_did_not_leave
from selldesk.offers.life import OpenOffer
from selldesk.offers.offered import withdraw
from selldesk.offers.outcomes import Outcome, ended
from selldesk.offers.rules import Rules
from selldesk.offers.sending import give_up, too_late_to_offer
from selldesk.offers.stages import Stage
from selldesk.offers.words import AssetWord, TradeWord
from selldesk.trades.status import RELEASED, Status, may_follow
from selldesk.trades.views import SelectedBot

NOW = 1_773_396_000_000_000
RULES = Rules().of_deliveries
ID = "019ce6a1-5f00-7a1e-860e-062c7e194c24"


def delivery(stage: Stage = Stage.OFFERED, **changed: object) -> Delivery:
    fields: dict[str, object] = dict.fromkeys(Delivery.__struct_fields__)
    fields |= {
        "id": ID, "game": 440, "bot": 1, "created_at": NOW, "stage": stage, "stage_at": NOW, "due_at": NOW, "attempts": 0, "misses": 0,
        "protected": 0, "buyer": 2, "custom_id": "mine", "part": 1, "parts": 2, "partner": "7", "tradelink": "", "message": "",
        "items_count": 2, "status": Status.PROCESSING, "updated_at": NOW, "version": 1, "resends": 0,
    }  # fmt: skip
    return Delivery(**(fields | changed))  # type: ignore[arg-type]


ITEMS = [DeliveryItem(ID, place, "sale", place, 5, "2", str(10 + place), "c", "0", None, None) for place in range(2)]


@pytest.mark.parametrize("outcome", sorted(set(Outcome)))
def test_every_outcome_of_an_offer_means_something_to_its_delivery(outcome: Outcome) -> None:
    """What ends the offer ends the delivery, with a text for its buyer; none is left out."""
    (move,) = of_delivery(ended(outcome, "Steam's reason" if outcome in (Outcome.REFUSED, Outcome.OPENED) else "")).moves
    if outcome is Outcome.OPENED:
        assert (move.status, move.event) == (None, OFFER_SENT)
        return
    assert move.status is not None
    assert may_follow(Status.PROCESSING, move.status) or may_follow(Status.ACCEPTED, move.status)
    assert (move.status in RELEASED) == (outcome in ENDINGS)
    assert bool(move.error) == (outcome in ENDINGS)
    assert event_of(move.status) in TYPES


def test_a_note_is_a_note() -> None:
    from selldesk.offers.outcomes import note

    (move,) = of_delivery(note("so it is")).moves
    assert (move.note, move.status, move.event) == ("so it is", None, None)


LEFT: list[tuple[str, list[str], str | None]] = [
    ("exactly these",  ["10", "11"],        None),
    ("one less",       ["10"],              "Assets that should have left did not: 11"),
    ("none",           [],                  "Assets that should have left did not: 10, 11"),
    ("one more",       ["10", "11", "12"],  "Assets left that should not have: 12"),
    ("another",        ["10", "12"],        "Assets that should have left did not: 11"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "assetids", "fault"), LEFT, ids=[row[0] for row in LEFT])
def test_what_left_must_be_exactly_what_was_to_leave(what: str, assetids: list[str], fault: str | None) -> None:
    assets = [AssetWord(440, "2", assetid) for assetid in assetids]
    assert what_did_not_leave(440, ITEMS, assets) == fault
    if assetids:
        one = delivery(Stage.EXCHANGED, steam_trade_id="8", exchanged_at=NOW)
        heard = read_trade(one, ITEMS, TradeWord(3, None, False, assets), NOW, NOW, RULES, what_did_not_leave)
        assert one.stage is (Stage.SETTLING if fault is None else Stage.OPERATOR)
        assert [kind for kind, _ in heard.alerts] == ([] if fault is None else ["missing_items"])


TIMES: list[tuple[str, dict[str, object], int, bool]] = [
    # what                            how it is                                         later                  too late
    ("asked for just now",            {"stage": Stage.VERIFY},                          0,                     False),
    ("an hour ago",                   {"stage": Stage.SEND},                            HOUR_US,               True),
    ("it waited for Steam's date",    {"stage": Stage.SEND, "verified_at": NOW + HOUR_US}, HOUR_US + MINUTE_US, False),
    ("it waits for a slot",           {"stage": Stage.SEND, "doubt_at": NOW},           30 * HOUR_US,          False),
    ("an item was not seen",          {"stage": Stage.VERIFY, "doubt_at": NOW},         HOUR_US,               True),
    ("cancelled while it waits",      {"stage": Stage.SEND, "doubt_at": NOW, "cancel_by": "owner"}, 0,         True),
]  # fmt: skip


@pytest.mark.parametrize(("what", "how", "later", "late"), TIMES, ids=[row[0] for row in TIMES])
def test_when_it_is_too_late_to_offer(what: str, how: dict[str, object], later: int, late: bool) -> None:
    """For the desk's row and for the bot's alike."""
    one = delivery(**how)  # type: ignore[arg-type]
    assert one.gives
    assert too_late_to_offer(one, NOW + later, RULES) == late
    life = {name: getattr(one, name) for name in OpenOffer.__struct_fields__ if hasattr(one, name)}
    seen = OpenOffer(**life, purpose="delivery")
    assert (seen.gives, seen.began_at) == (True, one.began_at)
    assert task_of(seen, NOW + later, Rules(), True).is_too_late == late
    sale = OpenOffer(**life, purpose="sale")
    assert (sale.gives, sale.began_at) == (False, NOW)


REASONS = [
    ("operator", Outcome.WITHDRAWN),
    ("owner", Outcome.CALLED_OFF),
    ("missing", Outcome.ITEMS_GONE),
    (None, Outcome.NOT_SENT),
]


@pytest.mark.parametrize(("by", "outcome"), REASONS, ids=[str(row[0]) for row in REASONS])
def test_why_none_was_sent(by: str | None, outcome: Outcome) -> None:
    (step,) = give_up(delivery(Stage.SEND, cancel_by=by), None, NOW, RULES).steps
    assert step.outcome is outcome


def test_a_buyer_calls_it_off() -> None:
    """At once if no offer can be out; else the cancellation begins."""
    (step,) = withdraw(delivery(Stage.SEND), NOW, "owner", "text").steps
    assert step.outcome is Outcome.CALLED_OFF
    out = delivery(Stage.OFFERED, offer_id="5")
    (step,) = withdraw(out, NOW, "owner", "text").steps
    assert (step.outcome, step.text, out.cancel_by) == (None, "text", "owner")


def test_how_it_is_shown() -> None:
    bot = SelectedBot("1", "avatar", "bot")
    named = [(item, "Key") for item in ITEMS]
    fresh = delivery_data(delivery(Stage.VERIFY), named, bot, None)
    assert (fresh.offer_url, fresh.processed_trade.trade_id, fresh.processed_trade.trade_status) == (None, None, None)
    one = delivery(offer_id="5", offer_state=3, steam_trade_id="8", expires_at=NOW, status=Status.ACCEPTED)
    shown = delivery_data(one, named, bot, "link")
    assert (shown.summary, shown.offer_url) == ("Accepted", "https://steamcommunity.com/tradeoffer/5/")
    trade = shown.processed_trade
    assert (trade.trade_id, trade.trade_status, trade.partner_id, trade.items_to_receive) == ("8_7", "Accepted", "link", [])
    assert [item.item_id for item in shown.items] == ["sale-0", "sale-1"]
    assert [item.key for item in ITEMS] == [("sale", 0), ("sale", 1)]
    snapshot = DeliverySnapshot.of(one)
    assert DeliverySnapshot.of(snapshot.laid_over(delivery(Stage.DONE, status=Status.ERROR, error="x"))) == snapshot
    assert link_place(2, "mine") != settings_place(2)
