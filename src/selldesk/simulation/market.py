"""A market small enough to be stopped anywhere: a real store, a real desk, real bots, the simulated Steam in line, time by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from selldesk.bots.leases import LEASE_US
from selldesk.bots.rooms import FRESH_WITHIN_US
from selldesk.desk import commands
from selldesk.desk.commands import Command, R
from selldesk.desk.desk import Desk
from selldesk.desk.requests.bots import BotRequest, bot_command
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.chance import SYSTEM_CHANCE, Chance
from selldesk.kernel.clock import ManualClock
from selldesk.kernel.ids import api_key_hash, new_uuid7
from selldesk.kernel.processes import process_name
from selldesk.kernel.secretbox import SecretBox, link_place, secrets_place, tokens_place
from selldesk.kernel.times import FAR_US
from selldesk.link.client import InlineDesk
from selldesk.offers.agenda import Memory, Pace
from selldesk.people.roles import Role, pack_roles
from selldesk.sellers.limits import NO_LIMITS
from selldesk.simulation.inline import InlineTransport
from selldesk.steam.client import SteamClient
from selldesk.steam.session import SteamSession, SteamUrls
from selldesk.steam.throttle import Address, CallLimits, ThrottledTransport
from selldesk.steam.transport import AiohttpTransport, Response, Transport
from selldesk.steamsim.entities import Account, OfferRecord, TradeRecord
from selldesk.steamsim.faults import FaultRequest
from selldesk.steamsim.server import SteamSimulator
from selldesk.steamwire.credentials import Credentials, Tokens
from selldesk.store.audit import run_audit
from selldesk.store.open import open_store
from selldesk.store.rows import AlertRow, BotRow, ItemNameRow, StandingRow
from selldesk.store.small_writes import SmallWrites
from selldesk.store.store import Reader, Store, Writer
from selldesk.trades.trade import Trade
from selldesk.workers.bot import BotWorker
from selldesk.workers.context import BotContext
from selldesk.workers.lease import HeldLease, LeasedDesk, NewsPort

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
    def __init__(self, inner: Transport, crash: CrashAt) -> None:
        self._inner = inner
        self._crash = crash

    async def request(self, method: str, url: str, **options: Any) -> Response:
        name = url.split("/", 3)[-1].split("?")[0]
        self._crash.point(f"before {method} {name}")
        response = await self._inner.request(method, url, **options)
        self._crash.point(f"after {method} {name}")
        return response


class CrashingDesk:
    def __init__(self, inner: NewsPort, crash: CrashAt) -> None:
        self._inner = inner
        self._crash = crash

    async def ask(self, command: Command[R]) -> R:
        self._crash.point(f"before {type(command).__name__}")
        value = await self._inner.ask(command)
        self._crash.point(f"after {type(command).__name__}")
        return value


class ScheduledAlarm:
    """Instead of waiting, says when it would wake: the market moves the clock to the first of them."""

    def __init__(self) -> None:
        self.wakes_at = 0

    def ring(self) -> None:
        self.wakes_at = 0

    async def wait_until(self, moment_us: int) -> None:
        self.wakes_at = moment_us


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


class ClosingStore:
    """A store that remembers what was opened of it: a market that is over leaves no connection to the collector."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._opened: list[Reader] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def writer(self) -> Writer:
        writer = self._store.writer()
        self._opened.append(writer)
        return writer

    def reader(self) -> Reader:
        reader = self._store.reader()
        self._opened.append(reader)
        return reader

    def close_all(self) -> None:
        while self._opened:
            self._opened.pop().close()


