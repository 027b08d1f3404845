"""Webhooks as a seller's programmer meets them: real receivers, a real sandbox, over HTTP (people P3)."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from selldesk.kernel.ids import new_uuid7
from tests.receivers import Receiver, Request, answer, hang, reset
from tests.stories.test_events import end_of, steady
from tests.support import DAY, Person, SandboxProcess

PATIENCE = 15.0
HOUR = 3_600


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


@pytest.fixture
def operator(sandbox: SandboxProcess) -> Iterator[Person]:
    """Stops and resumes of a game are events that need no bot."""
    yield sandbox.operator
    if "440" in str(sandbox.operator.get("/api/operator/overview")["stopped_games"]):
        sandbox.operator.do("POST", "/api/operator/games/440/resume", {"reason": "enough"})
    for one in sandbox.operator.get("/api/webhooks?limit=100")["endpoints"]:
        sandbox.operator.do("DELETE", f"/api/webhooks/{one['id']}")


def listen(person: Person, url: str, *events: str, **more: Any) -> dict[str, Any]:
    endpoint: dict[str, Any] = person.do("POST", "/api/webhooks", {"url": url, "events": list(events), **more})
    return endpoint


def stop_hats(operator: Person, reason: str) -> None:
    operator.do("POST", "/api/operator/games/440/stop", {"reason": reason})


def reasons(requests: list[Request]) -> list[str]:
    return [request.event["data"]["reason"] for request in requests]


def until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
    return found


def log_of(person: Person, endpoint: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = person.get(f"/api/webhooks/{endpoint['id']}/log{query}")["entries"]
    return entries


def test_a_sale_is_told_by_webhook_as_by_poll(sandbox: SandboxProcess, receiver: Receiver) -> None:
    """Every step once, the same object, signed with the endpoint's secret, and in the log."""
    after = end_of(sandbox.shop)
    endpoint = listen(sandbox.shop, receiver.url, "trade.*", description="mine")
    try:
        trade = sandbox.wait_for(sandbox.sell(sandbox.sellers[0], 570, sandbox.buyable(570)), "completed")
        ours = until(
            lambda: (
                [one for one in receiver.requests if one.event["data"]["trade_id"] == trade["trade_id"]][3:] and receiver.requests
            )
        )
        requests = [one for one in ours if one.event["data"]["trade_id"] == trade["trade_id"]]
        polled = sandbox.shop.get(f"/api/events?after={after}&types=trade.*")["events"]
        told = {event["id"]: steady(event) for event in polled if event["data"]["trade_id"] == trade["trade_id"]}
        assert {one.headers["webhook-id"]: steady(one.event) for one in requests} == told
        for one in requests:
            assert Webhook(endpoint["secret"]).verify(one.body, one.headers) == one.event
        entries = until(
            lambda: [one for one in log_of(sandbox.shop, endpoint) if one["event_id"] in told and one["state"] == "delivered"][3:]
        )
        assert entries
        shown = sandbox.shop.get(f"/api/webhooks/{endpoint['id']}")
        assert "secret" not in shown
        assert (shown["description"], shown["enabled"], shown["failing_since"]) == ("mine", True, None)
        assert shown["last_success_at"] is not None
    finally:
        sandbox.shop.do("DELETE", f"/api/webhooks/{endpoint['id']}")


