"""Items are watched as money is (promise I18): what left a bot unasked is told at once, a stocktake finds the rest."""

from collections.abc import Callable
from pathlib import Path

import pytest

from selldesk.desk import commands
from selldesk.kernel.refusals import Refusal
from selldesk.offers.stages import Stage
from selldesk.steamsim.entities import Account, Behaviour, OfferRecord
from selldesk.steamsim.world import World
from selldesk.workers.bot import BotWorker
from tests.little_market import BUYER, GAME_ITEM, LittleMarket, in_market

pytestmark = pytest.mark.usefixtures("engine")

CS2, TF2 = 730, 440
MINUTE, DAY = 60, 86_400


# -- stories -----------------------------------------------------------------------------------------------------------


async def _sold(market: LittleMarket, worker: BotWorker, custom_id: str, game: int = TF2, count: int = 1) -> str:
    """A sale that is done: completed, or accepted where Steam protects the items. Its bot has looked what arrived."""
    trade_id = market.open_trade(custom_id, game, count)
    done = "accepted" if game == CS2 else "completed"
    await market.run(worker, lambda: market.trade(trade_id).status == done)
    return trade_id


def _shown(market: LittleMarket, game: int | None = None) -> list[tuple[str | None, str]]:
    """(asset id, state) of each item as its buyer sees them, oldest sale first. Page and count agree for every state."""
    reader = market.store.reader()
    by_state = {}
    for state in (None, "protected", "held", "missing"):
        wanted = {"buyer": BUYER, "game": game, "state": state}
        by_state[state] = rows = reader.fetch("held_items_page", **wanted, delivery=None, limit=1000, offset=0)
        assert reader.fetch("held_items_count", **wanted)[0][0] == len(rows), state
    states = {row[:2]: state for state, rows in by_state.items() if state is not None for row in rows}
    assert len(by_state[None]) == sum(len(rows) for state, rows in by_state.items() if state is not None)
    return [(row[2], states[row[:2]]) for row in sorted(by_state[None])]


def _states(market: LittleMarket, game: int | None = None) -> list[str]:
    return [state for _, state in _shown(market, game)]


def _stock(market: LittleMarket) -> dict[int, int]:
    """Items that the bot holds for buyers, by game."""
    return {game: int(items) for _, game, items in market.desk.store.fetch("load_stock")}


def _told(market: LittleMarket) -> dict[str, str]:
    """Open alerts by kind: their texts. None of a kind twice."""
    rows = market.desk.store.fetch("alerts_page", open=1, limit=1000, offset=0)
    assert len({row[1] for row in rows}) == len(rows), rows
    return {row[1]: row[5] for row in rows}


def _own_assets(market: LittleMarket, game: int = TF2) -> list[str]:
    world, owner = market.steam.world, market.bot_account.steamid64
    return [item.assetid for context in ("2", "16") for item in world.inventory(owner, game, context)]


async def _stocktake(market: LittleMarket, worker: BotWorker) -> None:
    """An operator asks for one, and all games are read."""
    market.desk.ask(commands.AskStocktake(bot=1, operator="op"))
    worker.alarm.ring()
    await market.run(worker, lambda: market.desk.store.fetch("stocktake_of", bot=1)[0][0] is None)


def _sends_away(market: LittleMarket, thief: Account, assetids: list[str]) -> OfferRecord:
    """An offer made with the bot's session and phone, accepted at once."""
    given = [(TF2, "2", assetid) for assetid in assetids]
    offer = market.steam.world.create_offer(market.bot_account, thief, thief.trade_token, given, [], "")
    market.steam.world.set_state(offer, 2)
    market.steam.world.accept(offer)
    return offer


def _accepts(market: LittleMarket, thief: Account, assetids: list[str]) -> OfferRecord:
    """An offer made to the bot, accepted in its name."""
    asked = [(TF2, "2", assetid) for assetid in assetids]
    offer = market.steam.world.create_offer(thief, market.bot_account, market.bot_account.trade_token, [], asked, "")
    market.steam.world.accept(offer)
    return offer


def _shows_in_the_history_alone(market: LittleMarket, thief: Account, assetids: list[str]) -> OfferRecord:
    offer = _sends_away(market, thief, assetids)
    world: World = market.steam.world
    world._by_account[market.bot_account.steamid64].remove(offer.tradeofferid)
    return offer


THEFTS: list[tuple[str, Callable[[LittleMarket, Account, list[str]], OfferRecord], int]] = [
    # how                                   what is done                  told within
    ("an offer from the bot",               _sends_away,                  1 * MINUTE),
    ("an offer to the bot",                 _accepts,                     1 * MINUTE),
    ("an exchange that no list shows",      _shows_in_the_history_alone,  5 * MINUTE),
]  # fmt: skip


