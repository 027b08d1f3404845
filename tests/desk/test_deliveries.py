"""Items out (people P4): from a buyer's request to Steam's last word, in a market of one's own with a Steam that answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selldesk.desk import commands
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.refusals import Refusal
from selldesk.offers.stages import Stage
from selldesk.steamsim.entities import Behaviour
from tests.deliveries import (
    CS2,
    DAY,
    TF2,
    VIP,
    ask_for,
    bought,
    delivery,
    has,
    held,
    offers_to,
    shown,
    steps,
    stock,
    told,
    vip,
)
from tests.little_market import BUYER, GAME_ITEM, LittleMarket, in_market

pytestmark = pytest.mark.usefixtures("engine")

RUST = 252490
MINUTE, HOUR = 60, 3_600


# -- the way of a delivery ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", [TF2, CS2])
def test_a_buyer_has_items_handed_over(tmp_path: Path, game: int) -> None:
    """One offer of exactly these items, confirmed on the bot's phone, accepted; out of stock at once, final after Steam's protection."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker, 3, game)
        if game == CS2:
            market.fault("protection_new_assetid", must_strike=False)
        assert (shown(market), stock(market)) == (["held"] * 3, {game: 3})
        (one,) = ask_for(market, items[:2])
        assert (shown(market), stock(market)) == (["in_delivery", "in_delivery", "held"], {game: 3})
        await market.run(worker, lambda: delivery(market, one).status != "processing")
        done = delivery(market, one)
        assert (shown(market), stock(market)) == (["held"], {game: 1})
        assert has(market, vip(market), game) == 2
        (offer,) = offers_to(market, vip(market))
        assert (len(offer.give), offer.receive) == (2, [])
        assert offer.message == f"enjoy #{one.replace('-', '')[-8:]}"
        assert done.settle_at is not None
        if game == CS2:
            assert done.status == "accepted"
            market.clock.advance(8 * DAY)
        await market.run(worker, lambda: delivery(market, one).status == "completed")
        assert told(market, one) == ["processing", "offer_sent", "accepted", "completed"]
        assert delivery(market, one).version == len(steps(market, one))
        assert market.alerts() == []

    in_market(tmp_path, story)


ENDINGS: list[tuple[str, Behaviour, str, str]] = [
    # what                 behaviour                     status       error
    ("declined",           Behaviour.DECLINE,            "cancelled", "The buyer declined the offer"),
    ("countered",          Behaviour.COUNTER,            "cancelled", "The buyer countered the offer"),
    ("never answered",     Behaviour.IGNORE,             "cancelled", "The buyer did not accept the offer in time"),
    ("never confirmed",    Behaviour.ACCEPT_UNCONFIRMED, "cancelled", "The buyer did not accept the offer in time"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "behaviour", "status", "error"), ENDINGS, ids=[row[0] for row in ENDINGS])
def test_what_is_not_taken_is_held_and_can_be_delivered_again(
    tmp_path: Path, what: str, behaviour: Behaviour, status: str, error: str
) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker)
        vip(market).behaviour = behaviour
        (one,) = ask_for(market, items)
        await market.run(worker, lambda: delivery(market, one).status != "processing")
        ended = delivery(market, one)
        assert (ended.status, ended.error) == (status, error)
        assert (shown(market), stock(market)) == (["held"], {TF2: 1})
        vip(market).behaviour = Behaviour.ACCEPT
        (again,) = ask_for(market, items, "again")
        await market.run(worker, lambda: delivery(market, again).status == "completed")
        assert (shown(market), stock(market), has(market, vip(market))) == ([], {}, 1)

    in_market(tmp_path, story)


