"""A store with a life behind it is upgraded: release 821564e made it, today's goes on with it, and for a while both write to it.

`data/release_821564e.zip` is the desk of that release as it was; it runs here as a process of its own, so that the statements of
the old version are its own too. It was cut out of the history by

    git archive -9 --format=zip -o tests/data/release_821564e.zip 821564e -- src/selldesk/__init__.py \\
        src/selldesk/{book,bots,catalog,desk,kernel,ledger,people,steamwire,store,trades} ':!*.csv'

`data/store_821564e.json` is every row of a store that this desk made by `live` below: sales in every status and stage. A test holds
that it still makes just these rows, on both engines. `python -m tests.store.test_upgrade` writes the file anew.
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import pytest

from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import ManualClock
from selldesk.kernel.refusals import Refusal
from selldesk.ledger import accounts
from selldesk.people.roles import Role, pack_roles
from selldesk.store.audit import run_audit
from selldesk.store.open import open_store
from selldesk.store.store import Row, Store
from selldesk.trades.status import Status
from selldesk.trades.trade import Trade
from tests.stores import drop_database, new_database, use_engine

DATA = Path(__file__).parent.parent / "data"
RELEASE = DATA / "release_821564e.zip"
ROWS = DATA / "store_821564e.json"
LAST_MIGRATION = 11
"""Of that release."""
SHOP, STALL, VIP, RICH = 2, 3, 4, 5
FEE_BASIS_POINTS = 250
PRICE = 1_000
DEPOSIT = 1_000_000
CS2, TF2, DOTA = 730, 440, 570
ITEMS = {CS2: 1, TF2: 2, DOTA: 3}
NAMES = {CS2: "AK-47 | Redline (Field-Tested)", TF2: "Mann Co. Supply Crate Key", DOTA: "Dragonclaw Hook"}
SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
LONG = 8 * DAY + 3_600 * SECOND
"""After it every exchange has settled."""

Rows = dict[str, tuple[list[str], list[Row]]]
"""Table → its columns and rows."""

# -- the two releases --------------------------------------------------------------------------------------------------

OLD_DESK = """
import sys
import msgspec
import selldesk
from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.work import DeskSettings
from selldesk.kernel import ids
from selldesk.kernel.clock import ManualClock
from selldesk.store.copying import tables
from selldesk.store.open import open_store

class Asked(msgspec.Struct):
    now: int
    open: str | None = None
    fee_basis_points: int = 0
    first_id: int = 0
    command: commands.AnyCommand | None = None
    beat: list[int] = []
    table: str | None = None

def answer_to(asked):
    global writer, desk, drawn
    clock._now_us = asked.now
    if asked.open is not None:
        drawn = iter(range(asked.first_id, 10**12))
        store = open_store(asked.open)
        store.migrate()
        writer = store.writer()
        writer.machine_us = lambda: None
        desk = Desk(writer, clock, DeskSettings(fee_basis_points=asked.fee_basis_points))
        return [*tables(), "worker", "bot_lease"]
    if asked.table is not None:
        columns, rows = writer.table(asked.table)
        return [columns, sorted(rows, key=str)]
    if isinstance(asked.command, commands.PutOrders | commands.WithdrawOrders):
        return desk.work_off(asked.command)
    if asked.command is not None:
        return desk.ask(asked.command)
    if asked.beat:
        writer.begin()
        for bot in asked.beat:
            writer.execute("beat", bot=bot, real_us=asked.now)
        writer.commit()
        return None
    return writer.close()

assert "release_821564e.zip" in selldesk.__file__, selldesk.__file__
ids.new_uuid7 = lambda at_us: f"{at_us // 1000:012x}"[:8] + f"-0000-7000-8000-{next(drawn):012d}"
ids.new_stamp = lambda: next(drawn)
clock = ManualClock()
for line in sys.stdin:
    try:
        told = {"answer": answer_to(msgspec.json.decode(line, type=Asked))}
    except Exception as error:
        told = {"refused": [getattr(error, "status", 0), getattr(error, "code", ""), str(error)]}
    print(msgspec.json.encode(told).decode(), flush=True)
