"""The simulator's other front ends: TLS routed by host name, and a CONNECT proxy that knows nothing but Steam's hosts.

With them, unmodified clients that insist on https://steamcommunity.com reach the simulator: they trust the throw-away CA, and
are pointed to the TLS port by a proxy setting or a small preload.
"""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import trustme

COMMUNITY_HOSTS = ("steamcommunity.com", "www.steamcommunity.com")
API_HOSTS = ("api.steampowered.com",)
LOGIN_HOSTS = ("login.steampowered.com",)
TOKEN_HOSTS = ("store.steampowered.com", "help.steampowered.com", "checkout.steampowered.com", "steam.tv")
"""Hosts that a web login hands its cookies to."""
STEAM_HOSTS = (*COMMUNITY_HOSTS, *API_HOSTS, *LOGIN_HOSTS, *TOKEN_HOSTS)

_HEAD_BYTES_MAX = 16_384
_HEAD_SECONDS = 10


def make_tls(ca_file: Path) -> ssl.SSLContext:
    """A CA made now, its certificate written to `ca_file`, and one leaf for all of Steam's hosts. The CA's key stays in memory."""
    authority = trustme.CA(organization_name="selldesk Steam simulator (throw-away)")
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*STEAM_HOSTS).configure_cert(context)
    return context


def serves(host: str, path: str) -> bool:
    """Whether a host of Steam's answers this path: `/I…` is the Web API, `/jwt/…` the login host, everything else the community."""
    name = host.partition(":")[0].lower()
    is_api, is_login = path.startswith("/I"), path.startswith("/jwt/")
    if name in API_HOSTS:
        return is_api
    if name in LOGIN_HOSTS:
        return is_login
    if name in TOKEN_HOSTS:
        return path == "/login/settoken"
    return name in COMMUNITY_HOSTS and not is_api and not is_login and not path.startswith("/control")


class ConnectProxy:
    """`CONNECT host:443`: a tunnel to the TLS port for Steam's hosts, 403 for every other."""

    def __init__(self, tls_port: int) -> None:
        self._tls_port = tls_port

    async def start(self, listener: socket.socket) -> asyncio.Server:
        return await asyncio.start_server(self._serve, sock=listener, limit=_HEAD_BYTES_MAX)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_SECONDS)
            refusal = self._refusal(head)
            if refusal is not None:
                writer.write(b"HTTP/1.1 " + refusal + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
            else:
                await self._tunnel(reader, writer)
        writer.close()

    def _refusal(self, head: bytes) -> bytes | None:
        words = head.split(b"\r\n", 1)[0].split()
        if len(words) != 3:
            return b"400 Bad Request"
        if words[0] != b"CONNECT":
            return b"405 Method Not Allowed"
        name, _, port = words[1].decode("latin-1").rpartition(":")
        return None if name.lower() in STEAM_HOSTS and port == "443" else b"403 Forbidden"

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._tls_port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        ways = [asyncio.create_task(_pump(reader, inner_writer)), asyncio.create_task(_pump(inner_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            inner_writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await source.read(65_536):
            sink.write(chunk)
            await sink.drain()
