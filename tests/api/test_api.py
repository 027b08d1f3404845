"""The Sell API over HTTP: envelope, refusals, bad bodies, queries, tenants, races. One running sandbox."""

import asyncio
import gzip
import json
import time
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.support import AK, AWP, Person, SandboxProcess, fetch

CREATE = "/api/sell/trades/create"
LINK = "https://steamcommunity.com/tradeoffer/new/?partner=1000004&token=abc"


def _create_body(**changed: Any) -> dict[str, Any]:
    item = {"assetid": "1", "market_hash_name": AK, "price": 1}
    body = {"custom_id": "x", "buyer_id": "7", "tradelink": LINK, "game_id": 730, "items": [item]}
    return body | changed


def _item(**changed: Any) -> dict[str, Any]:
    return {"assetid": "1", "market_hash_name": AK, "price": 1} | changed


BAD_CREATE_BODIES: list[tuple[str, Any]] = [
    ("no custom_id", {key: value for key, value in _create_body().items() if key != "custom_id"}),
    ("empty custom_id", _create_body(custom_id="")),
    ("long custom_id", _create_body(custom_id="x" * 129)),
    ("dot", _create_body(custom_id=".")),
    ("dots", _create_body(custom_id="..")),
    ("control character", _create_body(custom_id="a\nb")),
    ("NUL", _create_body(custom_id="a\0b")),
    ("number as custom_id", _create_body(custom_id=5)),
    ("null", _create_body(custom_id=None)),
    ("text as game", _create_body(game_id="730")),
    ("fraction as game", _create_body(game_id=730.0)),
    ("huge game", _create_body(game_id=2**60)),
    ("no items", _create_body(items=[])),
    ("items as object", _create_body(items={})),
    ("201 items", _create_body(items=[_item(assetid=str(n + 1)) for n in range(201)])),
    ("negative price", _create_body(items=[_item(price=-1)])),
    ("fraction of a mill", _create_body(items=[_item(price=1.5)])),
    ("price as bool", _create_body(items=[_item(price=True)])),
    ("price too high", _create_body(items=[_item(price=10**9 + 1)])),
    ("assetid as number", _create_body(items=[_item(assetid=1)])),
    ("assetid with leading zero", _create_body(items=[_item(assetid="01")])),
    ("assetid with newline", _create_body(items=[_item(assetid="1\n")])),
    ("assetid of letters", _create_body(items=[_item(assetid="1a")])),
    ("context of letters", _create_body(items=[_item(contextid="x")])),
    ("the same asset twice", _create_body(items=[_item(), _item()])),
    ("long message", _create_body(message="m" * 129)),
    ("another site's link", _create_body(tradelink=LINK.replace("steamcommunity.com", "steamcommunity.co"))),
    ("a link without token", _create_body(tradelink=LINK.split("&")[0])),
    ("http link", _create_body(tradelink=LINK.replace("https", "http"))),
    ("link with user", _create_body(tradelink=LINK.replace("steamcommunity", "x@steamcommunity"))),
    ("list", []),
    ("text", "x"),
    ("null body", None),
]
RAW_BODIES: list[tuple[str, bytes]] = [
    ("empty", b""),
    ("no JSON", b"{"),
    ("NaN", b'{"game_id": NaN, "items": [{"market_hash_name": "x"}]}'),
    ("Infinity", b'{"game_id": 730, "items": [{"market_hash_name": "x", "amount": Infinity}]}'),
    ("trailing text", b'{"game_id": 730, "items": [{"market_hash_name": "x"}]} x'),
    ("invalid UTF-8", b'{"game_id": 730, "items": [{"market_hash_name": "\xff"}]}'),
    ("lone surrogate", b'{"game_id": 730, "items": [{"market_hash_name": "\\ud800"}]}'),
    ("NUL", b'{"game_id": 730, "items": [{"market_hash_name": "a\\u0000b"}]}'),
    ("nested without end", b'{"game_id": 730, "items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    ("nested in an unknown field", b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b', "game_id": 730, "items": [{"market_hash_name": "x"}]}'),
    ("past 2^53", b'{"game_id": 9007199254740993, "items": [{"market_hash_name": "x"}]}'),
    ("past 2^64", b'{"game_id": 730, "items": [{"market_hash_name": "x", "amount": 99999999999999999999999999}]}'),
    ("amount 0", b'{"game_id": 730, "items": [{"market_hash_name": "x", "amount": 0}]}'),
    ("amount 10001", b'{"game_id": 730, "items": [{"market_hash_name": "x", "amount": 10001}]}'),
    ("1001 lines", json.dumps({"game_id": 730, "items": [{"market_hash_name": "x"}] * 1001}).encode()),
    ("UTF-16", '{"game_id": 730}'.encode("utf-16")),
    ("BOM", b'\xef\xbb\xbf{"game_id": 730, "items": [{"market_hash_name": "x"}]}'),
    ("form", b"game_id=730"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "body"), BAD_CREATE_BODIES, ids=[row[0] for row in BAD_CREATE_BODIES])
