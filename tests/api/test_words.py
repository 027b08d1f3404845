"""The API explains itself: every field and parameter has a word, the words are true, and the running market's answers agree."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from selldesk.alerts.kinds import KINDS, RETIRED
from selldesk.bots.rooms import BotState
from selldesk.catalog.games import GAMES
from selldesk.offers.stages import Stage
from selldesk.trades.status import Status
from selldesk.web import glossary
from selldesk.web.glossary import field_key, path_key, query_key
from selldesk.web.openapi import TAGS, docs_page, openapi_document
from selldesk.web.routes import ANYONE, RouteSpec
from tests.support import AK, Person, SandboxProcess, fetch

FORMATS = FormatChecker()


@FORMATS.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator]
def _is_time(value: Any) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@pytest.fixture(scope="module")
def document(shared_sandbox: SandboxProcess) -> dict[str, Any]:
    found: dict[str, Any] = fetch("GET", f"{shared_sandbox.base_url}/openapi.json")[1]
    return found


def fields(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for struct, schema in document["components"]["schemas"].items():
        for name, field in schema.get("properties", {}).items():
            yield struct, name, field


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def parameters(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            yield path, parameter


def faults(schema: dict[str, Any], value: Any, document: dict[str, Any]) -> list[str]:
    checked = Draft202012Validator({**schema, "components": document["components"]}, format_checker=FORMATS)
    return [f"{error.json_path}: {error.message}" for error in checked.iter_errors(value)]


def cores(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The value itself: each branch, each entry."""
    for branch in schema.get("anyOf", [schema]):
        yield branch.get("items", branch)


def without_words(document: dict[str, Any]) -> list[str]:
    found = [
        f"{struct}.{name}" for struct, name, field in fields(document) if "description" not in field or not field.get("examples")
    ]
    return found + [
        f"{path} {one['name']}" for path, one in parameters(document) if not one.get("description") or "example" not in one
    ]


def test_every_field_and_parameter_has_a_meaning_and_an_example(document: dict[str, Any]) -> None:
    assert without_words(document) == []
    assert len(list(fields(document))) > 300


def test_every_example_is_valid(document: dict[str, Any]) -> None:
    wrong = {
        f"{struct}.{name}": found
        for struct, name, field in fields(document)
        if (found := faults(field, field["examples"][0], document))
    }
    assert wrong == {}
    wrong = {
        f"{path} {one['name']}": found
        for path, one in parameters(document)
        if (found := faults(one["schema"], one["example"], document))
    }
    assert wrong == {}


