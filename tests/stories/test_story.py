"""Whole sales, told over HTTP against a running sandbox: the market, its bots, and a Steam that answers."""

import time

import pytest

from tests.support import AK, AWP, DAY, SandboxProcess, fetch

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
    looked = sandbox.calls_to("partnerinventory")
    sandbox.shop.do("POST", "/api/sell/trades/create", body)
    sandbox.wait_for_a_call("partnerinventory", looked)
    assert sandbox.trade(body["custom_id"])["status"] == "processing"
    sandbox.advance(6)
    trade = sandbox.wait_for(body["custom_id"], "cancelled")
    assert "not in the seller's inventory" in trade["error"]
    assert sandbox.offers_of(trade) == []
    sandbox.assert_clean()


def wait_until_rolled_back(sandbox: SandboxProcess, steam_trade_ids: list[str]) -> None:
    """Everything that a reversal undid, sales of earlier stories among it, whose bots look at another moment."""
    deadline = time.monotonic() + 25
    for steam_trade_id in steam_trade_ids:
        path = f"/api/sell/trades/by-steam-trade-id/{steam_trade_id}"
        while True:
            answers = [shop.call("GET", path) for shop in (sandbox.shop, sandbox.other_shop)]
            if any(status == 200 and answer["data"]["status"].startswith("rolled_back") for status, answer in answers):
                break
            assert time.monotonic() < deadline, steam_trade_id
            time.sleep(0.03)


def test_the_seller_reverses_within_seven_days(sandbox: SandboxProcess) -> None:
    seller, bystander = sandbox.sellers[0], sandbox.sellers[1]
    custom_ids = [sandbox.sell(seller, 730, AK), sandbox.sell(seller, 730, AWP)]
    others = sandbox.sell(bystander, 730, AK)
    for custom_id in (*custom_ids, others):
        sandbox.wait_for(custom_id, "accepted")
    reversed_ids = sandbox.steam.call("POST", "reverse", {"steamid64": seller["steamid64"]})["reversed"]
    wait_until_rolled_back(sandbox, reversed_ids)
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
    reversed_ids = sandbox.steam.call("POST", "reverse", {"steamid64": seller["steamid64"]})["reversed"]
    wait_until_rolled_back(sandbox, reversed_ids)
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
    trade = sandbox.wait_for(custom_id, lambda trade: "looking for the offer" in trade["history"][-1]["note"])
    sandbox.let_its_bot_look(custom_id)
    assert sandbox.offers_of(sandbox.trade(custom_id)) == []
    sandbox.advance(301)
    trade = sandbox.wait_for(custom_id, "accepted")
    assert len(sandbox.offers_of(trade)) == 1
    sandbox.assert_clean()


