"""Builds a running market from settings: desk process, view, API, workers. Everything that runs is put together here."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from selldesk.api.account import AccountApi
from selldesk.api.buy.items import HeldItemsApi
from selldesk.api.buy.orders import OrdersApi
from selldesk.api.buy.trades import PurchasesApi
from selldesk.api.market import ApiSettings, Market
from selldesk.api.metrics import METRICS_TYPE, metrics_page
from selldesk.api.operator.alerts import AlertsApi
from selldesk.api.operator.bots import BotsApi
from selldesk.api.operator.catalog import CatalogApi
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
from selldesk.book.engine import EngineBook
from selldesk.book.matching import NoBook
from selldesk.book.quotes import QuoteSigner
from selldesk.children import child_settings, keep_child
from selldesk.config import BadSetting, Settings
from selldesk.desk.commands import Feed
from selldesk.kernel.clock import Clock
from selldesk.kernel.memory import spare_what_stands
from selldesk.kernel.processes import listener_of, process_name
from selldesk.kernel.secretbox import SEAL_FORMAT, SEAL_MARK, CannotOpen, secrets_place
from selldesk.link.client import DeskClient, DeskSupervisor
from selldesk.link.process import make_clock
from selldesk.store.aside import Aside
from selldesk.store.open import open_store
from selldesk.store.rows import BotRow
from selldesk.store.store import Reader, StoreUnavailable
from selldesk.view.follower import Follower
from selldesk.view.market_view import MarketView
from selldesk.web.app import MarketApi, Scope, Send
from selldesk.web.bodies import Receive
from selldesk.web.connections import ConnectionGuard
from selldesk.web.counting import Counted, Counts
from selldesk.web.keyring import KeyRing
from selldesk.web.routes import RouteSpec
from selldesk.workers.fleet import Fleet, FleetSettings

logger = logging.getLogger(__name__)

TOUCH_KEYS_SECONDS = 20
COUNTS_EVERY_SECONDS = 1.0
_PORT_WAIT_SECONDS = 3


class RunningMarket:
    """One process of the market: the API, or (without `with_api`) the background work. `also_ready` and `extra_routes` are the sandbox's.

    `api_processes`: how many serve the API, this one included. `background`: whether a process beside this one does the background
    work, which would keep an API's event loop busy. Such others are told `desk_socket` and `listener` of the first, which has the desk.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock_path: Path | None = None,
        with_api: bool = True,
        background: bool = False,
        api_processes: int = 1,
        desk_socket: Path | None = None,
        listener: socket.socket | None = None,
        also_ready: Callable[["RunningMarket", Reader], str | None] = lambda market, reader: None,
        extra_routes: Callable[["RunningMarket"], list[RouteSpec]] = lambda market: [],
    ) -> None:
        self.settings = settings
        self.clock: Clock = make_clock(clock_path)
        self.store = open_store(settings.database_url)
        self.box = settings.box(self.store.mark(SEAL_MARK))
        self.view = MarketView(self.store.reader(), QuoteSigner(settings.secret()), EngineBook if with_api else NoBook)
        self.supervisor = DeskSupervisor(settings.database_url, clock_path, settings.desk()) if desk_socket is None else None
        self.desk_socket = desk_socket if self.supervisor is None else self.supervisor.socket_path
        assert self.desk_socket is not None
        self.desk = DeskClient(self.desk_socket, self._on_feed)
        self._api_processes = api_processes
        self._background = background
        self._clock_path = clock_path
        self._listener = listener
        self.fleet = (
            Fleet(
                self.store,
                self.desk,
                self.clock,
                self.box,
                FleetSettings(settings.steam_urls(), settings.rules(), settings.pace(), settings.steam_limits()),
            )
            if not with_api
            else None
        )
        self._with_api = with_api
        self.follower = Follower(self.store, self.view, self.desk)
        self._stopping = asyncio.Event()
        """Whoever ends from now on was told to, perhaps by a signal to the whole group."""
        self._also_ready = also_ready
        self._loaded = False
        self.market = Market(
            self.view, self.desk, self.store, self.clock, self.box, ApiSettings(settings.url(), settings.quote_seconds)
        )
        self.key_ring = KeyRing(self.store, self.clock, settings.lock_out())
        self._aside = Aside(self.store)
        own_counts = Counted()
        self.counts = Counts(self.desk_socket.parent, process_name().replace("/", "-"), lambda: own_counts)
        self.metrics = metrics_page(self.clock, self.counts, lambda: self.view.seq)
        service = ServiceApi(self.market, self.why_not_ready, self.metrics)
        routes = [
            *SellApi(self.market).routes(),
            *PricesApi(self.market).routes(),
            *SellersApi(self.market).routes(),
            *AccountApi(self.market).routes(),
            *OrdersApi(self.market).routes(),
            *PurchasesApi(self.market).routes(),
            *HeldItemsApi(self.market).routes(),
            *OperatorPeopleApi(self.market).routes(),
            *RoomsApi(self.market).routes(),
            *BotsApi(self.market).routes(),
            *ItemsApi(self.market).routes(),
            *CatalogApi(self.market).routes(),
            *TradesApi(self.market).routes(),
            *AlertsApi(self.market).routes(),
            *TradingApi(self.market).routes(),
            *OverviewApi(self.market).routes(),
            *OperatorLimitsApi(self.market).routes(),
            *extra_routes(self),
            *service.routes(),
        ]
        service.describe(routes)
        self.api = MarketApi(
            routes, self.key_ring, settings.rate_limits(), self.clock, counted=own_counts, trusted_proxies=settings.proxies()
        )
        self.guard = ConnectionGuard(settings.connection_limits())
        self.view.listeners.append(self.key_ring.on_feed)
        self.view.reload_listeners.append(self.key_ring.forget_all)
        if self.fleet is not None:
            self.view.listeners.append(self.fleet.on_feed)

    def why_not_ready(self, reader: Reader | None) -> str | None:
        """What is missing; with a reader also what only the store can tell."""
        if not self._loaded:
            return "the book is not loaded yet"
        if not self.desk.connected.is_set():
            return "the desk is not connected"
        if reader is None:
            return None
        reader.fetch("current_seq")
        return self._also_ready(self, reader)

    def _on_feed(self, feed: Feed) -> bool:
        """Whether it is in; else the follower is asked to read what is missing."""
        if not self._loaded or self.view.apply(feed):
            return True
        self.follower.ring()
        return False

    def check_secret(self) -> None:
        """Raises BadSetting if none of the secrets in the store can be opened: this process could not work for a single bot, but would take
        its share of them from those that can."""
        records = self.store.reader().fetch_as(BotRow, "all_bot_records")
        for record in records:
            with contextlib.suppress(CannotOpen):
                self.box.open(record.secrets, secrets_place(record.steamid64))
                return
        if records:
            raise BadSetting(
                "SELLDESK_SECRET_KEY opens none of the secrets in this store: it is not the key that its bots were added with"
                " (if that is lost, import each bot anew: selldesk bot add --replace)"
            )

    async def run(self, when_serving: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Until the process is told to stop. Raises BadSetting."""
        self.check_secret()
        self.view.load()
        spare_what_stands()
        self.view.reload_listeners.append(spare_what_stands)
        self._loaded = True
        tasks: list[asyncio.Task[None]] = []
        if self.supervisor is not None:
            tasks.append(asyncio.create_task(self.supervisor.run(self._stopping), name="desk supervisor"))
        tasks += [
            asyncio.create_task(self.desk.run(), name="desk client"),
            asyncio.create_task(self.follower.run(), name="follower"),
            asyncio.create_task(self._touch_keys(), name="key use"),
        ]
        try:
            await asyncio.wait_for(self.desk.connected.wait(), 30)
            # What other desks committed between loading and connecting is the follower's first reading.
            if self.fleet is not None:
                tasks.append(asyncio.create_task(self.fleet.run(), name="fleet"))
            if self._background:
                tasks.append(self._child(None))
            if when_serving is not None:
                tasks.append(asyncio.create_task(when_serving(), name="when serving"))
            if self._with_api:
                tasks.append(asyncio.create_task(self._write_counts(), name="counts"))
                if self.settings.metrics_port and self.supervisor is not None:
                    tasks.append(asyncio.create_task(self._serve_metrics(), name="metrics"))
                listener = self._listener or await _listen(self.settings.host, self.settings.port)
                tasks += [self._child(listener.fileno()) for _ in range(self._api_processes - 1)]
                await self._serve(listener)
            else:
                await self._until_signal(tasks)
        finally:
            # One after the other, the youngest first: the fleet still needs the desk to give its bots back.
            for task in reversed(tasks):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    def _signals(self) -> tuple[signal.Signals, ...]:
        """What ends this process. Ctrl-C reaches the whole family; a child leaves it to the first process."""
        return (signal.SIGTERM,) if self.supervisor is None else (signal.SIGINT, signal.SIGTERM)

    def _stop(self, also: Callable[[], None] = lambda: None) -> None:
        self._stopping.set()
        also()

    async def _until_signal(self, tasks: list[asyncio.Task[None]]) -> None:
        """Or until one of the tasks ends, which none ever should: the process ends, and whoever started it starts it again."""
        for number in self._signals():
            asyncio.get_running_loop().add_signal_handler(number, self._stop)
        await asyncio.wait([*tasks, asyncio.create_task(self._stopping.wait())], return_when=asyncio.FIRST_COMPLETED)

    def _child(self, descriptor: int | None) -> asyncio.Task[None]:
        assert self.desk_socket is not None
        child = child_settings(self.settings, self.desk_socket, self._clock_path, descriptor)
        return asyncio.create_task(
            keep_child(child, self._stopping), name="background work" if descriptor is None else "API process"
        )

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
            asyncio.get_running_loop().add_signal_handler(number, self._stop, server.stop)
        await server.serve(sockets=[listener])

    async def _touch_keys(self) -> None:
        while True:
            await asyncio.sleep(TOUCH_KEYS_SECONDS)
            if not self.box.binds:
                # An operator may have ended the time of earlier releases meanwhile.
                with contextlib.suppress(StoreUnavailable):
                    self.box.binds = await asyncio.to_thread(self.store.mark, SEAL_MARK) == SEAL_FORMAT
            used = self.key_ring.take_used()
            if used:
                await asyncio.to_thread(self._aside.touch_keys, used)


async def _listen(host: str, port: int) -> socket.socket:
    return await asyncio.to_thread(listen_on, host, port)


def listen_on(host: str, port: int) -> socket.socket:
    """A socket that holds the port. A killed predecessor may need a moment to let go of it. Raises BadSetting if it stays taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + _PORT_WAIT_SECONDS
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            return listener
        except OverflowError:
            listener.close()
            raise BadSetting(f"{port} is no port: 1 to 65535") from None
        except OSError as error:
            listener.close()
            if time.monotonic() > deadline:
                who = listener_of(port)
                by = f" by {who}" if who is not None and error.errno == errno.EADDRINUSE else ""
                raise BadSetting(f"can't listen on {host} port {port}: {error.strerror or error}{by}") from None
        time.sleep(0.1)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which end the process before our own clean-up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.should_exit = True
