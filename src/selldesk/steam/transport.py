"""The seam between our calls and the HTTP library: one method. A swap of the library is a swap of this class (protocol §0)."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import aiohttp


class Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class ConnectionFailed(Exception):
    """No answer: `sent` tells whether the request may have reached Steam."""

    def __init__(self, reason: str, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class Transport(Protocol):
    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One request, no redirects followed, no cookies kept. Raises ConnectionFailed."""
        ...


class OwnTransport(Transport, Protocol):
    """One that whoever made it must close."""

    async def close(self) -> None: ...


BODY_MAX_BYTES = 32 * 1024 * 1024
"""After decompression. Steam's largest answer, a thousand items with their descriptions, is about 3 MB."""


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises ConnectionFailed beyond BODY_MAX_BYTES: whoever answers so is not Steam, or not well."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > BODY_MAX_BYTES:
            response.close()
            raise ConnectionFailed(f"an answer of more than {BODY_MAX_BYTES >> 20} MiB", sent=True)
        parts.append(part)
    return b"".join(parts)


class AiohttpTransport:
    """aiohttp, without a cookie jar: the session writes its cookies by hand (protocol §2.2)."""

    def __init__(self, timeout_seconds: float = 30.0) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=10)
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._session.request(
                method, url, params=params, data=form, headers=headers, allow_redirects=False
            ) as response:
                body = await _bounded(response)
                return Response(response.status, {name.lower(): value for name, value in response.headers.items()}, body)
        except aiohttp.ClientConnectorError as error:
            raise ConnectionFailed(f"no connection: {error}", sent=False) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ConnectionFailed(f"connection lost: {type(error).__name__}", sent=True) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
