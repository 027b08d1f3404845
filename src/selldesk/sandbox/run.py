"""Starts the sandbox: one folder, one clock, one simulator, one market (contract C8)."""

import asyncio
import contextlib
import fcntl
import os
import secrets
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec
import uvloop
from msgspec import Meta
from rich.console import Console

from selldesk.book.matching import UNKNOWN_ITEM
from selldesk.bots.rooms import FRESH_WITHIN_US, BotState
from selldesk.catalog.shipped import shipped_catalog
from selldesk.config import BadSetting, Settings, load_settings
from selldesk.desk import commands
from selldesk.desk.commands import Feed, OrderLine
from selldesk.desk.desk import Desk
from selldesk.desk.requests.bots import BotRequest, bot_command
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import Clock, SharedClock
from selldesk.kernel.ids import api_key_hash, new_uuid7
from selldesk.kernel.limits import CLOCK_ADVANCE_SECONDS_MAX
from selldesk.kernel.money import dollars
from selldesk.kernel.refusals import INVALID_BODY, Refusal
from selldesk.kernel.secretbox import SEAL_MARK, SecretBox
from selldesk.kernel.times import SECOND_US, wire_time
from selldesk.people.roles import Role, pack_roles
from selldesk.reads.trades import trades
from selldesk.runtime.api_process import ApiProcess
from selldesk.runtime.listening import listen_on
from selldesk.runtime.supervisor import ChildPlan, Farewell, Supervisor
from selldesk.sandbox import demo
from selldesk.sellers.limits import NO_LIMITS
from selldesk.steamsim.process import SimulatorSettings
from selldesk.store.open import open_store
from selldesk.store.rows import BotHealthRow, ItemNameRow
from selldesk.store.store import Reader, Store
from selldesk.trades.status import LIVE, Status
from selldesk.web.routes import Call, Reply, RouteSpec

MARK = "sandbox"
_LIVE_LINES_PER_BATCH_MAX = 20
_FINAL = frozenset(status for status in Status if status not in LIVE)
_LAST_MOMENT_SECONDS = 221_845_392_000


class SandboxOptions(msgspec.Struct, frozen=True):
    host: str
    port: int
    steam_port: int
    data: Path
    fresh: bool
    quiet: bool
    database_url: str | None


_OWN_SETTINGS: dict[str, Any] = {
    "poll_seconds": 0.5,
    "idle_poll_seconds": 20,
    "sweep_seconds": 1,
    "send_gap_seconds": 0.1,
    "full_sweep_seconds": 10,
    "game_pause_seconds": 2,
    "steam_limits_share": 1_000,
    "steam_address_burst": 1_000_000,
    "steam_address_calls_per_second": 100_000,
    "rate_limits_enforced": False,
    "bad_keys_max": 0,
    "is_sandbox": True,
    "own_inventory_seconds": 1,
    "webhook_allow_private": True,
}
"""A quick market that forbids nothing. The environment wins over these, but not over ports and Steam's addresses."""


class ClockRequest(msgspec.Struct):
    advance_seconds: Annotated[int, Meta(ge=1, le=CLOCK_ADVANCE_SECONDS_MAX)]


class ClockAnswer(msgspec.Struct):
    now: str


