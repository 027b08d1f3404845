"""A client's way to the simulated Steam without sockets."""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from selldesk.steam.transport import ConnectionFailed, Response
from selldesk.steamsim.messages import Headers, Request
from selldesk.steamsim.server import SteamSimulator


class InlineTransport:
    """Every request is answered by the simulator in the same turn. What a socket would lose is lost here too: a dropped connection and an
    answer that comes too late."""

    def __init__(self, simulator: SteamSimulator, timeout_seconds: float) -> None:
        self._simulator = simulator
        self._timeout_seconds = timeout_seconds

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        parts = urlsplit(url)
        request = Request(
            method=method,
            path=unquote(parts.path),
            host=parts.netloc,
            headers=Headers(headers),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)) | dict(params or {}),
            form=dict(form or {}),
            body=urlencode(form).encode() if form else b"",
            content_type="application/x-www-form-urlencoded" if form else "",
        )
        try:
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._simulator.answer(request)
        except TimeoutError as error:
            raise ConnectionFailed("connection lost: TimeoutError", sent=True) from error
        if request.is_dropped:
            raise ConnectionFailed("connection lost: dropped", sent=True)
        shown = dict(response.headers)
        if response.cookies:
            shown["set-cookie"] = response.cookies[-1]
        return Response(response.status, shown, response.body)

    async def close(self) -> None:
        pass
