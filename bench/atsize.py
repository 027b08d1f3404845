"""`make bench-size`: every list, look-up, dashboard and audit question on a market with a long past, beside one with a short past.

TRADES=10000000 (PostgreSQL, SELLDESK_TEST_POSTGRES or a local one), ENGINE=sqlite TRADES=1000000. KEEP=url uses a store that stands
already. Prints a table, writes var/size-<engine>.json.
"""

import http.client
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench import history, market
from bench.run import new_store, percentile, rss_mb, serving
from selldesk.kernel.times import DAY_US, wire_time
from selldesk.store.blocks import all_blocks
from selldesk.store.open import open_store
from selldesk.store.store import Store

TRADES = int(os.environ.get("TRADES", "10000000"))
ENGINE = os.environ.get("ENGINE", "postgresql")
SHORT = 10_000
ROUNDS = int(os.environ.get("ROUNDS", "40"))
EACH = 5
"""Of so many last trades' numbers a look-up asks: recent ones are asked for most."""
figures: dict[str, float] = {}

Ask = Callable[[random.Random, int], tuple[str, str, Any]]
"""(chance, number of trades) → (key, path, JSON body or None)."""


def _day(chance: random.Random) -> str:
    at = int(time.time() * 1e6) - chance.randrange(1, 300) * DAY_US
    return f"date_from={wire_time(at)}&date_to={wire_time(at + DAY_US // 4)}"


SELLER, BUYER, OPERATOR = market.KEY, history.BUYER_KEY, history.OPERATOR_KEY


