"""How many whole sales a second one store carries: opened, verified, sent, accepted, read, settled, seven commands each, in batches of 64,
on one connection. And what ten times the largest market would ask of it: so many sales a day, spread as a day is.

`python -m bench.life [URL]`: on fresh stores, or on one that stands (bench/history.py), where the desk's load is compared with a short past.
"""

import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.stores import postgres_server

from bench import history
from bench.run import new_store, percentile
from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import ManualClock
from selldesk.kernel.ids import new_uuid7
from selldesk.kernel.times import DAY_US
from selldesk.offers.words import AssetWord, OfferWord, Proof, TradeWord
from selldesk.steamwire.tradelink import STEAMID64_BASE
from selldesk.store.open import open_store
from selldesk.store.small_writes import SmallWrites
from selldesk.store.store import Store

BATCH = 64
SALES = 3_000


def told_by_bots(trade_id: str, game: int, asset: str, now: int, settlement: int) -> Iterator[commands.Command[Any]]:
    """What a bot tells of a sale that goes well, from the seller's inventory to the settlement."""
    yield commands.ProofRead(trade_id=trade_id, proof=Proof.AS_NAMED, text="", began_at=now, classes=[("1", "2")])
    yield commands.IntendSend(trade_id=trade_id)
    offer, exchange = f"5{trade_id.replace('-', '')}", f"4{trade_id.replace('-', '')}"
    yield commands.OfferMade(trade_id=trade_id, offer_id=offer, needs_confirmation=False)
    yield commands.OfferRead(trade_id=trade_id, offer=OfferWord(offer, 3, now, exchange), raw="{}")
    word = TradeWord(3, settlement, False, [AssetWord(game, "2", asset, "1")])
    yield commands.TradeRead(trade_id=trade_id, word=word, began_at=now, raw="{}")
    yield commands.TradeRead(trade_id=trade_id, word=word, began_at=settlement + 2 * DAY_US, raw="{}")


class Lives:
    """Sales on their way, each of which knows its next command."""

    def __init__(self, store: Store) -> None:
        reader = store.reader()
        self.clock = ManualClock(int(time.time() * 1e6))
        self.desk = Desk(store.writer(), self.clock, DeskSettings())
        self.names = {row[0]: (row[1], row[2]) for row in reader.fetch("all_items")}
        rows = reader.query("SELECT buyer, item, price FROM buy_order WHERE remaining > 500 LIMIT 5000", {})
        self.wanted = [(row[0], row[1], row[2]) for row in rows]
        self.took: dict[str, list[float]] = defaultdict(list)
        self._chance = random.Random(5)
        self._number = 0
        bots = [row[0] for row in reader.fetch("bot_numbers")]
        for bot in bots:
            self.desk.ask(commands.BotReport(bot=bot, state="ok"))
            SmallWrites(store).beat(bot, self.clock.real_us() + 10 * 365 * DAY_US)
        reader.close()

    def life(self) -> Iterator[commands.Command[Any]]:
        """The commands of one sale, in their order."""
        self._number += 1
        number, now = self._number, self.clock.now_us()
        buyer, item, price = self._chance.choice(self.wanted)
        game, name = self.names[item]
        seller, asset, trade_id = STEAMID64_BASE + 30_000_000 + number, str(10**12 + number), new_uuid7(now)
        link = f"https://steamcommunity.com/tradeoffer/new/?partner={30_000_000 + number}&token=abcdefgh"
        line = commands.OpenItem(item, name, "2", asset, price)
        yield commands.OpenTrade(
            trade_id=trade_id,
            project=1 + number % 20,
            custom_id=f"life-{trade_id}",
            game=game,
            buyer=buyer,
            mismatch=False,
            seller=str(seller),
            tradelink=link,
            message="",
            items=[line],
        )
        yield from told_by_bots(trade_id, game, asset, now, now + 7 * DAY_US)

    def run(self, sales: int) -> float:
        """Sales a second; many at once, each at another point of its life, as in a market."""
        waiting = [self.life() for _ in range(sales)]
        living: list[tuple[Iterator[commands.Command[Any]], commands.Command[Any]]] = []
        done = 0
        began = time.perf_counter()
        while done < sales:
            while waiting and len(living) < 8 * BATCH:
                life = waiting.pop()
                living.append((life, next(life)))
            batch, living = living[:BATCH], living[BATCH:]
            settling = any(isinstance(one, commands.TradeRead) and one.began_at > self.clock.now_us() for _, one in batch)
            if settling:
                self.clock.advance(9 * 86_400)
            at = time.perf_counter()
            results = self.desk.process([command for _, command in batch])
            self.took["batch"].append(time.perf_counter() - at)
            answers = [answer for result in results for answer in result.answers]
            for (life, command), answer in zip(batch, answers, strict=True):
                assert answer.value is not None, (type(command).__name__, answer)
                following = next(life, None)
                if following is None:
                    done += 1
                else:
                    living.append((life, following))
        return sales / (time.perf_counter() - began)


def measure(store: Store, sales: int) -> dict[str, Any]:
    lives = Lives(store)
    lives.run(200)
    lives.took.clear()
    rate = lives.run(sales)
    batches = lives.took["batch"]
    return {"sales_a_second": rate, "batch_p50_ms": percentile(batches, 0.5) * 1e3, "batch_p99_ms": percentile(batches, 0.99) * 1e3}


def show(name: str, found: dict[str, Any]) -> None:
    a_day = found["sales_a_second"] * 86_400
    print(
        f"  {name:44} {found['sales_a_second']:7.0f} whole sales a second ({a_day / 1e6:.0f} million a day);"
        f" batch of {BATCH}: p50 {found['batch_p50_ms']:.1f} p99 {found['batch_p99_ms']:.1f} ms",
        flush=True,
    )


def main() -> None:
    engines = ["sqlite"] + (["postgresql"] if postgres_server() is not None else [])
    for engine in engines:
        with new_store(engine) as (store, url):
            history.fill(store, url, history.Size(10_000, 1_000, 20_000, 5_000, 100))
            show(f"{engine}, 10,000 trades", measure(store, SALES))
    for url in sys.argv[1:]:
        show("with its long past", measure(open_store(url), SALES))


if __name__ == "__main__":
    main()
