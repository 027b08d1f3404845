"""steampy (PyPI, unmodified) through whole trades against the simulator.

Redirection is none of this script's business: HTTPS_PROXY and REQUESTS_CA_BUNDLE do it. STEAM_URL is the simulator's plain address,
used for /control only.
"""

import importlib.metadata
import json
import os
import sys
import urllib.request

from steampy.client import SteamClient
from steampy.exceptions import ApiException, InvalidCredentials, LoginRequired
from steampy.models import Asset, GameOptions, TradeOfferState

CONTROL = os.environ["STEAM_URL"].rstrip("/")
INVENTORY_COUNT = 1000
"""steampy's own default, 5000, is refused by Steam since May 2025."""
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))
steps = 0


def step(what):
    global steps
    steps += 1
    print(f"  {steps:2} {what}", flush=True)


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{CONTROL}/control/{path}", data, {"Content-Type": "application/json"}, method=method)
    with HTTP.open(request, timeout=10) as response:
        return json.load(response)


def raises(kind, call, text=""):
    try:
        call()
    except kind as error:
        assert text in str(error), error
        return
    raise AssertionError(f"{kind} expected")


def client(account, password=None):
    guard = {
        "steamid": account["steamid64"],
        "shared_secret": account["shared_secret"],
        "identity_secret": account["identity_secret"],
    }
    steam = SteamClient("no-api-key", account["login"], password or account["password"], json.dumps(guard))
    steam.login()
    return steam


def acknowledge(steam):
    """The trade-protection notice, which people click away once in the browser. steampy has no call for it."""
    form = {"sessionid": steam._get_session_id(), "message": 1}
    answer = steam._session.post("https://steamcommunity.com/trade/new/acknowledge", data=form)
    assert answer.status_code == 200, answer.status_code


def state_of(steam, offer_id):
    return steam.get_trade_offer(offer_id, use_webtoken=True)["response"]["offer"]["trade_offer_state"]


def sent_open(steam):
    answer = steam.get_trade_offers(get_received_offers=False, use_webtoken=True)
    return {offer["tradeofferid"]: offer for offer in answer["response"]["trade_offers_sent"]}


def web_api(steam, method, **params):
    """steampy's public api_call: its own methods for these want a Web API key."""
    answer = steam.api_call("GET", "IEconService", method, "v1", {"access_token": steam._access_token, **params})
    assert answer.status_code == 200, answer.status_code
    return answer.json()["response"]


