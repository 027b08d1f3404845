"""`make bench-telling`: what it costs to tell what happens (people P2, P3) and to hand items over (P4). Writes var/telling.json.

Bytes of an event, events read a second, from commit to a receiver, a full outbox drained, five hundred open streams beside matches, and
deliveries a second beside sales in a market of one process with the simulated Steam.
"""

import asyncio
import json
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from tests.receivers import Receiver
from tests.stores import postgres_server
from tests.support import fetch

from bench import floors, market
from bench.run import BATCHES, SECONDS, echoing, figures, load, new_store, note, percentile, rss_mb, serving
from selldesk.deliveries.delivery import link_place
from selldesk.desk import commands
from selldesk.desk.batch import Batch
from selldesk.simulation.market import BUYER, InlineMarket
from selldesk.store.open import open_store
from selldesk.store.store import Store

STREAMS = 500
ENDPOINTS = 5
TF2 = 440


def kept(engine: str, store: Store, url: str) -> None:
    """What the store of so many creates holds of events, indexes included."""
    writer = store.writer()
    (count,) = writer.query("SELECT count(*) FROM event", {})[0]
    if engine == "sqlite":
        path = Path(url.removeprefix("sqlite:///"))

        def size() -> int:
            for words in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                writer.query(words, {})
            return path.stat().st_size

        whole = size()
        writer.begin()
        writer.query("DELETE FROM event", {})
        writer.commit()
        held = whole - size()
    else:
        held = int(writer.query("SELECT pg_total_relation_size('event')", {})[0][0])
    writer.close()
    note(f"event_bytes_{engine}", held / count, f"each of {count} events of sales that begin, indexes included")


def read_on(port: int, engine: str) -> None:
    """One reader, page by page."""
    after, events, began = "&after=0", 0, time.perf_counter()
    while True:
        status, answer = _api("GET", port, f"/api/events?limit=500{after}")
        assert status == 200, answer
        page = answer["data"]
        events += len(page["events"])
        if not page["has_more"]:
            break
        after = f"&after={page['next']}"
    note(
        f"events_read_{engine}", events / (time.perf_counter() - began), f"events a second of one reader, {events} in pages of 500"
    )


def _api(method: str, port: int, path: str, body: Any = None) -> tuple[int, Any]:
    status, answer, _ = fetch(method, f"http://127.0.0.1:{port}{path}", body, market.KEY)
    return status, answer


