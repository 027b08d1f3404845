"""A bot's worker against the simulator, with time moved by hand: what a second review found in rarely walked branches."""

import asyncio
from pathlib import Path

import pytest

from selldesk.desk import commands
from selldesk.steamsim.entities import Behaviour
from selldesk.store.audit import run_audit
from tests.little_market import LittleMarket, in_market

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
        market.desk.ask(commands.OperateTrade(trade_id, "op", "cancel", "enough"))
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
