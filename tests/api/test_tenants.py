"""Tenants: whatever a project or a buyer asks by, a trade of somebody else is never found (readings R6).

Two projects and two buyers in one running sandbox. Each project sells twice, once under a custom_id that both of them use.
"""

import copy
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import Person, SandboxProcess

TF2 = 440
HATS = ("A Hat That Only the First Buyer Wants", "A Hat That Only the Second Buyer Wants")

Trade = dict[str, Any]
Ask = Callable[[Person, dict[str, list[str]]], dict[str, Any]]


class Tenants:
    """The first project sells to the first buyer, the second one to the second; `trades` of each as its project sees them."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.projects = (sandbox.shop, sandbox.other_shop)
        self.buyers = (sandbox.buyers[0], sandbox.buyers[1])
        lines = [{"market_hash_name": name} for name in HATS]
        sandbox.operator.do("POST", "/api/operator/catalog", {"game_id": TF2, "items": lines})
        # Made anew whenever the engines take turns, in the same sandbox.
        mark = uuid.uuid4().hex[:8]
        sales: list[list[tuple[SandboxProcess, str]]] = []
        for number, (project, buyer, name) in enumerate(zip(self.projects, self.buyers, HATS, strict=True)):
            order = {"market_hash_name": name, "price": 1_000, "amount": 10}
            buyer.do("PUT", "/api/buy/orders", {"game_id": TF2, "mode": "merge", "orders": [order]})
            beside = copy.copy(sandbox)
            beside.shop = project
            sales.append([])
            for custom_id in (f"everybody's {mark}", f"only of project {number} {mark}"):
                seller = sandbox.sellers[number]
                items = [(assetid, name) for assetid in sandbox.steam.give(seller, TF2, name)]
                project.do("POST", "/api/sell/trades/create", beside.offer_body(seller, TF2, items, custom_id))
                sales[-1].append((beside, custom_id))
        self.trades = [[beside.wait_for(custom_id.replace(" ", "%20"), "completed") for beside, custom_id in of] for of in sales]


@pytest.fixture(scope="module")
def tenants(shared_sandbox: SandboxProcess) -> Tenants:
    shared_sandbox.steam.clear()
    shared_sandbox.man_all_bots()
    for seller in shared_sandbox.sellers:
        shared_sandbox.steam.behave(seller, "accept")
    return Tenants(shared_sandbox)


def _query(person: Person, path: str, asked: dict[str, list[str]]) -> dict[str, Any]:
    query = "&".join(f"{name}={','.join(ids)}" for name, ids in asked.items()).replace(" ", "%20")
    page: dict[str, Any] = person.get(f"{path}?limit=2000&{query}")
    return page


WAYS: dict[str, tuple[str, Ask]] = {
    "search of a project": ("projects", lambda person, asked: person.do("POST", "/api/sell/trades/search", {"limit": 2_000, **asked})),
    "list of a project": ("projects", lambda person, asked: _query(person, "/api/sell/trades", asked)),
    "list of a buyer": ("buyers", lambda person, asked: _query(person, "/api/buy/trades", asked)),
}  # fmt: skip
FILTERS: dict[str, tuple[str, Callable[[Trade], str]]] = {
    "custom ids": ("custom_ids", lambda trade: str(trade["custom_id"])),
    "trade ids": ("trade_ids", lambda trade: str(trade["trade_id"])),
    "offer ids": ("steam_trade_offer_ids", lambda trade: str(trade["processed_trade"]["tradeoffer_id"])),
    "Steam trade ids": ("steam_trade_ids", lambda trade: str(trade["processed_trade"]["trade_id"])),
    "bare Steam trade ids": ("steam_trade_ids", lambda trade: str(trade["processed_trade"]["trade_id"]).partition("_")[0]),
}
BATCHES = [(way, by) for way in WAYS for by in FILTERS if (way, by) != ("list of a buyer", "custom ids")]
"""A buyer has no custom ids: what he asks by them is ignored, as any unknown parameter."""


def _found(page: dict[str, Any]) -> list[str]:
    assert page["total"] == len(page["trades"]), "the total tells of no more than the page shows"
    return sorted(trade["trade_id"] for trade in page["trades"])


@pytest.mark.parametrize(("way", "by"), BATCHES, ids=[f"{way} by {by}" for way, by in BATCHES])
def test_a_batch_of_ids_finds_ones_own_trades_alone(tenants: Tenants, way: str, by: str) -> None:
    (who, ask), (name, value) = WAYS[way], FILTERS[by]
    people: tuple[Person, ...] = getattr(tenants, who)
    for person, mine, theirs in zip(people, tenants.trades, reversed(tenants.trades), strict=True):
        for asked in (mine, theirs, [*mine, *theirs]):
            ids = sorted({value(trade) for trade in asked})
            expected = sorted(trade["trade_id"] for trade in mine if value(trade) in ids)
            assert _found(ask(person, {name: ids})) == expected, f"not one's own trades alone by {name}={ids}"
        assert len(_found(ask(person, {name: [value(trade) for trade in mine]}))) == 2


@pytest.mark.parametrize("way", WAYS)
def test_all_batches_at_once_and_none_at_all_find_ones_own_trades_alone(tenants: Tenants, way: str) -> None:
    who, ask = WAYS[way]
    people: tuple[Person, ...] = getattr(tenants, who)
    everything = [trade for trades in tenants.trades for trade in trades]
    asked = {name: [value(trade) for trade in everything] for by, (name, value) in FILTERS.items() if (way, by) in BATCHES}
    for person, mine, theirs in zip(people, tenants.trades, reversed(tenants.trades), strict=True):
        assert _found(ask(person, asked)) == sorted(trade["trade_id"] for trade in mine)
        assert not {trade["trade_id"] for trade in theirs} & set(_found(ask(person, {})))


def test_a_buyer_who_asks_by_custom_ids_is_shown_his_own_trades_alone(tenants: Tenants) -> None:
    _, ask = WAYS["list of a buyer"]
    for buyer, mine, theirs in zip(tenants.buyers, tenants.trades, reversed(tenants.trades), strict=True):
        shown = _found(ask(buyer, {"custom_ids": [trade["custom_id"] for trade in theirs]}))
        assert {trade["trade_id"] for trade in mine} <= set(shown)
        assert not {trade["trade_id"] for trade in theirs} & set(shown)