class Sandbox:
    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._folder = options.data.resolve()
        self._console = Console(quiet=options.quiet, highlight=False)
        self._announced = False
        self._last_lines: dict[str, str] = {}
        self._lines_reader: Reader | None = None
        self._lock: IO[bytes] | None = None

    def run(self) -> None:
        """Until the process is told to stop. Raises BadSetting with one clear line."""
        began = time.monotonic()
        options = self._options
        if options.host not in ("127.0.0.1", "localhost", "::1"):
            Console(stderr=True).print(
                f"[bold yellow]Warning:[/] the sandbox listens on {options.host}: anyone who reaches it can read its keys and move its clock."
            )
        if self._folder.exists():
            self._take_lock()
        # Before anything is made: a sandbox that can't start leaves nothing behind.
        if options.steam_port == options.port != 0:
            raise BadSetting(f"market and simulator can't both have port {options.port}")
        listen_on("127.0.0.1", options.steam_port).close()
        listener = listen_on(options.host, options.port)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        database_url = options.database_url or f"sqlite:///{self._folder / 'market.db'}"
        store = open_store(database_url)
        self._prepare_store(store)
        secret = self._secret()
        settings = self._settings(database_url, secret)
        uvloop.run(self._run(store, settings, listener, began))

    async def _run(self, store: Store, settings: Settings, listener: socket.socket, began: float) -> None:
        clock_path = self._folder / "clock"
        clock = SharedClock(clock_path)
        secret = settings.secret_key.encode()
        stopping = asyncio.Event()
        steam = asyncio.create_task(Supervisor(self._steam_plan(clock_path)).run(stopping))

        async def announce() -> None:
            reader = store.reader()
            while self._bots_missing(market, reader) is not None:  # noqa: ASYNC110 — health is a row of the store, not an event
                await asyncio.sleep(0.02)
            accounts = await asyncio.to_thread(self._steam_accounts)
            self._write_description(secret, accounts, await asyncio.to_thread(self._ask_steam, "fronts"))
            self._announced = True
            self._greet(time.monotonic() - began)

        try:
            await asyncio.to_thread(self._seed, store, settings, clock, secret)
            market = ApiProcess(
                settings,
                clock_path=clock_path,
                background=True,
                listener=listener,
                when_serving=announce,
                also_ready=self._why_not_ready,
                extra_routes=(self._clock_route(clock),),
                stopping=stopping,
            )
            if not self._options.quiet:
                market.view.listeners.append(lambda feed: self._live_lines(market, feed))
            await market.run()
        finally:
            steam.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await steam

    def _seed(self, store: Store, settings: Settings, clock: Clock, secret: bytes) -> None:
        desk = Desk(store.writer(), clock, DeskSettings(settings.rules()))
        seed_market(desk, secret, clock)
        seed_bots(desk, settings.box(store.mark(SEAL_MARK)), self._steam_accounts())
        desk.store.close()

    # -- the folder ----------------------------------------------------------------------------------------------------

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        self._lock = open(self._folder / "lock", "wb")  # noqa: SIM115 — held as long as the process lives
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadSetting(
                f"a sandbox is already running in {self._folder}; stop it, or choose another folder with --data"
            ) from None

    def _prepare_store(self, store: Store) -> None:
        """Only an empty store, or one that a sandbox made, is touched, `--fresh` or not."""
        if not store.is_empty() and not has_mark(store):
            raise BadSetting("this store isn't empty and was not made by a sandbox: the sandbox refuses to touch it")
        if self._options.fresh:
            store.destroy()
            for name in ("clock", "sandbox.json", "secret.key"):
                (self._folder / name).unlink(missing_ok=True)
            for path in sorted((self._folder / "steam").glob("*")):
                path.unlink()
        store.migrate(first_marks={MARK: "1"})

    def _secret(self) -> str:
        path = self._folder / "secret.key"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(48).encode())
        return path.read_text()

    def _settings(self, database_url: str, secret: str) -> Settings:
        steam = f"http://127.0.0.1:{self._options.steam_port}"
        where = {
            "database_url": database_url,
            "host": self._options.host,
            "port": self._options.port,
            "public_url": self._base_url(),
            "steam_community_url": steam,
            "steam_api_url": steam,
            "steam_login_url": steam,
        }
        return load_settings(where, own=_OWN_SETTINGS | {"secret_key": secret})

    def _base_url(self) -> str:
        host = "127.0.0.1" if self._options.host in ("0.0.0.0", "localhost") else self._options.host  # noqa: S104 — only compared
        return f"http://{f'[{host}]' if ':' in host else host}:{self._options.port}"

    # -- the simulator -------------------------------------------------------------------------------------------------

    def _steam_plan(self, clock_path: Path) -> ChildPlan:
        settings = SimulatorSettings(
            str(self._folder / "steam"),
            "127.0.0.1",
            self._options.steam_port,
            str(clock_path),
            demo.first_accounts(),
            # 8101 and 8102 for 8100, as documented.
            tls_port=self._options.steam_port + 1,
            proxy_port=self._options.steam_port + 2,
            fronts_may_move=True,
        )
        return ChildPlan(
            name="the Steam simulator",
            module="selldesk.steamsim.process",
            line=msgspec.json.encode(settings) + b"\n",
            farewell=Farewell.END_OF_INPUT,
            stop_within_seconds=5,
        )

    def _steam_accounts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask_steam("accounts")["accounts"]
        return found

    def _ask_steam(self, what: str) -> dict[str, Any]:
        """The control API. Raises BadSetting if the simulator doesn't come up."""
        url = f"http://127.0.0.1:{self._options.steam_port}/control/{what}"
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5) as response:
                    found: dict[str, Any] = msgspec.json.decode(response.read())
                    return found
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline:
                    raise BadSetting(
                        f"the Steam simulator did not start on port {self._options.steam_port}: is it taken?"
                    ) from None
                time.sleep(0.02)

    # -- ready, clock, live lines --------------------------------------------------------------------------------------

    def _why_not_ready(self, market: ApiProcess, reader: Reader) -> str | None:
        missing = self._bots_missing(market, reader)
        return missing if missing is not None else None if self._announced else "sandbox.json is not written yet"

    def _bots_missing(self, market: ApiProcess, reader: Reader) -> str | None:
        real_us = market.clock.real_us()
        for bot in reader.fetch_as(BotHealthRow, "bots_with_heartbeat"):
            # A quarantine is a decision that outlasts a restart: the market is as ready as it will be.
            ill = bot.state != BotState.OK or real_us - bot.last_good_real_us >= FRESH_WITHIN_US
            if bot.enabled and bot.state not in (BotState.QUARANTINED, BotState.RESTRICTED) and ill:
                return f"bot {bot.account_name} is {bot.state}"
        return None

    def _clock_route(self, clock: SharedClock) -> RouteSpec:
        async def advance(call: Call) -> Reply:
            if clock.now_us() // SECOND_US + call.body.advance_seconds > _LAST_MOMENT_SECONDS:
                message = "the clock would pass the year 9000"
                raise INVALID_BODY(details=[{"path": "$.advance_seconds", "message": message}])
            clock.advance(call.body.advance_seconds)
            return Reply(ClockAnswer(wire_time(clock.now_us())))

        return RouteSpec(
            "POST", "/sandbox/clock", advance, "Move the virtual clock of market and simulator forward", (Role.OPERATOR,), ClockAnswer,
            body=ClockRequest, tag="Sandbox",
        )  # fmt: skip

    def _live_lines(self, market: ApiProcess, feed: Feed) -> None:
        if self._lines_reader is None:
            self._lines_reader = market.store.reader()
        wanted = list(dict.fromkeys(feed.trades))[:_LIVE_LINES_PER_BATCH_MAX]
        for trade in trades(self._lines_reader, market.market.showing, wanted, "seller"):
            colour = {"accepted": "cyan", "completed": "green", "processing": "white"}.get(trade.status, "red")
            offer = f" offer {trade.processed_trade.tradeoffer_id}" if trade.processed_trade.tradeoffer_id else ""
            because = f" — {trade.error}" if trade.error else ""
            line = (
                f"[bold]{trade.custom_id}[/] [{colour}]{trade.status}[/] {dollars(trade.total_value)},"
                f" {len(trade.processed_trade.items_to_receive)} item(s), {trade.selected_bot.profile_name}{offer}{because}"
            )
            if self._last_lines.get(trade.trade_id) != line:
                self._last_lines[trade.trade_id] = line
                self._console.print(f"{wire_time(market.clock.now_us())[11:19]} {line}", soft_wrap=True)
            if trade.status in _FINAL:
                self._last_lines.pop(trade.trade_id, None)

    def _write_description(self, secret: bytes, accounts: list[dict[str, Any]], fronts: dict[str, Any]) -> None:
        by_login = {account["login"]: account for account in accounts}
        names = ("steamid64", "login", "password", "shared_secret", "identity_secret")
        body = {
            "base_url": self._base_url(),
            "steam": {
                "url": f"http://127.0.0.1:{self._options.steam_port}",
                **{name: fronts[name] for name in ("tls_port", "proxy_port", "ca_file")},
            },
            "operator": {"login": demo.OPERATOR, "api_key": demo.demo_key(secret, demo.OPERATOR)},
            "projects": [{"login": login, "api_key": demo.demo_key(secret, login)} for login in demo.PROJECTS],
            "buyers": [
                {
                    "buyer_id": demo.buyer_steamid64(index),
                    "api_key": demo.demo_key(secret, login),
                    **{name: by_login[login][name] for name in (*names, "tradelink")},
                }
                for index, login in enumerate(demo.BUYERS)
            ],
            "bots": [{name: by_login[login][name] for name in names} for login in demo.BOTS],
            "sellers": [{name: by_login[login][name] for name in (*names, "tradelink", "items")} for login in demo.SELLERS],
        }
        write_private(self._folder / "sandbox.json", msgspec.json.format(msgspec.json.encode(body), indent=2))

    def _greet(self, seconds: float) -> None:
        base, key = self._base_url(), demo.demo_key(self._secret().encode(), demo.PROJECTS[0])
        body = '{"game_id": 730, "items": [{"market_hash_name": "AK-47 | Redline (Field-Tested)"}]}'
        self._console.print(
            f"[bold green]selldesk sandbox[/] ready in {seconds:.1f} s\n"
            f"  market  {base}   (API reference: {base}/docs)\n"
            f"  Steam   http://127.0.0.1:{self._options.steam_port}   (simulated; control API under /control)\n"
            f"  keys and accounts: {self._folder / 'sandbox.json'}\n"
            f"  a seller's key: {key}\n\nTry it:\n"
            f"  curl -s {base}/api/sell/match -H 'x-api-key: {key}' -H 'Content-Type: application/json' \\\n    -d '{body}'\n",
            soft_wrap=True,
            markup=True,
        )


