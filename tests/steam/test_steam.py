"""Steam's client: error texts, and answers of every kind from a Steam that is one function. Its wire: tests/rooms/test_wire.py."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from selldesk.steam.client import SteamClient
from selldesk.steam.errors import read_send_error
from selldesk.steam.results import (
    Asset,
    Cause,
    Malformed,
    NeedsConfirmation,
    NotLoggedIn,
    RateLimited,
    Rejected,
    ResultFault,
    SendUnknown,
    Sent,
    SteamFault,
    Unreachable,
)
from selldesk.steam.session import SteamSession, SteamUrls
from selldesk.steam.transport import ConnectionFailed, Response
from selldesk.steamwire import tokens
from selldesk.steamwire.credentials import Credentials, Tokens
from selldesk.steamwire.tradelink import TradeLink

LINK = TradeLink(1000004, "abcDEF12")
SORRY = "There was an error sending your trade offer.  Please try again later."
ERRORS = [
    (f"{SORRY} (26)", Rejected(26, Cause.ITEM_GONE, f"{SORRY} (26)")),
    (f"{SORRY} (15)", Rejected(15, Cause.BAD_LINK, f"{SORRY} (15)")),
    (f"{SORRY} (25)", Rejected(25, Cause.BOT_LIMIT, f"{SORRY} (25)")),
    (f"{SORRY} (50)", Rejected(50, Cause.SELLER_LIMIT, f"{SORRY} (50)")),
    (f"{SORRY} (24)", Rejected(24, Cause.BOT_RESTRICTED, f"{SORRY} (24)")),
    (f"{SORRY} (20)", Rejected(20, Cause.ITEM_SERVER_DOWN, f"{SORRY} (20)")),
    ("You cannot trade with X because they have a trade ban. (15)", "seller_restricted"),
    ("... maximum number of items allowed in your Team Fortress 2 inventory. (15)", "bot_full"),
    ("This Trade URL is no longer valid for sending a trade offer to X. (15)", "bad_link"),
    ("You have logged in from a new device. (15)", "bot_restricted"),
    *[(f"{SORRY} ({number})", None) for number in (2, 10, 16, 48, 55, 11, 777)],
    (SORRY, None),
    (f"{SORRY} (8)", None),
]


@pytest.mark.parametrize(("text", "expected"), ERRORS)
def test_send_errors(text: str, expected: Rejected | str | None) -> None:
    """A number that doesn't say whether the offer exists is an unknown outcome, never a refusal."""
    result = read_send_error(text)
    if expected is None:
        assert isinstance(result, SendUnknown)
        assert result.eresult == (int(text.rstrip(")").rpartition("(")[2]) if text.endswith(")") else 0)
    elif isinstance(expected, str):
        assert isinstance(result, Rejected)
        assert result.cause == expected
    else:
        assert result == expected


def _token(**claims: Any) -> str:
    return f"e30.{tokens.encode_part(json.dumps(claims).encode())}.x"


class OneAnswer:
    """A Steam that gives one answer, and remembers the question."""

    def __init__(self, answer: Response | Exception) -> None:
        self._answer = answer
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    async def request(self, method: str, url: str, **options: Any) -> Response:
        self.asked.append((method, url, options))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def _client(answer: Response | Exception) -> tuple[SteamClient, OneAnswer]:
    steam = OneAnswer(answer)
    credentials = Credentials("bot", "pw", "", "", "76561197960265729")
    session = SteamSession(steam, SteamUrls(), credentials, Tokens(_token(exp=9), _token(exp=9)), lambda: 0)
    return SteamClient(session), steam


def _json(body: Any, status: int = 200, **headers: str) -> Response:
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode())


SENDS = [
    (_json({"tradeofferid": "5"}), Sent("5")),
    (_json({"tradeofferid": "5", "needs_mobile_confirmation": True}), NeedsConfirmation("5", "mobile")),
    (_json({"tradeofferid": "5", "needs_email_confirmation": True}), NeedsConfirmation("5", "email")),
    (_json({"strError": f"{SORRY} (26)"}, 500), Rejected),
    (_json({"strError": f"{SORRY} (16)"}, 500), SendUnknown),
    (Response(500, {}, b""), SendUnknown),
    (Response(502, {}, b"<html>bad gateway</html>"), SendUnknown),
    (Response(200, {}, b""), SendUnknown),
    (_json({}), SendUnknown),
    (_json([]), SendUnknown),
    (_json({"tradeofferid": 5}), SendUnknown),
    (ConnectionFailed("reset", sent=True), SendUnknown),
    (ConnectionFailed("refused", sent=False), Unreachable),
    (Response(429, {}, b""), RateLimited),
    (Response(401, {}, b"null"), NotLoggedIn),
    (Response(302, {"location": "https://steamcommunity.com/login/home/"}, b""), NotLoggedIn),
]


