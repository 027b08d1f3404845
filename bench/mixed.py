"""`make bench-mixed`: half an hour of everything at once on a whole sandbox, with Steam's moods. Does anything grow, does anything wait?

First everybody asks as fast as he is answered: that is the peak of the mix. Then matches come in an open loop and sellers sell at half of
it (SHARE); buyers replace their price lists; everybody looks things up; the simulator throws one fault after the other; twice the
clock jumps past the protection, so that settlement runs. Writes var/mixed.json: one sample a window.

The floor is a bare echo of the same bodies, asked a tenth as often in the same moments: what a request waits for there, it waits for
the machine.
"""

import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
from tests.stores import postgres_server
from tests.support import DAY, SandboxProcess

from bench.market import http_request
from bench.run import beside_floor, echoing, load, percentile, rss_mb
from selldesk.steamsim.faults import FAULTS, WITHOUT_PARTNER

MINUTES = float(os.environ.get("MINUTES", "30"))
WINDOW = 30.0
SHARE = float(os.environ.get("SHARE", "0.5"))
"""Of the matches and sales that the market carries at once."""
MONEY = 10**11
"""For each buyer, mills."""
PEAK_SECONDS = 30
HOUR = 3_600
DEADLINES_EVERY = 4
"""Windows: then an hour passes at once, so that offers that no seller will accept any more are withdrawn, as in a real hour."""
SELLERS_AT_ONCE = 12
NOT_FOR_LONG = {"login_refused", "rsa_stale", "renew_refused", "address_blocked", "session_expired", "maintenance", "clock_skew"}
"""These stop a bot altogether: for two calls, so that the load goes on."""


