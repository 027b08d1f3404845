"""The store: migrations, every SQL block compiles, and no look-up walks a table that grows."""

import asyncio
import contextlib
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from selldesk.desk import commands
from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import ManualClock
from selldesk.store import pgarrays
from selldesk.store.audit import run_audit
from selldesk.store.blocks import all_blocks, migrations, parse, statements
from selldesk.store.copying import CannotCopy, copy_market
from selldesk.store.open import BadDatabaseUrl, open_store, shown
from selldesk.store.sqlite import SqliteStore, render
from selldesk.store.store import StoreInUse, StoreUnavailable
from selldesk.trades.trade import Trade
from tests.little_market import LittleMarket
from tests.stores import drop_database, migrated_database, new_database, new_store, postgres_server, require_engine, use_engine

GROWING = ("trade", "trade_item", "ledger_entry", "ledger_account", "buy_order", "closed_order", "hold", "live_asset", "trade_history",
           "steam_evidence", "feed", "person", "api_key", "money_reference", "item")  # fmt: skip
MAY_SCAN = re.compile(
    r"audit_|all_items|all_people|all_live_orders|all_funds|people_page|people_count|catalog_counts|last_|held_items"
)
"""Asked at start, by an operator, or over everything on purpose."""
MAY_WALK_A_LIFE = re.compile(r"audit_|held_|may_still_come|acceptance_of_project")
"""What a bot or a buyer holds is found among all that they ever traded; a deposit near the largest balance; the newest hundred."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SqliteStore:
    store = SqliteStore(tmp_path_factory.mktemp("store") / "market.db")
    store.migrate()
    return store


@pytest.mark.parametrize("name", sorted(all_blocks()))
def test_every_block_compiles_and_finds_its_rows_by_an_index(store: SqliteStore, name: str) -> None:
    block = all_blocks()[name]
    connection = sqlite3.connect(store.path)
    if block.columns:
        plan = connection.execute("EXPLAIN QUERY PLAN " + render(block, 4), [None] * (4 * len(block.columns))).fetchall()
    else:
        parameters = dict.fromkeys(re.findall(r":(\w+)", block.sql))
        plan = connection.execute("EXPLAIN QUERY PLAN " + block.sql, parameters).fetchall()
    aliases = {
        alias or table: table for table, alias in re.findall(r"(?:FROM|JOIN|UPDATE|INTO)\s+([a-z_]+)(?:\s+([a-z])\b)?", block.sql)
    }
    scanned = {
        aliases.get(found.group(1), found.group(1)) for *_, text in plan if (found := re.match(r"SCAN (\w+)(?! USING INDEX)", text))
    }
    if not MAY_SCAN.match(name):
        assert not scanned & set(GROWING), f"{name}: {plan}"
    if not MAY_WALK_A_LIFE.match(name):
        lives = [
            text for *_, text in plan if re.search(r"USING (COVERING )?INDEX trade_by_(bot|buyer|project|kind)\w* \([^><]*\)", text)
        ]
        assert not lives, f"{name} goes through all trades that ever were: {lives}"
    connection.close()


def test_migrations_run_once_and_mark_a_new_store(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "new" / "market.db")
    assert store.is_empty()
    assert store.mark("sandbox") is None
    pending = store.pending_migrations()
    assert store.migrate({"sandbox": "1"}) == [migration.name for migration in pending]
    assert (store.migrate({"other": "2"}), store.pending_migrations()) == ([], [])
    assert (store.mark("sandbox"), store.mark("other"), store.is_empty()) == ("1", None, False)
    store.destroy()
    assert store.is_empty()


def test_every_block_compiles_on_postgresql(tmp_path: Path) -> None:
    """With no rows and with NULLs: what PostgreSQL can't type or doesn't know shows at once."""
    require_engine("postgresql")
    use_engine("postgresql")
    store = new_store(tmp_path)
    assert store.pending_migrations() == []
    writer = store.writer()
    for name, block in all_blocks().items():
        writer.begin()
        try:
            if block.columns and block.sql.startswith("SELECT"):
                writer.load(name, [(None,) * len(block.columns)])
            elif block.columns:
                with contextlib.suppress(psycopg.IntegrityError):
                    writer.write(name, [(None,) * len(block.columns)])
                    writer.fetch("current_seq")
            else:
                with contextlib.suppress(psycopg.IntegrityError):
                    writer.execute(name, **dict.fromkeys(re.findall(r":(\w+)", block.sql)))
        finally:
            writer.rollback()
    writer.close()
    store.destroy()
    assert store.is_empty()


def test_two_processes_may_migrate_at_once(tmp_path: Path, engine: str) -> None:
    url = new_database(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: open_store(url).migrate({"made_by": "a test"}), range(4)))
    assert sorted(map(len, applied)) == [0, 0, 0, len(migrations("postgres" if engine == "postgresql" else "sqlite"))]
    store = open_store(url)
    assert (store.mark("made_by"), store.mark("nothing"), store.pending_migrations()) == ("a test", None, [])


def test_the_stores_of_these_tests_are_what_migrations_leave(tmp_path: Path, engine: str) -> None:
    (tmp_path / "migrated").mkdir()
    url, ready = new_database(tmp_path / "migrated"), migrated_database(tmp_path / "ready")
    assert open_store(url).migrate()
    assert open_store(ready).pending_migrations() == []
    assert _all_of(ready, engine) == _all_of(url, engine)


def _all_of(url: str, engine: str) -> list[tuple[Any, ...]]:
    """Everything that is declared in a store, and every row."""
    if engine == "sqlite":
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        found = list(connection.iterdump())
        found += [str(connection.execute(f"PRAGMA {name}").fetchall()) for name in ("journal_mode", "page_size", "auto_vacuum")]
        connection.close()
        return [(line,) for line in found]
    with psycopg.connect(url) as server:
        ((schema,),) = server.execute("SELECT current_schema()").fetchall()
        said: list[tuple[Any, ...]] = []
        for question in DECLARED:
            said += server.execute(question).fetchall()
        for (table,) in server.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1").fetchall():
            said += [(table, *row) for row in server.execute(f"SELECT * FROM {table} ORDER BY 1".encode()).fetchall()]
    return [tuple(str(value).replace(schema, "here") for value in row) for row in said]


DECLARED = [
    "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default, collation_name"
    " FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 3",
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1",
    "SELECT viewname, definition FROM pg_views WHERE schemaname = current_schema() ORDER BY 1",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = current_schema()::regnamespace ORDER BY 1, 2",
    "SELECT tgname, tgenabled, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
    " WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal ORDER BY 3",
    "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace ORDER BY 1",
    "SELECT relname, relkind, relpersistence, reloptions FROM pg_class WHERE relnamespace = current_schema()::regnamespace ORDER BY 1",
]


def test_a_password_is_never_shown() -> None:
    assert shown("postgresql://me:secret@host/name") == "postgresql://me:***@host/name"
    assert shown("sqlite:///a/b.db") == "sqlite:///a/b.db"


def test_a_migration_is_cut_into_statements() -> None:
    sql = "-- a; comment\nCREATE TABLE a (x TEXT DEFAULT ';');\nINSERT INTO a VALUES ('b');\n-- end\n"
    assert [statement.strip().splitlines()[-1] for statement in statements(sql)] == [
        "CREATE TABLE a (x TEXT DEFAULT ';');",
        "INSERT INTO a VALUES ('b');",
    ]
    with pytest.raises(ValueError, match="within a statement"):
        list(statements("CREATE TABLE a ("))


def test_blocks_have_names_of_their_own() -> None:
    assert parse("-- name: a\n-- rows: x text, y bigint\nSELECT 1\n\n-- name: b\nSELECT 2")["a"].columns == (
        ("x", "text"),
        ("y", "bigint"),
    )
    with pytest.raises(ValueError, match="twice"):
        parse("-- name: a\nSELECT 1\n-- name: a\nSELECT 2")


@pytest.mark.parametrize("url", ["", "market.db", "sqlite:", "sqlite://", "sqlite:///", "sqlite://host/x", "mysql://x/y"])
def test_a_bad_database_url_is_one_clear_line(url: str) -> None:
    with pytest.raises(BadDatabaseUrl, match=r"^[^\n]+$"):
        open_store(url)


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:///a/b.db", "a/b.db"), ("sqlite:////a/b.db", "/a/b.db"), ("sqlite:///a%20b.db", "a b.db")]
)
def test_sqlite_urls(url: str, path: str) -> None:
    store = open_store(url)
    assert isinstance(store, SqliteStore)
    assert store.path == Path(path)


def test_the_view_of_a_trade_has_the_order_of_its_type(store: SqliteStore) -> None:
    connection = sqlite3.connect(store.path)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(sale)")]
    assert tuple(columns) == Trade.__struct_fields__
    connection.close()


def _moved(folder: Path, source_engine: str, target_engine: str) -> tuple[LittleMarket, str]:
    """A market with something in every corner, and an empty database of another engine."""
    use_engine(source_engine)
    market = LittleMarket(folder)

    async def story() -> None:
        async with market:
            worker = market.worker()
            first = market.open_trade("one")
            await market.run(worker, lambda: market.trade(first).status == "accepted")
            second = market.open_trade("two", 440)
            await market.run(worker, lambda: market.trade(second).status == "completed")
            market.open_trade("three", 440)
            market.database_url, kept = "", market.database_url
        market.database_url = kept

    asyncio.run(story())
    use_engine(target_engine)
    (folder / "target").mkdir()
    return market, new_database(folder / "target")


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgresql"), ("postgresql", "sqlite"), ("sqlite", "sqlite")])
def test_a_market_moves_to_another_engine(tmp_path: Path, source: str, target: str) -> None:
    require_engine(source)
    require_engine(target)
    market, url = _moved(tmp_path, source, target)
    later = market.clock.real_us() + 3600 * 1_000_000
    store = open_store(market.database_url)
    if store.is_local:
        with pytest.raises(CannotCopy, match="worker processes"):
            copy_market(store, open_store(url), market.clock.real_us() - 1_000_000, lambda line: None)
    running = Desk(store.writer(), market.clock, DeskSettings())
    with pytest.raises(CannotCopy, match="a market is running"):
        copy_market(store, open_store(url), later, lambda line: None)
    running.store.close()
    assert open_store(url).is_empty()
    copied = {table.name: table.rows for table in copy_market(market.store, open_store(url), later, lambda line: None)}
    assert copied["trade"] == 3
    assert copied["bot"] == 1
    here, there = market.store.reader(), open_store(url).reader()
    for block in ("current_seq", "all_funds", "all_live_orders", "all_people", "trades_by_status", "all_bot_records"):
        assert sorted(map(str, here.fetch(block))) == sorted(map(str, there.fetch(block))), block
    with pytest.raises(CannotCopy, match="not empty"):
        copy_market(market.store, open_store(url), later, lambda line: None)
    desk = Desk(open_store(url).writer(), market.clock, DeskSettings())
    desk.ask(commands.MoveMoney(operator="t", person=3, direction="deposit", amount=5, reference="after the move"))
    assert run_audit(open_store(url).reader()).violations == []
    drop_database(market.database_url)


@pytest.mark.usefixtures("engine")
def test_nobody_writes_while_a_market_is_copied(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with store.frozen() as frozen:
        assert frozen.fetch("current_seq") is not None
        with pytest.raises(StoreUnavailable):
            # SQLite refuses the connection, PostgreSQL its first transaction.
            store.writer().begin()
    writer = store.writer()
    with pytest.raises(StoreInUse), store.frozen():
        pytest.fail("somebody may write")
    writer.begin()
    assert writer.execute("take_seq")
    writer.rollback()


def test_a_full_disk_refuses_for_the_moment_and_loses_nothing(tmp_path: Path) -> None:
    """SQLite's; PostgreSQL's is a matter of its server."""
    store = new_store(tmp_path)
    writer = store.writer()
    desk = Desk(writer, ManualClock(), DeskSettings())

    def many(number: int) -> commands.Command[Any]:
        return commands.ImportItems(operator="t", game=730, items=[(f"Item {number}/{line}", None) for line in range(50)])

    connection: sqlite3.Connection = writer._connection  # type: ignore[attr-defined]
    ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    statuses = [result.answers[0].status for number in range(40) for result in desk.process([many(number)])]
    assert set(statuses) == {200, 503}
    connection.execute(f"PRAGMA max_page_count = {pages + 1_000}")
    desk.ask(many(40))
    assert len(store.reader().fetch("all_items")) == 50 * (statuses.count(200) + 1)
    assert run_audit(store.reader()).violations == []


@pytest.mark.parametrize("name", ["target_session_attrs", "application_name"])
def test_a_standby_is_not_taken_for_the_database_unless_the_url_says_so(tmp_path: Path, name: str) -> None:
    """A server that takes no changes, as a standby does: the market does not settle down on it."""
    require_engine("postgresql")
    use_engine("postgresql")
    url = new_database(tmp_path)
    reads_only = f"{url}%20-cdefault_transaction_read_only%3Don&{name}=any"
    store = open_store(reads_only)
    if name == "target_session_attrs":
        assert store.reader().query("SELECT 1", {}) == [(1,)]
    else:
        with pytest.raises(StoreUnavailable, match="read-only"):
            store.reader().query("SELECT 1", {})
    drop_database(url)


ARRAYS = [
    # kind      a column's values
    ("bigint", [0, 1, -1, 2**63 - 1, -(2**63)]),
    ("bigint", [None, 10**15, None]),
    ("text", ["", "a", "★ Karambit | Doppler", "\U0001f600"]),
    ("text", ["x", None]),
]


@pytest.mark.parametrize(("kind", "values"), ARRAYS)
def test_our_arrays_are_what_postgresql_reads(kind: str, values: list[object]) -> None:
    require_engine("postgresql")
    server = postgres_server()
    assert server is not None
    with psycopg.connect(server) as connection:
        pgarrays.register(connection.adapters)
        column = pgarrays.BY_KIND[kind](values)
        assert connection.execute("SELECT %b", [column]).fetchall() == [(values,)]


def test_a_text_with_nul_is_refused_before_it_is_sent() -> None:
    require_engine("postgresql")
    server = postgres_server()
    assert server is not None
    with psycopg.connect(server) as connection:
        pgarrays.register(connection.adapters)
        with pytest.raises(psycopg.DataError, match="NUL"):
            connection.execute("SELECT %b", [pgarrays.TextArray(["a\0b"])])