@pytest.mark.parametrize(("answer", "expected"), SENDS)
def test_what_an_answer_to_a_send_means(answer: Response | Exception, expected: Any) -> None:
    client, steam = _client(answer)
    sending = client.send(LINK, [Asset(730, "2", "9")], "hello")
    if isinstance(expected, type) and issubclass(expected, SteamFault):
        with pytest.raises(expected):
            asyncio.run(sending)
    else:
        result = asyncio.run(sending)
        assert result == expected if not isinstance(expected, type) else isinstance(result, expected)
    ((method, url, options),) = steam.asked
    assert (method, url) == ("POST", "https://steamcommunity.com/tradeoffer/new/send")
    assert options["headers"]["Accept-Language"].startswith("en")
    assert options["headers"]["Referer"] == LINK.url
    assert f"sessionid={options['form']['sessionid']}" in options["headers"]["Cookie"]
    assert json.loads(options["form"]["json_tradeoffer"])["them"]["assets"] == [
        {"appid": 730, "contextid": "2", "amount": 1, "assetid": "9"}
    ]


READS: list[tuple[Callable[[SteamClient], Any], Response | Exception, Any]] = [
    (lambda c: c.offer("5"), _json({"response": {}}, x_eresult="42"), None),
    (lambda c: c.offer("5"), _json({"response": {"offer": {"tradeofferid": "5", "accountid_other": 0}}}), None),
    (lambda c: c.offer("5"), Response(403, {}, b"Access is denied"), NotLoggedIn),
    (lambda c: c.offer("5"), _json({"response": {}}, x_eresult="84"), RateLimited),
    (lambda c: c.offer("5"), _json({"response": {}}, x_eresult="2"), ResultFault),
    (lambda c: c.offer("5"), Response(503, {}, b"<html>Sorry!</html>"), Unreachable),
    (lambda c: c.offer("5"), Response(200, {}, b"<html>"), Malformed),
    (lambda c: c.offer("5"), ConnectionFailed("reset", sent=True), Unreachable),
    (lambda c: c.trade_status("7"), _json({"response": {}}), None),
    (lambda c: c.trade_status("7"), _json({"response": {"trades": [{"tradeid": "8", "status": 3}]}}), None),
    (lambda c: c.hold_seconds(LINK), _json({"response": {"their_escrow": {"escrow_end_duration_seconds": 86400}}}), 86400),
    (lambda c: c.hold_seconds(LINK), _json({"response": {}}, x_eresult="15"), None),
    (lambda c: c.partner_inventory(LINK, 730, "2"), Response(403, {}, b"<html>"), NotLoggedIn),
    (lambda c: c.partner_inventory(LINK, 730, "2"), Response(200, {}, b""), Malformed),
    (lambda c: c.partner_inventory(LINK, 730, "2"), _json({"success": False}), Malformed),
    (lambda c: c.partner_inventory(LINK, 730, "2"), Response(400, {}, b"null"), Malformed),
    (lambda c: c.trade_history(), _json({}), Malformed),
]


@pytest.mark.parametrize(("ask", "answer", "expected"), READS)
def test_what_an_answer_to_a_reading_means(ask: Callable[[SteamClient], Any], answer: Response, expected: Any) -> None:
    client, _ = _client(answer)
    if isinstance(expected, type):
        with pytest.raises(expected):
            asyncio.run(ask(client))
    else:
        assert asyncio.run(ask(client)) == expected


def test_a_private_inventory_is_steams_word_and_an_unknown_enum_is_kept() -> None:
    client, _ = _client(Response(403, {}, b"null"))
    assert asyncio.run(client.partner_inventory(LINK, 730, "2")).private
    offer = {"tradeofferid": "5", "accountid_other": 4, "trade_offer_state": 99, "is_our_offer": True}
    client, _ = _client(_json({"response": {"trade_offers_sent": [offer, {"tradeofferid": "6"}]}}))
    lists = asyncio.run(client.offers(1, True))
    assert ([one.state for one in lists.sent], lists.complete) == ([99], False)
    exchange = {
        "tradeid": "7",
        "status": 77,
        "time_settlement": "5",
        "assets_received": [{"assetid": "1", "appid": 730, "contextid": "2"}],
    }
    client, _ = _client(_json({"response": {"trades": [exchange]}}))
    found = asyncio.run(client.trade_status("7"))
    assert found is not None
    assert (found.status, found.settlement, found.received[0].new_assetid) == (77, 5, None)