def test_a_bad_create_body_is_400_with_its_place(sandbox: SandboxProcess, what: str, body: Any) -> None:
    status, answer, _ = fetch("POST", sandbox.base_url + CREATE, key=sandbox.shop.key, raw=json.dumps(body).encode())
    assert (status, answer["success"], answer["error"], answer["code"]) == (400, False, "Invalid request body", "invalid_body")
    assert set(answer["details"][0]) == {"path", "message"}


@pytest.mark.parametrize(("what", "raw"), RAW_BODIES, ids=[row[0] for row in RAW_BODIES])
def test_a_malformed_match_body_is_400(sandbox: SandboxProcess, what: str, raw: bytes) -> None:
    status, answer, _ = fetch("POST", sandbox.base_url + "/api/sell/match", key=sandbox.shop.key, raw=raw)
    assert (status, answer["error"]) == (400, "Invalid request body")


def test_unknown_extra_fields_and_parameters_are_ignored(sandbox: SandboxProcess) -> None:
    body = {"game_id": 730, "items": [{"market_hash_name": AK, "colour": "red"}], "extra": [1, {"a": None}]}
    assert sandbox.shop.do("POST", "/api/sell/match?who=knows", body)["items"][0]["price"] > 0


def test_an_unknown_query_parameter_is_refused_to_operators_alone(sandbox: SandboxProcess) -> None:
    """A misspelt filter must not answer everything to whoever acts on the answer; sellers' programs may send what they like (R1)."""
    document = fetch("GET", f"{sandbox.base_url}/openapi.json")[1]
    routes = [
        (path, route["tags"]) for path, methods in document["paths"].items() if "{" not in path and (route := methods.get("get"))
    ]
    operators = [path for path, tags in routes if "Operator" in tags]
    others = [path for path, tags in routes if path.startswith(("/api/sell", "/api/wallet", "/api/auth"))]
    assert (len(operators) > 9, len(others) > 3) == (True, True)
    for path in operators:
        status, body = sandbox.operator.call("GET", f"{path}?limt=5")
        assert (status, body["error"]) == (400, "Invalid query parameter: limt"), path
        assert body["details"] == [{"path": "limt", "message": "is not known here"}]
    assert sandbox.operator.get("/api/operator/audit?full=1")["violations"] == []
    for path in others:
        assert sandbox.shop.call("GET", f"{path}?game_id=730&limt=5")[0] == 200, path


def test_a_body_over_one_mebibyte_is_413(sandbox: SandboxProcess) -> None:
    status, answer, _ = fetch("POST", sandbox.base_url + "/api/sell/match", key=sandbox.shop.key, raw=b" " * (1024 * 1024 + 1))
    assert (status, answer["error"]) == (413, "Request body too large")


ENVELOPE = [
    # method  path                                    key         status  error
    ("GET", "/api/sell/nothing", "shop", 404, "Not found"),
    ("GET", "/nothing", None, 404, "Not found"),
    ("GET", "/api/sell/match", "shop", 405, "Method not allowed"),
    ("DELETE", "/api/sell/trades", "shop", 405, "Method not allowed"),
    ("GET", "/api/sell/trades", None, 401, "Invalid API key"),
    ("GET", "/api/sell/trades", "selldesk_wrong", 401, "Invalid API key"),
    ("GET", "/api/sell/trades", "buyer", 403, "Forbidden"),
    ("GET", "/api/buy/orders", "shop", 403, "Forbidden"),
    ("GET", "/api/operator/audit", "shop", 403, "Forbidden"),
    ("GET", "/api/wallet/balance", "operator", 403, "Forbidden"),
    ("POST", "/sandbox/clock", "shop", 403, "Forbidden"),
    ("GET", "/api/sell/trades/by-id/not-a-uuid", "shop", 404, "Trade not found"),
    ("GET", "/api/sell/trades/by-id/01a20889-92f2-7a1e-860e-062c7e194c24", "shop", 404, "Trade not found"),
    ("GET", "/api/sell/trades/by-custom-id/%00", "shop", 404, "Trade not found"),
    ("GET", "/api/sell/trades/by-custom-id/%ff", "shop", 404, "Trade not found"),
    ("GET", "/api/sell/trades/by-steam-trade-id/x", "shop", 404, "Trade not found"),
    ("GET", "/api/sell/trades/by-steam-tradeoffer-id/1", "shop", 404, "Trade not found"),
]


