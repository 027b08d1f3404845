"""The rest of the whole address (protocol §7): when several bots of a process are refused for rate, none of them asks anything."""

from pathlib import Path

import pytest

from selldesk.link.client import InlineDesk
from selldesk.offers.agenda import Pace
from selldesk.steam.results import Throttled
from selldesk.steam.session import SteamUrls
from selldesk.steam.throttle import Address, ThrottledTransport
from selldesk.steamsim.entities import Behaviour
from selldesk.workers.bot import BotWorker
from selldesk.workers.fleet import Fleet, FleetSettings
from tests.little_market import LittleMarket, in_market

S = 1_000_000
DAY = 86_400
TF2, CS2 = 440, 730
REFUSALS = ["rate_limited", "address_blocked"]
"""429, and the page that an address sees which Steam has blocked for a while."""


class Bots:
    """Several accounts on one address: the real way to Steam of each, without the bots behind."""

    def __init__(self, market: LittleMarket) -> None:
        self.market = market
        self.address = Address(market.limits)
        self.ways = [
            ThrottledTransport(market.transport, account.steamid64, self.address, market.limits, market.clock.now_us)
            for account in market.bot_accounts
        ]

    async def ask(self, bot: int) -> int:
        """One call of this bot; the status of the answer. Raises Throttled."""
        answer = await self.ways[bot].request("POST", f"{self.market.url}/ITwoFactorService/QueryTime/v1/", form={"steamid": "0"})
        return answer.status

    async def is_refused(self, bot: int, fault: str = "rate_limited") -> None:
        self.market.fault(fault, times=1)
        assert await self.ask(bot) == (429 if fault == "rate_limited" else 403)

    @property
    def asked(self) -> int:
        return len(self.market.steam.request_log)

    @property
    def rest_seconds(self) -> float:
        return max(0, self.address.rests_until_us - self.market.clock.now_us()) / S


@pytest.mark.parametrize("fault", REFUSALS)
def test_while_the_address_rests_no_account_asks_anything(tmp_path: Path, fault: str) -> None:
    """Three of five are refused. All five rest, also the two that Steam said nothing to, until the very end."""

    async def story(market: LittleMarket) -> None:
        bots = Bots(market)
        for bot in (0, 1, 2):
            assert bots.rest_seconds == 0, "one or two may back off by themselves"
            await bots.is_refused(bot, fault)
            market.clock.advance(1)
        assert bots.rest_seconds == 29
        before, ends_at = bots.asked, bots.address.rests_until_us
        for seconds in (0, 1, 10, 17.999):
            market.clock.advance(seconds)
            for bot in range(5):
                with pytest.raises(Throttled) as throttled:
                    await bots.ask(bot)
                assert (throttled.value.bucket, throttled.value.until_us) == (None, ends_at)
        assert bots.asked == before, "Steam heard of none of it"
        market.clock.advance(0.001)
        assert [await bots.ask(bot) for bot in range(5)] == [200] * 5

    in_market(tmp_path, story, bots=5)


COMINGS = [
    # what                                  (second, bot, refused?)                                             rests
    ("one alone, again and again",          [(second, 0, True) for second in range(10)],                        False),
    ("two",                                 [(0, 0, True), (1, 1, True), (2, 0, True), (3, 1, True)],           False),
    ("three within a minute",               [(0, 0, True), (30, 1, True), (59, 2, True)],                       True),
    ("three in more than a minute",         [(0, 0, True), (30, 1, True), (60, 2, True)],                       False),
    ("three, one of them answered since",   [(0, 0, True), (1, 1, True), (2, 0, False), (3, 2, True)],          False),
    ("three, another one answered since",   [(0, 0, True), (1, 1, True), (2, 3, False), (3, 2, True)],          True),
]  # fmt: skip


@pytest.mark.parametrize(("what", "calls", "rests"), COMINGS, ids=[row[0] for row in COMINGS])
def test_how_many_refusals_mean_the_address(tmp_path: Path, what: str, calls: list[tuple[int, int, bool]], rests: bool) -> None:
    async def story(market: LittleMarket) -> None:
        bots, began = Bots(market), market.clock.now_us()
        for second, bot, is_refused in calls:
            market.clock.advance(second - (market.clock.now_us() - began) / S)
            if is_refused:
                await bots.is_refused(bot)
            else:
                assert await bots.ask(bot) == 200
        assert (bots.rest_seconds > 0) == rests

    in_market(tmp_path, story, bots=4)


