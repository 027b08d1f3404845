"""Nothing waits in silence (promise I11): each stage × each way that Steam, the bot or its worker can stop answering → the sale ends by
itself, or one alert opens in time, and an operator's action ends the sale with a clean audit."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from selldesk.desk import commands
from selldesk.kernel.refusals import Refusal
from selldesk.offers.stages import Stage
from selldesk.sellers.limits import NO_LIMITS
from selldesk.steamsim.entities import Behaviour
from selldesk.store.audit import run_audit
from selldesk.workers.bot import BotWorker
from tests.little_market import BUYER, LittleMarket, in_market

TF2, CS2 = 440, 730
MINUTE = 60
HOUR = 3600
DAY = 86_400

pytestmark = pytest.mark.usefixtures("engine")
ENGINES = ("sqlite",)

Until = Callable[[LittleMarket, BotWorker, str], Awaitable[None]]


async def _created(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    assert market.trade(trade_id).stage is Stage.VERIFY


async def _verified(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    await market.run(worker, lambda: market.trade(trade_id).stage is Stage.SEND)


async def _sending(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    await _verified(market, worker, trade_id)
    assert market.desk.ask(commands.IntendSend(trade_id=trade_id)).granted


async def _lost(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    await _sending(market, worker, trade_id)
    market.desk.ask(commands.OutcomeUnknown(trade_id=trade_id))


async def _offered(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    market.seller.behaviour = Behaviour.IGNORE
    await market.run(worker, lambda: market.trade(trade_id).expires_at is not None)


async def _exchanged(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    market.fault("trade_status_empty", must_strike=False)
    await market.run(worker, lambda: market.trade(trade_id).stage is Stage.EXCHANGED)


async def _exchange_failed(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    market.fault("trade_status_shows", status=4)
    await market.run(worker, lambda: market.trade(trade_id).steam_status == 4)


async def _other_items(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    market.fault("exchange_other_items")
    await market.run(worker, lambda: market.trade(trade_id).stage is Stage.OPERATOR)


async def _accepted(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    await market.run(worker, lambda: market.trade(trade_id).status == "accepted")


STAGES: list[tuple[str, int, Until, str | None, list[str]]] = [
    # stage                 game  how it gets there  ends by itself as   an operator's ways out
    ("verify",              TF2,  _created,          "declined",         []),
    ("send",                TF2,  _verified,         "declined",         []),
    ("sending",             TF2,  _sending,          None,               ["declare-failed", "declare-accepted"]),
    ("reconcile",           TF2,  _lost,             None,               ["declare-failed", "declare-accepted"]),
    ("offered",             TF2,  _offered,          None,               ["declare-failed", "declare-accepted"]),
    ("exchanged",           TF2,  _exchanged,        None,               ["declare-failed", "declare-accepted"]),
    ("an exchange failed",  TF2,  _exchange_failed,  None,               ["declare-failed"]),
    ("operator",            TF2,  _other_items,      None,               ["declare-failed", "declare-accepted"]),
    ("settling",            CS2,  _accepted,         None,               ["declare-completed", "declare-rolled-back"]),
]  # fmt: skip
WAYS: list[tuple[str, Callable[[LittleMarket], None] | None]] = [
    ("nobody works for the bot", None),
    ("Steam refuses the login", lambda market: _throw(market, "session_expired", "login_refused", "renew_refused")),
    ("Steam is in maintenance", lambda market: _throw(market, "maintenance")),
    ("Steam answers 429", lambda market: _throw(market, "rate_limited")),
    ("Steam's lists and exchanges are empty", lambda market: _throw(market, "poll_500", "trade_status_empty", "history_500")),
]
_STAGE_IDS = [row[0] for row in STAGES]


def _throw(market: LittleMarket, *faults: str) -> None:
    for fault in faults:
        market.fault(fault, must_strike=False)


def _outs() -> list[tuple[str, int, Until, str | None, str | None]]:
    return [
        (stage, game, until, ends, action)
        for stage, game, until, ends, actions in STAGES
        for action in (*actions, *([] if actions else [None]))
    ]


@pytest.mark.parametrize(("way", "strike"), WAYS, ids=[row[0] for row in WAYS])
@pytest.mark.parametrize(
    ("stage", "game", "until", "ends", "action"), _outs(), ids=[f"{row[0]}-{row[4] or 'by itself'}" for row in _outs()]
)
def test_no_stage_waits_in_silence(
    tmp_path: Path,
    stage: str,
    game: int,
    until: Until,
    ends: str | None,
    action: str | None,
    way: str,
    strike: Callable[[LittleMarket], None] | None,
) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("silent", game)
        await until(market, worker, trade_id)
        market.calm("trade_status_empty")
        if strike is not None:
            strike(market)
        if stage == "exchanged":
            market.fault("trade_status_empty", must_strike=False)
        # By the contract's own times: 15 minutes for an offer, 15 for the seller, settlement and its margin; ten more for the alert.
        patience = 26 * MINUTE if stage != "settling" else 8 * DAY + 30 * MINUTE
        step = 30 if stage != "settling" else HOUR / 4
        passed = 0.0
        while passed < patience and market.trade(trade_id).status in ("processing", "accepted"):
            if strike is not None:
                market.wait_at_least_seconds = lambda: step
                await market.pass_time(worker, step)
            else:
                market.clock.advance(step)
            market.watch()
            passed += step
        kinds = market.alerts()
        trade = market.trade(trade_id)
        if trade.status not in ("processing", "accepted"):
            # Steam still answered enough for an honest end.
            assert ends in (None, trade.status)
            assert "trade_overdue" not in kinds
        elif ends is not None and not trade.is_doubted and trade.offer_id is None:
            raise AssertionError(f"nothing was sent, and it still stands in {trade.stage}")
        else:
            assert kinds.count("trade_overdue") == 1, f"nothing was said within {patience / MINUTE:.0f} minutes: {kinds}"
            market.desk.ask(
                commands.OperateTrade(
                    trade_id=trade_id,
                    operator="op",
                    action=action or "declare-failed",
                    reason="looked at Steam",
                    by="user",
                    force=True,
                )
            )
            assert market.trade(trade_id).status not in ("processing",)
            assert "trade_overdue" not in market.alerts(), "it closes when the sale moves"
        assert run_audit(market.store.reader()).violations == []
        if market.trade(trade_id).status != "accepted":
            assert market.desk.store.fetch("balances_of", available=0, held=BUYER * 4 + 1, escrow=0) in ([(13, 0)], [])

    in_market(tmp_path, story)


def test_a_declaration_without_steams_word_needs_force(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("forced", TF2)
        await _offered(market, worker, trade_id)
        for action in ("declare-failed", "declare-accepted"):
            with pytest.raises(Refusal, match="Say force to declare against or without Steam's word"):
                market.desk.ask(commands.OperateTrade(trade_id=trade_id, operator="op", action=action, reason="no reason"))
        market.desk.ask(
            commands.OperateTrade(
                trade_id=trade_id, operator="op", action="declare-failed", reason="the account was stolen", force=True
            )
        )
        assert market.trade(trade_id).status == "error"
        assert run_audit(market.store.reader()).violations == []
        # The seller accepts all the same: told then, not before.
        market.seller.behaviour = Behaviour.ACCEPT
        await market.run(worker, lambda: "items_without_trade" in market.alerts())
        (violation,) = run_audit(market.store.reader()).violations
        assert violation["check"] == "items_without_trade"

    async def tell() -> None:
        async with LittleMarket(tmp_path) as market:
            await story(market)

    asyncio.run(tell())


def test_a_failed_exchange_is_declared_without_force_and_releases_the_money(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("failed", TF2)
        await _exchange_failed(market, worker, trade_id)
        market.desk.ask(
            commands.OperateTrade(trade_id=trade_id, operator="op", action="declare-failed", reason="Steam says that it failed")
        )
        trade = market.trade(trade_id)
        assert (trade.status, trade.offer_state) == ("error", 13)

    in_market(tmp_path, story)


def test_a_bot_that_steam_refuses_with_everybody_rests_and_its_sales_move(tmp_path: Path) -> None:
    """34 after it renamed itself: the bot's state, one alert, its unsent sales to others; and it comes back by itself."""

    async def story(market: LittleMarket) -> None:
        market.is_watched = True
        workers = market.workers()
        first = market.bot_accounts[0].steamid64
        market.fault("send_error", eresult=34, text="You cannot trade with somebody.", bot=first)
        sellers = [market.seller, *(market.steam.world.add_account(f"seller {number}", "seller") for number in range(5))]
        trades = [market.open_trade(f"sale {number}", TF2, seller=seller) for number, seller in enumerate(sellers)]
        await market.run(workers, lambda: market.bot_state(1) == "restricted")
        await market.run(workers, lambda: all(market.trade(trade_id).status == "completed" for trade_id in trades))
        assert market.alerts().count("bot_restricted") == 1
        assert all(market.trade(trade_id).bot == 2 for trade_id in trades)
        market.calm()
        market.wait_at_least_seconds = lambda: 30.0
        await market.run(workers, lambda: market.bot_state(1) == "ok")
        assert "bot_restricted" not in market.alerts()

    in_market(tmp_path, story, bots=2)