def main():
    accounts = control("GET", "accounts")["accounts"]
    bot_account = next(one for one in accounts if one["role"] == "bot")
    seller_account = next(one for one in accounts if one["role"] == "seller")
    control("POST", f"sellers/{seller_account['steamid64']}", {"behaviour": "ignore"})
    link = seller_account["tradelink"]

    raises(LoginRequired, lambda: SteamClient("").get_my_inventory(GameOptions.CS))
    # On Steam the answer has an interval and an error text, but no client_id: a KeyError. An empty one is an ApiException.
    raises((KeyError, ApiException), lambda: client(bot_account, "wrong"))
    step("a wrong password gets no login session")

    bot = client(bot_account)
    assert bot.was_login_executed and bot.is_session_alive()
    jar = bot._session.cookies
    for domain in ("steamcommunity.com", "store.steampowered.com"):
        assert {"sessionid", "steamLoginSecure", "steamRefresh_steam", "steamCountry"} <= set(jar.get_dict(domain=domain)), domain
    assert bot._access_token.count(".") == 2
    step("login with the JSON variant: RSA key, credentials, guard code, poll, finalizelogin, settoken hosts, cookies")
    assert bot.get_steam_id() == int(bot_account["steamid64"])
    step("the front page knows who is logged in")
    seller = client(seller_account)
    assert seller.is_session_alive()
    step("the seller logs in, too")
    raises(InvalidCredentials, lambda: bot.get_trade_offers(), "Invalid API key")
    step("a Web API key that is none is refused")

    listed = [item for item in seller_account["items"] if item["game_id"] == 730 and item["contextid"] == "2"]
    items = seller.get_my_inventory(GameOptions.CS, count=INVENTORY_COUNT)
    assert set(items) == {item["assetid"] for item in listed}
    assert all(items[item["assetid"]]["market_hash_name"] == item["market_hash_name"] for item in listed)
    seen = bot.get_partner_inventory(seller_account["steamid64"], GameOptions.CS, count=INVENTORY_COUNT)
    assert set(seen) == set(items)
    raw = bot.get_partner_inventory(seller_account["steamid64"], GameOptions.CS, merge=False, count=INVENTORY_COUNT)
    assert raw["success"] == 1 and raw["total_inventory_count"] == len(items)
    step(f"inventory: {len(items)} items with names, as their owner and as a stranger")
    raises(ApiException, lambda: bot.get_partner_inventory("76561197960265729", GameOptions.CS, count=INVENTORY_COUNT))
    step("nobody's inventory is refused")
    first, second = (item["assetid"] for item in listed[:2])

    assert bot.get_escrow_duration(link) == 0
    step("trade page: no hold days")

    notice = bot.make_offer_with_url([], [Asset(first, GameOptions.CS)], link)
    assert "tradeofferid" not in notice and "(11)" in notice["strError"], notice
    acknowledge(bot)
    acknowledge(seller)
    step("the trade-protection notice blocks sending (11) until it is acknowledged")
    missing = bot.make_offer_with_url([], [Asset("1", GameOptions.CS)], link)
    assert "tradeofferid" not in missing and missing["strError"].endswith("(26)"), missing
    step("a missing item is refused (26)")
    rotated = bot.make_offer_with_url([], [Asset(first, GameOptions.CS)], link.split("token=")[0] + "token=wrong123")
    assert rotated["strError"].endswith("(15)"), rotated
    step("a rotated token is refused (15)")
    assert sent_open(bot) == {}

    # A request: sent, received, accepted on the web, confirmed on the phone, exchanged.
    sent = bot.make_offer_with_url([], [Asset(first, GameOptions.CS)], link, message="from a stranger")
    offer_id = sent["tradeofferid"]
    assert isinstance(offer_id, str) and not sent.get("needs_mobile_confirmation"), sent
    assert list(sent_open(bot)) == [offer_id]
    step(f"request sent: offer {offer_id}, in the list of open offers")
    received = seller.get_trade_offers(get_sent_offers=False, use_webtoken=True)["response"]["trade_offers_received"]
    theirs = next(offer for offer in received if offer["tradeofferid"] == offer_id)
    assert (theirs["is_our_offer"], theirs["message"], list(theirs["items_to_give"])) == (False, "from a stranger", [first])
    assert theirs["items_to_give"][first]["market_hash_name"] == items[first]["market_hash_name"]
    step("seller reads it, with the names of the items")
    confirmed = seller.accept_trade_offer(offer_id)
    assert confirmed == {"success": True}, confirmed
    step("seller accepts and confirms on the phone")
    assert sent_open(bot) == {}
    offer = bot.get_trade_offer(offer_id, use_webtoken=True)["response"]["offer"]
    assert offer["trade_offer_state"] == TradeOfferState.Accepted, offer
    assert list(offer["items_to_receive"]) == [first] and offer["tradeid"]
    step("poll: no longer open, and the offer says Accepted")
    raises(ApiException, lambda: seller.accept_trade_offer(offer_id), "Accepted")
    step("it can't be accepted twice")

    receipt = bot.get_trade_receipt(offer["tradeid"])
    assert len(receipt) == 1 and receipt[0]["market_hash_name"] == items[first]["market_hash_name"], receipt
    (trade,) = web_api(bot, "GetTradeStatus", tradeid=offer["tradeid"])["trades"]
    assert (trade["status"], trade["steamid_other"]) == (3, seller_account["steamid64"])
    (asset,) = trade["assets_received"]
    assert (asset["assetid"], asset["new_assetid"]) == (first, receipt[0]["id"])
    assert [one["tradeid"] for one in web_api(bot, "GetTradeHistory", max_trades=10, include_total=1)["trades"]] == [
        offer["tradeid"]
    ]
    step("receipt, trade status and history: complete, one item received under its new id")
    protected = bot.get_my_inventory(GameOptions("730", "16"), count=INVENTORY_COUNT)
    assert list(protected) == [receipt[0]["id"]]
    assert first not in seller.get_my_inventory(GameOptions.CS, count=INVENTORY_COUNT)
    step("the item left the seller and sits protected with the bot")

    # Cancelled by the sender, declined by the recipient.
    for who, act, end in (
        ("sender", bot.cancel_trade_offer, TradeOfferState.Canceled),
        ("recipient", seller.decline_trade_offer, TradeOfferState.Declined),
    ):
        other_id = bot.make_offer_with_url([], [Asset(second, GameOptions.CS)], link)["tradeofferid"]
        assert act(other_id) == {"tradeofferid": other_id}
        assert state_of(bot, other_id) == state_of(seller, other_id) == end
        assert act(other_id).get("success") == 11
        step(f"the {who} ends an offer: state {end.value} for both; a second time answers 11")

    # An offer that gives something needs the sender's own phone first.
    name = "Mann Co. Supply Crate Key"
    (key,) = control("POST", "items", {"steamid64": bot_account["steamid64"], "game_id": 440, "market_hash_name": name})["assetids"]
    waiting = bot.make_offer_with_url([Asset(key, GameOptions.TF2)], [], link, confirm_trade=False)
    assert waiting["needs_mobile_confirmation"] is True
    assert state_of(bot, waiting["tradeofferid"]) == TradeOfferState.ConfirmationNeed
    assert bot.cancel_trade_offer(waiting["tradeofferid"])["tradeofferid"] == waiting["tradeofferid"]
    step("a gift waits for our own confirmation")
    gift = bot.make_offer_with_url([Asset(key, GameOptions.TF2)], [], link)
    assert gift["success"] is True and state_of(bot, gift["tradeofferid"]) == TradeOfferState.Active
    step("a gift, confirmed on the phone while sending, is active")
    taken = seller.accept_trade_offer(gift["tradeofferid"])
    assert taken["tradeid"] and state_of(bot, gift["tradeofferid"]) == TradeOfferState.Accepted
    assert [item["market_hash_name"] for item in seller.get_trade_receipt(taken["tradeid"])] == [name]
    step("a gift is accepted without a phone")

    seller.logout()
    assert not seller.was_login_executed and bot.is_session_alive()
    step("logout ends the seller's session and no other")
    print(f"{steps} passed, 0 failed")


if __name__ == "__main__":
    print(f"steampy {importlib.metadata.version('steampy')} (PyPI, unmodified):", flush=True)
    try:
        main()
    except BaseException:
        print(f"{steps} passed, 1 failed", flush=True)
        raise
    sys.exit(0)