def test_an_event_is_tried_again_until_it_is_taken(sandbox: SandboxProcess, operator: Person, receiver: Receiver) -> None:
    """By the specification's table, under the same id; Retry-After lengthens; and nothing is told twice."""
    receiver.mood = answer(500, b"out of order")
    endpoint = listen(operator, receiver.url, "operator.trading_stopped")
    stop_hats(operator, "one")
    receiver.wait(1)
    (entry,) = until(lambda: [one for one in log_of(operator, endpoint, "?state=pending") if one["attempts"]])
    assert (entry["attempts"][0]["status_code"], entry["attempts"][0]["response"]) == (500, "out of order")
    assert operator.get(f"/api/webhooks/{endpoint['id']}")["failing_since"] is not None
    receiver.mood = answer(503, retry_after="7200")
    sandbox.advance(6)
    receiver.wait(2)
    until(lambda: len(log_of(operator, endpoint)[0]["attempts"]) == 2)
    receiver.mood = answer(204, b"")
    sandbox.advance(HOUR)
    time.sleep(1)
    assert len(receiver.requests) == 2, "it was asked to come in two hours"
    sandbox.advance(HOUR + 60)
    receiver.wait(3)
    entry = until(lambda: [one for one in log_of(operator, endpoint) if one["state"] == "delivered"])[0]
    assert [attempt["status_code"] for attempt in entry["attempts"]] == [500, 503, 204]
    assert entry["next_attempt_at"] is None
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    stamps = [int(request.headers["webhook-timestamp"]) for request in receiver.requests]
    assert max(abs(stamp - time.time()) for stamp in stamps) < 60, "real seconds, whatever the market's clock says"
    assert operator.get(f"/api/webhooks/{endpoint['id']}")["failing_since"] is None


def test_an_endpoint_that_is_gone_is_disabled_and_comes_back(sandbox: SandboxProcess, operator: Person, receiver: Receiver) -> None:
    """410 at once. Its owner hears of it by their other ways; enabled again it hears of what comes, and recovers what was between."""
    with Receiver() as other:
        listen(operator, other.url, "webhook.disabled", "operator.alert")
        endpoint = listen(operator, receiver.url, "operator.trading_stopped")
        receiver.mood = answer(410)
        stop_hats(operator, "gone")
        shown = until(lambda: (one := operator.get(f"/api/webhooks/{endpoint['id']}")) and not one["enabled"] and one)
        assert (shown["disabled_reason"], shown["disabled_at"] is not None) == ("gone", True)
        told = {one.event["type"]: one.event["data"] for one in other.wait(2)}
        assert told["webhook.disabled"] == {
            "endpoint_id": endpoint["id"], "url": receiver.url, "reason": "gone", "disabled_at": shown["disabled_at"],
        }  # fmt: skip
        assert told["operator.alert"]["kind"] == "webhook_disabled"
    receiver.mood = answer(200)
    stop_hats(operator, "while it was away")
    time.sleep(0.5)
    assert reasons(receiver.requests) == ["gone"]
    operator.do("PATCH", f"/api/webhooks/{endpoint['id']}", {"enabled": True})
    stop_hats(operator, "back")
    until(lambda: "back" in reasons(receiver.requests))
    assert "while it was away" not in reasons(receiver.requests)
    sandbox.advance(HOUR)
    until(lambda: reasons(receiver.requests).count("gone") == 2)
    status, recovered = operator.call("POST", f"/api/webhooks/{endpoint['id']}/recover", {"since": shown["disabled_at"]})
    assert status == 202
    assert recovered["data"]["queued"] >= 1
    until(lambda: "while it was away" in reasons(receiver.requests))
    entry = log_of(operator, endpoint, "?limit=1")[0]
    before = len(receiver.requests)
    assert operator.call("POST", f"/api/webhooks/{endpoint['id']}/log/{entry['id']}/redeliver")[0] == 202
    receiver.wait(before + 1)
    assert receiver.requests[-1].headers["webhook-id"] == entry["event_id"]


def test_a_secret_changes_while_both_sign(sandbox: SandboxProcess, operator: Person, receiver: Receiver) -> None:
    endpoint = listen(operator, receiver.url, "operator.*")
    path = f"/api/webhooks/{endpoint['id']}/rotate"
    rotated = operator.do("POST", path, {"overlap_seconds": 600})
    assert rotated["previous_secret_until"] is not None
    assert operator.refused("POST", path, {"overlap_seconds": 5}) == (409, "A rotation is already running")
    stop_hats(operator, "both")
    (both,) = receiver.wait(1)
    assert len(both.headers["webhook-signature"].split(" ")) == 2
    for secret in (endpoint["secret"], rotated["secret"]):
        assert Webhook(secret).verify(both.body, both.headers)
    ended = operator.do("POST", path, {"overlap_seconds": 0})
    assert ended["previous_secret_until"] is None
    stop_hats(operator, "the new one alone")
    alone = receiver.wait(2)[1]
    assert Webhook(ended["secret"]).verify(alone.body, alone.headers)
    for secret in (endpoint["secret"], rotated["secret"]):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(alone.body, alone.headers)


