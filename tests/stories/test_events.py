"""What people are told, over HTTP: by poll and by stream, to whom, in what order, and until when (people P2)."""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from selldesk.kernel.ids import new_uuid7
from tests.support import AK, DAY, Person, SandboxProcess

PATIENCE = 15.0


class Told(NamedTuple):
    cursor: str
    type: str
    data: dict[str, Any]


class Listener:
    """A stream of server-sent events, read as it comes."""

    def __init__(self, person: Person, query: str = "", last_event_id: str | None = None) -> None:
        host, port = person.base_url.removeprefix("http://").split(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        headers = {"x-api-key": person.key} | ({} if last_event_id is None else {"last-event-id": last_event_id})
        self._connection.request("GET", f"/api/events/stream{query}", headers=headers)
        self.response = self._connection.getresponse()
        self.status, self.headers = self.response.status, dict(self.response.getheaders())

    def blocks(self) -> Iterator[list[str]]:
        """Until the server ends the stream."""
        lines: list[str] = []
        while line := self.response.readline():
            text = line.decode().rstrip("\n")
            if text:
                lines.append(text)
            elif lines:
                yield lines
                lines = []

    def events(self) -> Iterator[Told]:
        for lines in self.blocks():
            fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
            if "data" in fields:
                yield Told(fields["id"], fields["event"], json.loads(fields["data"]))

    def take(self, count: int) -> list[Told]:
        events = self.events()
        return [next(events) for _ in range(count)]

    def close(self) -> None:
        self._connection.close()


def end_of(person: Person) -> str:
    page = person.get("/api/events")
    assert (page["events"], page["has_more"]) == ([], False)
    return str(page["next"])


def told_about(person: Person, after: str, trade_id: str, last: str) -> list[dict[str, Any]]:
    """All events about a sale, until one of that type is among them."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + PATIENCE
    while not any(event["type"] == last for event in found):
        assert time.monotonic() < deadline, [event["type"] for event in found]
        page = person.get(f"/api/events?after={after}&types=trade.*&wait=2")
        after = page["next"]
        found += [event for event in page["events"] if event["data"]["trade_id"] == trade_id]
    return found


def steady(event: dict[str, Any]) -> dict[str, Any]:
    """Without the new asset ids, which are as they are known when the event is sent."""
    seen: dict[str, Any] = json.loads(json.dumps(event))
    for item in seen["data"]["processed_trade"]["items_to_receive"]:
        item["new_assetid"] = item["new_contextid"] = None
    return seen


def test_a_sale_is_told_to_its_project_and_its_buyer(sandbox: SandboxProcess) -> None:
    """Each step once to each of them, in their own view, as it stood then; by poll, by id and by stream alike; and `version` rises with
    everything that a reader sees."""
    shop = sandbox.shop
    after, before = end_of(shop), {buyer.key: end_of(buyer) for buyer in sandbox.buyers}
    stream = Listener(shop, f"?after={after}&types=trade.*")
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream"
    assert (stream.headers["cache-control"], stream.headers["x-accel-buffering"]) == ("no-store", "no")
    assert next(stream.blocks()) == ["retry: 3000"]
    custom_id = sandbox.sell(sandbox.sellers[0], 730, AK)
    trade = sandbox.wait_for(custom_id, "accepted")
    events = told_about(shop, after, trade["trade_id"], "trade.accepted")
    assert [event["type"] for event in events] == ["trade.processing", "trade.offer_sent", "trade.accepted"]
    first, sent, accepted = (event["data"] for event in events)
    assert (first["status"], first["offer_url"], first["expires_at"], first["version"]) == ("processing", None, None, 1)
    assert (sent["status"], sent["summary"]) == ("processing", "Processing")
    assert sent["offer_url"].startswith("https://steamcommunity.com/tradeoffer/")
    assert sent["expires_at"] is not None
    assert (accepted["status"], accepted["processed_trade"]["trade_status"]) == ("accepted", "Accepted")
    assert accepted["processed_trade"]["settlement"] == trade["processed_trade"]["settlement"]
    assert all("history" not in event["data"] for event in events)
    for event in events:
        assert (event["role"], event["version"]) == ("project", event["data"]["version"])
        assert event["data"]["custom_id"] == custom_id
        assert steady(shop.get(f"/api/events/{event['id']}")) == steady(event)
    assert sorted(events, key=lambda event: event["cursor"]) == events
    history = shop.get(f"/api/sell/trades/by-id/{trade['trade_id']}")["history"]
    assert trade["version"] == len(history)

    ours = (told for told in stream.events() if told.data["data"]["trade_id"] == trade["trade_id"])
    streamed = [next(ours) for _ in range(3)]
    stream.close()
    assert [(told.cursor, told.type, steady(told.data)) for told in streamed] == [
        (one["cursor"], one["type"], steady(one)) for one in events
    ]

    (buyer,) = [one for one in sandbox.buyers if one.call("GET", f"/api/buy/trades/by-id/{trade['trade_id']}")[0] == 200]
    theirs = told_about(buyer, before[buyer.key], trade["trade_id"], "trade.accepted")
    assert [event["type"] for event in theirs] == ["trade.processing", "trade.accepted"]
    for event in theirs:
        data = event["data"]
        assert (event["role"], data["custom_id"], data["offer_url"], data["processed_trade"]["partner_id"]) == (
            "buyer",
            None,
            None,
            None,
        )
    sandbox.advance(8 * DAY)
    sandbox.wait_for(custom_id, "completed")
    told_about(buyer, theirs[-1]["cursor"], trade["trade_id"], "trade.completed")
    sandbox.assert_clean()


def test_nobody_hears_of_others(sandbox: SandboxProcess) -> None:
    mine, after = end_of(sandbox.shop), end_of(sandbox.other_shop)
    trade = sandbox.wait_for(sandbox.sell(sandbox.sellers[1], 570, sandbox.buyable(570)), "completed")
    event = told_about(sandbox.shop, mine, trade["trade_id"], "trade.completed")[0]
    assert sandbox.other_shop.get(f"/api/events?after={after}")["events"] == []
    for stranger in (sandbox.other_shop, sandbox.operator):
        assert stranger.refused("GET", f"/api/events/{event['id']}") == (404, "Event not found")
    for unknown in (new_uuid7(0), "x", "%00", event["id"][:-1]):
        assert sandbox.shop.refused("GET", f"/api/events/{unknown}") == (404, "Event not found")


def test_money_and_alerts_are_told(sandbox: SandboxProcess) -> None:
    """The owner hears of their money; every operator of alerts and stops."""
    users = sandbox.operator.get("/api/operator/users?limit=100")["users"]
    (user,) = [one for one in users if one["login"] == sandbox.description["projects"][0]["login"]]
    mine, theirs = end_of(sandbox.shop), end_of(sandbox.operator)
    reference = new_uuid7(0)
    sandbox.operator.do("POST", f"/api/operator/users/{user['id']}/deposits", {"amount": 1500, "reference": reference})
    sandbox.operator.do("POST", f"/api/operator/users/{user['id']}/deposits", {"amount": 1500, "reference": reference})
    (event,) = sandbox.shop.get(f"/api/events?after={mine}&types=wallet.*")["events"]
    balance = sandbox.shop.get("/api/wallet/balance")["balance"]
    (line, *_) = sandbox.shop.get("/api/wallet/transactions")["transactions"]
    assert (event["type"], event["role"], event["version"]) == ("wallet.deposited", None, None)
    assert event["data"] == {**line, "balance": balance}
    sandbox.operator.do("POST", "/api/operator/trading/stop", {"reason": "to see"})
    sandbox.operator.do("POST", "/api/operator/trading/resume", {"reason": "seen"})
    sandbox.operator.do("POST", "/api/operator/games/440/stop", {"reason": "hats"})
    sandbox.operator.do("POST", "/api/operator/games/440/resume", {"reason": "no hats"})
    page = sandbox.operator.get(f"/api/events?after={theirs}&types=operator.trading_stopped,operator.trading_resumed")
    login = sandbox.description["operator"]["login"]
    assert [(one["type"], one["data"]) for one in page["events"]] == [
        ("operator.trading_stopped", {"game_id": None, "reason": "to see", "by": login}),
        ("operator.trading_resumed", {"game_id": None, "reason": "seen", "by": login}),
        ("operator.trading_stopped", {"game_id": 440, "reason": "hats", "by": login}),
        ("operator.trading_resumed", {"game_id": 440, "reason": "no hats", "by": login}),
    ]


REFUSED = [
    ("after=x", "after"), ("after=", "after"), ("after=00", "after"), ("after=000000000001-00001", "after"),
    ("types=", "types"), ("types=trade", "types"), ("types=trade.*,", "types"), ("types=webhook.test", "types"),
    ("limit=0", "limit"), ("limit=501", "limit"), ("wait=31", "wait"), ("wait=-1", "wait"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "name"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_bad_question(sandbox: SandboxProcess, query: str, name: str) -> None:
    assert sandbox.shop.refused("GET", f"/api/events?{query}") == (400, f"Invalid query parameter: {name}")
    if name in ("after", "types"):
        assert sandbox.shop.refused("GET", f"/api/events/stream?{query}") == (400, f"Invalid query parameter: {name}")


def test_pages_join_without_gap(sandbox: SandboxProcess) -> None:
    """Page by page one reads exactly what one page shows, whatever the filter."""
    for number in range(7):
        sandbox.operator.do("POST", "/api/operator/games/440/stop", {"reason": str(number)})
    sandbox.operator.do("POST", "/api/operator/games/440/resume", {"reason": "enough"})
    for types in ("", "&types=operator.trading_stopped"):
        whole = sandbox.operator.get(f"/api/events?after=0&limit=500{types}")
        assert not whole["has_more"]
        found: list[dict[str, Any]] = []
        after, has_more = "0", True
        while has_more:
            page = sandbox.operator.get(f"/api/events?after={after}&limit=3{types}")
            found, after, has_more = found + page["events"], page["next"], page["has_more"]
            assert len(page["events"]) == 3 or not has_more
        assert found == whole["events"]


def test_a_poll_waits_and_a_change_shows_soon(sandbox: SandboxProcess) -> None:
    after = end_of(sandbox.operator)
    began = time.monotonic()
    assert sandbox.operator.get(f"/api/events?after={after}&types=operator.trading_stopped&wait=1")["events"] == []
    assert 0.9 < time.monotonic() - began < 5
    waits: list[float] = []
    for number in range(10):
        done_at: list[float] = []

        def stop(reason: str = str(number), done_at: list[float] = done_at) -> None:
            time.sleep(0.1)
            sandbox.operator.do("POST", "/api/operator/games/440/stop", {"reason": reason})
            done_at.append(time.monotonic())

        thread = threading.Thread(target=stop)
        thread.start()
        page = sandbox.operator.get(f"/api/events?after={after}&types=operator.trading_stopped&wait=30")
        seen_at = time.monotonic()
        thread.join()
        waits.append(seen_at - done_at[0])
        assert [event["data"]["reason"] for event in page["events"]] == [str(number)]
        after = page["events"][-1]["cursor"]
    sandbox.operator.do("POST", "/api/operator/games/440/resume", {"reason": "enough"})
    assert sorted(waits)[len(waits) // 2] < 0.25, waits


def test_a_stream_goes_on_where_it_was_across_a_restart(own_sandbox: SandboxProcess) -> None:
    sandbox = own_sandbox.start()
    stream = Listener(sandbox.shop, "?types=trade.*")
    trade = sandbox.wait_for(sandbox.sell(sandbox.sellers[0], 730, AK), "accepted")
    first, second = stream.take(2)
    assert (first.type, second.type) == ("trade.processing", "trade.offer_sent")
    began = time.monotonic()
    ended: list[int] = []
    watcher = threading.Thread(target=lambda: ended.append(len(list(stream.blocks()))))
    watcher.start()
    assert sandbox.stop() == 0
    watcher.join(PATIENCE)
    assert ended, "the stream ended with the process"
    assert time.monotonic() - began < 8
    sandbox.start()
    again = Listener(sandbox.shop, "?after=0", last_event_id=second.cursor)
    (third,) = again.take(1)
    assert (third.type, third.data["data"]["trade_id"]) == ("trade.accepted", trade["trade_id"])
    again.close()
    resumed = Listener(sandbox.shop, f"?after={first.cursor}")
    assert [told.type for told in resumed.take(2)] == ["trade.offer_sent", "trade.accepted"]
    resumed.close()


def test_a_stream_ends_with_its_key(sandbox: SandboxProcess) -> None:
    name = new_uuid7(0)
    key = sandbox.shop.do("POST", "/api/auth/api-keys", {"name": name})["api_key"]
    revoked, stays = Listener(Person(sandbox.base_url, key)), Listener(sandbox.shop)
    assert (next(revoked.blocks()), next(stays.blocks())) == (["retry: 3000"], ["retry: 3000"])
    sandbox.shop.do("DELETE", "/api/auth/api-keys", {"name": name})
    began = time.monotonic()
    assert list(revoked.blocks()) == []
    assert time.monotonic() - began < 2
    sandbox.sell(sandbox.sellers[0], 730, AK)
    assert stays.take(1)[0].type == "trade.processing", "another key of the same account goes on"
    stays.close()


def test_five_streams_a_key(sandbox: SandboxProcess) -> None:
    key = sandbox.other_shop.do("POST", "/api/auth/api-keys", {"name": new_uuid7(0)})["api_key"]
    person = Person(sandbox.base_url, key)
    streams = [Listener(person) for _ in range(5)]
    assert [stream.status for stream in streams] == [200] * 5
    assert person.refused("GET", "/api/events/stream") == (429, "Too many requests")
    assert Listener(sandbox.other_shop).status == 200, "another key has its own"
    streams[0].close()
    deadline = time.monotonic() + PATIENCE
    while (again := Listener(person)).status != 200:
        assert time.monotonic() < deadline
        again.close()
        time.sleep(0.05)
    for stream in streams[1:]:
        with contextlib.suppress(OSError):
            stream.close()
    # A reader who asks for what does not exist holds no place.
    for _ in range(6):
        assert person.refused("GET", "/api/events/stream?after=x")[0] == 400


BAD_DAY: list[tuple[str, dict[str, Any]]] = [
    ("send_created_then_500", {"times": 1}),
    ("poll_500", {"times": 4}),
    ("state_flaps", {"times": 2}),
    ("trade_status_empty", {"times": 3}),
    ("no_new_assetid", {"times": 3}),
]
FINAL = {"completed", "declined", "cancelled", "error", "rolled_back_by_user", "rolled_back_by_bot"}


def test_a_program_that_only_listens_knows_all_of_a_bad_day(sandbox: SandboxProcess) -> None:
    """It sells and never asks after a sale again: what it was told is, word for word, what a look-up shows in the end."""
    beginning = after = end_of(sandbox.shop)
    sales: set[str] = set()
    heard: list[dict[str, Any]] = []
    known: dict[str, dict[str, Any]] = {}

    def hear() -> None:
        nonlocal after
        page = sandbox.shop.get(f"/api/events?after={after}&types=trade.*&wait=1")
        after = page["next"]
        for event in page["events"]:
            if event["data"]["custom_id"] in sales:
                heard.append(event)
                newest = known.get(event["data"]["trade_id"])
                assert newest is None or newest["version"] < event["version"] == event["data"]["version"]
                known[event["data"]["trade_id"]] = event["data"]

    def hear_until(statuses: set[str]) -> None:
        deadline = time.monotonic() + PATIENCE
        while len(known) < len(sales) or not all(data["status"] in statuses for data in known.values()):
            assert time.monotonic() < deadline, [
                [line["note"] for line in sandbox.shop.get(f"/api/sell/trades/by-id/{one}")["history"]] for one in known
            ]
            before = len(heard)
            hear()
            if len(heard) == before:
                # A doubt takes its time, and Steam's buckets fill slowly.
                sandbox.advance(60)

    for fault, options in BAD_DAY:
        sandbox.steam.fault(fault, **options)
    for number, behaviour in enumerate(["accept", "decline", "accept", "counter", "accept"]):
        seller = sandbox.sellers[number % 3]
        sandbox.steam.behave(seller, behaviour)
        for game in (570, 730):
            sales.add(sandbox.sell(seller, game, sandbox.buyable(game)))
        hear_until({"accepted", *FINAL})
    sandbox.steam.clear()
    reversed_by = next(data for data in known.values() if data["status"] == "accepted")
    sandbox.steam.call("POST", "reverse", {"steamid64": reversed_by["processed_trade"]["trade_id"].rpartition("_")[2]})
    sandbox.advance(8 * DAY)
    hear_until(FINAL)

    ends = {data["status"] for data in known.values()}
    assert {"completed", "cancelled"} <= ends
    assert any(end.startswith("rolled_back") for end in ends)
    for trade_id, told in known.items():
        shown = sandbox.shop.get(f"/api/sell/trades/by-id/{trade_id}")
        shown.pop("history")
        assert told == shown
    again = [
        (event["id"], event["version"], event["data"]["status"])
        for event in everything_after(sandbox.shop, beginning)
        if event["type"].startswith("trade.") and event["data"]["custom_id"] in sales
    ]
    assert again == [(event["id"], event["version"], event["data"]["status"]) for event in heard]
    sandbox.assert_clean()


def everything_after(person: Person, after: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = person.get(f"/api/events?after={after}&limit=50")
        found += page["events"]
        after = page["next"]
        if not page["has_more"]:
            return found
