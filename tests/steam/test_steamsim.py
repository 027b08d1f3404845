"""The simulator as its own thing: what it answered is durable, and it speaks as Steam does."""

import asyncio
import base64
import contextlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from selldesk.kernel.clock import ManualClock
from selldesk.steam.client import SteamClient
from selldesk.steam.results import (
    Asset,
    LoginRefused,
    NotLoggedIn,
    RateLimited,
    Rejected,
    SendUnknown,
    Sent,
    SteamFault,
    Unreachable,
)
from selldesk.steam.session import SteamSession, SteamUrls
from selldesk.steam.transport import AiohttpTransport
from selldesk.steamsim.entities import Account, Behaviour
from selldesk.steamsim.faults import FAULTS, FaultRequest
from selldesk.steamsim.server import SteamSimulator
from selldesk.steamsim.serving import web_app
from selldesk.steamsim.viewers import api_key_of
from selldesk.steamsim.world import Refused, World
from selldesk.steamwire import protobuf
from selldesk.steamwire.credentials import Credentials, Tokens
from selldesk.steamwire.guard import confirmation_key, guard_code
from selldesk.steamwire.tokens import claims
from selldesk.steamwire.tradelink import TradeLink
from tests.little_market import lend_rsa_key

NAME = "AK-47 | Redline (Field-Tested)"


