"""Limits on sellers and projects (people P6): one row a limit, the order of refusals, cool-downs, blocks, claims, stops. The rules alone: tests/rooms/test_sellers.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selldesk.desk import commands
from selldesk.kernel.ids import new_uuid7
from selldesk.kernel.refusals import Refusal
from selldesk.kernel.times import DAY_US, wire_time
from selldesk.offers.words import AssetWord, OfferWord, Proof, TradeWord
from selldesk.people.roles import Role, pack_roles
from selldesk.sellers.limits import NO_LIMITS, MarketLimits, ProjectLimits
from tests.desk.test_desk import RICH, SELLER, SHOP, Market
from tests.support import AK, SandboxProcess

pytestmark = pytest.mark.usefixtures("engine")

NOW = 1_773_396_000 * 1_000_000
S = 1_000_000
OTHER = "76561197961265999"


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    market = Market(tmp_path)
    market.put(RICH, A=(100, 500), B=(20_000, 50))
    yield market
    market.assert_clean()


def limit(market: Market, **changed: Any) -> None:
    fields = {name: getattr(NO_LIMITS, name) for name in MarketLimits.__struct_fields__}
    market.ask(commands.SetLimits(operator="t", limits=MarketLimits(**(fields | changed))))


def second_project(market: Market) -> int:
    made = market.ask(commands.CreatePerson(operator="t", id=new_uuid7(NOW), login="shop-2", roles=pack_roles([Role.PROJECT])))
    return int(made.number)


def refused(market: Market, command: commands.Command[Any]) -> str:
    with pytest.raises(Refusal) as caught:
        market.ask(command)
    return caught.value.text


def verify(market: Market, trade_id: str) -> None:
    market.ask(
        commands.ProofRead(trade_id=trade_id, proof=Proof.AS_NAMED, text="", began_at=market.clock.now_us(), classes=[("c", "0")])
    )


def offer(market: Market, trade_id: str, number: str) -> None:
    verify(market, trade_id)
    assert market.ask(commands.IntendSend(trade_id=trade_id)).granted
    market.ask(commands.OfferMade(trade_id=trade_id, offer_id=number, needs_confirmation=False))


def end(market: Market, trade_id: str, number: str, state: int) -> str:
    offer(market, trade_id, number)
    steam = f"4{number}" if state == 3 else None
    market.ask(commands.OfferRead(trade_id=trade_id, offer=OfferWord(number, state, market.clock.now_us(), steam), raw="{}"))
    if state == 3:
        items = market.desk.store.fetch("items_of_trade", trade_id=trade_id)
        word = TradeWord(3, market.clock.now_us() + 7 * DAY_US, False, [AssetWord(730, row[3], row[4], "c") for row in items])
        market.ask(commands.TradeRead(trade_id=trade_id, word=word, began_at=market.clock.now_us(), raw="{}"))
    status: str = market.trade(trade_id).status
    return status


def open_one(market: Market, custom_id: str, **changed: Any) -> str:
    return str(market.ask(market.open(custom_id, **changed)).trade_id)


def test_a_seller_may_have_so_many_open(market: Market) -> None:
    limit(market, seller_processing_max=2)
    open_one(market, "a")
    open_one(market, "b")
    assert refused(market, market.open("c")) == "Seller has too many open trades"
    open_one(market, "d", seller=OTHER)


@pytest.mark.parametrize(
    ("changed", "price", "text"),
    [
        ({"seller_processing_value_max": 199}, 100, "Seller has too many open trades"),
        ({"seller_processing_value_max": 200}, 100, None),
        ({"project_processing_max": 1}, 100, "Project has too many open trades"),
        ({"project_processing_max": 2}, 100, None),
        ({"project_processing_value_max": 199}, 100, "Project has too many open trades"),
        ({"project_processing_value_max": 200}, 100, None),
        ({"project_processing_percent": 1}, 100, None),  # no second project
    ],
)
def test_a_table_of_bounds(market: Market, changed: dict[str, int], price: int, text: str | None) -> None:
    limit(market, **changed)
    open_one(market, "first", price=price)
    if text is None:
        open_one(market, "second", price=price)
    else:
        assert refused(market, market.open("second", price=price)) == text


def test_no_project_takes_more_than_its_share_of_the_slots_once_there_is_a_second(market: Market) -> None:
    for number in (1, 2):
        market.ask(commands.ChangeBot(operator="t", number=number, live_offers_max=3))
    limit(market, project_processing_percent=50)
    second = second_project(market)
    for number in range(3):
        open_one(market, f"c{number}", seller=f"7656119796126{number:04d}")
    assert refused(market, market.open("c3", seller=OTHER)) == "Project has too many open trades"
    open_one(market, "of the other", project=second, seller=OTHER)


def test_a_project_may_have_limits_of_its_own(market: Market) -> None:
    limit(market, project_processing_max=1)
    shop = market.desk.store.fetch("person_by_number", number=SHOP)[0][1]
    market.ask(commands.SetProjectLimits(operator="t", person_id=shop, limits=ProjectLimits(project_processing_max=None)))
    open_one(market, "a")
    open_one(market, "b")
    market.ask(commands.SetProjectLimits(operator="t", person_id=shop, limits=ProjectLimits()))
    assert refused(market, market.open("c")) == "Project has too many open trades"
    vip = market.desk.store.fetch("person_by_number", number=RICH)[0][1]
    assert "Only a project" in refused(market, commands.SetProjectLimits(operator="t", person_id=vip, limits=ProjectLimits()))


def test_the_order_of_refusals(market: Market) -> None:
    """custom_id → frozen → stopped → game unknown → game stopped → blocked → cool-down → seller's → project's → mismatch."""
    limit(market, seller_processing_max=1, project_processing_max=1)
    open_one(market, "taken")
    shop = market.desk.store.fetch("person_by_number", number=SHOP)[0][1]
    market.desk.store.begin()
    market.desk.store.write("put_strikes", [(SELLER, SHOP, 3, market.clock.now_us() + 90 * S)])
    market.desk.store.commit()
    limit(market, seller_processing_max=1, project_processing_max=1, strikes_free=2, cooldown_seconds=[900])
    market.ask(commands.SetSeller(operator="t", steamid64=SELLER, status="blocked", reason="why"))
    market.ask(commands.StopGame(operator="t", game=730, reason="why"))
    market.ask(commands.StopTrading(operator="t", reason="why"))
    market.ask(commands.ChangePerson(operator="t", person_id=shop, frozen=True))
    wrong: dict[str, Any] = {"mismatch": True}
    waits = wire_time(market.clock.now_us() + 90 * S)
    steps: list[tuple[str, commands.Command[Any] | None]] = [
        ("A trade with this custom_id already exists", None),
        ("Account frozen", commands.ChangePerson(operator="t", person_id=shop, frozen=False)),
        ("Trading is stopped", commands.ResumeTrading(operator="t", reason="go")),
        ("Trading of this game is stopped", commands.ResumeGame(operator="t", game=730, reason="go")),
        ("Seller is blocked", commands.SetSeller(operator="t", steamid64=SELLER, status="normal", reason="lifted")),
        ("Seller has too many open trades", None),
    ]
    custom_id = "taken"
    for text, remedy in steps:
        assert refused(market, market.open(custom_id, **wrong)) == text
        custom_id = "new"
        if remedy is not None:
            market.ask(remedy)
    assert waits
    limit(market, project_processing_max=1)
    assert refused(market, market.open("new", **wrong)) == "Project has too many open trades"
    limit(market)
    assert refused(market, market.open("new", **wrong)) == "Buyer mismatch"


def test_wasted_sales_lead_to_a_cool_down_and_an_acceptance_forgives(market: Market) -> None:
    limit(market, strikes_free=2, cooldown_seconds=[900, 3_600])
    for number, state in enumerate((7, 4, 5), start=51):
        assert end(market, open_one(market, f"w{number}"), str(number), state) == "cancelled"
    until = market.clock.now_us() + 900 * S
    assert refused(market, market.open("too soon")) == f"Seller must wait until {wire_time(until)}"
    market.clock.advance(901)
    _beat(market)
    assert end(market, open_one(market, "accepted"), "60", 3) == "accepted"
    assert market.desk.store.load("load_strikes", [(SELLER,)]) == [(SELLER, SHOP, 0, 0)]


def test_a_reversal_blocks_for_a_month_and_the_second_until_it_is_lifted(market: Market) -> None:
    limit(market, reversal_block_days=30, reversals_max=2)

    def reverse(custom_id: str, number: str) -> None:
        trade_id = open_one(market, custom_id)
        assert end(market, trade_id, number, 3) == "accepted"
        bot = market.trade(trade_id).bot
        market.ask(commands.RolledBack(bot=bot, readings=[(trade_id, 12)], complete=False))

    reverse("one", "71")
    assert refused(market, market.open("x")) == "Seller is blocked"
    market.clock.advance(30 * 86_400 + 1)
    _beat(market)
    reverse("two", "72")
    market.clock.advance(300 * 86_400)
    _beat(market)
    assert refused(market, market.open("y")) == "Seller is blocked"
    market.ask(commands.SetSeller(operator="t", steamid64=SELLER, status="normal", reason="he explained"))
    open_one(market, "z")


def test_of_two_claims_on_an_asset_the_first_verified_keeps_it(market: Market) -> None:
    """R3, I7: of one project always refused; of another only once the other is verified; the loser ends and never sends."""
    second = second_project(market)
    first = open_one(market, "mine", assets=["900"])
    assert refused(market, market.open("again", assets=["900"])) == "Item A is already in an active trade"
    theirs = open_one(market, "theirs", assets=["900"], project=second)
    third = market.ask(
        commands.CreatePerson(operator="t", id=new_uuid7(NOW + 1), login="shop-3", roles=pack_roles([Role.PROJECT]))
    ).number
    verify(market, theirs)
    assert refused(market, market.open("late", assets=["900"], project=third)) == "Item A is already in an active trade"
    verify(market, first)
    loser = market.trade(first)
    assert (loser.status, loser.error) == ("cancelled", "Item A is already in an active trade")
    assert not market.ask(commands.IntendSend(trade_id=first)).granted
    assert market.ask(commands.IntendSend(trade_id=theirs)).granted


def test_a_verified_sale_over_the_bound_of_its_bot_changes_it(market: Market) -> None:
    """R7: unverified claims of others don't count at create, so the bound is judged again when the items are verified."""
    for number in (1, 2):
        market.ask(commands.ChangeBot(operator="t", number=number, seller_offers_max=1))
    market.ask(commands.ChangeBot(operator="t", number=2, enabled=False))
    second = second_project(market)
    mine = open_one(market, "mine", assets=["1"])
    theirs = open_one(market, "theirs", assets=["2"], project=second)

    def stands(trade_id: str) -> tuple[int, str]:
        trade = market.trade(trade_id)
        return trade.bot, trade.stage

    assert (stands(mine)[0], stands(theirs)[0]) == (1, 1), "neither is verified: both at the same bot"
    verify(market, mine)
    verify(market, theirs)
    assert stands(theirs) == (1, "verify"), "nowhere else to go: it waits"
    market.ask(commands.ChangeBot(operator="t", number=2, enabled=True))
    market.ask(commands.BotReport(bot=2, state="ok"))
    _beat(market)
    verify(market, theirs)
    assert stands(theirs) == (2, "verify")
    verify(market, theirs)
    assert (stands(mine), stands(theirs)) == ((1, "send"), (2, "send"))


