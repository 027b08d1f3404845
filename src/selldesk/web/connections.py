"""HTTP connections of clients: uvicorn's protocol, bounded in everything that a stranger could let grow (promise I19).

uvicorn bounds neither a request's head nor how many connections, pipelined requests or unread answers one peer may have; why it is
wrapped instead of replaced: docs/decisions/0017.
"""

import asyncio
import ipaddress
import logging
import time
from typing import Any, ClassVar

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from selldesk.kernel import refusals
from selldesk.kernel.ids import new_uuid7
from selldesk.kernel.refusals import Kind
from selldesk.web.envelope import failure

logger = logging.getLogger(__name__)

REQUEST_LINE_BYTES_MAX = 64 * 1024
HEADER_BYTES_MAX = 32 * 1024
HEADER_FIELDS_MAX = 100
PIPELINE_MAX = 100
"""Requests of one connection that wait for their turn."""
HEAD_SECONDS = 10.0
UNREAD_SECONDS = 30.0
"""So long may an answer stand in the way, then its reader is cut off."""
_LOOK_SECONDS = 1.0
_JUNK_LINES_PER_SECOND = 5
_ONCE = frozenset({b"host", b"x-api-key"})
"""Headers that must not stand twice: whoever reads the first and whoever reads the last would see different requests."""
_STATUS_WORDS = {
    400: b"Bad Request",
    408: b"Request Timeout",
    414: b"URI Too Long",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}
_SEARCH_INSTEAD = [{"path": "", "message": "use POST /api/sell/trades/search"}]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConnectionLimits(msgspec.Struct, frozen=True):
    connections_max: int = 4_096
    per_address: int = 256
    trusted_proxies: tuple[Network, ...] = ()
    """Count only against the first: many clients stand behind each."""
    counts_loopback: bool = True
    """False in the sandbox, where everybody is at home."""


class ConnectionGuard:
    """All connections of one process: counts them, and once a second cuts off those whose time is over."""

    def __init__(
        self, limits: ConnectionLimits, head_seconds: float = HEAD_SECONDS, unread_seconds: float = UNREAD_SECONDS
    ) -> None:
        self._limits = limits
        self._head_seconds = head_seconds
        self._unread_seconds = unread_seconds
        self._connections: set[BoundedProtocol] = set()
        self._by_address: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._junk_second = 0
        self._junk_lines = 0
        self.refused = 0
        """Connections that were one too many."""

    def protocol(self) -> type["BoundedProtocol"]:
        """uvicorn makes one of these for each connection."""
        return type("GuardedProtocol", (BoundedProtocol,), {"guard": self})

    def enter(self, connection: "BoundedProtocol", address: str) -> bool:
        """Whether there is room for one more."""
        counted = self._is_counted(address)
        if len(self._connections) >= self._limits.connections_max or (
            counted and self._by_address.get(address, 0) >= self._limits.per_address
        ):
            self.refused += 1
            self.note_junk(address, "one connection too many")
            return False
        self._connections.add(connection)
        if counted:
            self._by_address[address] = self._by_address.get(address, 0) + 1
        if self._timer is None:
            self._timer = connection.loop.call_later(_LOOK_SECONDS, self._look, connection.loop)
        return True

    def leave(self, connection: "BoundedProtocol", address: str) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        left = self._by_address.get(address, 0) - 1
        if left > 0:
            self._by_address[address] = left
        else:
            self._by_address.pop(address, None)

    def note_junk(self, address: str, what: str) -> None:
        """Who sent what, at most some a second: a flood must not become one of the log."""
        second = int(time.monotonic())
        if second != self._junk_second:
            if self._junk_lines > _JUNK_LINES_PER_SECOND:
                logger.warning("%d more such lines in that second", self._junk_lines - _JUNK_LINES_PER_SECOND)
            self._junk_second, self._junk_lines = second, 0
        self._junk_lines += 1
        if self._junk_lines <= _JUNK_LINES_PER_SECOND:
            logger.warning("%s: %s", address or "unknown peer", what)

    def _is_counted(self, address: str) -> bool:
        if not self._limits.counts_loopback and is_in(address, _LOOPBACK):
            return False
        return bool(address) and not is_in(address, self._limits.trusted_proxies)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._connections):
            connection.look(now, self._head_seconds, self._unread_seconds)
        self._timer = loop.call_later(_LOOK_SECONDS, self._look, loop) if self._connections else None


_LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def is_in(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether the text is an address of one of these networks; an IPv4 address written as IPv6 counts as itself."""
    try:
        peer = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
        peer = peer.ipv4_mapped
    return any(peer in network for network in networks if peer.version == network.version)


class _Refused(Exception):
    """Ends the parsing of what a peer sends."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Besides its bounds: an answer's head and body leave in one system call and one packet."""

    guard: ClassVar[ConnectionGuard]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._in_head = True
        self._head_bytes = 0
        self._header_bytes = 0
        self._head_since: float | None = self.loop.time()
        self._has_spoken = False
        self._unread_since: float | None = None
        self._refusal: Kind = refusals.BAD_REQUEST
        self._is_closed = False
        super().connection_made(_GatheringTransport(transport, self.loop))  # type: ignore[arg-type]
        self._address = self.client[0] if self.client else ""
        if not self.guard.enter(self, self._address):
            self._refuse(refusals.UNAVAILABLE)

    def connection_lost(self, exc: Exception | None) -> None:
        self.guard.leave(self, self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_closed:
            return
        self._has_spoken = True
        if self._in_head:
            if self._head_since is None:
                self._head_since = self.loop.time()
            self._head_bytes += len(data)
        super().data_received(data)
        # A field of any length is gathered piece by piece before the parser tells of it: counted here, as it comes.
        if self._in_head and not self._is_closed and self._head_bytes > REQUEST_LINE_BYTES_MAX + HEADER_BYTES_MAX:
            self._refuse(refusals.HEADER_TOO_LARGE if self.headers else self._too_long_so_far())

    def _too_long_so_far(self) -> Kind:
        is_line = len(getattr(self, "url", b"")) > REQUEST_LINE_BYTES_MAX
        return refusals.URI_TOO_LONG if is_line else refusals.HEADER_TOO_LARGE

    # -- what the parser tells ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._in_head, self._header_bytes = True, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > REQUEST_LINE_BYTES_MAX:
            self._refusal = refusals.URI_TOO_LONG
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            # A trailer behind a chunked body is no header: it must not say who asks.
            return
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEADER_BYTES_MAX or len(self.headers) >= HEADER_FIELDS_MAX:
            self._refusal = refusals.HEADER_TOO_LARGE
            raise _Refused
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes, self._head_since = False, 0, None
        names = [name for name, _ in self.headers if name in _ONCE]
        if len(names) != len(set(names)) or len(self.pipeline) >= PIPELINE_MAX:
            raise _Refused
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        # The next head begins with the next byte.
        self._in_head, self._head_bytes = True, 0

    # -- the end ------------------------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls this for whatever its parser can't take."""
        self._refuse(self._refusal)

    def _refuse(self, kind: Kind) -> None:
        """An answer in the envelope, and the end of this connection; after the answers to what was asked before."""
        if self._is_closed:
            return
        self._is_closed = True
        if kind is not refusals.UNAVAILABLE:
            self.guard.note_junk(self._address, f"{kind.status} {kind.text}")
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            last = self.pipeline[0][0] if self.pipeline else cycle
            last.keep_alive = False
            if not last.more_body:
                return
            # It is this one's body that can't be read: nobody waits for more of it.
            last.disconnected = True
            last.message_event.set()
            if last is not cycle or cycle.response_started:
                self.transport.close()
                return
        details = _SEARCH_INSTEAD if kind is refusals.URI_TOO_LONG else None
        body = failure(kind(details=details))
        head = [
            b"HTTP/1.1 %d %s" % (kind.status, _STATUS_WORDS[kind.status]),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"x-request-id: " + new_uuid7(time.time_ns() // 1000).encode(),
            b"connection: close",
        ]
        if kind.status == 503:
            head.append(b"retry-after: 1")
        self.transport.write(b"\r\n".join([*head, b"", body]))
        self.transport.close()

    def look(self, now: float, head_seconds: float, unread_seconds: float) -> None:
        """Once a second: is a head or an answer overdue?"""
        if self._unread_since is not None and now - self._unread_since > unread_seconds:
            self.guard.note_junk(self._address, "does not read its answers: cut off")
            self.transport.abort()
        elif self._head_since is not None and now - self._head_since > head_seconds and not self._is_closed:
            if self._has_spoken and self._head_bytes:
                self._refuse(refusals.REQUEST_TIMEOUT)
            elif not self._has_spoken:
                self._is_closed = True
                self.transport.close()

    def pause_writing(self) -> None:
        if self._unread_since is None:
            self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._unread_since = None
        super().resume_writing()


class _GatheringTransport:
    """What is written in one turn of the event loop is sent at its end."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._waiting:
            data, self._waiting = b"".join(self._waiting), []
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
