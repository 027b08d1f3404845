"""What the seller names is what Steam shows, letter for letter (readings R4): names that differ in nothing but case are two items."""

from collections import defaultdict
from pathlib import Path

import pytest

from selldesk.desk import commands
from tests.api.test_names import _names
from tests.little_market import MONEY, LittleMarket, in_market

pytestmark = pytest.mark.usefixtures("engine")

CS2, TF2 = 730, 440


def _real_pairs() -> list[tuple[str, str]]:
    """Names of Steam's own that are the same but for their case."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in _names()[CS2]:
        alike[name.casefold()].append(name)
    return [(first, second) for first, second in (names for names in alike.values() if len(names) > 1)]


DIFFERENCES = [
    # what                    the seller names                            Steam shows
    ("its first letter",      "mann Co. Supply Crate Key",                "Mann Co. Supply Crate Key"),
    ("one letter inside",     "Mann Co. Supply crate Key",                "Mann Co. Supply Crate Key"),
    ("its last letter",       "Mann Co. Supply Crate KeY",                "Mann Co. Supply Crate Key"),
    ("all in small letters",  "mann co. supply crate key",                "Mann Co. Supply Crate Key"),
    ("all in capitals",       "MANN CO. SUPPLY CRATE KEY",                "Mann Co. Supply Crate Key"),
    ("an accented letter",    "Ärger im Hut",                             "ärger im Hut"),
    ("a Greek final sigma",   "Hat of Οδυσσεύς",                          "Hat of Οδυσσεύσ"),
]  # fmt: skip


def _want(market: LittleMarket, *names: str) -> dict[str, int]:
    """The catalog knows these names, and the buyer wants each of them."""
    market.desk.ask(commands.ImportItems(operator="test", game=TF2, items=[(name, None) for name in names]))
    numbers = {row[2]: row[0] for row in market.desk.store.fetch("all_items") if row[1] == TF2}
    for name in names:
        market.item[TF2] = numbers[name]
        market.order(TF2, 100)
    return numbers


async def _sell(market: LittleMarket, custom_id: str, named: str, shown: str, numbers: dict[str, int]) -> str:
    """A sale of an item that Steam shows so, under the name that the seller gives; its id when it has ended."""
    assetid = market.steam.world.add_item(market.seller.steamid64, TF2, shown).assetid
    market.item[TF2] = numbers[named]
    trade_id = market.open_trade(custom_id, TF2, name=named, assets=[assetid])
    await market.run(market._running, lambda: market.trade(trade_id).status != "processing")
    return trade_id


def _assert_refused(market: LittleMarket, trade_id: str, named: str, shown: str) -> None:
    ended = market.trade(trade_id)
    ((_, _, _, _, assetid, *_),) = market.desk.store.fetch("items_of_trade", trade_id=trade_id)
    assert (ended.status, ended.error) == ("cancelled", f"Item {named} (asset {assetid}) is called {shown} by Steam")
    assert ended.offer_id is None


def _assert_nobody_was_asked(market: LittleMarket) -> None:
    assert market.offers() == []
    assert not [request for request in market.steam.request_log if request["path"] == "/tradeoffer/new/send"]
    assert (market.balances().get(8, 0), market.balances()[12]) == (0, MONEY)


@pytest.mark.parametrize(("what", "named", "shown"), DIFFERENCES, ids=[row[0] for row in DIFFERENCES])
def test_a_name_in_another_case_than_steam_shows_is_a_wrong_name(tmp_path: Path, what: str, named: str, shown: str) -> None:
    async def story(market: LittleMarket) -> None:
        market.worker()
        numbers = _want(market, named, shown)
        _assert_refused(market, await _sell(market, "wrong", named, shown, numbers), named, shown)
        _assert_refused(market, await _sell(market, "the other way round", shown, named, numbers), shown, named)
        _assert_nobody_was_asked(market)
        for name in (named, shown):
            right = await _sell(market, f"right: {name}", name, name, numbers)
            assert market.trade(right).status in ("accepted", "completed"), name

    in_market(tmp_path, story)


def test_real_names_that_differ_only_by_case_are_never_taken_for_each_other(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        market.worker()
        pairs = _real_pairs()
        assert len(pairs) >= 10
        numbers = _want(market, *(name for pair in pairs for name in pair))
        for number, (first, second) in enumerate(pairs):
            for named, shown in ((first, second), (second, first)):
                _assert_refused(market, await _sell(market, f"{number} {named}", named, shown, numbers), named, shown)
        _assert_nobody_was_asked(market)

    in_market(tmp_path, story)
