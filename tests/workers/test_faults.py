"""The 34 failure modes of a Steam trading bot (protocol §9): each is thrown at a real worker by the simulator, and the end is stated.

`docs/faults.md` is the table of them; the last test holds it against this folder.
"""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from selldesk.desk import commands
from selldesk.desk.requests.bots import secrets_command
from selldesk.kernel.refusals import Refusal
from selldesk.offers.agenda import Window
from selldesk.offers.stages import Stage
from selldesk.steamsim.entities import Behaviour
from tests.little_market import MONEY, ORDER_PRICE, LittleMarket, in_market
from tests.support import REPOSITORY

DAY = 86_400
MINUTE = 60
TF2, CS2 = 440, 730


def _paid(market: LittleMarket) -> tuple[int, int]:
    """(what the seller's project has, what the buyer has)."""
    balances = market.balances()
    return balances.get(8, 0), balances.get(12, 0)


PAID_ONCE = (ORDER_PRICE, MONEY - ORDER_PRICE)
NOBODY_PAID = (0, MONEY)

LOST_AFTER = [
    ("send_created_then_reset", {}),
    ("send_created_then_500", {}),
    ("send_created_then_502", {}),
    ("send_created_then_error", {"eresult": 16}),
    ("send_created_then_error", {"eresult": 2}),
]
LOST_BEFORE = [
    ("send_reset", {}),
    ("send_500", {}),
    ("send_502", {}),
    *[("send_error", {"eresult": number}) for number in (2, 8, 10, 16, 48, 55)],
]


@pytest.mark.parametrize(("fault", "options"), LOST_AFTER)
def test_01_an_offer_whose_answer_was_lost_is_found_again(tmp_path: Path, fault: str, options: dict[str, Any]) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault(fault, times=1, **options)
        trade_id = market.open_trade("lost", TF2)
        await market.run(market.worker(), lambda: market.trade(trade_id).status == "completed")
        assert [offer.state for offer in market.offers()] == [3]
        assert "looking for the offer" in " ".join(market.history(trade_id))
        assert _paid(market) == PAID_ONCE

    in_market(tmp_path, story)


@pytest.mark.parametrize(("fault", "options"), LOST_BEFORE)
def test_01_a_send_that_made_no_offer_is_repeated_after_the_windows(tmp_path: Path, fault: str, options: dict[str, Any]) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault(fault, times=1, **options)
        trade_id = market.open_trade("lost", TF2)
        worker = market.worker()
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.RECONCILE)
        lost_at = market.clock.now_us()
        await market.run(worker, lambda: market.trade(trade_id).offer_id is not None)
        assert market.clock.now_us() - lost_at >= 299 * 1_000_000
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        assert [offer.state for offer in market.offers()] == [3]

    in_market(tmp_path, story)