def test_each_rest_is_longer_than_the_one_before_until_steam_answers(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        bots = Bots(market)
        rests: list[float] = []
        for _ in range(7):
            for bot in (0, 1, 2):
                await bots.is_refused(bot)
            rests.append(bots.rest_seconds)
            market.clock.advance(bots.rest_seconds)
        assert rests == [30, 60, 120, 240, 480, 600, 600]
        assert await bots.ask(3) == 200
        for bot in (0, 1, 2):
            await bots.is_refused(bot)
        assert bots.rest_seconds == 30

    in_market(tmp_path, story, bots=4)


def test_all_bots_of_a_worker_process_are_on_one_address(tmp_path: Path) -> None:
    """The ways to Steam that a real fleet gives its bots."""

    async def story(market: LittleMarket) -> None:
        urls = SteamUrls(market.url, market.url, market.url)
        settings = FleetSettings(urls, market.settings.rules, Pace(), market.limits)
        fleet = Fleet(
            market.store, InlineDesk(market.desk, lambda feed: None), market.clock, market.box, settings, transport=market.transport
        )
        await fleet._keep()
        bots = Bots(market)
        bots.ways = [manned.worker._bot.client.session.transport for manned in fleet._bots.values()]  # type: ignore[misc]
        for manned in fleet._bots.values():
            manned.lease.ends_at_us = 0  # without a lease they do nothing of their own
        for number in list(fleet._bots):
            await fleet._stop(number)
        try:
            for bot in (0, 1, 2):
                await bots.is_refused(bot)
            before = bots.asked
            for bot in range(4):
                with pytest.raises(Throttled):
                    await bots.ask(bot)
            assert bots.asked == before
        finally:
            await fleet._transport.close()

    in_market(tmp_path, story, bots=4)


def _address_of(workers: list[BotWorker]) -> Address:
    (address,) = {worker._bot.client.session.transport._address for worker in workers}  # type: ignore[attr-defined]
    return address  # type: ignore[no-any-return]


@pytest.mark.parametrize("is_overdue", [False, True], ids=["new sales and offers out", "also tokens to renew and sales to settle"])
@pytest.mark.parametrize("fault", REFUSALS)
def test_while_the_address_rests_no_worker_calls_steam_whatever_there_is_to_do(
    tmp_path: Path, fault: str, is_overdue: bool
) -> None:
    """Steam would answer again, but nobody asks before the rest is over; then everything goes on as if nothing had been."""

    async def story(market: LittleMarket) -> None:
        workers = market.workers()
        settling = [market.open_trade(f"settling {number}", CS2) for number in range(4)]
        await market.run(workers, lambda: all(market.trade(trade_id).status == "accepted" for trade_id in settling))
        market.seller.behaviour = Behaviour.IGNORE
        if is_overdue:
            market.clock.advance(8 * DAY)
            market.beat()
        else:
            out = [market.open_trade(f"out {number}", TF2) for number in range(4)]
            await market.run(workers, lambda: all(market.trade(trade_id).expires_at is not None for trade_id in out))
        fresh = [market.open_trade(f"fresh {number}", TF2) for number in range(4)]
        market.fault(fault)
        address = _address_of(workers)
        await market.run(workers, lambda: address.rests_until_us > market.clock.now_us())
        market.calm()

        before, ends_at = len(market.steam.request_log), address.rests_until_us
        assert ends_at == market.clock.now_us() + 30 * S
        await market.run(workers, lambda: market.clock.now_us() >= ends_at or len(market.steam.request_log) > before)
        assert list(market.steam.request_log)[before:] == [], "somebody asked while the address rests"

        market.seller.behaviour = Behaviour.ACCEPT
        await market.run(workers, lambda: all(market.trade(trade_id).status == "completed" for trade_id in fresh))
        await market.run(workers, lambda: all(market.bot_state(number) == "ok" for number in (1, 2, 3, 4)))
        if is_overdue:
            await market.run(workers, lambda: all(market.trade(trade_id).status == "completed" for trade_id in settling))

    in_market(tmp_path, story, bots=4)