SENDS: list[tuple[str, str, dict[str, Any], str, str]] = [
    # what                          fault                  options                                                   status       error
    ("the link is dead",            "give_refused",        {"times": 1, "text": "This Trade URL is no longer valid for sending a trade offer. (15)"}, "cancelled", "This Trade URL"),
    ("the buyer is banned",         "give_refused",        {"times": 1, "text": "You cannot trade with vip because they have a trade ban. (15)"}, "cancelled", "trade ban"),
    ("the buyer's inventory is full", "give_refused",      {"times": 1, "text": "vip has exceeded the maximum number of items allowed in your Team Fortress 2 inventory. (15)"}, "cancelled", "maximum number of items"),
    ("too many offers",             "give_refused",        {"times": 3, "eresult": 25},                              "completed", ""),
    ("too many with this partner",  "give_refused",        {"times": 3, "eresult": 50},                              "completed", ""),
    ("the game is down",            "item_server_down",    {"times": 2},                                             "completed", ""),
    ("the partner was renamed",     "give_refused",        {"times": 2, "eresult": 34},                              "completed", ""),
    ("… for good",                  "give_refused",        {"eresult": 34},                                          "cancelled", "34"),
    ("no answer, no offer",         "send_reset",          {"times": 1},                                             "completed", ""),
    ("no answer, an offer",         "send_created_then_reset", {"times": 1},                                         "completed", ""),
    ("500, an offer",               "send_created_then_500",   {"times": 1},                                         "completed", ""),
    ("no word from the inventory",  "own_inventory_500",   {"times": 2},                                             "completed", ""),
    ("an empty inventory, once",    "own_inventory_empty", {"times": 2},                                             "completed", ""),
    ("the phone is silent, once",   "phone_empty",         {"times": 2},                                             "completed", ""),
    ("the phone is silent",         "phone_empty",         {},                                                       "declined",  "could not be confirmed"),
    ("the phone fails",             "phone_fails",         {},                                                       "declined",  "could not be confirmed"),
    ("the bot is young",            "own_escrow",          {},                                                       "declined",  "No offer could be sent in time"),
    ("the list flaps",              "state_flaps",         {},                                                       "completed", ""),
    ("the trade has no status yet", "trade_status_empty",  {"times": 3},                                             "completed", ""),
    ("no new ids",                  "no_new_assetid",      {},                                                       "completed", ""),
]  # fmt: skip


@pytest.mark.parametrize(("what", "fault", "options", "status", "error"), SENDS, ids=[row[0] for row in SENDS])
def test_steams_moods_on_the_way_out(
    tmp_path: Path, what: str, fault: str, options: dict[str, Any], status: str, error: str
) -> None:
    """The buyer has it exactly once, or it is held; never two offers accepted, and nothing is left half done."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker)
        market.fault(fault, **options)
        (one,) = ask_for(market, items)
        await market.run(worker, lambda: delivery(market, one).status not in ("processing", "accepted"))
        ended = delivery(market, one)
        assert ended.status == status, (ended, steps(market, one))
        assert error in (ended.error or "")
        is_out = status == "completed"
        assert (shown(market), has(market, vip(market))) == ([] if is_out else ["held"], int(is_out))
        assert sum(offer.state == 3 for offer in offers_to(market, vip(market))) == int(is_out)
        assert set(market.alerts()) <= {"bot_escrow", "bot_restricted", "no_bot_free"}
        assert ("bot_escrow" in market.alerts()) == (fault == "own_escrow")

    in_market(tmp_path, story)


def test_an_item_that_is_gone_ends_the_delivery_in_error(tmp_path: Path) -> None:
    """Absent at two readings: named, missing, told; the other item of the same request is held."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker, 2)
        (asset, _) = [item.assetid for item in market.steam.world.inventory(market.bot_account.steamid64, TF2, "2")]
        market.steam.world.remove_item(asset)
        (one,) = ask_for(market, items)
        await market.run(worker, lambda: delivery(market, one).status != "processing")
        ended = delivery(market, one)
        assert (ended.status, ended.error) == ("error", f"Item {GAME_ITEM[TF2]} is not in the bot's inventory")
        assert sorted(shown(market)) == ["held", "missing"]
        assert market.alerts() == ["item_missing"]
        assert offers_to(market, vip(market)) == []

    in_market(tmp_path, story)


def test_an_offer_that_steam_calls_invalid_is_made_once_more(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker)
        vip(market).behaviour = Behaviour.IGNORE
        (one,) = ask_for(market, items)
        await market.run(worker, lambda: delivery(market, one).offer_state == 2)
        (offer,) = offers_to(market, vip(market))
        market.steam.world.set_state(offer, 8)
        vip(market).behaviour = Behaviour.ACCEPT
        await market.run(worker, lambda: delivery(market, one).status == "completed")
        assert [offer.state for offer in offers_to(market, vip(market))] == [8, 3]
        assert has(market, vip(market)) == 1

    in_market(tmp_path, story)