"""
"""What the old process runs: commands come in, a line each, and its desk decides them. Ids are counted, so that rows are alike."""


@cache
def old_process() -> "subprocess.Popen[str]":
    """One for all tests: it opens a store after the other."""
    environment = {**os.environ, "PYTHONPATH": f"{RELEASE}/src"}
    process = subprocess.Popen(
        [sys.executable, "-c", OLD_DESK], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(process.communicate)
    return process


class Release(Protocol):
    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        """Raises the refusal."""
        ...

    def beat(self, *bots: int) -> None:
        """These bots are alive."""
        ...


class OldRelease:
    """The process of release 821564e at work on a new store, whose schema it makes."""

    def __init__(self, url: str, clock: ManualClock, first_id: int) -> None:
        self._clock = clock
        self._process = old_process()
        self._tables: list[str] = self._tell(open=url, fee_basis_points=FEE_BASIS_POINTS, first_id=first_id)

    def _tell(self, **what: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode({"now": self._clock.now_us(), **what}).decode() + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the old process has ended"
        told = json.loads(line)
        if "refused" in told:
            raise Refusal(*told["refused"])
        return told["answer"]

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._tell(command={"type": command, **fields})
        return answer

    def beat(self, *bots: int) -> None:
        self._tell(beat=bots)

    def everything(self) -> dict[str, Any]:
        """Table → [columns, rows], bytes as base64, in the order in which they can be put into another store."""
        return {table: self._tell(table=table) for table in self._tables}

    def leave(self) -> None:
        """The process goes on without a store."""
        self._tell()


class Today:
    """This release's desk on the same store."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self._writer = store.writer()
        self._writer.machine_us = lambda: None  # type: ignore[method-assign]
        self._clock = clock
        self.desk = Desk(self._writer, clock, DeskSettings(fee_basis_points=FEE_BASIS_POINTS))

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        asked: Any = msgspec.convert({"type": command, **fields}, commands.AnyCommand)
        reply = self.desk.work_off(asked) if command in ("PutOrders", "WithdrawOrders") else self.desk.ask(asked)
        answer: dict[str, Any] = msgspec.to_builtins(reply)
        return answer

    def beat(self, *bots: int) -> None:
        self._writer.begin()
        for bot in bots:
            self._writer.execute("beat", bot=bot, real_us=self._clock.real_us())
        self._writer.commit()

    def leave(self) -> None:
        self._writer.close()


# -- what happens to sales ---------------------------------------------------------------------------------------------


class Sale(NamedTuple):
    """Everything about it follows from its number."""

    number: int
    game: int = CS2
    project: int = SHOP
    buyer: int = VIP
    units: int = 1

    @property
    def id(self) -> str:
        return f"019ce000-0000-7000-8000-{self.number:012d}"

    @property
    def seller(self) -> str:
        return str(76561197961000000 + self.number)

    @property
    def assets(self) -> list[str]:
        return [str(1_000 + self.number * 10 + position) for position in range(self.units)]

    @property
    def value(self) -> int:
        return PRICE * self.units


def open_sale(desk: Release, sale: Sale, again: bool = False) -> dict[str, Any]:
    """`again`: the same items under another id."""
    link = f"https://steamcommunity.com/tradeoffer/new/?partner={1_000_000 + sale.number}&token=abcdefgh"
    return desk.ask(
        "OpenTrade", trade_id=sale.id.replace("7000", "7001") if again else sale.id, project=sale.project,
        custom_id=f"sale {sale.number}{' again' * again}", game=sale.game, buyer=sale.buyer, mismatch=False, seller=sale.seller,
        tradelink=link, message="", items=[[ITEMS[sale.game], NAMES[sale.game], "2", asset, PRICE] for asset in sale.assets],
    )  # fmt: skip