def has_mark(store: Store) -> bool:
    return store.mark(MARK) is not None


def write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, and for this user only."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def seed_market(desk: Desk, secret: bytes, clock: Clock) -> None:
    """Demo people, money, rooms, catalog and orders. Each step is passed over if it is done: a killed start can be repeated."""
    reader = desk.store
    if reader.fetch("get_mark", name="sandbox_seeded"):
        return
    numbers = _seed_people(desk, secret, clock)
    _seed_rooms(desk)
    for game, items in shipped_catalog().items():
        desk.ask(commands.ImportItems(operator="shell", game=game, items=items))
    items_of = {(item.game, item.name): item.number for item in reader.fetch_as(ItemNameRow, "all_items")}
    for index, login in enumerate(demo.BUYERS):
        for game, orders in demo.demo_orders(index):
            lines = [OrderLine(items_of.get((game, name), UNKNOWN_ITEM), price, amount) for name, price, amount in orders]
            desk.work_off(commands.PutOrders(buyer=numbers[login], game=game, replace=False, lines=lines, keep=[]))
    # Whoever tries it out sells more than a market would let them.
    desk.ask(commands.SetLimits(operator="shell", limits=NO_LIMITS))
    desk.ask(commands.SetMark(name="sandbox_seeded", value="1"))


