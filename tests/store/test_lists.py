"""Lists at every filter and order, against a slow twin that reads everything; and stores that grow up while they are in use."""

import gzip
import itertools
import json
import random
import sqlite3
import threading
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from bench import history

from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import SystemClock
from selldesk.people.roles import Role, pack_roles
from selldesk.store import archiving
from selldesk.store.archiving import CannotArchive, archive
from selldesk.store.audit import run_audit
from selldesk.store.blocks import Migration, all_blocks, migrations, statements
from selldesk.store.lists import SORT_FIELDS, TradeFilter, list_trades
from selldesk.store.open import open_store
from selldesk.store.postgres import ddl
from selldesk.store.store import Reader, Store
from selldesk.trades.status import Status
from selldesk.trades.trade import Trade
from tests.stores import new_database

pytestmark = pytest.mark.usefixtures("engine")
TRADES = 700
SIZE = history.Size(trades=TRADES, buyers=7, orders=40, items=40, bots=3)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    url = new_database(tmp_path)
    store = open_store(url)
    store.migrate()
    history.fill(store, url, SIZE)
    return store


def slowly(trades: list[Trade], wanted: TradeFilter) -> tuple[list[str], int]:
    """The same answer, by looking at every trade."""
    steam_ids = wanted.steam_trade_ids or []
    found = [
        trade
        for trade in trades
        if (wanted.project is None or trade.project == wanted.project)
        and (wanted.buyer is None or trade.buyer == wanted.buyer)
        and (wanted.game is None or trade.game == wanted.game)
        and (wanted.statuses is None or trade.status in wanted.statuses)
        and (wanted.date_from is None or trade.created_at >= wanted.date_from)
        and (wanted.date_to is None or trade.created_at < wanted.date_to)
        and (wanted.updated_from is None or trade.updated_at >= wanted.updated_from)
        and (wanted.price_min is None or trade.value >= wanted.price_min)
        and (wanted.price_max is None or trade.value <= wanted.price_max)
        and (wanted.custom_id is None or wanted.custom_id.casefold() in trade.custom_id.casefold())
        and (wanted.custom_ids is None or trade.custom_id in wanted.custom_ids)
        and (
            wanted.steam_trade_ids is None
            or trade.steam_trade_id in steam_ids
            or f"{trade.steam_trade_id}_{trade.seller}" in steam_ids
        )
    ]
    key = {
        "created_at": "created_at",
        "updated_at": "updated_at",
        "purchase_price": "value",
        "status": "status",
        "custom_id": "custom_id",
    }
    found.sort(key=lambda trade: (getattr(trade, key[wanted.sort_by]), trade.id), reverse=wanted.descending)
    return [trade.id for trade in found[wanted.offset : wanted.offset + wanted.limit]], len(found)


def _all(reader: Reader) -> list[Trade]:
    ids = [(row[0],) for row in reader.query("SELECT id FROM trade", {})]
    return reader.load_as(Trade, "load_trades", ids)


