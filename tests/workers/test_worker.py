"""A bot's worker against the simulator, with time moved by hand: what a second review found in rarely walked branches."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from selldesk.desk import commands
from selldesk.desk.requests.bots import secrets_command
from selldesk.kernel.secretbox import secrets_place
from selldesk.kernel.times import FAR_US
from selldesk.offers.stages import Stage
from selldesk.steamsim.entities import Behaviour
from selldesk.steamsim.world import OfferLimits
from selldesk.steamwire.credentials import Credentials
from selldesk.store.audit import run_audit
from tests.little_market import BUYER, ORDER_PRICE, LittleMarket, in_market

DAY = 86_400

pytestmark = pytest.mark.usefixtures("engine")


def test_an_exchange_of_another_trade_is_never_taken_for_a_lost_offer(tmp_path: Path) -> None:
    """Sold, reversed, the asset is back under its old id and sold again at once; that send is lost before an offer exists."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        first = market.open_trade("first")
        await market.run(worker, lambda: market.trade(first).status == "accepted")
        market.steam.world.reverse(market.seller.steamid64)
        await market.run(worker, lambda: market.trade(first).status == "rolled_back_by_user")
        (item,) = market.steam.world.inventory(market.seller.steamid64, 730, "2")
        market.fault("send_reset", times=1)
        second = market.open_trade("second", assets=[item.assetid])
        await market.run(worker, lambda: market.trade(second).status == "accepted")
        assert market.trade(second).steam_trade_id != market.trade(first).steam_trade_id
        assert [offer.state for offer in market.steam.world.offers.values()] == [3, 3]

    in_market(tmp_path, story)


def test_empty_lists_never_make_a_third_offer(tmp_path: Path) -> None:
    """Every send is lost after it created its offer, and the lists stay empty: one repetition at most, and no ending."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        market.fault("send_created_then_reset")
        market.fault("poll_empty")
        trade_id = market.open_trade("lost", 440)
        deadline = market.clock.now_us() + 3600 * 1_000_000
        worker = market.worker()
        await market.run(worker, lambda: market.clock.now_us() > deadline)
        assert market.trade(trade_id).status == "processing", "no ending without Steam's word"
        offers = list(market.steam.world.offers.values())
        assert len(offers) <= 2
        market.steam.faults.switch_off(None)
        market.seller.behaviour = Behaviour.ACCEPT
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        await market.run(worker, lambda: not any(offer.state == 2 for offer in offers))
        assert sorted(offer.state for offer in offers)[0] == 3
        assert sum(offer.state == 3 for offer in offers) == 1

    in_market(tmp_path, story)


def test_trades_that_cannot_be_read_do_not_stay_first_in_line(tmp_path: Path) -> None:
    """Twelve accepted trades; eleven of them can't be read at settlement: the twelfth is paid all the same."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        ids = []
        for number in range(12):
            ids.append(market.open_trade(f"c{number}"))
            await market.run(worker, lambda: market.trade(ids[-1]).status == "accepted")
        trades = market.steam.world.trades
        hidden = {
            market.trade(trade_id).steam_trade_id: trades[str(market.trade(trade_id).steam_trade_id)] for trade_id in ids[:-1]
        }
        for tradeid in hidden:
            del trades[str(tradeid)]
        market.clock.advance(7 * DAY + 1000)
        await market.run(worker, lambda: market.trade(ids[-1]).status == "completed")
        assert {market.trade(trade_id).status for trade_id in ids[:-1]} == {"accepted"}
        trades.update({str(tradeid): record for tradeid, record in hidden.items()})
        market.wait_at_least_seconds = lambda: 60.0
        await market.run(worker, lambda: all(market.trade(trade_id).status == "completed" for trade_id in ids))

    in_market(tmp_path, story)