@pytest.mark.parametrize(("method", "path", "who", "status", "error"), ENVELOPE)
def test_the_envelope(sandbox: SandboxProcess, method: str, path: str, who: str | None, status: int, error: str) -> None:
    keys = {"shop": sandbox.shop.key, "buyer": sandbox.buyers[0].key, "operator": sandbox.operator.key}
    key = keys.get(who or "", who)
    got, answer, headers = fetch(method, sandbox.base_url + path, key=key)
    assert (got, answer["success"], answer["error"]) == (status, False, error)
    assert headers["x-request-id"]
    assert ("x-ratelimit-limit" in headers) == (status not in (401, 405) and error != "Not found")


def test_request_ids_are_echoed_if_sane(sandbox: SandboxProcess) -> None:
    _, _, headers = fetch("GET", sandbox.base_url + "/health", headers={"X-Request-Id": "my-id_1.2:3"})
    assert headers["x-request-id"] == "my-id_1.2:3"
    _, _, headers = fetch("GET", sandbox.base_url + "/health", headers={"X-Request-Id": "no spaces, please"})
    assert len(headers["x-request-id"]) == 36


BAD_QUERIES = [
    "limit=0", "limit=2001", "limit=", "limit=x", "limit=-1", "limit=1.5", "offset=-1", "offset=99999999999999999", "game_id=1", "game_id=x",
    "status=nonsense", "status=accepted,nonsense", "status=", "date_from=yesterday", "date_to=2026-13-01", "price_min=x", "price_max=-1",
    "sort_by=nonsense", "sort_direction=up", "custom_ids=", "trade_ids=" + ",".join(["x"] * 2001), "updated_from=x", "custom_id=%00",
    "custom_id=%ff",
]  # fmt: skip


@pytest.mark.parametrize("query", BAD_QUERIES, ids=lambda query: query[:30])
def test_a_bad_query_names_its_parameter(sandbox: SandboxProcess, query: str) -> None:
    name = query.partition("=")[0]
    status, answer = sandbox.shop.call("GET", f"/api/sell/trades?{query}")
    assert (status, answer["error"], answer["code"]) == (400, f"Invalid query parameter: {name}", "invalid_query")


def test_match_tells_unknown_names_apart(sandbox: SandboxProcess) -> None:
    lines = [{"market_hash_name": AK, "amount": 2}, {"market_hash_name": "No Such Thing"}, {"market_hash_name": AK.upper()}]
    data = sandbox.shop.do("POST", "/api/sell/match", {"game_id": 730, "items": lines})
    assert data["items"][0]["amount"] == 2
    assert data["total_value"] == 2 * data["items"][0]["price"]
    for line in data["items"][1:]:
        assert line == {
            "market_hash_name": line["market_hash_name"], "price": 0, "amount": 0, "error": f"Item not found: {line['market_hash_name']}",
        }  # fmt: skip
    nothing = sandbox.shop.do("POST", "/api/sell/match", {"game_id": 730, "items": [{"market_hash_name": "No Such Thing"}]})
    assert (nothing["buyer_id"], nothing["quote_id"], nothing["quote_expires_at"], nothing["total_value"]) == (None, None, None, 0)
    assert sandbox.shop.refused("POST", "/api/sell/match", {"game_id": 1, "items": [{"market_hash_name": AK}]}) == (
        400,
        "Game not supported",
    )


