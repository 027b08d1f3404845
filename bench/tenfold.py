"""`make bench-tenfold URL=…`: the busiest hour of a market ten times as large as the largest known, on a store with its long past
(bench/history.py; an empty database is filled first).

Nobody publishes how much the largest market sells; we take 100,000 sales a day, ask for ten times of that, and for an hour that holds
five times its share: 60 sales a second, ten matches for each, a look-up for each, and every buyer sends each of his price lists again
within ten minutes. Sellers, buyers and look-ups speak HTTP to an API process; what bots would tell reaches the same store through a
second desk, as from a worker on another machine. Steam and its clients are left out; the protection is over when the exchange is read,
so that settlement runs too. Everything comes when it is due, whether the market keeps up or not.

FACTORS=1,2,4 multiplies all of it, one after the other, for MINUTES each. Writes var/tenfold.json.
"""

import heapq
import http.client
import itertools
import json
import os
import queue
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import history, market
from bench.atsize import audits
from bench.life import BATCH, told_by_bots
from bench.run import load, percentile, serving
from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import SystemClock
from selldesk.kernel.ids import api_key_hash
from selldesk.kernel.times import DAY_US
from selldesk.store.small_writes import SmallWrites
from selldesk.store.store import Store

FACTORS = [float(factor) for factor in os.environ.get("FACTORS", "1").split(",")]
MINUTES = float(os.environ.get("MINUTES", "10"))
WINDOW = 30.0
SALES_A_SECOND = 60.0
MATCHES_A_SALE = 10
LISTS_EVERY_SECONDS = 600.0
SELLERS, BUYERS, READERS = 16, 4, 4
"""Threads; each has one connection."""
DELAYS = (0.5, 0.5, 0.5, 5.0, 0.5, 30.0)
"""Seconds before each word of the bots: proof, intent, offer made, accepted, exchanged, settled."""


class Connection:
    """One keep-alive connection of one thread."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method: str, path: str, key: str, body: Any = None) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body)
        self._http.request(method, path, content, {"x-api-key": key, "Content-Type": "application/json"})
        response = self._http.getresponse()
        return response.status, json.loads(response.read())


class Turns:
    """When the next of something is due, for all threads that do it: so many a second, whatever has become of those before."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = time.monotonic()
        self._lock = threading.Lock()

    def next(self) -> float:
        """Waits for the moment, and says which it was."""
        with self._lock:
            due = self._due
            self._due += 1 / self._rate
        time.sleep(max(0.0, due - time.monotonic()))
        return due


class Bots:
    """What the bots of all sales tell, each word when it is due, through a desk of its own."""

    def __init__(self, store: Store) -> None:
        self._desk = Desk(store.writer(), SystemClock(), DeskSettings())
        self._due: list[tuple[float, int, commands.Command[Any], Iterator[commands.Command[Any]], Iterator[float]]] = []
        self._number = itertools.count()
        self.born: queue.SimpleQueue[Iterator[commands.Command[Any]]] = queue.SimpleQueue()
        self.late: list[float] = []
        """Seconds between when a word was due and when it was on record."""
        self.settled = 0
        self.stop = threading.Event()
        self.failed: list[Exception] = []

    def make_ready(self, store: Store) -> None:
        aside, clock = SmallWrites(store), SystemClock()
        for (bot,) in store.reader().fetch("bot_numbers"):
            self._desk.ask(commands.BotReport(bot=bot, state="ok"))
            aside.beat(bot, clock.real_us() + 365 * DAY_US)

    def keys_for(self, buyers: list[int]) -> dict[int, str]:
        name = f"tenfold-{time.time_ns():x}"
        keys = {buyer: f"selldesk_{name}-{buyer:x}".ljust(52, "k") for buyer in buyers}
        for buyer, key in keys.items():
            self._desk.ask(commands.CreateKey(person=buyer, name=name, key_hash=api_key_hash(key), operator="tenfold"))
        return keys

    def work(self) -> None:
        try:
            self._tell_what_is_due()
        except Exception as error:
            self.failed.append(error)

    def _tell_what_is_due(self) -> None:
        while not self.stop.is_set():
            now = time.monotonic()
            while not self.born.empty():
                self._next_word(self.born.get(), iter(DELAYS), now)
            batch: list[Any] = []
            while self._due and self._due[0][0] <= now and len(batch) < BATCH:
                batch.append(heapq.heappop(self._due))
            if not batch:
                time.sleep(0.01)
                continue
            results = self._desk.process([command for _, _, command, _, _ in batch])
            answers = [answer for result in results for answer in result.answers]
            now = time.monotonic()
            for (due, _, command, life, delays), answer in zip(batch, answers, strict=True):
                assert answer.value is not None, (type(command).__name__, answer)
                self.late.append(now - due)
                self._next_word(life, delays, now)

    def _next_word(self, life: Iterator[commands.Command[Any]], delays: Iterator[float], now: float) -> None:
        command = next(life, None)
        if command is None:
            self.settled += 1
        else:
            heapq.heappush(self._due, (now + next(delays), next(self._number), command, life, delays))

    def overdue(self) -> int:
        now = time.monotonic()
        return sum(1 for due, *_ in list(self._due) if due < now)


