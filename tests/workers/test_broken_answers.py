"""One odd part of Steam's answers never throws away the usable rest, nothing is read without end, and garbage pays nobody."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from selldesk.desk import commands
from selldesk.kernel.refusals import Refusal
from selldesk.offers.stages import Stage
from selldesk.steam.client import SteamClient
from selldesk.steam.results import Inventory, Malformed, ResultFault, SteamFault
from selldesk.steam.session import SteamSession, SteamUrls
from selldesk.steam.transport import Response
from selldesk.steamsim.entities import Behaviour
from selldesk.steamwire.credentials import Credentials, Tokens
from selldesk.store.audit import run_audit
from selldesk.workers.bot import BotWorker
from tests.little_market import MONEY, ORDER_PRICE, LittleMarket, in_market
from tests.steam.test_steam import LINK, _client, _json, _token

CS2, TF2 = 730, 440
MINUTE, HOUR, DAY = 60, 3_600, 86_400
HUGE = 10**30
INT64 = 2**63

Ask = Callable[[SteamClient], Coroutine[Any, Any, Any]]


# -- one odd part ------------------------------------------------------------------------------------------------------

GOOD_ASSET = {"appid": CS2, "contextid": "2", "assetid": "1", "classid": "9", "instanceid": "0", "amount": "1"}
GOOD_DESCRIPTION = {"classid": "9", "instanceid": "0", "market_hash_name": "Hat", "tradable": 1}
GOOD_OFFER = {"tradeofferid": "1", "accountid_other": 4, "trade_offer_state": 2, "items_to_receive": [GOOD_ASSET]}
GOOD_EXCHANGE = {"tradeid": "1", "status": 3, "steamid_other": "76561197960265732", "assets_received": [GOOD_ASSET]}
GOOD_CONFIRMATION = {"id": "1", "nonce": "2", "creator_id": "3", "type": 2}
ODD: list[Any] = [None, 5, "x", True, [], {}, [[]], HUGE, {"assetid": None}, {"id": 7, "tradeofferid": 7, "tradeid": 7}]


def _own(odd: Any) -> Response:
    return _json(
        {"success": 1, "assets": [odd, GOOD_ASSET, odd], "descriptions": [odd, GOOD_DESCRIPTION], "asset_properties": [odd]}
    )


def _partners(odd: Any) -> Response:
    page = {
        "rgInventory": {"0": odd, "1": {"id": "1"} | GOOD_ASSET, "2": odd},
        "rgDescriptions": {"9_0": GOOD_DESCRIPTION, "x": odd},
    }
    return _json({"success": True, "more": False, "rgAssetProperties": odd} | page)


def _sent(odd: Any) -> Response:
    return _json({"response": {"trade_offers_sent": [odd, GOOD_OFFER, odd], "trade_offers_received": odd, "next_cursor": 0}})


def _assets_of_an_offer(odd: Any) -> Response:
    offer = GOOD_OFFER | {"items_to_receive": [odd, GOOD_ASSET], "items_to_give": odd}
    return _json({"response": {"trade_offers_sent": [offer]}})


def _history(odd: Any) -> Response:
    return _json(
        {"response": {"trades": [odd, GOOD_EXCHANGE | {"assets_received": [odd, GOOD_ASSET], "assets_given": odd}], "more": odd}}
    )


def _phone(odd: Any) -> Response:
    return _json({"success": True, "conf": [odd, GOOD_CONFIRMATION, odd]})


async def _named(inventory: Coroutine[Any, Any, Inventory]) -> list[str]:
    return [item.market_hash_name for item in (await inventory).items.values()]


async def _offers_with(client: SteamClient) -> list[str]:
    lists = await client.offers(1, False)
    return [
        asset.assetid for offer in lists.sent if offer.offer_id == "1" for asset in offer.items_to_receive if asset.assetid == "1"
    ]


async def _exchanges_with(client: SteamClient) -> list[str]:
    page, _ = await client.trade_history()
    return [asset.assetid for one in page if one.trade_id == "1" for asset in one.received if asset.assetid == "1"]


async def _confirmations_with(client: SteamClient) -> list[str]:
    return [one.nonce for one in await client.confirmations()]


LISTS: list[tuple[str, Callable[[Any], Response], Ask, list[str]]] = [
    # what is listed           how Steam lists it   how it is read                                           what must be there
    ("the bot's own items",    _own,                lambda c: _named(c.own_inventory(CS2, "2")),             ["Hat"]),
    ("a seller's items",       _partners,           lambda c: _named(c.partner_inventory(LINK, CS2, "2")),   ["Hat"]),
    ("offers",                 _sent,               _offers_with,                                            ["1"]),
    ("what an offer names",    _assets_of_an_offer, _offers_with,                                            ["1"]),
    ("exchanges",              _history,            _exchanges_with,                                         ["1"]),
    ("what waits on the phone", _phone,             _confirmations_with,                                     ["2"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "answer", "ask", "expected"), LISTS, ids=[row[0] for row in LISTS])
def test_one_odd_part_leaves_the_rest_as_it_is(what: str, answer: Callable[[Any], Response], ask: Ask, expected: list[str]) -> None:
    for odd in ODD:
        client, _ = _client(answer(odd))
        assert asyncio.run(ask(client)) == expected, odd


def test_an_item_without_its_description_is_unreadable_alone() -> None:
    """It is there all the same: nobody may take it for absent."""
    bare = GOOD_ASSET | {"assetid": "2", "classid": "8"}
    nameless = {"classid": "8", "instanceid": "0", "market_hash_name": 5}
    answers = [
        (_json({"success": 1, "assets": [GOOD_ASSET, bare], "descriptions": [GOOD_DESCRIPTION, nameless]}), "own"),
        (_json({"success": 1, "assets": [GOOD_ASSET, bare], "descriptions": [GOOD_DESCRIPTION]}), "own"),
        (_json({"success": True, "rgInventory": {"1": {"id": "1"} | GOOD_ASSET, "2": {"id": "2"} | bare},
                "rgDescriptions": {"9_0": GOOD_DESCRIPTION, "8_0": nameless}}), "partner"),
    ]  # fmt: skip
    for answer, whose in answers:
        client, _ = _client(answer)
        ask = client.own_inventory(CS2, "2") if whose == "own" else client.partner_inventory(LINK, CS2, "2")
        inventory = asyncio.run(ask)
        assert (list(inventory.items), inventory.unreadable, inventory.private) == (["1"], frozenset({"2"}), False)


PRIVATE: list[tuple[Response, bool]] = [
    # Steam's answer                                                            whether it says that the seller's items are private
    (Response(403, {}, b"null"),                                                True),
    (_json({"success": False, "error": "This profile is private."}),            True),
    (_json({"success": False, "Error": "This profile is private."}),            True),
    (_json({"success": False, "Error": "PRIVATE", "error": None}),              True),
    (_json({"success": False, "Error": ["This profile is private."]}),          True),
    (_json({"success": False, "error": "Please try again later."}),             False),
    (_json({"success": False, "Error": None}),                                  False),
    (_json({"success": False, "message": "private"}),                           False),
    (_json({"success": "private"}),                                             False),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "is_private"), PRIVATE)
def test_what_says_that_an_inventory_is_private(answer: Response, is_private: bool) -> None:
    """All else is no word about the seller."""
    client, _ = _client(answer)
    if is_private:
        assert asyncio.run(client.partner_inventory(LINK, CS2, "2")).private
    else:
        with pytest.raises(Malformed):
            asyncio.run(client.partner_inventory(LINK, CS2, "2"))


RESULTS: list[tuple[str | None, type[SteamFault] | None]] = [
    # x-eresult     what it means
    (None,          None),
    ("",            None),
    ("1",           None),
    ("2",           None),
    ("15",          ResultFault),
    ("-1",          ResultFault),
    ("1.0",         ResultFault),
    ("OK",          ResultFault),
    ("²",           ResultFault),
    ("9" * 5_000,   ResultFault),
]  # fmt: skip


@pytest.mark.parametrize(("written", "expected"), RESULTS, ids=[str(row[0])[:8] for row in RESULTS])
def test_a_result_that_nobody_can_read_is_a_fault_of_steams(written: str | None, expected: type[SteamFault] | None) -> None:
    body = json.dumps({"response": {"offer": GOOD_OFFER}}).encode()
    client, _ = _client(Response(200, {} if written is None else {"x-eresult": written}, body))
    if expected is None:
        assert asyncio.run(client.offer("1")) is not None
    else:
        with pytest.raises(expected):
            asyncio.run(client.offer("1"))


# -- readings without end ----------------------------------------------------------------------------------------------


class EndlessSteam:
    """Answers the n-th question by `page(n)`."""

    def __init__(self, page: Callable[[int], Any]) -> None:
        self._page = page
        self.asked = 0

    async def request(self, method: str, url: str, **options: Any) -> Response:
        self.asked += 1
        return _json(self._page(self.asked))


def _asked(page: Callable[[int], Any]) -> tuple[SteamClient, EndlessSteam]:
    steam = EndlessSteam(page)
    credentials = Credentials("bot", "pw", "", "", "76561197960265729")
    tokens = Tokens(_token(exp=9), _token(exp=9))
    return SteamClient(SteamSession(steam, SteamUrls(), credentials, tokens, lambda: 0)), steam


_INVENTORY = {"success": True, "rgInventory": [], "rgDescriptions": [], "more": True}
ENDLESS: list[tuple[str, Callable[[int], Any], Ask, int]] = [
    # what never ends             each page                                                                     how it is read                                   calls at most
    ("own items, always further", lambda n: {"success": 1, "more_items": 1, "last_assetid": str(n)},            lambda c: c.own_inventory(CS2, "2"),             200),
    ("own items, no further",     lambda n: {"success": 1, "more_items": 1, "last_assetid": "7"},               lambda c: c.own_inventory(CS2, "2"),             2),
    ("own items, nowhere",        lambda n: {"success": 1, "more_items": 1},                                    lambda c: c.own_inventory(CS2, "2"),             1),
    ("his items, always further", lambda n: _INVENTORY | {"more_start": n},                                     lambda c: c.partner_inventory(LINK, CS2, "2"),   200),
    ("his items, no further",     lambda n: _INVENTORY | {"more_start": 1000},                                  lambda c: c.partner_inventory(LINK, CS2, "2"),   2),
    ("his items, nowhere",        lambda n: _INVENTORY | {"more_start": False},                                 lambda c: c.partner_inventory(LINK, CS2, "2"),   1),
    ("offers",                    lambda n: {"response": {"trade_offers_sent": [GOOD_OFFER], "next_cursor": n}}, lambda c: c.offers(1, False),                   200),
]  # fmt: skip


@pytest.mark.parametrize(("what", "page", "ask", "calls_max"), ENDLESS, ids=[row[0] for row in ENDLESS])
def test_no_reading_goes_on_without_end(what: str, page: Callable[[int], Any], ask: Ask, calls_max: int) -> None:
    """And what was read half is no reading."""
    client, steam = _asked(page)
    with pytest.raises(Malformed):
        asyncio.run(ask(client))
    assert steam.asked <= calls_max


def test_a_list_of_offers_whose_cursor_stands_still_is_over() -> None:
    client, steam = _asked(lambda n: {"response": {"trade_offers_sent": [GOOD_OFFER], "next_cursor": "5"}})
    lists = asyncio.run(client.offers(1, False))
    assert (lists.cursor, steam.asked) == (None, 2)


# -- numbers and dates -------------------------------------------------------------------------------------------------

NUMBERS: list[tuple[Any, int, int]] = [
    # Steam writes      as a number      as a date
    (3,                 3,               3),
    ("3",               3,               3),
    ("0003",            3,               3),
    (INT64 - 1,         INT64 - 1,       0),
    (str(INT64 - 1),    INT64 - 1,       0),
    (INT64,             0,               0),
    (str(INT64),        0,               0),
    (HUGE,              0,               0),
    (str(HUGE),         0,               0),
    ("9" * 5_000,       0,               0),
    (-1,                -1,              0),
    ("-1",              0,               0),
    (-HUGE,             0,               0),
    (253_402_300_800,   253_402_300_800, 0),
    (7_258_118_399,     7_258_118_399,   7_258_118_399),
    (7_258_118_400,     7_258_118_400,   0),
    (1.5,               0,               0),
    (1e30,              0,               0),
    (True,              0,               0),
    (None,              0,               0),
    ("²",               0,               0),
    ("٣",               0,               0),
    ("soon",            0,               0),
    ([],                0,               0),
    ({},                0,               0),
]  # fmt: skip


@pytest.mark.parametrize(("written", "number", "date"), NUMBERS, ids=[str(row[0])[:24] for row in NUMBERS])
def test_numbers_and_dates_are_bounded_at_the_door(written: Any, number: int, date: int) -> None:
    """Whatever an answer holds, what is made of it fits the wire to the desk, Steam's own words as evidence included."""
    asset = GOOD_ASSET | {"appid": written, "amount": written}
    offer = GOOD_OFFER | {
        "trade_offer_state": written, "time_created": written, "time_updated": written, "escrow_end_date": written,
        "settlement_date": written, "items_to_receive": [asset],
    }  # fmt: skip
    client, _ = _client(_json({"response": {"trade_offers_sent": [offer]}}))
    (seen,) = asyncio.run(client.offers(1, False)).sent
    assert (seen.state, seen.items_to_receive[0].appid) == (number, number)
    assert (seen.time_created, seen.time_updated, seen.escrow_end, seen.settlement) == (date, date, date, date)
    exchange = GOOD_EXCHANGE | {"status": written, "time_init": written, "time_settlement": written, "assets_received": [asset]}
    client, _ = _client(_json({"response": {"trades": [exchange], "more": False}}))
    ((found,), _) = asyncio.run(client.trade_history())
    assert (found.status, found.time_init, found.settlement, found.received[0].appid) == (number, date, date, number)
    client, _ = _client(_json({"success": 1, "assets": [asset], "descriptions": [GOOD_DESCRIPTION | {"tradable": written}]}))
    (item,) = asyncio.run(client.own_inventory(CS2, "2")).items.values()
    assert (item.amount, item.tradable) == (max(1, number), written is True or number != 0)
    plain = [msgspec.structs.asdict(seen), msgspec.structs.asdict(found), msgspec.structs.asdict(item)]
    for one in plain:
        raw = one.pop("raw", {})
        msgspec.msgpack.encode([one, msgspec.json.encode(raw).decode()])
    for seconds in (seen.time_created, seen.settlement, found.settlement):
        assert 0 <= seconds * 1_000_000 < INT64


