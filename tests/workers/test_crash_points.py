"""kill -9 between any two steps of a sale: before and after every call to Steam and every commit, one run for each of them."""

import asyncio
from pathlib import Path

import pytest

from selldesk.steamsim.entities import Behaviour
from selldesk.steamsim.faults import FaultRequest
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