def test_what_one_project_can_take_with_its_invented_links_is_bounded(market: Market) -> None:
    """Slots that one project can take with the defaults: half of them, once there is a second project."""
    second_project(market)
    market.ask(commands.SetLimits(operator="t", limits=MarketLimits()))
    taken = 0
    for number in range(100):
        try:
            open_one(market, f"c{number}", seller=f"7656119796126{number:04d}")
            taken += 1
        except Refusal as refusal:
            assert refusal.code == "project_limit"
            break
    assert taken == 30


def _beat(market: Market) -> None:
    market.desk.store.begin()
    for number in (1, 2):
        market.desk.store.execute("beat", bot=number, real_us=market.clock.real_us())
    market.desk.store.commit()


# -- through HTTP ------------------------------------------------------------------------------------------------------


def test_limits_by_route(sandbox: SandboxProcess) -> None:
    operator = sandbox.operator
    known = operator.get("/api/operator/limits")
    assert set(known) == set(MarketLimits.__struct_fields__)
    assert known["seller_processing_max"] is None, "the sandbox has none"
    try:
        assert operator.do("PUT", "/api/operator/limits", {**known, "seller_processing_max": 1})["seller_processing_max"] == 1
        assert operator.get("/api/operator/limits")["seller_processing_max"] == 1
        for bad in (
            {**known, "seller_procesing_max": 1},
            {**known, "seller_processing_max": 0},
            {**known, "cooldown_seconds": []},
            {**known, "min_order_price": {"12": 5}},
            {name: value for name, value in known.items() if name != "strikes_free"},
        ):
            status, answer = operator.call("PUT", "/api/operator/limits", bad)
            assert (status, answer["code"]) == (400, "invalid_body"), bad
            assert answer["details"]
        operator.do("PUT", "/api/operator/limits", {**known, "min_order_price": {"730": 50}})
        line = {"market_hash_name": AK, "price": 49, "amount": 1}
        answer = sandbox.buyers[4].do("PUT", "/api/buy/orders", {"game_id": 730, "mode": "merge", "orders": [line]})
        assert [one["error"] for one in answer["rejected"]] == ["price is below the minimum of 50"]
    finally:
        operator.do("PUT", "/api/operator/limits", known)


