"""Fences (I13): whoever lost a bot says nothing about it any more, of whatever kind, and sends nothing after a sleep.

The kinds of news are read off `commands.News`: a new one without a case here fails.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from selldesk.bots.leases import CALL_TIMEOUT_SECONDS, LEASE_US, SEND_WITHIN_US, Lease
from selldesk.bots.stock import OwnAsset
from selldesk.desk import commands
from selldesk.kernel.clock import ManualClock
from selldesk.kernel.refusals import Refusal
from selldesk.link.client import InlineDesk
from selldesk.offers.stages import Stage
from selldesk.offers.words import AssetWord, OfferWord, Proof, SendRefusal, TradeWord
from selldesk.workers.lease import HeldLease, LeasedDesk
from tests.desk.test_desk import SELLER, Market
from tests.desk.test_leases import _Sleeper
from tests.desk.test_lost_history import photograph
from tests.little_market import LittleMarket, in_market

S = 1_000_000
MINUTE = 60
BOT = 1

# -- every kind of news ------------------------------------------------------------------------------------------------


def _opened(market: Market) -> str:
    trade_id: str = market.ask(market.open("sale", assets=["70"])).trade_id
    return trade_id


def _verified(market: Market) -> str:
    trade_id = _opened(market)
    market.ask(
        commands.ProofRead(trade_id=trade_id, proof=Proof.AS_NAMED, text="", began_at=market.clock.now_us(), classes=[("1", "2")])
    )
    return trade_id


def _intended(market: Market) -> str:
    trade_id = _verified(market)
    assert market.ask(commands.IntendSend(trade_id=trade_id)).granted
    return trade_id


def _lost(market: Market) -> str:
    trade_id = _intended(market)
    market.ask(commands.OutcomeUnknown(trade_id=trade_id))
    return trade_id


def _offered(market: Market, needs_confirmation: bool = False) -> str:
    trade_id = _intended(market)
    market.ask(commands.OfferMade(trade_id=trade_id, offer_id="51", needs_confirmation=needs_confirmation))
    market.ask(
        commands.OfferRead(
            trade_id=trade_id, offer=OfferWord("51", 9 if needs_confirmation else 2, market.clock.now_us()), raw="{}"
        )
    )
    return trade_id


def _exchanged(market: Market) -> str:
    trade_id = _offered(market)
    market.ask(commands.OfferRead(trade_id=trade_id, offer=OfferWord("51", 3, market.clock.now_us(), "41"), raw="{}"))
    return trade_id


def _accepted(market: Market) -> str:
    trade_id = _opened(market)
    market.end(trade_id, "accepted")
    return trade_id


def _released(market: Market) -> str:
    trade_id = _opened(market)
    market.ask(commands.OperateTrade(trade_id=trade_id, operator="op", action="cancel", reason="why"))
    return trade_id


def _later(market: Market, trade_id: str) -> str:
    """Past every deadline of an offer."""
    market.clock.advance(16 * MINUTE)
    return trade_id


def _stopped(market: Market) -> int:
    market.ask(commands.StopTrading(operator="op", reason="a backup was put back", history_lost=True))
    return BOT


def _received(market: Market) -> TradeWord:
    settlement = market.clock.now_us() + 7 * 86_400 * S
    return TradeWord(3, settlement, False, [AssetWord(730, "2", "70", "1")])


NEWS: dict[type[commands.Command[Any]], Callable[[Market], commands.News]] = {
    commands.ProofRead: lambda market: commands.ProofRead(
        trade_id=_opened(market), proof=Proof.OTHER_NAME, text="a lie", began_at=market.clock.now_us()
    ),
    commands.IntendSend: lambda market: commands.IntendSend(trade_id=_verified(market)),
    commands.OfferMade: lambda market: commands.OfferMade(trade_id=_intended(market), offer_id="51", needs_confirmation=False),
    commands.OfferRefused: lambda market: commands.OfferRefused(
        trade_id=_intended(market), why=SendRefusal.SELLER, text="(26)", seller=SELLER
    ),
    commands.OfferUnconfirmed: lambda market: commands.OfferUnconfirmed(trade_id=_offered(market, needs_confirmation=True)),
    commands.OutcomeUnknown: lambda market: commands.OutcomeUnknown(trade_id=_intended(market)),
    commands.NotListed: lambda market: commands.NotListed(trade_id=_lost(market), began_at=market.clock.now_us()),
    commands.OfferRead: lambda market: commands.OfferRead(
        trade_id=_offered(market), offer=OfferWord("51", 7, market.clock.now_us()), raw="{}"
    ),
    commands.ExchangeFound: lambda market: commands.ExchangeFound(trade_id=_lost(market), steam_trade_id="41", raw="{}"),
    commands.ExchangeAfterEnd: lambda market: commands.ExchangeAfterEnd(
        trade_id=_released(market), steam_trade_id="41", text="too late"
    ),
    commands.UnexplainedExchange: lambda market: commands.UnexplainedExchange(
        bot=BOT, what="Exchange 9", offer_id=None, steam_trade_id="9", given=[], received=1
    ),
    commands.StockRead: lambda market: commands.StockRead(
        bot=BOT, game=730, assets=[OwnAsset("2", "1", "1", "0")], began_at=market.clock.now_us(), is_last=True
    ),
    commands.TradeRead: lambda market: commands.TradeRead(
        trade_id=_exchanged(market), word=_received(market), began_at=market.clock.now_us(), raw="{}"
    ),
    commands.RaiseAlert: lambda market: commands.RaiseAlert(kind="foreign_offer", text="by hand", bot=BOT, trade_id=None),
    commands.RolledBack: lambda market: commands.RolledBack(bot=BOT, readings=[(_accepted(market), 12)], complete=True),
    commands.IntendCancel: lambda market: commands.IntendCancel(trade_id=_later(market, _offered(market))),
    commands.GiveUp: lambda market: commands.GiveUp(trade_id=_later(market, _opened(market))),
    commands.BotReport: lambda market: commands.BotReport(bot=BOT, state="down", reason="tired", tokens=b"new"),
    commands.BotLooked: lambda market: commands.BotLooked(bot=_stopped(market)),
}
"""Of each kind: news that matter in the moment in which they are told."""


def _fence(market: Market, worker: str) -> int:
    """Under which number this worker process has the bot now."""
    fence: int = dict(market.ask(commands.KeepLeases(worker=worker)).held)[BOT]
    return fence


def _say(market: Market, fence: int, news: commands.News) -> Any:
    """As a worker says everything: through the desk under its lease."""
    lease = HeldLease(market.clock, BOT, fence, market.clock.monotonic_us() + LEASE_US)
    return asyncio.run(LeasedDesk(InlineDesk(market.desk, lambda feed: None), lease).ask(news))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("kind", get_args(commands.News), ids=lambda kind: kind.__name__)
def test_news_of_every_kind_are_refused_under_another_fence_and_change_nothing(
    tmp_path: Path, kind: type[commands.Command[Any]]
) -> None:
    assert kind in NEWS, (
        f"{kind.__name__} may be said by a bot's worker: say here which of them matter, and that a fence stops them"
    )
    market = Market(tmp_path)
    news = NEWS[kind](market)
    assert type(news) is kind

    def refuses(fence: int, whose: str) -> None:
        before = photograph(market.store)
        with pytest.raises(Refusal) as refused:
            _say(market, fence, news)
        assert (refused.value.status, refused.value.code) == (409, "lease_lost"), whose
        assert photograph(market.store) == before, f"{kind.__name__} {whose} was refused, and changed something all the same"

    refuses(1, "before anybody had the bot")
    old = _fence(market, "old")
    market.ask(commands.KeepLeases(worker="old", leaves=True))
    refuses(old, "of a worker that gave the bot back")
    new = _fence(market, "new")
    assert new == old + 1
    refuses(old, "of a worker whose bot another one has taken over")
    refuses(new + 1, "under a fence that the store has forgotten")

    before = photograph(market.store)
    _say(market, new, news)
    assert photograph(market.store) != before, "under the living fence these news do change something"


# -- the margin between a grant and its send ---------------------------------------------------------------------------

SLEEPS = [
    # seconds asleep  sends
    (0,               True),
    (3,               True),
    (6,               True),
    (6.1,             False),
    (7,               False),
    (9,               False),   # 15 s left: a call's time-out to the second, and nothing for what comes after
    (12,              False),
    (17.9,            False),
    (18,              False),
    (20,              False),
    (23,              False),   # the lease still lives
    (24,              False),
    (60,              False),
]  # fmt: skip


@pytest.mark.parametrize(("seconds", "sends"), SLEEPS, ids=[f"{row[0]} s" for row in SLEEPS])
def test_a_worker_that_slept_since_the_grant_sends_only_what_ends_within_its_lease(
    tmp_path: Path, seconds: float, sends: bool
) -> None:
    """Its lease was renewed in the very moment of the grant: no worker ever has more of it left."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("sale", 440)
        await market.run(worker, lambda: market.trade(trade_id).stage is Stage.SEND)
        has_slept = False

        async def asleep() -> None:
            nonlocal has_slept
            worker._bot.lease.ends_at_us = market.clock.monotonic_us() + LEASE_US
            market.clock.advance(seconds)
            has_slept = True

        desk = _Sleeper(worker._bot.desk, lambda _, what: isinstance(what, commands.IntendSend), True, asleep)
        worker._bot.desk = desk
        await market.run(worker, lambda: has_slept)
        sent = sum(request["path"] == "/tradeoffer/new/send" for request in market.steam.request_log)
        assert sent == int(sends), f"{sent} sends with {24 - seconds:g} s of its lease left"
        assert len(market.offers()) == int(sends)
        if not sends:
            assert market.trade(trade_id).stage is Stage.SENDING, "the intent stays on record as a lost send"
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        looked = any("looking for the offer" in note for note in market.history(trade_id))
        assert looked == (not sends), "and is looked into before anything is sent again"
        assert [offer.state for offer in market.offers()] == [3]

    in_market(tmp_path, story)


@pytest.mark.parametrize(
    ("left_us", "is_enough"), [(LEASE_US, True), (18 * S, True), (18 * S - 1, False), (15 * S, False), (0, False)]
)
def test_desk_and_worker_ask_for_the_same_margin_and_it_is_longer_than_a_call(left_us: int, is_enough: bool) -> None:
    clock = ManualClock()
    assert Lease(BOT, "a", 1, clock.now_us() + left_us).outlives_a_send(clock.now_us()) == is_enough
    assert HeldLease(clock, BOT, 1, clock.monotonic_us() + left_us).outlives_a_send == is_enough
    assert SEND_WITHIN_US >= (CALL_TIMEOUT_SECONDS + 3) * S, "the answer of a send that times out must still find the lease"
