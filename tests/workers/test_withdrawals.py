"""An operator withdraws a sale (contract C4): at once and without a trace where no offer can be out, else only by Steam's word (R5)."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from selldesk.book.orders import Order
from selldesk.desk import commands
from selldesk.offers.stages import Stage
from selldesk.offers.words import Proof
from selldesk.steamsim.entities import Behaviour
from selldesk.store.audit import run_audit
from selldesk.workers.bot import BotWorker
from tests.little_market import BUYER, MONEY, ORDER_AMOUNT, ORDER_PRICE, LittleMarket, in_market
from tests.support import AK, SandboxProcess

TF2 = 440
WITHDRAWN = "The trade was withdrawn by an operator"

pytestmark = pytest.mark.usefixtures("engine")

Until = Callable[[LittleMarket, BotWorker, str], Awaitable[None]]


def _purse(market: LittleMarket) -> tuple[int, int]:
    """The buyer's (available, frozen)."""
    balances = market.balances()
    return balances.get(12, 0), balances.get(13, 0)


def _order(market: LittleMarket) -> tuple[int, ...]:
    """(amount, remaining, reserved, sold) of the buyer's order."""
    (row,) = market.desk.store.load("load_orders", [(BUYER, market.item[TF2])])
    order = Order(*row)
    return order.amount, order.remaining, order.reserved, order.sold


UNTOUCHED, ONE_RESERVED = (ORDER_AMOUNT, ORDER_AMOUNT, 0, 0), (ORDER_AMOUNT, ORDER_AMOUNT - 1, 1, 0)


