"""`make bench`: every figure of the target table beside its floor, measured in this run. Prints a table, writes var/bench.json."""

import itertools
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from tests.stores import postgres_server
from tests.support import fetch, free_port

from bench import floors, market
from selldesk.book.engine import EngineBook
from selldesk.book.quotes import QuoteSigner
from selldesk.store.open import open_store
from selldesk.store.store import Store
from selldesk.view.market_view import MarketView

QUICK = os.environ.get("BENCH_QUICK") == "1"
ITEMS = 5_000 if QUICK else 25_000
BUYERS = 100 if QUICK else 1_000
ORDERS_EACH = 400
SECONDS = float(os.environ.get("BENCH_SECONDS", "2" if QUICK else "10"))
BATCHES = 20 if QUICK else 100
MATCHES_A_SECOND = 1_000
figures: dict[str, float] = {}


def note(name: str, value: float, text: str = "") -> None:
    figures[name] = round(value, 4)
    print(f"  {name:36} {value:12.4g}  {text}", flush=True)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


# -- stores ------------------------------------------------------------------------------------------------------------


@contextmanager
def new_store(engine: str) -> Iterator[tuple[Store, str]]:
    """A fresh store on this machine's disk, as durable as in production."""
    if engine == "sqlite":
        with tempfile.TemporaryDirectory(dir="var") as folder:
            url = f"sqlite:///{Path(folder).resolve() / 'market.db'}"
            store = open_store(url)
            store.migrate()
            yield store, url
        return
    server = postgres_server()
    assert server is not None
    schema = f"bench{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    url = f"{server}?options=-csearch_path%3D{schema}"
    try:
        store = open_store(url)
        store.migrate()
        yield store, url
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")


@contextmanager
def serving(url: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """`selldesk serve` without background work and without rate limits, all middleware on."""
    port = free_port()
    environment = os.environ | {
        "SELLDESK_DATABASE_URL": url,
        "SELLDESK_SECRET_KEY": market.SECRET,
        "SELLDESK_RATE_LIMITS_ENFORCED": "false",
    }
    command = [sys.executable, "-m", "selldesk", "serve", "--no-background", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_ready(port, server)
        yield port, server
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def echoing() -> Iterator[int]:
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "bench.echo", str(port)])
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                fetch("GET", f"http://127.0.0.1:{port}/")
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(20)