def _mine(chance: random.Random, trades: int) -> int:
    """The number of a finished trade of project 1, which has every twentieth."""
    return chance.randrange(1, trades * 9 // 10 // history.PROJECTS) * history.PROJECTS


LOOKUPS: dict[str, Ask] = {
    "by custom_id": lambda c, n: (SELLER, f"/api/sell/trades/by-custom-id/Order-{_mine(c, n)}", None),
    "by offer id": lambda c, n: (SELLER, f"/api/sell/trades/by-steam-tradeoffer-id/{7_000_000_000 + _mine(c, n)}", None),
    "by id": lambda c, n: (SELLER, f"/api/sell/trades/by-id/01900000-0000-7000-8000-{_mine(c, n):012d}", None),
    "dashboard": lambda c, n: (SELLER, "/api/sell/trades/dashboard", None),
    "balance": lambda c, n: (BUYER, "/api/wallet/balance", None),
}
LISTS: dict[str, Ask] = {
    "all": lambda c, n: (SELLER, "/api/sell/trades", None),
    "all, offset 10,000": lambda c, n: (SELLER, "/api/sell/trades?offset=10000", None),
    "all, oldest first": lambda c, n: (SELLER, "/api/sell/trades?sort_direction=asc", None),
    "all, by update": lambda c, n: (SELLER, "/api/sell/trades?sort_by=updated_at", None),
    "all, by price": lambda c, n: (SELLER, "/api/sell/trades?sort_by=purchase_price", None),
    "all, by custom_id": lambda c, n: (SELLER, "/api/sell/trades?sort_by=custom_id", None),
    "all, by status": lambda c, n: (SELLER, "/api/sell/trades?sort_by=status", None),
    "one status": lambda c, n: (SELLER, "/api/sell/trades?status=completed", None),
    "rare status": lambda c, n: (SELLER, "/api/sell/trades?status=rolled_back_by_bot", None),
    "rare status, by price": lambda c, n: (SELLER, "/api/sell/trades?status=error&sort_by=purchase_price", None),
    "game": lambda c, n: (SELLER, "/api/sell/trades?game_id=440", None),
    "game and two statuses, offset 10,000": lambda c, n: (SELLER, "/api/sell/trades?game_id=730&status=completed,declined&offset=10000", None),
    "six hours": lambda c, n: (SELLER, f"/api/sell/trades?{_day(c)}", None),
    "six hours, by price": lambda c, n: (SELLER, f"/api/sell/trades?{_day(c)}&sort_by=purchase_price", None),
    "substring": lambda c, n: (SELLER, f"/api/sell/trades?custom_id={quote(str(c.randrange(1000, 9999)) + '0')}", None),
    "100 custom_ids": lambda c, n: (SELLER, "/api/sell/trades/search", {"custom_ids": [f"Order-{_mine(c, n)}" for _ in range(100)]}),
    "page of 2,000": lambda c, n: (SELLER, "/api/sell/trades?limit=2000", None),
    "buyer: all": lambda c, n: (BUYER, "/api/buy/trades", None),
    "buyer: one status": lambda c, n: (BUYER, "/api/buy/trades?status=completed", None),
    "buyer: items": lambda c, n: (BUYER, "/api/buy/items", None),
    "buyer: wallet": lambda c, n: (BUYER, "/api/wallet/transactions", None),
    "buyer: orders": lambda c, n: (BUYER, "/api/buy/orders", None),
    "operator: all": lambda c, n: (OPERATOR, "/api/operator/trades", None),
    "operator: errors": lambda c, n: (OPERATOR, "/api/operator/trades?status=error", None),
    "operator: overview": lambda c, n: (OPERATOR, "/api/operator/overview", None),
}  # fmt: skip


def timed(port: int, asks: dict[str, Ask], trades: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each question, first asked twice unmeasured."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    chance = random.Random(7)
    took: dict[str, list[float]] = {}
    for name, ask in asks.items():
        values = []
        for number in range(rounds + 2):
            key, path, body = ask(chance, trades)
            began = time.perf_counter()
            content = None if body is None else json.dumps(body)
            headers = {"x-api-key": key, "Content-Type": "application/json"}
            connection.request("GET" if body is None else "POST", path, content, headers)
            response = connection.getresponse()
            answer = response.read()
            if number >= 2:
                values.append((time.perf_counter() - began) * 1e3)
            assert response.status == 200, (name, path, answer[:300])
        took[name] = values
    return took


def audits(store: Store) -> None:
    reader = store.reader()
    began = time.perf_counter()
    slowest = []
    for name in all_blocks():
        if name.startswith("audit_"):
            at = time.perf_counter()
            assert reader.fetch(name) == [], name
            slowest.append((time.perf_counter() - at, name.removeprefix("audit_")))
    figures["audit_s"] = time.perf_counter() - began
    print(
        f"  audit: {figures['audit_s']:.1f} s, {len(slowest)} questions; slowest: {', '.join(f'{name} {took:.1f}' for took, name in sorted(slowest)[:-6:-1])}"
    )


def measure(store: Store, url: str, trades: int, lists: bool) -> dict[str, list[float]]:
    began = time.perf_counter()
    with serving(url) as (port, server):
        ready = time.perf_counter() - began
        took = timed(port, LOOKUPS, trades, ROUNDS * EACH)
        if lists:
            print(f"  ready after {ready:.1f} s, {rss_mb(server.pid):.0f} MB")
            figures["ready_s"], figures["rss_mb"] = ready, rss_mb(server.pid)
            took |= timed(port, LISTS, trades, ROUNDS)
            again = timed(port, LOOKUPS, trades, ROUNDS * EACH)
            took |= {f"{name}, asked again": values for name, values in again.items() if name.startswith("by ")}
    if lists and not os.environ.get("NO_AUDIT"):
        audits(store)
    return took


def main() -> None:
    Path("var").mkdir(exist_ok=True)
    with new_store(ENGINE) as (store, url):
        history.fill(store, url, history.Size(SHORT, 100, 10_000, 5_000, 10))
        short = measure(store, url, SHORT, lists=False)
    kept = os.environ.get("KEEP")
    if kept:
        took = measure(open_store(kept), kept, TRADES, lists=True)
    else:
        with new_store(ENGINE) as (store, url):
            began = time.perf_counter()
            history.fill(store, url, history.LARGE._replace(trades=TRADES), lambda text: print(f"  {text}", flush=True))
            print(f"  filled in {time.perf_counter() - began:.0f} s", flush=True)
            took = measure(store, url, TRADES, lists=True)
    for name, values in took.items():
        p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
        first_asked = name.removesuffix(", asked again")
        beside = f"  {p50 / percentile(short[first_asked], 0.5):.2f} of {SHORT} trades" if first_asked in short else ""
        figures[f"{name} p50_ms"], figures[f"{name} p99_ms"] = p50, p99
        print(f"  {name:40} p50 {p50:8.2f}  p99 {p99:8.2f} ms{beside}")
        if first_asked in short:
            figures[f"{name} over short"] = p50 / percentile(short[first_asked], 0.5)
    Path(f"var/size-{ENGINE}.json").write_text(
        json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