def test_one_trade_without_an_entry_does_not_block_a_reversal(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        ids = [market.open_trade(f"c{number}") for number in range(3)]
        await market.run(worker, lambda: all(market.trade(trade_id).status == "accepted" for trade_id in ids))
        market.steam.world.reverse(market.seller.steamid64)
        record = market.steam.world.trades.pop(str(market.trade(ids[0]).steam_trade_id))
        await market.run(worker, lambda: [market.trade(trade_id).status for trade_id in ids[1:]] == ["rolled_back_by_user"] * 2)
        assert market.trade(ids[0]).status == "accepted"
        market.steam.world.trades[record.tradeid] = record
        await market.run(worker, lambda: market.trade(ids[0]).status == "rolled_back_by_user")

    in_market(tmp_path, story)


def test_an_operator_cancels_a_held_trade_whose_send_was_lost(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.fault("send_created_then_reset", times=1)
        market.seller.behaviour = Behaviour.IGNORE
        trade_id = market.open_trade("held", 440)
        await market.run(worker, lambda: market.trade(trade_id).offer_id is not None)
        market.fault("hold")
        market.seller.behaviour = Behaviour.ACCEPT
        await market.run(worker, lambda: market.trade(trade_id).offer_state == 11)
        market.desk.ask(commands.OperateTrade(trade_id=trade_id, operator="op", action="cancel", reason="enough"))
        await market.run(worker, lambda: market.trade(trade_id).status != "processing")
        ended = market.trade(trade_id)
        assert (ended.status, ended.error) == ("declined", "The trade was withdrawn by an operator")

    in_market(tmp_path, story)


def test_an_offer_accepted_after_its_trade_ended_is_told_and_fails_the_audit(tmp_path: Path) -> None:
    """Steam's books and ours differ: nothing is credited by itself, an alert and the audit say so."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.seller.behaviour = Behaviour.DECLINE
        trade_id = market.open_trade("late", 440)
        await market.run(worker, lambda: market.trade(trade_id).status == "cancelled")
        (offer,) = market.steam.world.offers.values()
        market.steam.world.accept(offer)
        deadline = market.clock.now_us() + 300 * 1_000_000
        await market.run(worker, lambda: market.clock.now_us() > deadline)
        alerts = market.store.reader().fetch("alerts_page", open=1, limit=9, offset=0)
        assert [row[1] for row in alerts] == ["items_without_trade"]
        assert market.trade(trade_id).status == "cancelled"

    async def tell() -> None:
        async with LittleMarket(tmp_path) as market:
            await story(market)
            violations = run_audit(market.store.reader()).violations
            assert {violation["check"] for violation in violations} == {"items_without_trade"}

    asyncio.run(tell())


def test_a_long_history_is_swept_page_by_page(tmp_path: Path) -> None:
    """A bot with more exchanges than fit on a page is taken over by a new process, whose buckets are empty: it finds a reversal all
    the same, and its other work goes on meanwhile."""

    async def story(market: LittleMarket) -> None:
        market.fault("buckets", must_strike=False)
        worker = market.worker()
        old = market.open_trade("old")
        await market.run(worker, lambda: market.trade(old).status == "accepted")
        market.fill_history(250)
        worker = market.worker()
        began = market.clock.now_us()
        fresh = [market.open_trade(f"fresh-{number}", 440) for number in range(5)]
        await market.run(worker, lambda: all(market.trade(trade_id).status == "completed" for trade_id in fresh))
        assert market.clock.now_us() - began < 60 * 1_000_000, "a sweep that waits for Steam silences nobody"
        market.steam.world.reverse(market.seller.steamid64)
        await market.run(worker, lambda: market.trade(old).status == "rolled_back_by_user")
        assert market.clock.now_us() - began < 10 * 60 * 1_000_000
        assert all(entry["status"] != 429 for entry in market.steam.request_log)

    in_market(tmp_path, story)


@pytest.mark.parametrize("fault", ["send_reset", "send_created_then_reset"])
def test_a_lost_send_is_found_behind_a_long_history(tmp_path: Path, fault: str) -> None:
    """More exchanges since the send than fit on a page, and a limit on asking for them: the look goes on where it stopped."""

    async def story(market: LittleMarket) -> None:
        market.fault("buckets", must_strike=False)
        market.fault(fault, times=1)
        market.fault("poll_empty", for_seconds=1500)
        worker = market.worker()
        market.seller.delay_seconds = 2000
        trade_id = market.open_trade("lost", 440)
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.RECONCILE)
        market.fill_history(350)
        began = market.clock.now_us()
        await market.run(
            market.worker(), lambda: market.trade(trade_id).status != "processing" or market.trade(trade_id).offer_id is not None
        )
        assert market.clock.now_us() - began < 3600 * 1_000_000

    in_market(tmp_path, story)


def test_many_reversed_trades_of_which_one_has_no_entry(tmp_path: Path) -> None:
    """Thirty reversed, one of them unreadable, and a bucket that gives 25: the others are decided, and a fresh sale of somebody
    else goes through meanwhile."""

    async def story(market: LittleMarket) -> None:
        market.fault("buckets", must_strike=False)
        market.order(730, 100)
        worker = market.worker()
        ids: list[str] = []
        for number in range(30):
            ids.append(market.open_trade(f"c{number}"))
            if number % 5 == 4:
                await market.run(worker, lambda: all(market.trade(trade_id).status == "accepted" for trade_id in ids))
        market.steam.world.reverse(market.seller.steamid64)
        hidden = market.steam.world.trades.pop(str(market.trade(ids[0]).steam_trade_id))
        other = market.steam.world.add_account("boris", "seller")
        fresh = market.open_trade("fresh", 440, seller=other)
        began = market.clock.now_us()
        await market.run(worker, lambda: all(market.trade(trade_id).status == "rolled_back_by_user" for trade_id in ids[1:]))
        assert market.trade(fresh).status == "completed"
        assert market.clock.now_us() - began < 30 * 60 * 1_000_000
        market.steam.world.trades[hidden.tradeid] = hidden
        await market.run(worker, lambda: market.trade(ids[0]).status == "rolled_back_by_user")

    in_market(tmp_path, story)


def test_a_lost_send_whose_history_can_not_be_read_silences_nobody_else(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        await market.pass_time(worker, 60)
        market.fault("send_reset", times=1)
        lost = market.open_trade("lost", 440)
        await market.run(worker, lambda: market.trade(lost).stage is Stage.RECONCILE)
        market.fault("history_500")
        others = [market.open_trade(f"c{number}", 440) for number in range(3)]
        await market.run(worker, lambda: all(market.trade(trade_id).status == "completed" for trade_id in others))
        assert market.trade(lost).status == "processing"
        market.calm()
        await market.run(worker, lambda: market.trade(lost).status == "completed")

    in_market(tmp_path, story)


def test_a_listing_of_several_pages_is_carried_on_after_a_restart(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault("buckets", must_strike=False)
        market.seller.behaviour = Behaviour.IGNORE
        worker = market.worker()
        ids = [market.open_trade(f"c{number}", 440) for number in range(4)]
        await market.run(worker, lambda: all(market.trade(trade_id).expires_at is not None for trade_id in ids))
        market.fault("poll_pages")
        worker = market.worker()
        market.seller.behaviour = Behaviour.ACCEPT
        began = market.clock.now_us()
        await market.run(worker, lambda: all(market.trade(trade_id).status == "completed" for trade_id in ids))
        assert market.clock.now_us() - began < 120 * 1_000_000

    in_market(tmp_path, story)


def test_a_sale_declared_accepted_without_its_exchange_holds_up_no_other(tmp_path: Path) -> None:
    """Steam shows an offer accepted, but not as which trade; an operator declares it accepted. The sales after it are paid all the same,
    and so is it as soon as Steam tells."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.fault("offer_without_tradeid", seller=market.seller.steamid64)
        market.fault("history_empty", must_strike=False)
        nameless = market.open_trade("nameless", 440)
        await market.run(worker, lambda: market.trade(nameless).stage is Stage.EXCHANGED)
        assert market.trade(nameless).steam_trade_id is None
        market.desk.ask(
            commands.OperateTrade(
                trade_id=nameless, operator="op", action="declare-accepted", reason="the items are there", force=True
            )
        )
        other = market.steam.world.add_account("bob", "seller")
        following = market.open_trade("following", 440, seller=other)
        await market.run(worker, lambda: market.trade(following).status == "completed")
        assert market.trade(nameless).status == "accepted"
        await market.run(worker, lambda: "exchange_unconfirmed" in market.alerts())
        market.calm()
        await market.run(worker, lambda: market.trade(nameless).status == "completed")

    in_market(tmp_path, story)


def test_a_list_that_can_not_be_read_starves_no_settlement(tmp_path: Path) -> None:
    """The offers answer 500: what is due is settled meanwhile, nothing new is begun, and the bot does not count as well."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        due = market.open_trade("due")
        await market.run(worker, lambda: market.trade(due).status == "accepted")
        market.clock.advance(7 * DAY + 1000)
        market.fault("poll_500")
        waiting = market.open_trade("waiting")
        await market.run(worker, lambda: market.trade(due).status == "completed")
        await market.run(worker, lambda: market.bot_state() == "down")
        assert market.trade(waiting).stage in (Stage.VERIFY, Stage.SEND)
        market.calm()
        await market.run(worker, lambda: market.bot_state() == "ok")
        another = market.open_trade("another")
        await market.run(worker, lambda: market.trade(another).status == "accepted")

    in_market(tmp_path, story)


def test_a_sale_from_the_future_asks_no_more_than_others(tmp_path: Path) -> None:
    """The clock goes back an hour just after a sale was created."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("early")
        market.clock.advance(-3600)
        worker = market.worker()
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted", steps=60)

    in_market(tmp_path, story)


def test_new_sales_without_end_starve_no_settlement(tmp_path: Path) -> None:
    """Three sales are due for settlement while the next seller always stands at the door already."""

    async def story(market: LittleMarket) -> None:
        market.order(730, 400)
        market.desk.ask(commands.ChangeBot(operator="op", number=1, seller_offers_max=1000, live_offers_max=1000))
        worker = market.worker()
        due = [market.open_trade(f"due {number}") for number in range(3)]
        await market.run(worker, lambda: all(market.trade(trade_id).status == "accepted" for trade_id in due))
        market.clock.advance(7 * DAY + 1000)
        newcomers = [market.open_trade("newcomer")]

        def all_settled() -> bool:
            market.clock.advance(5)  # A bot so slow that Steam's limits never hold it.
            if market.trade(newcomers[-1]).stage is not Stage.VERIFY:
                newcomers.append(market.open_trade(f"newcomer {len(newcomers)}"))
            return all(market.trade(trade_id).status == "completed" for trade_id in due)

        await market.run(worker, all_settled, steps=100)
        assert len(newcomers) >= 3, "nor does settlement starve the newcomers"

    in_market(tmp_path, story)


@pytest.mark.long
def test_many_settlements_at_once_leave_the_loop_free(tmp_path: Path) -> None:
    """A hundred and twenty trades are due in the same moment, and Steam tells one every two seconds: between two answers the bot waits
    instead of asking itself again and again."""

    async def story(market: LittleMarket) -> None:
        market.order(730, 400)
        market.desk.ask(
            commands.MoveMoney(operator="test", person=BUYER, direction="deposit", amount=120 * ORDER_PRICE, reference="more")
        )
        market.desk.ask(commands.ChangeBot(operator="op", number=1, seller_offers_max=1000, live_offers_max=1000))
        market.steam.world.limits = OfferLimits(1000, 1000)
        worker = market.worker()
        ids = [market.open_trade(f"c{number}") for number in range(120)]
        market.wait_at_least_seconds = lambda: 2.0
        await market.run(worker, lambda: all(market.trade(trade_id).status == "accepted" for trade_id in ids[-3:]))
        market.clock.advance(8 * DAY)
        market.wait_at_least_seconds = lambda: 0.0
        steps = 0
        while market.trade(ids[0]).status == "accepted" or steps < 100:
            market._keep_leases()
            await worker.step()
            steps += 1
            market.clock.advance(max(0.0, (market._wakes_at(worker) - market.clock.now_us()) / 1_000_000))
        began = market.clock.now_us()
        for _ in range(200):
            market._keep_leases()
            await worker.step()
            market.clock.advance(max(0.0, (market._wakes_at(worker) - market.clock.now_us()) / 1_000_000))
        assert market.clock.now_us() - began > 20 * 1_000_000, "hundreds of steps in a moment would be a busy loop"

    in_market(tmp_path, story)


def test_a_new_refresh_token_is_used_at_once(tmp_path: Path) -> None:
    """A bot without a password: its tokens are revoked, an operator brings a new one."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        await market.pass_time(worker, 60)
        secrets = market.desk.store.fetch("bot_record", number=1)[0][15]
        place = secrets_place(market.bot_account.steamid64)
        bare = msgspec.structs.replace(msgspec.json.decode(market.box.open(secrets, place), type=Credentials), password=None)
        market.desk.ask(
            commands.ReplaceBotSecrets(operator="op", number=1, secrets=market.box.seal(msgspec.json.encode(bare), place))
        )
        await market.pass_time(worker, 60)
        market.steam.auth.revoke(market.bot_account)
        await market.run(worker, lambda: market.bot_state() == "needs_login")
        fresh = market.steam.auth.issue(market.bot_account, 100 * DAY, ["web", "mobile", "renew", "derive"])
        market.desk.ask(secrets_command(market.box, "op", market.desk.store, 1, {"refresh_token": fresh}))
        worker.alarm.ring()
        began = market.clock.now_us()
        await market.run(worker, lambda: market.bot_state() == "ok")
        assert market.clock.now_us() - began < 60 * 1_000_000

    in_market(tmp_path, story)


def test_a_clock_that_went_back_leaves_no_pause_behind(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.fault("item_server_down", times=1)
        worker = market.worker()
        trade_id = market.open_trade("paused", 440)
        await market.run(worker, lambda: bool(market.desk.store.fetch("paused_games", now=market.clock.now_us(), furthest=FAR_US)))
        market.clock.advance(-3600)
        worker = market.worker()
        began = market.clock.now_us()
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        assert market.clock.now_us() - began < 300 * 1_000_000

    in_market(tmp_path, story)