async def _created(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    assert market.trade(trade_id).stage is Stage.VERIFY


async def _doubted(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    market.fault("inventory_private", times=1)
    await market.run(worker, lambda: market.trade(trade_id).doubt_at is not None)


async def _verified(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    await market.run(worker, lambda: market.trade(trade_id).stage is Stage.SEND)


async def _refused_for_now(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    market.fault("item_server_down", times=1)
    await _verified(market, worker, trade_id)
    await market.run(worker, lambda: market.trade(trade_id).attempts > 0)
    assert market.trade(trade_id).stage is Stage.SEND


async def _lost_send_proved_absent(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    market.fault("send_reset", times=1)
    await market.run(worker, lambda: market.trade(trade_id).stage is Stage.RECONCILE)
    await market.run(worker, lambda: market.trade(trade_id).stage is Stage.VERIFY)


BEFORE_AN_OFFER: list[tuple[str, Until]] = [
    ("just created", _created),
    ("its items not shown at the first reading", _doubted),
    ("verified", _verified),
    ("refused by Steam for the moment", _refused_for_now),
]


def test_a_sale_with_a_doubted_send_is_looked_for_once_more_before_its_withdrawal_gives_anything_back(tmp_path: Path) -> None:
    """Its lost send was believed absent; an accepted offer of it may still turn up (promise I11: one gate for all endings)."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        assets = market.give(market.seller, TF2)
        trade_id = market.open_trade("withdrawn", TF2, assets=assets)
        await _lost_send_proved_absent(market, worker, trade_id)
        market.clock.advance(20)  # what was read of the history before is too old by now
        answer = market.desk.ask(
            commands.OperateTrade(trade_id=trade_id, operator="op", action="cancel", reason="the shop asked for it")
        )
        assert answer.status == "processing"
        assert _purse(market) == (MONEY - ORDER_PRICE, ORDER_PRICE), "nothing is released before the look"
        looks = _looks(market)
        await market.run(worker, lambda: market.trade(trade_id).status != "processing")
        ended = market.trade(trade_id)
        assert (ended.status, ended.error, ended.stage) == ("declined", WITHDRAWN, "done")
        assert all(after > before for before, after in zip(looks, _looks(market), strict=True)), "history and list"
        assert (_purse(market), _order(market)) == ((MONEY, 0), UNTOUCHED)

    in_market(tmp_path, story)


def _looks(market: LittleMarket) -> tuple[int, int]:
    log = list(market.steam.request_log)
    return tuple(sum(what in entry["path"] for entry in log) for what in ("GetTradeHistory", "GetTradeOffers"))  # type: ignore[return-value]


@pytest.mark.parametrize(("what", "until"), BEFORE_AN_OFFER, ids=[row[0] for row in BEFORE_AN_OFFER])
def test_a_sale_that_is_withdrawn_before_an_offer_is_out_gives_everything_back_at_once(
    tmp_path: Path, what: str, until: Until
) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        assets = market.give(market.seller, TF2)
        trade_id = market.open_trade("withdrawn", TF2, assets=assets)
        await until(market, worker, trade_id)
        assert (_purse(market), _order(market)) == ((MONEY - ORDER_PRICE, ORDER_PRICE), ONE_RESERVED)

        market.desk.ask(commands.OperateTrade(trade_id=trade_id, operator="op", action="cancel", reason="the shop asked for it"))
        ended = market.trade(trade_id)
        assert (ended.status, ended.error, ended.stage) == ("declined", WITHDRAWN, "done")
        assert (_purse(market), _order(market)) == ((MONEY, 0), UNTOUCHED)
        assert run_audit(market.store.reader()).violations == []

        await market.pass_time(worker, 20 * 60)
        assert market.trade(trade_id) == ended, "nothing is done for it any more"
        assert market.offers() == []
        again = market.open_trade("again", TF2, assets=assets)
        await market.run(worker, lambda: market.trade(again).status == "completed")

    in_market(tmp_path, story)


async def _intent_on_record(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    market.desk.ask(
        commands.ProofRead(trade_id=trade_id, proof=Proof.AS_NAMED, text="", began_at=market.clock.now_us(), classes=[("1", "0")])
    )
    assert market.desk.ask(commands.IntendSend(trade_id=trade_id)).granted


async def _send_lost(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    market.fault("send_created_then_reset", times=1)
    await market.run(worker, lambda: market.trade(trade_id).stage is Stage.RECONCILE)


async def _offered(market: LittleMarket, worker: BotWorker, trade_id: str) -> None:
    await market.run(worker, lambda: market.trade(trade_id).expires_at is not None)


AN_OFFER_MAY_BE_OUT: list[tuple[str, Until, list[int]]] = [
    # what                                  until              its offers' states at the end
    ("the intent to send on record",        _intent_on_record, []),
    ("the answer to the send lost",         _send_lost,        [6]),
    ("the offer out",                       _offered,          [6]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "until", "states"), AN_OFFER_MAY_BE_OUT, ids=[row[0] for row in AN_OFFER_MAY_BE_OUT])
def test_a_sale_whose_offer_may_be_out_gives_nothing_back_before_steams_word(
    tmp_path: Path, what: str, until: Until, states: list[int]
) -> None:
    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        worker = market.worker()
        trade_id = market.open_trade("withdrawn", TF2)
        await until(market, worker, trade_id)
        market.desk.ask(commands.OperateTrade(trade_id=trade_id, operator="op", action="cancel", reason="the shop asked for it"))
        assert (market.trade(trade_id).status, _purse(market), _order(market)) == (
            "processing",
            (MONEY - ORDER_PRICE, ORDER_PRICE),
            ONE_RESERVED,
        )
        await market.run(worker, lambda: market.trade(trade_id).status != "processing")
        ended = market.trade(trade_id)
        assert (ended.status, ended.error) == ("declined", WITHDRAWN)
        assert (_purse(market), _order(market)) == ((MONEY, 0), UNTOUCHED)
        assert [offer.state for offer in market.offers()] == states

    in_market(tmp_path, story)


def test_a_withdrawal_over_http_gives_the_buyer_his_money_and_the_seller_his_item_back(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[3]
    sandbox.steam.fault("inventory_500", seller=seller["steamid64"])
    items = [(assetid, AK) for assetid in sandbox.steam.give(seller, 730, AK)]
    body = sandbox.offer_body(seller, 730, items)
    trade_id = sandbox.shop.do("POST", "/api/sell/trades/create", body)["trade_id"]
    again = body | {"custom_id": sandbox.new_custom_id()}
    assert sandbox.shop.refused("POST", "/api/sell/trades/create", again)[1] == f"Item {AK} is already in an active trade"

    sandbox.operator.do("POST", f"/api/operator/trades/{trade_id}/cancel", {"reason": "the shop asked for it"})
    ended = sandbox.trade(body["custom_id"])
    assert (ended["status"], ended["error"], ended["history"][-1]["status"]) == ("declined", WITHDRAWN, "declined")
    ids = [buyer["buyer_id"] for buyer in sandbox.description["buyers"]]
    buyer = sandbox.buyers[ids.index(ended["buyer_id"])]
    lines = buyer.get("/api/wallet/transactions?limit=2000")["transactions"]
    moved = [(line["kind"], line["amount"]) for line in lines if line.get("trade_id") == trade_id]
    assert moved == [("release", ended["total_value"]), ("freeze", -ended["total_value"])]
    assert sandbox.offers_of(ended) == []

    sandbox.steam.clear()
    sandbox.shop.do("POST", "/api/sell/trades/create", again)
    sandbox.wait_for(again["custom_id"], "accepted")
    sandbox.assert_clean()