class InlineMarket:
    """`bots`: how many work in it. All of them belong to one worker process, until `worker` is called anew."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        settings: DeskSettings | None = None,
        bots: int = 1,
        limits: CallLimits | None = None,
        chance: Chance = SYSTEM_CHANCE,
    ) -> None:
        """In an empty, migrated store. With a `chance` that a seed repeats, ids repeat too."""
        self.chance = chance
        self.clock = ManualClock()
        self.settings = settings or DeskSettings()
        self.limits = limits or CallLimits()
        self.store = ClosingStore(open_store(database_url))
        lend_rsa_key(folder / "steam")
        self.steam = SteamSimulator(folder / "steam", self.clock.now_us, None, ticks=False)
        self.box = SecretBox(b"k" * 32)
        self.leases: dict[int, HeldLease] = {}
        self._process: str | None = None
        self._running: list[BotWorker] = []
        self._thrown: set[str] = set()
        self._opened: list[str] = []
        self.transport: InlineTransport | AiohttpTransport = InlineTransport(self.steam, 5)
        self.url = "http://steam.simulated"
        self.is_watched = False
        """Whether the desk's own clock looks around while the bots work, as in production."""
        self.wait_at_least_seconds: Callable[[], float] = lambda: 0.0
        """Lets long waits pass in few steps, as a clock that jumps."""
        self.bot_accounts = [self.steam.world.add_account(f"bot{number}", "bot") for number in range(1, bots + 1)]
        self.seller = self.steam.world.add_account("alice", "seller")
        self.steam.world.commit()
        self.desk = self._new_desk()
        self._set_up()

    def _new_desk(self) -> Desk:
        """Time is moved by hand here, the database's own clock included."""
        writer = self.store.writer()
        writer.machine_us = lambda: None  # type: ignore[method-assign]
        return Desk(writer, self.clock, self.settings, self.chance)

    @property
    def bot_account(self) -> Account:
        return self.bot_accounts[0]

    def _set_up(self) -> None:
        desk = self.desk
        for login, role, steamid64 in (
            ("op", Role.OPERATOR, None),
            ("shop", Role.PROJECT, None),
            ("vip", Role.BUYER, "76561197960300001"),
        ):
            desk.ask(
                commands.CreatePerson(
                    operator="test",
                    id=new_uuid7(self.clock.now_us(), self.chance),
                    login=login,
                    roles=pack_roles([role]),
                    steamid64=steamid64,
                )
            )
        desk.ask(commands.CreateKey(person=SHOP, name="k", key_hash=api_key_hash("shop-key"), operator="test"))
        desk.ask(commands.SetLimits(operator="test", limits=NO_LIMITS))
        desk.ask(commands.MoveMoney(operator="test", person=BUYER, direction="deposit", amount=MONEY, reference="d1"))
        desk.ask(
            commands.PutRoom(
                operator="test",
                id=None,
                name="all",
                game=None,
                min_value=None,
                max_value=None,
                buyers=None,
                bots=None,
                priority=1,
                enabled=True,
            )
        )
        for game, name in GAME_ITEM.items():
            desk.ask(commands.ImportItems(operator="test", game=game, items=[(name, None)]))
        self.item = {item.game: item.number for item in desk.store.fetch_as(ItemNameRow, "all_items")}
        for game in GAME_ITEM:
            self.order(game, ORDER_AMOUNT)
        for number, account in enumerate(self.bot_accounts, start=1):
            request = BotRequest(account.login, account.shared_secret, account.identity_secret, account.steamid64, account.password)
            desk.ask(bot_command(self.box, "test", request))
            desk.ask(commands.BotReport(bot=number, state="ok"))
        self.beat()

    def order(self, game: int, amount: int, buyer: int = BUYER) -> None:
        """What a buyer wants of a game's item from now on."""
        line = commands.OrderLine(self.item[game], ORDER_PRICE, amount)
        self.desk.work_off(commands.PutOrders(buyer=buyer, game=game, replace=False, lines=[line], keep=[]))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.close()
        await self.steam.stop()
        self.store.close_all()

    def beat(self) -> None:
        store, now_us = self.desk.store, self.clock.real_us()
        store.begin()
        for number in range(1, len(self.bot_accounts) + 1):
            store.execute("beat", bot=number, real_us=now_us)
        store.commit()

    # -- workers -------------------------------------------------------------------------------------------------------

    def worker(self, crash: CrashAt | None = None) -> BotWorker:
        """A new process with the only bot: a new desk on the same store, a new session from what is on record."""
        (worker,) = self.workers(crash)
        return worker

    def workers(self, crash: CrashAt | None = None) -> list[BotWorker]:
        """A new process that takes over all bots."""
        crash = crash or CrashAt(None)
        self.desk = self._new_desk()
        if self._process is not None:
            self.desk.ask(commands.KeepLeases(worker=self._process, leaves=True))
        self._process = process_name()
        self.leases = {}
        self._keep_leases()
        address = Address(self.limits)
        self._running = [self._worker(number, lease, crash, address) for number, lease in self.leases.items()]
        return self._running

    def _worker(self, number: int, lease: HeldLease, crash: CrashAt, address: Address) -> BotWorker:
        (record,) = self.desk.store.fetch_as(BotRow, "bot_record", number=number)
        credentials = msgspec.json.decode(self.box.open(record.secrets, secrets_place(record.steamid64)), type=Credentials)
        tokens = (
            msgspec.json.decode(self.box.open(record.tokens, tokens_place(record.steamid64)), type=Tokens)
            if record.tokens
            else None
        )
        urls = SteamUrls(self.url, self.url, self.url)
        transport = ThrottledTransport(
            CrashingTransport(self.transport, crash), credentials.steamid64, address, self.limits, self.clock.now_us
        )
        session = SteamSession(transport, urls, credentials, tokens, lambda: self.clock.now_us() // 1_000_000, self.chance.bytes)
        bot = BotContext(
            number,
            SteamClient(session),
            CrashingDesk(LeasedDesk(InlineDesk(self.desk, lambda feed: None), lease), crash),
            lease,
            self.store.reader(),
            self.clock,
            self.settings.rules,
            Pace(),
            Memory(),
            self.box,
            record.created_at,
        )
        return BotWorker(bot, SmallWrites(self.store).beat, (record.secrets, record.tokens), ScheduledAlarm())

    def _keep_leases(self) -> None:
        """As a fleet does: every three seconds, counted from before the desk was asked."""
        now_us = self.clock.monotonic_us()
        if any(lease.ends_at_us - now_us > LEASE_US - 3_000_000 for lease in self.leases.values()):
            return
        if self._process is not None:
            for number, fence in self.desk.ask(commands.KeepLeases(worker=self._process)).held:
                lease = self.leases.setdefault(number, HeldLease(self.clock, number, fence, 0))
                lease.ends_at_us = now_us + LEASE_US

    async def run(self, worker: BotWorker | list[BotWorker], until: Callable[[], bool], steps: int = 20_000) -> None:
        """Steps the bots (and Steam) until the condition holds; when all of them wait, time moves to the first alarm."""
        workers = worker if isinstance(worker, list) else [worker]
        beaten_at = relieved_at = self.clock.now_us()
        for _ in range(steps):
            if until():
                return
            now_us = self.clock.now_us()
            if now_us - beaten_at > 60_000_000:
                self.beat()
                beaten_at = now_us
            if now_us - relieved_at > 2_000_000:
                self.relieve()
                if self.is_watched:
                    self.watch()
                relieved_at = now_us
            self._keep_leases()
            self.steam.world.tick()
            awake = [one for one in workers if self._wakes_at(one) <= now_us]
            for one in awake:
                await one.step()
            if not awake:
                first = min(map(self._wakes_at, workers))
                self.clock.advance(max(0.001, (first - now_us) / 1_000_000, self.wait_at_least_seconds()))
        raise AssertionError(f"the market did not get there:\n{self.told()}")

    def _wakes_at(self, worker: BotWorker) -> int:
        assert isinstance(worker.alarm, ScheduledAlarm)
        return worker.alarm.wakes_at

    def watch(self) -> None:
        """What the desk's own clock does once a second."""
        self.desk.watch()

    def relieve(self) -> None:
        """What the fleet does every two seconds: trades of bots that can't send move on."""
        now_us = self.clock.now_us()
        for (number,) in self.desk.store.fetch("bots_with_waiting", stale_us=now_us - FRESH_WITHIN_US, now=now_us, furthest=FAR_US):
            self.desk.ask(commands.MoveWaiting(bot=number))

    async def pass_time(self, worker: BotWorker | list[BotWorker], seconds: float) -> None:
        """Lets the bots work for so long."""
        until = self.clock.now_us() + int(seconds * 1_000_000)
        await self.run(worker, lambda: self.clock.now_us() >= until)

    # -- trades --------------------------------------------------------------------------------------------------------

    def give(self, seller: Account, game: int, count: int = 1) -> list[str]:
        """New items in a seller's inventory; their asset ids."""
        return [self.steam.world.add_item(seller.steamid64, game, GAME_ITEM[game]).assetid for _ in range(count)]

    def open_trade(
        self,
        custom_id: str,
        game: int = 730,
        count: int = 1,
        name: str | None = None,
        assets: list[str] | None = None,
        seller: Account | None = None,
        message: str = "",
        buyer: int = BUYER,
    ) -> str:
        """The seller puts items into their inventory and creates the trade; its id."""
        seller = seller or self.seller
        if assets is None:
            assets = self.give(seller, game, count)
        self.steam.world.commit()
        self.beat()
        link = f"https://steamcommunity.com/tradeoffer/new/?partner={seller.number}&token={seller.trade_token}"
        trade_id = new_uuid7(self.clock.now_us(), self.chance)
        opened = self.desk.ask(
            commands.OpenTrade(
                trade_id=trade_id,
                project=SHOP,
                custom_id=custom_id,
                game=game,
                buyer=buyer,
                mismatch=False,
                seller=seller.steamid64,
                tradelink=self.box.seal_link(link, link_place(trade_id)),
                message=message,
                items=[
                    commands.OpenItem(self.item[game], name or GAME_ITEM[game], "2", assetid, ORDER_PRICE) for assetid in assets
                ],
            )
        )
        for worker in self._running:
            worker.alarm.ring()
        self._opened.append(str(opened.trade_id))
        return self._opened[-1]

    def trade(self, trade_id: str) -> Trade:
        (trade,) = self.desk.store.load_as(Trade, "load_trades", [(trade_id,)])
        return trade

    def history(self, trade_id: str) -> list[str]:
        return [note for _, _, note in self.desk.store.fetch("history_of", trade_id=trade_id)]

    def bot_state(self, number: int = 1) -> str:
        (standing,) = self.desk.store.fetch_as(StandingRow, "standing_of_bot", bot=number)
        return standing.state

    def alerts(self) -> list[str]:
        """Kinds of the open alerts."""
        return sorted(one.kind for one in self.desk.store.fetch_as(AlertRow, "alerts_page", open=1, limit=1000, offset=0))

    def offers(self) -> list[OfferRecord]:
        return list(self.steam.world.offers.values())

    def balances(self) -> dict[int, int]:
        return dict(self.desk.store.load("load_balances", [(n,) for n in (-1, -2, -3, -4, 8, 9, 10, 12, 13, 14)]))

    def fill_history(self, exchanges: int) -> None:
        """So many exchanges of the bot with strangers, one a second, that no trade of ours knows."""
        world = self.steam.world
        stranger = world.add_account("a stranger of old", "seller")
        for _ in range(exchanges):
            trade = TradeRecord(world.take_id("trade"), self.bot_account.steamid64, stranger.steamid64, 3, [], [], world.now())
            world.trades[trade.tradeid] = trade
            world._index_trade(trade)
            self.clock.advance(1)

    def told(self) -> str:
        """How everything stands and came to be, for a story that went astray."""
        lines = [f"now {self.clock.now_us()}, alerts {self.alerts()}, struck {dict(self.steam.faults.hits)}"]
        for worker in self._running:
            lines.append(f"wakes at {self._wakes_at(worker)}, {worker._bot.memory}")
        for trade_id in self._opened[-5:]:
            lines += [str(self.trade(trade_id)), *(f"  {note}" for note in self.history(trade_id))]
        lines += [str(offer) for offer in self.offers()[-5:]]
        return "\n".join([*lines, *(str(request) for request in list(self.steam.request_log)[-20:])])

    # -- Steam's moods -------------------------------------------------------------------------------------------------

    def fault(self, name: str, must_strike: bool = True, **options: Any) -> None:
        """Throws a switch. A story in which it never strikes proves nothing, and fails."""
        if must_strike:
            self._thrown.add(name)
        self.steam.faults.switch_on(FaultRequest(name, **options), self.clock.now_us())

    def calm(self, name: str | None = None) -> None:
        self.steam.faults.switch_off(name)

    def assert_struck(self) -> None:
        """Every mood that was thrown was met. (A hold also shows in readings, which don't use it up.)"""
        assert self._thrown - self.steam.faults.hits.keys() - {"hold"} == set()

    def assert_clean(self) -> None:
        result = run_audit(self.store.reader())
        assert result.violations == []
