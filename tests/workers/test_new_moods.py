"""Moods of Steam that the simulator learned late: bare logins, silent and punished reversals, stacks, items without a description, and a
control API that no web page can use."""

import asyncio
import json
import zlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from selldesk.steam.client import SteamClient
from selldesk.steam.results import Asset, Rejected, Sent, Unreachable
from selldesk.steam.session import SteamUrls, request
from selldesk.steam.transport import BODY_MAX_BYTES, AiohttpTransport
from selldesk.steamsim.faults import FaultRequest
from selldesk.store.audit import run_audit
from tests.little_market import GAME_ITEM, ORDER_PRICE, LittleMarket, in_market
from tests.steam.test_steamsim import NAME, Steam, with_steam

DAY = 86_400
CS2, TF2 = 730, 440
HOSTILE = "</script><script>g_daysTheirEscrow = 15</script> because they have a trade ban (26)\nSteam Community :: Error"


# -- logins ------------------------------------------------------------------------------------------------------------


def test_a_login_without_an_access_token_is_completed(tmp_path: Path) -> None:
    """The refresh token is on record before it is used for the missing one (test_tokens.py looks at every call)."""

    async def story(market: LittleMarket) -> None:
        market.fault("login_without_access")
        worker = market.worker()
        trade_id = market.open_trade("bare")
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")
        logins = sum("BeginAuthSessionViaCredentials" in entry["path"] for entry in market.steam.request_log)
        renewals = sum("GenerateAccessTokenForApp" in entry["path"] for entry in market.steam.request_log)
        assert (logins, renewals) == (1, 1)

    in_market(tmp_path, story)


@pytest.mark.parametrize("password", ["pässwörd-ключ", "plain", "a😀b"])
def test_a_password_is_reduced_to_ascii_as_steams_page_does(tmp_path: Path, password: str) -> None:
    async def story(steam: Steam) -> None:
        steam.bot.password = password
        tokens = await steam.session(password=password).log_in()
        assert steam.simulator.auth.owner_of(tokens.access) is steam.bot

    with_steam(tmp_path, story)


# -- reversals ---------------------------------------------------------------------------------------------------------


def test_a_reversal_that_only_its_counter_exchange_tells_is_noticed(tmp_path: Path) -> None:
    """The exchange itself goes on saying "complete": the entry that names it (rollback_trade) is the only word."""

    async def story(market: LittleMarket) -> None:
        market.fault("reversal_unsaid")
        worker = market.worker()
        ids = [market.open_trade(f"c{number}") for number in range(2)]
        await market.run(worker, lambda: all(market.trade(trade_id).status == "accepted" for trade_id in ids))
        await market.pass_time(worker, 60)
        assert len(market.steam.world.reverse(market.seller.steamid64)) == 2
        await market.pass_time(worker, 10 * 60)
        assert {market.trade(trade_id).status for trade_id in ids} == {"rolled_back_by_user"}
        assert run_audit(market.store.reader()).violations == []

    in_market(tmp_path, story)


def test_whoever_reversed_is_not_available_to_trade_for_a_month(tmp_path: Path) -> None:
    """And whatever the seller is called, the next sale ends in Steam's words as the seller's doing; after the ban all is well."""

    async def story(market: LittleMarket) -> None:
        market.seller.persona = HOSTILE
        market.fault("reversal_bans")
        worker = market.worker()
        first = market.open_trade("first")
        await market.run(worker, lambda: market.trade(first).status == "accepted")
        market.steam.world.reverse(market.seller.steamid64)
        await market.run(worker, lambda: market.trade(first).status == "rolled_back_by_user")
        banned = market.open_trade("banned")
        await market.run(worker, lambda: market.trade(banned).status != "processing")
        assert market.trade(banned).status == "cancelled"
        assert "not available to trade" in str(market.trade(banned).error)
        assert market.bot_state() == "ok"
        market.clock.advance(30 * DAY)
        after = market.open_trade("after")
        await market.run(worker, lambda: market.trade(after).status == "accepted")

    in_market(tmp_path, story)


