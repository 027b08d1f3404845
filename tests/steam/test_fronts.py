"""The simulator's TLS and proxy front ends, as foreign clients use them: real host names, a CA file, a CONNECT proxy."""

import asyncio
import http.client
import json
import ssl
from typing import Any

import aiohttp
import pytest

from selldesk.steam.client import SteamClient
from selldesk.steam.session import SteamSession, SteamUrls
from selldesk.steam.transport import AiohttpTransport, Response
from selldesk.steamsim.fronts import serves
from selldesk.steamwire.credentials import Credentials
from tests.support import SandboxProcess

HOSTS = [
    # host                       path                                    served
    ("steamcommunity.com", "/tradeoffer/new/send", True),
    ("steamcommunity.com:443", "/inventory/1/730/2", True),
    ("steamcommunity.com", "/IEconService/GetTradeOffers/v1/", False),
    ("steamcommunity.com", "/control/state", False),
    ("api.steampowered.com", "/IEconService/GetTradeOffers/v1/", True),
    ("api.steampowered.com", "/tradeoffer/new/send", False),
    ("login.steampowered.com", "/jwt/finalizelogin", True),
    ("login.steampowered.com", "/IEconService/GetTradeOffers/v1/", False),
    ("store.steampowered.com", "/login/settoken", True),
    ("store.steampowered.com", "/inventory/1/730/2", False),
    ("example.com", "/tradeoffer/new/send", False),
    ("127.0.0.1:8101", "/control/state", False),
]

ENGINES = ("sqlite",)


@pytest.mark.parametrize(("host", "path", "served"), HOSTS)
def test_each_host_serves_its_own_paths(host: str, path: str, served: bool) -> None:
    assert serves(host, path) is served


def _through_proxy(sandbox: SandboxProcess, host: str, path: str) -> tuple[int, bytes]:
    """A TLS request to a real host name, through the CONNECT proxy, trusting only the simulator's CA."""
    steam = sandbox.description["steam"]
    context = ssl.create_default_context(cafile=steam["ca_file"])
    connection = http.client.HTTPSConnection("127.0.0.1", steam["proxy_port"], context=context, timeout=10)
    connection.set_tunnel(host, 443)
    connection.request("GET", path, headers={"Accept-Language": "en"})
    response = connection.getresponse()
    return response.status, response.read()


def test_a_client_reaches_steam_by_name_through_the_proxy(sandbox: SandboxProcess) -> None:
    seller = sandbox.sellers[0]["steamid64"]
    status, body = _through_proxy(sandbox, "steamcommunity.com", f"/inventory/{seller}/730/2?count=5")
    assert (status, json.loads(body)["success"]) == (200, 1)
    assert _through_proxy(sandbox, "steamcommunity.com", "/control/state")[0] == 404
    assert _through_proxy(sandbox, "api.steampowered.com", "/IEconService/GetTradeOffers/v1/")[0] == 403


@pytest.mark.parametrize(
    "target", ["example.com:443", "127.0.0.1:443", "steamcommunity.com:80", "steamcommunity.com.evil.example:443"]
)
def test_the_proxy_refuses_every_other_host(sandbox: SandboxProcess, target: str) -> None:
    async def ask(head: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.description["steam"]["proxy_port"])
        writer.write(head)
        answer = await reader.read(1000)
        writer.close()
        return answer

    assert asyncio.run(ask(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())).startswith(b"HTTP/1.1 403")
    assert asyncio.run(ask(b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405")
    assert asyncio.run(ask(b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400")


def test_our_own_client_logs_in_over_tls(sandbox: SandboxProcess) -> None:
    """The whole login and a reading, with Steam's real base URLs; only the transport goes through the proxy."""
    steam, bot = sandbox.description["steam"], sandbox.description["bots"][2]
    context = ssl.create_default_context(cafile=steam["ca_file"])

    class Proxied(AiohttpTransport):
        async def request(self, method: str, url: str, **options: Any) -> Response:
            async with (
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
                http.request(
                    method,
                    url,
                    params=options.get("params"),
                    data=options.get("form"),
                    headers=options.get("headers"),
                    proxy=f"http://127.0.0.1:{steam['proxy_port']}",
                    ssl=context,
                    allow_redirects=False,
                ) as answer,
            ):
                return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read())

    async def story() -> None:
        now = asyncio.get_running_loop().time
        credentials = Credentials(bot["login"], bot["password"], bot["shared_secret"], bot["identity_secret"], bot["steamid64"])
        session = SteamSession(Proxied(), SteamUrls(), credentials, None, lambda: int(now()))
        await session.log_in()
        lists = await SteamClient(session).offers(1, True)
        assert lists.complete

    asyncio.run(story())


def test_the_sandbox_tells_where_the_fronts_are(sandbox: SandboxProcess) -> None:
    steam = sandbox.description["steam"]
    fronts = sandbox.steam.call("GET", "fronts")
    assert {name: steam[name] for name in ("tls_port", "proxy_port", "ca_file")} == {
        name: fronts[name] for name in ("tls_port", "proxy_port", "ca_file")
    }
    assert isinstance(steam["tls_port"], int)
    assert isinstance(steam["proxy_port"], int)