@pytest.mark.parametrize("written", [0, -5, INT64, HUGE, "9" * 30, 7_258_118_400, "soon", None, []])
def test_a_time_of_steams_that_can_not_be_moves_no_clock(written: Any) -> None:
    client, _ = _client(_json({"response": {"server_time": written}}))
    with pytest.raises(Malformed):
        asyncio.run(client.session.measure_clock())
    assert client.session.clock_offset_seconds == 0


# -- stories -----------------------------------------------------------------------------------------------------------


class Garbling:
    """Steam's JSON answers to some calls, changed on their way."""

    def __init__(self, market: LittleMarket, worker: BotWorker, call: str, change: Callable[[Any], None]) -> None:
        self._session = worker._bot.client.session
        self._inner: Any = self._session.transport
        self._call, self._change = call, change
        self.garbled = 0
        self._session.transport = self

    async def request(self, method: str, url: str, **options: Any) -> Response:
        response: Response = await self._inner.request(method, url, **options)
        if self._call not in url or response.status != 200:
            return response
        body = json.loads(response.body)
        before = json.dumps(body)
        self._change(body)
        self.garbled += json.dumps(body) != before
        return response._replace(body=json.dumps(body).encode())

    def end(self) -> None:
        assert self.garbled, "it struck nothing"
        self._session.transport = self._inner