class Steam:
    """A simulator in this process, with a bot's client."""

    def __init__(self, folder: Path) -> None:
        lend_rsa_key(folder)
        self.folder = folder
        self.clock = ManualClock()
        self.simulator = SteamSimulator(folder, self.clock.now_us, self.clock.advance, ticks=False)
        self.world = self.simulator.world
        self.bot = self.world.add_account("bot1", "bot")
        self.seller = self.world.add_account("alice", "seller")
        self.world.commit()
        self.link = TradeLink(self.seller.number, self.seller.trade_token)
        self.transport = AiohttpTransport(5)
        self.url = ""
        """Where it listens, once it does."""

    def session(self, account: Account | None = None, **changed: str) -> SteamSession:
        account = account or self.bot
        fields = {"password": account.password, "shared_secret": account.shared_secret, "account_name": account.login} | changed
        credentials = Credentials(identity_secret=account.identity_secret, steamid64=account.steamid64, **fields)
        urls = SteamUrls(self.url, self.url, self.url)
        return SteamSession(self.transport, urls, credentials, None, lambda: self.clock.now_us() // 1_000_000)


def with_steam(folder: Path, story: Callable[[Steam], Awaitable[None]]) -> None:
    async def tell() -> None:
        steam = Steam(folder)
        server = TestServer(web_app(steam.simulator))
        await server.start_server()
        steam.url = str(server.make_url("")).rstrip("/")
        try:
            await story(steam)
        finally:
            await steam.transport.close()
            await server.close()

    asyncio.run(tell())


async def _client(steam: Steam) -> SteamClient:
    client = SteamClient(steam.session())
    await client.session.log_in()
    await client.acknowledge_protection()
    return client


def test_what_was_answered_is_on_disk(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        item = steam.world.add_item(steam.seller.steamid64, 730, NAME)
        steam.world.commit()
        sent = await client.send(steam.link, [Asset(730, "2", item.assetid)], "m")
        assert isinstance(sent, Sent)
        again = World(steam.folder / "world.db", steam.clock.now_us)
        assert (again.offers[sent.offer_id].state, again.accounts[steam.bot.steamid64].acknowledged) == (2, True)
        again.close()

    with_steam(tmp_path, story)


def test_an_acceptance_protects_and_a_reversal_brings_the_old_asset_back(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        item = steam.world.add_item(steam.seller.steamid64, 730, NAME)
        sent = await client.send(steam.link, [Asset(730, "2", item.assetid)], "m")
        assert isinstance(sent, Sent)
        steam.clock.advance(2)
        steam.world.tick()
        offer = await client.offer(sent.offer_id)
        assert offer is not None
        assert offer.state == 3
        assert offer.trade_id is not None
        exchange = await client.trade_status(offer.trade_id)
        assert exchange is not None
        assert exchange.settlement == exchange.time_init + 7 * 86_400 == offer.settlement
        assert [i.assetid for i in steam.world.inventory(steam.bot.steamid64, 730, "16")] == [exchange.received[0].new_assetid]
        assert steam.world.reverse(steam.seller.steamid64) == [offer.trade_id]
        page, _ = await client.trade_history()
        assert [(one.status, one.rollback_of) for one in page] == [(3, offer.trade_id), (12, None)]
        still = await client.offer(sent.offer_id)
        assert still is not None
        assert still.state == 3, "the offer says Accepted even so"
        assert [i.assetid for i in steam.world.inventory(steam.seller.steamid64, 730, "2")] == [item.assetid]
        assert steam.world.reverse(steam.seller.steamid64) == []

    with_steam(tmp_path, story)


def test_protection_ends_after_seven_days(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        item = steam.world.add_item(steam.seller.steamid64, 730, NAME)
        await client.send(steam.link, [Asset(730, "2", item.assetid)], "m")
        steam.clock.advance(2)
        steam.world.tick()
        steam.clock.advance(7 * 86_400)
        assert steam.world.reverse(steam.seller.steamid64) == []
        assert steam.world.inventory(steam.bot.steamid64, 730, "16") == []
        assert len(steam.world.inventory(steam.bot.steamid64, 730, "2")) == 1

    with_steam(tmp_path, story)


REFUSED_SENDS = [
    # what                        changed                                eresult
    ("an unknown asset", {"assetid": "1"}, 26),
    ("another context", {"contextid": "6"}, 26),
    ("another game", {"appid": 570}, 26),
    ("a rotated token", {"token": "wrong"}, 15),
]


@pytest.mark.parametrize(("what", "changed", "eresult"), REFUSED_SENDS)
def test_sends_are_refused_as_steam_refuses_them(tmp_path: Path, what: str, changed: dict[str, object], eresult: int) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        item = steam.world.add_item(steam.seller.steamid64, 730, NAME)
        asset = {"appid": 730, "contextid": "2", "assetid": item.assetid} | {k: v for k, v in changed.items() if k != "token"}
        link = steam.link._replace(token=str(changed.get("token", steam.link.token)))
        result = await client.send(link, [Asset(**asset)], "m")  # type: ignore[arg-type]
        assert isinstance(result, Rejected)
        assert result.eresult == eresult
        assert steam.world.offers == {}

    with_steam(tmp_path, story)


def test_five_offers_a_partner_and_thirty_in_all(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        results = []
        for number in range(7):
            seller = steam.world.add_account(f"s{number}", "seller")
            link = TradeLink(seller.number, seller.trade_token)
            for _ in range(6 if number == 0 else 5):
                item = steam.world.add_item(seller.steamid64, 440, NAME)
                result = await client.send(link, [Asset(440, "2", item.assetid)], "m")
                results.append(result.eresult if isinstance(result, Rejected) else 0)
        assert results == [0] * 5 + [50] + [0] * 25 + [25] * 5

    with_steam(tmp_path, story)


def test_logins_are_refused_for_a_wrong_password_and_a_wrong_code(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        with pytest.raises(LoginRefused) as refused:
            await steam.session(password="wrong").log_in()
        assert (refused.value.eresult, refused.value.terminal) == (5, True)
        with pytest.raises(LoginRefused) as refused:
            await steam.session(shared_secret=base64.b64encode(b"another").decode()).log_in()
        assert (refused.value.eresult, refused.value.terminal) == (88, False)

    with_steam(tmp_path, story)


def test_tokens_end_are_renewed_and_revoked(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        session = client.session
        first = session.tokens
        assert first is not None
        steam.clock.advance(86_401)
        with pytest.raises(NotLoggedIn):
            await client.offers(1, True)
        session.tokens = await session.renew()
        assert session.tokens.refresh == first.refresh
        await client.offers(1, True)
        steam.clock.advance(180 * 86_400)
        renewed = await session.renew()
        assert renewed.refresh != first.refresh, "a refresh token near its end is replaced"
        steam.bot.token_generation += 1
        session.tokens = Tokens(renewed.refresh, renewed.access)
        with pytest.raises(NotLoggedIn):
            await session.renew()

    with_steam(tmp_path, story)


def test_every_authentication_reply_carries_an_eresult(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        headers = {"Accept-Language": "en"}
        body = base64.b64encode(protobuf.encode([(1, "bot1")])).decode()
        async with aiohttp.ClientSession(steam.url, headers=headers) as http:
            async with http.get(
                "/IAuthenticationService/GetPasswordRSAPublicKey/v1", params={"input_protobuf_encoded": body}
            ) as answer:
                assert (answer.headers["x-eresult"], answer.content_type) == ("1", "application/octet-stream")
            async with http.post(
                "/IAuthenticationService/PollAuthSessionStatus/v1/", data={"input_protobuf_encoded": "%%%"}
            ) as answer:
                assert answer.headers["x-eresult"] != "1"
            async with http.get("/IEconService/GetTradeOffers/v1/") as answer:
                assert answer.status == 403
        async with aiohttp.ClientSession(steam.url) as http:
            async with http.get("/inventory/1/730/2") as answer:
                assert answer.status == 403
            steam.simulator.faults.switch_on(FaultRequest("header_filter"), steam.clock.now_us())
            async with http.get("/inventory/1/730/2") as answer:
                assert answer.status == 429, "a request without Accept-Language is filtered"
            async with http.get("/inventory/1/730/2", headers=headers) as answer:
                assert answer.status == 403

    with_steam(tmp_path, story)


async def _phone(steam: Steam, http: aiohttp.ClientSession, account: Account, path: str, tag: str, **more: str) -> dict[str, Any]:
    """A call of the mobile app, signed with the account's identity secret."""
    now = steam.clock.now_us() // 1_000_000
    key = confirmation_key(more.pop("secret", account.identity_secret), now, tag)
    query = {"p": "android:x", "a": account.steamid64, "k": key, "t": str(now), "m": "react", "tag": tag, **more}
    async with http.get(f"/mobileconf/{path}", params=query) as answer:
        found: dict[str, Any] = await answer.json()
        return found


def test_a_gift_waits_for_the_senders_phone(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        item = steam.world.add_item(steam.bot.steamid64, 440, NAME)
        offer = steam.world.create_offer(steam.bot, steam.seller, steam.seller.trade_token, [(440, "2", item.assetid)], [], "")
        assert offer.state == 9
        steam.clock.advance(60)
        steam.world.tick()
        assert offer.state == 9, "nobody acts on what was never confirmed"
        cookie = {"Cookie": client.session.cookie()}
        async with aiohttp.ClientSession(steam.url, headers=cookie) as http:
            assert await _phone(steam, http, steam.bot, "getlist", "list", secret=steam.seller.identity_secret) == {
                "success": False,
                "needauth": True,
            }
            listed = (await _phone(steam, http, steam.bot, "getlist", "list"))["conf"]
            assert [(line["creator_id"], line["type"]) for line in listed] == [(offer.tradeofferid, 2)]
            line = listed[0]
            wrong = await _phone(steam, http, steam.bot, "ajaxop", "accept", op="allow", cid=line["id"], ck="0")
            misfit = await _phone(steam, http, steam.bot, "ajaxop", "list", op="allow", cid=line["id"], ck=line["nonce"])
            assert (wrong["success"], misfit["success"], offer.state) == (False, False, 9)
            done = await _phone(steam, http, steam.bot, "ajaxop", "accept", op="allow", cid=line["id"], ck=line["nonce"])
            assert (done["success"], offer.state) == (True, 2)

    with_steam(tmp_path, story)


def test_a_web_login_hands_cookies_to_five_hosts_and_refreshes(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        session = steam.session()
        tokens = await session.log_in()
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(steam.url, cookie_jar=jar) as http:
            form = {"nonce": tokens.refresh, "sessionid": "x", "redir": "https://steamcommunity.com/"}
            async with http.post("/jwt/finalizelogin", data=form) as answer:
                body = await answer.json()
                assert "steamRefresh_steam=" in answer.headers["Set-Cookie"]
                refresh_cookie = answer.headers["Set-Cookie"].partition(";")[0]
            assert len(body["transfer_info"]) == 5
            for transfer in body["transfer_info"]:
                async with http.post("/login/settoken", data={"steamID": body["steamID"], **transfer["params"]}) as answer:
                    assert (await answer.json())["result"] == 1
                    secure = answer.headers["Set-Cookie"].partition(";")[0]
            async with http.get("/my", headers={"Cookie": secure}, allow_redirects=False) as answer:
                assert answer.headers["Location"].endswith(f"/profiles/{steam.bot.steamid64}/")
            async with http.get("/jwt/refresh?redir=x", headers={"Cookie": refresh_cookie}, allow_redirects=False) as answer:
                assert "/login/settoken?" in answer.headers["Location"]
            async with http.post("/jwt/finalizelogin", data=form | {"nonce": tokens.access}) as answer:
                assert (await answer.json())["success"] is False, "an access token opens no session"

    with_steam(tmp_path, story)


async def _get(http: aiohttp.ClientSession, client: SteamClient, path: str, **params: str) -> tuple[int, Any]:
    """A Web API call with the bot's own token."""
    token = client.session.access_token()
    async with http.get(path, params={"access_token": token, **params}) as answer:
        return answer.status, await answer.json() if answer.content_type == "application/json" else await answer.text()


def test_a_login_works_in_json_too(tmp_path: Path) -> None:
    """The dialect of older clients: form fields in, `{"response": …}` out, 64-bit numbers as texts."""

    async def story(steam: Steam) -> None:
        path = "/IAuthenticationService"
        async with aiohttp.ClientSession(steam.url) as http:

            async def call(method: str, form: dict[str, str], get: bool = False) -> tuple[str, dict[str, Any]]:
                how = {"params": form} if get else {"data": form}
                async with http.request("GET" if get else "POST", f"{path}/{method}/v1", **how) as answer:  # type: ignore[arg-type]
                    return answer.headers["x-eresult"], (await answer.json())["response"]

            _, key = await call("GetPasswordRSAPublicKey", {"account_name": "bot1"}, get=True)
            public = rsa.RSAPublicNumbers(int(key["publickey_exp"], 16), int(key["publickey_mod"], 16)).public_key()

            def sealed(password: str) -> str:
                return base64.b64encode(public.encrypt(password.encode(), padding.PKCS1v15())).decode()

            form = {"account_name": "bot1", "encryption_timestamp": key["timestamp"], "persistence": "1"}
            eresult, refused = await call("BeginAuthSessionViaCredentials", form | {"encrypted_password": sealed("wrong")})
            assert (eresult, "client_id" in refused) == ("5", False)
            eresult, begun = await call("BeginAuthSessionViaCredentials", form | {"encrypted_password": sealed(steam.bot.password)})
            assert (eresult, begun["steamid"]) == ("1", steam.bot.steamid64)
            assert [one["confirmation_type"] for one in begun["allowed_confirmations"]] == [3, 4]
            who = {"client_id": begun["client_id"], "steamid": begun["steamid"], "code_type": "3"}
            assert (await call("UpdateAuthSessionWithSteamGuardCode", who | {"code": "WRONG"}))[0] == "88"
            code = guard_code(steam.bot.shared_secret, steam.clock.now_us() // 1_000_000)
            assert (await call("UpdateAuthSessionWithSteamGuardCode", who | {"code": code})) == ("1", {})
            poll = {"client_id": begun["client_id"], "request_id": begun["request_id"]}
            _, polled = await call("PollAuthSessionStatus", poll)
            assert polled["account_name"] == "bot1"
            assert claims(polled["refresh_token"])["sub"] == steam.bot.steamid64
            assert (await call("PollAuthSessionStatus", poll))[0] == "9", "an attempt is good for one login"

    with_steam(tmp_path, story)


def test_offers_come_in_pages_with_their_descriptions(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        names = [f"Item {number}" for number in range(3)]
        for name in names:
            item = steam.world.add_item(steam.seller.steamid64, 440, name)
            assert isinstance(await client.send(steam.link, [Asset(440, "2", item.assetid)], "m"), Sent)
        steam.simulator.faults.switch_on(FaultRequest("poll_pages"), steam.clock.now_us())
        async with aiohttp.ClientSession(steam.url) as http:
            seen, cursor = [], "0"
            while True:
                status, answer = await _get(
                    http, client, "/IEconService/GetTradeOffers/v1/", get_sent_offers="1", get_descriptions="1", cursor=cursor
                )
                assert (status, len(answer["response"]["trade_offers_sent"])) == (200, 1)
                seen += [description["market_hash_name"] for description in answer["response"]["descriptions"]]
                cursor = str(answer["response"]["next_cursor"])
                if cursor == "0":
                    break
            assert seen == names
            async with http.get("/IEconService/GetTradeOffers/v1/", params={"key": "ABC", "get_sent_offers": "1"}) as keyed:
                assert keyed.status == 403, "a Web API key that is none"
            key = api_key_of(steam.bot)
            async with http.get("/IEconService/GetTradeOffers/v1/", params={"key": key, "get_sent_offers": "1"}) as keyed:
                assert await keyed.json() == {"response": {"next_cursor": 0}}, "a real one sees no offers since April 2024"
            _, summary = await _get(http, client, "/IEconService/GetTradeOffersSummary/v1/")
            assert summary["response"]["pending_sent_count"] == 3
        assert len((await client.offers(1, True)).sent) == 3

    with_steam(tmp_path, story)


def test_what_a_developer_may_do_to_an_account(tmp_path: Path) -> None:
    """Revoke its tokens, change its password, rotate its trade link, make an offer by hand, set Steam's limits."""

    async def story(steam: Steam) -> None:
        client = await _client(steam)
        item = steam.world.add_item(steam.seller.steamid64, 440, NAME)
        async with aiohttp.ClientSession(steam.url) as http:

            async def control(method: str, path: str, body: Any = None) -> tuple[int, Any]:
                async with http.request(method, f"/control/{path}", json=body) as answer:
                    return answer.status, await answer.json()

            status, made = await control(
                "POST",
                "offers",
                {
                    "sender": steam.bot.steamid64,
                    "recipient": steam.seller.steamid64,
                    "receive": [{"game_id": 440, "assetid": item.assetid}],
                },
            )
            assert status == 200
            assert [offer.offer_id for offer in (await client.offers(1, True)).sent] == [made["tradeofferid"]]
            assert (await control("POST", "offers", {"sender": "7", "recipient": steam.seller.steamid64}))[0] == 404
            assert (await control("PUT", "limits", {"offers": 1}))[1] == {
                "offers": 1,
                "offers_per_partner": 5,
                "items_per_offer": 255,
            }
            second = steam.world.add_item(steam.seller.steamid64, 440, NAME)
            refused = await client.send(steam.link, [Asset(440, "2", second.assetid)], "m")
            assert isinstance(refused, Rejected)
            assert refused.eresult == 25
            _, rotated = await control("POST", f"accounts/{steam.seller.steamid64}/trade-token")
            assert not rotated["tradelink"].endswith(steam.link.token)
            refused = await client.send(steam.link, [Asset(440, "2", second.assetid)], "m")
            assert isinstance(refused, Rejected)
            assert refused.eresult == 15
            await control("POST", f"accounts/{steam.bot.steamid64}/revoke")
            with pytest.raises(NotLoggedIn):
                await client.offers(1, True)
            await control("POST", f"accounts/{steam.bot.steamid64}/password", {"password": "new"})
            with pytest.raises(LoginRefused):
                await steam.session(password="old").log_in()
            await steam.session(password="new").log_in()

    with_steam(tmp_path, story)


def test_the_measured_buckets_are_enforced_when_switched_on(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        steam.simulator.faults.switch_on(FaultRequest("buckets"), steam.clock.now_us())
        for _ in range(25):
            await client.trade_status("1")
        with pytest.raises(RateLimited):
            await client.trade_status("1")
        steam.clock.advance(2)
        await client.trade_status("1")
        with pytest.raises(RateLimited):
            await client.trade_status("1")
        await client.trade_history()

    with_steam(tmp_path, story)


def test_items_may_get_a_new_id_when_their_protection_ends(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        item = steam.world.add_item(steam.seller.steamid64, 730, NAME)
        await client.send(steam.link, [Asset(730, "2", item.assetid)], "m")
        steam.clock.advance(2)
        steam.world.tick()
        (protected,) = steam.world.inventory(steam.bot.steamid64, 730, "16")
        before = protected.assetid
        steam.simulator.faults.switch_on(FaultRequest("protection_new_assetid"), steam.clock.now_us())
        steam.clock.advance(7 * 86_400)
        (free,) = steam.world.inventory(steam.bot.steamid64, 730, "2")
        assert free.assetid != before
        steam.world.commit()
        again = World(steam.folder / "world.db", steam.clock.now_us)
        assert [found.assetid for found in again.inventory(steam.bot.steamid64, 730, "2")] == [free.assetid]
        again.close()

    with_steam(tmp_path, story)


LOGIN_FAULTS = [
    # fault                  options           what the client makes of it
    ("login_refused", {}, (LoginRefused, 5)),
    ("login_refused", {"eresult": 84}, (RateLimited, None)),
    ("rsa_stale", {}, (LoginRefused, 5)),
]


@pytest.mark.parametrize(("fault", "options", "expected"), LOGIN_FAULTS)
def test_login_faults(tmp_path: Path, fault: str, options: dict[str, int], expected: tuple[type[Exception], int | None]) -> None:
    async def story(steam: Steam) -> None:
        steam.simulator.faults.switch_on(FaultRequest(fault, times=1, **options), steam.clock.now_us())  # type: ignore[arg-type]
        with pytest.raises(expected[0]) as refused:
            await steam.session().log_in()
        assert getattr(refused.value, "eresult", None) == expected[1]
        session = steam.session()
        await session.log_in()
        steam.simulator.faults.switch_on(FaultRequest("renew_refused", times=1, eresult=15), steam.clock.now_us())
        with pytest.raises(NotLoggedIn):
            await session.renew()
        steam.simulator.faults.switch_on(FaultRequest("renew_refused", times=1, eresult=2), steam.clock.now_us())
        with pytest.raises(Unreachable):
            await session.renew()
        await session.renew()

    with_steam(tmp_path, story)


def test_the_remaining_switches_strike(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        now = steam.clock.now_us()
        steam.simulator.faults.switch_on(FaultRequest("inventory_500", times=1), now)
        with pytest.raises(Unreachable):
            await client.partner_inventory(steam.link, 730, "2")
        assert (await client.partner_inventory(steam.link, 730, "2")).items == {}
        steam.simulator.faults.switch_on(FaultRequest("acknowledge_forgotten", times=1), now)
        item = steam.world.add_item(steam.seller.steamid64, 440, NAME)
        refused = await client.send(steam.link, [Asset(440, "2", item.assetid)], "m")
        assert isinstance(refused, SendUnknown)
        assert refused.eresult == 11
        await client.acknowledge_protection()
        sent = await client.send(steam.link, [Asset(440, "2", item.assetid)], "m")
        assert isinstance(sent, Sent)
        steam.simulator.faults.switch_on(FaultRequest("accept_error", times=1), now)
        seller = SteamClient(steam.session(steam.seller))
        await seller.session.log_in()
        headers = {
            "Cookie": seller.session.cookie(),
            "Referer": f"https://steamcommunity.com/tradeoffer/{sent.offer_id}/",
        }
        form = {"sessionid": seller.session.session_id, "tradeofferid": sent.offer_id}
        async with aiohttp.ClientSession(steam.url, headers=headers) as http:
            async with http.post(f"/tradeoffer/{sent.offer_id}/accept", data=form) as answer:
                assert (answer.status, "(28)" in (await answer.json())["strError"]) == (500, True)
            async with http.post(f"/tradeoffer/{sent.offer_id}/accept", data=form) as answer:
                assert (await answer.json())["needs_mobile_confirmation"] is True
            steam.simulator.faults.switch_on(FaultRequest("slow", times=1, seconds=0.2), now)
            began = time.monotonic()
            async with http.get("/my", allow_redirects=False):
                assert time.monotonic() - began >= 0.2
            async with http.get("/dev/apikey") as answer:
                assert re.search("<p>Key: ([0-9A-F]+)</p>", await answer.text())

    with_steam(tmp_path, story)


async def _logged_in(steam: Steam, account: Account) -> SteamClient:
    client = SteamClient(steam.session(account))
    await client.session.log_in()
    await client.acknowledge_protection()
    return client


def test_several_confirmations_at_once(tmp_path: Path) -> None:
    """Lists come as `cid[]` or as `cid[0]`; both are read, and the key's time must be about now."""

    async def story(steam: Steam) -> None:
        client = await _client(steam)
        offers = [
            steam.world.create_offer(
                steam.bot, steam.seller, steam.seller.trade_token, [(440, "2", steam.world.add_item(steam.bot.steamid64, 440, NAME).assetid)], [], ""
            )
            for _ in range(4)
        ]  # fmt: skip
        now = steam.clock.now_us() // 1_000_000
        cookie = {"Cookie": client.session.cookie()}
        async with aiohttp.ClientSession(steam.url, headers=cookie) as http:
            listed = (await _phone(steam, http, steam.bot, "getlist", "list"))["conf"]

            async def act(lines: list[dict[str, Any]], names: tuple[str, str], at: int = now) -> bool:
                key = confirmation_key(steam.bot.identity_secret, at, "accept")
                form = {
                    "op": "allow",
                    "tag": "accept",
                    "p": "android:x",
                    "a": steam.bot.steamid64,
                    "k": key,
                    "t": str(at),
                    "m": "react",
                }
                for place, line in enumerate(lines):
                    form |= {names[0].format(place): line["id"], names[1].format(place): line["nonce"]}
                async with http.post("/mobileconf/multiajaxop", data=form) as answer:
                    done: bool = (await answer.json())["success"]
                    return done

            assert not await act(listed[:2], ("cid[{}]", "ck[{}]"), now - 3600), "a key of an hour ago"
            assert await act(listed[:2], ("cid[{}]", "ck[{}]"))
            assert await act(listed[2:3], ("cid[]", "ck[]"))
            assert sorted(offer.state for offer in offers) == [2, 2, 2, 9]
            steam.simulator.faults.switch_on(FaultRequest("phone_fails", times=1), steam.clock.now_us())
            assert not await act(listed[3:], ("cid[]", "ck[]"))

    with_steam(tmp_path, story)


def test_what_is_not_confirmed_nobody_else_sees(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client, seller = await _client(steam), await _logged_in(steam, steam.seller)
        item = steam.world.add_item(steam.bot.steamid64, 440, NAME)
        offer = steam.world.create_offer(steam.bot, steam.seller, steam.seller.trade_token, [(440, "2", item.assetid)], [], "")
        assert [one.state for one in (await client.offers(1, True)).sent] == [9]
        assert (await seller.offers(1, True)).received == []
        assert await seller.offer(offer.tradeofferid) is None
        await seller.decline(offer.tradeofferid)
        assert offer.state == 9
        steam.clock.advance(14 * 86_400)
        steam.world.tick()
        assert offer.state == 5

    with_steam(tmp_path, story)


def test_a_program_counters_an_offer(tmp_path: Path) -> None:
    """From the offer's own page, without a trade link: the original ends countered."""

    async def story(steam: Steam) -> None:
        client, seller = await _client(steam), await _logged_in(steam, steam.seller)
        items = [steam.world.add_item(steam.seller.steamid64, 440, NAME).assetid for _ in range(2)]
        sent = await client.send(steam.link, [Asset(440, "2", items[0])], "m")
        assert isinstance(sent, Sent)
        wanted = {
            "newversion": True,
            "version": 2,
            "me": {"assets": [{"appid": 440, "contextid": "2", "amount": 1, "assetid": items[1]}], "currency": [], "ready": False},
            "them": {"assets": [], "currency": [], "ready": False},
        }
        form = {
            "sessionid": seller.session.session_id, "serverid": "1", "partner": steam.bot.steamid64, "tradeoffermessage": "",
            "json_tradeoffer": json.dumps(wanted), "captcha": "", "trade_offer_create_params": "{}", "tradeofferid_countered": sent.offer_id,
        }  # fmt: skip
        page = f"https://steamcommunity.com/tradeoffer/{sent.offer_id}/"
        async with aiohttp.ClientSession(steam.url, headers={"Cookie": seller.session.cookie()}) as http:
            for headers, body, status in (
                ({}, form, 400),
                ({"Referer": page}, form | {"sessionid": "another"}, 400),
                ({"Referer": page}, form, 200),
                ({"Referer": page}, form, 500),
            ):
                async with http.post("/tradeoffer/new/send", data=body, headers=headers) as answer:
                    assert answer.status == status, (headers, body)
            async with http.get(f"/tradeoffer/{sent.offer_id}/") as answer:
                text = await answer.text()
                for name in ("g_rgAppContextData", "g_strTradePartnerPersonaName", "g_daysTheirEscrow", "g_ulTradePartnerSteamID"):
                    assert f"var {name} = " in text
        assert steam.world.offers[sent.offer_id].state == 4

    with_steam(tmp_path, story)


def test_items_that_leave_are_shown_missing(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        item = steam.world.add_item(steam.seller.steamid64, 440, NAME)
        sent = await client.send(steam.link, [Asset(440, "2", item.assetid)], "m")
        assert isinstance(sent, Sent)
        steam.world.remove_item(item.assetid)
        offer = await client.offer(sent.offer_id)
        assert offer is not None
        assert (offer.state, offer.items_to_receive[0].missing) == (8, True)

    with_steam(tmp_path, story)


IMPOSSIBLE: list[Any] = [
    # what                       give            receive                      eresult
    ("twice the same",           [],             ["own", "own"],              8),
    ("CS2 and others in one",    [],             ["own", "cs2"],              15),
    ("nothing at all",           [],             [],                          2),
]  # fmt: skip


@pytest.mark.parametrize(("what", "give", "receive", "eresult"), IMPOSSIBLE)
def test_impossible_offers_are_refused(tmp_path: Path, what: str, give: list[str], receive: list[str], eresult: int) -> None:
    async def story(steam: Steam) -> None:
        own = steam.world.add_item(steam.seller.steamid64, 440, NAME).assetid
        cs2 = steam.world.add_item(steam.seller.steamid64, 730, NAME).assetid
        assets = {"own": (440, "2", own), "cs2": (730, "2", cs2)}
        with pytest.raises(Refused) as refused:
            steam.world.create_offer(
                steam.bot, steam.seller, steam.seller.trade_token, [assets[n] for n in give], [assets[n] for n in receive], ""
            )
        assert refused.value.eresult == eresult
        with pytest.raises(Refused):
            steam.world.create_offer(steam.seller, steam.seller, steam.seller.trade_token, [], [assets["own"]], "")

    with_steam(tmp_path, story)


def test_inventories_come_in_pages_and_context_16_is_private(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        for _ in range(1050):
            steam.world.add_item(steam.seller.steamid64, 440, NAME)
        assert len((await client.partner_inventory(steam.link, 440, "2")).items) == 1050
        path = f"/inventory/{steam.seller.steamid64}/440/2"
        async with aiohttp.ClientSession(steam.url) as http:
            async with http.get(path, params={"count": "1000"}) as answer:
                first = await answer.json()
            assert (len(first["assets"]), first["more_items"], first["total_inventory_count"]) == (1000, 1, 1050)
            async with http.get(path, params={"count": "1000", "start_assetid": first["last_assetid"]}) as answer:
                second = await answer.json()
            assert (len(second["assets"]), "more_items" in second) == (50, False)
            assert not {one["assetid"] for one in first["assets"]} & {one["assetid"] for one in second["assets"]}
            async with http.get(path, params={"count": "5000"}) as answer:
                assert answer.status == 400
            async with http.get(path.replace("440/2", "730/16")) as answer:
                assert (answer.status, await answer.text()) == (403, "null")
            classid = first["assets"][0]["classid"]
            status, answer_body = await _get(
                http, client, "/ISteamEconomy/GetAssetClassInfo/v1/", appid="440", class_count="1", classid0=classid
            )
            assert (status, answer_body["result"][classid]["name"]) == (200, NAME)

    with_steam(tmp_path, story)


def test_old_offers_expire_and_holds_tell_their_end(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        steam.seller.behaviour = Behaviour.IGNORE
        items = [steam.world.add_item(steam.seller.steamid64, 440, NAME).assetid for _ in range(2)]
        sent = [await client.send(steam.link, [Asset(440, "2", item)], "m") for item in items]
        offers = [steam.world.offers[one.offer_id] for one in sent if isinstance(one, Sent)]
        steam.simulator.faults.switch_on(FaultRequest("hold", times=1), steam.clock.now_us())
        steam.world.accept(offers[0])
        held = await client.offer(offers[0].tradeofferid)
        assert held is not None
        assert (held.state, held.escrow_end) == (11, steam.clock.now_us() // 1_000_000 + 15 * 86_400)
        async with aiohttp.ClientSession(steam.url) as http, http.delete(f"/control/items/{items[0]}") as answer:
            assert answer.status == 409, "what is in a hold is in nobody's inventory"
        steam.clock.advance(14 * 86_400)
        steam.world.tick()
        assert [offer.state for offer in offers] == [11, 5]

    with_steam(tmp_path, story)


def test_an_odd_cookie_hides_no_other_and_dead_sessions_go_to_the_login_page(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        async with aiohttp.ClientSession(steam.url) as http:
            odd = 'foo={"a":1}; weird=a b; x[y]=1; ' + client.session.cookie()
            async with http.get("/my", headers={"Cookie": odd}, allow_redirects=False) as answer:
                profile = answer.headers["Location"].removeprefix("https://steamcommunity.com")
            assert profile == f"/profiles/{steam.bot.steamid64}/"
            async with http.get(profile + "?xml=1") as answer:
                assert f"<steamID64>{steam.bot.steamid64}</steamID64>" in await answer.text()
            steam.simulator.faults.switch_on(FaultRequest("session_expired", times=2), steam.clock.now_us())
            async with http.get("/my", headers={"Cookie": odd}, allow_redirects=False) as answer:
                assert "/login/home/" in answer.headers["Location"]
            async with http.get("/", headers={"Cookie": odd}) as answer:
                assert "g_steamID = false" in await answer.text()
            async with http.get("/my", headers={"Cookie": "steamLoginSecure=1%7C%7Ca.e30.%C3%A9"}, allow_redirects=False) as answer:
                assert answer.status == 302

    with_steam(tmp_path, story)


def test_a_browsers_token_is_not_renewed_as_an_apps(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        session = steam.session()
        browser = steam.simulator.auth.issue(steam.bot, 86_400, ["web", "renew", "derive"])
        session.tokens = Tokens(browser, "")
        with pytest.raises(NotLoggedIn):
            await session.renew()

    with_steam(tmp_path, story)


def test_a_user_agent_that_is_no_phones_is_filtered(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = await _client(steam)
        steam.simulator.faults.switch_on(FaultRequest("user_agent_filter"), steam.clock.now_us())
        headers = {"Cookie": client.session.cookie(), "User-Agent": "Mozilla"}
        async with aiohttp.ClientSession(steam.url, headers=headers) as http, http.get("/mobileconf/getlist") as answer:
            assert answer.status == 429
        assert await client.confirmations() == []

    with_steam(tmp_path, story)


BAD_FAULTS = [
    {"fault": "nonsense"},
    {"fault": "slow", "tims": 1},
    {"fault": "slow", "times": 0},
    {"fault": "slow", "for_seconds": -1},
    {"fault": "slow", "for_seconds": 1e308},
    {"fault": "poll_late", "seconds": 1e308},
    {"fault": "slow", "bot": "nobody"},
    {"fault": "rate_limited", "seller": "alice"},
    {"fault": "login_refused", "game": 730},
    {"fault": "clock_skew", "bot": "bot1"},
]


@pytest.mark.parametrize("body", BAD_FAULTS, ids=lambda body: json.dumps(body)[:50])
def test_a_switch_that_can_not_strike_as_asked_is_refused(tmp_path: Path, body: dict[str, Any]) -> None:
    async def story(steam: Steam) -> None:
        async with aiohttp.ClientSession(steam.url) as http, http.post("/control/faults", json=body) as answer:
            assert answer.status == 400, await answer.text()
            assert "error" in await answer.json()

    with_steam(tmp_path, story)


LIMITED = ["poll_late", "poll_empty", "poll_hides", "poll_no_items", "poll_malformed", "poll_500", "state_flaps", "offer_without_tradeid",
           "trade_status_empty", "exchange_no_assets", "history_empty", "no_new_assetid"]  # fmt: skip


@pytest.mark.parametrize("fault", LIMITED)
@pytest.mark.parametrize("about", ["seller", "game"])
def test_switches_strike_only_whom_and_what_they_are_for(tmp_path: Path, fault: str, about: str) -> None:
    """Two exchanged offers: one is with the seller, or of the game, that the switch is for."""

    async def story(steam: Steam) -> None:
        client = await _client(steam)
        other = steam.world.add_account("boris", "seller")
        one = steam.world.add_item(steam.seller.steamid64, 440, NAME)
        two = steam.world.add_item(other.steamid64, 570, NAME)
        await client.send(steam.link, [Asset(440, "2", one.assetid)], "m")
        await client.send(TradeLink(other.number, other.trade_token), [Asset(570, "2", two.assetid)], "m")
        steam.clock.advance(2)
        steam.world.tick()
        limits: dict[str, Any] = {"seller": steam.seller.steamid64} if about == "seller" else {"game": 440}
        async with aiohttp.ClientSession(steam.url) as http:
            await http.post("/control/faults", json={"fault": fault, "seconds": 1000, "times": 1, **limits})
        await self_or_fault(client.offers(1, False))
        for trade in list(steam.world.trades.values()):
            await self_or_fault(client.trade_status(trade.tradeid))
        await self_or_fault(client.trade_history())
        assert steam.simulator.faults.hits.get(fault) == 1
        steam.simulator.faults.switch_off(None)
        before = dict(steam.simulator.faults.hits)
        stranger = steam.world.add_account("carl", "seller")
        nothing: dict[str, Any] = {"seller": stranger.steamid64} if about == "seller" else {"game": 252490}
        async with aiohttp.ClientSession(steam.url) as http:
            await http.post("/control/faults", json={"fault": fault, "seconds": 1000, **nothing})
        assert len((await client.offers(1, False)).sent) == 2
        for trade in list(steam.world.trades.values()):
            assert await client.trade_status(trade.tradeid) is not None
        assert steam.simulator.faults.hits == before

    with_steam(tmp_path, story)


async def self_or_fault(asked: Awaitable[Any]) -> None:
    with contextlib.suppress(SteamFault):
        await asked


def test_every_switch_is_thrown_somewhere_in_these_tests() -> None:
    texts = "".join(path.read_text() for path in Path(__file__).parent.parent.rglob("test_*.py") if path.name != "test_hour.py")
    assert [name for name in FAULTS if f'"{name}"' not in texts] == []


def test_a_form_is_read_however_it_is_written(tmp_path: Path) -> None:
    """Steam's clients send urlencoded and multipart forms; what stands in them is the same."""

    async def story(steam: Steam) -> None:
        client = await _client(steam)
        assert client.session.tokens is not None
        fields = {"refresh_token": client.session.tokens.refresh, "steamid": steam.bot.steamid64}
        multipart = aiohttp.FormData()
        for name, value in fields.items():
            multipart.add_field(name, value, content_type="text/plain")
        eresults = []
        async with aiohttp.ClientSession() as session:
            for form in (fields, multipart, {}):
                async with session.post(f"{steam.url}/IAuthenticationService/GenerateAccessTokenForApp/v1/", data=form) as answer:
                    eresults.append((answer.status, answer.headers["x-eresult"]))
        written, in_parts, empty = eresults
        assert (written, in_parts) == ((200, "1"), (200, "1"))
        assert empty != written

    with_steam(tmp_path, story)
