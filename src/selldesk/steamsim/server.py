"""Steam's three hosts on one address, by path (they don't collide), and /control beside them. Behind a socket: serving.py."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selldesk.steamsim.auth import Authentication
from selldesk.steamsim.community import Community
from selldesk.steamsim.control import Control
from selldesk.steamsim.economy import Economy, game_of
from selldesk.steamsim.faults import Faults
from selldesk.steamsim.fronts import serves
from selldesk.steamsim.logins import Logins
from selldesk.steamsim.messages import Answered, Request, Response, Routes, json_response
from selldesk.steamsim.trading import Trading
from selldesk.steamsim.viewers import Viewers
from selldesk.steamsim.weblogins import WebLogins
from selldesk.steamsim.world import World
from selldesk.steamwire.buckets import LAWS, Bucket, bucket_of
from selldesk.steamwire.enums import EResult

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.02
REQUESTS_KEPT = 100_000
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
_MAINTENANCE_PAGE = (
    "<!DOCTYPE html><html><head><title>Sorry!</title></head><body><h1>Sorry!</h1>Steam is down for maintenance.</body></html>"
)
_BLOCKED_PAGE = "<html><head><title>Access Denied</title></head><body><h1>Access Denied</h1>You don't have permission to access this server.</body></html>"


class SteamSimulator:
    """One world, and what answers for it. Without `ticks`, what comes with time (sellers that accept) comes when somebody calls
    `world.tick()`: for those who move time by hand."""

    def __init__(
        self,
        folder: Path,
        now_us: Callable[[], int],
        advance_clock: Callable[[int], None] | None,
        ticks: bool = True,
        host: str = "127.0.0.1",
    ) -> None:
        self.world = World(folder / "world.db", now_us)
        self.faults = Faults()
        self.auth = Authentication(self.world, folder)
        self.advance_clock = advance_clock
        self._viewers = Viewers(self.world, self.auth, self.faults)
        self.fronts: dict[str, Any] = {}
        """Where it listens: port, tls_port, proxy_port, ca_file."""
        self.request_log: deque[dict[str, Any]] = deque(maxlen=REQUESTS_KEPT)
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self.world.held_sellers = lambda steamid64: self.faults.is_on("hold", now_us(), seller=steamid64) is not None
        self.world.hold_strikes = lambda offer: (
            self.faults.hit("hold", now_us(), offer.sender, offer.recipient, game_of(offer)) is not None
        )
        self.world.mood = lambda fault, steamid64: self.faults.hit(fault, now_us(), steamid64, steamid64) is not None
        self._ticks = ticks
        self._names = LOCAL_NAMES | {host}
        self._ticker: asyncio.Task[None] | None = None
        self._routes = Routes()
        Control(self.world, self.faults, self.auth, self.advance_clock, self.request_log, self.fronts).add_routes(self._routes)
        Logins(self.world, self.auth, self.faults).add_routes(self._routes)
        Economy(self.world, self.faults, self._viewers).add_routes(self._routes)
        Trading(self.world, self.faults, self._viewers).add_routes(self._routes)
        WebLogins(self.world, self.auth, self.faults, self._viewers).add_routes(self._routes)
        Community(self.world, self.faults, self._viewers).add_routes(self._routes)

    def start(self) -> None:
        """From now on what comes with time comes by itself."""
        if self._ticks:
            self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        self.world.close()

    async def _tick(self) -> None:
        while True:
            try:
                self.world.tick()
            except Exception:
                logger.exception("unhandled error in the simulated world; it goes on with the next tick")
            await asyncio.sleep(TICK_SECONDS)

    # -- moods and identity --------------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Response:
        """One call, and the commit of what it did before it is answered."""
        if request.secure and not serves(request.host, request.path):
            return Response("no such page on this host", status=404)
        if request.path.startswith("/control/"):
            response = self._refuse_control(request) or await self._handle(request)
        else:
            response = await self._answer_as_steam(request)
        self.world.commit()
        return response

    async def _handle(self, request: Request) -> Response:
        try:
            return await self._routes.answer(request)
        except Answered as answered:
            return answered.response
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            return Response("500 Internal Server Error", status=500)

    async def _answer_as_steam(self, request: Request) -> Response:
        """Faults that concern every call, the header filter, and the request log."""
        account = self._viewers.identify(request)
        name = account.steamid64 if account is not None else None
        entry = {"at_us": self.world.now_us(), "method": request.method, "path": request.path, "steamid64": name, "status": 0}
        self.request_log.append(entry)
        slow = self.faults.hit("slow", self.world.now_us(), name)
        if slow is not None:
            await asyncio.sleep(slow.seconds if slow.seconds is not None else 1.0)
        response = self._refuse(request, name) or await self._handle(request)
        entry["status"] = response.status
        if response.content_type == "text/html":
            for header, value in _PAGE_HEADERS.items():
                response.headers[header] = value
        return response

    def _refuse_control(self, request: Request) -> Response | None:
        """The control API gives out every secret of the world: a page in the developer's browser must not reach it, neither under a name
        of its own that leads here nor by a form, which browsers send anywhere as text/plain."""
        host = (urlsplit(f"//{request.host}").hostname or "").strip("[]")
        origin = request.headers.get("Origin")
        from_here = origin is None or (urlsplit(origin).hostname or "") in self._names
        if host not in self._names:
            text = f"the control API answers on this machine's own name only, not as {request.host}"
        elif not from_here:
            text = f"the control API answers no page of {origin}"
        elif request.content_type == "text/plain" and request.body:
            text = "send JSON as application/json (plain curl -d works too), not text/plain"
        else:
            return None
        return json_response({"error": text}, status=415 if "text/plain" in text else 403)

    def _refuse(self, request: Request, name: str | None) -> Response | None:
        """The moods that end a call before it begins."""
        now_us = self.world.now_us()
        if self.faults.hit("maintenance", now_us, name):
            return Response(status=503, text=_MAINTENANCE_PAGE, content_type="text/html")
        if self.faults.hit("address_blocked", now_us, name):
            return Response(status=403, text=_BLOCKED_PAGE, content_type="text/html")
        is_filtered = "Accept-Language" not in request.headers and self.faults.hit("header_filter", now_us, name)
        is_no_phone = request.path.startswith("/mobileconf/") and "okhttp" not in request.headers.get("User-Agent", "")
        if (
            is_filtered
            or (is_no_phone and self.faults.hit("user_agent_filter", now_us, name))
            or self.faults.hit("rate_limited", now_us, name)
            or (name is not None and not self._draw(request.path, name) and self.faults.hit("buckets", now_us, name))
        ):
            return Response(status=429, text="null", headers={"x-eresult": str(int(EResult.RATE_LIMIT_EXCEEDED))})
        return None

    def _draw(self, path: str, name: str) -> bool:
        """Counts a call in Steam's measured buckets, whether they are enforced or not."""
        which = bucket_of(path)
        if which is None:
            return True
        bucket = self._buckets.get((name, which))
        if bucket is None:
            bucket = self._buckets[name, which] = Bucket(LAWS[which])
        return bucket.draw(self.world.now_us())
