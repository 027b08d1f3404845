"""Whole sales, told over HTTP against a running sandbox: the market, its bots, and a Steam that answers."""

import time

import pytest

from tests.support import AK, AWP, DAY, SandboxProcess

MARGIN = 15 * 60


@pytest.mark.parametrize("game", [730, 570, 252490, 440])
def test_a_sale_from_match_to_money(sandbox: SandboxProcess, game: int) -> None:
    name = sandbox.buyable(game)
    before = sandbox.shop.get("/api/wallet/balance")
    custom_id = sandbox.sell(sandbox.sellers[0], game, name)
    if game == 730:
        accepted = sandbox.wait_for(custom_id, "accepted")
        assert accepted["processed_trade"]["settlement"] is not None
        frozen = sandbox.shop.get("/api/wallet/balance")["frozen_balance"]
        assert frozen == before["frozen_balance"] + accepted["total_value"]
        sandbox.advance(7 * DAY - 60)
        assert sandbox.trade(custom_id)["status"] == "accepted"
        sandbox.advance(60 + MARGIN + 60)
    done = sandbox.wait_for(custom_id, "completed")
    assert [line["status"] for line in done["history"]][-2:] == ["accepted", "completed"]
    assert done["processed_trade"]["trade_status"] == "Accepted"
    assert sandbox.shop.get("/api/wallet/balance")["balance"] >= before["balance"] + done["total_value"]
    sandbox.assert_clean()


