"""The ASGI application: finds the route, checks key, role, rate and body, calls the handler, and puts everything in the envelope."""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.routing import compile_path

from selldesk.kernel import refusals
from selldesk.kernel.clock import Clock
from selldesk.kernel.ids import new_uuid7
from selldesk.kernel.limits import BODY_BYTES_MAX
from selldesk.kernel.refusals import Refusal
from selldesk.store.store import StoreUnavailable
from selldesk.web.bodies import BODY_SECONDS, BodyReader, Disconnected, LargeBodies, Receive, decode_body, decode_large
from selldesk.web.connections import Network, is_in
from selldesk.web.counting import Counted
from selldesk.web.envelope import failure, success
from selldesk.web.keyring import Identity, KeyRing
from selldesk.web.limits import RateLimiter, RateLimits
from selldesk.web.queries import parse_query
from selldesk.web.routes import Call, Reply, RouteSpec

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

logger = logging.getLogger(__name__)

_SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_OFF_LOOP_BYTES = 256 * 1024
_JSON = (b"content-type", b"application/json")
_KEY_CHECKED_SECONDS = 0.5
_RETRY = {429: b"1", 503: b"1"}
_STOPPED = {refusals.TRADING_STOPPED.code, refusals.GAME_STOPPED.code}
_STOPPED_RETRY = b"60"
_HTML_HEADERS: list[Header] = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
"""Of every page that a browser shows."""