def say(desk: Release, clock: ManualClock, sale: Sale, word: str) -> None:
    """One piece of news about a sale, or one order of an operator, in words that both releases understand."""
    now, offer, exchange = clock.now_us(), f"5{sale.number:06d}", f"4{sale.number:06d}"
    protected = sale.game == CS2

    def news(command: str, **fields: Any) -> dict[str, Any]:
        return desk.ask(command, trade_id=sale.id, **fields)

    def operate(action: str, **fields: Any) -> None:
        news("OperateTrade", operator="op", action=action, reason="for the test", **fields)

    def read_offer(state: int, created_at: int = now, number: str | None = None, escrow_end: int | None = None) -> None:
        offer_word = {"offer_id": offer, "state": state, "time_created": created_at, "steam_trade_id": number}
        # `looked_at`: the bot has looked for other offers; the old release asks for no such thing, and passes over it.
        raw = f'{{"trade_offer_state":{state}}}'
        news("OfferRead", offer={**offer_word, "escrow_end": escrow_end}, raw=raw, looked_at=now)

    def read_exchange(settlement: int | None, assets: list[str]) -> None:
        received = [
            {
                "appid": sale.game,
                "contextid": "2",
                "assetid": asset,
                "classid": "7",
                "new_assetid": f"9{asset}",
                "new_contextid": "2",
            }
            for asset in assets
        ]
        exchange_word = {"status": 3, "settlement": settlement, "delayed": False, "assets": received}
        news("TradeRead", word=exchange_word, began_at=now, raw='{"status":3}')

    match word:
        case "verify":
            news("ProofRead", proof="as_named", text="", began_at=now, classes=[["7", "0"]] * sale.units)
        case "items not shown":
            news("ProofRead", proof="not_shown", text="The items are not there", began_at=now)
        case "send":
            assert news("IntendSend")["granted"]
        case "Steam is busy":
            news("OfferRefused", why="transient", text="busy", seller=sale.seller)
        case "the bot is full":
            news("OfferRefused", why="bot_full", text="full", seller=sale.seller)
        case "answer lost":
            news("OutcomeUnknown")
        case "not listed":
            news("NotListed", began_at=now)
        case "a while passes":
            clock.advance(6)
        case "minutes pass":
            clock.advance(301)
        case "made":
            news("OfferMade", offer_id=offer, needs_confirmation=False)
        case "made unconfirmed":
            news("OfferMade", offer_id=offer, needs_confirmation=True)
        case "shown":
            read_offer(2)
        case "shown old":
            read_offer(2, created_at=now - 15 * MINUTE)
        case "to cancel":
            assert news("IntendCancel")["granted"]
        case "withdraw":
            operate("cancel")
        case "held":
            read_offer(11, escrow_end=now + 3 * DAY)
        case "accepted":
            read_offer(3, number=exchange)
        case "accepted unnumbered":
            read_offer(3)
        case "declined":
            read_offer(7)
        case "cancelled":
            read_offer(6)
        case "no word":
            news("TradeRead", word=None, began_at=now, raw="{}")
        case "exchanged":
            read_exchange(now + 7 * DAY if protected else None, sale.assets)
        case "exchanged without a date":
            read_exchange(None, sale.assets)
        case "other items came":
            read_exchange(None, ["1"])
        case "settled":
            read_exchange(None, sale.assets)
        case "declare accepted":
            operate("declare-accepted", force=True)
        case "declare failed":
            operate("declare-failed")
        case "reversed by the seller":
            desk.ask("RolledBack", bot=1, readings=[[sale.id, 12]], complete=False)
        case "reversed by the bot":
            operate("declare-rolled-back", by="bot", force=True)
        case _:
            raise AssertionError(word)


class Line(NamedTuple):
    """A sale of the past, and what is to become of it."""

    sale: Sale
    then: str
    """What the old release heard of it."""
    status: Status
    stage: str
    """How it left it."""
    now: str = ""
    """What today's hears of it; behind the bar: when all has settled."""
    final: Status | None = None


STAGES = ("verify", "send", "sending", "reconcile", "offered", "exchanged", "operator")
"""Of sales that are processing."""
P, A = Status.PROCESSING, Status.ACCEPTED
COMPLETED, CANCELLED, DECLINED, ERROR = Status.COMPLETED, Status.CANCELLED, Status.DECLINED, Status.ERROR
BY_USER, BY_BOT = Status.ROLLED_BACK_BY_USER, Status.ROLLED_BACK_BY_BOT
TO_OFFER = "verify, send, made, shown"
TO_END = "accepted, exchanged | settled"
LOST = "verify, send, answer lost"

ENDED = [
    # sale, what became of it long ago
    Line(Sale(1, units=3), f"{TO_OFFER}, accepted, exchanged", A, "settling"),
    Line(Sale(2, TF2, STALL), f"{TO_OFFER}, accepted, exchanged, settled", COMPLETED, "done"),
    Line(Sale(3, DOTA, SHOP, RICH, 2), f"{TO_OFFER}, declined", CANCELLED, "done"),
    Line(Sale(4), "withdraw", DECLINED, "done"),
    Line(Sale(5, CS2, STALL, RICH), f"{TO_OFFER}, accepted, exchanged, reversed by the seller", BY_USER, "done"),
    Line(Sale(6, CS2, STALL, VIP), f"{TO_OFFER}, accepted, exchanged, reversed by the bot", BY_BOT, "done"),
    Line(Sale(7, TF2, SHOP, RICH), f"{TO_OFFER}, accepted, other items came, declare failed", ERROR, "done"),
    Line(Sale(8, units=2), f"{TO_OFFER}, accepted, exchanged", A, "settling"),
]
"""Begun a good week before the upgrade. The first is paid when it has settled, and reversed on Steam only then; the last waits."""

