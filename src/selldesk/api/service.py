"""Service routes: alive, ready, the API's description, a first page, the picture of bots (contract C6)."""

from collections.abc import Callable
from typing import Literal

import msgspec

from selldesk.api.market import Market
from selldesk.api.metrics import METRICS_TYPE
from selldesk.kernel.refusals import UNAVAILABLE
from selldesk.people.roles import Role
from selldesk.store.store import Reader
from selldesk.web.openapi import docs_page, openapi_document
from selldesk.web.routes import ANYONE, Call, Handler, Reply, RouteSpec

_BOT_PICTURE = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="12" fill="#2a7a4b"/>
<rect x="14" y="22" width="36" height="26" rx="6" fill="#fff"/><circle cx="25" cy="34" r="4" fill="#2a7a4b"/><circle cx="39" cy="34" r="4"
 fill="#2a7a4b"/><path d="M32 22v-8" stroke="#fff" stroke-width="4"/><circle cx="32" cy="12" r="4" fill="#fff"/></svg>"""

_FIRST_PAGE = b"""<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1"><title>selldesk</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}
li{padding:.4rem 0}@media(max-width:48rem){body{margin:1.5rem auto}}@media(prefers-color-scheme:dark){a{color:#8ab4f8}a:visited{color:#c58af9}}</style>
<h1>selldesk</h1><p>A market where sellers sell Steam items to VIP buyers.</p>
<ul><li><a href="/docs">API reference</a></li><li><a href="/openapi.json">OpenAPI document</a></li><li><a href="/ready">Is it ready?</a></li></ul>"""


class Alive(msgspec.Struct):
    status: Literal["ok", "ready"]


class ServiceApi:
    """`why_not_ready` answers what is missing, or None; `metrics` the page for Prometheus."""

    def __init__(
        self, market: Market, why_not_ready: Callable[[Reader | None], str | None], metrics: Callable[[Reader], bytes]
    ) -> None:
        self._market = market
        self._why_not_ready = why_not_ready
        self._metrics = metrics
        self._document = b""
        self._page = b""

    def routes(self) -> list[RouteSpec]:
        def page(path: str, handler: Handler, summary: str, content: str) -> RouteSpec:
            return RouteSpec("GET", path, handler, summary, ANYONE, content, tag="Service", enveloped=False)

        return [
            RouteSpec("GET", "/health", self.health, "The process is alive", ANYONE, Alive, tag="Service"),
            RouteSpec(
                "GET", "/ready", self.ready, "Store, book and (in the sandbox) bots are ready", ANYONE, Alive,
                refusals=(UNAVAILABLE,), tag="Service",
            ),
            RouteSpec(
                "GET", "/metrics", self.metrics, "Figures for Prometheus, of all API processes", (Role.OPERATOR,), "text/plain",
                tag="Service", enveloped=False,
            ),
            page("/openapi.json", self.openapi, "This document", "application/json"),
            page("/docs", self.docs, "Readable API reference", "text/html"),
            page("/assets/bot.svg", self.bot_picture, "Default avatar of bots", "image/svg+xml"),
            page("/", self.first_page, "First page", "text/html"),
        ]  # fmt: skip

    def describe(self, routes: list[RouteSpec]) -> None:
        """Called once, when the whole table stands."""
        document = openapi_document(routes)
        self._document = msgspec.json.encode(document)
        self._page = docs_page(document).encode()

    async def health(self, call: Call) -> Reply:
        return Reply(Alive("ok"))

    async def ready(self, call: Call) -> Reply:
        missing = self._why_not_ready(None)
        if missing is None:
            missing = await self._market.read(self._why_not_ready)
        if missing is not None:
            raise UNAVAILABLE(details=[{"path": "ready", "message": missing}])
        return Reply(Alive("ready"))

    async def metrics(self, call: Call) -> Reply:
        body = await self._market.read(self._metrics)
        return Reply(raw=body, content_type=METRICS_TYPE)

    async def openapi(self, call: Call) -> Reply:
        return Reply(raw=self._document)

    async def docs(self, call: Call) -> Reply:
        return Reply(raw=self._page, content_type="text/html; charset=utf-8")

    async def bot_picture(self, call: Call) -> Reply:
        return Reply(raw=_BOT_PICTURE, content_type="image/svg+xml")

    async def first_page(self, call: Call) -> Reply:
        return Reply(raw=_FIRST_PAGE, content_type="text/html; charset=utf-8")
