"""Where the simulated world lives between runs: one SQLite file of JSON entities, committed before each answer."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path


class Journal:
    """Entities by (kind, id). NORMAL synchronisation: a killed process loses nothing, only a power cut could."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS entity (kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, id))"
        )

    def read(self, kind: str) -> Iterator[tuple[str, bytes]]:
        yield from self._connection.execute("SELECT id, body FROM entity WHERE kind = ? ORDER BY length(id), id", (kind,))

    def write(self, changed: list[tuple[str, str, bytes | None]]) -> None:
        """One transaction; a body of None removes the entity."""
        if not changed:
            return
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        for kind, entity_id, body in changed:
            if body is None:
                connection.execute("DELETE FROM entity WHERE kind = ? AND id = ?", (kind, entity_id))
            else:
                connection.execute("INSERT OR REPLACE INTO entity (kind, id, body) VALUES (?, ?, ?)", (kind, entity_id, body))
        connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()