RUNNING = [
    # sale, what the old release heard, how it left it, what today's hears, how it ends
    Line(Sale(20, units=2), f"{LOST}, not listed, minutes pass, not listed", P, "verify", f"{TO_OFFER}, {TO_END}", COMPLETED),
    Line(Sale(21, TF2, STALL), LOST, P, "reconcile", TO_END, COMPLETED),
    Line(Sale(22), f"{LOST}, not listed", P, "reconcile", f"minutes pass, not listed, {TO_OFFER}, {TO_END}", COMPLETED),
    Line(Sale(23, DOTA, SHOP, RICH), f"{LOST}, shown", P, "offered", TO_END, COMPLETED),
    Line(Sale(24, CS2, STALL, RICH), "", P, "verify", f"{TO_OFFER}, {TO_END}", COMPLETED),
    Line(Sale(25, CS2), "items not shown", P, "verify", "a while passes, items not shown", CANCELLED),
    Line(Sale(26, TF2, SHOP, VIP, 4), "verify", P, "send", f"send, made, {TO_END}", COMPLETED),
    Line(Sale(27, CS2, STALL), "verify, send, Steam is busy", P, "send", "withdraw", DECLINED),
    Line(Sale(28, DOTA, STALL, RICH), "verify, send, the bot is full", P, "send", f"send, made, {TO_END}", COMPLETED),
    Line(Sale(29), "verify, send", P, "sending", f"answer lost, shown, {TO_END}", COMPLETED),
    Line(Sale(30, TF2), "verify, send, made unconfirmed", P, "offered", "shown, declined", CANCELLED),
    Line(Sale(31, CS2, SHOP, RICH), TO_OFFER, P, "offered", "accepted, exchanged, reversed by the seller", BY_USER),
    Line(Sale(32, units=2), "verify, send, made, shown old, to cancel", P, "offered", "cancelled", CANCELLED),
    Line(Sale(33, CS2, STALL), f"{TO_OFFER}, withdraw", P, "offered", "cancelled", DECLINED),
    Line(Sale(34, TF2, STALL), f"{TO_OFFER}, held", P, "offered", TO_END, COMPLETED),
    Line(Sale(35), f"{TO_OFFER}, accepted", P, "exchanged", "exchanged | settled", COMPLETED),
    Line(Sale(36, DOTA, SHOP, RICH), f"{TO_OFFER}, accepted, no word", P, "exchanged", "no word, exchanged | settled", COMPLETED),
    Line(Sale(37, CS2, STALL, VIP, 2), f"{TO_OFFER}, accepted, other items came", P, "operator", "declare failed", ERROR),
    Line(Sale(38), f"{TO_OFFER}, accepted, other items came", P, "operator", "declare accepted | reversed by the bot", BY_BOT),
    Line(Sale(39), f"{TO_OFFER}, accepted, exchanged", A, "settling", "reversed by the seller", BY_USER),
    Line(Sale(40, CS2, STALL, RICH, 3), f"{TO_OFFER}, accepted, exchanged without a date", A, "settling", " | settled", COMPLETED),
    Line(Sale(41, DOTA), f"{TO_OFFER}, accepted, exchanged", A, "settling", "settled", COMPLETED),
    Line(Sale(42), f"{TO_OFFER}, accepted unnumbered, declare accepted", A, "settling", "accepted | settled", COMPLETED),
    Line(Sale(8, units=2), "", A, "settling", "settled", COMPLETED),
]
AFTER_NEW_ORDERS = [
    Line(Sale(50, units=2), "verify", P, "send", f"send, made, {TO_END}", COMPLETED),
    Line(Sale(51, DOTA, STALL, VIP), TO_OFFER, P, "offered", "declined", CANCELLED),
]
"""Of units that the buyer ordered anew; all others were taken from orders that are closed by now."""
OPEN = [*RUNNING, *AFTER_NEW_ORDERS]


def words(text: str) -> list[str]:
    return [word for word in text.strip().split(", ") if word]


def put_orders(desk: Release, buyer: int, price: int, amount: int) -> None:
    for game, item in ITEMS.items():
        desk.ask("PutOrders", buyer=buyer, game=game, replace=True, lines=[[item, price, amount]], keep=[])


