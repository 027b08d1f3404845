"""Many items out at once: equal ones of several buyers, queues of both kinds, bots with few places (people P4)."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from selldesk.deliveries.delivery import Delivery
from selldesk.desk import commands
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.ids import new_uuid7
from selldesk.kernel.refusals import Refusal
from selldesk.people.roles import Role, pack_roles
from selldesk.sellers.limits import NO_LIMITS
from selldesk.steamsim.entities import Account
from selldesk.trades.trade import Trade
from tests.deliveries import CS2, DAY, TF2, ask_for, bought, delivery, has, held, shown, stock, vip
from tests.little_market import BUYER, LittleMarket, in_market

MINUTE = 60


def test_three_hundred_equal_items(tmp_path: Path) -> None:
    """In parts of a hundred; equal items are interchangeable, and each leaves once."""

    async def story(market: LittleMarket) -> None:
        market.order(TF2, 10_000)
        market.desk.ask(commands.MoveMoney(operator="op", person=BUYER, direction="deposit", amount=10**9, reference="more"))
        worker = market.worker()
        items = [*await bought(market, worker, 50, sales=3), *await bought(market, worker, 50, sales=3)]
        parts = ask_for(market, items)
        assert [(delivery(market, one).part, delivery(market, one).parts, delivery(market, one).items_count) for one in parts] == [
            (1, 3, 100), (2, 3, 100), (3, 3, 100),
        ]  # fmt: skip
        await market.run(worker, lambda: all(delivery(market, one).status == "completed" for one in parts))
        assert (shown(market), stock(market), has(market, vip(market))) == ([], {}, 300)

    in_market(tmp_path, story)


EQUALS: list[tuple[str, int, int, tuple[str, ...]]] = [
    # what                                    game  items each  moods
    ("of a game without protection",           TF2,  100,        ()),
    ("that Steam names no ids of",             TF2,  40,         ("no_new_assetid",)),
    ("protected ones",                         CS2,  20,         ()),
    ("whose ids change with the protection",   CS2,  20,         ("protection_new_assetid",)),
    ("… and are never named",                  CS2,  20,         ("protection_new_assetid", "no_new_assetid")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "game", "each", "moods"), EQUALS, ids=[row[0] for row in EQUALS])
def test_equal_items_of_three_buyers(tmp_path: Path, what: str, game: int, each: int, moods: tuple[str, ...]) -> None:
    """Everybody gets as many as are theirs, each asset leaves once, and nobody waits for an asset that another one got."""

    async def story(market: LittleMarket) -> None:
        market.desk.ask(commands.SetLimits(operator="op", limits=NO_LIMITS))
        buyers = {BUYER: vip(market)}
        for name in ("second", "third"):
            account = market.steam.world.add_account(name, "buyer")
            person = market.desk.ask(
                commands.CreatePerson(
                    operator="op",
                    id=new_uuid7(market.clock.now_us()),
                    login=name,
                    roles=pack_roles([Role.BUYER]),
                    steamid64=account.steamid64,
                )
            )
            buyers[person.number] = account
        for buyer in buyers:
            market.desk.ask(
                commands.MoveMoney(operator="op", person=buyer, direction="deposit", amount=10**9, reference=f"{buyer}")
            )
            market.order(game, 10_000, buyer)
        for mood in moods:
            market.fault(mood)
        worker = market.worker()
        for _ in range(4):
            await bought(market, worker, each // 4, game, buyers=tuple(buyers))
        sold = {item.assetid for item in _lying(market, market.bot_account, game)}
        assert len(sold) == 3 * each
        asked = {buyer: ask_for(market, held(market, buyer), f"of {buyer}", account, buyer) for buyer, account in buyers.items()}
        ones = [one for parts in asked.values() for one in parts]
        await market.run(worker, lambda: all(delivery(market, one).status in ("accepted", "completed") for one in ones))
        market.clock.advance(8 * DAY)
        await market.run(worker, lambda: all(delivery(market, one).status == "completed" for one in ones))
        for buyer, account in buyers.items():
            assert (has(market, account, game), shown(market, buyer)) == (each, [])
        given = [given.assetid for offer in market.offers() for given in offer.give if offer.state == 3]
        assert sorted(given) == sorted(sold)
        assert (stock(market), market.alerts()) == ({}, [])

    in_market(tmp_path, story)


def _lying(market: LittleMarket, account: Account, game: int) -> list[Any]:
    return [item for context in ("2", "16") for item in market.steam.world.inventory(account.steamid64, game, context)]


@pytest.mark.long
def test_neither_sales_nor_deliveries_starve(tmp_path: Path) -> None:
    """Four bots, a hundred sales and a hundred deliveries that wait at the same moment: each bot makes them in turns."""
    bots, each = 4, 25

    async def story(market: LittleMarket) -> None:
        market.order(TF2, 10_000)
        market.desk.ask(commands.MoveMoney(operator="op", person=BUYER, direction="deposit", amount=10**9, reference="more"))
        workers = market.workers()
        items = await bought(market, workers, each, sales=bots)
        partners = [market.steam.world.add_account(f"friend {number}", "buyer") for number in range(20)]
        friends = [friend.steamid64 for friend in partners]
        (person,) = market.store.reader().query("SELECT id FROM person WHERE number = :number", {"number": BUYER})[0]
        market.desk.ask(commands.SetDeliverTo(operator="op", person_id=person, steamid64s=friends))
        sellers = [market.steam.world.add_account(f"seller {number}", "seller") for number in range(20)]
        before = len(market.offers())
        ones, sales = [], []
        for number, item in enumerate(items):
            ones += ask_for(market, [item], f"one {number}", partners[number % 20])
            sales.append(market.open_trade(f"s{number}", TF2, seller=sellers[number % 20]))
        await market.run(workers, partial(_all_completed, market, [*sales, *ones]))
        made = market.offers()[before:]
        assert len(made) == 2 * bots * each
        for bot in market.bot_accounts:
            turns = "".join("d" if offer.give else "s" for offer in made if offer.sender == bot.steamid64)
            # Before its first delivery a bot reads its own inventory.
            while_both_wait = turns[turns.index("d") : min(turns.rindex("d"), turns.rindex("s"))]
            assert len(while_both_wait) >= each
            assert max(map(len, [*while_both_wait.split("d"), *while_both_wait.split("s")])) <= 5, turns

    in_market(tmp_path, story, DeskSettings(deliveries_per_buyer=1_000), bots=bots)


def _all_completed(market: LittleMarket, ids: list[str]) -> bool:
    store = market.desk.store
    keys = [(one,) for one in ids]
    found: tuple[Trade | Delivery, ...] = (
        *store.load_as(Trade, "load_trades", keys),
        *store.load_as(Delivery, "load_deliveries", keys),
    )
    return sum(one.status == "completed" for one in found) == len(ids)


@pytest.mark.long
def test_bots_with_few_places_sell_and_deliver_on_and_on(tmp_path: Path) -> None:
    """Three bots with twenty places, and a thousand items go through them in a row: stock falls when the buyer has the items, and a
    stocktake of each agrees."""

    async def story(market: LittleMarket) -> None:
        market.order(TF2, 10_000)
        market.desk.ask(commands.MoveMoney(operator="op", person=BUYER, direction="deposit", amount=10**9, reference="more"))
        for number in (1, 2, 3):
            market.desk.ask(commands.ChangeBot(operator="op", number=number, items_max=20))
        workers = market.workers()
        sold = 0
        while sold < 1_000:
            sales = [market.open_trade(f"sale {sold} {number}", TF2, 20) for number in range(min(3, (1_000 - sold) // 20))]
            if len(sales) == 3:
                with pytest.raises(Refusal) as refused:
                    market.open_trade("one too many", TF2)
                assert refused.value.code == "no_bot"
            await market.run(workers, partial(_all_completed, market, sales))
            sold += 20 * len(sales)
            parts = ask_for(market, held(market), f"up to {sold}")
            assert len({delivery(market, one).bot for one in parts}) == len(parts)
            await market.run(workers, partial(_all_completed, market, parts))
        for number in (1, 2, 3):
            market.desk.ask(commands.AskStocktake(bot=number, operator="op"))
        await market.pass_time(workers, 10 * MINUTE)
        takes = [market.desk.store.fetch("stocktake_of", bot=number)[0] for number in (1, 2, 3)]
        assert [(asked, missing, surplus) for asked, _, missing, surplus in takes] == [(None, 0, 0)] * 3
        assert (stock(market), has(market, vip(market)), shown(market)) == ({}, 1_000, [])

    in_market(tmp_path, story, bots=3)