def test_a_test_is_sent_at_once_and_kept_nowhere(sandbox: SandboxProcess, operator: Person, receiver: Receiver) -> None:
    endpoint = listen(operator, receiver.url, "payout.*", enabled=False)
    path = f"/api/webhooks/{endpoint['id']}/test"
    result = operator.do("POST", path)
    assert (result["delivered"], result["status_code"], result["error"]) == (True, 200, None)
    (request,) = receiver.requests
    assert Webhook(endpoint["secret"]).verify(request.body, request.headers)
    assert (request.event["type"], list(request.event["data"])) == ("webhook.test", ["message"])
    receiver.mood = answer(500)
    assert operator.do("POST", path)["status_code"] == 500
    receiver.mood = reset
    assert operator.do("POST", path)["error"] == "the connection broke"
    assert log_of(operator, endpoint) == []
    assert operator.refused("GET", f"/api/events/{request.headers['webhook-id']}")[0] == 404


def test_who_may_have_which_endpoints(sandbox: SandboxProcess, operator: Person, receiver: Receiver) -> None:
    """Bad URLs and types are refused at the write, an eleventh endpoint too; another's does not exist."""
    for url, fault in (
        ("ftp://x.example", "must begin with https:// and name a host"),
        (f"{receiver.url}#x", "must have no fragment"),
        ("http://me@x.example", "must name no user or password"),
        ("x" * 2_049, None),
    ):
        status, refusal = operator.call("POST", "/api/webhooks", {"url": url, "events": ["*"]})
        assert (status, refusal["code"]) == (400, "invalid_body")
        if fault is not None:
            assert refusal["details"] == [{"path": "$.url", "message": fault}]
    for events in ([], ["trade"], ["*", "x"], ["webhook.test"], "trade.*"):
        assert operator.refused("POST", "/api/webhooks", {"url": receiver.url, "events": events})[0] == 400
    assert operator.refused("POST", "/api/webhooks", {"url": receiver.url, "events": ["*"], "x": 1})[0] == 400
    endpoints = [listen(operator, receiver.url, "*") for _ in range(10)]
    assert operator.refused("POST", "/api/webhooks", {"url": receiver.url, "events": ["*"]}) == (409, "Too many webhook endpoints")
    page = operator.get("/api/webhooks?limit=3&offset=2")
    assert ([one["id"] for one in page["endpoints"]], page["total"]) == ([one["id"] for one in endpoints[2:5]], 10)
    mine = endpoints[0]["id"]
    gone = (404, "Webhook endpoint not found")
    for stranger, endpoint in ((sandbox.shop, mine), (operator, new_uuid7(0)), (operator, "x"), (operator, "%00")):
        path = f"/api/webhooks/{endpoint}"
        assert stranger.refused("GET", path) == gone
        assert stranger.refused("PATCH", path, {"enabled": False}) == gone
        assert stranger.refused("DELETE", path) == gone
        assert stranger.refused("POST", f"{path}/rotate", {}) == gone
        assert stranger.refused("POST", f"{path}/test") == gone
        assert stranger.refused("GET", f"{path}/log") == gone
        assert stranger.refused("POST", f"{path}/log/{new_uuid7(0)}/redeliver") == gone
        assert stranger.refused("POST", f"{path}/recover", {"since": "2026-01-01T00:00:00Z"}) == gone
    changed = operator.do("PATCH", f"/api/webhooks/{mine}", {"description": "x", "events": ["wallet.*"]})
    assert (changed["description"], changed["events"], changed["url"]) == ("x", ["wallet.*"], receiver.url)
    assert operator.do("PATCH", f"/api/webhooks/{mine}", {"description": None})["description"] is None
    assert operator.refused("PATCH", f"/api/webhooks/{mine}", {"events": ["x"]})[0] == 400
    for query in ("state=x", "type=x", "limit=0", "limit=101", "cursor=x"):
        assert operator.refused("GET", f"/api/webhooks/{mine}/log?{query}")[0] == 400
    assert operator.refused("POST", f"/api/webhooks/{mine}/recover", {"since": "x"})[0] == 400
    assert operator.refused("POST", f"/api/webhooks/{mine}/recover", {"since": "2026-01-01T00:00:00Z", "types": ["x"]})[0] == 400
    assert operator.refused("POST", f"/api/webhooks/{mine}/log/{new_uuid7(0)}/redeliver") == (404, "Event not found")