class Mixed:
    def __init__(self, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox
        self.stop = threading.Event()
        self.is_quiet = threading.Event()
        """While set, nobody begins anything."""
        self.counted: Counter[str] = Counter()
        self.latencies: dict[str, list[float]] = {"create": [], "lookup": [], "list": [], "replace": []}
        self.sales_a_second = 0.0
        self.custom_ids: list[str] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._due = time.monotonic()

    # -- the players ---------------------------------------------------------------------------------------------------

    def sell(self) -> None:
        """One seller's program: waits for its turn, sells one item."""
        chance = random.Random(threading.get_ident())
        names = [
            name
            for seller in self.sandbox.sellers
            for name in {item["market_hash_name"] for item in seller["items"] if item["game_id"] == 730}
        ]
        unsold: list[tuple[dict[str, Any], str, str]] = []
        while not self.stop.is_set():
            self._wait_for_turn()
            if unsold:
                seller, name, assetid = unsold.pop()
            else:
                seller, name = chance.choice(self.sandbox.sellers), chance.choice(names)
                assetid = self.sandbox.steam.give(seller, 730, name)[0]
            custom_id = f"mixed-{next(self._numbers)}"
            try:
                matched = self.sandbox.shop.do("POST", "/api/sell/match", {"game_id": 730, "items": [{"market_hash_name": name}]})
                if matched["buyer_id"] is None:
                    self.counted["nobody buys"] += 1
                    continue
                body = {
                    "custom_id": custom_id, "buyer_id": matched["buyer_id"], "quote_id": matched["quote_id"], "tradelink": seller["tradelink"],
                    "game_id": 730, "items": [{"assetid": assetid, "market_hash_name": name, "price": matched["items"][0]["price"]}],
                }  # fmt: skip
                began = time.perf_counter()
                status, answer = self.sandbox.shop.call("POST", "/api/sell/trades/create", body)
                self.latencies["create"].append(time.perf_counter() - began)
                if status == 201:
                    self.custom_ids.append(custom_id)
                    self.counted["sold"] += 1
                else:
                    # What is not sold is offered again: an inventory that grows without end would slow every look into it.
                    unsold.append((seller, name, assetid))
                    self.counted[f"{status} {answer['code']}"] += 1
            except Exception as error:
                self.counted[f"error {type(error).__name__}"] += 1

    def look_up(self) -> None:
        chance = random.Random(2)
        while not self.stop.wait(0.05):
            if not self.custom_ids:
                continue
            self._wait_while_quiet()
            began = time.perf_counter()
            self.sandbox.shop.get(f"/api/sell/trades/by-custom-id/{chance.choice(self.custom_ids)}")
            self.latencies["lookup"].append(time.perf_counter() - began)
            if chance.random() < 0.2:
                began = time.perf_counter()
                self.sandbox.shop.get(f"/api/sell/trades?status={chance.choice(['processing', 'accepted', 'declined'])}&limit=50")
                self.latencies["list"].append(time.perf_counter() - began)
                self.sandbox.shop.get("/api/sell/trades/dashboard")

    def replace_orders(self) -> None:
        """One buyer after the other sends his whole list again, every price a little different."""
        for buyer in itertools.cycle(self.sandbox.buyers):
            self._wait_while_quiet()
            orders: list[dict[str, Any]] = []
            while True:
                page = buyer.get(f"/api/buy/orders?game_id=730&limit=2000&offset={len(orders)}")
                orders += page["orders"]
                if len(orders) >= page["total"]:
                    break
            lines = [
                {
                    "market_hash_name": line["market_hash_name"],
                    "price": max(10, line["price"] + random.choice([-1, 1])),
                    "amount": 100,
                }
                for line in orders
            ]
            began = time.perf_counter()
            buyer.do("PUT", "/api/buy/orders", {"game_id": 730, "mode": "replace", "orders": lines})
            self.latencies["replace"].append(time.perf_counter() - began)
            if self.stop.wait(10):
                return

    def throw_faults(self) -> None:
        """Every switch in turn, for everybody or for one."""
        chance = random.Random(3)
        for name in itertools.cycle(sorted(FAULTS)):
            options: dict[str, Any] = {"times": 2} if name in NOT_FOR_LONG else {"times": 5, "for_seconds": 20}
            if name in ("send_answers_late", "slow", "poll_late"):
                options["seconds"] = 0.5
            elif name == "clock_skew":
                options["seconds"] = 5
            if name not in WITHOUT_PARTNER and name != "clock_skew" and chance.random() < 0.5:
                options["seller"] = chance.choice(self.sandbox.sellers)["steamid64"]
            try:
                self.sandbox.steam.fault(name, **options)
                self.counted["faults"] += 1
            except AssertionError:
                options.pop("seller", None)
                self.sandbox.steam.fault(name, **options)
                self.counted["faults"] += 1
            if self.stop.wait(4):
                self.sandbox.steam.clear()
                return

    def operate(self) -> None:
        """The operator's hand: bots that were stopped for good are enabled again, and what waits for a human is decided."""
        operator = self.sandbox.operator
        while not self.stop.wait(15):
            for bot in operator.get("/api/operator/bots"):
                if not bot["enabled"] or bot["state"] == "quarantined" or bot["blocked_games"]:
                    operator.do("PATCH", f"/api/operator/bots/{bot['steamid64']}", {"enabled": True})
                    self.counted["bots enabled again"] += 1
            for alert in operator.get("/api/operator/alerts?open=true&limit=500")["alerts"]:
                if alert["trade_id"] is not None:
                    self._decide(alert["trade_id"])
                operator.call("POST", f"/api/operator/alerts/{alert['id']}/close", {"reason": "looked at"})
                self.counted["alerts closed"] += 1

    def _decide(self, trade_id: str) -> None:
        trade = f"/api/operator/trades/{trade_id}"
        if self.sandbox.operator.get(trade)["stage"] == "operator":
            self.sandbox.operator.do(
                "POST", f"{trade}/declare-accepted", {"reason": "the items are in the inventory", "force": True}
            )
            self.counted["sales decided by hand"] += 1

    def _wait_for_turn(self) -> None:
        self._wait_while_quiet()
        if not self.sales_a_second:
            return
        with self._lock:
            self._due = max(self._due + 1 / self.sales_a_second, time.monotonic() - 1)
            due = self._due
        self.stop.wait(max(0, due - time.monotonic()))

    def _wait_while_quiet(self) -> None:
        while self.is_quiet.is_set() and not self.stop.wait(0.2):
            pass

    # -- measuring -----------------------------------------------------------------------------------------------------

    def match_requests(self) -> list[str]:
        chance = random.Random(4)
        names = [item["market_hash_name"] for seller in self.sandbox.sellers for item in seller["items"] if item["game_id"] == 730]
        bodies = [{"game_id": 730, "items": [{"market_hash_name": name} for name in chance.sample(names, 10)]} for _ in range(200)]
        return [http_request("/api/sell/match", body, self.sandbox.shop.key) for body in bodies]

    def match_and_floor(self, rate: float, echo_port: int) -> dict[str, float]:
        """A window of matches in an open loop, the bare echo beside them; milliseconds, and the API's share of a processor: how much it
        ran, and how much it could have run but waited for one."""
        assert self.sandbox.process is not None
        ran, waited = scheduled_s(self.sandbox.process.pid)
        latencies, floor, reached = beside_floor(self.sandbox.port, echo_port, self.match_requests(), WINDOW, rate)
        ran_until, waited_until = scheduled_s(self.sandbox.process.pid)
        return {
            "floor_p50_ms": percentile(floor, 0.5) * 1e3, "floor_p99_ms": percentile(floor, 0.99) * 1e3,
            "match_a_second": reached, "match_p50_ms": percentile(latencies, 0.5) * 1e3,
            "match_p99_ms": percentile(latencies, 0.99) * 1e3, "match_p999_ms": percentile(latencies, 0.999) * 1e3,
            "api_ran": (ran_until - ran) / WINDOW, "api_waited": (waited_until - waited) / WINDOW,
        }  # fmt: skip

    def processes(self) -> dict[str, float]:
        """Megabytes of the market's processes."""
        assert self.sandbox.process is not None
        found = {"api": rss_mb(self.sandbox.process.pid)}
        children = subprocess.run(["pgrep", "-P", str(self.sandbox.process.pid)], capture_output=True, text=True, check=True)
        for child in children.stdout.split():
            command = Path(f"/proc/{child}/cmdline").read_text()
            name = "desk" if "desk.process" in command else "work" if "selldesk.runtime.child" in command else "steam"
            found[name] = rss_mb(int(child))
        return found

    def take_latencies(self) -> dict[str, float]:
        p99 = {}
        for name, values in self.latencies.items():
            self.latencies[name] = []
            if values:
                p99[f"{name}_p99_ms"] = percentile(values, 0.99) * 1e3
        return p99


def shown(figures: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in figures.items())


def scheduled_s(pid: int) -> tuple[float, float]:
    """Seconds that a process's main thread has run, and has been ready to run without a processor."""
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(ran) / 1e9, int(waited) / 1e9


def run(sandbox: SandboxProcess, echo_port: int) -> None:
    mixed = Mixed(sandbox)
    for seller in sandbox.sellers:
        sandbox.steam.behave(seller, "accept", 0.2)
    for user in sandbox.operator.get("/api/operator/users?limit=500")["users"]:
        # Enough for as many sales as the half hour may bring.
        if "buyer" in user["roles"]:
            sandbox.operator.do("POST", f"/api/operator/users/{user['id']}/deposits", {"amount": MONEY, "reference": "mixed"})
    requests = mixed.match_requests()
    load(sandbox.port, requests, 16, 5)

    players = [*[mixed.sell] * SELLERS_AT_ONCE, mixed.look_up, mixed.replace_orders]
    threads = [threading.Thread(target=player, daemon=True) for player in players]
    for thread in threads:
        thread.start()
    time.sleep(10)
    sold = mixed.counted["sold"]
    _, peak = load(sandbox.port, requests, 16, PEAK_SECONDS)
    sales_peak = (mixed.counted["sold"] - sold) / PEAK_SECONDS
    mixed.sales_a_second = sales_peak * SHARE
    print(f"peak of the mix: {peak:.0f} matches and {sales_peak:.1f} sales a second", flush=True)

    mixed.is_quiet.set()
    time.sleep(20)
    quiet = mixed.match_and_floor(peak * SHARE, echo_port)
    print(f"at {SHARE:g} of it, matches alone: {shown(quiet)}", flush=True)
    mixed.is_quiet.clear()

    for player in (mixed.throw_faults, mixed.operate):
        threads.append(threading.Thread(target=player, daemon=True))
        threads[-1].start()
    samples: list[dict[str, float]] = []
    began = time.monotonic()
    jumps = [MINUTES * 60 * share for share in (1 / 3, 2 / 3)]
    mixed.take_latencies()
    while time.monotonic() - began < MINUTES * 60:
        if jumps and time.monotonic() - began > jumps[0]:
            jumps.pop(0)
            sandbox.advance(16 * DAY)
        elif len(samples) % DEADLINES_EVERY == DEADLINES_EVERY - 1:
            sandbox.advance(HOUR)
        latencies = mixed.match_and_floor(peak * SHARE, echo_port)
        counts = {
            name: sandbox.operator.get(f"/api/operator/trades?status={name}&limit=1")["total"]
            for name in ("processing", "accepted", "completed")
        }
        sample = {
            "at_s": time.monotonic() - began, **latencies, "sold": mixed.counted["sold"], **counts, **mixed.take_latencies(),
            **{f"{name}_mb": size for name, size in mixed.processes().items()},
        }  # fmt: skip
        samples.append(sample)
        print(f"  {shown(sample)}", flush=True)
    mixed.stop.set()
    for thread in threads:
        thread.join(30)
    sandbox.steam.clear()
    violations = sandbox.operator.get("/api/operator/audit")["violations"]
    print(f"counted: {dict(mixed.counted)}; audit: {len(violations)} violations {violations[:3]}")
    told = {
        "minutes": MINUTES, "share": SHARE, "match_peak": peak, "quiet": quiet, "sales_peak": sales_peak,
        "counted": dict(mixed.counted), "violations": len(violations), "samples": samples,
    }  # fmt: skip
    Path("var/mixed.json").write_text(json.dumps(told, indent=1) + "\n")
    print("written: var/mixed.json")


def main() -> None:
    Path("var").mkdir(exist_ok=True)
    server = postgres_server() if os.environ.get("ENGINE", "postgresql") == "postgresql" else None
    database = f"mixed{uuid.uuid4().hex[:10]}"
    url = None
    if server is not None:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {database}")
        url = f"{server}?options=-csearch_path%3D{database}"
    with tempfile.TemporaryDirectory(dir="var") as folder:
        sandbox = SandboxProcess(Path(folder) / "sandbox", url).start()
        try:
            print(
                f"mixed load on {'PostgreSQL' if url else 'SQLite'}, {MINUTES:g} minutes, Python {sys.version.split()[0]}",
                flush=True,
            )
            with echoing() as echo_port:
                run(sandbox, echo_port)
        finally:
            sandbox.stop()
            if server is not None:
                with psycopg.connect(server, autocommit=True) as connection:
                    connection.execute(f"DROP SCHEMA {database} CASCADE")


if __name__ == "__main__":
    main()