def test_capacity_is_no_silence(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        market.desk.ask(commands.ChangeBot(operator="op", number=1, live_offers_max=2, items_max=10))
        market.desk.ask(commands.SetLimits(operator="op", limits=NO_LIMITS))
        worker = market.worker()
        await market.pass_time(worker, 60)

        async def look() -> list[str]:
            for _ in range(3):
                market.watch()
                market.clock.advance(20)
                market.beat()
            return market.alerts()

        assert await look() == []
        first = market.open_trade("one", TF2)
        assert await look() == ["project_holds_slots"], "one of two slots is more than 40 %"
        second = market.open_trade("two", TF2)
        assert await look() == ["no_bot_free", "project_holds_slots"]
        with pytest.raises(Refusal) as refused:
            market.open_trade("three", TF2)
        assert (refused.value.code, refused.value.cause) == ("no_bot", "slots")
        for trade_id in (first, second):
            market.desk.ask(commands.OperateTrade(trade_id=trade_id, operator="op", action="cancel", reason="make room"))
        await market.run(worker, lambda: all(market.trade(trade_id).status == "declined" for trade_id in (first, second)))
        assert await look() == [], "they close by themselves"
        market.open_trade("ten", TF2, count=10)
        assert "bot_nearly_full" in await look()

    in_market(tmp_path, story)


def test_after_a_jump_of_the_clock_everybody_may_catch_up_first(tmp_path: Path) -> None:
    """A day at once: the desk waits for a sign of each healthy bot, ten real seconds at most, before it calls anything overdue."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("jumped", TF2)
        await _offered(market, worker, trade_id)
        market.beat()
        market.watch()
        market.clock.jump(DAY)
        market.watch()
        assert "trade_overdue" not in market.alerts(), "the bot has had no chance yet"
        market.clock.real_passes(11)
        market.watch()
        assert "trade_overdue" in market.alerts(), "but nobody waits for a dead bot"
        await market.run(worker, lambda: market.trade(trade_id).status == "cancelled")
        assert "trade_overdue" not in market.alerts()

    in_market(tmp_path, story)