def test_sellers_by_route(sandbox: SandboxProcess) -> None:
    operator, seller = sandbox.operator, sandbox.sellers[3]
    path = f"/api/operator/sellers/{seller['steamid64']}"
    custom_id = sandbox.sell(seller, 440, sandbox.buyable(440))
    sandbox.wait_for(custom_id, "completed")
    view = operator.get(path)
    assert (view["status"], view["reason"], view["until"]) == ("normal", None, None)
    assert view["days_7"]["completed"] >= 1
    assert view["ever"]["volume"] > 0
    assert 0 < view["ever"]["acceptance_rate"] <= 100, "other tests of this process sell for him too"
    assert view["last_trade_at"] is not None
    may = sandbox.shop.get(f"/api/sell/sellers/{seller['steamid64']}")
    assert (may["may_sell"], may["reason"], may["retry_at"]) == (True, None, None)
    assert sandbox.other_shop.get(f"/api/sell/sellers/{seller['steamid64']}")["days_30"]["opened"] == 0, "its own sales only"
    unknown = "76561197999999999"
    assert operator.refused("GET", f"/api/operator/sellers/{unknown}") == (404, "Seller not found")
    assert sandbox.shop.get(f"/api/sell/sellers/{unknown}")["may_sell"] is True
    assert operator.refused("GET", "/api/operator/sellers/7") == (404, "Seller not found")
    try:
        blocked = operator.do("PUT", path, {"status": "blocked", "reason": "a test"})
        assert (blocked["status"], blocked["reason"]) == ("blocked", "a test")
        may = sandbox.shop.get(f"/api/sell/sellers/{seller['steamid64']}")
        assert (may["may_sell"], may["reason"]) == (False, "seller_blocked")
        assets = sandbox.steam.give(seller, 730, AK)
        body = sandbox.offer_body(seller, 730, [(assets[0], AK)])
        assert sandbox.shop.refused("POST", "/api/sell/trades/create", body) == (400, "Seller is blocked")
        page = operator.get("/api/operator/sellers?status=blocked")
        assert [one["steamid64"] for one in page["sellers"]] == [seller["steamid64"]]
        assert (page["total"], page["limit"], page["offset"]) == (1, 20, 0)
        assert operator.refused("PUT", path, {"status": "blocked", "reason": "x", "untill": "2030-01-01"})[0] == 400
        assert operator.refused("GET", "/api/operator/sellers?status=odd")[0] == 400
    finally:
        operator.do("PUT", path, {"status": "normal", "reason": "the test is over"})
    assert operator.get("/api/operator/sellers?sort_by=opened")["total"] >= 1