def test_a_quote_holds_a_buyer_until_it_expires(sandbox: SandboxProcess) -> None:
    """A better buyer appears between match and create: with the quote it is no mismatch, without it is; expired counts as not sent."""
    seller, (third, best) = sandbox.sellers[0], (sandbox.buyers[2], sandbox.buyers[4])
    third.do(
        "PUT",
        "/api/buy/orders",
        {"game_id": 730, "mode": "merge", "orders": [{"market_hash_name": AWP, "price": 900_000, "amount": 5}]},
    )
    assetids = sandbox.steam.give(seller, 730, AWP, 2)
    quoted = sandbox.offer_body(seller, 730, [(assetids[0], AWP)])
    unquoted = sandbox.offer_body(seller, 730, [(assetids[1], AWP)])
    quote_id = unquoted.pop("quote_id")
    best.do(
        "PUT",
        "/api/buy/orders",
        {"game_id": 730, "mode": "merge", "orders": [{"market_hash_name": AWP, "price": 900_001, "amount": 5}]},
    )
    assert sandbox.shop.refused("POST", CREATE, unquoted) == (400, "Buyer mismatch")
    sandbox.shop.do("POST", CREATE, quoted)
    sandbox.advance(31)
    assert sandbox.shop.refused("POST", CREATE, unquoted | {"quote_id": quote_id}) == (400, "Buyer mismatch")
    for buyer in (third, best):
        buyer.do("DELETE", "/api/buy/orders", {"game_id": 730, "market_hash_names": [AWP]})
    sandbox.wait_for(quoted["custom_id"], "accepted")
    sandbox.assert_clean()


