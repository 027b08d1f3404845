"""The simulator's HTTP front end: Steam's three hosts on one address, by path (they don't collide), and /control beside them."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from selldesk.steamsim.auth import Authentication
from selldesk.steamsim.community import Community
from selldesk.steamsim.control import Control
from selldesk.steamsim.economy import Economy, game_of
from selldesk.steamsim.faults import Faults
from selldesk.steamsim.fronts import serves
from selldesk.steamsim.logins import Logins
from selldesk.steamsim.trading import Trading
from selldesk.steamsim.viewers import Viewers
from selldesk.steamsim.weblogins import WebLogins
from selldesk.steamsim.world import World
from selldesk.steamwire.buckets import LAWS, Bucket, bucket_of
from selldesk.steamwire.enums import EResult

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

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
    """One world behind one HTTP application. Without `ticks`, what comes with time (sellers that accept) comes when somebody calls
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

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._mood], client_max_size=4 * 1024 * 1024)
        Control(self.world, self.faults, self.auth, self.advance_clock, self.request_log, self.fronts).add_routes(app)
        Logins(self.world, self.auth, self.faults).add_routes(app)
        Economy(self.world, self.faults, self._viewers).add_routes(app)
        Trading(self.world, self.faults, self._viewers).add_routes(app)
        WebLogins(self.world, self.auth, self.faults, self._viewers).add_routes(app)
        Community(self.world, self.faults, self._viewers).add_routes(app)
        if self._ticks:
            app.on_startup.append(self._start)
        app.on_cleanup.append(self._stop)
        return app

    async def _start(self, _: web.Application) -> None:
        self._ticker = asyncio.create_task(self._tick())

    async def _stop(self, _: web.Application) -> None:
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

    @web.middleware
    async def _mood(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Faults that concern every call, the header filter, the request log, and the commit before the answer."""
        if request.secure and not serves(request.host, request.path):
            return web.Response(status=404, text="no such page on this host")
        if request.path.startswith("/control/"):
            refused = self._refuse_control(request)
            if refused is not None:
                return refused
            response = await handler(request)
            self.world.commit()
            return response
        account = self._viewers.identify(request)
        name = account.steamid64 if account is not None else None
        entry = {"at_us": self.world.now_us(), "method": request.method, "path": request.path, "steamid64": name, "status": 0}
        self.request_log.append(entry)
        slow = self.faults.hit("slow", self.world.now_us(), name)
        if slow is not None:
            await asyncio.sleep(slow.seconds if slow.seconds is not None else 1.0)
        try:
            refused = self._refuse(request, name)
            response = refused if refused is not None else await handler(request)
        except web.HTTPException as answer:
            entry["status"] = answer.status
            raise
        entry["status"] = response.status
        if response.content_type == "text/html":
            response.headers.update(_PAGE_HEADERS)
        self.world.commit()
        return response

    def _refuse_control(self, request: web.Request) -> web.Response | None:
        """The control API gives out every secret of the world: a page in the developer's browser must not reach it, neither under a name
        of its own that leads here nor by a form, which browsers send anywhere as text/plain."""
        host = (urlsplit(f"//{request.host}").hostname or "").strip("[]")
        origin = request.headers.get("Origin")
        from_here = origin is None or (urlsplit(origin).hostname or "") in self._names
        if host not in self._names:
            text = f"the control API answers on this machine's own name only, not as {request.host}"
        elif not from_here:
            text = f"the control API answers no page of {origin}"
        elif request.content_type == "text/plain" and request.can_read_body:
            text = "send JSON as application/json (plain curl -d works too), not text/plain"
        else:
            return None
        return web.json_response({"error": text}, status=415 if "text/plain" in text else 403)

    def _refuse(self, request: web.Request, name: str | None) -> web.Response | None:
        """The moods that end a call before it begins."""
        now_us = self.world.now_us()
        if self.faults.hit("maintenance", now_us, name):
            return web.Response(status=503, text=_MAINTENANCE_PAGE, content_type="text/html")
        if self.faults.hit("address_blocked", now_us, name):
            return web.Response(status=403, text=_BLOCKED_PAGE, content_type="text/html")
        is_filtered = "Accept-Language" not in request.headers and self.faults.hit("header_filter", now_us, name)
        is_no_phone = request.path.startswith("/mobileconf/") and "okhttp" not in request.headers.get("User-Agent", "")
        if (
            is_filtered
            or (is_no_phone and self.faults.hit("user_agent_filter", now_us, name))
            or self.faults.hit("rate_limited", now_us, name)
            or (name is not None and not self._draw(request.path, name) and self.faults.hit("buckets", now_us, name))
        ):
            return web.Response(status=429, text="null", headers={"x-eresult": str(int(EResult.RATE_LIMIT_EXCEEDED))})
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
