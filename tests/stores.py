"""The engines that tests run on. SQLite is always there; PostgreSQL where a server answers or its programs are installed."""

import atexit
import gc
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
import weakref
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from selldesk.kernel.secretbox import SEAL_FORMAT, SEAL_MARK
from selldesk.store.blocks import migrations, statements
from selldesk.store.open import open_store
from selldesk.store.postgres import ddl
from selldesk.store.sqlite import SqliteStore
from selldesk.store.store import Store

ENGINES = ("sqlite", "postgresql")
_KNOWN_SERVERS = ("postgresql://127.0.0.1/test", "postgresql://postgres@127.0.0.1/postgres")
_engine = "sqlite"


def use_engine(name: str) -> None:
    """What `new_database` makes from now on, in this test process."""
    global _engine
    _engine = name


def require_engine(name: str) -> None:
    """Skips the test, with the reason, where this machine can't give it a PostgreSQL."""
    if name == "postgresql" and postgres_server() is None:
        pytest.skip("no PostgreSQL 15 or newer answers, and its programs are not installed")


def new_database(folder: Path) -> str:
    """A URL of an empty store: a file in the folder, or a schema of its own that goes away with the test process."""
    if _engine == "sqlite":
        return f"sqlite:///{folder / 'market.db'}"
    return _new_schema("")


def migrated_database(folder: Path) -> str:
    """The same with its schema up to date, as `migrate` leaves it, at a fraction of the cost."""
    if _engine == "sqlite":
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "market.db").write_bytes(_migrated_file())
        return f"sqlite:///{folder / 'market.db'}"
    return _new_schema(f"{_migrations_at_once()};{_REMEMBER}")


def lend_database(folder: Path) -> str:
    """As `migrated_database`, for markets that give it back (`take_back`): making the tables takes PostgreSQL longer than most stories do,
    so it is emptied and lent again."""
    return _emptied.pop() if _engine == "postgresql" and _emptied else migrated_database(folder)


def take_back(url: str) -> None:
    schema = _schema_in(url)
    if not schema:
        return
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_EMPTY)
        _emptied.append(url)
    except psycopg.Error:
        # Not allowed to us, too much in it, or somebody still has it.
        drop_database(url)


_emptied: list[str] = []
_EMPTY = """
SET lock_timeout = '1s';
SET session_replication_role = replica;
DO $$
DECLARE one text; gone bigint; seeds json; seed record;
BEGIN
    SELECT json_agg(json_build_object('name', c.relname, 'rows', obj_description(c.oid)::json)) INTO seeds
    FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relname IN ('market', 'mark');
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'migration' LOOP
        EXECUTE format('DELETE FROM %I', one);
        GET DIAGNOSTICS gone = ROW_COUNT;
        IF gone > 5000 THEN RAISE EXCEPTION '% has % rows', one, gone; END IF;
    END LOOP;
    FOR seed IN SELECT * FROM json_to_recordset(seeds) AS s(name text, rows json) LOOP
        EXECUTE format('INSERT INTO %I SELECT * FROM json_populate_recordset(NULL::%I, $1)', seed.name, seed.name) USING seed.rows;
    END LOOP;
END $$
"""
"""The first rows of the two tables that begin with some are kept as comments on them (`_REMEMBER`)."""
_REMEMBER = """
DO $$
DECLARE one text; rows json;
BEGIN
    FOREACH one IN ARRAY ARRAY['market', 'mark'] LOOP
        EXECUTE format('SELECT json_agg(t) FROM %I t', one) INTO rows;
        EXECUTE format('COMMENT ON TABLE %I IS %L', one, rows::text);
    END LOOP;
END $$
"""


def _schema_in(url: str) -> str:
    return url.partition("?options=-csearch_path%3D")[2].partition("%20")[0]


_CONNECTIONS_KEPT = 8
_connections: weakref.WeakSet[psycopg.Connection[Any]] = weakref.WeakSet()
_connect = psycopg.connect


def _connect_counted(*arguments: Any, **options: Any) -> psycopg.Connection[Any]:
    connection = _connect(*arguments, **options)
    _connections.add(connection)
    return connection


psycopg.connect = _connect_counted


def give_connections_back() -> None:
    """A market that a test let go of is garbage in circles, and its connections stand until that is collected: a server has but a hundred
    for all test processes together."""
    if sum(not connection.closed for connection in _connections) > _CONNECTIONS_KEPT:
        gc.collect()


def drop_database(url: str) -> None:
    """Gives a schema back early: hundreds of small markets would fill a server. In a database of our own they may wait for its end."""
    schema = _schema_in(url)
    if schema in _lodgers:
        _drop(f"SCHEMA IF EXISTS {schema} CASCADE")
        _lodgers.remove(schema)