def live(old: OldRelease, clock: ManualClock) -> None:
    """The life of a market under the old release, up to its last moment."""
    for number, (login, roles) in enumerate(
        (
            ("op", [Role.OPERATOR]),
            ("shop", [Role.PROJECT]),
            ("stall", [Role.PROJECT]),
            ("vip", [Role.BUYER]),
            ("rich", [Role.BUYER]),
        ),
        start=1,
    ):
        steamid64 = f"7656119796030000{number}" if roles == [Role.BUYER] else None
        person = {
            "id": f"019ce000-0000-7000-9000-{number:012d}",
            "login": login,
            "roles": pack_roles(roles),
            "steamid64": steamid64,
        }
        old.ask("CreatePerson", operator="cli", **person)
        old.ask("CreateKey", person=number, name="first", key_hash=f"{number:064x}", operator="op")
    for buyer in (VIP, RICH):
        old.ask("MoveMoney", operator="op", person=buyer, direction="deposit", amount=DEPOSIT, reference="first")
    open_end: dict[str, None] = dict.fromkeys(("game", "min_value", "max_value", "buyers", "bots"))
    old.ask("PutRoom", operator="op", id=None, name="all", **open_end, priority=1, enabled=True)
    for game, name in NAMES.items():
        old.ask("ImportItems", operator="op", game=game, items=[[name, None]])
    for bot in (1, 2, 3):
        limits = {"games": None, "live_offers_max": 30, "seller_offers_max": 5, "items_max": 1_000}
        names = {"steamid64": f"7656119796126572{bot}", "account_name": f"bot{bot}", "profile_name": None, "avatar": None}
        old.ask("AddBot", operator="op", **names, **limits, secrets="c2VjcmV0cw==", tokens=None)
        old.ask("BotReport", bot=bot, state="ok")
    old.ask("KeepLeases", worker="elsewhere/1/1/a")
    for buyer in (VIP, RICH):
        put_orders(old, buyer, PRICE, 40)

    old.beat(1, 2, 3)
    for line in ENDED:
        open_sale(old, line.sale)
        for word in words(line.then):
            say(old, clock, line.sale, word)
    old.ask("StopTrading", operator="op", reason="lunch")
    clock.advance(60)
    old.ask("ResumeTrading", operator="op", reason="it was good")
    clock.advance(LONG / SECOND)
    first = ENDED[0].sale
    say(old, clock, first, "settled")
    old.ask("RolledBack", bot=1, readings=[[first.id, 12]], complete=False)

    for line in RUNNING:
        if line.sale != ENDED[-1].sale:
            old.beat(1, 2, 3)
            open_sale(old, line.sale)
            for word in words(line.then):
                say(old, clock, line.sale, word)
    put_orders(old, VIP, PRICE + 200, 60)
    old.ask("WithdrawOrders", buyer=RICH, game=DOTA, items=None)
    old.beat(1, 2, 3)
    for line in AFTER_NEW_ORDERS:
        open_sale(old, line.sale)
        for word in words(line.then):
            say(old, clock, line.sale, word)
    old.ask("BotReport", bot=3, state="limited", reason="Steam asks us to slow down")
    old.ask("RaiseAlert", kind="bot_needs_login", text="It can't log in", bot=3, trade_id=None)


def write_fixture() -> None:
    use_engine("sqlite")
    with tempfile.TemporaryDirectory() as folder:
        clock = ManualClock()
        old = OldRelease(new_database(Path(folder)), clock, first_id=1)
        live(old, clock)
        made = old.everything()
        old.leave()
    # One row a line: a change of this file can be read.
    lines = [f'"now": {clock.now_us()}']
    for table, (columns, rows) in made.items():
        body = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
        lines.append(f'"{table}": [{json.dumps(columns)}, [\n{body}\n]]')
    ROWS.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")


# -- the store of the old release --------------------------------------------------------------------------------------


class Kept(NamedTuple):
    """The fixture."""

    now: int
    tables: dict[str, Any]
    """Table → [columns, rows], bytes as base64."""

    def rows(self) -> Rows:
        bytes_in = {"secrets", "body"}
        found: Rows = {}
        for table, (columns, rows) in self.tables.items():
            at = [columns.index(name) for name in bytes_in & set(columns) if table in ("bot", "feed")]
            found[table] = (columns, [tuple(_bytes(value) if i in at else value for i, value in enumerate(row)) for row in rows])
        return found

    def trades(self) -> dict[str, dict[str, Any]]:
        columns, rows = self.tables["trade"]
        return {row[0]: dict(zip(columns, row, strict=True)) for row in rows}


def _bytes(text: str) -> bytes:
    return msgspec.convert(text, bytes)


def kept() -> Kept:
    read = json.loads(ROWS.read_text(encoding="utf-8"))
    return Kept(read.pop("now"), read)