class Hour:
    def __init__(self, store: Store, port: int, bots: Bots, keys: dict[int, str]) -> None:
        self._port = port
        self._bots = bots
        self._keys = keys
        reader = store.reader()
        self._names = {row[0]: (row[1], row[2]) for row in reader.fetch("all_items")}
        self._lists: dict[tuple[int, int], list[list[int]]] = defaultdict(list)
        for buyer, game, item, price in reader.query("SELECT buyer, game, item, price FROM buy_order WHERE remaining > 500", {}):
            self._lists[buyer, game].append([item, price])
        self._wanted = sorted({item for lines in self._lists.values() for item, _ in lines})
        reader.close()
        self.stop = threading.Event()
        self.counted: Counter[str] = Counter()
        self.took: dict[str, list[float]] = defaultdict(list)
        """What → seconds, those of creates since they were due."""
        self._number = itertools.count(time.time_ns() // 1000)
        self._custom_ids: list[str] = []
        lists = list(self._lists.items())
        # Long and short ones mixed: the load is even.
        random.Random(6).shuffle(lists)
        self._next_list = itertools.cycle(lists)
        self._list_lock = threading.Lock()
        self.failed: list[Exception] = []
        """Why players gave up; each ends the run."""

    def begin(self, factor: float) -> list[threading.Thread]:
        rates: list[tuple[int, float, Callable[[Turns], None]]] = [
            (SELLERS, SALES_A_SECOND * factor, self._sell),
            (BUYERS, len(self._lists) / LISTS_EVERY_SECONDS * factor, self._replace),
            (READERS, SALES_A_SECOND * factor, self._look_up),
        ]
        threads = []
        for count, rate, play in rates:
            turns = Turns(rate)
            threads += [threading.Thread(target=self._until_it_fails, args=(play, turns), daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        return threads

    def _until_it_fails(self, play: Callable[[Turns], None], turns: Turns) -> None:
        try:
            play(turns)
        except Exception as error:
            self.failed.append(error)

    def match_requests(self) -> list[str]:
        chance = random.Random(4)
        by_game: dict[int, list[str]] = defaultdict(list)
        for item in self._wanted:
            game, name = self._names[item]
            by_game[game].append(name)
        game, names = max(by_game.items(), key=lambda one: len(one[1]))
        bodies = [{"game_id": game, "items": [{"market_hash_name": name} for name in chance.sample(names, 10)]} for _ in range(500)]
        return [market.http_request("/api/sell/match", body) for body in bodies]

    def _sell(self, turns: Turns) -> None:
        connection, chance = Connection(self._port), random.Random()
        while not self.stop.is_set():
            due = turns.next()
            number = next(self._number)
            item = chance.choice(self._wanted)
            game, name = self._names[item]
            status, matched = connection.ask(
                "POST", "/api/sell/match", market.KEY, {"game_id": game, "items": [{"market_hash_name": name}]}
            )
            if status != 200 or matched["data"]["buyer_id"] is None:
                self.counted[f"match {status}"] += 1
                continue
            offer = matched["data"]
            seller, asset, custom_id = 40_000_000 + number % 1_000_000, str(number), f"tenfold-{number}"
            body = {
                "custom_id": custom_id, "buyer_id": offer["buyer_id"], "quote_id": offer["quote_id"], "game_id": game,
                "tradelink": f"https://steamcommunity.com/tradeoffer/new/?partner={seller}&token=abcdefgh",
                "items": [{"assetid": asset, "market_hash_name": name, "price": offer["items"][0]["price"]}],
            }  # fmt: skip
            status, answer = connection.ask("POST", "/api/sell/trades/create", market.KEY, body)
            self.took["create"].append(time.monotonic() - due)
            if status != 201:
                self.counted[f"{status} {answer['code']}"] += 1
                continue
            self.counted["sold"] += 1
            self._custom_ids.append(custom_id)
            now = SystemClock().now_us()
            self._bots.born.put(told_by_bots(answer["data"]["trade_id"], game, asset, now, now - 2 * DAY_US))

    def _replace(self, turns: Turns) -> None:
        """The whole list of a buyer and a game, every price a little higher: none that a sale relies on falls."""
        connection = Connection(self._port)
        while not self.stop.is_set():
            turns.next()
            with self._list_lock:
                (buyer, game), lines = next(self._next_list)
            for line in lines:
                line[1] += 1
            orders = [{"market_hash_name": self._names[item][1], "price": price, "amount": 1_000} for item, price in lines]
            began = time.monotonic()
            body = {"game_id": game, "mode": "replace", "orders": orders}
            status, answer = connection.ask("PUT", "/api/buy/orders", self._keys[buyer], body)
            assert status == 200, answer
            self.took["replace"].append(time.monotonic() - began)
            self.counted["orders replaced"] += len(orders)

    def _look_up(self, turns: Turns) -> None:
        connection, chance = Connection(self._port), random.Random()
        while not self.stop.is_set():
            turns.next()
            if not self._custom_ids:
                continue
            path = f"/api/sell/trades/by-custom-id/{chance.choice(self._custom_ids[-10_000:])}"
            what = "lookup"
            if chance.random() < 0.02:
                path, what = f"/api/sell/trades?status={chance.choice(['accepted', 'completed'])}", "list"
            began = time.monotonic()
            status, answer = connection.ask("GET", path, market.KEY)
            assert status == 200, answer
            self.took[what].append(time.monotonic() - began)

    def take(self) -> dict[str, float]:
        figures: dict[str, float] = {}
        for name, values in list(self.took.items()):
            self.took[name] = []
            if values:
                figures[f"{name}_p50_ms"], figures[f"{name}_p99_ms"] = percentile(values, 0.5) * 1e3, percentile(values, 0.99) * 1e3
        return figures


def busy_s() -> float:
    """Seconds that the machine's processors have worked since it began."""
    user, nice, system = (int(value) for value in Path("/proc/stat").read_text().split("\n")[0].split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    url = sys.argv[1]
    store = history.filled(url, int(sys.argv[2]))
    bots = Bots(store)
    bots.make_ready(store)
    reader = store.reader()
    buyers = [row[0] for row in reader.query("SELECT DISTINCT buyer FROM buy_order", {})]
    reader.close()
    keys = bots.keys_for(buyers)
    told: list[dict[str, float]] = []
    with serving(url) as (port, _):
        hour = Hour(store, port, bots, keys)
        working = threading.Thread(target=bots.work, daemon=True)
        working.start()
        requests = hour.match_requests()
        for factor in FACTORS:
            hour.stop.clear()
            threads = hour.begin(factor)
            until = time.monotonic() + MINUTES * 60
            while time.monotonic() < until:
                sold, settled, orders, busy, began = (
                    hour.counted["sold"], bots.settled, hour.counted["orders replaced"], busy_s(), time.monotonic(),
                )  # fmt: skip
                latencies, rate = load(port, requests, 64, WINDOW, rate=SALES_A_SECOND * MATCHES_A_SALE * factor)
                if failed := [*hour.failed, *bots.failed]:
                    raise failed[0]
                took = time.monotonic() - began
                late, bots.late = bots.late, []
                sample = {
                    "factor": factor, "matches_a_second": rate, "match_p50_ms": percentile(latencies, 0.5) * 1e3,
                    "match_p99_ms": percentile(latencies, 0.99) * 1e3, "sold_a_second": (hour.counted["sold"] - sold) / took,
                    "settled_a_second": (bots.settled - settled) / took, "orders_a_second": (hour.counted["orders replaced"] - orders) / took,
                    "bots_late_p50_ms": percentile(late, 0.5) * 1e3, "bots_late_p99_ms": percentile(late, 0.99) * 1e3,
                    "bots_overdue": bots.overdue(), "cores_busy": (busy_s() - busy) / took, **hour.take(),
                }  # fmt: skip
                told.append(sample)
                print("  " + "  ".join(f"{name} {value:.4g}" for name, value in sample.items()), flush=True)
            hour.stop.set()
            for thread in threads:
                thread.join()
        bots.stop.set()
        working.join()
    print(f"counted: {dict(hour.counted)}")
    Path("var/tenfold.json").write_text(json.dumps({"counted": dict(hour.counted), "samples": told}, indent=1) + "\n")
    print("written: var/tenfold.json")
    audits(store)


if __name__ == "__main__":
    main()