ABSURD: list[tuple[str, str, dict[str, Any]]] = [
    # what is absurd           in which list              the odd one
    ("its numbers",            "trade_offers_sent",       {"trade_offer_state": HUGE, "time_created": HUGE, "time_updated": -HUGE}),
    ("it was accepted",        "trade_offers_sent",       {"trade_offer_state": 3, "time_updated": HUGE, "items_to_receive": [{"assetid": HUGE, "appid": HUGE}]}),
    ("it gives something",     "trade_offers_sent",       {"trade_offer_state": 3, "time_updated": 7_000_000_000, "tradeid": HUGE, "items_to_give": [{"assetid": {}, "appid": INT64, "classid": []}]}),
    ("it came to the bot",     "trade_offers_received",   {"trade_offer_state": 3, "time_updated": 7_000_000_000, "items_to_receive": [{"assetid": [HUGE]}]}),
    ("its message",            "trade_offers_sent",       {"trade_offer_state": 2, "message": {"a": HUGE}}),
    ("it is no offer",         "trade_offers_sent",       {"accountid_other": None}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "where", "odd"), ABSURD, ids=[row[0] for row in ABSURD])
def test_one_absurd_offer_blinds_nobody(tmp_path: Path, what: str, where: str, odd: dict[str, Any]) -> None:
    """It stands in every list; the sales beside it go on to their ends, lost ones included."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()

        def change(body: Any) -> None:
            body["response"].setdefault(where, []).insert(0, {"tradeofferid": HUGE, "accountid_other": 77} | odd)

        garbling = Garbling(market, worker, "GetTradeOffers", change)
        sales: list[str] = []
        for number in range(2):
            if number and what != "it is no offer":
                market.fault("send_created_then_reset", times=1)
            sales.append(market.open_trade(f"sale {number}", TF2))
            await market.run(worker, lambda: market.trade(sales[-1]).status == "completed")
        await market.pass_time(worker, 5 * MINUTE)
        garbling.end()
        assert (market.bot_state(), worker._bot.memory.is_blind) == ("ok", False)
        assert "news_not_taken" not in market.alerts()

    in_market(tmp_path, story)


SETTLEMENTS: list[tuple[str, Any, int, bool]] = [
    # Steam's date after the exchange    time_settlement                  paid after seconds          doubted
    ("seven days",                       lambda at: at + 7 * DAY,         7 * DAY + 15 * MINUTE,      False),
    ("eight days",                       lambda at: at + 8 * DAY,         8 * DAY + 15 * MINUTE,      False),
    ("six days and 23 hours",            lambda at: at + 7 * DAY - HOUR,  8 * DAY,                    True),
    ("a minute",                         lambda at: at + MINUTE,          8 * DAY,                    True),
    ("before it",                        lambda at: at - 30 * DAY,        8 * DAY,                    True),
    ("1970",                             lambda at: 1,                    8 * DAY,                    True),
    ("none",                             lambda at: None,                 8 * DAY,                    False),
    ("zero",                             lambda at: 0,                    8 * DAY,                    False),
    ("year 10000",                       lambda at: 253_402_300_800,      8 * DAY,                    False),
    ("beyond all numbers",               lambda at: HUGE,                 8 * DAY,                    False),
    ("negative",                         lambda at: -HUGE,                8 * DAY,                    False),
    ("a word",                           lambda at: "soon",               8 * DAY,                    False),
]  # fmt: skip


@pytest.mark.parametrize("when", ["at the exchange", "later"])
@pytest.mark.parametrize(("what", "date", "paid_after", "is_doubted"), SETTLEMENTS, ids=[row[0] for row in SETTLEMENTS])
def test_a_settlement_date_that_can_not_be_pays_nobody(
    tmp_path: Path, what: str, date: Callable[[int], Any], paid_after: int, is_doubted: bool, when: str
) -> None:
    """At the exchange, such a date is as none: eight days. Later, it changes nothing; a sane one settles the sale by itself."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        trade_id = market.open_trade("protected", CS2)

        def change(body: Any) -> None:
            for trade in body["response"].get("trades", []):
                trade["time_settlement"] = date(trade["time_init"])

        if when == "at the exchange":
            garbling = Garbling(market, worker, "GetTradeStatus", change)
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        exchanged_at = market.clock.now_us() // 1_000_000 * 1_000_000
        if when == "later":
            garbling = Garbling(market, worker, "GetTradeStatus", change)
        assert ("settlement_doubted" in market.alerts()) == (is_doubted and when == "at the exchange")
        paid_at = exchanged_at + paid_after * 1_000_000

        def jump() -> float:
            left = (paid_at - market.clock.now_us()) // 1_000_000
            return 8.0 * HOUR if left > 8 * HOUR or is_doubted else 10.0 * MINUTE if left > 10 * MINUTE else 0.0

        market.wait_at_least_seconds = jump
        if is_doubted:
            await market.run(worker, lambda: market.clock.now_us() > exchanged_at + 9 * DAY * 1_000_000)
            assert market.trade(trade_id).status == "accepted", "it waits for a sane date, or for an operator"
            assert "settlement_doubted" in market.alerts()
            assert (market.balances().get(8, 0), market.balances()[12]) == (0, MONEY - ORDER_PRICE)
            garbling.end()
            await market.run(worker, lambda: market.trade(trade_id).status == "completed")
            return
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        if when == "at the exchange":
            assert 0 <= market.clock.now_us() - paid_at < 5 * MINUTE * 1_000_000
        assert market.clock.now_us() - exchanged_at >= (7 * DAY + 15 * MINUTE) * 1_000_000
        assert market.balances()[8] == ORDER_PRICE
        assert market.alerts() == []

    in_market(tmp_path, story)