@pytest.mark.parametrize("ids", ["known", "unknown"])
@pytest.mark.parametrize(("how", "steal", "within"), THEFTS, ids=[row[0] for row in THEFTS])
def test_a_bot_is_not_emptied_unseen(
    tmp_path: Path, how: str, steal: Callable[[LittleMarket, Account, list[str]], OfferRecord], within: int, ids: str
) -> None:
    """Two of three sold items leave by somebody else's hand: named at once, shown as missing to their buyer, told once, and by no later
    worker again. What the bot still has stays as it was."""

    async def story(market: LittleMarket) -> None:
        thief = market.steam.world.add_account("a thief", "stranger")
        worker = market.worker()
        if ids == "unknown":
            # Steam names no new id, and the bot has had no time to look.
            market.fault("no_new_assetid")
            worker._stock.wants = lambda game: None  # type: ignore[method-assign]
        sales = [await _sold(market, worker, f"sale {number}") for number in range(3)]
        assert _shown(market) == [(one if ids == "known" else None, "held") for one in _own_assets(market)]
        stolen = _own_assets(market)[:2]
        stays = market.trade(sales[2])

        steal(market, thief, stolen[:1])
        began_at = market.clock.now_us()
        await market.run(worker, lambda: "items_left_unasked" in market.alerts())
        assert market.clock.now_us() - began_at <= (within + 1) * 1_000_000
        assert _states(market) == ["missing", "held", "held"]
        assert f"{GAME_ITEM[TF2]} ({sales[0]}-0)" in _told(market)["items_left_unasked"]
        second = steal(market, thief, stolen[1:])
        await market.run(worker, lambda: market.alerts() == ["items_left_unasked"] * 2)
        await market.pass_time(market.worker(), 11 * MINUTE)
        assert market.alerts() == ["items_left_unasked"] * 2, "each is told once"
        newest = market.desk.store.fetch("alerts_page", open=1, limit=1, offset=0)[0][5]
        named = second.tradeid if how == THEFTS[2][0] else second.tradeofferid
        assert (f" {named}" in newest, f"({sales[1]}-0)" in newest, f"({sales[2]}-0)" in newest) == (True, True, False)
        assert _states(market) == ["missing", "missing", "held"]
        assert _stock(market) == {TF2: 1}
        assert market.trade(sales[2]) == stays

    in_market(tmp_path, story)


def test_one_theft_that_shows_twice_makes_one_item_missing(tmp_path: Path) -> None:
    """First as an accepted offer of which Steam names no exchange, then as an exchange; and nobody knew the ids of the items. What an
    operator has read and closed, no later worker opens again."""

    async def story(market: LittleMarket) -> None:
        thief = market.steam.world.add_account("a thief", "stranger")
        market.fault("no_new_assetid")
        worker = market.worker()
        worker._stock.wants = lambda game: None  # type: ignore[method-assign]
        for number in range(3):
            await _sold(market, worker, f"sale {number}")
        market.fault("offer_without_tradeid")
        _sends_away(market, thief, _own_assets(market)[:1])
        for closed in ("one", "the other"):
            await market.run(worker, lambda: market.alerts() == ["items_left_unasked"])
            assert _states(market) == ["missing", "held", "held"]
            (alert, *_), *_ = market.desk.store.fetch("alerts_page", open=1, limit=9, offset=0)
            market.desk.ask(commands.CloseAlert(operator="op", alert_id=alert, reason=closed))
        await market.pass_time(market.worker(), 11 * MINUTE)
        assert (_states(market), market.alerts()) == (["missing", "held", "held"], [])

    in_market(tmp_path, story)


def test_gifts_to_a_bot_are_told_and_take_nothing(tmp_path: Path) -> None:
    """Items that come by no sale make nothing missing; what the bot did before it worked for this market is nobody's concern."""

    async def story(market: LittleMarket) -> None:
        friend = market.steam.world.add_account("a friend", "stranger")
        worker = market.worker()
        await _sold(market, worker, "sale")
        gift = market.give(friend, TF2)
        world = market.steam.world
        offer = world.create_offer(friend, market.bot_account, market.bot_account.trade_token, [(TF2, "2", gift[0])], [], "")
        world.set_state(offer, 2)
        world.accept(offer)
        await market.run(worker, lambda: market.alerts() == ["unknown_offer"])
        await market.pass_time(worker, 11 * MINUTE)
        assert market.alerts() == ["unknown_offer"]
        assert _states(market) == ["held"]
        await _stocktake(market, worker)
        assert market.desk.store.fetch("stocktake_of", bot=1)[0][2:] == (0, 1), "it is listed as surplus"

        worker._bot.since_us = market.clock.now_us() + 1_000_000
        _sends_away(market, friend, _own_assets(market)[1:])
        worker._bot.since_us += 1_000_000
        await market.pass_time(worker, 11 * MINUTE)
        assert market.alerts() == ["unknown_offer"]

    in_market(tmp_path, story)