def test_two_items_of_one_name_and_a_third_come_in_one_offer(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[1]
    items = [(assetid, AK) for assetid in sandbox.steam.give(seller, 730, AK, 2)]
    items += [(assetid, AWP) for assetid in sandbox.steam.give(seller, 730, AWP)]
    body = sandbox.offer_body(seller, 730, items)
    body["message"] = "thank you"
    sandbox.shop.do("POST", "/api/sell/trades/create", body)
    trade = sandbox.wait_for(body["custom_id"], "accepted")
    (offer,) = sandbox.offers_of(trade)
    assert len(offer["items"]) == 3
    assert offer["message"].startswith("thank you #")
    sandbox.assert_clean()


def test_the_seller_declines(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[1]
    sandbox.steam.behave(seller, "decline")
    trade = sandbox.wait_for(sandbox.sell(seller, 730, AK), "cancelled")
    assert trade["error"] == "The seller declined the offer"
    assert trade["processed_trade"]["trade_status"] == "Declined"
    sandbox.assert_clean()


def test_the_seller_counters_and_the_counter_offer_is_declined(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[2]
    sandbox.steam.behave(seller, "counter")
    trade = sandbox.wait_for(sandbox.sell(seller, 730, AK), "cancelled")
    assert trade["processed_trade"]["trade_status"] == "Countered"
    deadline = time.monotonic() + 15
    while any(o["state"] == 2 and o["from"] == seller["steamid64"] for o in sandbox.steam.state()["offers"]):
        assert time.monotonic() < deadline, "the bot left a counter-offer open"
        time.sleep(0.05)
    sandbox.assert_clean()


@pytest.mark.parametrize("behaviour", ["ignore", "accept_unconfirmed"])
def test_the_deadline_cancels_on_steam_first(sandbox: SandboxProcess, behaviour: str) -> None:
    seller = sandbox.sellers[3]
    sandbox.steam.behave(seller, behaviour)
    custom_id = sandbox.sell(seller, 730, AWP)
    sandbox.wait_for(custom_id, lambda trade: trade["expires_at"] is not None)
    sandbox.advance(MARGIN + 60)
    trade = sandbox.wait_for(custom_id, "cancelled")
    assert trade["processed_trade"]["trade_status"] == "Canceled"
    (offer,) = sandbox.offers_of(trade)
    assert offer["state"] == 6
    sandbox.assert_clean()


def test_a_lie_about_the_name_ends_without_an_offer(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[4]
    (assetid,) = sandbox.steam.give(seller, 730, AK)
    body = sandbox.offer_body(seller, 730, [(assetid, AWP)])
    sandbox.shop.do("POST", "/api/sell/trades/create", body)
    trade = sandbox.wait_for(body["custom_id"], "cancelled")
    assert AWP in trade["error"]
    assert AK in trade["error"]
    assert sandbox.offers_of(trade) == []
    assert trade["processed_trade"]["tradeoffer_id"] is None
    sandbox.assert_clean()


def test_an_item_that_is_gone_counts_after_a_second_look(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[4]
    (assetid,) = sandbox.steam.give(seller, 730, AK)
    body = sandbox.offer_body(seller, 730, [(assetid, AK)])
    sandbox.steam.call("DELETE", f"items/{assetid}")
    sandbox.shop.do("POST", "/api/sell/trades/create", body)
    time.sleep(0.5)
    assert sandbox.trade(body["custom_id"])["status"] == "processing"
    sandbox.advance(6)
    trade = sandbox.wait_for(body["custom_id"], "cancelled")
    assert "not in the seller's inventory" in trade["error"]
    assert sandbox.offers_of(trade) == []
    sandbox.assert_clean()


def test_the_seller_reverses_within_seven_days(sandbox: SandboxProcess) -> None:
    seller, bystander = sandbox.sellers[0], sandbox.sellers[1]
    custom_ids = [sandbox.sell(seller, 730, AK), sandbox.sell(seller, 730, AWP)]
    others = sandbox.sell(bystander, 730, AK)
    for custom_id in (*custom_ids, others):
        sandbox.wait_for(custom_id, "accepted")
    sandbox.steam.call("POST", "reverse", {"steamid64": seller["steamid64"]})
    for custom_id in custom_ids:
        trade = sandbox.wait_for(custom_id, "rolled_back_by_user")
        assert trade["processed_trade"]["status"] == 12
        found = sandbox.shop.get(f"/api/sell/trades/by-steam-trade-id/{trade['processed_trade']['trade_id']}")
        assert found["trade_id"] == trade["trade_id"]
    assert sandbox.trade(others)["status"] == "accepted"
    sandbox.assert_clean()


def test_the_same_asset_is_sold_again_after_a_reversal(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[2]
    (assetid,) = sandbox.steam.give(seller, 730, AK)
    first = sandbox.offer_body(seller, 730, [(assetid, AK)])
    sandbox.shop.do("POST", "/api/sell/trades/create", first)
    sandbox.wait_for(first["custom_id"], "accepted")
    again = sandbox.offer_body(seller, 730, [(assetid, AK)])
    assert sandbox.shop.refused("POST", "/api/sell/trades/create", again) == (400, f"Item {AK} is already in an active trade")
    sandbox.steam.call("POST", "reverse", {"steamid64": seller["steamid64"]})
    sandbox.wait_for(first["custom_id"], "rolled_back_by_user")
    sandbox.shop.do("POST", "/api/sell/trades/create", again)
    sandbox.wait_for(again["custom_id"], "accepted")
    sandbox.assert_clean()


@pytest.mark.parametrize("fault", ["send_created_then_reset", "send_created_then_500"])
def test_a_lost_answer_to_a_send_makes_no_second_offer(sandbox: SandboxProcess, fault: str) -> None:
    sandbox.steam.fault(fault, times=1)
    trade = sandbox.wait_for(sandbox.sell(sandbox.sellers[3], 730, AK), "accepted")
    (offer,) = sandbox.offers_of(trade)
    assert offer["state"] == 3
    assert any("looking for the offer" in line["note"] for line in trade["history"])
    sandbox.assert_clean()


@pytest.mark.parametrize("fault", ["send_reset", "send_500"])
def test_a_send_that_made_no_offer_is_repeated_only_after_the_windows(sandbox: SandboxProcess, fault: str) -> None:
    sandbox.steam.fault(fault, times=1)
    custom_id = sandbox.sell(sandbox.sellers[4], 730, AWP)
    sandbox.wait_for(custom_id, lambda trade: "looking for the offer" in trade["history"][-1]["note"])
    time.sleep(1.5)
    assert sandbox.offers_of(sandbox.trade(custom_id)) == []
    sandbox.advance(301)
    trade = sandbox.wait_for(custom_id, "accepted")
    assert len(sandbox.offers_of(trade)) == 1
    sandbox.assert_clean()


FAULTS_THAT_PASS = [
    ("send_error", {"times": 1, "eresult": 20}),
    ("poll_500", {"times": 3}),
    ("poll_empty", {"times": 3}),
    ("poll_malformed", {"times": 2}),
    ("state_flaps", {"times": 1}),
    ("trade_status_empty", {"times": 3}),
    ("session_expired", {"times": 2}),
    ("session_expired", {"for_seconds": 2}),
    ("rate_limited", {"times": 1}),
    ("maintenance", {"times": 2}),
    ("slow", {"times": 3, "seconds": 0.2}),
    ("poll_late", {"for_seconds": 3, "seconds": 2}),
]


@pytest.mark.parametrize(("fault", "options"), FAULTS_THAT_PASS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_sale_survives_steams_moods(sandbox: SandboxProcess, fault: str, options: dict[str, float]) -> None:
    sandbox.steam.fault(fault, **options)
    trade = sandbox.wait_for(sandbox.sell(sandbox.sellers[2], 730, AK), "accepted")
    assert [offer["state"] for offer in sandbox.offers_of(trade)] == [3]
    sandbox.assert_clean()


@pytest.mark.parametrize("eresult", [15, 26])
def test_a_refusal_of_the_sellers_side_is_final(sandbox: SandboxProcess, eresult: int) -> None:
    sandbox.steam.fault("send_error", eresult=eresult, times=1)
    trade = sandbox.wait_for(sandbox.sell(sandbox.sellers[2], 730, AK), "cancelled")
    assert f"({eresult})" in trade["error"]
    assert sandbox.offers_of(trade) == []
    sandbox.assert_clean()


def test_a_hold_known_before_the_send_ends_without_an_offer(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[3]
    sandbox.steam.fault("hold", seller=seller["steamid64"])
    trade = sandbox.wait_for(sandbox.sell(seller, 730, AK), "cancelled")
    assert "trade hold" in trade["error"]
    assert sandbox.offers_of(trade) == []
    sandbox.assert_clean()


def test_a_hold_that_comes_with_the_acceptance_is_waited_for(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[3]
    sandbox.steam.behave(seller, "ignore")
    custom_id = sandbox.sell(seller, 570, sandbox.buyable(570))
    sandbox.wait_for(custom_id, lambda trade: trade["expires_at"] is not None)
    sandbox.steam.fault("hold", seller=seller["steamid64"])
    sandbox.steam.behave(seller, "accept")
    trade = sandbox.wait_for(custom_id, lambda trade: trade["processed_trade"]["trade_status"] == "InEscrow")
    assert trade["status"] == "processing"
    sandbox.steam.clear()
    sandbox.advance(DAY)
    time.sleep(1)
    assert sandbox.trade(custom_id)["status"] == "processing"
    sandbox.advance(15 * DAY)
    sandbox.wait_for(custom_id, "completed")
    sandbox.assert_clean()


def test_an_operator_withdraws_a_trade(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[1]
    sandbox.steam.behave(seller, "ignore")
    custom_id = sandbox.sell(seller, 730, AK)
    trade = sandbox.wait_for(custom_id, lambda trade: trade["processed_trade"]["tradeoffer_id"] is not None)
    sandbox.operator.do("POST", f"/api/operator/trades/{trade['trade_id']}/cancel", {"reason": "a test"})
    ended = sandbox.wait_for(custom_id, "declined")
    assert ended["processed_trade"]["trade_status"] == "Canceled"
    status, _ = sandbox.operator.refused("POST", f"/api/operator/trades/{trade['trade_id']}/cancel", {"reason": "again"})
    assert status == 409
    sandbox.assert_clean()


def test_a_year_passes_at_once_and_the_bots_log_in_anew(sandbox: SandboxProcess) -> None:
    custom_id = sandbox.sell(sandbox.sellers[0], 730, AK)
    sandbox.wait_for(custom_id, "accepted")
    sandbox.advance(31_536_000)
    sandbox.wait_for(custom_id, "completed")
    sandbox.wait_for(sandbox.sell(sandbox.sellers[0], 730, AK), "accepted")
    sandbox.assert_clean()
