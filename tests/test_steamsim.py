"""The simulator as its own thing: what it answered is durable, and it speaks as Steam does."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from selldesk.kernel.clock import ManualClock
from selldesk.steam.client import SteamClient
from selldesk.steam.results import Asset, LoginRefused, NotLoggedIn, Rejected, Sent
from selldesk.steam.session import Credentials, SteamSession, SteamUrls, Tokens
from selldesk.steam.transport import AiohttpTransport
from selldesk.steamsim.entities import Account
from selldesk.steamsim.faults import FaultRequest
from selldesk.steamsim.server import SteamSimulator
from selldesk.steamsim.world import World
from selldesk.steamwire import protobuf
from selldesk.steamwire.guard import confirmation_key
from selldesk.steamwire.tradelink import TradeLink
from tests.little_market import lend_rsa_key

NAME = "AK-47 | Redline (Field-Tested)"


class Steam:
    """A simulator in this process, with a bot's client."""

    def __init__(self, folder: Path) -> None:
        lend_rsa_key(folder)
        self.folder = folder
        self.clock = ManualClock()
        self.simulator = SteamSimulator(folder, self.clock.now_us, self.clock.advance)
        self.world = self.simulator.world
        self.bot = self.world.add_account("bot1", "bot")
        self.seller = self.world.add_account("alice", "seller")
        self.world.commit()
        self.link = TradeLink(self.seller.number, self.seller.trade_token)
        self.transport = AiohttpTransport(5)

    def session(self, account: Account | None = None, **changed: str) -> SteamSession:
        account = account or self.bot
        fields = {"password": account.password, "shared_secret": account.shared_secret, "account_name": account.login} | changed
        credentials = Credentials(identity_secret="", steamid64=account.steamid64, **fields)
        urls = SteamUrls(self.url, self.url, self.url)
        return SteamSession(self.transport, urls, credentials, None, lambda: self.clock.now_us() // 1_000_000)


def with_steam(folder: Path, story: Callable[[Steam], Awaitable[None]]) -> None:
    async def tell() -> None:
        steam = Steam(folder)
        server = TestServer(steam.simulator.app())
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
        assert steam.simulator._ticker is not None
        steam.simulator._ticker.cancel()  # nothing but the answer itself may commit
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