def test_01_a_notice_that_steam_wants_acknowledged_again_is(tmp_path: Path) -> None:
    """Steam refuses with 11 until the account has acknowledged trade protection anew."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        await market.pass_time(worker, 60)
        market.bot_account.acknowledged = False
        trade_id = market.open_trade("notice", TF2)
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        assert market.bot_account.acknowledged

    in_market(tmp_path, story)


def test_04_an_offer_that_shows_before_its_send_returns_is_nobodys_enemy(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("slow", TF2)
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.SEND)
        market.fault("send_answers_late", times=1, seconds=0.3)
        sending = asyncio.create_task(worker.step())
        while not market.offers():
            await asyncio.sleep(0.005)
        assert market.trade(trade_id).stage is Stage.SENDING
        await sending
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        assert [offer.state for offer in market.offers()] == [3]
        assert market.alerts() == []

    in_market(tmp_path, story)


def test_05_an_offer_made_by_hand_is_told_and_never_credited(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        (assetid,) = market.give(market.seller, TF2)
        world = market.steam.world
        market.seller.delay_seconds = 30
        offer = world.create_offer(
            market.bot_account, market.seller, market.seller.trade_token, [], [(TF2, "2", assetid)], "by hand"
        )
        await market.pass_time(worker, 300)
        assert market.alerts() == ["foreign_offer"]
        assert offer.state == 3, "it is left alone"
        assert _paid(market) == NOBODY_PAID

    in_market(tmp_path, story)


@pytest.mark.parametrize("fault", ["poll_500", "poll_empty", "poll_malformed", "poll_no_items", "poll_eresult_2", "poll_late"])
def test_06_a_list_that_fails_or_lies_ends_nothing(tmp_path: Path, fault: str) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.seller.behaviour = Behaviour.IGNORE
        trade_id = market.open_trade("patient", TF2)
        await market.run(worker, lambda: market.trade(trade_id).expires_at is not None)
        market.fault(fault, seconds=100_000)
        await market.pass_time(worker, 8 * MINUTE)
        assert (market.trade(trade_id).status, market.trade(trade_id).offer_state) == ("processing", 2)
        market.calm()
        market.seller.behaviour = Behaviour.ACCEPT
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        assert _paid(market) == PAID_ONCE

    in_market(tmp_path, story)


@pytest.mark.parametrize("fault", ["poll_backdated", "poll_pages", "poll_hides"])
def test_07_a_missed_change_is_found(tmp_path: Path, fault: str) -> None:
    """Backdated by half an hour, spread over pages, or left out of every list: the full sweep and the look by number find it."""

    async def story(market: LittleMarket) -> None:
        market.fault(fault)
        worker = market.worker()
        ids = [market.open_trade(f"c{number}", TF2) for number in range(4)]
        await market.run(worker, lambda: all(market.trade(trade_id).status == "completed" for trade_id in ids))
        assert [offer.state for offer in market.offers()] == [3] * 4

    in_market(tmp_path, story)


def test_07_a_change_during_downtime_is_found(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.seller.behaviour, market.seller.delay_seconds = Behaviour.ACCEPT, 60
        trade_id = market.open_trade("asleep", TF2)
        await market.run(market.worker(), lambda: market.trade(trade_id).expires_at is not None)
        market.clock.advance(3 * 3600)
        market.steam.world.tick()
        market.clock.advance(2 * 3600)
        await market.run(market.worker(), lambda: market.trade(trade_id).status == "completed")

    in_market(tmp_path, story)


def test_08_a_state_that_flaps_back_changes_nothing(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault("state_flaps", times=2)
        worker = market.worker()
        trade_id = market.open_trade("flaps")
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        await market.pass_time(worker, 10 * MINUTE)
        assert (market.trade(trade_id).status, market.trade(trade_id).offer_state) == ("accepted", 3)
        assert market.history(trade_id).count("Steam exchanged the items") == 1

    in_market(tmp_path, story)


NO_WORD_ON_THE_TRADE = [
    ("offer_without_tradeid", {}),
    ("trade_status_empty", {}),
    ("trade_status_pending", {"status": 0}),
    ("trade_status_pending", {"status": 1}),
    ("exchange_no_assets", {}),
]


@pytest.mark.parametrize(("fault", "options"), NO_WORD_ON_THE_TRADE)
def test_09_accepted_without_a_word_on_the_trade_waits_and_tells(tmp_path: Path, fault: str, options: dict[str, Any]) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault(fault, **options)
        worker = market.worker()
        trade_id = market.open_trade("dumb", TF2)
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.EXCHANGED)
        await market.pass_time(worker, 12 * MINUTE)
        assert market.trade(trade_id).status == "processing"
        assert market.alerts() == ["exchange_unconfirmed"]
        market.calm()
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")

    in_market(tmp_path, story)


@pytest.mark.parametrize("status", [4, 5, 6, 7, 8, 9])
def test_10_trade_statuses_of_trouble_pay_nobody(tmp_path: Path, status: int) -> None:
    """Before acceptance the sale waits; after it, settlement does not come. Both until Steam says otherwise."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        settling = market.open_trade("settling")
        await market.run(worker, lambda: market.trade(settling).status == "accepted")
        market.fault("trade_status_shows", status=status)
        fresh = market.open_trade("fresh", TF2)
        await market.run(worker, lambda: market.trade(fresh).steam_status == status)
        market.wait_at_least_seconds = lambda: 3600.0
        await market.pass_time(worker, 8 * DAY)
        assert (market.trade(fresh).status, market.trade(settling).status) == ("processing", "accepted")
        assert market.alerts().count("steam_trade_trouble") == 2
        assert _paid(market)[0] == 0
        market.calm()
        await market.run(worker, lambda: market.trade(fresh).status == market.trade(settling).status == "completed")

    in_market(tmp_path, story)


