"""A process that serves the API."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from selldesk.api.account import AccountApi
from selldesk.api.buy.deliveries import DeliveriesApi
from selldesk.api.buy.items import HeldItemsApi
from selldesk.api.buy.orders import OrdersApi
from selldesk.api.buy.trades import PurchasesApi
from selldesk.api.events import EventsApi
from selldesk.api.market import ApiSettings, Market
from selldesk.api.metrics import METRICS_TYPE, metrics_page
from selldesk.api.operator.alerts import AlertsApi
from selldesk.api.operator.bots import BotsApi
from selldesk.api.operator.catalog import CatalogApi
from selldesk.api.operator.deliveries import OperatorDeliveriesApi
from selldesk.api.operator.items import ItemsApi
from selldesk.api.operator.limits import OperatorLimitsApi
from selldesk.api.operator.overview import OverviewApi
from selldesk.api.operator.people import OperatorPeopleApi
from selldesk.api.operator.rooms import RoomsApi
from selldesk.api.operator.trades import TradesApi
from selldesk.api.operator.trading import TradingApi
from selldesk.api.prices import PricesApi
from selldesk.api.sell import SellApi
from selldesk.api.sellers import SellersApi
from selldesk.api.service import ServiceApi
from selldesk.api.webhooks import WebhooksApi
from selldesk.book.engine import EngineBook
from selldesk.config import Settings
from selldesk.kernel.processes import process_name
from selldesk.runtime.listening import listen_on
from selldesk.runtime.market_process import MarketProcess
from selldesk.store.small_writes import SmallWrites
from selldesk.store.store import Reader, StoreUnavailable
from selldesk.web.app import MarketApi, Scope, Send
from selldesk.web.bodies import Receive
from selldesk.web.connections import ConnectionGuard
from selldesk.web.counting import Counted, Counts
from selldesk.web.keyring import KeyRing
from selldesk.web.routes import RouteSpec

logger = logging.getLogger(__name__)

TOUCH_KEYS_SECONDS = 20
COUNTS_EVERY_SECONDS = 1.0


def routes_of(market: Market) -> list[RouteSpec]:
    """All of the market's own, but what tells about itself (api/service.py)."""
    handlers = (
        SellApi, PricesApi, SellersApi, AccountApi, OrdersApi, PurchasesApi, HeldItemsApi, OperatorPeopleApi, RoomsApi, BotsApi, ItemsApi,
        CatalogApi, TradesApi, AlertsApi, TradingApi, OverviewApi, OperatorLimitsApi, EventsApi, WebhooksApi, DeliveriesApi,
        OperatorDeliveriesApi,
    )  # fmt: skip
    return [route for handler in handlers for route in handler(market).routes()]


