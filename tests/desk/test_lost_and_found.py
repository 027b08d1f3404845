"""Offers and exchanges that turn up late: found again, adopted meanwhile, accepted after the end; and looks that were broken off."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selldesk.desk import commands
from selldesk.offers.stages import Stage
from selldesk.steamsim.entities import Account, Behaviour, OfferRecord
from selldesk.store.audit import run_audit
from selldesk.workers.bot import BotWorker
from tests.desk.test_leases import _Sleeper
from tests.little_market import MONEY, LittleMarket, in_market

pytestmark = pytest.mark.usefixtures("engine")

TF2 = 440
MINUTE = 60


def _only(market: LittleMarket) -> OfferRecord:
    (offer,) = market.offers()
    return offer


def _purse(market: LittleMarket) -> tuple[int, int, int]:
    """(what the project has, what the buyer has, what of it is frozen)."""
    balances = market.balances()
    return balances.get(8, 0), balances.get(12, 0), balances.get(13, 0)


# -- the step "offer found" --------------------------------------------------------------------------------------------


def _versions(market: LittleMarket, trade_id: str) -> list[tuple[int, str, int, str]]:
    """(version, status, at, note) of every step on record."""
    columns, rows = market.store.reader().table("trade_history")
    named = [dict(zip(columns, row, strict=True)) for row in rows]
    return sorted((row["version"], row["status"], row["at"], row["note"]) for row in named if row["trade_id"] == trade_id)


FOUND = [
    # what it is when it is found    the seller     then                                                           status        stage
    ("open",                         "ignore",      lambda market: None,                                           "processing", "offered"),
    ("accepted",                     "ignore",      lambda market: market.steam.world.accept(_only(market)),       "processing", "exchanged"),
    ("held",                         "ignore",      lambda market: _accept_into_a_hold(market),                    "processing", "offered"),
    ("declined",                     "ignore",      lambda market: market.steam.world.set_state(_only(market), 7), "cancelled",  "done"),
    ("waiting for our phone",        "unconfirmed", lambda market: None,                                           "processing", "offered"),
]  # fmt: skip


def _accept_into_a_hold(market: LittleMarket) -> None:
    market.fault("hold", times=1)
    market.steam.world.accept(_only(market))


@pytest.mark.parametrize(("what", "seller", "then", "status", "stage"), FOUND, ids=[row[0] for row in FOUND])
def test_an_offer_that_is_found_again_is_a_step_of_its_sale(
    tmp_path: Path, what: str, seller: str, then: Callable[[LittleMarket], None], status: str, stage: str
) -> None:
    """Its answer was lost. That it was found stands in the history under the next version, and `updated_at` moves with it."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        market.fault("send_created_then_reset", times=1)
        if seller == "unconfirmed":
            market.fault("send_needs_confirmation", times=1)
        trade_id = market.open_trade("lost", TF2)
        worker = market.worker()
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.RECONCILE)
        lost = market.trade(trade_id)
        market.clock.advance(1)
        then(market)
        await market.run(worker, lambda: market.trade(trade_id).offer_id is not None)

        found, steps = market.trade(trade_id), _versions(market, trade_id)
        assert (found.offer_id, found.status, found.stage) == (_only(market).tradeofferid, status, stage)
        assert [version for version, *_ in steps] == list(range(1, found.version + 1)), "no version is left out or stands twice"
        fresh = [(version, at, note) for version, _, at, note in steps if version > lost.version]
        assert fresh[:1] == [(lost.version + 1, found.updated_at, f"Offer {found.offer_id} found")]
        assert found.updated_at > lost.updated_at
        assert found.version == fresh[-1][0]
        assert market.history(trade_id) == [note for *_, note in steps], "and is what a reader of the sale is shown"
        assert run_audit(market.store.reader()).violations == []

    in_market(tmp_path, story)


# -- offers that nobody wants, and one that a sale has adopted ---------------------------------------------------------


def _cancels(market: LittleMarket) -> int:
    return sum(request["path"].endswith("/cancel") for request in market.steam.request_log)