@pytest.mark.parametrize("fault", ["exchange_other_items", "exchange_loses_items"])
def test_11_other_items_than_verified_wait_for_a_human(tmp_path: Path, fault: str) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault(fault)
        worker = market.worker()
        trade_id = market.open_trade("swapped", TF2, count=2)
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.OPERATOR)
        await market.pass_time(worker, 3600)
        assert (market.trade(trade_id).status, market.trade(trade_id).offer_state) == ("processing", 13)
        assert market.alerts() == ["missing_items"]
        market.desk.ask(
            commands.OperateTrade(trade_id=trade_id, operator="op", action="declare-failed", reason="the seller swapped them")
        )
        assert market.trade(trade_id).status == "error"
        assert _paid(market) == NOBODY_PAID

    in_market(tmp_path, story)


@pytest.mark.parametrize("also", [None, "hold_unknown"])
def test_12_a_hold_known_before_the_send_makes_no_offer(tmp_path: Path, also: str | None) -> None:
    """GetTradeHoldDurations says it, or, where that is refused, the trade page."""

    async def story(market: LittleMarket) -> None:
        market.fault("hold")
        if also is not None:
            market.fault(also)
        trade_id = market.open_trade("held", TF2)
        await market.run(market.worker(), lambda: market.trade(trade_id).status == "cancelled")
        assert "trade hold" in (market.trade(trade_id).error or "")
        assert market.offers() == []

    in_market(tmp_path, story)


@pytest.mark.parametrize(
    ("also", "ending"), [(None, "completed"), ("escrow_end_zero", "completed"), ("hold_rolls_back", "cancelled")]
)
def test_12_a_hold_that_comes_with_the_acceptance_is_waited_for(tmp_path: Path, also: str | None, ending: str) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.seller.behaviour = Behaviour.IGNORE
        trade_id = market.open_trade("held", TF2)
        await market.run(worker, lambda: market.trade(trade_id).expires_at is not None)
        market.fault("hold")
        if also is not None:
            market.fault(also)
        market.seller.behaviour = Behaviour.ACCEPT
        await market.run(worker, lambda: market.trade(trade_id).offer_state == 11)
        market.wait_at_least_seconds = lambda: 3600.0
        await market.pass_time(worker, 14 * DAY)
        assert market.trade(trade_id).status == "processing"
        await market.run(worker, lambda: market.trade(trade_id).status == ending)

    in_market(tmp_path, story)


@pytest.mark.parametrize("how", [None, "reversal_on_offer", "reversal_new_assetid", "no_new_assetid"])
def test_13_a_reversal_returns_everything_once(tmp_path: Path, how: str | None) -> None:
    async def story(market: LittleMarket) -> None:
        if how is not None:
            market.fault(how)
        worker = market.worker()
        ids = [market.open_trade(f"c{number}") for number in range(3)]
        await market.run(worker, lambda: all(market.trade(trade_id).status == "accepted" for trade_id in ids))
        await market.pass_time(worker, 3 * DAY / 24)
        assert len(market.steam.world.reverse(market.seller.steamid64)) == 3
        await market.run(worker, lambda: all(market.trade(trade_id).status == "rolled_back_by_user" for trade_id in ids))
        assert _paid(market) == NOBODY_PAID
        assert market.bot_state() == "ok"

    in_market(tmp_path, story)