class ApiProcess(MarketProcess):
    """`api_processes`: how many serve the API, this one included. `background`: whether a process beside this one does the background
    work, which would keep an API's event loop busy. `when_serving`, `also_ready` and `extra_routes` are the sandbox's."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock_path: Path | None = None,
        desk_socket: Path | None = None,
        listener: socket.socket | None = None,
        background: bool = False,
        api_processes: int = 1,
        when_serving: Callable[[], Coroutine[Any, Any, None]] | None = None,
        also_ready: Callable[["ApiProcess", Reader], str | None] = lambda process, reader: None,
        extra_routes: tuple[RouteSpec, ...] = (),
        stopping: asyncio.Event | None = None,
    ) -> None:
        super().__init__(settings, clock_path=clock_path, desk_socket=desk_socket, book=EngineBook, stopping=stopping)
        self._listener, self._background, self._api_processes = listener, background, api_processes
        self._when_serving, self._also_ready = when_serving, also_ready
        serving = ApiSettings(
            settings.url(), settings.quote_seconds, settings.streams_per_key, settings.stream_seconds, settings.sender()
        )
        self.market = Market(self.view, self.desk, self.store, self.clock, self.box, serving)
        self._aside = SmallWrites(self.store)
        counted = Counted()
        self.counts = Counts(self.desk_socket.parent, process_name().replace("/", "-"), lambda: counted)
        self.metrics = metrics_page(self.clock, self.counts, lambda: self.view.seq)
        service = ServiceApi(self.market, self.why_not_ready, self.metrics)
        routes = [*routes_of(self.market), *extra_routes, *service.routes()]
        service.describe(routes)
        self.key_ring = KeyRing(self.store, self.clock, settings.lock_out())
        self.api = MarketApi(
            routes, self.key_ring, settings.rate_limits(), self.clock, counted=counted, trusted_proxies=settings.proxies()
        )
        self.guard = ConnectionGuard(settings.connection_limits())
        self.view.listeners.append(self.key_ring.on_feed)
        self.view.reload_listeners.append(self.key_ring.forget_all)

    def why_not_ready(self, reader: Reader | None) -> str | None:
        """What is missing; with a reader also what only the store can tell."""
        if not self._is_loaded:
            return "the book is not loaded yet"
        if not self.desk.connected.is_set():
            return "the desk is not connected"
        if reader is None:
            return None
        reader.fetch("current_seq")
        return self._also_ready(self, reader)

    async def _work(self, tasks: list[asyncio.Task[None]]) -> None:
        if self._background:
            tasks.append(self._beside(None))
        if self._when_serving is not None:
            tasks.append(asyncio.create_task(self._when_serving(), name="when serving"))
        tasks += [
            asyncio.create_task(self._touch_keys(), name="key use"),
            asyncio.create_task(self._write_counts(), name="counts"),
        ]
        if self.settings.metrics_port and self.supervisor is not None:
            tasks.append(asyncio.create_task(self._serve_metrics(), name="metrics"))
        listener = self._listener or await _listen(self.settings.host, self.settings.port)
        tasks += [self._beside(listener.fileno()) for _ in range(self._api_processes - 1)]
        await self._serve(listener)

    async def _write_counts(self) -> None:
        """What this process counted, for whoever is asked for the sums."""
        while True:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self.counts.write)
            await asyncio.sleep(COUNTS_EVERY_SECONDS)

    async def _serve_metrics(self) -> None:
        """The same figures on a port of loopback alone, without a key (contract C6)."""

        async def page(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return
            found = scope["path"] == "/metrics" and scope["method"] in ("GET", "HEAD")
            try:
                body = await self.market.read(self.metrics) if found else b"only /metrics\n"
                status = 200 if found else 404
            except StoreUnavailable:
                status, body = 503, b"the store can't be asked\n"
            kind = METRICS_TYPE if status == 200 else "text/plain"
            headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        listener = await _listen("127.0.0.1", self.settings.metrics_port)
        config = uvicorn.Config(page, log_level="error", access_log=False, lifespan="off", server_header=False, ws="none")
        await _Server(config).serve(sockets=[listener])

    async def _serve(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            self.api,
            http=self.guard.protocol(),
            host=self.settings.host,
            port=self.settings.port,
            log_level="error",
            ws="none",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
            server_header=False,
            proxy_headers=False,
            backlog=4096,
        )
        server = _Server(config)
        for number in self._signals():
            asyncio.get_running_loop().add_signal_handler(number, self._stop, self._stop_serving(server))
        await server.serve(sockets=[listener])

    def _stop_serving(self, server: "_Server") -> Callable[[], None]:
        def stop() -> None:
            self.api.end_streams()
            server.stop()

        return stop

    async def _touch_keys(self) -> None:
        """When each key was last used."""
        while True:
            await asyncio.sleep(TOUCH_KEYS_SECONDS)
            used = self.key_ring.take_used()
            if used:
                await asyncio.to_thread(self._aside.touch_keys, used)


async def _listen(host: str, port: int) -> socket.socket:
    return await asyncio.to_thread(listen_on, host, port)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which end the process before our own clean-up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.should_exit = True
