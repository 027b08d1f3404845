"""kill -9 between any two steps of a sale: before and after every call to Steam and every commit, one run for each of them."""

import asyncio
from pathlib import Path

import pytest

from selldesk.steamsim.entities import Behaviour
from selldesk.steamsim.faults import FaultRequest
from tests.deliveries import ask_for, bought, delivery, has, shown, vip
from tests.little_market import MONEY, ORDER_PRICE, Crash, CrashAt, LittleMarket


async def _sale(folder: Path, boundary: int | None, game: int, ending: str, behaviour: Behaviour, fault: str | None) -> CrashAt:
    """One sale in a fresh world that dies once, at the boundary, and is then carried on by a new process."""
    async with LittleMarket(folder) as market:
        market.seller.behaviour = behaviour
        if fault is not None:
            market.steam.faults.switch_on(FaultRequest(fault, times=1), market.clock.now_us())
        trade_id = market.open_trade("sale-1", game, count=2)
        crash = CrashAt(boundary)
        is_done = lambda: market.trade(trade_id).status == ending  # noqa: E731
        # Long waits pass in jumps, as when somebody moves the sandbox's clock: seven days of protection, a quarter of an hour.
        offer_jump = 150.0 if behaviour is Behaviour.IGNORE else 0.0
        market.wait_at_least_seconds = lambda: 2 * 86_400.0 if market.trade(trade_id).status == "accepted" else offer_jump
        try:
            await market.run(market.worker(crash), is_done)
        except Crash:
            await market.run(market.worker(), is_done)
        market.assert_clean()
        offers = list(market.steam.world.offers.values())
        assert sum(offer.state == 3 for offer in offers) == (1 if ending == "completed" else 0)
        assert sum(offer.state == 2 for offer in offers) == 0
        balances = market.balances()
        value = 2 * ORDER_PRICE
        if ending == "completed":
            assert (balances[8], balances[12]) == (value, MONEY - value)
        else:
            assert (balances.get(8, 0), balances[12]) == (0, MONEY)
        return crash


FLOWS = [
    pytest.param(730, "completed", Behaviour.ACCEPT, None, id="protected sale"),
    pytest.param(440, "completed", Behaviour.ACCEPT, None, id="unprotected sale"),
    pytest.param(440, "completed", Behaviour.ACCEPT, "send_created_then_reset", id="answer to the send lost"),
    pytest.param(440, "cancelled", Behaviour.DECLINE, None, id="declined"),
    pytest.param(440, "cancelled", Behaviour.IGNORE, None, id="deadline"),
]


@pytest.mark.long
@pytest.mark.parametrize(("game", "ending", "behaviour", "fault"), FLOWS)
def test_a_sale_survives_a_kill_at_every_boundary(
    tmp_path: Path, game: int, ending: str, behaviour: Behaviour, fault: str | None
) -> None:
    whole = asyncio.run(_sale(tmp_path / "whole", None, game, ending, behaviour, fault))
    # A flow that waits polls many times alike: its first 50 boundaries and its last 14 hold every kind of step.
    boundaries = sorted({*range(1, 51), *range(whole.passed - 13, whole.passed + 1)} & set(range(1, whole.passed + 1)))
    assert {name.removeprefix("before ").removeprefix("after ") for name in whole.names} == {
        whole.names[boundary - 1].removeprefix("before ").removeprefix("after ") for boundary in boundaries
    }
    for boundary in boundaries:
        asyncio.run(_sale(tmp_path / str(boundary), boundary, game, ending, behaviour, fault))


# -- the way out -------------------------------------------------------------------------------------------------------


async def _delivery(folder: Path, boundary: int | None, game: int, ending: str, behaviour: Behaviour, fault: str | None) -> CrashAt:
    """One delivery of two items in a fresh world; the process dies once on its way, and another one carries it on."""
    async with LittleMarket(folder) as market:
        items = await bought(market, market.worker(), 2, game)
        vip(market).behaviour = behaviour
        if fault is not None:
            market.steam.faults.switch_on(FaultRequest(fault, times=1), market.clock.now_us())
        (one,) = ask_for(market, items)
        crash = CrashAt(boundary)
        is_done = lambda: delivery(market, one).status == ending  # noqa: E731
        market.wait_at_least_seconds = lambda: 2 * 86_400.0 if delivery(market, one).status == "accepted" else 0.0
        if behaviour is Behaviour.IGNORE:
            # Shorter than what the bot's phone is given: who comes later than that finds an offer that nobody confirmed.
            market.wait_at_least_seconds = lambda: 150.0
        try:
            await market.run(market.worker(crash), is_done)
        except Crash:
            await market.run(market.worker(), is_done)
        market.assert_clean()
        offers = [offer for offer in market.steam.world.offers.values() if offer.give]
        is_out = ending == "completed"
        assert sum(offer.state == 3 for offer in offers) == int(is_out)
        assert sum(offer.state in (2, 9) for offer in offers) == 0
        assert (has(market, vip(market), game), shown(market)) == ((2, []) if is_out else (0, ["held", "held"]))
        assert market.alerts() == []
        return crash


WAYS_OUT = [
    pytest.param(730, "completed", Behaviour.ACCEPT, None, id="protected items"),
    pytest.param(440, "completed", Behaviour.ACCEPT, None, id="unprotected items"),
    pytest.param(440, "completed", Behaviour.ACCEPT, "send_created_then_reset", id="answer to the send lost"),
    pytest.param(440, "cancelled", Behaviour.DECLINE, None, id="declined"),
    pytest.param(440, "cancelled", Behaviour.IGNORE, None, id="deadline"),
]


@pytest.mark.long
@pytest.mark.parametrize(("game", "ending", "behaviour", "fault"), WAYS_OUT)
def test_a_delivery_survives_a_kill_at_every_boundary(
    tmp_path: Path, game: int, ending: str, behaviour: Behaviour, fault: str | None
) -> None:
    whole = asyncio.run(_delivery(tmp_path / "whole", None, game, ending, behaviour, fault))
    boundaries = {*range(1, 41), *range(whole.passed - 7, whole.passed + 1)} & set(range(1, whole.passed + 1))
    for boundary in sorted(boundaries):
        asyncio.run(_delivery(tmp_path / str(boundary), boundary, game, ending, behaviour, fault))


@pytest.mark.usefixtures("engine")
def test_on_both_engines_a_delivery_survives(tmp_path: Path) -> None:
    """Every fourth boundary of the way with a lost answer: it is the store that differs, not the way."""
    lost = (440, "completed", Behaviour.ACCEPT, "send_created_then_reset")
    whole = asyncio.run(_delivery(tmp_path / "whole", None, *lost))
    for boundary in range(1, whole.passed + 1, 4):
        asyncio.run(_delivery(tmp_path / str(boundary), boundary, *lost))
