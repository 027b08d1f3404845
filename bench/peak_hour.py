"""The busiest hour of a market ten times as large as the largest we assume, for a while, on a store with a long past.

`python -m bench.peak_hour URL`: URL is a store that `bench/history.py` filled. One machine plays everybody: `selldesk serve` answers ten
matches a sale, and a buyer's list of 1,000 orders is sent again as often as 1,000 buyers do who change theirs every ten minutes; a second desk on the
same database, as a worker's machine has one, leads SALES a second through their whole lives (bench/life.py): seven commands each,
the bots' part without Steam. Writes var/peak-hour.json.
"""

import itertools
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support import fetch

from bench import history, market
from bench.life import BATCH, Lives
from bench.run import load, percentile, serving
from selldesk.desk import commands
from selldesk.store.open import open_store
from selldesk.store.store import Store

SALES = float(os.environ.get("SALES", "60"))
"""A second: a million a day, and an hour that holds five times its share."""
MINUTES = float(os.environ.get("MINUTES", "5"))
MATCHES_PER_SALE = 10
LISTS_A_SECOND = 1_000 / 600
LIST_ORDERS = 1_000
STEP_SECONDS = 1.0
"""Between two commands of one sale."""
TICK_SECONDS = 0.05
SETTLE_EVERY_SECONDS = 5.0
GAME_ITEMS = 6_000

Waiting = deque[tuple[float, Iterator[commands.Command], commands.Command]]
"""(when it is due, a sale, its next command)."""


class Hour:
    def __init__(self, store: Store, port: int) -> None:
        self.lives = Lives(store)
        self.port = port
        self.stop = threading.Event()
        self.opened = self.ended = 0
        self.late: list[float] = []
        """Seconds from when a command was due to its commit."""
        self.batches: list[float] = []
        self.lists: list[float] = []
        self._living: Waiting = deque()
        self._settling: Waiting = deque()

    def sell(self) -> None:
        """Opens sales by the clock and leads them on, whatever is late."""
        began = settled = time.perf_counter()
        while not self.stop.is_set():
            now = time.perf_counter()
            while self.opened < (now - began) * SALES:
                life = self.lives.life()
                self._living.append((began + self.opened / SALES, life, next(life)))
                self.opened += 1
            due = [one for one in self._living if one[0] <= now]
            self._living = deque(one for one in self._living if one[0] > now)
            self._process(due)
            if now - settled > SETTLE_EVERY_SECONDS:
                settled = now
                self.lives.clock.advance(9 * 86_400)
                ready, self._settling = self._settling, deque()
                self._process([(now, life, command) for _, life, command in ready])
            self.stop.wait(TICK_SECONDS)

    def _process(self, due: list[tuple[float, Iterator[commands.Command], commands.Command]]) -> None:
        for start in range(0, len(due), BATCH):
            batch = due[start : start + BATCH]
            began = time.perf_counter()
            results = self.lives.desk.process([command for _, _, command in batch])
            now = time.perf_counter()
            self.batches.append(now - began)
            answers = [answer for result in results for answer in result.answers]
            for (due_at, life, command), answer in zip(batch, answers, strict=True):
                assert answer.value is not None, (type(command).__name__, answer)
                self.late.append(now - due_at)
                following = next(life, None)
                if following is None:
                    self.ended += 1
                elif isinstance(following, commands.TradeRead) and isinstance(command, commands.TradeRead):
                    self._settling.append((0, life, following))
                else:
                    self._living.append((now + STEP_SECONDS, life, following))

    def replace_lists(self) -> None:
        for number in itertools.count():
            orders = [
                {"market_hash_name": market.item_name(item), "price": 1_000 + number % 2, "amount": 5}
                for item in range(LIST_ORDERS)
            ]
            began = time.perf_counter()
            status, answer, _ = fetch(
                "PUT", f"http://127.0.0.1:{self.port}/api/buy/orders", {"game_id": 730, "mode": "merge", "orders": orders},
                history.BUYER_KEY,
            )  # fmt: skip
            assert status == 200, answer
            took = time.perf_counter() - began
            self.lists.append(took)
            if self.stop.wait(max(0, 1 / LISTS_A_SECOND - took)):
                return


def measure(url: str) -> dict[str, Any]:
    store = open_store(url)
    matches = market.match_requests(GAME_ITEMS, 10, 500)
    with serving(url) as (port, _):
        load(port, matches, 16, 2)
        quiet, _ = load(port, matches, 16, 20, rate=SALES * MATCHES_PER_SALE)
        hour = Hour(store, port)
        threads = [threading.Thread(target=player, daemon=True) for player in (hour.sell, hour.replace_lists)]
        for thread in threads:
            thread.start()
        time.sleep(10)
        opened, ended, at = hour.opened, hour.ended, time.perf_counter()
        for values in (hour.late, hour.batches, hour.lists):
            values.clear()
        busy, _ = load(port, matches, 16, MINUTES * 60, rate=SALES * MATCHES_PER_SALE)
        took = time.perf_counter() - at
        assert all(thread.is_alive() for thread in threads), "a player fell over"
        found: dict[str, Any] = {
            "sales_opened_a_second": (hour.opened - opened) / took,
            "sales_ended_a_second": (hour.ended - ended) / took,
            "desk_busy": sum(hour.batches) / took,
            "lists_a_second": len(hour.lists) / took,
        }
        hour.stop.set()
        for thread in threads:
            thread.join(30)
    for name, values in (
        ("match_quiet", quiet),
        ("match", busy),
        ("command_late", hour.late),
        ("batch", hour.batches),
        ("list", hour.lists),
    ):
        for share in (0.5, 0.99, 0.999):
            found[f"{name}_p{str(share)[2:].ljust(2, '0')}_ms"] = percentile(values, share) * 1e3
    return found


def main() -> None:
    Path("var").mkdir(exist_ok=True)
    found = {"sales": SALES, "minutes": MINUTES, **measure(sys.argv[1])}
    for name, value in found.items():
        print(f"  {name:28} {value:10.4g}")
    Path("var/peak-hour.json").write_text(json.dumps({name: round(value, 4) for name, value in found.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