def test_a_stopped_game_and_a_frozen_project_by_route(sandbox: SandboxProcess) -> None:
    operator, seller = sandbox.operator, sandbox.sellers[0]
    assets = sandbox.steam.give(seller, 730, AK)
    body = sandbox.offer_body(seller, 730, [(assets[0], AK)])
    try:
        operator.do("POST", "/api/operator/games/730/stop", {"reason": "an update of the game"})
        assert sandbox.shop.do("POST", "/api/sell/match", {"game_id": 730, "items": [{"market_hash_name": AK}]})["buyer_id"]
        assert sandbox.shop.refused("POST", "/api/sell/trades/create", body) == (503, "Trading of this game is stopped")
        assert operator.get("/api/operator/overview")["stopped_games"][0]["game_id"] == 730
    finally:
        operator.do("POST", "/api/operator/games/730/resume", {"reason": "it is over"})
    assert operator.refused("POST", "/api/operator/games/730/resume", {"reason": "twice"})[0] == 409
    assert operator.refused("POST", "/api/operator/games/999/stop", {"reason": "no such game"}) == (400, "Game not supported")
    (user,) = operator.get("/api/operator/users?login=demo-shop")["users"]
    try:
        operator.do("PATCH", f"/api/operator/users/{user['id']}", {"frozen": True})
        assert sandbox.shop.refused("POST", "/api/sell/trades/create", body) == (403, "Account frozen")
        assert sandbox.shop.call("GET", "/api/sell/trades")[0] == 200, "reading goes on"
    finally:
        operator.do("PATCH", f"/api/operator/users/{user['id']}", {"frozen": False})
    custom_id = sandbox.shop.do("POST", "/api/sell/trades/create", body)["custom_id"]
    sandbox.wait_for(custom_id, "accepted")
    assert operator.do("PUT", f"/api/operator/users/{user['id']}/limits", {"project_processing_max": 5}) == {
        "project_processing_max": 5
    }
    assert operator.get(f"/api/operator/users/{user['id']}")["limits"] == {"project_processing_max": 5}
    operator.do("PUT", f"/api/operator/users/{user['id']}/limits", {})


