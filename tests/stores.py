"""The engines that tests run on. SQLite is always there; PostgreSQL where a server answers or its programs are installed."""

import atexit
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from functools import cache
from pathlib import Path

import psycopg
import pytest

from selldesk.store.open import open_store
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
    server = postgres_server()
    assert server is not None
    schema = f"t{uuid.uuid4().hex[:16]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    atexit.register(_drop, server, schema)
    # Nobody pulls the server's plug in these tests: commits need not wait for its disk.
    return f"{server}?options=-csearch_path%3D{schema}%20-csynchronous_commit%3Doff"


def drop_database(url: str) -> None:
    """Gives a schema back early: hundreds of small markets would fill a server."""
    server, _, options = url.partition("?options=-csearch_path%3D")
    if options:
        _drop(server, options.partition("%20")[0])


def new_store(folder: Path) -> Store:
    """An empty store of the engine in use, its schema up to date. A locked SQLite gives up quickly."""
    store = SqliteStore(folder / "market.db", busy_seconds=0.2) if _engine == "sqlite" else open_store(new_database(folder))
    store.migrate()
    return store


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


def _drop(server: str, schema: str) -> None:
    try:
        with psycopg.connect(server, autocommit=True, connect_timeout=2) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    except psycopg.Error:
        return
