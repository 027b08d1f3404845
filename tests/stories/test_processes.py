"""Many processes on one market: API processes of one machine share a desk; markets on several machines share a PostgreSQL."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.ids import api_key_hash, new_api_key, new_uuid7
from selldesk.kernel.secretbox import SecretBox, secrets_place
from selldesk.people.roles import Role, pack_roles
from selldesk.store.open import open_store
from tests.desk.test_lost_history import photograph, put_back
from tests.stores import new_database
from tests.support import Person, fetch, free_port

pytestmark = pytest.mark.usefixtures("engine")
SECRET = "a-secret-of-at-least-32-characters-here"


class Machine:
    """One `selldesk serve` with an environment of its own."""

    def __init__(self, url: str, *arguments: str, log: Path) -> None:
        self.port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SELLDESK_")},
            "SELLDESK_DATABASE_URL": url,
            "SELLDESK_SECRET_KEY": SECRET,
            "SELLDESK_STEAM_API_URL": "http://127.0.0.1:9",
        }
        command = [sys.executable, "-m", "selldesk", "serve", "--port", str(self.port), "--no-background", *arguments]
        self._log = open(log, "ab")  # noqa: SIM115 — lives as long as the process
        self.process = subprocess.Popen(command, env=self.environment, stdout=self._log, stderr=self._log, start_new_session=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_ready(self) -> "Machine":
        deadline = time.monotonic() + 20
        while True:
            try:
                if fetch("GET", f"{self.base_url}/ready")[0] == 200:
                    return self
            except OSError:
                pass
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self._log.close()


@pytest.fixture
def market(tmp_path: Path, engine: str) -> tuple[str, str, str]:
    """(database URL, a project's key, a buyer's key): a buyer with money, one item, a room, no bots."""
    url = new_database(tmp_path)
    store = open_store(url)
    store.migrate()
    desk = Desk(store.writer(), SystemClock(), DeskSettings())
    keys = []
    for number, (login, role, steamid64) in enumerate(
        (("shop", Role.PROJECT, None), ("vip", Role.BUYER, "76561198012345678")), start=1
    ):
        person_id = new_uuid7(SystemClock().now_us())
        desk.ask(
            commands.CreatePerson(
                operator="t",
                id=person_id,
                login=login,
                roles=pack_roles([role]),
                steamid64=steamid64,
            )
        )
        keys.append(new_api_key())
        desk.ask(commands.CreateKey(person=number, name="k", key_hash=api_key_hash(keys[-1]), operator="t"))
    desk.ask(commands.MoveMoney(operator="t", person=2, direction="deposit", amount=5_000_000, reference="d"))
    desk.ask(
        commands.PutRoom(
            operator="t",
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
    desk.ask(commands.ImportItems(operator="t", game=730, items=[("Thing", None)]))
    desk.store.close()
    shop, vip = keys
    return url, shop, vip


@contextmanager
def machines(url: str, folder: Path, *sets: tuple[str, ...]) -> Iterator[list[Machine]]:
    started = [Machine(url, *arguments, log=folder / f"machine{number}.log") for number, arguments in enumerate(sets)]
    try:
        for machine in started:
            machine.wait_ready()
        yield started
    finally:
        for machine in started:
            machine.stop()


def price(base_url: str, key: str) -> int:
    body = {"game_id": 730, "items": [{"market_hash_name": "Thing"}]}
    matched: int = Person(base_url, key).do("POST", "/api/sell/match", body)["items"][0]["price"]
    return matched


def put(base_url: str, key: str, mills: int) -> None:
    orders = [{"market_hash_name": "Thing", "price": mills, "amount": 5}]
    Person(base_url, key).do("PUT", "/api/buy/orders", {"game_id": 730, "mode": "merge", "orders": orders})


def children_of(pid: int) -> list[int]:
    """The processes that this one started, by what the kernel says of every process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_child = int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid
            if is_child and b"selldesk.runtime.child" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def test_api_processes_of_one_machine_share_its_desk(market: tuple[str, str, str], tmp_path: Path) -> None:
    """Three processes behind one port: all see an order change within a tenth of a second, and one that is killed comes back."""
    url, shop, vip = market
    with machines(url, tmp_path, ("--workers", "3")) as (machine,):
        deadline = time.monotonic() + 15
        while len(children_of(machine.process.pid)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1)
        for mills in range(100, 130):
            put(machine.base_url, vip, mills)
            seen = {price(machine.base_url, shop) for _ in range(6)}
            if seen != {mills}:
                time.sleep(0.1)
                seen = {price(machine.base_url, shop) for _ in range(6)}
            assert seen == {mills}
        victim = children_of(machine.process.pid)[0]
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + 15
        while len(set(children_of(machine.process.pid)) - {victim}) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert {price(machine.base_url, shop) for _ in range(20)} == {129}