def test_a_reversal_brings_the_items_back(tmp_path: Path) -> None:
    """By the buyer: held again, found again, and deliverable; the sale stays completed and nobody's money moves."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker, 2, CS2)
        money = market.balances()
        (one,) = ask_for(market, items)
        await market.run(worker, lambda: delivery(market, one).status == "accepted")
        assert (shown(market), stock(market)) == ([], {})
        assert len(market.steam.world.reverse(VIP)) == 1
        await market.run(worker, lambda: delivery(market, one).status != "accepted")
        assert delivery(market, one).status == "rolled_back_by_user"
        assert (shown(market), stock(market)) == (["held", "held"], {CS2: 2})
        assert market.balances() == money
        assert [market.trade(trade_id).status for trade_id, _ in items] == ["completed"] * 2
        (again,) = ask_for(market, items, "again")
        await market.run(worker, lambda: delivery(market, again).status == "accepted")
        assert told(market, one)[-1] == "rolled_back_by_user"

    in_market(tmp_path, story)


def test_a_reversal_of_the_bot_takes_sales_and_deliveries_alike(tmp_path: Path) -> None:
    """Everything under protection, of two counterparties: it was the bot's account."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker, 1, CS2)
        sale = market.open_trade("running", CS2)
        (one,) = ask_for(market, items)
        await market.run(worker, lambda: (market.trade(sale).status, delivery(market, one).status) == ("accepted", "accepted"))
        assert len(market.steam.world.reverse(market.bot_account.steamid64)) == 2
        await market.run(worker, lambda: (market.trade(sale).status, delivery(market, one).status) != ("accepted", "accepted"))
        assert (market.trade(sale).status, delivery(market, one).status) == ("rolled_back_by_bot", "rolled_back_by_bot")
        assert market.bot_state() == "quarantined"
        assert shown(market) == ["held"]

    in_market(tmp_path, story)