def test_an_offer_with_a_tag_of_ours_that_no_running_sale_owns_is_taken_down(tmp_path: Path) -> None:
    """Only a tag that the store knows with this very partner is ours: a text that looks like one is somebody's order number."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.DECLINE
        worker = market.worker()
        ended = market.open_trade("ended", TF2)
        await market.run(worker, lambda: market.trade(ended).status == "cancelled")
        market.seller.behaviour = Behaviour.IGNORE
        stranger = market.steam.world.add_account("a stranger", "seller")
        stranger.behaviour = Behaviour.IGNORE
        tag = market.trade(ended).tag

        def by_hand(partner: Account, message: str) -> OfferRecord:
            asked = [(TF2, "2", assetid) for assetid in market.give(partner, TF2)]
            return market.steam.world.create_offer(market.bot_account, partner, partner.trade_token, [], asked, message)

        ours = by_hand(market.seller, f"hello {tag}")
        looks_alike = by_hand(market.seller, "Refund for order #20261126")
        of_another = by_hand(stranger, f"hello {tag}")
        before = _cancels(market)
        await market.run(worker, lambda: ours.state != 2)
        await market.pass_time(worker, 5 * MINUTE)
        assert (ours.state, looks_alike.state, of_another.state, _cancels(market) - before) == (6, 2, 2, 1)
        assert market.alerts() == ["foreign_offer", "foreign_offer"]

    in_market(tmp_path, story)


def test_an_offer_that_a_sale_has_adopted_since_the_poll_is_not_taken_down(tmp_path: Path) -> None:
    """When the bot last polled, the offer was nobody's; by the time it would be cancelled, it is on record as a sale's."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        worker = market.worker()
        trade_id = market.open_trade("adopted", TF2)
        await market.run(worker, lambda: market.trade(trade_id).expires_at is not None)
        memory = worker._bot.memory
        memory.unwanted_offers = (f"cancel:{market.trade(trade_id).offer_id}",)
        worker.alarm.ring()
        await worker.step()
        assert memory.last_turn == "take_down"
        assert worker._bot.memory.unwanted_offers == ()
        assert (_only(market).state, _cancels(market)) == (2, 0), "its own life decides"
        market.seller.behaviour = Behaviour.ACCEPT
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")

    in_market(tmp_path, story)


# -- accepted after our own cancel was confirmed -----------------------------------------------------------------------


def _by_the_deadline(market: LittleMarket, trade_id: str) -> None:
    pass


def _by_an_operator(market: LittleMarket, trade_id: str) -> None:
    market.desk.ask(commands.OperateTrade(trade_id=trade_id, operator="op", action="cancel", reason="the shop asked for it"))


def _without_our_phone(market: LittleMarket, trade_id: str) -> None:
    market.steam.world.set_state(_only(market), 9)
    market.fault("phone_fails")


CANCELS = [
    # who had it cancelled  how                  the sale ended
    ("the deadline",        _by_the_deadline,    "cancelled"),
    ("an operator",         _by_an_operator,     "declined"),
    ("no confirmation",     _without_our_phone,  "declined"),
]  # fmt: skip


@pytest.mark.parametrize("looks", ["the same worker", "a new worker"])
@pytest.mark.parametrize(("what", "how", "ending"), CANCELS, ids=[row[0] for row in CANCELS])
def test_an_offer_that_is_accepted_after_our_own_cancel_was_confirmed_is_told_and_fails_the_audit(
    tmp_path: Path, what: str, how: Callable[[LittleMarket, str], None], ending: str, looks: str
) -> None:
    """Steam showed it cancelled, and the sale ended by that; then Steam shows it accepted. Nothing is credited, a human is told."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        worker = market.worker()
        trade_id = market.open_trade("late", TF2)
        await market.run(worker, lambda: market.trade(trade_id).expires_at is not None)
        how(market, trade_id)
        await market.run(worker, lambda: market.trade(trade_id).status != "processing")
        ended = market.trade(trade_id)
        assert (ended.status, ended.offer_state, _only(market).state, _cancels(market)) == (ending, 6, 6, 1)
        assert run_audit(market.store.reader()).violations == []

        market.steam.world.accept(_only(market))
        await market.pass_time(market.worker() if looks == "a new worker" else worker, 5 * MINUTE)
        late = market.trade(trade_id)
        assert (late.status, late.offer_state, late.steam_trade_id) == (ending, 3, _only(market).tradeid)
        assert (late.version, late.updated_at > ended.updated_at) == (ended.version + 1, True)
        assert market.alerts() == ["items_without_trade"]
        assert _purse(market) == (0, MONEY, 0)
        audit = run_audit(market.store.reader())
        assert audit.violations == [{"check": "items_without_trade", "row": [trade_id, ending, late.offer_id]}]
        assert {check["name"] for check in audit.checks if check["rows"]} == {"items_without_trade"}

    async def tell() -> None:
        async with LittleMarket(tmp_path) as market:
            await story(market)
            market.assert_struck()

    asyncio.run(tell())


# -- looks that were broken off ----------------------------------------------------------------------------------------


async def _not_sent_again(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    """The lost send is believed absent, and no second one gets out: the sale waits for its deadline."""
    await market.run(worker, lambda: market.trade(trade_id).stage is Stage.VERIFY)
    market.fault("item_server_down")
    deadline = market.trade(trade_id).created_at + 15 * MINUTE * 1_000_000
    await market.run(worker, lambda: market.clock.now_us() > deadline - 2 * MINUTE * 1_000_000)
    assert (market.trade(trade_id).stage, len(market.offers())) == (Stage.SEND, 1)


async def _not_listed_yet(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    """The lists have lacked its offer for three minutes: one more, and the lost send is believed absent."""
    await market.pass_time(worker, 3 * MINUTE)
    assert (market.trade(trade_id).stage, market.trade(trade_id).misses > 2) == (Stage.RECONCILE, True)


LAST_LOOKS = [
    ("before a sale is given up", _not_sent_again),
    ("before a lost send is believed absent", _not_listed_yet),
]


@pytest.mark.parametrize(("what", "until"), LAST_LOOKS, ids=[row[0] for row in LAST_LOOKS])
def test_a_search_of_the_history_that_was_stopped_looks_once_more_at_what_came_meanwhile(
    tmp_path: Path, what: str, until: Callable[[LittleMarket, BotWorker, str], Any]
) -> None:
    """Steam's limit stops the last look between two pages; in that pause the seller accepts the offer that nobody sees."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        market.fault("buckets", must_strike=False)
        market.fault("send_created_then_reset", times=1)
        market.fault("poll_empty")
        trade_id = market.open_trade("unseen", TF2)
        worker = market.worker()
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.RECONCILE)
        await until(market, worker, trade_id)
        market.fill_history(150)

        def is_stopped() -> bool:
            walk = worker._exchanges._walk
            return walk is not None and walk.before is not None

        worker = market.worker()
        await market.run(worker, is_stopped)
        concluded = market.history(trade_id)
        market.steam.world.accept(_only(market))
        await market.run(worker, lambda: market.trade(trade_id).version > len(concluded))
        assert market.history(trade_id)[len(concluded)] == f"Exchange {_only(market).tradeid} found in the bot's history"
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        assert [offer.state for offer in market.offers()] == [3]

    in_market(tmp_path, story)