@pytest.mark.parametrize("date", [HUGE, 0, None, "soon", 253_402_300_800, -1])
def test_an_exchange_without_a_readable_date_ends_no_look_into_the_history(tmp_path: Path, date: Any) -> None:
    """The last entry of the first page has an absurd date. The exchange of a lost offer stands on the second one, and is found."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.fault("send_created_then_reset", times=1)
        market.fault("poll_empty")
        trade_id = market.open_trade("lost", TF2)
        await market.run(worker, lambda: bool(market.offers()))
        market.steam.world.accept(market.offers()[0])
        market.fill_history(120)

        def change(body: Any) -> None:
            if body["response"].get("more"):
                body["response"]["trades"][-1]["time_init"] = date

        garbling = Garbling(market, worker, "GetTradeHistory", change)
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        garbling.end()
        assert len(market.offers()) == 1

    in_market(tmp_path, story)


@pytest.mark.parametrize("what", ["without dates", "always the same page"])
def test_a_history_that_never_ends_stops_no_bot(tmp_path: Path, what: str) -> None:
    """Neither the sweep nor the look for a lost offer: other sales go on, and no conclusion is drawn from half a reading."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        market.fill_history(20)
        kept: list[Any] = []

        def change(body: Any) -> None:
            response = body["response"]
            response["more"] = True
            if what == "without dates":
                for trade in response["trades"]:
                    trade["time_init"] = HUGE
            else:
                kept.append(response["trades"])
                response["trades"] = kept[0]

        garbling = Garbling(market, worker, "GetTradeHistory", change)
        market.fault("send_created_then_reset", times=1)
        lost = market.open_trade("lost", TF2)
        await market.run(worker, lambda: bool(market.offers()))
        # Accepted, and no list shows it.
        (hidden,) = market.offers()
        market.steam.world._by_account[market.bot_account.steamid64].remove(hidden.tradeofferid)
        market.steam.world.accept(hidden)
        other = market.open_trade("other", TF2, seller=market.steam.world.add_account("boris", "seller"))
        await market.run(worker, lambda: market.trade(other).status == "completed")
        await market.pass_time(worker, 12 * MINUTE)
        assert (market.trade(lost).stage, market.trade(lost).status) == (Stage.RECONCILE, "processing")
        garbling.end()
        await market.run(worker, lambda: market.trade(lost).status == "completed")
        assert sum(offer.state == 3 for offer in market.offers()) == 2

    in_market(tmp_path, story)