def new_store(folder: Path) -> Store:
    """An empty store of the engine in use, its schema up to date. A locked SQLite gives up quickly."""
    url = migrated_database(folder)
    return SqliteStore(folder / "market.db", busy_seconds=0.2) if _engine == "sqlite" else open_store(url)


_lodgers: set[str] = set()
"""Schemas in a database that is not ours."""


def _new_schema(content: str) -> str:
    server, schema = _own_database(), f"t{uuid.uuid4().hex[:16]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}; SET search_path = {schema}; {content}".encode())
    if server == postgres_server():
        _lodgers.add(schema)
        atexit.register(_drop, f"SCHEMA IF EXISTS {schema} CASCADE")
    # Nobody pulls the server's plug in these tests: commits need not wait for its disk.
    return f"{server}?options=-csearch_path%3D{schema}%20-csynchronous_commit%3Doff"


@cache
def _migrated_file() -> bytes:
    """SQLite's file as the migrations leave it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "market.db")
        SqliteStore(path).migrate()
        assert [file.name for file in Path(folder).iterdir()] == [path.name], "all of it is in one file"
        return path.read_bytes()


@cache
def _migrations_at_once() -> str:
    """All that `migrate` says to an empty PostgreSQL, in one message. What it leaves is compared in tests/store/test_store.py."""
    said = ["CREATE TABLE migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL)"]
    for one in migrations("postgres"):
        said += map(ddl, statements(one.sql) if one.is_for_all else [one.sql])
        said.append(f"INSERT INTO migration (number, name) VALUES ({one.number}, '{one.name}')")
        if one.number == 1:
            said.append(f"INSERT INTO mark (name, value) VALUES ('{SEAL_MARK}', '{SEAL_FORMAT}')")
    return ";\n".join(said)


@cache
def _own_database() -> str:
    """A database of this test process's own, which goes away whole: dropping hundreds of schemas takes long, and the bells that its
    markets ring are heard in no other. On a server that lets us make none, the one that was named."""
    server = postgres_server()
    assert server is not None
    name = f"selldesk_test_{uuid.uuid4().hex[:16]}"
    try:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    except psycopg.errors.InsufficientPrivilege:
        return server
    atexit.register(_drop, f"DATABASE IF EXISTS {name} WITH (FORCE)")
    return urlsplit(server)._replace(path=f"/{name}").geturl()


@cache
def postgres_server() -> str | None:
    """A server that answers: SELLDESK_TEST_POSTGRES, a local one, or one of our own from installed programs."""
    candidates = [os.environ["SELLDESK_TEST_POSTGRES"]] if "SELLDESK_TEST_POSTGRES" in os.environ else list(_KNOWN_SERVERS)
    for url in candidates:
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=2) as connection:
                version = connection.info.server_version
                connection.execute("CREATE SCHEMA selldesk_probe; DROP SCHEMA selldesk_probe")
            if version >= 150_000:
                return url
        except psycopg.Error:
            continue
    return _own_server()


def _own_server() -> str | None:
    """A throw-away cluster on a socket in a temporary folder. PostgreSQL refuses to run as root: then as `postgres` or `nobody`."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    found = shutil.which("initdb")
    home = Path(programs[-1]) if programs else Path(found).parent if found else None
    if home is None or not (home / "initdb").exists():
        return None
    folder = Path(tempfile.mkdtemp(prefix="selldesk-pg-"))
    user = pwd.getpwuid(os.getuid()).pw_name
    as_user: list[str] = []
    if os.getuid() == 0:
        user = next((name for name in ("postgres", "nobody") if _exists(name)), "")
        if not user or shutil.which("runuser") is None:
            return None
        shutil.chown(folder, user)
        as_user = ["runuser", "-u", user, "--"]
    data = folder / "data"
    subprocess.run(
        [*as_user, home / "initdb", "-D", data, "-A", "trust", "-U", "tests", "-E", "UTF8"], check=True, capture_output=True
    )
    options = f"-k {folder} -c listen_addresses= -c fsync=off"
    subprocess.run(
        [*as_user, home / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log", "start"], check=True, capture_output=True
    )

    def stop() -> None:
        subprocess.run([*as_user, home / "pg_ctl", "-D", data, "-m", "immediate", "stop"], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    return f"postgresql://tests@{str(folder).replace('/', '%2F')}/postgres"


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _drop(what: str) -> None:
    server = postgres_server()
    assert server is not None
    try:
        with psycopg.connect(server, autocommit=True, connect_timeout=2) as connection:
            connection.execute(f"DROP {what}".encode())
    except psycopg.Error:
        return