def test_a_buyer_mismatch_helps(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[1]
    assets = sandbox.steam.give(seller, 730, AK)
    body = sandbox.offer_body(seller, 730, [(assets[0], AK)])
    best = body["items"][0]["price"]
    del body["quote_id"]
    others = [buyer["buyer_id"] for buyer in sandbox.description["buyers"] if buyer["buyer_id"] != body["buyer_id"]]
    answers = [sandbox.shop.call("POST", "/api/sell/trades/create", {**body, "buyer_id": other}) for other in others]
    helped = [answer for _, answer in answers if answer["code"] == "buyer_mismatch" and "details" in answer]
    assert helped
    for answer in helped:
        (detail,) = answer["details"]
        assert detail["path"] == "buyer_id"
        assert detail["message"].startswith(f"another buyer pays {best} for exactly these items, this one ")
        assert detail["message"].endswith("; the quote_id of a match keeps a buyer for 30 s")
    unknown = sandbox.shop.call("POST", "/api/sell/trades/create", {**body, "buyer_id": "76561197999999999"})[1]
    assert (unknown["code"], "details" in unknown) == ("buyer_mismatch", False)


def test_the_trade_link_of_a_bot_is_no_sellers(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[1]
    assets = sandbox.steam.give(seller, 730, AK)
    body = sandbox.offer_body(seller, 730, [(assets[0], AK)])
    account = int(sandbox.description["bots"][0]["steamid64"]) - 76561197960265728
    body["tradelink"] = f"https://steamcommunity.com/tradeoffer/new/?partner={account}&token=abcdefgh"
    status, answer = sandbox.shop.call("POST", "/api/sell/trades/create", body)
    assert (status, answer["code"], answer["details"][0]["path"]) == (400, "invalid_body", "$.tradelink")