class MarketApi:
    """Pure ASGI. Routes without path parameters are found in a dict, the others by Starlette's patterns, in their order.

    `body_seconds`: how long a client may take to send a body.
    """

    def __init__(
        self,
        routes: list[RouteSpec],
        key_ring: KeyRing,
        rate_limits: RateLimits,
        clock: Clock,
        body_seconds: float = BODY_SECONDS,
        counted: Counted | None = None,
        trusted_proxies: tuple[Network, ...] = (),
    ) -> None:
        self.routes = routes
        self._trusted_proxies = trusted_proxies
        self._key_ring = key_ring
        self._limiter = RateLimiter(rate_limits)
        self._clock = clock
        self._bodies = BodyReader(body_seconds)
        self._static: dict[str, dict[str, RouteSpec]] = {}
        self._patterns: list[tuple[re.Pattern[str], str, dict[str, RouteSpec]]] = []
        for route in routes:
            if "{" not in route.path:
                self._static.setdefault(route.path, {})[route.method] = route
                continue
            known = next((methods for _, path, methods in self._patterns if path == route.path), None)
            if known is None:
                known = {}
                self._patterns.append((_whole_path(route.path), route.path, known))
            known[route.method] = route
        self._stopping = asyncio.Event()
        self.counted = counted if counted is not None else Counted()
        self._large = LargeBodies()

    def end_streams(self) -> None:
        """The process stops: those who listen go elsewhere."""
        self._stopping.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await _lifespan(receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        extra: list[Header] = [(b"x-request-id", self._request_id(headers))]
        route_name = "unknown"
        reply: Reply | None = None
        content_type = b"application/json"
        try:
            route, path = self._find(scope)
            route_name = route.path
            identity, reply = await self._answer(route, path, scope, headers, receive, extra)
            status, content_type = reply.status, reply.content_type.encode()
            body = reply.raw if reply.raw is not None or reply.stream is not None else success(reply.data)
            extra += _headers_of(reply)
        except (Refusal, StoreUnavailable) as error:
            refusal = error if isinstance(error, Refusal) else refusals.UNAVAILABLE()
            status, body = refusal.status, failure(refusal)
            extra += self._headers_of_refusal(refusal)
        except Disconnected:
            return
        except Exception:
            logger.exception("%s %s failed", scope["method"], route_name)
            status, body = 500, failure(refusals.INTERNAL_ERROR())
        answered = (route_name, status)
        self.counted.requests[answered] = self.counted.requests.get(answered, 0) + 1
        extra.append((b"content-type", content_type))
        if reply is not None and reply.stream is not None:
            await self._stream(reply, reply.stream, identity, route, scope, receive, send, extra)
            return
        body = body or b""
        extra.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": extra})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _stream(
        self,
        reply: Reply,
        stream: AsyncIterator[bytes],
        identity: Identity | None,
        route: RouteSpec,
        scope: Scope,
        receive: Receive,
        send: Send,
        headers: list[Header],
    ) -> None:
        """Ends with the stream, the client, the key or the process, whichever comes first."""

        async def is_over() -> None:
            stopping = asyncio.ensure_future(self._stopping.wait())
            try:
                while not stopping.done():
                    await asyncio.wait({stopping}, timeout=_KEY_CHECKED_SECONDS)
                    if identity is not None and not await self._key_ring.still_holds(identity, route.role_bits):
                        return
            finally:
                stopping.cancel()

        try:
            await send({"type": "http.response.start", "status": reply.status, "headers": headers})
            await _send_parts(stream, receive, send, is_over(), is_head=scope["method"] == "HEAD")
        finally:
            reply.closed()

    def _headers_of_refusal(self, refusal: Refusal) -> list[Header]:
        """When to try again, and whether the connection can go on; its cause is counted."""
        if refusal.cause is not None:
            self.counted.no_bot[refusal.cause] = self.counted.no_bot.get(refusal.cause, 0) + 1
        headers: list[Header] = []
        if refusal.status in (408, 413):
            headers.append((b"connection", b"close"))
        if refusal.status in _RETRY:
            headers.append((b"retry-after", _retry_after(refusal)))
        return headers

    def _request_id(self, headers: dict[bytes, bytes]) -> bytes:
        given = headers.get(b"x-request-id")
        if given is not None and _SANE_REQUEST_ID.fullmatch(given):
            return given
        return new_uuid7(self._clock.now_us()).encode()

    def _find(self, scope: Scope) -> tuple[RouteSpec, dict[str, str]]:
        """Refuses NOT_FOUND, METHOD_NOT_ALLOWED. Path parameters are decoded exactly once."""
        path: str = scope["path"]
        method: str = "GET" if scope["method"] == "HEAD" else scope["method"]
        methods = self._static.get(path)
        parameters: dict[str, str] = {}
        if methods is None:
            for pattern, _, candidates in self._patterns:
                found = pattern.match(path)
                if found is not None:
                    methods, parameters = candidates, found.groupdict()
                    break
            else:
                raise refusals.NOT_FOUND()
        route = methods.get(method)
        if route is None:
            raise refusals.METHOD_NOT_ALLOWED()
        return route, parameters

    async def _answer(
        self,
        route: RouteSpec,
        path: dict[str, str],
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
        extra: list[Header],
    ) -> tuple[Identity | None, Reply]:
        identity: Identity | None = None
        if route.roles:
            api_key = headers.get(b"x-api-key")
            identity = self._key_ring.known(api_key)
            if identity is None:
                identity = await self._key_ring.identify(api_key, self._address(scope, headers))
            self._limit(identity, route, extra)
            if not identity.roles & route.role_bits:
                raise refusals.FORBIDDEN()
        if path and not _is_readable(scope):
            raise route.lookup()
        query = parse_query(scope["query_string"]) if scope["query_string"] else {}
        if route.refuses_unknown_query and (unknown := sorted(query.keys() - route.query_names)):
            raise refusals.INVALID_QUERY(
                name=unknown[0], details=[{"path": one, "message": "is not known here"} for one in unknown]
            )
        body, small = (None, b"") if route.decoder is None else await self._read_body(route, route.decoder, identity, receive)
        plain = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()} if not route.is_fast else {}
        return identity, await route.handler(Call(identity, path, query, body, plain, small))

    def _address(self, scope: Scope, headers: dict[bytes, bytes]) -> str:
        """The peer's; behind a trusted proxy the last one in X-Forwarded-For that isn't trusted itself (people P1)."""
        peer: str = scope["client"][0] if scope.get("client") else ""
        if not self._trusted_proxies or not is_in(peer, self._trusted_proxies):
            return peer
        for part in reversed(headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")):
            address = part.strip()
            if address and not is_in(address, self._trusted_proxies):
                return address
        return peer

    async def _read_body(
        self, route: RouteSpec, decoder: msgspec.json.Decoder[Any], identity: Identity | None, receive: Receive
    ) -> tuple[Any, bytes]:
        """The body, and its bytes if they are few. What would hold up the event loop is decoded beside it; of a person's large ones,
        one after the other."""
        if route.body_max > BODY_BYTES_MAX and identity is not None:
            async with self._large.of(identity.person):
                raw = await self._bodies.read(receive, route.body_max)
                if len(raw) <= _OFF_LOOP_BYTES:
                    return decode_body(decoder, raw), b""
                async with self._large.decoding:
                    return await asyncio.to_thread(decode_large, decoder, raw, route.elements_max), b""
        raw = await self._bodies.read(receive, route.body_max)
        if len(raw) > _OFF_LOOP_BYTES:
            return await asyncio.to_thread(decode_body, decoder, raw), b""
        return decode_body(decoder, raw), raw

    def _limit(self, identity: Identity, route: RouteSpec, extra: list[Header]) -> None:
        allowed, limit, remaining, reset = self._limiter.take(identity.person, route.is_fast)
        extra.append((b"x-ratelimit-limit", b"%d" % limit))
        extra.append((b"x-ratelimit-remaining", b"%d" % remaining))
        extra.append((b"x-ratelimit-reset", b"%d" % reset))
        if not allowed:
            raise refusals.TOO_MANY_REQUESTS()


async def _send_parts(
    stream: AsyncIterator[bytes], receive: Receive, send: Send, is_over: Coroutine[Any, Any, None], is_head: bool
) -> None:
    """Part by part, until the stream ends, the client is gone, or it `is_over`, even while the next part is long in coming. A client that
    stalls is cut off by its connection (connections.py)."""
    gone = asyncio.ensure_future(_gone(receive))
    over = asyncio.ensure_future(is_over)
    coming: asyncio.Future[bytes] | None = None
    try:
        while not is_head:
            coming = asyncio.ensure_future(anext(stream))
            await asyncio.wait({coming, gone, over}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return
            if over.done():
                break
            try:
                part = coming.result()
            except StopAsyncIteration:
                break
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        # The stream may not be closed while somebody still waits for its next part.
        for waiting in (gone, over, coming):
            if waiting is not None and not waiting.done():
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await waiting
            elif waiting is coming and waiting is not None and not waiting.cancelled():
                waiting.exception()
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


async def _gone(receive: Receive) -> None:
    """Returns when the client has hung up. What it still sends belongs to no body of this request."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _retry_after(refusal: Refusal) -> bytes:
    if refusal.retry_after is not None:
        return b"%d" % refusal.retry_after
    return _STOPPED_RETRY if refusal.code in _STOPPED else _RETRY[refusal.status]


def _whole_path(path: str) -> re.Pattern[str]:
    """Starlette's pattern, strict about newlines: its `$` would also match before a last one, its `.` would stop at any."""
    return re.compile(compile_path(path)[0].pattern.removesuffix("$") + r"\Z", re.DOTALL)


def _is_readable(scope: Scope) -> bool:
    """Whether the path is UTF-8 without NUL; uvicorn would have put replacement characters there."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%" not in raw:
        return True
    try:
        return "\0" not in unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return False


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _headers_of(reply: Reply) -> list[Header]:
    own = [(name.lower().encode(), value.encode()) for name, value in reply.headers]
    return [*_HTML_HEADERS, *own] if reply.content_type.startswith("text/html") else own