def _seed_people(desk: Desk, secret: bytes, clock: Clock) -> dict[str, int]:
    """With a key each, and money for the buyers. Their numbers by login."""
    reader = desk.store
    people: list[tuple[str, list[Role], str | None]] = [
        (demo.OPERATOR, [Role.OPERATOR], None),
        *((login, [Role.PROJECT], None) for login in demo.PROJECTS),
    ]
    people += [(login, [Role.BUYER], demo.buyer_steamid64(index)) for index, login in enumerate(demo.BUYERS)]
    numbers = {}
    for login, roles, steamid64 in people:
        number = reader.value("person_by_login", login=login)
        if number is None:
            person_id = new_uuid7(clock.now_us())
            desk.ask(
                commands.CreatePerson(
                    operator="shell",
                    id=person_id,
                    login=login,
                    roles=pack_roles(roles),
                    first_name=login,
                    steamid64=steamid64,
                )
            )
            number = reader.value("person_by_login", login=login)
        numbers[login] = int(number)
        with contextlib.suppress(Refusal):
            desk.ask(
                commands.CreateKey(
                    person=numbers[login], name="sandbox", key_hash=api_key_hash(demo.demo_key(secret, login)), operator="shell"
                )
            )
    for login in demo.BUYERS:
        desk.ask(
            commands.MoveMoney(
                operator="shell", person=numbers[login], direction="deposit", amount=demo.BUYER_MONEY_MILLS, reference="sandbox"
            )
        )
    return numbers


def _seed_rooms(desk: Desk) -> None:
    for name, low, high, priority in demo.ROOMS:
        with contextlib.suppress(Refusal):
            desk.ask(
                commands.PutRoom(
                    operator="shell",
                    id=None,
                    name=name,
                    game=None,
                    min_value=low,
                    max_value=high,
                    buyers=None,
                    bots=None,
                    priority=priority,
                    enabled=True,
                )
            )


def seed_bots(desk: Desk, box: SecretBox, accounts: list[dict[str, Any]]) -> None:
    for account in accounts:
        if account["login"] in demo.BOTS and not desk.store.fetch(
            "bot_by_identity", steamid64=account["steamid64"], account_name=account["login"]
        ):
            request = BotRequest(
                account_name=account["login"], shared_secret=account["shared_secret"], identity_secret=account["identity_secret"],
                steamid=account["steamid64"], password=account["password"], profile_name=None, max_items=100_000,
            )  # fmt: skip
            desk.ask(bot_command(box, "shell", request))