@contextmanager
def courier(url: str) -> Iterator[None]:
    environment = os.environ | {"SELLDESK_DATABASE_URL": url, "SELLDESK_SECRET_KEY": market.SECRET}
    process = subprocess.Popen([sys.executable, "-m", "selldesk", "work", "--webhooks"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _listen(port: int, receiver: Receiver) -> None:
    status, answer = _api("POST", port, "/api/webhooks", {"url": receiver.url, "events": ["trade.processing"]})
    assert status == 201, answer


def telling(engine: str) -> None:
    print(f"telling, {engine}", flush=True)
    with new_store(engine) as (store, url):
        market.seed_sales(store, 500)
        floors.desk_rate(store, 500, BATCHES)
        with serving(url) as (port, _):
            read_on(port, engine)
            with Receiver() as receiver, courier(url):
                _listen(port, receiver)
                rate = 100.0
                # What waits until the courier has come is not of the figure.
                load(port, market.create_requests(500, 500, 100, first=15_000_000), 16, 1.0, rate, once=True)
                receiver.wait(1, 60)
                time.sleep(2)
                early = len(receiver.requests)
                requests = market.create_requests(500, 500, int(rate * SECONDS * 1.5), first=20_000_000)
                latencies, _ = load(port, requests, 16, SECONDS, rate, once=True)
                heard = receiver.wait(early + len(latencies), 60)[early:]
                # An event's id says to the millisecond when its batch was written, just before its commit.
                ahead = time.time() - time.monotonic()
                waits = [one.at + ahead - int(one.event["id"].replace("-", "")[:12], 16) / 1e3 for one in heard]
                note(
                    f"webhook_p50_ms_{engine}",
                    percentile(waits, 0.5) * 1e3,
                    f"from commit to receiver beside {rate:.0f} creates a second",
                )
                note(f"webhook_p99_ms_{engine}", percentile(waits, 0.99) * 1e3)
        kept(engine, store, url)
    drained(engine)


def drained(engine: str) -> None:
    """Everybody was away: what has gathered meanwhile is brought to five endpoints."""
    with new_store(engine) as (store, url):
        market.seed_sales(store, 500)
        with serving(url) as (port, _):
            receivers = [Receiver() for _ in range(ENDPOINTS)]
            for receiver in receivers:
                _listen(port, receiver)
            requests = market.create_requests(500, 500, BATCHES * 40, first=30_000_000)
            load(port, requests, 64, BATCHES, once=True)
            page = _api("GET", port, "/api/webhooks")[1]["data"]
            assert len(page["endpoints"] if isinstance(page, dict) else page) == ENDPOINTS
            wanted = int(
                store.reader().query("SELECT count(*) FROM event WHERE type = 'trade.processing' AND person = 1", {})[0][0]
            )
            with courier(url):
                receivers[0].wait(1, 60)
                began = time.perf_counter()
                for receiver in receivers:
                    receiver.wait(wanted, 300)
                took = time.perf_counter() - began
            for receiver in receivers:
                receiver.close()
    note(
        f"webhooks_drained_{engine}",
        wanted * ENDPOINTS / took,
        f"a second, {wanted} events waiting for each of {ENDPOINTS} endpoints",
    )


@contextmanager
def streaming(port: int) -> Iterator[None]:
    """So many open streams, all of which are read."""
    stop = threading.Event()
    chosen = selectors.DefaultSelector()
    head = f"GET /api/events/stream HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: {market.KEY}\r\n\r\n".encode()
    for number in range(STREAMS):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(head)
        answer = one.recv(4096)
        assert b" 200 " in answer, (number, answer)
        chosen.register(one, selectors.EVENT_READ)

    def read() -> None:
        while not stop.is_set():
            for key, _ in chosen.select(0.2):
                with suppress(OSError):
                    key.fileobj.recv(65_536)  # type: ignore[union-attr]

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        stop.set()
        reader.join()
        for key in list(chosen.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        time.sleep(1)


def streams() -> None:
    print("streams, SQLite", flush=True)
    # All of them come from one shop at one address.
    os.environ |= {"SELLDESK_STREAMS_PER_KEY": str(STREAMS), "SELLDESK_CONNECTIONS_PER_ADDRESS": str(2 * STREAMS)}
    with new_store("sqlite") as (store, url):
        market.seed_sales(store, 500)
        matches = market.match_requests(500, 10, 500)
        with serving(url) as (port, server), echoing():
            load(port, matches, 16, 1.0)
            p99: dict[str, list[float]] = {"none": [], "idle": [], "told": []}
            before = rss_mb(server.pid)
            # In turns, so that a machine that is busier for a while slows all of them.
            for which in ("none", "idle", "told", "told", "idle", "none", "none", "idle", "told"):
                with streaming(port) if which != "none" else nullcontext():
                    if which != "none":
                        note("streams_rss_mb", rss_mb(server.pid) - before, f"of an API process, {STREAMS} open streams")
                    p99[which].append(_beside_creates(port, matches, 0 if which == "idle" else 1))
            none, idle, told = (statistics.median(p99[which]) for which in ("none", "idle", "told"))
            note("match_p99_ms_without_streams", none * 1e3, "beside one create a second")
            note("match_p99_idle_streams_vs_without", idle / none, "streams that hear nothing")
            note("match_p99_told_streams_vs_without", told / none, f"every create is told to all {STREAMS} streams")


_first = 40_000_000


def _beside_creates(port: int, matches: list[str], rate: int) -> float:
    global _first
    _first += 1_000
    with ThreadPoolExecutor(1) as pool:
        creates = market.create_requests(500, 500, int(SECONDS) + 2, first=_first)
        selling = pool.submit(load, port, creates, 1, SECONDS, rate, True) if rate else None
        latencies, _ = load(port, matches, 16, SECONDS, 500)
        if selling is not None:
            selling.result()
    return percentile(latencies, 0.99)


def beside_creates(engine: str) -> None:
    """The desk alone, in turns with one that tells nobody: rows, bodies and ids of events are what is left out."""
    rates: dict[str, list[float]] = {"told": [], "untold": []}
    tell = Batch.tell
    for which in ("told", "untold", "untold", "told") * 3:
        Batch.tell = tell if which == "told" else lambda *_: None  # type: ignore[method-assign]
        try:
            with new_store(engine) as (store, _):
                market.seed_sales(store, 1)
                rates[which].append(floors.desk_rate(store, 1, BATCHES)[0])
        finally:
            Batch.tell = tell  # type: ignore[method-assign]
    told, untold = statistics.median(rates["told"]), statistics.median(rates["untold"])
    note(f"creates_told_vs_untold_{engine}", told / untold, f"{told:.0f} over {untold:.0f} creates a second of the desk alone")


def delivering() -> None:
    """One process without sockets: bots, desk, store on this disk, and the simulated Steam. Sales from create to completion, then
    deliveries of the same items from the request to completion."""
    print("delivering, SQLite", flush=True)
    rounds, rates = 20, {"sales": [0.0, 0], "deliveries": [0.0, 0]}
    folder = Path(tempfile.mkdtemp(dir="var")).resolve()
    url = f"sqlite:///{folder / 'market.db'}"
    open_store(url).migrate()

    async def story() -> None:
        async with InlineMarket(folder, url, bots=4) as little:
            vip = little.steam.world.add_account("vip", "buyer", steamid64="76561197960300001")
            little.order(TF2, 10_000)
            little.desk.ask(commands.MoveMoney(operator="bench", person=BUYER, direction="deposit", amount=2**40, reference="more"))
            link = f"https://steamcommunity.com/tradeoffer/new/?partner={vip.number}&token={vip.trade_token}"
            workers = little.workers()

            def running(table: str) -> int:
                return int(little.desk.store.query(f"SELECT count(*) FROM {table} WHERE status <> 'completed'", {})[0][0])

            for number in range(rounds):
                began = time.perf_counter()
                sold = [little.open_trade(f"sale {number} {place}", TF2) for place in range(20)]
                await little.run(workers, lambda: not running("trade"))
                rates["sales"][0] += time.perf_counter() - began
                rates["sales"][1] += len(sold)
                began = time.perf_counter()
                for place, one in enumerate(sold):
                    custom_id = f"delivery {number} {place}"
                    sealed = little.box.seal_link(link, link_place(BUYER, custom_id))
                    little.desk.ask(
                        commands.OpenDelivery(
                            buyer=BUYER, custom_id=custom_id, items=[(one, 0)], partner=vip.steamid64, tradelink=sealed, message=""
                        )
                    )
                for worker in workers:
                    worker.alarm.ring()
                await little.run(workers, lambda: not running("delivery"))
                rates["deliveries"][0] += time.perf_counter() - began
                rates["deliveries"][1] += len(sold)

    asyncio.run(story())
    shutil.rmtree(folder)
    for what, (took, count) in rates.items():
        note(
            f"{what}_whole_a_second",
            count / took,
            "of one process, from the request to Steam's last word, with the simulated Steam",
        )


def main() -> None:
    Path("var").mkdir(exist_ok=True)
    os.environ["SELLDESK_WEBHOOK_ALLOW_PRIVATE"] = "true"
    engines = ["sqlite", *(["postgresql"] if postgres_server() is not None else [])]
    for engine in engines:
        beside_creates(engine)
        telling(engine)
    streams()
    delivering()
    Path("var/telling.json").write_text(json.dumps(figures, indent=1) + "\n")
    print("written: var/telling.json")


if __name__ == "__main__":
    main()