def test_an_empty_list_after_a_full_one_ends_nothing_and_is_no_look(tmp_path: Path) -> None:
    """Steam shows no offer at all, with 200. A sale whose offer is out goes on; after a lost history the bot is not called looked at."""

    async def story(market: LittleMarket) -> None:
        market.seller.behaviour = Behaviour.IGNORE
        worker = market.worker()
        trade_id = market.open_trade("out", TF2)
        await market.run(worker, lambda: market.trade(trade_id).expires_at is not None)
        market.fault("poll_empty")
        await market.pass_time(worker, 5 * MINUTE)
        assert (market.trade(trade_id).stage, market.offers()[0].state) == (Stage.OFFERED, 2)
        market.steam.world.accept(market.offers()[0])
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")

        market.desk.ask(commands.StopTrading(operator="op", reason="backup put back", known_seq=None, history_lost=True))
        worker.alarm.ring()
        await market.pass_time(worker, 5 * MINUTE)
        with pytest.raises(Refusal):
            market.desk.ask(commands.ResumeTrading(operator="op", reason="go on"))
        market.calm("poll_empty")
        await market.pass_time(worker, 5 * MINUTE)
        market.desk.ask(commands.ResumeTrading(operator="op", reason="go on"))
        assert run_audit(market.store.reader()).violations == []

    in_market(tmp_path, story)