class Market:
    """The old release's store with the old process still on it, and today's desk once it is upgraded."""

    def __init__(self, url: str) -> None:
        self.clock = ManualClock(kept().now)
        self.store = open_store(url)
        self.old = OldRelease(url, self.clock, first_id=1_000_000)
        with self.store.filling() as fill:
            for table, (columns, rows) in kept().rows().items():
                fill(table, columns, rows)

    def upgrade(self) -> list[str]:
        applied = self.store.migrate()
        self.today = Today(self.store, self.clock)
        self.reader = self.store.reader()
        return applied

    def desk(self, hand: str) -> Release:
        """o: the old release's, t: today's."""
        return self.old if hand == "o" else self.today

    def leave(self) -> None:
        self.old.leave()
        self.today.leave()
        self.reader.close()

    def read(self, block: str, **parameters: Any) -> list[Row]:
        return self.reader.fetch(block, **parameters)

    def table(self, name: str) -> list[dict[str, Any]]:
        columns, rows = self.reader.table(name)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def trades(self, *sales: Sale) -> list[Trade]:
        found = {row[0]: Trade(*row) for row in self.reader.load("load_trades", [(sale.id,) for sale in sales])}
        return [found[sale.id] for sale in sales]

    def status(self, sale: Sale) -> str:
        return self.trades(sale)[0].status

    def say(self, desk: Release, sale: Sale, *said: str) -> None:
        for word in said:
            say(desk, self.clock, sale, word)

    def assert_clean(self, why: str = "") -> None:
        assert run_audit(self.reader).violations == [], why

    def assert_money(self) -> None:
        """What the buyers had at first is where the sales that were completed have brought it, and nothing is on its way."""
        balance = {row["id"]: row["balance"] for row in self.table("ledger_account")}
        paid: Counter[int] = Counter()
        for trade in self.table("trade"):
            if trade["status"] == COMPLETED:
                fee = trade["value"] * FEE_BASIS_POINTS // 10_000
                assert trade["fee"] == fee
                paid.update({trade["project"]: trade["value"] - fee, trade["buyer"]: -trade["value"], 0: fee})
        for person in (SHOP, STALL, VIP, RICH):
            opening = DEPOSIT if person in (VIP, RICH) else 0
            assert balance.get(accounts.available(person), 0) == opening + paid[person]
            assert balance.get(accounts.held(person), 0) == balance.get(accounts.escrow(person), 0) == 0
        assert paid[0] == 2 * DEPOSIT - sum(balance[accounts.available(person)] for person in (SHOP, STALL, VIP, RICH))


@pytest.fixture
def market(tmp_path: Path, engine: str) -> Iterator[Market]:
    """Not yet upgraded."""
    with _database(tmp_path) as url:
        market = Market(url)
        yield market
        market.leave()


@contextmanager
def _database(folder: Path) -> Iterator[str]:
    url = new_database(folder)
    yield url
    drop_database(url)


def test_the_store_of_the_tests_is_one_that_the_old_release_makes(tmp_path: Path, engine: str) -> None:
    clock = ManualClock()
    with _database(tmp_path) as url:
        old = OldRelease(url, clock, first_id=1)
        live(old, clock)
        made = old.everything()
        old.leave()
    for table, (columns, rows) in kept().tables.items():
        assert made[table] == [columns, rows], table
    assert (made.keys(), clock.now_us()) == (kept().tables.keys(), kept().now)
    assert {(line.status, line.stage) for line in OPEN} == {(P, stage) for stage in STAGES} | {(A, "settling")}
    assert {line.status for line in (*ENDED, *OPEN)} == set(Status)


def test_migrations_that_ran_somewhere_are_never_changed() -> None:
    """Whoever has run them has what they were; a change would reach new stores alone."""
    folder = resources.files("selldesk.store").joinpath("schema")
    with zipfile.ZipFile(RELEASE) as release:
        files = [name for name in release.namelist() if "/schema/" in name and name.endswith(".sql")]
        assert {int(name.rpartition("/")[2][:3]) for name in files} == set(range(1, LAST_MIGRATION + 1))
        for name in files:
            assert release.read(name).decode() == folder.joinpath(name.rpartition("/")[2]).read_text(encoding="utf-8"), name


def test_an_upgraded_store_says_what_it_said_before(market: Market) -> None:
    applied = market.upgrade()
    assert {int(name[:3]) for name in applied} == set(range(LAST_MIGRATION + 1, LAST_MIGRATION + 1 + len(applied)))
    market.assert_clean()
    for table, (columns, rows) in kept().rows().items():
        there = [tuple(row[name] for name in columns) for row in market.table(table)]
        assert sorted(there, key=str) == sorted(rows, key=str), table

    told = kept().trades()
    for line in (*ENDED[:-1], *OPEN):
        (trade,) = market.trades(line.sale)
        before = told[trade.id]
        assert {name: getattr(trade, name) for name in before if name != "custom_fold"} == {
            name: value for name, value in before.items() if name != "custom_fold"
        }
        if line is not ENDED[0]:
            assert (trade.status, trade.stage) == (line.status, line.stage), line
        was_verified = trade.status == P and trade.stage != "verify"
        assert trade.verified_at == (trade.created_at if was_verified else None), line
    assert market.trades(ENDED[0].sale)[0].status == COMPLETED, "paid, and reversed later"