BREAKS = ["history_500", "maintenance", "rate_limited", "session_expired"]
"""Moods that end one call."""


@pytest.mark.parametrize("fault", BREAKS)
def test_a_sweep_that_was_broken_off_between_two_pages_is_not_believed_complete(tmp_path: Path, fault: str) -> None:
    """A reversal that shows on the second page alone: the sweep goes on there as soon as Steam answers again."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("reversed")
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        market.fill_history(150)
        await market.pass_time(worker, 10 * MINUTE)
        world, memory = market.steam.world, worker._bot.memory
        market.steam.world.reverse(market.seller.steamid64)
        for back in [trade for trade in world.trades.values() if trade.rollback_trade]:
            del world.trades[back.tradeid]

        def is_second_page(_: str, url: str) -> bool:
            sweep = worker._exchanges._sweep
            return "GetTradeHistory" in url and sweep is not None and sweep.pages == 1

        async def breaks() -> None:
            market.fault(fault, times=1)

        session = worker._bot.client.session
        session.transport = _Sleeper(session.transport, is_second_page, False, breaks)
        await market.run(worker, lambda: fault in market.steam.faults.hits)
        assert (memory.is_sweeping, memory.suspects) == (True, ())
        assert market.trade(trade_id).status == "accepted"
        broken_at = market.clock.now_us()
        await market.run(worker, lambda: market.trade(trade_id).status == "rolled_back_by_user")
        assert market.clock.now_us() - broken_at < 30 * 1_000_000, "it goes on; it does not wait for the next sweep"

    in_market(tmp_path, story)


@pytest.mark.parametrize("fault", BREAKS[1:])
def test_a_round_of_readings_that_was_broken_off_decides_nothing_about_a_reversal(tmp_path: Path, fault: str) -> None:
    """All protected sales of the bot are reversed on its own side. Steam fails in the middle of asking for them: who pressed the
    button is told from all of them, when all have been read."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        sellers = [market.seller, market.steam.world.add_account("boris", "seller")]
        ids = [market.open_trade(f"sale {number}", seller=sellers[number % 2]) for number in range(4)]
        await market.run(worker, lambda: all(market.trade(trade_id).status == "accepted" for trade_id in ids))
        await market.pass_time(worker, 2 * MINUTE)
        market.steam.world.reverse(market.bot_account.steamid64)
        memory = worker._bot.memory

        def is_in_the_middle(_: str, url: str) -> bool:
            return "GetTradeStatus" in url and bool(memory.suspects) and len(memory.readings) == 2

        async def breaks() -> None:
            market.fault(fault, times=1)

        session = worker._bot.client.session
        session.transport = _Sleeper(session.transport, is_in_the_middle, False, breaks)
        await market.run(worker, lambda: fault in market.steam.faults.hits)
        assert set(memory.suspects) <= set(ids)
        assert memory.suspects, "who was suspected stays so"
        assert [market.trade(trade_id).status for trade_id in ids] == ["accepted"] * 4
        broken_at = market.clock.now_us()
        await market.run(worker, lambda: all(market.trade(trade_id).status != "accepted" for trade_id in ids))
        assert [market.trade(trade_id).status for trade_id in ids] == ["rolled_back_by_bot"] * 4
        assert market.clock.now_us() - broken_at < 30 * 1_000_000
        assert market.bot_state() == "quarantined"

    in_market(tmp_path, story)