FAULTS_THAT_PASS = [
    ("send_error", {"times": 1, "eresult": 20}),
    pytest.param("poll_500", {"times": 3}, marks=pytest.mark.long),
    ("poll_empty", {"times": 3}),
    ("poll_malformed", {"times": 2}),
    ("state_flaps", {}),
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
    struck = sandbox.steam.struck(fault)
    sandbox.steam.fault(fault, **options)
    trade = sandbox.wait_for(sandbox.sell(sandbox.sellers[2], 730, AK), "accepted")
    assert [offer["state"] for offer in sandbox.offers_of(trade)] == [3]
    assert sandbox.steam.struck(fault) > struck
    sandbox.steam.clear()
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
    sandbox.let_its_bot_look(custom_id)
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


@pytest.mark.parametrize("mood", ["poll_empty", "poll_malformed"])
def test_an_empty_list_is_no_proof_that_an_offer_was_not_created(sandbox: SandboxProcess, mood: str) -> None:
    """The answer to the send is lost, the lists lie, and meanwhile the seller accepts: he is paid all the same."""
    sandbox.steam.fault("send_created_then_reset", times=1)
    sandbox.steam.fault(mood)
    custom_id = sandbox.sell(sandbox.sellers[0], 730, AK)
    sandbox.wait_for(custom_id, lambda trade: "looking for the offer" in " ".join(line["note"] for line in trade["history"]))
    sandbox.advance(120)
    sandbox.let_its_bot_look(custom_id)
    sandbox.advance(300)
    trade = sandbox.wait_for(custom_id, "accepted")
    assert [offer["state"] for offer in sandbox.offers_of(trade)] == [3]
    sandbox.steam.clear()
    sandbox.assert_clean()


@pytest.mark.long
def test_an_offer_given_up_for_lost_that_is_accepted_still_counts(sandbox: SandboxProcess) -> None:
    """Two offers of one trade are out, since the first was invisible for long; the seller accepts the first."""
    sandbox.advance(2 * 3600)  # no other offer is recent: an empty list is plausible
    seller = sandbox.sellers[1]
    sandbox.steam.behave(seller, "ignore")
    sandbox.steam.fault("send_created_then_reset", times=1)
    sandbox.steam.fault("poll_late", seconds=100_000)
    custom_id = sandbox.sell(seller, 440, sandbox.buyable(440))
    trade = sandbox.wait_for(
        custom_id, lambda trade: "looking for the offer" in " ".join(line["note"] for line in trade["history"])
    )
    sandbox.let_its_bot_look(custom_id)
    sandbox.advance(301)
    trade = sandbox.wait_for(custom_id, lambda trade: trade["processed_trade"]["tradeoffer_id"] is not None)
    assert len(sandbox.offers_of(trade)) == 2
    sandbox.steam.behave(seller, "accept")
    sandbox.wait_for(custom_id, "completed")
    sandbox.steam.clear()
    deadline = time.monotonic() + 15
    while any(offer["state"] == 2 for offer in sandbox.offers_of(trade)):
        assert time.monotonic() < deadline, "a duplicate stays live"
        time.sleep(0.05)
    assert sorted(offer["state"] for offer in sandbox.offers_of(trade))[0] == 3
    sandbox.assert_clean()


def test_one_unreadable_trade_does_not_hold_up_the_others(sandbox: SandboxProcess) -> None:
    """A reversal that can't be read for long, and a deadline of the same bot that passes meanwhile."""
    seller, idler = sandbox.sellers[2], sandbox.sellers[3]
    for bot in sandbox.operator.get("/api/operator/bots")[1:]:
        sandbox.operator.do("PATCH", f"/api/operator/bots/{bot['steamid64']}", {"enabled": False})
    reversed_id = sandbox.sell(seller, 730, AK)
    sandbox.wait_for(reversed_id, "accepted")
    sandbox.steam.behave(idler, "ignore")
    waiting_id = sandbox.sell(idler, 730, AK)
    sandbox.wait_for(waiting_id, lambda trade: trade["expires_at"] is not None)
    sandbox.steam.fault("trade_status_empty")
    asked = sandbox.calls_to("GetTradeStatus")
    sandbox.steam.call("POST", "reverse", {"steamid64": seller["steamid64"]})
    sandbox.wait_for_a_call("GetTradeStatus", asked)
    sandbox.advance(MARGIN + 60)
    sandbox.wait_for(waiting_id, "cancelled", 15)
    assert sandbox.trade(reversed_id)["status"] == "accepted"
    sandbox.steam.clear()
    sandbox.advance(60)
    sandbox.wait_for(reversed_id, "rolled_back_by_user")
    for bot in sandbox.operator.get("/api/operator/bots"):
        sandbox.operator.do("PATCH", f"/api/operator/bots/{bot['steamid64']}", {"enabled": True})
    sandbox.assert_clean()


def test_a_session_that_renews_but_never_works_is_not_hammered(sandbox: SandboxProcess) -> None:
    bot = sandbox.description["bots"][0]["steamid64"]
    sandbox.steam.fault("session_expired", bot=bot, times=100_000)
    deadline = time.monotonic() + 20
    while next(b for b in sandbox.operator.get("/api/operator/bots") if b["steamid64"] == bot)["healthy"]:
        sandbox.advance(30)
        assert time.monotonic() < deadline, "a bot without a session counts as healthy"
        time.sleep(0.2)
    before = len(sandbox.steam.call("GET", "requests")["requests"])
    time.sleep(2)
    mine = [r for r in sandbox.steam.call("GET", "requests")["requests"][before:] if r["steamid64"] == bot]
    assert len(mine) < 12
    sandbox.steam.clear()
    sandbox.advance(60)
    while not next(b for b in sandbox.operator.get("/api/operator/bots") if b["steamid64"] == bot)["healthy"]:
        assert time.monotonic() < deadline + 20, "the bot does not recover"
        sandbox.advance(30)
        time.sleep(0.2)


def test_a_declaration_against_steams_word_needs_force(sandbox: SandboxProcess) -> None:
    trade = sandbox.wait_for(sandbox.sell(sandbox.sellers[4], 730, AK), "accepted")
    path = f"/api/operator/trades/{trade['trade_id']}"
    for action, more in (("declare-completed", {}), ("declare-rolled-back", {"by": "user"})):
        status, answer = sandbox.operator.call("POST", f"{path}/{action}", {"reason": "test", **more})
        assert (status, answer["code"]) == (409, "force_required")
    assert sandbox.trade(trade["custom_id"])["status"] == "accepted"
    assert sandbox.operator.call("POST", f"{path}/retry", {"reason": "wrong status"})[1]["code"] == "wrong_status"


def test_a_trade_in_its_margin_does_not_hide_a_reversal_by_the_bot(sandbox: SandboxProcess) -> None:
    """One trade is past settlement and not yet paid; then the bot's owner reverses: both younger ones are the bot's doing."""
    bots = sandbox.operator.get("/api/operator/bots")
    for bot in bots[1:]:
        sandbox.operator.do("PATCH", f"/api/operator/bots/{bot['steamid64']}", {"enabled": False})
    sandbox.advance(8 * DAY)
    old = sandbox.wait_for(sandbox.sell(sandbox.sellers[0], 730, AK), "accepted")
    sandbox.advance(DAY)
    young = [sandbox.sell(seller, 730, AK) for seller in sandbox.sellers[1:3]]
    for custom_id in young:
        sandbox.wait_for(custom_id, "accepted")
    sandbox.advance(6 * DAY + 60)
    assert sandbox.trade(old["custom_id"])["status"] == "accepted"
    sandbox.steam.call("POST", "reverse", {"steamid64": bots[0]["steamid64"]})
    for custom_id in young:
        sandbox.wait_for(custom_id, "rolled_back_by_bot")
    sandbox.advance(MARGIN)
    sandbox.wait_for(old["custom_id"], "completed")
    for bot in bots:
        sandbox.operator.do("PATCH", f"/api/operator/bots/{bot['steamid64']}", {"enabled": True})
    sandbox.assert_clean()


def test_a_held_trade_is_never_cancelled_by_the_deadline(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[4]
    sandbox.steam.behave(seller, "ignore")
    custom_id = sandbox.sell(seller, 570, sandbox.buyable(570))
    sandbox.wait_for(custom_id, lambda trade: trade["expires_at"] is not None)
    sandbox.steam.fault("poll_500")
    sandbox.steam.fault("hold", seller=seller["steamid64"])
    sandbox.steam.behave(seller, "accept")
    trade = sandbox.trade(custom_id)
    deadline = time.monotonic() + 15
    while [offer["state"] for offer in sandbox.offers_of(trade)] != [11]:
        assert time.monotonic() < deadline, "he does not accept"
        time.sleep(0.03)
    sandbox.advance(MARGIN + 60)
    sandbox.wait_for(custom_id, lambda trade: trade["processed_trade"]["trade_status"] == "InEscrow")
    sandbox.steam.clear()
    sandbox.let_its_bot_look(custom_id)
    assert sandbox.trade(custom_id)["status"] == "processing"
    sandbox.advance(15 * DAY)
    sandbox.wait_for(custom_id, "completed")
    sandbox.assert_clean()


def test_a_trade_link_that_steam_does_not_know_ends_without_an_offer(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[1]
    (assetid,) = sandbox.steam.give(seller, 730, AK)
    body = sandbox.offer_body(seller, 730, [(assetid, AK)])
    body["tradelink"] = body["tradelink"].partition("&token=")[0] + "&token=rotated1"
    sandbox.shop.do("POST", "/api/sell/trades/create", body)
    trade = sandbox.wait_for(body["custom_id"], "cancelled")
    assert "no longer valid" in trade["error"]
    assert sandbox.offers_of(trade) == []
    sandbox.assert_clean()


def test_a_full_bot_hands_the_trade_to_another(sandbox: SandboxProcess) -> None:
    *full, last = [bot["steamid64"] for bot in sandbox.description["bots"]]
    for bot in full:
        sandbox.steam.fault("send_error", eresult=25, bot=bot)
    trade = sandbox.wait_for(sandbox.sell(sandbox.sellers[0], 730, AK), "accepted")
    assert trade["selected_bot"]["steamid64"] == last
    assert any("Moved to another bot" in line["note"] for line in trade["history"])
    (offer,) = sandbox.offers_of(trade)
    assert offer["from"] == last
    sandbox.assert_clean()


def test_a_restricted_bot_is_seen_everywhere_until_an_operator_enables_it(sandbox: SandboxProcess) -> None:
    """Steam says 24: quarantine, with reason and since when, in the API, the metrics, the log and the alerts."""
    bot = sandbox.description["bots"][0]["steamid64"]
    sandbox.steam.fault("send_error", eresult=24, bot=bot)
    while True:
        trade = sandbox.wait_for(sandbox.sell(sandbox.sellers[0], 730, AK), "accepted")
        if any("Moved to another bot" in line["note"] for line in trade["history"]):
            break
    view = sandbox.operator.get(f"/api/operator/bots/{bot}")
    assert (view["state"], view["healthy"]) == ("quarantined", False)
    assert "(24)" in view["reason"]
    assert view["quarantined_until"] > view["since"]
    metrics = fetch("GET", f"{sandbox.base_url}/metrics", key=sandbox.operator.key, parse=False)[1].decode()
    assert f'selldesk_bot_state{{bot="{bot}",state="quarantined"}} 1.0' in metrics
    assert f'selldesk_bot_healthy{{bot="{bot}"}} 0.0' in metrics
    alerts = sandbox.operator.get("/api/operator/alerts?open=true")["alerts"]
    assert any((alert["kind"], alert["bot"]) == ("bot_quarantined", bot) for alert in alerts)
    assert fetch("GET", f"{sandbox.base_url}/ready")[0] == 200
    sandbox.steam.clear()
    sandbox.operator.do("PATCH", f"/api/operator/bots/{bot}", {"enabled": True})
    deadline = time.monotonic() + 25
    while not sandbox.operator.get(f"/api/operator/bots/{bot}")["healthy"]:
        assert time.monotonic() < deadline, "the bot does not come back"
        sandbox.advance(20)
        time.sleep(0.1)
    sandbox.assert_clean()


def test_a_bot_takes_a_new_password(sandbox: SandboxProcess) -> None:
    bot = sandbox.description["bots"][1]
    path = f"/api/operator/bots/{bot['steamid64']}"
    for body, place in (({}, "$"), ({"shared_secret": "a"}, "$.shared_secret"), ({"password": ""}, "$.password")):
        status, answer = sandbox.operator.call("PUT", f"{path}/secrets", body)
        assert (status, answer["details"][0]["path"]) == (400, place)
    assert sandbox.operator.call("PUT", "/api/operator/bots/7/secrets", {"password": "x"})[0] == 404
    sandbox.steam.call("POST", f"accounts/{bot['steamid64']}/password", {"password": "brand-new"})
    deadline = time.monotonic() + 25
    while (view := sandbox.operator.get(path))["state"] != "needs_login":
        assert time.monotonic() < deadline, view
        sandbox.advance(30)
        time.sleep(0.1)
    answer = sandbox.operator.do("PUT", f"{path}/secrets", {"password": "brand-new"})
    assert "brand-new" not in str(answer)
    while (view := sandbox.operator.get(path))["state"] != "ok":
        assert time.monotonic() < deadline, view
        time.sleep(0.1)
    sandbox.wait_for(sandbox.sell(sandbox.sellers[0], 440, sandbox.buyable(440)), "completed")
