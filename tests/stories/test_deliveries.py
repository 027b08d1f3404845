"""Items out, as a VIP and an operator see it over HTTP (people P4): asked for, accepted on Steam, accounted for to the last one."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from selldesk.kernel.ids import new_uuid7
from tests.stories.test_events import end_of
from tests.support import DAY, Person, SandboxProcess

PATIENCE = 25.0


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
    return found


class Vip:
    """The buyer who got a sale, with the account that belongs to them."""

    def __init__(self, sandbox: SandboxProcess, person: Person) -> None:
        self.sandbox, self.person = sandbox, person
        index = [one.key for one in sandbox.buyers].index(person.key)
        self.account: dict[str, Any] = sandbox.description["buyers"][index]

    def behave(self, behaviour: str, delay_seconds: float = 0.1) -> None:
        self.sandbox.steam.behave(self.account, behaviour, delay_seconds)

    def items(self, query: str = "") -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.person.get(f"/api/buy/items?limit=100{query}")["items"]
        return items

    def ask_for(self, items: list[str], **more: Any) -> list[dict[str, Any]]:
        body = {"custom_id": new_uuid7(0), "items": items, **more}
        made: list[dict[str, Any]] = self.person.do("POST", "/api/buy/deliveries", body)["deliveries"]
        return made

    def delivery(self, one: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.person.get(f"/api/buy/deliveries/{one['delivery_id']}")
        return found

    def wait_for(self, one: dict[str, Any], *statuses: str) -> dict[str, Any]:
        found: dict[str, Any] = until(lambda: (now := self.delivery(one))["status"] in statuses and now)
        return found


def bought(sandbox: SandboxProcess, game: int, count: int = 1) -> tuple[Vip, list[str]]:
    """Items that some buyer owns since just now: (who, item ids)."""
    custom_id = sandbox.sell(sandbox.sellers[2], game, sandbox.buyable(game), count)
    if game == 730:
        sandbox.wait_for(custom_id, "accepted")
        sandbox.advance(8 * DAY)
    trade = sandbox.wait_for(custom_id, "completed")
    (person,) = [one for one in sandbox.buyers if one.call("GET", f"/api/buy/trades/by-id/{trade['trade_id']}")[0] == 200]
    vip = Vip(sandbox, person)
    vip.behave("accept")
    if person.get("/api/buy/settings")["tradelink"] is None:
        person.do("PUT", "/api/buy/settings", {"tradelink": vip.account["tradelink"]})
    return vip, [f"{trade['trade_id']}-{position}" for position in range(count)]


@pytest.mark.parametrize("game", [570, 730])
def test_a_vip_gets_items(sandbox: SandboxProcess, game: int) -> None:
    vip, items = bought(sandbox, game, 2)
    after = end_of(vip.person)
    (made,) = vip.ask_for(items, message="thank you")
    assert (made["status"], made["part"], made["parts"], made["game_id"]) == ("processing", 1, 1, game)
    assert [one["item_id"] for one in made["items"]] == items
    assert {one["item_id"] for one in vip.items(f"&delivery_id={made['delivery_id']}")} <= set(items)
    done = vip.wait_for(made, "completed" if game == 570 else "accepted")
    assert done["offer_url"].startswith("https://steamcommunity.com/tradeoffer/")
    assert done["processed_trade"]["partner_id"] == vip.account["tradelink"]
    assert len(done["processed_trade"]["items_to_give"]) == 2
    assert done["processed_trade"]["items_to_receive"] == []
    assert done["processed_trade"]["trade_id"].endswith(f"_{vip.account['steamid64']}")
    assert not {one["item_id"] for one in vip.items()} & set(items)
    assert done["version"] == len(done["history"])
    if game == 730:
        assert done["processed_trade"]["settlement"] is not None
        sandbox.advance(8 * DAY)
        vip.wait_for(made, "completed")
    events = until(
        lambda: (
            (page := vip.person.get(f"/api/events?after={after}&types=delivery.*")["events"])
            and page[-1]["type"] == "delivery.completed"
            and page
        )
    )
    assert [event["type"] for event in events] == [
        "delivery.processing", "delivery.offer_sent", "delivery.accepted", "delivery.completed",
    ]  # fmt: skip
    assert all(event["role"] == "buyer" and event["data"]["delivery_id"] == made["delivery_id"] for event in events)
    sandbox.assert_clean()


def test_what_is_declined_is_held_again_and_a_cancel_ends_it(sandbox: SandboxProcess) -> None:
    vip, items = bought(sandbox, 570)
    vip.behave("ignore")
    (made,) = vip.ask_for(items)
    open_offer = until(lambda: (now := vip.delivery(made))["expires_at"] and now["processed_trade"]["status"] == 2 and now)
    assert open_offer["offer_url"] is not None
    (state,) = [one["state"] for one in vip.items() if one["item_id"] == items[0]]
    assert state == "in_delivery"
    assert vip.person.refused("POST", "/api/buy/deliveries", {"custom_id": new_uuid7(0), "items": items})[1].endswith(
        "is already in a delivery"
    )
    vip.person.do("POST", f"/api/buy/deliveries/{made['delivery_id']}/cancel")
    ended = vip.wait_for(made, "cancelled")
    assert ended["error"] == "The buyer cancelled the delivery"
    assert vip.person.refused("POST", f"/api/buy/deliveries/{made['delivery_id']}/cancel") == (
        409,
        "Not in a status that allows this",
    )
    (state,) = [one["state"] for one in vip.items() if one["item_id"] == items[0]]
    assert state == "held"
    vip.behave("accept")
    sandbox.advance(3_700)
    (again,) = vip.ask_for(items)
    vip.wait_for(again, "completed")
    sandbox.assert_clean()


def test_nobody_sees_or_takes_what_is_anothers(sandbox: SandboxProcess) -> None:
    vip, items = bought(sandbox, 570)
    other = next(one for one in sandbox.buyers if one.key != vip.person.key)
    account = Vip(sandbox, other).account
    assert other.refused("PUT", "/api/buy/settings", {"tradelink": vip.account["tradelink"]}) == (
        400,
        "This trade link is not yours",
    )
    body = {"custom_id": new_uuid7(0), "items": items, "tradelink": account["tradelink"]}
    assert other.refused("POST", "/api/buy/deliveries", body) == (400, f"Item not found: {items[0]}")
    body["tradelink"] = "x"
    assert vip.person.refused("POST", "/api/buy/deliveries", body)[0] == 400
    body["tradelink"] = account["tradelink"]
    assert vip.person.refused("POST", "/api/buy/deliveries", body) == (400, "This trade link is not yours")
    for items_ in ([], [items[0], items[0]], ["x"] * 1_001):
        assert vip.person.refused("POST", "/api/buy/deliveries", {"custom_id": "x", "items": items_})[0] == 400
    (made,) = vip.ask_for(items)
    path = f"/api/buy/deliveries/{made['delivery_id']}"
    assert other.refused("GET", path) == (404, "Delivery not found")
    assert other.refused("POST", f"{path}/cancel") == (404, "Delivery not found")
    assert sandbox.shop.refused("GET", path) == (403, "Forbidden")
    assert vip.person.refused("GET", "/api/buy/deliveries/x") == (404, "Delivery not found")
    assert made["delivery_id"] not in [one["delivery_id"] for one in other.get("/api/buy/deliveries?limit=100")["deliveries"]]
    page = vip.person.get(f"/api/buy/deliveries?custom_id={made['custom_id']}")
    assert ([one["delivery_id"] for one in page["deliveries"]], page["total"]) == ([made["delivery_id"]], 1)
    assert vip.person.refused("GET", "/api/buy/deliveries?status=x") == (400, "Invalid query parameter: status")
    vip.wait_for(made, "completed")


def test_an_operator_looks_after_deliveries(sandbox: SandboxProcess) -> None:
    vip, items = bought(sandbox, 570)
    vip.behave("ignore")
    users = sandbox.operator.get("/api/operator/users?limit=100")["users"]
    (user,) = [one for one in users if one["steamid64"] == vip.account["steamid64"]]
    friend = sandbox.description["sellers"][4]
    changed = sandbox.operator.do("PATCH", f"/api/operator/users/{user['id']}", {"deliver_to": [friend["steamid64"]]})
    assert changed["deliver_to"] == [friend["steamid64"]]
    sandbox.steam.behave(friend, "ignore")
    (made,) = vip.ask_for(items, tradelink=friend["tradelink"])
    path = f"/api/operator/deliveries/{made['delivery_id']}"
    shown = until(lambda: (now := sandbox.operator.get(path))["delivery"]["expires_at"] and now)
    assert (shown["stage"], shown["buyer"]) == ("offered", vip.account["login"])
    assert shown["evidence"]
    held = {one["steamid64"]: one for one in sandbox.operator.get("/api/operator/bots")}
    assert held[shown["delivery"]["selected_bot"]["steamid64"]]["items"]["570"]["in_delivery"] >= 1
    assert sandbox.operator.refused("POST", f"{path}/declare-accepted", {"reason": "x"})[0] == 409
    assert sandbox.operator.do("POST", f"{path}/cancel", {"reason": "x"})["status"] == "processing"
    assert vip.wait_for(made, "declined")["error"] == "The delivery was withdrawn by an operator"
    assert sandbox.operator.refused("POST", f"{path}/retry", {"reason": "x"}) == (409, "Not in a status that allows this")
    unknown = f"/api/operator/deliveries/{new_uuid7(0)}"
    assert sandbox.operator.refused("POST", f"{unknown}/cancel", {"reason": "x"}) == (404, "Delivery not found")
    assert sandbox.operator.refused("GET", unknown) == (404, "Delivery not found")
    listed = sandbox.operator.get(f"/api/operator/deliveries?custom_id={made['custom_id']}")["deliveries"]
    assert [one["delivery_id"] for one in listed] == [made["delivery_id"]]
    (entry,) = [
        one
        for one in sandbox.operator.get("/api/operator/log?limit=100")["entries"]
        if one["action"] == "delivery.cancel" and one["target"] == made["delivery_id"]
    ]
    assert entry["operator"] == sandbox.description["operator"]["login"]
    sandbox.operator.do("PATCH", f"/api/operator/users/{user['id']}", {"deliver_to": []})
    vip.behave("accept")
    sandbox.assert_clean()


def test_a_reversal_brings_items_back(sandbox: SandboxProcess) -> None:
    vip, items = bought(sandbox, 730)
    (made,) = vip.ask_for(items)
    vip.wait_for(made, "accepted")
    sandbox.steam.call("POST", "reverse", {"steamid64": vip.account["steamid64"]})
    vip.wait_for(made, "rolled_back_by_user")
    (state,) = [one["state"] for one in vip.items() if one["item_id"] == items[0]]
    assert state == "held"
    sandbox.assert_clean()


def test_kill_9_while_items_go_out(own_sandbox: SandboxProcess) -> None:
    """Again and again while deliveries run: every one ends, nobody has an item twice, the books agree."""
    sandbox = own_sandbox.start()
    owned = [bought(sandbox, 570, 2) for _ in range(3)]
    made = [(vip, vip.ask_for([item])[0]) for vip, items in owned for item in items]
    for _ in range(3):
        time.sleep(0.7)
        assert sandbox.kill_child("selldesk.runtime.child")
        time.sleep(0.3)
        sandbox.kill_child("selldesk.link.process")
    for vip, one in made:
        vip.wait_for(one, "completed")
    for vip, items in owned:
        assert not {one["item_id"] for one in vip.items()} & set(items)
    theirs = {vip.account["steamid64"] for vip, _ in owned}
    offers = [offer for offer in sandbox.steam.state()["offers"] if offer["state"] == 3 and offer["to"] in theirs]
    assert len(offers) == len(made)
    sandbox.assert_clean()
