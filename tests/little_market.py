"""A market small enough to be stopped anywhere: a real store, a real desk, one real bot, the simulator over HTTP, time by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from selldesk.api.operator_setup import BotRequest, bot_command
from selldesk.bots.agenda import Memory, Pace
from selldesk.bots.leases import LEASE_US
from selldesk.desk import commands
from selldesk.desk.client import InlineDesk
from selldesk.desk.desk import Desk
from selldesk.desk.setup import BOT_COLUMNS
from selldesk.desk.work import DeskSettings
from selldesk.kernel.clock import ManualClock
from selldesk.kernel.ids import api_key_hash, new_uuid7
from selldesk.kernel.processes import process_name
from selldesk.kernel.secretbox import SecretBox
from selldesk.people.roles import Role, pack_roles
from selldesk.steam.client import SteamClient
from selldesk.steam.session import Credentials, SteamSession, SteamUrls, Tokens
from selldesk.steam.transport import AiohttpTransport, Response
from selldesk.steamsim.server import SteamSimulator
from selldesk.store.aside import Aside
from selldesk.store.audit import run_audit
from selldesk.store.sqlite import SqliteStore
from selldesk.trades.trade import Trade
from selldesk.workers.bot import BotWorker
from selldesk.workers.context import BotContext
from selldesk.workers.lease import HeldLease, LeasedDesk

AK = "AK-47 | Redline (Field-Tested)"
GAME_ITEM = {730: AK, 440: "Mann Co. Supply Crate Key"}
SHOP, BUYER = 2, 3
ORDER_PRICE = 40_000
ORDER_AMOUNT = 25
MONEY = 10_000_000


class Crash(BaseException):
    """The process dies here: nothing after it runs."""


class CrashAt:
    """Counts the boundaries of a run, before and after each outside call and each command, and dies at one of them."""

    def __init__(self, boundary: int | None) -> None:
        self.boundary = boundary
        self.passed = 0
        self.names: list[str] = []

    def point(self, name: str) -> None:
        self.passed += 1
        self.names.append(name)
        if self.passed == self.boundary:
            raise Crash(name)


class CrashingTransport:
    def __init__(self, inner: AiohttpTransport, crash: CrashAt) -> None:
        self._inner = inner
        self._crash = crash

    async def request(self, method: str, url: str, **options: Any) -> Response:
        name = url.split("/", 3)[-1].split("?")[0]
        self._crash.point(f"before {method} {name}")
        response = await self._inner.request(method, url, **options)
        self._crash.point(f"after {method} {name}")
        return response


class CrashingDesk:
    def __init__(self, inner: InlineDesk, crash: CrashAt) -> None:
        self._inner = inner
        self._crash = crash

    async def ask(self, command: commands.Command) -> dict[str, Any]:
        self._crash.point(f"before {type(command).__name__}")
        value = await self._inner.ask(command)
        self._crash.point(f"after {type(command).__name__}")
        return value


class MovingAlarm:
    """Instead of waiting, moves the clock to the moment."""

    def __init__(self, market: "LittleMarket") -> None:
        self._market = market

    def ring(self) -> None: ...

    async def wait_until(self, moment_us: int) -> None:
        remaining = (moment_us - self._market.clock.now_us()) / 1_000_000
        self._market.clock.advance(max(0.001, remaining, self._market.wait_at_least_seconds()))


_RSA_KEY: list[bytes] = []


def lend_rsa_key(folder: Path) -> None:
    """Making an RSA key takes longer than a whole sale: all worlds of a test process share one."""
    folder.mkdir(parents=True, exist_ok=True)
    if not _RSA_KEY:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _RSA_KEY.append(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
    (folder / "rsa.pem").write_bytes(_RSA_KEY[0])


class LittleMarket:
    def __init__(self, folder: Path, settings: DeskSettings | None = None) -> None:
        self.clock = ManualClock()
        self.settings = settings or DeskSettings()
        self.store = SqliteStore(folder / "market.db")
        self.store.migrate()
        lend_rsa_key(folder / "steam")
        self.steam = SteamSimulator(folder / "steam", self.clock.now_us, None)
        self.box = SecretBox(b"k" * 32)
        self.lease: HeldLease | None = None
        self.server = TestServer(self.steam.app())
        self.transport = AiohttpTransport(5)
        self.wait_at_least_seconds: Callable[[], float] = lambda: 0.0
        """Lets long waits pass in few steps, as a clock that jumps."""
        self.bot_account = self.steam.world.add_account("bot1", "bot")
        self.seller = self.steam.world.add_account("alice", "seller")
        self.steam.world.commit()
        self.desk = Desk(self.store.writer(), self.clock, self.settings)
        self._set_up()

    def _set_up(self) -> None:
        desk = self.desk
        for login, role, steamid64 in (
            ("op", Role.OPERATOR, None),
            ("shop", Role.PROJECT, None),
            ("vip", Role.BUYER, "76561197960300001"),
        ):
            desk.ask(
                commands.CreatePerson(
                    "test", new_uuid7(self.clock.now_us()), login, pack_roles([role]), None, None, None, steamid64
                )
            )
        desk.ask(commands.CreateKey(SHOP, "k", api_key_hash("shop-key"), "test"))
        desk.ask(commands.MoveMoney("test", BUYER, "deposit", MONEY, "d1"))
        desk.ask(commands.PutRoom("test", None, "all", None, None, None, None, None, 1, True))
        for game, name in GAME_ITEM.items():
            desk.ask(commands.ImportItems("test", game, [(name, None)]))
        self.item = {row[1]: row[0] for row in desk.store.fetch("all_items")}
        for game in GAME_ITEM:
            line = commands.OrderLine(self.item[game], ORDER_PRICE, ORDER_AMOUNT)
            desk.work_off(commands.PutOrders(BUYER, game, False, [line], []))
        account = self.bot_account
        request = BotRequest(account.login, account.shared_secret, account.identity_secret, account.steamid64, account.password)
        desk.ask(bot_command(self.box.seal, "test", request))
        desk.ask(commands.BotReport(1, state="ok"))
        self.beat()

    async def __aenter__(self) -> "LittleMarket":
        await self.server.start_server()
        self.url = str(self.server.make_url("")).rstrip("/")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.close()
        await self.server.close()

    def beat(self) -> None:
        Aside(self.store).beat(1, self.clock.real_us())

    def worker(self, crash: CrashAt | None = None) -> BotWorker:
        """A new process: a new desk on the same store, a new session from what is on record."""
        crash = crash or CrashAt(None)
        self.desk = Desk(self.store.writer(), self.clock, self.settings)
        record = dict(zip(BOT_COLUMNS, self.desk.store.fetch("bot_record", number=1)[0], strict=True))
        credentials = msgspec.json.decode(self.box.open(record["secrets"]), type=Credentials)
        tokens = msgspec.json.decode(self.box.open(record["tokens"]), type=Tokens) if record["tokens"] else None
        urls = SteamUrls(self.url, self.url, self.url)
        session = SteamSession(
            CrashingTransport(self.transport, crash), urls, credentials, tokens, lambda: self.clock.now_us() // 1_000_000
        )
        self._keep_lease(process_name())
        assert self.lease is not None
        bot = BotContext(
            1,
            SteamClient(session),
            CrashingDesk(LeasedDesk(InlineDesk(self.desk, lambda feed: None), self.lease), crash),
            self.lease,
            self.store.reader(),
            self.clock,
            self.settings.rules,
            Pace(),
            Memory(),
        )
        worker = BotWorker(bot, Aside(self.store), self.box)
        worker.alarm = MovingAlarm(self)  # type: ignore[assignment]
        return worker

    def _keep_lease(self, worker: str | None = None) -> None:
        """As a fleet does: renews the lease, or as a new worker takes it over from the last one, which left or died."""
        now_us = self.clock.monotonic_us()
        if worker is not None:
            if self.lease is not None:
                self.desk.ask(commands.KeepLeases(self._worker_name, leaves=True))
            self._worker_name = worker
            ((bot, fence),) = self.desk.ask(commands.KeepLeases(worker))["held"]
            self.lease = HeldLease(self.clock, bot, fence, now_us + LEASE_US)
        elif self.lease is not None and self.lease.ends_at_us - now_us < LEASE_US - 3_000_000:
            self.desk.ask(commands.KeepLeases(self._worker_name))
            self.lease.ends_at_us = now_us + LEASE_US

    def open_trade(
        self, custom_id: str, game: int = 730, count: int = 1, name: str | None = None, assets: list[str] | None = None
    ) -> str:
        """The seller puts items into his inventory and creates the trade; its id."""
        if assets is None:
            assets = [self.steam.world.add_item(self.seller.steamid64, game, GAME_ITEM[game]).assetid for _ in range(count)]
        self.steam.world.commit()
        self.beat()
        link = f"https://steamcommunity.com/tradeoffer/new/?partner={self.seller.number}&token={self.seller.trade_token}"
        opened = self.desk.ask(
            commands.OpenTrade(
                new_uuid7(self.clock.now_us()),
                SHOP,
                custom_id,
                game,
                BUYER,
                False,
                self.seller.steamid64,
                link,
                "",
                [commands.OpenItem(self.item[game], name or GAME_ITEM[game], "2", assetid, ORDER_PRICE) for assetid in assets],
            )
        )
        return str(opened["trade_id"])

    def trade(self, trade_id: str) -> Trade:
        rows = self.desk.store.load("load_trades", [(trade_id,)])
        return Trade(*rows[0])

    async def run(self, worker: BotWorker, until: Any, steps: int = 20_000) -> None:
        """Steps the bot (and Steam) until the condition holds."""
        for _ in range(steps):
            if until():
                return
            self.steam.world.tick()
            self.beat()
            self._keep_lease()
            await worker.step()
        raise AssertionError("the market did not get there")

    def balances(self) -> dict[int, int]:
        return {
            row[0]: row[1] for row in self.desk.store.load("load_balances", [(n,) for n in (-1, -2, -3, -4, 8, 9, 10, 12, 13, 14)])
        }

    def assert_clean(self) -> None:
        result = run_audit(self.store.reader())
        assert result.violations == []