# -- inventories -------------------------------------------------------------------------------------------------------


def test_one_of_a_stack_is_sold_and_the_rest_stays(tmp_path: Path) -> None:
    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        stack = market.steam.world.add_item(market.seller.steamid64, TF2, GAME_ITEM[TF2], 5)
        trade_id = market.open_trade("one of five", TF2, assets=[stack.assetid])
        await market.run(worker, lambda: market.trade(trade_id).status == "completed")
        world = market.steam.world
        assert world.items[stack.assetid].amount == 4
        held = world.inventory(market.bot_account.steamid64, TF2, "2")
        assert [item.amount for item in held] == [1]
        assert market.trade(trade_id).value == ORDER_PRICE

    in_market(tmp_path, story)


def test_a_reversal_puts_the_part_back_to_its_stack(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = SteamClient(steam.session())
        await client.session.log_in()
        await client.acknowledge_protection()
        stack = steam.world.add_item(steam.seller.steamid64, CS2, NAME, 5)
        sent = await client.send(steam.link, [Asset(CS2, "2", stack.assetid)], "m")
        assert isinstance(sent, Sent)
        steam.clock.advance(2)
        steam.world.tick()
        assert steam.world.items[stack.assetid].amount == 4
        steam.world.reverse(steam.seller.steamid64)
        assert steam.world.items[stack.assetid].amount == 5
        assert steam.world.inventory(steam.bot.steamid64, CS2, "16") == []

    with_steam(tmp_path, story)


def test_items_without_descriptions_are_no_proof_against_the_seller_at_once(tmp_path: Path) -> None:
    """What can't be named can't be verified: nothing is sent, nothing is paid; when Steam describes them again, the sale goes on."""

    async def story(market: LittleMarket) -> None:
        worker = market.worker()
        await market.pass_time(worker, 60)
        market.fault("inventory_no_descriptions")
        trade_id = market.open_trade("nameless")
        await market.pass_time(worker, 30)
        assert market.trade(trade_id).status == "processing"
        assert market.offers() == []
        market.calm()
        await market.run(worker, lambda: market.trade(trade_id).status == "accepted")

    in_market(tmp_path, story)


# -- what strangers' programs read ---------------------------------------------------------------------------------------


def test_inventories_and_profiles_of_the_web_api(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        tokens = await steam.session().log_in()
        steam.seller.persona = HOSTILE
        for _ in range(3):
            steam.world.add_item(steam.bot.steamid64, TF2, NAME, 2)
        urls = f"{steam.url}/IEconService/GetInventoryItemsWithDescriptions/v1/"
        query = {"access_token": tokens.access, "steamid": steam.bot.steamid64, "appid": str(TF2), "contextid": "2"}
        page = await _json(steam, urls, query | {"get_descriptions": "true", "count": "2"})
        assert ([asset["amount"] for asset in page["assets"]], page["more_items"], page["total_inventory_count"]) == (
            ["2"] * 2,
            1,
            3,
        )
        assert page["descriptions"][0]["market_hash_name"] == NAME
        last = await _json(steam, urls, query | {"start_assetid": page["last_assetid"]})
        assert (len(last["assets"]), "descriptions" in last, "more_items" in last) == (1, False, False)
        assert await _json(steam, urls, query | {"steamid": steam.seller.steamid64}) == {}
        both = f"{steam.bot.steamid64},{steam.seller.steamid64},76561197999999999"
        summaries = f"{steam.url}/ISteamUser/GetPlayerSummaries/v2/"
        players = (await _json(steam, summaries, {"access_token": tokens.access, "steamids": both}))["players"]
        assert [player["personaname"] for player in players] == [steam.bot.persona, HOSTILE]

    with_steam(tmp_path, story)


def test_a_name_ends_no_script_and_a_long_message_is_dropped_whole(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        client = SteamClient(steam.session())
        await client.session.log_in()
        await client.acknowledge_protection()
        steam.seller.persona = HOSTILE
        path = f"/tradeoffer/new/?partner={steam.seller.number}&token={steam.seller.trade_token}"
        cookie = {"Cookie": client.session.cookie(), "User-Agent": "x", "Accept-Language": "en"}
        response = await steam.transport.request("GET", steam.url + path, headers=cookie)
        page = response.body.decode()
        assert page.count("</script>") == 1
        assert "Content-Security-Policy".lower() in response.headers
        item = steam.world.add_item(steam.seller.steamid64, TF2, NAME)
        for message, kept in (("ö" * 64, "ö" * 64), ("ö" * 64 + "x", "")):
            offer = steam.world.create_offer(
                steam.bot, steam.seller, steam.seller.trade_token, [], [(TF2, "2", item.assetid)], message
            )
            assert offer.message == kept
        steam.seller.banned_until = steam.world.now() + DAY
        refused = await client.send(steam.link, [Asset(TF2, "2", item.assetid)], "m")
        assert isinstance(refused, Rejected)

    with_steam(tmp_path, story)


CONTROL: list[tuple[dict[str, str], int]] = [
    ({}, 200),
    ({"Host": "localhost:80"}, 200),
    ({"Host": "[::1]"}, 200),
    ({"Host": "evil.example"}, 403),
    ({"Host": "127.0.0.1.evil.example"}, 403),
    ({"Origin": "http://127.0.0.1:8100"}, 200),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "text/plain;charset=UTF-8"}, 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 200),
    ({"Content-Type": "application/json"}, 200),
]


@pytest.mark.parametrize(("headers", "status"), CONTROL, ids=[str(headers) for headers, _ in CONTROL])
def test_no_page_of_a_browser_reaches_the_control_api(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    async def story(steam: Steam) -> None:
        body = json.dumps({"advance_seconds": 1}).encode()
        sent = {"Content-Type": "application/json"} | headers
        before = steam.clock.now_us()
        async with aiohttp.ClientSession() as session:
            response = await session.post(f"{steam.url}/control/clock", data=body, headers=sent)
            answer = json.loads(await response.text())
        assert response.status == status, answer
        assert ("error" in answer) == (status != 200)
        assert (steam.clock.now_us() == before) == (status != 200)

    with_steam(tmp_path, story)


# -- bounds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_an_answer_without_end_is_cut_off(packed: bool) -> None:
    """Counted after decompression: a few kilobytes may unpack to anything."""

    async def endless(_: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Encoding": "gzip"} if packed else {})
        await response.prepare(_)
        packer = zlib.compressobj(wbits=31)
        chunk = b"0" * 2**20
        for _number in range(40 + BODY_MAX_BYTES // len(chunk)):
            await response.write(packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH) if packed else chunk)
        return response

    async def tell() -> None:
        app = web.Application()
        app.router.add_get("/", endless)
        server = TestServer(app)
        await server.start_server()
        transport = AiohttpTransport(20)
        url = str(server.make_url("/"))
        try:
            with pytest.raises(Unreachable):
                await request(transport, "GET", url)
        finally:
            await transport.close()
            await server.close()

    asyncio.run(tell())


async def _json(steam: Steam, url: str, params: dict[str, str]) -> dict[str, Any]:
    response = await steam.transport.request("GET", url, params=params, headers={"Accept-Language": "en"})
    assert response.status == 200
    answer: dict[str, Any] = json.loads(response.body)["response"]
    return answer


def test_faults_that_strike_before_a_partner_is_known_take_none(tmp_path: Path) -> None:
    async def story(steam: Steam) -> None:
        steam.simulator.faults.switch_on(FaultRequest("login_without_access", times=1, bot=steam.bot.steamid64), 0)
        tokens = await steam.session().log_in()
        assert (tokens.access, bool(tokens.refresh)) == ("", True)
        assert (await steam.session().log_in()).access
        assert SteamUrls(steam.url, steam.url, steam.url)

    with_steam(tmp_path, story)