def test_a_buyer_cancels(tmp_path: Path) -> None:
    """Before an offer is out at once; then by Steam's word; not once Steam has exchanged."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker, 2)
        vip(market).behaviour = Behaviour.IGNORE
        (first,) = ask_for(market, items[:1], "first")
        market.desk.ask(commands.CancelDelivery(buyer=BUYER, delivery_id=first))
        ended = delivery(market, first)
        assert (ended.status, ended.error) == ("cancelled", "The buyer cancelled the delivery")
        (second,) = ask_for(market, items[:1], "second")
        await market.run(worker, lambda: delivery(market, second).offer_state == 2)
        market.desk.ask(commands.CancelDelivery(buyer=BUYER, delivery_id=second))
        market.desk.ask(commands.CancelDelivery(buyer=BUYER, delivery_id=second))
        assert delivery(market, second).status == "processing"
        worker.alarm.ring()
        await market.run(worker, lambda: delivery(market, second).status == "cancelled")
        assert [offer.state for offer in offers_to(market, vip(market))] == [6]
        market.clock.advance(HOUR)
        vip(market).behaviour = Behaviour.ACCEPT
        (third,) = ask_for(market, items[:1], "third")
        await market.run(worker, lambda: delivery(market, third).status == "completed")
        for buyer, one, code in ((BUYER, third, "wrong_status"), (3 + BUYER, second, "delivery_not_found")):
            with pytest.raises(Refusal) as refused:
                market.desk.ask(commands.CancelDelivery(buyer=buyer, delivery_id=one))
            assert refused.value.code == code

    in_market(tmp_path, story)


def test_parts_end_each_by_itself(tmp_path: Path) -> None:
    """Of one request one part is taken, one declined, one cancelled: each has its own ending, and only the rest is held."""

    async def story(market: LittleMarket) -> None:
        market.order(TF2, 10_000)
        market.desk.ask(commands.MoveMoney(operator="op", person=BUYER, direction="deposit", amount=10**9, reference="more"))
        worker = market.worker()
        items = [item for _ in range(5) for item in await bought(market, worker, 42)]
        vip(market).behaviour = Behaviour.IGNORE
        parts = ask_for(market, items)
        assert [delivery(market, one).items_count for one in parts] == [100, 100, 10]
        await market.run(worker, lambda: all(delivery(market, one).offer_state == 2 for one in parts))
        offers = {offer.tradeofferid: offer for offer in offers_to(market, vip(market))}
        taken, declined, cancelled = (offers[str(delivery(market, one).offer_id)] for one in parts)
        market.steam.world.accept(taken)
        market.steam.world.set_state(declined, 7)
        market.desk.ask(commands.CancelDelivery(buyer=BUYER, delivery_id=parts[2]))
        await market.run(worker, lambda: all(delivery(market, one).status in ("completed", "cancelled") for one in parts))
        assert [(str(delivery(market, one).status), delivery(market, one).error) for one in parts] == [
            ("completed", None),
            ("cancelled", "The buyer declined the offer"),
            ("cancelled", "The buyer cancelled the delivery"),
        ]
        assert cancelled.state == 6
        assert (shown(market), stock(market), has(market, vip(market))) == (["held"] * 110, {TF2: 110}, 100)
        vip(market).behaviour = Behaviour.ACCEPT
        market.clock.advance(HOUR)
        again = ask_for(market, held(market), "the rest")
        await market.run(worker, lambda: all(delivery(market, one).status == "completed" for one in again))
        assert (shown(market), stock(market), has(market, vip(market))) == ([], {}, 210)

    in_market(tmp_path, story)


@pytest.mark.parametrize(
    ("also", "status", "error"),
    [(None, "completed", None), ("hold_rolls_back", "declined", "The trade hold ended without an exchange")],
)
def test_a_hold_that_comes_with_the_acceptance_is_waited_for(
    tmp_path: Path, also: str | None, status: str, error: str | None
) -> None:
    """The items stay in the delivery, and in the bot's count, until Steam lets go of them."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker)
        vip(market).behaviour = Behaviour.IGNORE
        (one,) = ask_for(market, items)
        await market.run(worker, lambda: delivery(market, one).offer_state == 2)
        market.fault("hold")
        if also is not None:
            market.fault(also)
        vip(market).behaviour = Behaviour.ACCEPT
        await market.run(worker, lambda: delivery(market, one).offer_state == 11)
        assert (shown(market), stock(market)) == (["in_delivery"], {TF2: 1})
        market.wait_at_least_seconds = lambda: 6.0 * HOUR
        await market.pass_time(worker, 14 * DAY)
        assert delivery(market, one).status == "processing"
        assert _refused(market, lambda: market.desk.ask(commands.CancelDelivery(buyer=BUYER, delivery_id=one)))
        await market.run(worker, lambda: delivery(market, one).status not in ("processing", "accepted"))
        assert (str(delivery(market, one).status), delivery(market, one).error) == (status, error)
        is_out = status == "completed"
        assert (shown(market), has(market, vip(market))) == ([] if is_out else ["held"], int(is_out))

    in_market(tmp_path, story)


def test_sales_and_deliveries_take_turns(tmp_path: Path) -> None:
    """With many of both waiting neither starves; deliveries have ten of a bot's slots at most, five with one partner."""

    async def story(market: LittleMarket) -> None:
        market.order(TF2, 10_000)
        worker = market.worker()
        items = await bought(market, worker, 30)
        vip(market).behaviour = Behaviour.IGNORE
        ones = [ask_for(market, [item], f"one {place}")[0] for place, item in enumerate(items[:20])]
        sellers = [market.steam.world.add_account(f"seller {number}", "seller") for number in range(4)]
        sales = [market.open_trade(f"s{number}", TF2, seller=sellers[number % 4]) for number in range(16)]
        await market.run(worker, lambda: all(market.trade(one).status == "completed" for one in sales))
        out = [delivery(market, one) for one in ones if delivery(market, one).stage is Stage.OFFERED]
        assert len(out) == 5, "as many as one partner may have"
        assert not any(delivery(market, one).status == "declined" for one in ones)
        market.clock.advance(2 * HOUR)
        vip(market).behaviour = Behaviour.ACCEPT
        await market.run(worker, lambda: all(delivery(market, one).status != "processing" for one in ones))
        states = [str(delivery(market, one).status) for one in ones]
        assert states.count("declined") == 0, "what waits for a slot has all its time before it"
        assert states.count("completed") + states.count("accepted") >= 15

    in_market(tmp_path, story)