def test_today_carries_every_sale_of_the_old_release_to_its_end(market: Market) -> None:
    market.upgrade()
    told = kept().trades()
    for bot in (1, 2, 3):
        agenda = [row[0] for row in market.read("running_of_bot", bot=bot)]
        assert agenda == sorted(trade["id"] for trade in told.values() if (trade["bot"], trade["status"]) == (bot, P))

    # Those for which time must pass come last: the others would be late.
    for line in sorted(OPEN, key=lambda line: "minutes pass" in line.now):
        market.say(market.today, line.sale, *words(line.now.partition("|")[0]))
    market.assert_clean()
    market.clock.advance(LONG / SECOND)
    for line in OPEN:
        market.say(market.today, line.sale, *words(line.now.partition("|")[2]))
    assert [(line.sale.number, market.status(line.sale)) for line in OPEN] == [(line.sale.number, line.final) for line in OPEN]
    market.assert_clean()
    market.assert_money()
    assert {trade["stage"] for trade in market.table("trade")} == {"done"}
    assert market.table("live_asset") == market.table("asset_claim") == []


def test_bots_pass_from_the_workers_of_the_old_release_to_those_of_today(market: Market) -> None:
    market.upgrade()
    before = {row["bot"]: row["fence"] for row in market.table("bot_lease")}
    market.clock.advance(60)
    held = dict(market.today.ask("KeepLeases", worker="here/1/1/b")["held"])
    assert held.keys() == before.keys() == {1, 2, 3}
    (sale,) = [line.sale for line in OPEN if line.sale.number == 50]
    bot = market.trades(sale)[0].bot
    news = {"type": "IntendSend", "trade_id": sale.id}
    with pytest.raises(Refusal) as refusal:
        market.old.ask("BotNews", bot=bot, fence=before[bot], news=news)
    assert refusal.value.code == "lease_lost"
    assert market.today.ask("BotNews", bot=bot, fence=held[bot], news=news)["granted"]


SALE = ("open", "verify", "send", "made", "shown", "accepted", "exchanged", "settled")
LOOKED_FOR = ("open", "verify", "send", "answer lost", "shown", "declined")
HELD = ("open", "verify", "send", "made", "held", "accepted", "exchanged", "reversed by the seller")
HANDS = [
    # o: the old release, t: today's                                  what happens, who hears it
    ("the old opens, today goes on",                                  SALE, "ottttttt"),
    ("today opens, the old goes on, today settles",                   SALE, "toooooot"),
    ("the old opens and verifies, today goes on",                     SALE, "ootttttt"),
    ("today opens and verifies, the old goes on, today settles",      SALE, "ttooooot"),
    ("the old does it all, beside today's",                           SALE, "oooooooo"),
    ("today settles what the old did",                                SALE, "ooooooot"),
    ("each in turn, the old first",                                   SALE, "otototot"),
    ("the old sends, today looks for the offer",                      LOOKED_FOR, "ooottt"),
    ("today sends, the old looks for the offer, today hears the end", LOOKED_FOR, "tttoot"),
    ("the old hears of the exchange, today of its reversal",          HELD, "otttttot"),
    ("today hears of the exchange, the old of its reversal",          HELD, "oootttto"),
]  # fmt: skip


def test_a_sale_may_pass_from_one_release_to_the_other_and_back(market: Market) -> None:
    market.upgrade()
    sales = [Sale(100 + number, game=(CS2, TF2)[number % 2], units=1 + number % 3) for number in range(len(HANDS))]
    for step in range(len(SALE)):
        if step == SALE.index("settled"):
            market.clock.advance(LONG / SECOND)
        market.today.beat(1, 2, 3)
        for sale, (_, steps, hands) in zip(sales, HANDS, strict=True):
            assert len(steps) == len(hands)
            if step >= len(steps):
                continue
            desk = market.desk(hands[step])
            if step == 0:
                open_sale(desk, sale)
            else:
                market.say(desk, sale, steps[step])
        market.assert_clean(f"after {step + 1} steps")
        assert_seen_right(market, sales)
    ends = {SALE: COMPLETED, LOOKED_FOR: CANCELLED, HELD: BY_USER}
    assert [(story, market.status(sale)) for sale, (story, _, _) in zip(sales, HANDS, strict=True)] == [
        (story, ends[steps]) for story, steps, _ in HANDS
    ]