def test_a_follower_stops_trading_when_the_store_lost_what_only_it_remembers(
    market: tuple[str, str, str], tmp_path: Path, engine: str
) -> None:
    """Two batches that it followed are lost with the desk that wrote them; another desk writes four before anybody looks."""
    url, shop, _ = market
    store = open_store(url)
    with machines(url, tmp_path, ()) as (machine,):
        before = photograph(store)
        lost = Desk(store.writer(), SystemClock(), DeskSettings())
        for number in range(2):
            lost.ask(commands.ChangeOrders(buyer=2, game=730, withdraw=[], put=[commands.OrderLine(1, 150 + number, 5)]))
        deadline = time.monotonic() + 15
        while price(machine.base_url, shop) != 151:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        put_back(store, before)
        other = Desk(store.writer(), SystemClock(), DeskSettings())
        for number in range(4):
            other.ask(commands.SetMark(name=f"m{number}", value="b"))
        reader = store.reader()
        while not reader.fetch("open_stop"):
            assert time.monotonic() < deadline, "nobody noticed"
            time.sleep(0.02)
        body = {"game_id": 730, "items": [{"market_hash_name": "Thing"}]}
        while Person(machine.base_url, shop).do("POST", "/api/sell/match", body)["buyer_id"] is not None:
            assert time.monotonic() < deadline, "it goes on with the lost book"
            time.sleep(0.02)


def test_a_process_that_can_open_no_secret_does_not_start(market: tuple[str, str, str], tmp_path: Path) -> None:
    """It would take its share of the bots and work for none of them."""
    url, _, _ = market
    desk = Desk(open_store(url).writer(), SystemClock(), DeskSettings())
    sealed = SecretBox(b"another secret of 32 characters!!").seal(b"{}", secrets_place("76561197961265721"))
    desk.ask(
        commands.AddBot(
            operator="t",
            steamid64="76561197961265721",
            account_name="bot1",
            secrets=sealed,
            tokens=None,
            profile_name=None,
            avatar=None,
            games=None,
            live_offers_max=30,
            seller_offers_max=5,
            items_max=1000,
        )
    )
    environment = os.environ | {"SELLDESK_DATABASE_URL": url, "SELLDESK_SECRET_KEY": SECRET}
    for command in ("work", "serve"):
        done = subprocess.run(
            [sys.executable, "-m", "selldesk", command], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "SELLDESK_SECRET_KEY opens none of the secrets" in done.stderr


@pytest.mark.alone
def test_a_second_machine_sees_a_change_soon(market: tuple[str, str, str], tmp_path: Path, engine: str) -> None:
    """Two markets on one store, each with a desk of its own: within 50 ms as a rule, and keys that are revoked stop within 250 ms."""
    url, shop, vip = market
    with machines(url, tmp_path, (), ()) as (one, two):
        waits: list[float] = []
        for mills in range(200, 260):
            writer, reader = (one, two) if mills % 2 else (two, one)
            put(writer.base_url, vip, mills)
            began = time.monotonic()
            while price(reader.base_url, shop) != mills:
                assert time.monotonic() - began < 2
            waits.append(time.monotonic() - began)
        waits.sort()
        assert waits[len(waits) // 2] < 0.1, waits
        key = Person(one.base_url, vip).do("POST", "/api/auth/api-keys", {"name": new_uuid7(0)})
        other = Person(two.base_url, key["api_key"])
        assert other.call("GET", "/api/auth/me")[0] == 200
        Person(one.base_url, vip).do("DELETE", "/api/auth/api-keys", {"name": key["name"]})
        time.sleep(0.25)
        assert other.call("GET", "/api/auth/me")[0] == 401