# -- refusals ----------------------------------------------------------------------------------------------------------


def _refused(market: LittleMarket, ask: Callable[[], Any]) -> str:
    before = market.desk.store.query("SELECT count(*) FROM delivery", {})
    with pytest.raises(Refusal) as refused:
        ask()
    assert market.desk.store.query("SELECT count(*) FROM delivery", {}) == before, "a refusal leaves no trace"
    return refused.value.text


def test_refusals_in_their_order(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker, 4)
        name = GAME_ITEM[TF2]
        protected = (market.open_trade("cs2", CS2), 0)
        await market.run(worker, lambda: market.trade(protected[0]).status == "accepted")
        stranger = market.steam.world.add_account("stranger", "buyer")
        unknown = ("019d62b2-9550-7000-8000-000000000001", 0)

        assert _refused(market, lambda: ask_for(market, items, partner=stranger)) == "This trade link is not yours"
        assert _refused(market, lambda: ask_for(market, [*items, unknown])) == f"Item not found: {unknown[0]}-0"
        assert _refused(market, lambda: ask_for(market, [(items[0][0], 9)])) == f"Item not found: {items[0][0]}-9"
        assert _refused(market, lambda: ask_for(market, [protected])).startswith(f"Item {GAME_ITEM[CS2]} is not tradable until 20")
        vip(market).behaviour = Behaviour.IGNORE
        (one,) = ask_for(market, items[:1])
        assert _refused(market, lambda: ask_for(market, items[1:])) == "A delivery with this custom_id already exists"
        assert _refused(market, lambda: ask_for(market, items, "x")) == f"Item {name} is already in a delivery"
        with pytest.raises(Refusal):
            market.desk.ask(commands.DeclareItem(operator="op", item_id=f"{items[0][0]}-0", action="declare-delivered", reason="x"))
        market.desk.ask(commands.DeclareItem(operator="op", item_id=f"{items[1][0]}-1", action="declare-delivered", reason="x"))
        assert _refused(market, lambda: ask_for(market, [items[1]], "x")) == f"Item not found: {items[1][0]}-1"
        market.desk.ask(commands.StopGame(operator="op", game=TF2, reason="x"))
        assert _refused(market, lambda: ask_for(market, [items[2]], "x")) == "Trading of this game is stopped"
        market.desk.ask(commands.ResumeGame(operator="op", game=TF2, reason="x"))
        market.desk.ask(commands.StopTrading(operator="op", reason="x"))
        assert _refused(market, lambda: ask_for(market, [items[2]], "x")) == "Trading is stopped"
        market.desk.ask(commands.ResumeTrading(operator="op", reason="x"))
        person_id = str(market.desk.store.query("SELECT id FROM person WHERE number = :n", {"n": BUYER})[0][0])
        market.desk.ask(commands.ChangePerson(operator="op", person_id=person_id, frozen=True))
        assert _refused(market, lambda: ask_for(market, [items[2]], "x")) == "Account frozen"
        market.desk.ask(commands.ChangePerson(operator="op", person_id=person_id, frozen=False))
        market.desk.ask(commands.SetDeliverTo(operator="op", person_id=person_id, steamid64s=[stranger.steamid64]))
        (two,) = ask_for(market, [items[2]], "x", partner=stranger)
        market.desk.ask(commands.CancelDelivery(buyer=BUYER, delivery_id=one))
        market.desk.ask(commands.CancelDelivery(buyer=BUYER, delivery_id=two))
        assert _refused(market, lambda: ask_for(market, [items[3]], "y")).startswith("You must wait until 20")
        market.clock.advance(HOUR)
        assert ask_for(market, [items[3]], "y")

    in_market(tmp_path, story)


