"""From a database URL to a store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from selldesk.store.postgres import PostgresStore
from selldesk.store.sqlite import SqliteStore
from selldesk.store.store import Store


class BadDatabaseUrl(ValueError):
    """The URL names no engine that selldesk knows, or no place."""


def open_store(url: str) -> Store:
    """`sqlite:///relative/or//absolute/path` or `postgresql://user:password@host/name`. Raises BadDatabaseUrl with one clear line."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 — raises
    except ValueError as error:
        raise BadDatabaseUrl(f"the database URL can't be read: {error}") from None
    if parts.scheme == "sqlite":
        path = unquote(parts.path)
        if parts.netloc or len(path) < 2:
            raise BadDatabaseUrl(f"{url!r} is not an SQLite URL: write sqlite:///path/to/market.db")
        return SqliteStore(Path(path[1:]))
    if parts.scheme in ("postgresql", "postgres"):
        return PostgresStore(url)
    raise BadDatabaseUrl(
        f"{shown(url)!r} is not a database URL that selldesk knows: write sqlite:///path/to/market.db or postgresql://host/name"
    )


def shown(url: str) -> str:
    """The URL without its password, for people and logs."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@", 1) if password else url
