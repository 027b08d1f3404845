"""One request to one endpoint, within its bounds (people P3): where it may go, how long it may take, how much of the answer is read."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import aiohttp
import msgspec
from standardwebhooks import Webhook

from selldesk import __version__
from selldesk.webhooks.addresses import may_be_reached

USER_AGENT = f"selldesk-webhooks/{__version__}"
_READ_BYTES_MAX = 16 * 1024
_KEPT_CHARS_MAX = 1_024
_IDLE_SECONDS = 30.0
_RETRY_AFTER_DIGITS = 9


class SenderSettings(msgspec.Struct, frozen=True):
    """Real seconds. `allow_private`: for the sandbox, and for receivers on the operator's own network."""

    connect_seconds: float = 5
    whole_seconds: float = 20
    allow_private: bool = False


class Letter(NamedTuple):
    """What is sent. The bytes that are signed are the bytes that are sent."""

    url: str
    event_id: str
    body: bytes
    secrets: Sequence[str]
    """`whsec_…`, the newest first."""


class Attempt(NamedTuple):
    """How it ended. `status` None: no answer, and `error` says why."""

    status: int | None
    duration_ms: int
    error: str | None
    response: str | None
    retry_after_seconds: int | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class AddressNotAllowed(OSError):
    """The receiver's name leads where no event may go. The text names no address."""

    def __init__(self) -> None:
        super().__init__("address not allowed")


class Line:
    """The connections to one endpoint: never shared with another one."""

    def __init__(self, settings: SenderSettings, tls: ssl.SSLContext) -> None:
        self._settings = settings
        connector = aiohttp.TCPConnector(
            ssl=tls,
            limit=0,
            use_dns_cache=False,
            keepalive_timeout=_IDLE_SECONDS,
            happy_eyeballs_delay=None,
            socket_factory=self._new_socket,
        )
        timeout = aiohttp.ClientTimeout(total=settings.whole_seconds, connect=settings.connect_seconds)
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout, auto_decompress=False, trust_env=False
        )
        self.used_at = time.monotonic()

    def _new_socket(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """Gets the very address that the socket will take, whether it was named or found by name. Raises AddressNotAllowed."""
        family, kind, protocol, _, address = info
        if not self._settings.allow_private and not may_be_reached(str(address[0])):
            raise AddressNotAllowed
        return socket.socket(family, kind, protocol)

    async def send(self, letter: Letter) -> Attempt:
        """Never raises, but for a cancellation."""
        self.used_at = began = time.monotonic()
        try:
            return await self._send(letter, began)
        except Exception as error:
            return Attempt(None, _since(began), _why(error), None)
        finally:
            self.used_at = time.monotonic()

    async def _send(self, letter: Letter, began: float) -> Attempt:
        async with self._session.post(
            letter.url, data=letter.body, headers=headers_of(letter, int(time.time())), allow_redirects=False
        ) as answer:
            text = b""
            with contextlib.suppress(TimeoutError, aiohttp.ClientError):
                while len(text) < _READ_BYTES_MAX and (part := await answer.content.read(_READ_BYTES_MAX - len(text))):
                    text += part
            if not answer.content.at_eof():
                # More than anybody needs, or it never ends.
                answer.close()
            response = text.decode("utf-8", "replace").replace("\0", "\ufffd")[:_KEPT_CHARS_MAX]
            return Attempt(answer.status, _since(began), None, response, _retry_after(answer.headers.get("Retry-After")))

    async def close(self) -> None:
        await self._session.close()


class Sender:
    """Lines to endpoints, opened when they are needed and closed when they are not."""

    def __init__(self, settings: SenderSettings) -> None:
        self._settings = settings
        self._tls = ssl.create_default_context()
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._lines: dict[str, Line] = {}

    async def send(self, endpoint: str, letter: Letter) -> Attempt:
        line = self._lines.get(endpoint)
        if line is None:
            line = self._lines[endpoint] = Line(self._settings, self._tls)
        return await line.send(letter)

    async def tidy(self) -> None:
        """Closes what was not used for a while."""
        before = time.monotonic() - 2 * _IDLE_SECONDS
        for endpoint in [one for one, line in self._lines.items() if line.used_at < before]:
            await self._lines.pop(endpoint).close()

    async def close(self) -> None:
        for line in self._lines.values():
            await line.close()
        self._lines.clear()


def headers_of(letter: Letter, at: int) -> dict[str, str]:
    """`at`: real seconds of this attempt; receivers refuse what is more than five minutes off."""
    # `sign` reads a datetime as UTC, whatever its zone.
    moment = datetime.fromtimestamp(at, UTC)
    signatures = [Webhook(secret).sign(letter.event_id, moment, letter.body.decode()) for secret in letter.secrets]
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "accept": "*/*",
        "accept-encoding": "identity",
        "webhook-id": letter.event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signatures),
    }


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1_000)


def _retry_after(text: str | None) -> int | None:
    """Seconds; a date is not worth a clock that may differ."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= _RETRY_AFTER_DIGITS else None


def _why(error: BaseException) -> str:
    """In a few words, without addresses: a receiver's owner is to learn nothing of the market's network."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AddressNotAllowed):
            return "address not allowed"
        seen = getattr(seen, "os_error", None) or seen.__cause__ or seen.__context__
    match error:
        case aiohttp.ConnectionTimeoutError():
            return "no connection in time"
        case TimeoutError() | asyncio.TimeoutError():
            return "no answer in time"
        case aiohttp.ClientConnectorDNSError():
            return "the name can't be resolved"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "the certificate can't be trusted"
        case aiohttp.ClientConnectorError():
            return "no connection"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the connection broke"
        case aiohttp.InvalidURL():
            return "the URL can't be used"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "the answer can't be read"
    return type(error).__name__