def assert_seen_right(market: Market, sales: list[Sale]) -> None:
    """What today's desk decides by, counted from the sales themselves."""
    trades = market.table("trade")
    stock: Counter[tuple[int, int]] = Counter()
    offers: Counter[tuple[str, int, int]] = Counter()
    for trade in trades:
        if trade["status"] in (P, A, COMPLETED):
            stock[trade["bot"], trade["game"]] += trade["items_count"]
        if trade["status"] == P:
            offers[trade["seller"], trade["bot"], trade["project"]] += 1
    assert {(bot, game): items for bot, game, items in market.read("load_stock") if items} == stock
    loads = market.reader.load("load_seller_loads", [(sale.seller,) for sale in sales])
    assert {(seller, bot, project): some + more for seller, bot, project, some, more, _, _ in loads if bot is not None} == {
        key: count for key, count in offers.items() if key[0] in {sale.seller for sale in sales}
    }
    for bot in (1, 2, 3):
        agenda = [row[0] for row in market.read("running_of_bot", bot=bot)]
        assert agenda == sorted(trade["id"] for trade in trades if (trade["bot"], trade["status"]) == (bot, P))


def refused(desk: Release, sale: Sale) -> str:
    with pytest.raises(Refusal) as refusal:
        open_sale(desk, sale, again=True)
    return refusal.value.code


def test_an_item_is_sold_once_whichever_release_opened_its_sale(market: Market) -> None:
    market.upgrade()
    market.today.beat(1, 2, 3)
    for number, desk in ((200, market.old), (201, market.today)):
        sale = Sale(number)
        open_sale(desk, sale)
        assert refused(market.today, sale) == "asset_in_trade"
    by_old = Sale(200)._replace(project=STALL)
    assert (refused(market.today, by_old), refused(market.old, by_old)) == ("asset_in_trade", "asset_in_trade")
    for line in OPEN:
        if line.sale.buyer == VIP:
            assert refused(market.today, line.sale) == "asset_in_trade", line


RELEASED = ("ooo", "oot", "oto", "ott", "tot", "ttt")
"""Who opens a sale, verifies it, and ends it without an offer."""


def test_the_items_of_a_sale_that_failed_can_be_sold_again(market: Market) -> None:
    market.upgrade()
    market.today.beat(1, 2, 3)
    for number, hands in enumerate(RELEASED):
        opens, verifies, ends = map(market.desk, hands)
        sale = Sale(300 + number)
        open_sale(opens, sale)
        market.say(verifies, sale, "verify")
        market.say(ends, sale, "withdraw")
        open_sale(market.today, sale, again=True)
    market.assert_clean()


@pytest.mark.parametrize("verifies", "ot")
def test_the_items_of_a_sale_that_the_old_release_ended_for_today_can_be_sold_again(market: Market, verifies: str) -> None:
    market.upgrade()
    market.today.beat(1, 2, 3)
    sale = Sale(310)
    open_sale(market.today, sale)
    market.say(market.desk(verifies), sale, "verify")
    market.say(market.old, sale, "withdraw")
    market.assert_clean()
    open_sale(market.today, sale, again=True)


def test_an_item_that_the_old_release_verified_for_today_is_sold_to_nobody_else(market: Market) -> None:
    market.upgrade()
    market.today.beat(1, 2, 3)
    sale = Sale(320)
    open_sale(market.today, sale)
    market.say(market.old, sale, "verify", "send", "made")
    assert refused(market.today, sale._replace(project=STALL)) == "asset_in_trade"


def test_the_old_release_goes_on_while_the_store_is_upgraded(market: Market) -> None:
    """Its process neither ends nor notices: it opens and ends sales before, during and after."""
    has_begun, is_over = threading.Event(), threading.Event()
    opened: list[Sale] = []

    def sell() -> None:
        last = 0
        while last < 3:
            last += is_over.is_set()
            sale = Sale(400 + len(opened), units=2)
            open_sale(market.old, sale)
            market.say(market.old, sale, "verify", "send", "made")
            opened.append(sale)
            if last == 0 and len(opened) > 3:
                # Or all units were reserved before it is over.
                market.say(market.old, sale, "declined")
            if len(opened) == 5:
                has_begun.set()

    market.old.beat(1, 2, 3)
    seller = threading.Thread(target=sell)
    seller.start()
    try:
        assert has_begun.wait(20)
        market.upgrade()
    finally:
        is_over.set()
        seller.join(20)
    assert not seller.is_alive()
    market.assert_clean()
    running = [*opened[:3], *opened[-3:]]
    for sale in running:
        market.say(market.today, sale, "accepted", "exchanged")
    assert [market.status(sale) for sale in opened] == [A if sale in running else CANCELLED for sale in opened]
    assert_seen_right(market, running)
    market.assert_clean()


if __name__ == "__main__":
    write_fixture()