def test_a_buyer_has_so_many_open_deliveries(tmp_path: Path) -> None:
    """All parts of a request count, and all of it is refused."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker, 7)
        ask_for(market, items[:4])
        assert _refused(market, lambda: ask_for(market, items[4:], "more")) == "Too many open deliveries"
        assert shown(market) == ["in_delivery"] * 4 + ["held"] * 3
        await market.run(worker, lambda: "in_delivery" not in shown(market))

    in_market(tmp_path, story, DeskSettings(delivery_items_max=2, deliveries_per_buyer=3))


# -- by hand -----------------------------------------------------------------------------------------------------------

BY_HAND: list[tuple[str, dict[str, Any], str, list[str]]] = [
    # action                 options                 status                 the item
    ("cancel",               {},                     "declined",            ["held"]),
    ("declare-accepted",     {"force": True},        "accepted",            []),
    ("declare-failed",       {"force": True},        "error",               ["held"]),
]  # fmt: skip


@pytest.mark.parametrize(("action", "options", "status", "items"), BY_HAND, ids=[row[0] for row in BY_HAND])
def test_what_an_operator_does(tmp_path: Path, action: str, options: dict[str, Any], status: str, items: list[str]) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        held = await bought(market, worker)
        (one,) = ask_for(market, held)
        if options:
            with pytest.raises(Refusal) as refused:
                market.desk.ask(commands.OperateTrade(trade_id=one, operator="op", action=action, reason="why"))
            assert refused.value.code == "force_required"
        market.desk.ask(commands.OperateTrade(trade_id=one, operator="op", action=action, reason="why", **options))
        assert (delivery(market, one).status, shown(market)) == (status, items)
        with pytest.raises(Refusal) as refused:
            market.desk.ask(commands.OperateTrade(trade_id=one, operator="op", action=action, reason="why", force=True))
        assert (refused.value.status, refused.value.text) == (409, "Not in a status that allows this")

    in_market(tmp_path, story)


AFTERWARDS: list[tuple[str, dict[str, Any], str, list[str], dict[int, int]]] = [
    # action                 options            status                  the item   the bot's count
    ("declare-completed",    {},                "completed",            [],        {}),
    ("declare-rolled-back",  {"by": "user"},    "rolled_back_by_user",  ["held"],  {TF2: 1}),
    ("declare-rolled-back",  {"by": "bot"},     "rolled_back_by_bot",   ["held"],  {TF2: 1}),
]  # fmt: skip


@pytest.mark.parametrize(("action", "options", "status", "items", "count"), AFTERWARDS, ids=[row[2] for row in AFTERWARDS])
def test_what_an_operator_declares_of_an_accepted_delivery(
    tmp_path: Path, action: str, options: dict[str, Any], status: str, items: list[str], count: dict[int, int]
) -> None:
    async def story(market: LittleMarket) -> None:
        held = await bought(market, market.worker())
        (one,) = ask_for(market, held)

        def operate(action: str, **more: Any) -> None:
            market.desk.ask(commands.OperateTrade(trade_id=one, operator="op", action=action, reason="why", **more))

        operate("declare-accepted", force=True)
        assert (shown(market), stock(market)) == ([], {})
        with pytest.raises(Refusal) as refused:
            operate(action, **options)
        assert refused.value.code == "force_required"
        operate(action, force=True, **options)
        assert (delivery(market, one).status, shown(market), stock(market)) == (status, items, count)

    in_market(tmp_path, story)


def test_an_offer_that_is_accepted_after_its_delivery_had_ended(tmp_path: Path) -> None:
    """An operator was wrong: told at once, the item shown as missing until somebody decides."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        items = await bought(market, worker)
        vip(market).behaviour = Behaviour.IGNORE
        (one,) = ask_for(market, items)
        await market.run(worker, lambda: delivery(market, one).offer_state == 2)
        (offer,) = offers_to(market, vip(market))
        market.steam.world.accept(offer)
        market.desk.ask(commands.OperateTrade(trade_id=one, operator="op", action="declare-failed", reason="x", force=True))
        await market.run(worker, lambda: "items_left_unasked" in market.alerts())
        assert shown(market) == ["missing"]
        assert market.alerts() == ["items_left_unasked"]

    in_market(tmp_path, story)