def test_every_list_answers_as_its_slow_twin(store: Store) -> None:
    reader = store.reader()
    trades = _all(reader)
    chance = random.Random(1)
    middle = sorted(trade.created_at for trade in trades)[TRADES // 2]
    filters: list[dict[str, Any]] = [
        {},
        {"game": 730},
        {"statuses": ["completed"]},
        {"statuses": ["error", "declined", "error"]},
        {"game": 730, "statuses": [status.value for status in Status]},
        {"game": 1, "statuses": ["completed"]},
        {"date_from": middle},
        {"date_to": middle, "statuses": ["completed"]},
        {"updated_from": middle, "price_max": 4_000},
        {"price_min": 3_000},
        {"custom_id": "ORDER-1"},
        {"custom_id": "r-69"},
        {"custom_id": "%"},
        {"custom_id": "_"},
        {"custom_id": "!"},
        {"custom_id": "nobody's"},
        {"custom_ids": ["Order-5", "order-6", "Order-700", "x"]},
        {"steam_trade_ids": ["9000000044", "9000000045_76561197960265728", "x_y"]},
    ]
    owners: list[dict[str, int]] = [
        {},
        {"project": 1},
        {"project": 5},
        {"buyer": history.PROJECTS + 1},
        {"project": 2, "buyer": history.PROJECTS + 2},
    ]
    for owner, asked, sort_by in itertools.product(owners, filters, SORT_FIELDS):
        page: dict[str, Any] = {
            "descending": chance.random() < 0.5,
            "limit": chance.choice([0, 3, 50]),
            "offset": chance.choice([0, 2, 40]),
        }
        wanted = TradeFilter(**cast(Any, owner | asked), sort_by=sort_by, **page)
        rows, total = list_trades(reader, wanted)
        assert ([row[0] for row in rows], total) == slowly(trades, wanted), wanted


def test_totals_follow_each_sale(store: Store) -> None:
    """What the lists count on is kept with every change, and the audit says so."""
    desk = Desk(store.writer(), SystemClock(), DeskSettings())
    reader = store.reader()
    trade = next(trade for trade in _all(reader) if trade.status == "accepted")
    totals = {
        status: list_trades(reader, TradeFilter(buyer=trade.buyer, statuses=[status]))[1] for status in ("accepted", "completed")
    }
    entries = reader.fetch("wallet_entries_count", account=trade.project * 4)[0][0]
    desk.ask(
        commands.OperateTrade(trade_id=trade.id, operator="op", action="declare-completed", reason="test", by=None, force=True)
    )
    assert {
        status: list_trades(reader, TradeFilter(buyer=trade.buyer, statuses=[status]))[1] for status in ("accepted", "completed")
    } == {"accepted": totals["accepted"] - 1, "completed": totals["completed"] + 1}
    assert reader.fetch("wallet_entries_count", account=trade.project * 4)[0][0] == entries + 1
    assert run_audit(reader).violations == []


def test_old_trades_leave_their_steps_to_files_and_answer_as_before(store: Store, tmp_path: Path) -> None:
    reader = store.reader()
    trades = _all(reader)
    middle = sorted(trade.updated_at for trade in trades)[TRADES // 2]
    old = {trade.id for trade in trades if trade.stage == "done" and trade.updated_at < middle and trade.created_at < middle}
    steps = {(trade_id, *row) for trade_id in old for row in reader.fetch("history_of", trade_id=trade_id)}
    lists = [list_trades(reader, TradeFilter(project=project, limit=2_000)) for project in range(1, history.PROJECTS + 1)]

    done = archive(store, tmp_path / "archive", middle, lambda text: None)
    assert (done.trades, len(done.files)) == (len(old), 1)
    lines = [json.loads(line) for path in done.files for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert {line["trade"][0] for line in lines} == old
    assert {(line["trade"][0], status, at, note) for line in lines for _, status, at, note in line["steps"]} == steps
    assert sum(len(line["steam"]) for line in lines) == sum(trade.steam_trade_id is not None for trade in trades if trade.id in old)
    assert all(line["items"] for line in lines)

    one = next(iter(old))
    assert [row[2] for row in reader.fetch("history_of", trade_id=one)] == [
        f"The steps until here are archived in {done.files[0].name}"
    ]
    assert reader.fetch("evidence_of", trade_id=one) == []
    assert lists == [list_trades(reader, TradeFilter(project=project, limit=2_000)) for project in range(1, history.PROJECTS + 1)]
    assert run_audit(reader).violations == []
    assert archive(store, tmp_path / "archive", middle, lambda text: None).trades == 0, "a second run finds nothing"
    kept = next(trade for trade in trades if trade.id not in old)
    assert len(reader.fetch("history_of", trade_id=kept.id)) == kept.version


def test_an_archive_that_was_broken_off_between_file_and_deletion_goes_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = sorted(trade.updated_at for trade in _all(store.reader()))
    middle = moments[len(moments) // 2]
    with monkeypatch.context() as patched:
        patched.setattr("selldesk.store.archiving._forget", _power_fails)
        with pytest.raises(KeyboardInterrupt):
            archive(store, tmp_path / "archive", middle, lambda text: None)
    later = moments[len(moments) * 3 // 4]
    done = archive(store, tmp_path / "archive", later, lambda text: None)
    lines = [json.loads(line) for path in done.files for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert len({line["trade"][0] for line in lines}) == done.trades
    (first,) = done.files
    files = sorted((tmp_path / "archive").glob("*.gz"))
    assert first in files, "what the broken run has left is never replaced"
    assert len(files) == 2
    assert run_audit(store.reader()).violations == []


def test_two_archives_at_once_lose_no_step(store: Store, tmp_path: Path) -> None:
    """A slow cron: the second run finds the first at work. Into the same folder it does not begin; into another it deletes nothing."""
    everything = max(trade.updated_at for trade in _all(store.reader())) + 1
    finished = [trade for trade in _all(store.reader()) if trade.stage == "done"]
    met: list[str] = []

    class Slow:
        """A store whose reader is overtaken by another run, right after it was told what to archive."""

        def __init__(self, folder: Path) -> None:
            self.folder: Path | None = folder

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def reader(self) -> Any:
            inner, outer = store.reader(), self

            class Overtaken:
                def __getattr__(self, name: str) -> Any:
                    return getattr(inner, name)

                def load_all(self, wanted: Any) -> Any:
                    folder, outer.folder = outer.folder, None
                    if folder is not None:
                        try:
                            archive(store, folder, everything, lambda text: None)
                        except CannotArchive as refused:
                            met.append(str(refused))
                    return inner.load_all(wanted)

            return Overtaken()

    archive(Slow(tmp_path / "same"), tmp_path / "same", everything, lambda text: None)
    assert ["another run is archiving" in text for text in met] == [True]
    lines = [
        json.loads(line) for path in (tmp_path / "same").glob("*.gz") for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    assert {line["trade"][0]: len(line["steps"]) for line in lines} == {trade.id: trade.version for trade in finished}
    assert run_audit(store.reader()).violations == []


def test_two_archives_into_different_folders_lose_no_step(store: Store, tmp_path: Path) -> None:
    everything = max(trade.updated_at for trade in _all(store.reader())) + 1
    finished = [trade for trade in _all(store.reader()) if trade.stage == "done"]
    one, other = tmp_path / "one", tmp_path / "other"
    real_forget = archiving._forget

    def overtaken(*arguments: Any) -> None:
        archiving._forget = real_forget
        archive(store, other, everything, lambda text: None)
        real_forget(*arguments)

    archiving._forget = overtaken  # type: ignore[assignment]
    try:
        with pytest.raises(CannotArchive, match="nothing was deleted by this one"):
            archive(store, one, everything, lambda text: None)
    finally:
        archiving._forget = real_forget
    assert list(one.glob("*.gz")) == []
    lines = [json.loads(line) for path in other.glob("*.gz") for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert {line["trade"][0]: len(line["steps"]) for line in lines} == {trade.id: trade.version for trade in finished}


def _power_fails(*_: object) -> None:
    raise KeyboardInterrupt


STEP = [
    ("running_of_bot", {}),
    ("settling_of_bot", {"most": 10}),
    ("has_unsettled", {}),
    ("standing_of_bot", {}),
    ("waiting_of_bot", {}),
    ("open_stop", {}),
    ("trades_of_offer", {"offer_id": "1", "steam_trade_id": "", "tag": "#00000000/1"}),
]
"""What a bot asks at every step, or nearly."""


def test_what_bots_ask_at_each_step_does_not_cost_more_with_a_longer_past(tmp_path: Path, engine: str) -> None:
    """Rows that PostgreSQL looks at for it, and instructions that SQLite runs, with 500 trades a bot and with 4,000."""

    def cost(trades: int) -> dict[str, int]:
        url = new_database(tmp_path / str(trades))
        store = open_store(url)
        store.migrate()
        history.fill(store, url, history.Size(trades=trades, buyers=7, orders=40, items=40, bots=3))
        return {name: _looked_at(store, engine, name, {"bot": 1} | cast(Any, more)) for name, more in STEP}

    for folder in ("1500", "12000"):
        (tmp_path / folder).mkdir()
    short, long = cost(1_500), cost(12_000)
    assert {name: (short[name], long[name]) for name in short if long[name] > 2 * short[name] + 50} == {}


def _looked_at(store: Store, engine: str, name: str, parameters: dict[str, Any]) -> int:
    block = all_blocks()[name]
    if engine == "sqlite":
        connection = sqlite3.connect(store.path)  # type: ignore[attr-defined]
        steps = itertools.count()
        connection.set_progress_handler(lambda: next(steps) and None, 1)
        connection.execute(block.sql, parameters).fetchall()
        connection.close()
        return next(steps)
    ((plan,),) = store.reader().query(f"EXPLAIN (ANALYZE, FORMAT JSON) {block.sql}", parameters)
    return _rows_of(plan[0]["Plan"])


def _rows_of(node: dict[str, Any]) -> int:
    removed = sum(node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck", "Join Filter"))
    mine = int((node["Actual Rows"] + removed) * node["Actual Loops"])
    return mine + sum(_rows_of(child) for child in node.get("Plans", []))


def test_a_store_grows_up_while_an_older_version_goes_on_writing(tmp_path: Path, engine: str) -> None:
    """An old version's schema, and a desk that has written, writes while the rest is applied, and writes after: the sums are right."""
    url = new_database(tmp_path)
    _version_of(url, engine, _first_migrations(engine))
    store = open_store(url)
    desk = Desk(store.writer(), SystemClock(), DeskSettings())
    desk.ask(
        commands.CreatePerson(
            operator="t",
            id="01900000-0000-7000-8000-000000000001",
            login="vip",
            roles=pack_roles([Role.BUYER]),
            steamid64="7656",
        )
    )
    begun, migrated, deposits = threading.Event(), threading.Event(), []

    def older_version() -> None:
        writer = Desk(store.writer(), SystemClock(), DeskSettings())
        for number in itertools.count():
            last = migrated.is_set()
            (result,) = writer.process(
                [commands.MoveMoney(operator="t", person=1, direction="deposit", amount=10, reference=f"d{number}")]
            )
            deposits.append(result.answers[0].value is not None)
            begun.set()
            if last:
                return

    writing = threading.Thread(target=older_version)
    writing.start()
    try:
        assert begun.wait(30)
        assert store.migrate() == [one.name for one in migrations(_name(engine)) if one not in _first_migrations(engine)]
    finally:
        migrated.set()
        writing.join()
    reader = store.reader()
    assert deposits[0], "before the first change of the schema"
    assert deposits[-1], "begun when the last change was there"
    assert reader.fetch("wallet_entries_count", account=4)[0][0] == sum(deposits)
    assert run_audit(reader).violations == []
    assert store.pending_migrations() == []


def test_a_past_with_running_sales_is_counted_once_by_each_version(tmp_path: Path, engine: str) -> None:
    """Figures that an older version's triggers counted as sales were opened, and later ones count when they end."""
    url = new_database(tmp_path)
    _version_of(url, engine, [one for one in migrations(_name(engine)) if one.number <= 15 or one.name == "020_events.sql"])
    store = open_store(url)
    history.fill(store, url, SIZE)
    reader = store.reader()
    assert reader.query("SELECT count(*) FROM trade WHERE status = 'processing'", {})[0][0] > 0
    before = sorted(reader.query("SELECT seller, sum(opened), max(last_at) FROM seller_day GROUP BY seller", {}))
    store.migrate()
    after = sorted(reader.query("SELECT seller, sum(opened), max(last_at) FROM seller_figures GROUP BY seller", {}))
    assert after == before
    found = {check["name"]: check["rows"] for check in run_audit(store.reader()).checks}
    assert (found["seller_days_match_trades"], found["bot_loads"]) == (0, 0)


def _name(engine: str) -> str:
    return "sqlite" if engine == "sqlite" else "postgres"


def _first_migrations(engine: str) -> list[Migration]:
    """Those of the first version. It is played by today's desk, which must find the tables that it writes itself."""
    of_the_desk = {"010_batch_stamps.sql", "011_order_lists.sql", "020_events.sql"}
    return [one for one in migrations(_name(engine)) if one.number <= 3 or one.name in of_the_desk]


def _version_of(url: str, engine: str, first: list[Migration]) -> None:
    texts = ["CREATE TABLE migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL)"]
    for migration in first:
        # What is written for PostgreSQL alone has bodies of functions, which only the server cuts.
        texts += list(statements(migration.sql)) if migration.is_for_all or engine == "sqlite" else [migration.sql]
    texts += [f"INSERT INTO migration (number, name) VALUES ({migration.number}, '{migration.name}')" for migration in first]
    if engine == "sqlite":
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("PRAGMA journal_mode = WAL")
        for text in texts:
            connection.execute(text)
        connection.commit()
        connection.close()
        return
    with psycopg.connect(url) as server:
        for text in texts:
            server.execute(ddl(text).encode())