@pytest.mark.parametrize(
    "custom_id", ["a/b", "a b?c#d", "100%", "%2F", "ünï/çødé", "a,b", "trailing/", "'; DROP TABLE trade; --", "search", "💰"]
)
def test_any_custom_id_is_found_again(sandbox: SandboxProcess, custom_id: str) -> None:
    custom_id = f"{custom_id}{time.time_ns()}" if custom_id != "trailing/" else f"{time.time_ns()}/"
    seller = sandbox.sellers[int(time.time_ns() // 1000) % 5]
    (assetid,) = sandbox.steam.give(seller, 730, AK)
    body = sandbox.offer_body(seller, 730, [(assetid, AK)], custom_id)
    created = sandbox.shop.do("POST", CREATE, body)
    found = sandbox.shop.get(f"/api/sell/trades/by-custom-id/{quote(custom_id, safe='')}")
    assert (found["trade_id"], found["custom_id"]) == (created["trade_id"], custom_id)
    listed = sandbox.shop.get(f"/api/sell/trades?custom_id={quote(custom_id.upper(), safe='')}")
    assert [trade["trade_id"] for trade in listed["trades"]] == [created["trade_id"]]
    assert sandbox.other_shop.refused("GET", f"/api/sell/trades/by-custom-id/{quote(custom_id, safe='')}") == (
        404,
        "Trade not found",
    )
    sandbox.wait_for(quote(custom_id, safe=""), "accepted")


def test_lists_filter_sort_and_page(own_market: "ListedTrades") -> None:
    sandbox, trades = own_market.sandbox, own_market.trades
    ids = [trade["trade_id"] for trade in trades]

    def listed(query: str) -> list[str]:
        return [trade["trade_id"] for trade in sandbox.shop.get(f"/api/sell/trades?{query}")["trades"]]

    assert listed("limit=2000") == ids[::-1]
    assert listed("sort_direction=asc") == ids
    assert listed("sort_direction=asc&limit=2&offset=1") == ids[1:3]
    page = sandbox.shop.get("/api/sell/trades?limit=1&offset=100")
    assert (page["trades"], page["total"], page["limit"], page["offset"]) == ([], len(ids), 1, 100)
    by_value = sorted(trades, key=lambda trade: (trade["total_value"], trade["trade_id"]))
    assert listed("sort_by=purchase_price&sort_direction=asc") == [trade["trade_id"] for trade in by_value]
    by_custom = sorted(trades, key=lambda trade: trade["custom_id"])
    assert listed("sort_by=custom_id&sort_direction=asc") == [trade["trade_id"] for trade in by_custom]
    cs2 = [trade["trade_id"] for trade in trades if trade["processed_trade"]["game_id"] == 730]
    assert listed("game_id=730&sort_direction=asc") == cs2
    assert set(listed("status=accepted")) == {trade["trade_id"] for trade in trades if trade["status"] == "accepted"}
    assert set(listed("status=accepted,completed")) == set(ids)
    assert listed("status=processing") == []
    top = max(trade["total_value"] for trade in trades)
    assert set(listed(f"price_min={top}")) == {trade["trade_id"] for trade in trades if trade["total_value"] == top}
    assert listed(f"price_max={top}&price_min={top + 1}") == []
    assert listed("custom_id=LIST_%25") == [], "% and _ are ordinary characters"
    assert set(listed("custom_id=LIST-")) == set(ids)
    assert set(listed(f"trade_ids={ids[0]},{ids[1].upper()},nonsense")) == set(ids[:2])
    assert set(listed(f"custom_ids={trades[0]['custom_id']},unknown")) == {ids[0]}
    steam_id = trades[0]["processed_trade"]["trade_id"]
    assert listed(f"steam_trade_ids={steam_id}") == listed(f"steam_trade_ids={steam_id.partition('_')[0]}") == [ids[0]]
    assert listed(f"steam_trade_ids={steam_id}9") == []
    assert listed(f"steam_trade_offer_ids={trades[0]['processed_trade']['tradeoffer_id']}") == [ids[0]]
    middle = trades[2]["created_at"]
    assert set(listed(f"date_from={middle}")) | set(listed(f"date_to={middle}")) == set(ids)
    assert not set(listed(f"date_from={middle}")) & set(listed(f"date_to={middle}"))
    assert listed("date_from=2020-01-01&date_to=2020-01-02T00:00:00") == []
    assert set(listed("updated_from=2020-01-01T00:00:00%2B02:00")) == set(ids)
    search = {"custom_ids": [trade["custom_id"] for trade in trades[:2]], "sort_direction": "asc"}
    assert [trade["trade_id"] for trade in sandbox.shop.do("POST", "/api/sell/trades/search", search)["trades"]] == ids[:2]
    assert sandbox.other_shop.get("/api/sell/trades")["total"] == 0


class ListedTrades:
    def __init__(self, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox
        self.trades = []
        for number, (game, count) in enumerate([(730, 1), (440, 1), (730, 2), (570, 1), (252490, 1)]):
            seller = sandbox.sellers[number]
            name = sandbox.buyable(game)
            items = [(assetid, name) for assetid in sandbox.steam.give(seller, game, name, count)]
            body = sandbox.offer_body(seller, game, items, f"list-{9 - number}")
            sandbox.shop.do("POST", CREATE, body)
            self.trades.append(sandbox.wait_for(body["custom_id"], "accepted" if game == 730 else "completed"))


@pytest.fixture(scope="module")
def own_market(tmp_path_factory: pytest.TempPathFactory) -> Any:
    sandbox = SandboxProcess(tmp_path_factory.mktemp("lists") / "data").start()
    yield ListedTrades(sandbox)
    sandbox.stop()


def test_the_dashboard_counts(own_market: ListedTrades) -> None:
    shop, trades = own_market.sandbox.shop, own_market.trades
    data = shop.get("/api/sell/trades/dashboard")
    volume = sum(trade["total_value"] for trade in trades)
    assert data == {
        "total_transactions": 5, "total_volume": volume, "total_revenue": volume, "avg_transaction": (2 * volume + 5) // 10,
        "success_rate": 100.0, "accepted_count": 2, "completed_count": 3, "processing_count": 0, "error_count": 0, "cancelled_count": 0,
        "declined_count": 0, "rolled_back_by_user_count": 0, "rolled_back_by_bot_count": 0,
    }  # fmt: skip
    assert shop.get("/api/sell/trades/dashboard?game_id=440")["total_transactions"] == 1
    empty = own_market.sandbox.other_shop.get("/api/sell/trades/dashboard")
    assert (empty["avg_transaction"], empty["success_rate"]) == (0, 0.0)


def test_a_buyer_sees_his_trades_but_not_what_is_the_sellers(own_market: ListedTrades) -> None:
    trade = own_market.trades[0]
    index = next(i for i, b in enumerate(own_market.sandbox.description["buyers"]) if b["buyer_id"] == trade["buyer_id"])
    buyer = own_market.sandbox.buyers[index]
    seen = buyer.get(f"/api/buy/trades/by-id/{trade['trade_id']}")
    assert (seen["custom_id"], seen["offer_url"], seen["processed_trade"]["partner_id"]) == (None, None, None)
    assert seen["total_value"] == trade["total_value"]
    assert any(item["trade_id"] == trade["trade_id"] for item in buyer.get("/api/buy/items?limit=2000")["items"])
    stranger = own_market.sandbox.buyers[(index + 1) % 5]
    assert stranger.refused("GET", f"/api/buy/trades/by-id/{trade['trade_id']}") == (404, "Trade not found")
    listed = buyer.get("/api/buy/trades?start_date=2020-01-01&custom_id=nothing")["trades"]
    assert trade["trade_id"] in {one["trade_id"] for one in listed}


def test_nobody_finds_anothers_trade_by_any_id(own_market: ListedTrades) -> None:
    trade, steam_id = own_market.trades[0], own_market.trades[0]["processed_trade"]
    for path in (
        f"by-id/{trade['trade_id']}",
        f"by-steam-tradeoffer-id/{steam_id['tradeoffer_id']}",
        f"by-steam-trade-id/{steam_id['trade_id']}",
        f"by-steam-trade-id/{steam_id['trade_id'].partition('_')[0]}",
        f"by-custom-id/{trade['custom_id']}",
    ):
        assert own_market.sandbox.shop.get(f"/api/sell/trades/{path}")["trade_id"] == trade["trade_id"]
        assert own_market.sandbox.other_shop.refused("GET", f"/api/sell/trades/{path}") == (404, "Trade not found")


def test_wallet_movements_sum_up_to_the_balance(own_market: ListedTrades) -> None:
    for person in (own_market.sandbox.shop, *own_market.sandbox.buyers):
        page = person.get("/api/wallet/transactions?limit=2000")
        assert sum(line["amount"] for line in page["transactions"]) == person.get("/api/wallet/balance")["balance"]
        if page["transactions"]:
            assert page["transactions"][0]["balance_after"] == person.get("/api/wallet/balance")["balance"]
    kinds = {line["kind"] for line in own_market.sandbox.buyers[0].get("/api/wallet/transactions?limit=2000")["transactions"]}
    assert kinds <= {"deposit", "withdrawal", "freeze", "release", "refund", "proceeds", "adjustment"}


def test_prices_of_everything_at_once(sandbox: SandboxProcess) -> None:
    """Highest price that somebody can pay, capped by his money; ETag, 304 and gzip."""
    rich, poor = sandbox.buyers[0], sandbox.buyers[1]
    for buyer in sandbox.buyers:
        buyer.do("DELETE", "/api/buy/orders", {"game_id": 252490})
    name = next(item["market_hash_name"] for item in sandbox.sellers[0]["items"] if item["game_id"] == 252490)
    for buyer, price, amount in ((rich, 5_000, 3), (poor, 5_000, 4), (sandbox.buyers[2], 4_999, 9)):
        line = {"market_hash_name": name, "price": price, "amount": amount}
        buyer.do("PUT", "/api/buy/orders", {"game_id": 252490, "mode": "merge", "orders": [line]})
    deadline = time.monotonic() + 10
    while True:
        status, answer, headers = fetch("GET", f"{sandbox.base_url}/api/sell/prices?game_id=252490", key=sandbox.shop.key)
        if answer["data"]["items"] == [{"market_hash_name": name, "price": 5_000, "amount": 7}]:
            break
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
    assert (status, answer["data"]["game_id"]) == (200, 252490)
    same = {"If-None-Match": headers["etag"]}
    assert fetch("GET", f"{sandbox.base_url}/api/sell/prices?game_id=252490", key=sandbox.shop.key, headers=same)[0] == 304
    _, packed, headers = fetch(
        "GET",
        f"{sandbox.base_url}/api/sell/prices?game_id=252490",
        key=sandbox.shop.key,
        headers={"Accept-Encoding": "br, gzip"},
        parse=False,
    )
    assert headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed))["data"]["items"] == answer["data"]["items"]
    for query in ("", "?game_id=1", "?game_id="):
        assert sandbox.shop.refused("GET", f"/api/sell/prices{query}") == (400, "Invalid query parameter: game_id")
    assert poor.refused("GET", "/api/sell/prices?game_id=730") == (403, "Forbidden")


# -- races -------------------------------------------------------------------------------------------------------------


async def _post_all(base_url: str, key: str, bodies: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    connector = aiohttp.TCPConnector(limit=64)
    async with aiohttp.ClientSession(base_url, headers={"x-api-key": key}, connector=connector) as session:

        async def post(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            async with session.post(CREATE, json=body) as response:
                return response.status, await response.json()

        return await asyncio.gather(*(post(body) for body in bodies))


def test_fifty_creates_with_one_custom_id(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[0]
    custom_id = sandbox.new_custom_id()
    bodies = [sandbox.offer_body(seller, 730, [(assetid, AK)], custom_id) for assetid in sandbox.steam.give(seller, 730, AK, 50)]
    answers = asyncio.run(_post_all(sandbox.base_url, sandbox.shop.key, bodies))
    assert sorted(status for status, _ in answers) == [201] + [409] * 49
    assert {answer["error"] for status, answer in answers if status == 409} == {"A trade with this custom_id already exists"}
    sandbox.wait_for(custom_id, "accepted")
    sandbox.assert_clean()


def test_two_hundred_creates_on_an_order_of_25(sandbox: SandboxProcess) -> None:
    name = "Mann Co. Supply Crate Key"
    for seller in sandbox.sellers:
        sandbox.steam.behave(seller, "ignore")
    for buyer in sandbox.buyers:
        buyer.do("DELETE", "/api/buy/orders", {"game_id": 440, "market_hash_names": [name]})
    order = {"market_hash_name": name, "price": 2_000, "amount": 25}
    sandbox.buyers[1].do("PUT", "/api/buy/orders", {"game_id": 440, "mode": "merge", "orders": [order]})
    bodies = []
    for seller in sandbox.sellers:
        for assetid in sandbox.steam.give(seller, 440, name, 40):
            bodies.append(sandbox.offer_body(seller, 440, [(assetid, name)]))
    bodies = [body for group in zip(*(bodies[start : start + 40] for start in range(0, 200, 40)), strict=True) for body in group]
    answers = asyncio.run(_post_all(sandbox.base_url, sandbox.shop.key, bodies))
    statuses = [status for status, _ in answers]
    assert statuses.count(201) == 25
    assert all(status in (201, 400) for status in statuses)
    (after,) = sandbox.buyers[1].get("/api/buy/orders?game_id=440&market_hash_name=Mann%20Co.%20Supply%20Crate%20Key")["orders"]
    assert (after["amount"], after["remaining"]) == (25, 0)
    for seller in sandbox.sellers:
        sandbox.steam.behave(seller, "accept")
    for body, (status, _) in zip(bodies, answers, strict=True):
        if status == 201:
            sandbox.wait_for(body["custom_id"], "completed", 40)
    sandbox.assert_clean()


# -- operators and keys ------------------------------------------------------------------------------------------------


def test_keys_come_and_go(sandbox: SandboxProcess) -> None:
    made = sandbox.operator.do("POST", "/api/operator/users", {"login": f"u{time.time_ns()}", "roles": ["project"]})
    first = sandbox.operator.do("POST", f"/api/operator/users/{made['id']}/api-keys", {"name": "one"})
    person = Person(sandbox.base_url, first["api_key"])
    assert len(first["api_key"]) == len("selldesk_") + 43
    assert person.get("/api/auth/me")["role"] == "project"
    assert person.refused("POST", "/api/auth/api-keys", {"name": "one"})[0] == 409
    second = person.do("POST", "/api/auth/api-keys", {"name": "two"})
    other = Person(sandbox.base_url, second["api_key"])
    assert {key["name"] for key in other.get("/api/auth/api-keys")} == {"one", "two"}
    assert other.do("DELETE", "/api/auth/api-keys", {"name": "one"}) == {"name": "one"}
    assert person.refused("GET", "/api/auth/me") == (401, "Invalid API key")
    assert other.refused("DELETE", "/api/auth/api-keys", {"name": "one"})[0] == 404
    assert other.refused("DELETE", "/api/auth/api-keys", {"name": "two"})[0] == 409
    sandbox.operator.do("PATCH", f"/api/operator/users/{made['id']}", {"disabled": True})
    assert other.refused("GET", "/api/auth/me") == (401, "Invalid API key")


def test_money_moves_once_per_reference(sandbox: SandboxProcess) -> None:
    made = sandbox.operator.do("POST", "/api/operator/users", {"login": f"m{time.time_ns()}", "roles": ["project"]})
    path = f"/api/operator/users/{made['id']}"
    assert sandbox.operator.call("POST", f"{path}/deposits", {"amount": 500, "reference": "r"})[0] == 201
    assert sandbox.operator.call("POST", f"{path}/deposits", {"amount": 500, "reference": "r"})[0] == 200
    status, answer = sandbox.operator.call("POST", f"{path}/deposits", {"amount": 501, "reference": "r"})
    assert (status, answer["code"]) == (409, "reference_reused")
    assert sandbox.operator.refused("POST", f"{path}/withdrawals", {"amount": 501, "reference": "w"}) == (
        400,
        "Insufficient balance",
    )
    assert sandbox.operator.refused("POST", f"{path}/deposits", {"amount": 2**53 - 1, "reference": "big"})[0] == 400
    sandbox.operator.do("POST", f"{path}/adjustments", {"amount": -100, "reference": "a", "reason": "test"})
    assert sandbox.operator.get(path)["wallet"] == {"balance": 400, "frozen_balance": 0}
    sandbox.assert_clean()


def test_secrets_go_in_and_never_come_out(sandbox: SandboxProcess) -> None:
    secrets = [bot[name] for bot in sandbox.description["bots"] for name in ("password", "shared_secret", "identity_secret")]
    keys = [sandbox.shop.key, sandbox.operator.key]
    for path in ("bots", "overview", "log?limit=2000", "users?limit=2000", "rooms", "alerts"):
        text = json.dumps(sandbox.operator.get(f"/api/operator/{path}"))
        assert not any(secret in text for secret in (*secrets, *keys))
    stored = b"".join(path.read_bytes() for path in sandbox.folder.glob("market.db*"))
    assert not any(secret.encode() in stored for secret in (*secrets, *keys))
    assert not any(secret in sandbox.log() for secret in (*secrets, *keys))


@pytest.mark.parametrize(
    ("number", "fault", "path", "says"),
    [
        (0, {"price": "1"}, "$.orders[0].price", "Expected `int`, got `str`"),
        (1_100, {"amount": None}, "$.orders[1100].amount", "Expected `int`, got `null`"),
        (1_199, {"market_hash_name": 5}, "$.orders[1199].market_hash_name", "Expected `str`, got `int`"),
    ],
)
def test_a_fault_anywhere_in_a_long_list_is_told_by_its_place_and_changes_nothing(
    sandbox: SandboxProcess, number: int, fault: dict[str, Any], path: str, says: str
) -> None:
    buyer = sandbox.buyers[3]
    before = buyer.get("/api/buy/orders?game_id=730")
    lines: list[dict[str, Any]] = [{"market_hash_name": AK, "price": 700 + line, "amount": 3} for line in range(1_200)]
    lines[number] |= fault
    status, answer = buyer.call("PUT", "/api/buy/orders", {"game_id": 730, "mode": "merge", "orders": lines})
    assert (status, answer["code"], answer["details"]) == (400, "invalid_body", [{"path": path, "message": says}])
    assert buyer.get("/api/buy/orders?game_id=730") == before


def test_orders_in_bulk(sandbox: SandboxProcess) -> None:
    buyer = sandbox.buyers[3]
    names = [order["market_hash_name"] for order in buyer.get("/api/buy/orders?game_id=570&limit=5")["orders"]]
    lines = [{"market_hash_name": names[0], "price": 777, "amount": 3}, {"market_hash_name": "No Such Thing", "price": 1, "amount": 1},
             {"market_hash_name": names[1], "price": 0, "amount": 1}, {"market_hash_name": names[0], "price": 5, "amount": 5}]  # fmt: skip
    answer = buyer.do("PUT", "/api/buy/orders", {"game_id": 570, "mode": "merge", "orders": lines})
    assert (answer["created"], answer["updated"], [line["index"] for line in answer["rejected"]]) == (0, 1, [1, 2, 3])
    assert buyer.do("PUT", "/api/buy/orders", {"game_id": 570, "mode": "merge", "orders": lines[:1]})["unchanged"] == 1
    before = buyer.get("/api/buy/orders?game_id=570")["total"]
    replaced = buyer.do("PUT", "/api/buy/orders", {"game_id": 570, "mode": "replace", "orders": [lines[0], lines[2]]})
    assert (replaced["unchanged"], replaced["withdrawn"]) == (1, before - 2)
    assert buyer.do("DELETE", "/api/buy/orders", {"game_id": 570}) == {"withdrawn": 2}
    for body in (
        {"game_id": 570, "mode": "merge", "orders": []},
        {"game_id": 570, "mode": "merge", "orders": [{"market_hash_name": names[0], "price": "1", "amount": 1}]},
    ):
        assert buyer.refused("PUT", "/api/buy/orders", body) == (400, "Invalid request body")
    sandbox.assert_clean()