def test_every_envelope_is_explained(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        for answer in operation["responses"].values():
            envelope = answer.get("content", {}).get("application/json", {}).get("schema", {})
            for name, field in envelope.get("properties", {}).items():
                assert field["description"], (path, name)
                assert faults(field, field["examples"][0], document) == [], (path, name)


def test_no_word_is_dead(document: dict[str, Any]) -> None:
    used = {field_key(struct, name) for struct, name, _ in fields(document)}
    used |= {(path_key if one["in"] == "path" else query_key)(path, one["name"]) for path, one in parameters(document)}
    assert set(glossary.WORDS) - used == set()


def test_a_field_that_loses_its_word_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Small(msgspec.Struct):
        total: int

    routes = [RouteSpec("GET", "/small/{item_id}", None, "Small", ANYONE, Small, tag="Service")]  # type: ignore[arg-type]
    assert without_words(openapi_document(routes)) == []
    monkeypatch.setattr(glossary, "WORDS", {})
    monkeypatch.setattr("selldesk.web.openapi.WORDS", {})
    assert {"Small.total", "/small/{item_id} item_id"} <= set(without_words(openapi_document(routes)))


def test_times_say_so(document: dict[str, Any]) -> None:
    """Whatever is called as times are, or has an example that is one."""
    ends, names = ("_at", "_from", "_to", "_until", "_date", "_since"), {"until", "since", "at", "now", "as_of", "settlement"}
    for place, name, schema, example in [
        *((struct, name, field, field["examples"][0]) for struct, name, field in fields(document)),
        *((path, one["name"], one["schema"], one["example"]) for path, one in parameters(document)),
    ]:
        is_time = name.endswith(ends) or name in names or (isinstance(example, str) and example[:8] == "2026-03-")
        says_so = any(core.get("format") == "date-time" for core in cores(schema))
        # A field to sort by and accounts to deliver to are named like some of them.
        assert is_time == says_so or name in ("sort_by", "deliver_to"), (place, name)


def test_numbers_have_a_range(document: dict[str, Any]) -> None:
    for struct, name, field in fields(document):
        for core in cores(field):
            if core.get("type") in ("integer", "number") and struct != "OrderRequestLine":
                assert {"minimum", "enum"} & core.keys(), (struct, name)
    for name, most in (("price", "1,000,000,000"), ("amount", "1,000,000")):
        text = document["components"]["schemas"]["OrderRequestLine"]["properties"][name]["description"]
        assert f"1 to {most}. A line out of range is rejected" in text


def test_statuses_kinds_and_games_are_enums(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def enum(struct: str, name: str) -> list[Any]:
        return next(core["enum"] for core in cores(schemas[struct]["properties"][name]) if "enum" in core)

    assert enum("TradeData", "status") == enum("SearchRequest", "status") == [status.value for status in Status]
    assert enum("OperatorTrade", "stage") == [stage.value for stage in Stage]
    assert enum("AlertView", "kind") == [*KINDS, *RETIRED]
    assert enum("BotView", "state") == [state.value for state in BotState]
    assert enum("Movement", "kind") == ["deposit", "withdrawal", "freeze", "release", "refund", "proceeds", "adjustment"]
    for struct, name, field in fields(document):
        if name in ("game_id", "appid", "games", "blocked_games"):
            assert enum(struct, name) == list(GAMES)
        if name in ("status", "state", "kind", "stage", "role", "roles", "mode", "trade_status") and "$ref" not in field:
            assert enum(struct, name)


def test_public_routes_say_so_and_tags_are_explained(document: dict[str, Any]) -> None:
    public = {path for path, _, operation in operations(document) if operation["security"] == []}
    assert public == {"/health", "/ready", "/openapi.json", "/docs", "/assets/bot.svg", "/"}
    for _, _, operation in operations(document):
        assert operation["security"] in ([], [{"apiKey": []}])
        assert any(status.startswith("4") for status in operation["responses"])
    assert [tag["name"] for tag in document["tags"]] == list(TAGS)
    assert {operation["tags"][0] for _, _, operation in operations(document)} == set(TAGS)


def test_a_query_is_described_as_it_is_read(document: dict[str, Any]) -> None:
    described = {(path, one["name"]): one for path, one in parameters(document)}
    assert described["/api/sell/prices", "game_id"]["required"]
    assert not described["/api/sell/trades", "game_id"]["required"]
    many = described["/api/sell/trades", "status"]
    assert (many["schema"]["type"], many["style"], many["explode"]) == ("array", "form", False)
    assert "custom_id" in described["/api/sell/trades", "sort_by"]["schema"]["enum"]
    assert "custom_id" not in described["/api/buy/trades", "sort_by"]["schema"]["enum"]


def test_the_page_shows_every_field(document: dict[str, Any]) -> None:
    page = docs_page(document)
    for word in ("Meaning", "Range", "Example", "date-time", "width=device-width", "prefers-color-scheme: dark"):
        assert word in page
    for struct, name, _ in fields(document):
        assert f"id='type-{struct}'" in page
        assert f"<code>{name}</code>" in page


def test_what_the_market_answers_is_as_described(sandbox: SandboxProcess, document: dict[str, Any]) -> None:
    """Every list and every single thing that a sale leaves behind, read by whoever may read it."""
    seller, shop, operator = sandbox.sellers[2], sandbox.shop, sandbox.operator
    (assetid,) = sandbox.steam.give(seller, 730, AK)
    body = sandbox.offer_body(seller, 730, [(assetid, AK)])
    created = shop.do("POST", "/api/sell/trades/create", body)
    sold = sandbox.wait_for(body["custom_id"], "accepted")
    buyer = next(
        one
        for one, known in zip(sandbox.buyers, sandbox.description["buyers"], strict=True)
        if known["buyer_id"] == sold["buyer_id"]
    )
    bot, steam = sold["selected_bot"]["steamid64"], sold["processed_trade"]
    room, user = operator.get("/api/operator/rooms")[0]["id"], operator.get("/api/operator/users")["users"][0]["id"]
    match = {"game_id": 730, "items": [{"market_hash_name": AK}, {"market_hash_name": "No Such Thing"}]}
    reads: list[tuple[Person, str, str, str, Any]] = [
        (shop, "POST", "/api/sell/match", "/api/sell/match", match),
        (shop, "POST", "/api/sell/trades/search", "/api/sell/trades/search", {"status": ["accepted"], "limit": 5}),
        (shop, "GET", "/api/sell/prices?game_id=730", "/api/sell/prices", None),
        (shop, "GET", f"/api/sell/sellers/{seller['steamid64']}", "/api/sell/sellers/{steamid64}", None),
        (shop, "GET", f"/api/sell/trades/by-id/{sold['trade_id']}", "/api/sell/trades/by-id/{id}", None),
        (buyer, "GET", f"/api/buy/trades/by-id/{sold['trade_id']}", "/api/buy/trades/by-id/{id}", None),
        (operator, "GET", f"/api/operator/trades/{sold['trade_id']}", "/api/operator/trades/{id}", None),
        (operator, "GET", f"/api/operator/sellers/{seller['steamid64']}", "/api/operator/sellers/{steamid64}", None),
        (operator, "GET", f"/api/operator/bots/{bot}", "/api/operator/bots/{steamid64}", None),
        (operator, "GET", f"/api/operator/bots/{bot}/items", "/api/operator/bots/{steamid64}/items", None),
        (operator, "GET", f"/api/operator/rooms/{room}", "/api/operator/rooms/{id}", None),
        (operator, "GET", f"/api/operator/users/{user}", "/api/operator/users/{id}", None),
        (operator, "GET", f"/api/operator/users/{user}/api-keys", "/api/operator/users/{id}/api-keys", None),
    ]
    people = {
        "Sell": shop,
        "Account": shop,
        "Wallet": buyer,
        "Buy": buyer,
        "Events": buyer,
        "Webhooks": buyer,
        "Operator": operator,
        "Service": operator,
    }
    for path, method, operation in operations(document):
        media = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
        if method == "get" and "{" not in path and "schema" in media and path != "/api/sell/prices":
            reads.append((people[operation["tags"][0]], "GET", path, path, None))
    assert len(reads) > 30
    wrong = {}
    for person, method, path, pattern, sent in reads:
        status, answer = person.call(method, path, sent)
        assert status == 200, (path, answer)
        schema = document["paths"][pattern][method.lower()]["responses"]["200"]["content"]["application/json"]["schema"]
        if found := faults(schema, answer, document):
            wrong[path] = found
        if sent is not None:
            body_schema = document["paths"][pattern][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
            assert faults(body_schema, sent, document) == []
    assert wrong == {}
    assert steam["trade_status"] == "Accepted"
    create = document["paths"]["/api/sell/trades/create"]["post"]
    assert faults(create["requestBody"]["content"]["application/json"]["schema"], body, document) == []
    described = create["responses"]["201"]["content"]["application/json"]["schema"]
    assert faults(described, {"success": True, "data": created}, document) == []
    status, refused = shop.call("POST", "/api/sell/trades/create", {})
    assert (status, faults({"$ref": "#/components/schemas/ErrorBody"}, refused, document)) == (400, [])