@pytest.mark.parametrize("state", [2, 9], ids=["open", "waiting for the phone"])
def test_an_offer_that_somebody_else_cancels_from_the_bots_account_tells_of_a_stolen_session(tmp_path: Path, state: int) -> None:
    """The sale ends as before, and the alert names bot and offer. Our own cancel and an operator's raise nothing."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        worker = market.worker()
        if state == 9:
            market.fault("send_needs_confirmation", times=1)
            market.fault("phone_fails")
        trade_id = market.open_trade("cancelled", TF2)
        await market.run(worker, lambda: market.trade(trade_id).expires_at is not None)
        (offer,) = market.offers()
        assert offer.state == state
        market.steam.world.set_state(offer, 6)
        await market.run(worker, lambda: market.trade(trade_id).status != "processing")
        ended = market.trade(trade_id)
        assert (ended.status, ended.error) == ("declined", "The offer was withdrawn on the bot's side")
        ((_, kind, bot, sale, _, text, *_),) = market.desk.store.fetch("alerts_page", open=1, limit=9, offset=0)
        assert (kind, bot, sale) == ("session_in_other_hands", market.bot_account.steamid64, trade_id)
        assert f"Offer {offer.tradeofferid} " in text

        market.calm()
        by_deadline, by_operator = (market.open_trade(name, TF2) for name in ("deadline", "operator"))
        await market.run(worker, lambda: all(market.trade(one).expires_at is not None for one in (by_deadline, by_operator)))
        market.desk.ask(commands.OperateTrade(trade_id=by_operator, operator="op", action="cancel", reason="asked for"))
        market.wait_at_least_seconds = lambda: 30.0
        await market.run(worker, lambda: market.trade(by_deadline).status == "cancelled")
        assert market.trade(by_operator).status == "declined"
        assert len(market.alerts()) == 1

    in_market(tmp_path, story)


# -- stocktakes --------------------------------------------------------------------------------------------------------


def test_a_stocktake_that_an_operator_asks_for_finds_what_is_missing_at_the_second_reading(tmp_path: Path) -> None:
    """An item is gone by no exchange (used, sold on Steam's own market). The first reading doubts, the second marks it and tells; back
    again, the operator says so, and the alert closes."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        for number in range(2):
            await _sold(market, worker, f"sale {number}")
        await _sold(market, worker, "knife", CS2)
        world = market.steam.world
        lost = world.items[_own_assets(market)[0]]
        world.remove_item(lost.assetid)
        surplus = market.give(market.bot_account, CS2)

        await _stocktake(market, worker)
        assert (_states(market), market.alerts()) == (["held", "held", "protected"], []), "one reading proves nothing"
        await _stocktake(market, worker)
        assert _states(market) == ["missing", "held", "protected"]
        text = _told(market)["item_missing"]
        (item_id,) = [f"{row[0]}-{row[1]}" for row in market.store.reader().fetch(
            "held_items_page", buyer=BUYER, game=None, state="missing", delivery=None, limit=9, offset=0
        )]  # fmt: skip
        assert text == f"Its inventory lacks 1 items of buyers: {GAME_ITEM[TF2]} ({item_id})"
        assert market.desk.store.fetch("stocktake_of", bot=1)[0][2:] == (1, 1)
        (row,) = market.store.reader().fetch("bot_items", bot=1, game=None, surplus=1, limit=9, offset=0)
        assert (row[0], row[2]) == (CS2, surplus[0])
        assert _stock(market) == {TF2: 1, CS2: 1}

        await _stocktake(market, worker)
        assert list(_told(market)) == ["item_missing"], "still missing, still told once"
        world._put(lost)
        await _stocktake(market, worker)
        assert _shown(market, TF2)[0] == (None, "missing"), "a human says that it is back"
        market.desk.ask(commands.DeclareItem(operator="op", item_id=item_id, action="declare-found", reason="support gave it back"))
        assert (_states(market, TF2), market.alerts(), _stock(market)) == (["held", "held"], [], {TF2: 2, CS2: 1})
        await _stocktake(market, worker)
        assert (_states(market, TF2), market.alerts()) == (["held", "held"], [])

    in_market(tmp_path, story)


def test_an_item_that_shows_again_before_the_second_reading_was_never_missing(tmp_path: Path) -> None:
    """Steam leaves a whole game out once. The two readings of one absence must follow each other."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        await _sold(market, worker, "sale", count=3)
        world = market.steam.world
        hidden = [world.items[assetid] for assetid in _own_assets(market)]
        for _ in range(2):
            for item in hidden:
                world.remove_item(item.assetid)
            await _stocktake(market, worker)
            for item in hidden:
                world._put(item)
            await _stocktake(market, worker)
        assert (_states(market), market.alerts()) == (["held"] * 3, [])
        assert list(market.store.reader().table("item_miss")[1]) == []

    in_market(tmp_path, story)


def test_what_is_missing_at_the_readings_after_sales_is_told_at_once(tmp_path: Path) -> None:
    """Nobody asked for a stocktake, but Steam names no new ids, so the game is read after every sale."""

    async def story(market: LittleMarket) -> None:
        market.fault("no_new_assetid")
        worker = market.worker()
        await _sold(market, worker, "first")
        await market.pass_time(worker, 5 * MINUTE)
        market.steam.world.remove_item(_own_assets(market)[0])
        for number in range(2):
            await _sold(market, worker, f"next {number}")
            await market.pass_time(worker, 5 * MINUTE)
        assert sorted(_states(market)) == ["held", "held", "missing"], "equal items: it is one of them"
        assert list(_told(market)) == ["item_missing"]

    in_market(tmp_path, story)


def test_ids_that_steam_does_not_name_are_read_after_the_sale_and_follow_the_end_of_protection(tmp_path: Path) -> None:
    """A buyer never sees an id that the bot doesn't have: none until it is known, the right one of its class, the new one afterwards."""

    async def story(market: LittleMarket) -> None:
        market.fault("no_new_assetid")
        market.fault("protection_new_assetid")
        worker = market.worker()
        trade_id = market.open_trade("knives", CS2, 3)
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        assert _shown(market) == [(None, "protected")] * 3
        await market.pass_time(worker, 5 * MINUTE)
        assert _shown(market) == [(assetid, "protected") for assetid in _own_assets(market, CS2)]
        market.wait_at_least_seconds = lambda: 3600.0
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        market.wait_at_least_seconds = lambda: 0.0
        before = _own_assets(market, CS2)
        await _stocktake(market, worker)
        assert _shown(market) == [(assetid, "held") for assetid in before]
        assert market.alerts() == []

    in_market(tmp_path, story)


def test_a_full_bot_goes_on_after_an_operator_handed_items_over(tmp_path: Path) -> None:
    """The room is counted by game, and falls when items leave: by hand, by a reversal. Nothing leaves twice."""

    async def story(market: LittleMarket) -> None:
        market.desk.ask(commands.ChangeBot(operator="test", number=1, items_max=2))
        worker = market.worker()
        sales = [await _sold(market, worker, f"hat {number}") for number in range(2)]
        with pytest.raises(Refusal, match="No suitable bot found"):
            market.open_trade("one too many", TF2)
        knives = await _sold(market, worker, "knives", CS2, count=2)
        assert _stock(market) == {TF2: 2, CS2: 2}, "another game has its own room"

        def declare(item_id: str, action: str = "declare-delivered") -> None:
            market.desk.ask(commands.DeclareItem(operator="op", item_id=item_id, action=action, reason="by hand"))

        for item_id in (f"{knives}-0", f"{sales[0]}-0"):
            with pytest.raises(Refusal, match="status"):
                declare(item_id, "declare-found" if item_id.startswith(sales[0]) else "declare-delivered")
        for item_id in ("x-0", f"{sales[0]}-1", f"{sales[0]}--1", f"{sales[0]}-٠", sales[0]):
            with pytest.raises(Refusal, match="Item not found"):
                declare(item_id)
        declare(f"{sales[0]}-0")
        with pytest.raises(Refusal, match="status"):
            declare(f"{sales[0]}-0")
        assert (_states(market, TF2), _stock(market)) == (["held"], {TF2: 1, CS2: 2})
        market.steam.world.remove_item(_own_assets(market)[0])
        await _sold(market, worker, "hat 3")
        with pytest.raises(Refusal, match="No suitable bot found"):
            market.open_trade("again too many", TF2)
        for _ in range(2):
            await _stocktake(market, worker)
        assert (_states(market, TF2), market.alerts()) == (["held", "held"], []), "what was handed over is not missed"

        market.steam.world.remove_item(_own_assets(market, CS2)[0])
        for _ in range(2):
            await _stocktake(market, worker)
        assert (_states(market, CS2), _stock(market)[CS2]) == (["missing", "protected"], 1)
        market.steam.world.reverse(market.seller.steamid64)
        await market.run(worker, lambda: market.trade(knives).status == "rolled_back_by_user")
        assert (_shown(market, CS2), _stock(market)) == ([], {TF2: 2, CS2: 0})
        assert market.trade(knives).stage is Stage.DONE

    in_market(tmp_path, story)