def wait_ready(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if fetch("GET", f"http://127.0.0.1:{port}/ready")[0] == 200:
                return
        except OSError:
            pass
        assert server.poll() is None, "the market ended"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def load(
    port: int, requests: list[str], connections: int, seconds: float, rate: float = 0, once: bool = False
) -> tuple[list[float], float]:
    """(latencies in seconds, answers a second) of a client in a process of its own. Anything but success ends the run. `once`: no
    request is sent a second time."""
    told = {"port": port, "requests": requests, "connections": connections, "seconds": seconds, "rate": rate, "once": once}
    done = subprocess.run([sys.executable, "-m", "bench.load"], input=json.dumps(told), capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert set(answer["statuses"]) <= {"200", "201"}, answer["statuses"]
    return answer["latencies"], len(answer["latencies"]) / answer["seconds"]


def beside_floor(
    port: int, echo_port: int, requests: list[str], seconds: float, rate: float
) -> tuple[list[float], list[float], float]:
    """Latencies of requests at a steady rate, those of a bare echo that is asked a tenth as often in the same moments, and answers a
    second. What a request waits for at the echo, it waits for the machine."""
    with ThreadPoolExecutor(1) as pool:
        echoed = pool.submit(load, echo_port, requests, 16, seconds, rate / 10)
        latencies, reached = load(port, requests, 16, seconds, rate)
        return latencies, echoed.result()[0], reached


# -- the rows of the table ---------------------------------------------------------------------------------------------


def engine_alone() -> None:
    print("engine alone", flush=True)
    for buyers, lines, name in ((BUYERS, 20, "engine_20_lines"), (1_000 if QUICK else 10_000, 100, "engine_100_lines")):
        book = EngineBook()
        chance = random.Random(3)
        orders = 180 if buyers >= 10_000 else 420
        for buyer in range(buyers):
            for item in market.zipf_items(chance, ITEMS, min(orders, ITEMS // 4)):
                book.put_order(item, buyer, chance.randrange(10, 40_000), 5)
            book.set_funds(buyer, 10**9)
        book.set_candidates(market.GAME, set(range(buyers)))
        took = []
        for _ in range(200 if QUICK else 1_000):
            basket = [(item, 1) for item in market.zipf_items(chance, ITEMS, lines)]
            began = time.perf_counter()
            book.best(market.GAME, basket, exclude=-1)
            took.append((time.perf_counter() - began) * 1e6)
        note(f"{name}_p50_us", percentile(took, 0.5))
        note(f"{name}_p99_us", percentile(took, 0.99), f"{buyers} buyers")


def matching() -> None:
    print("match through HTTP", flush=True)
    with new_store("sqlite") as (store, url):
        market.seed(store, BUYERS, ITEMS, ORDERS_EACH)
        view = MarketView(store.reader(), QuoteSigner(b"x"))
        began = time.perf_counter()
        view.load()
        took = time.perf_counter() - began
        orders = BUYERS * ORDERS_EACH
        note("rebuild_400k_s", took * 400_000 / orders, f"{orders} orders in {took:.2f} s")
        del view
        with serving(url) as (port, server), echoing() as echo_port:
            for lines in (10, 100):
                requests = market.match_requests(ITEMS, lines, 500)
                ratios, rates = [], []
                for _ in range(3):
                    _, floor = load(echo_port, requests, 16, SECONDS / 2)
                    _, rate = load(port, requests, 16, SECONDS / 2)
                    ratios.append(rate / floor)
                    rates.append(rate)
                name = "match_vs_echo" if lines == 10 else "match_vs_echo_100"
                note(name, statistics.median(ratios), f"{statistics.median(rates):.0f} a second, {lines} lines")
                if lines == 10:
                    peak = statistics.median(rates)
            latencies, _ = load(port, market.match_requests(ITEMS, 10, 500), 16, SECONDS, rate=peak / 2)
            note("match_p50_ms_half_peak", percentile(latencies, 0.5) * 1e3)
            note("match_p99_ms_half_peak", percentile(latencies, 0.99) * 1e3, f"open loop at {peak / 2:.0f} a second")
            note("match_p999_ms_half_peak", percentile(latencies, 0.999) * 1e3)
            note("api_rss_mb", rss_mb(server.pid), f"API process with {orders} orders")


def creating(engine: str) -> None:
    print(f"create, {engine}", flush=True)
    suffix = "sqlite" if engine == "sqlite" else "postgres"
    with new_store(engine) as (store, _):
        market.seed_sales(store, 1)
        alone, steps = floors.desk_rate(store, 1, BATCHES)
    rates: dict[str, list[float]] = {"floor": [], "hot": [], "spread": []}
    # In turns, so that a machine that is busier for a while slows the floor too.
    for which in ("floor", "hot", "spread", "spread", "hot", "floor", "floor", "hot", "spread"):
        buyers = 500 if which == "spread" else 1
        with new_store(engine) as (store, url):
            market.seed_sales(store, buyers)
            if which == "floor":
                rates[which].append(floors.replay_rate(store, steps, BATCHES))
                continue
            with serving(url) as (port, _):
                load(port, market.create_requests(buyers, buyers, 2_000, first=10_000_000), 64, 1.0, once=True)
                requests = market.create_requests(buyers, buyers, int(SECONDS / 2 * 12_000))
                latencies, rate = load(port, requests, 64, SECONDS / 2, once=True)
                rates[which].append(rate)
    hot = statistics.median(rates["hot"])
    note(f"create_bare_sql_{suffix}", statistics.median(rates["floor"]), "creates a second, statements alone in batches of 64")
    note(f"create_desk_alone_{suffix}", alone, "the desk in line, batches of 64")
    ratios = [rate / floor for rate, floor in zip(rates["hot"], rates["floor"], strict=True)]
    note(f"create_vs_bare_sql_{suffix}", statistics.median(ratios), f"{hot:.0f} a second through HTTP, 64 clients, one hot buyer")
    note(f"create_hot_vs_spread_{suffix}", hot / statistics.median(rates["spread"]))
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999)):
        note(f"create_{name}_ms_{suffix}", percentile(latencies, share) * 1e3)
    match_while_creating(engine, suffix, hot / 2)


def match_while_creating(engine: str, suffix: str, half_peak: float) -> None:
    """Matches at a steady rate, quiet and while sales go on: at half of their peak, and at a thousand a second."""
    with new_store(engine) as (store, url):
        market.seed_sales(store, 500)
        matches = market.match_requests(500, 10, 500)
        with serving(url) as (port, _), echoing() as echo_port:
            load(port, matches, 16, 1.0)
            quiet, quiet_floor, _ = beside_floor(port, echo_port, matches, SECONDS / 2, MATCHES_A_SECOND)
            note(f"match_p99_ms_quiet_{suffix}", percentile(quiet, 0.99) * 1e3, f"open loop at {MATCHES_A_SECOND} a second")
            for beside, rate, first in (("while_creating", half_peak, 0), ("beside_1000_creates", 1_000.0, 10_000_000)):
                creates = market.create_requests(500, 500, int(rate * SECONDS * 2), first)
                with ThreadPoolExecutor(1) as pool:
                    selling = pool.submit(load, port, creates, 64, SECONDS, rate)
                    time.sleep(SECONDS / 4)
                    busy, busy_floor, _ = beside_floor(port, echo_port, matches, SECONDS / 2, MATCHES_A_SECOND)
                    selling.result()
                p99, floor_p99 = percentile(busy, 0.99), percentile(busy_floor, 0.99)
                note(f"match_p99_ms_{beside}_{suffix}", p99 * 1e3, f"beside {rate:.0f} creates a second")
                note(f"match_{beside}_vs_quiet_{suffix}", p99 / percentile(quiet, 0.99))
                against = floor_p99 / percentile(quiet_floor, 0.99)
                note(f"echo_{beside}_vs_quiet_{suffix}", against, f"a bare echo in the same moments, {floor_p99 * 1e3:.2f} ms")


def replacing() -> None:
    print("replacing orders", flush=True)
    count = 5_000 if QUICK else 50_000
    with new_store("sqlite") as (store, url):
        market.seed(store, 2, count, 10)
        writer = store.writer()
        writer.begin()
        from selldesk.kernel.ids import api_key_hash

        writer.execute("add_key", hash=api_key_hash("selldesk_" + "v" * 43), person=market.FIRST_BUYER, name="b", created_at=0)
        writer.commit()
        matches = market.match_requests(count, 10, 500)
        with serving(url) as (port, _):

            def replace(price: int) -> float:
                orders = [{"market_hash_name": market.item_name(number), "price": price, "amount": 3} for number in range(count)]
                body = {"game_id": market.GAME, "mode": "replace", "orders": orders}
                began = time.perf_counter()
                status, answer, _headers = fetch("PUT", f"http://127.0.0.1:{port}/api/buy/orders", body, "selldesk_" + "v" * 43)
                assert status == 200, answer
                assert price == 100 or answer["data"]["updated"] == count, answer["data"]["rejected"][:1]
                return time.perf_counter() - began

            replace(100)
            took = replace(101)
            quiet, _ = load(port, matches, 16, SECONDS / 2, rate=MATCHES_A_SECOND)
            stop = threading.Event()

            def replace_on_and_on() -> int:
                for number in itertools.count():
                    if stop.is_set():
                        return number
                    replace(102 + number)
                raise AssertionError

            with ThreadPoolExecutor(1) as pool:
                replaced = pool.submit(replace_on_and_on)
                time.sleep(0.2)
                busy, _ = load(port, matches, 16, SECONDS / 2, rate=MATCHES_A_SECOND)
                stop.set()
                times = replaced.result()
    note("replace_50k_orders_s", took * 50_000 / count, f"{count} orders, all changed, in {took:.2f} s")
    note("match_p99_ms_before_replacing", percentile(quiet, 0.99) * 1e3, f"open loop at {MATCHES_A_SECOND} a second")
    note("match_p99_ms_while_replacing", percentile(busy, 0.99) * 1e3, f"a list of {count} replaced {times} times meanwhile")
    note("match_while_replacing_vs_before", percentile(busy, 0.99) / percentile(quiet, 0.99))


def second_process() -> None:
    """Two markets on one PostgreSQL: from a committed order change to the other's match."""
    if postgres_server() is None:
        return
    print("a second process", flush=True)
    from selldesk.desk import commands
    from selldesk.desk.desk import Desk
    from selldesk.desk.settings import DeskSettings
    from selldesk.kernel.clock import SystemClock

    with new_store("postgresql") as (store, url):
        market.seed(store, 2, 100, 10)
        desk = Desk(store.writer(), SystemClock(), DeskSettings())
        with serving(url) as (port, _):
            waits = []
            for number in range(100 if QUICK else 500):
                price = 100_000 + number
                desk.ask(
                    commands.ChangeOrders(
                        buyer=market.FIRST_BUYER, game=market.GAME, withdraw=[], put=[commands.OrderLine(1, price, 5)]
                    )
                )
                began = time.perf_counter()
                body = {"game_id": market.GAME, "items": [{"market_hash_name": market.item_name(0)}]}
                while (
                    fetch("POST", f"http://127.0.0.1:{port}/api/sell/match", body, market.KEY)[1]["data"]["items"][0]["price"]
                    != price
                ):
                    assert time.perf_counter() - began < 5
                waits.append((time.perf_counter() - began) * 1e3)
            note("second_process_sees_p50_ms", percentile(waits, 0.5), "its own answer included")
            note("second_process_sees_p99_ms", percentile(waits, 0.99))


def memory() -> None:
    print("memory", flush=True)
    orders = 100_000 if QUICK else 1_000_000
    code = (
        "import random, resource, sys\n"
        "from bench import market\n"
        "from selldesk.book.engine import EngineBook\n"
        "book, chance, buyers = EngineBook(), random.Random(1), 1_000\n"
        f"for buyer in range(buyers):\n"
        f"    for item in market.zipf_items(chance, 25_000, {orders} // buyers):\n"
        "        book.put_order(item, buyer, 1_000, 5)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    whole = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    note("rss_1m_orders_mb", whole, f"a process with {orders} live orders in its book")


def starting() -> None:
    print("start", flush=True)
    took = []
    for _ in range(3):
        with new_store("sqlite") as (_store, url):
            began = time.perf_counter()
            with serving(url):
                took.append(time.perf_counter() - began)
    note("ready_s", statistics.median(took), "to /ready, empty SQLite")


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    Path("var").mkdir(exist_ok=True)
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}{', quick' if QUICK else ''}", flush=True
    )
    parts: list[Callable[[], None]] = [engine_alone, starting, matching, lambda: creating("sqlite")]
    if postgres_server() is not None:
        parts.append(lambda: creating("postgresql"))
    else:
        print("no PostgreSQL 15 or newer answers: its rows are left out")
    for part in [*parts, replacing, second_process, memory]:
        part()
    Path("var/bench.json").write_text(json.dumps(figures, indent=1) + "\n")
    print("written: var/bench.json")


if __name__ == "__main__":
    main()