def test_14_a_reversal_in_the_last_minute_that_shows_late_pays_nobody(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("late")
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        settlement = market.trade(trade_id).settlement
        assert settlement is not None
        market.clock.advance((settlement - market.clock.now_us()) / 1_000_000 - 30)
        market.steam.world.reverse(market.seller.steamid64)
        market.fault("history_empty", for_seconds=10 * MINUTE)
        await market.run(worker, lambda: market.trade(trade_id).status == "rolled_back_by_user")
        assert _paid(market) == NOBODY_PAID

    in_market(tmp_path, story)


@pytest.mark.parametrize("fault", ["maintenance", "rate_limited", "trade_status_empty"])
def test_15_settlement_never_comes_blind(tmp_path: Path, fault: str) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("blind")
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        market.clock.advance(7 * DAY)
        market.fault(fault)
        await market.pass_time(worker, 2 * 3600)
        assert market.trade(trade_id).status == "accepted"
        market.calm()
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")

    in_market(tmp_path, story)


def test_16_a_reversal_on_the_bots_side_stops_the_bot(tmp_path: Path) -> None:
    """All its protected trades, of three sellers, flip together. It sends nothing more until an operator enables it; a sale that
    was not protected is still settled."""

    async def story(market: LittleMarket) -> None:
        workers = market.workers()
        sellers = [market.steam.world.add_account(f"s{number}", "seller") for number in range(3)]
        market.desk.ask(
            commands.PutRoom(
                operator="test",
                id=1,
                name="all",
                game=None,
                min_value=None,
                max_value=None,
                buyers=None,
                bots=[1],
                priority=1,
                enabled=True,
            )
        )
        ids = [market.open_trade(f"c{number}", seller=seller) for number, seller in enumerate(sellers)]
        await market.run(workers, lambda: all(market.trade(trade_id).status == "accepted" for trade_id in ids))
        market.desk.ask(
            commands.PutRoom(
                operator="test",
                id=1,
                name="all",
                game=None,
                min_value=None,
                max_value=None,
                buyers=None,
                bots=None,
                priority=1,
                enabled=True,
            )
        )
        market.steam.world.reverse(market.bot_account.steamid64)
        await market.run(workers, lambda: all(market.trade(trade_id).status == "rolled_back_by_bot" for trade_id in ids))
        assert market.bot_state(1) == "quarantined"
        assert "bot_quarantined" in market.alerts()
        assert _paid(market) == NOBODY_PAID
        again = market.open_trade("again", TF2)
        assert market.trade(again).bot == 2
        await market.run(workers, lambda: market.trade(again).status == "completed")
        await market.pass_time(workers, 30 * MINUTE)
        assert market.bot_state(1) == "quarantined", "good calls alone do not end it"
        market.desk.ask(commands.ChangeBot(operator="op", number=1, enabled=True))
        await market.run(workers, lambda: market.bot_state(1) == "ok")

    in_market(tmp_path, story, bots=2)


def test_16_more_reversed_trades_than_steam_tells_at_once_are_all_found(tmp_path: Path) -> None:
    """GetTradeStatus gives 25 answers and then one every two seconds: forty reversed sales take a minute, not for ever."""

    async def story(market: LittleMarket) -> None:
        market.fault("buckets", must_strike=False)
        market.order(CS2, 100)
        worker = market.worker()
        sellers = [market.steam.world.add_account(f"s{number}", "seller") for number in range(8)]
        ids = []
        for number in range(40):
            ids.append(market.open_trade(f"c{number}", seller=sellers[number % 8]))
            if number % 8 == 7:
                await market.run(worker, lambda: all(market.trade(trade_id).status == "accepted" for trade_id in ids))
        market.steam.world.reverse(market.bot_account.steamid64)
        began = market.clock.now_us()
        await market.run(worker, lambda: all(market.trade(trade_id).status == "rolled_back_by_bot" for trade_id in ids))
        assert market.clock.now_us() - began < 5 * MINUTE * 1_000_000
        assert all(entry["status"] != 429 for entry in market.steam.request_log)

    in_market(tmp_path, story)


def test_18_a_counter_offer_cancels_the_sale_and_is_declined(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.COUNTER
        worker = market.worker()
        trade_id = market.open_trade("counter", TF2)
        await market.run(worker, lambda: market.trade(trade_id).status == "cancelled")
        await market.run(worker, lambda: [offer.state for offer in market.offers()] == [4, 7])
        assert _paid(market) == NOBODY_PAID

    in_market(tmp_path, story)


def test_19_acceptance_in_the_second_of_our_cancel_wins(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        market.fault("cancel_loses_race", times=1)
        worker = market.worker()
        trade_id = market.open_trade("photo finish", TF2)
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        assert _paid(market) == PAID_ONCE

    in_market(tmp_path, story)


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("cancel_500", {}),
        ("cancel_ignored", {"times": 3}),
        ("cancel_refused", {"times": 3}),
        ("cancel_refused", {"times": 3, "eresult": 42}),
    ],
)
def test_20_a_cancel_counts_only_when_the_offer_shows_it(tmp_path: Path, fault: str, options: dict[str, Any]) -> None:
    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        market.fault(fault, **options)
        worker = market.worker()
        trade_id = market.open_trade("stubborn", TF2)
        await market.run(worker, lambda: market.trade(trade_id).status != "processing")
        assert (market.trade(trade_id).status, [offer.state for offer in market.offers()]) == ("cancelled", [6])

    in_market(tmp_path, story)


@pytest.mark.parametrize(("behaviour", "state"), [(Behaviour.ACCEPT_UNCONFIRMED, 6), (Behaviour.CANCEL_ON_PHONE, 10)])
def test_21_accepted_on_the_web_and_not_on_the_phone_is_no_sale(tmp_path: Path, behaviour: Behaviour, state: int) -> None:
    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = behaviour
        worker = market.worker()
        trade_id = market.open_trade("half", TF2)
        await market.run(worker, lambda: market.trade(trade_id).status == "cancelled")
        assert [offer.state for offer in market.offers()] == [state]
        assert _paid(market) == NOBODY_PAID

    in_market(tmp_path, story)


@pytest.mark.parametrize("also", [None, "phone_empty", "phone_fails"])
def test_22_an_offer_of_ours_that_needs_confirmation_is_confirmed(tmp_path: Path, also: str | None) -> None:
    """With the identity secret; again after 5, 10, 15 seconds if the phone shows nothing or refuses."""

    async def story(market: LittleMarket) -> None:
        market.fault("send_needs_confirmation")
        if also is not None:
            market.fault(also, times=3)
        worker = market.worker()
        trade_id = market.open_trade("phone", TF2)
        await market.run(worker, lambda: market.trade(trade_id).offer_state == 9)
        began = market.clock.now_us()
        await market.run(worker, lambda: market.trade(trade_id).offer_state == 2)
        assert market.clock.now_us() - began < 60 * 1_000_000
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")

    in_market(tmp_path, story)


def test_22_an_offer_that_can_not_be_confirmed_is_withdrawn(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault("send_needs_confirmation")
        market.fault("phone_fails")
        worker = market.worker()
        trade_id = market.open_trade("phone", TF2)
        await market.run(worker, lambda: market.trade(trade_id).status != "processing")
        ended = market.trade(trade_id)
        assert (ended.status, ended.error) == ("declined", "The offer could not be confirmed on the bot's side")
        assert [offer.state for offer in market.offers()] == [6]
        assert ended.updated_at - ended.created_at < 5 * MINUTE * 1_000_000

    in_market(tmp_path, story)


@pytest.mark.parametrize("options", [{"times": 3}, {"for_seconds": 90}])
def test_23_an_expired_session_is_renewed(tmp_path: Path, options: dict[str, Any]) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        await market.pass_time(worker, 60)
        market.fault("session_expired", **options)
        trade_id = market.open_trade("expired", TF2)
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")

    in_market(tmp_path, story)


def test_23_revoked_tokens_lead_to_a_full_login(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        await market.pass_time(worker, 60)
        market.steam.auth.revoke(market.bot_account)
        trade_id = market.open_trade("revoked", TF2)
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        assert _logins(market) == 2

    in_market(tmp_path, story)


def test_23_a_changed_password_parks_the_bot_and_its_sales_move_on(tmp_path: Path) -> None:
    """The login is refused ever more rarely, an alert says so, and the bot is back as soon as an operator gives the new password."""

    async def story(market: LittleMarket) -> None:
        workers = market.workers()
        await market.pass_time(workers, 60)
        market.desk.ask(
            commands.PutRoom(
                operator="test",
                id=1,
                name="all",
                game=None,
                min_value=None,
                max_value=None,
                buyers=None,
                bots=[1],
                priority=1,
                enabled=True,
            )
        )
        market.bot_account.password = "another"
        market.steam.auth.revoke(market.bot_account)
        parked = market.open_trade("parked", TF2)
        await market.run(workers, lambda: market.bot_state(1) == "needs_login")
        await market.pass_time(workers, 5 * MINUTE)
        assert market.trade(parked).status == "processing"
        assert "login_refused" in market.alerts()
        market.desk.ask(
            commands.PutRoom(
                operator="test",
                id=1,
                name="all",
                game=None,
                min_value=None,
                max_value=None,
                buyers=None,
                bots=None,
                priority=1,
                enabled=True,
            )
        )
        await market.run(workers, lambda: market.trade(parked).status == "completed")
        assert market.trade(parked).bot == 2
        before = _logins(market)
        await market.pass_time(workers, 3600)
        assert _logins(market) - before <= 4, "a refused login is the last resort"
        mended_at = market.clock.now_us()
        market.desk.ask(secrets_command(market.box, "op", market.desk.store, 1, {"password": "another"}))
        for worker in workers:
            worker.alarm.ring()
        await market.run(workers, lambda: market.bot_state(1) == "ok")
        assert market.clock.now_us() - mended_at < MINUTE * 1_000_000, "an operator's new password is tried at once"

    in_market(tmp_path, story, bots=2)


def _logins(market: LittleMarket) -> int:
    return sum("BeginAuthSession" in entry["path"] for entry in market.steam.request_log)


def test_24_a_429_that_does_not_end_is_an_alert(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.seller.behaviour = Behaviour.IGNORE
        trade_id = market.open_trade("slow down", TF2)
        await market.run(worker, lambda: market.trade(trade_id).expires_at is not None)
        market.fault("rate_limited")
        before = len(market.steam.request_log)
        await market.pass_time(worker, 9 * MINUTE)
        assert (market.bot_state(), market.alerts()) == ("limited", [])
        await market.pass_time(worker, 5 * MINUTE)
        assert market.alerts() == ["rate_limited"]
        assert len(market.steam.request_log) - before < 40, "a bot that is refused asks rarely"
        assert market.trade(trade_id).status == "processing"
        market.calm()
        await market.run(worker, lambda: market.trade(trade_id).status == "cancelled" and market.bot_state() == "ok")

    in_market(tmp_path, story)


@pytest.mark.parametrize("fault", ["rate_limited", "address_blocked"])
def test_24_several_bots_that_are_refused_rest_together(tmp_path: Path, fault: str) -> None:
    """When the address is meant, no bot asks on; one call finds out when it is over."""

    async def story(market: LittleMarket) -> None:
        workers = market.workers()
        await market.pass_time(workers, 120)
        market.fault(fault)
        await market.pass_time(workers, 60)
        before = len(market.steam.request_log)
        await market.pass_time(workers, 10 * MINUTE)
        assert len(market.steam.request_log) - before < 40
        market.calm()
        await market.run(workers, lambda: all(market.bot_state(number) == "ok" for number in (1, 2, 3, 4)))

    in_market(tmp_path, story, bots=4)


def test_24_the_header_filters_of_2026_let_our_calls_through(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault("header_filter", must_strike=False)
        market.fault("user_agent_filter", must_strike=False)
        market.fault("send_needs_confirmation")
        trade_id = market.open_trade("filtered", TF2)
        await market.run(market.worker(), lambda: market.trade(trade_id).status == "completed")
        assert all(entry["status"] != 429 for entry in market.steam.request_log)

    in_market(tmp_path, story)


def test_25_a_bot_that_steam_calls_full_of_offers_hands_over(tmp_path: Path) -> None:
    """By our count it has room, but somebody made an offer by hand: Steam says 25."""

    async def story(market: LittleMarket) -> None:
        world = market.steam.world
        world.limits.offers = 1
        stranger = world.add_account("stranger", "seller")
        stranger.behaviour = Behaviour.IGNORE
        (assetid,) = market.give(stranger, TF2)
        world.create_offer(market.bot_account, stranger, stranger.trade_token, [], [(TF2, "2", assetid)], "")
        workers = market.workers()
        trade_id = market.open_trade("full", TF2)
        assert market.trade(trade_id).bot == 1
        await market.run(workers, lambda: market.trade(trade_id).status == "completed")
        assert market.trade(trade_id).bot == 2
        assert any("Moved to another bot" in note for note in market.history(trade_id))

    in_market(tmp_path, story, bots=2)


def test_26_a_full_inventory_blocks_the_bot_for_that_game_only(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault("inventory_full", game=CS2, bot=market.bot_account.steamid64)
        workers = market.workers()
        first = market.open_trade("cs2")
        await market.run(workers, lambda: market.trade(first).status == "accepted")
        assert market.trade(first).bot == 2
        assert market.alerts() == ["bot_full"]
        second, third = market.open_trade("cs2 again"), market.open_trade("tf2", TF2)
        assert (market.trade(second).bot, market.trade(third).bot) == (2, 1)
        await market.run(workers, lambda: market.trade(third).status == "completed")
        assert market.bot_state(1) == "ok"

    in_market(tmp_path, story, bots=2)


@pytest.mark.parametrize(
    "options",
    [{"eresult": 24}, {"eresult": 15, "text": "You are currently unable to trade because you have logged in from a new device."}],
)
def test_26_a_restricted_bot_is_quarantined_for_days(tmp_path: Path, options: dict[str, Any]) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault("send_error", bot=market.bot_account.steamid64, times=1, **options)
        workers = market.workers()
        trade_id = market.open_trade("restricted", TF2)
        await market.run(workers, lambda: market.trade(trade_id).status == "completed")
        assert (market.trade(trade_id).bot, market.bot_state(1)) == (2, "quarantined")
        assert market.alerts() == ["bot_quarantined"]
        market.wait_at_least_seconds = lambda: 600.0
        await market.pass_time(workers, 6 * DAY)
        assert market.bot_state(1) == "quarantined"
        await market.pass_time(workers, 1.1 * DAY)
        assert market.bot_state(1) == "ok"

    in_market(tmp_path, story, bots=2)


def test_27_a_rotated_trade_link_ends_the_sale_in_clear_words(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("rotated", TF2)
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.SEND)
        market.steam.world.rotate_trade_token(market.seller)
        await market.run(worker, lambda: market.trade(trade_id).status == "cancelled")
        assert "no longer valid" in (market.trade(trade_id).error or "")
        assert market.offers() == []

    in_market(tmp_path, story)


def test_27_a_bare_15_is_explained_by_the_trade_page(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("bare", TF2)
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.SEND)
        market.steam.world.rotate_trade_token(market.seller)
        market.fault("send_error", eresult=15, times=1)
        await market.run(worker, lambda: market.trade(trade_id).status == "cancelled")
        assert market.trade(trade_id).error == "This Trade URL is no longer valid for sending a trade offer."

    in_market(tmp_path, story)


def test_28_an_item_that_goes_between_match_and_send_ends_the_sale(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        (assetid,) = market.give(market.seller, TF2)
        trade_id = market.open_trade("gone", TF2, assets=[assetid])
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.SEND)
        market.steam.world.remove_item(assetid)
        await market.run(worker, lambda: market.trade(trade_id).status == "cancelled")
        assert "(26)" in (market.trade(trade_id).error or "")
        assert _paid(market) == NOBODY_PAID

    in_market(tmp_path, story)


@pytest.mark.parametrize("fault", ["inventory_private", "inventory_locked"])
def test_28_an_inventory_that_hides_its_items_counts_after_a_second_look(tmp_path: Path, fault: str) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault(fault)
        worker = market.worker()
        trade_id = market.open_trade("hidden", TF2)
        await market.run(worker, lambda: market.trade(trade_id).doubt_at is not None)
        assert market.trade(trade_id).status == "processing"
        await market.run(worker, lambda: market.trade(trade_id).status == "cancelled")
        assert market.offers() == []

    in_market(tmp_path, story)


def test_29_an_item_server_that_is_down_pauses_its_game_on_all_bots(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault("item_server_down", game=CS2)
        workers = market.workers()
        paused = [market.open_trade(f"cs2-{number}") for number in range(4)]
        other = market.open_trade("tf2", TF2)
        await market.run(workers, lambda: market.trade(other).status == "completed")
        await market.pass_time(workers, 5 * MINUTE)
        assert {market.trade(trade_id).status for trade_id in paused} == {"processing"}
        sends = sum(entry["path"] == "/tradeoffer/new/send" for entry in market.steam.request_log)
        assert sends <= 1 + 2 * 7, "a paused game is tried once a minute and bot, not for every sale"
        market.calm()
        await market.run(workers, lambda: {market.trade(trade_id).status for trade_id in paused} == {"accepted"})

    in_market(tmp_path, story, bots=2)


def test_29_a_game_that_stays_down_past_the_deadline_is_our_failure(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault("item_server_down", game=CS2)
        trade_id = market.open_trade("cs2")
        await market.run(market.worker(), lambda: market.trade(trade_id).status == "declined")
        assert market.trade(trade_id).error == "No offer could be sent in time"
        assert _paid(market) == NOBODY_PAID

    in_market(tmp_path, story)


def test_30_maintenance_ends_no_sale_that_is_out(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.seller.delay_seconds = 40 * MINUTE
        trade_id = market.open_trade("tuesday", TF2)
        await market.run(worker, lambda: market.trade(trade_id).expires_at is not None)
        market.fault("maintenance", for_seconds=45 * MINUTE)
        await market.pass_time(worker, 44 * MINUTE)
        assert (market.trade(trade_id).status, market.bot_state()) == ("processing", "down")
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")

    in_market(tmp_path, story)


WINDOWS = [
    # what                    UTC                   ends at (UTC)
    ("Tuesday noon there",    1_773_169_200 - 60,   None),               # 2026-03-10 18:59 = 11:59 in Los Angeles
    ("its first minute",      1_773_172_800,        1_773_188_100),      # 20:00 = 13:00, until 17:15
    ("its last minute",       1_773_188_099,        1_773_188_100),
    ("over",                  1_773_188_100,        None),
    ("Monday, same hour",     1_773_086_400,        None),
    ("in winter, an hour on", 1_767_733_200,        1_767_748_500),      # 2026-01-06 21:00 = 13:00
]  # fmt: skip


@pytest.mark.parametrize(("what", "now", "ends_at"), WINDOWS, ids=[row[0] for row in WINDOWS])
def test_30_the_maintenance_window_is_known_in_its_own_time_zone(what: str, now: int, ends_at: int | None) -> None:
    window = Window(1, 13 * 60, 17 * 60 + 15, "America/Los_Angeles")
    assert window.ends_at(now * 1_000_000) == (None if ends_at is None else ends_at * 1_000_000)


def test_31_unknown_numbers_are_kept_and_end_nothing(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.seller.delay_seconds = 120
        trade_id = market.open_trade("novel", TF2)
        market.fault("unknown_state")
        market.fault("trade_status_shows", status=99)
        await market.run(worker, lambda: market.trade(trade_id).steam_status == 99)
        await market.pass_time(worker, 5 * MINUTE)
        assert market.trade(trade_id).status == "processing"
        assert "unknown_offer_state" in market.alerts()
        bodies = [body for _, _, body in market.desk.store.fetch("evidence_of", trade_id=trade_id)]
        assert any('"status":99' in body for body in bodies)
        market.calm()
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")

    in_market(tmp_path, story)


def test_32_a_clock_that_differs_from_steams_still_logs_in(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault("clock_skew", seconds=3600)
        trade_id = market.open_trade("skewed", TF2)
        await market.run(market.worker(), lambda: market.trade(trade_id).status == "completed")
        assert _logins(market) == 1

    in_market(tmp_path, story)


def test_32_a_clock_of_ours_that_runs_ahead_pays_nobody_early(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("ahead")
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        market.fault("clock_skew", seconds=-2 * 3600)
        settle_at = market.trade(trade_id).settle_at
        assert settle_at is not None
        market.clock.advance((settle_at - market.clock.now_us()) / 1_000_000)
        await market.pass_time(worker, 3600)
        assert market.trade(trade_id).status == "accepted", "by Steam's time it is not yet over"
        await market.pass_time(worker, 3700)
        assert market.trade(trade_id).status == "completed"

    in_market(tmp_path, story)


def test_33_ids_beyond_two_to_the_53_stay_exact(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        counters = market.steam.world.counters
        counters.asset, counters.offer, counters.trade = 2**60 + 1, 2**61 + 1, 2**62 + 1
        trade_id = market.open_trade("huge")
        await market.run(market.worker(), lambda: market.trade(trade_id).status == "accepted")
        found = market.trade(trade_id)
        assert (found.offer_id, found.steam_trade_id) == (str(2**61 + 1), str(2**62 + 1))
        ((_, _, _, _, assetid, *_),) = market.desk.store.fetch("items_of_trade", trade_id=trade_id)
        assert assetid == str(2**60 + 1)

    in_market(tmp_path, story)


def test_a_bot_that_can_not_send_for_a_quarantine_still_finishes_what_is_out(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.seller.delay_seconds = 60
        out = market.open_trade("out", TF2)
        await market.run(worker, lambda: market.trade(out).expires_at is not None)
        market.fault("send_error", eresult=24, times=1)
        waiting = market.open_trade("waiting", TF2)
        await market.run(worker, lambda: market.bot_state() == "quarantined")
        await market.run(worker, lambda: market.trade(out).status == "completed")
        assert len(market.offers()) == 1
        with pytest.raises(Refusal, match="No suitable bot found"):
            market.open_trade("nobody", TF2)
        await market.run(worker, lambda: market.trade(waiting).status == "declined")

    in_market(tmp_path, story)


def test_the_table_in_the_documentation_names_each_mode_and_tests_that_exist() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", (REPOSITORY / "docs/faults.md").read_text(), re.MULTILINE)
    assert [int(number) for number, *_ in rows] == list(range(1, 35))
    known = {name for path in (REPOSITORY / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    for number, _, _, tests in rows:
        named = re.findall(r"`(test_\w+)`", tests)
        assert named, number
        assert set(named) <= known, (number, set(named) - known)