def test_the_log_is_read_page_by_page(sandbox: SandboxProcess, operator: Person, receiver: Receiver) -> None:
    endpoint = listen(operator, receiver.url, "operator.trading_stopped")
    for number in range(7):
        stop_hats(operator, str(number))
    receiver.wait(7)
    assert sorted(reasons(receiver.requests)) == [str(number) for number in range(7)]
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": ""}
    while page["next"] is not None:
        cursor = f"&cursor={page['next']}" if page["next"] else ""
        page = operator.get(f"/api/webhooks/{endpoint['id']}/log?limit=3{cursor}")
        found += page["entries"]
    assert [entry["event_id"] for entry in found] == [one["event_id"] for one in log_of(operator, endpoint, "?limit=100")]
    assert len(found) == 7


def wait_for_ids(receiver: Receiver, count: int) -> None:
    until(lambda: len({one.headers["webhook-id"] for one in receiver.requests}) >= count, 40)


def test_kill_9_of_the_courier_loses_nothing(own_sandbox: SandboxProcess) -> None:
    """Whatever was under way comes again, under the same id; the next courier begins at once."""
    sandbox = own_sandbox.start()
    operator = sandbox.operator
    with Receiver() as receiver:
        endpoint = listen(operator, receiver.url, "operator.trading_stopped")
        told = 0
        for _ in range(3):
            receiver.mood = hang
            for _ in range(20):
                stop_hats(operator, str(told))
                told += 1
            until(lambda: receiver.requests)
            receiver.mood = answer(200)
            assert sandbox.kill_child("selldesk.runtime.child")
            wait_for_ids(receiver, told)
        assert {int(reason) for reason in reasons(receiver.requests)} == set(range(told))
        until(lambda: not log_of(operator, endpoint, "?state=pending"), 40)
        assert len(receiver.requests) < 4 * told
    sandbox.assert_clean()


def test_events_of_an_endpoint_go_with_the_market(own_sandbox: SandboxProcess) -> None:
    """A month later log and events are gone, and an endpoint that never answered has been given up."""
    sandbox = own_sandbox.start()
    with Receiver(answer(500)) as receiver:
        endpoint = listen(sandbox.operator, receiver.url, "operator.trading_stopped")
        for number in range(3):
            stop_hats(sandbox.operator, str(number))
        for _ in range(9):
            sandbox.advance(27 * HOUR)
            tries = sum(len(entry["attempts"]) for entry in log_of(sandbox.operator, endpoint))
            time.sleep(0.7)
            if sum(len(entry["attempts"]) for entry in log_of(sandbox.operator, endpoint)) == tries > 20:
                break
        states = [entry["state"] for entry in log_of(sandbox.operator, endpoint)]
        assert set(states) <= {"failed", "pending"}
        sandbox.advance(40 * DAY)
        until(lambda: not log_of(sandbox.operator, endpoint), 90)
        assert sandbox.operator.refused("GET", "/api/events?after=000000000001-0001") == (410, "Events before this cursor are gone")
    sandbox.assert_clean()
