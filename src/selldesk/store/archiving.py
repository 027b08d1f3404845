"""Moves what only an investigation needs of old, finished trades out of the store into files: their steps and Steam's raw words.

The rule (docs/operating.md): the trade itself, its items, its hold and its ledger entries stay for good, so that every id stays taken,
and lists, look-ups, sums and the audit answer as before. What moves is written, synced and read back before anything is deleted.
"""

import fcntl
import gzip
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from selldesk.store.store import Row, Store, Writer

PORTION = 2_000
"""Trades a file and a transaction."""


class Archived(NamedTuple):
    trades: int
    files: list[Path]


class CannotArchive(Exception):
    """One clear line. Nothing was deleted that is not in a file."""


def archive(store: Store, folder: Path, before_us: int, tell: Callable[[str], None]) -> Archived:
    """Every finished trade whose last change lies before that moment. Raises CannotArchive. May be broken off and run again."""
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        return _archive(store, folder, before_us, tell)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One run at a time: a second one would read the steps that the first is about to delete, and write a file without them."""
    with open(folder / ".lock", "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotArchive(f"another run is archiving into {folder}: let it end first") from None
        yield


def _archive(store: Store, folder: Path, before_us: int, tell: Callable[[str], None]) -> Archived:
    reader, writer = store.reader(), store.writer()
    files: list[Path] = []
    count, created_at, last_id = 0, -1, ""
    try:
        while True:
            with reader.snapshot():
                found = reader.fetch("finished_trades", before=before_us, created_at=created_at, id=last_id, most=PORTION)
                if not found:
                    return Archived(count, files)
                created_at, last_id = found[-1][1], found[-1][0]
                keys = [(row[0],) for row in found]
                trades, items, steps, words = reader.load_all(
                    [(block, keys) for block in ("trades_to_archive", "load_trade_items", "steps_of_trades", "words_of_trades")]
                )
            path = _free_name(folder, f"trades-{found[0][0]}")
            _write(path, list(_lines(trades, items, steps, words)))
            try:
                _forget(writer, keys, steps, words, path.name)
            except CannotArchive:
                path.unlink()
                raise
            files.append(path)
            count += len(found)
            tell(f"{path.name}: {len(found)} trades, {len(steps)} steps, {len(words)} words of Steam")
    finally:
        reader.close()
        writer.close()


def _free_name(folder: Path, stem: str) -> Path:
    """No file is ever replaced: one of this name may be the only place where its steps stand."""
    path = folder / f"{stem}.jsonl.gz"
    for number in itertools.count(2):
        if not path.exists():
            return path
        path = folder / f"{stem}-{number}.jsonl.gz"
    raise AssertionError("there are always more numbers")


def _lines(trades: list[Row], items: list[Row], steps: list[Row], words: list[Row]) -> Iterator[dict[str, Any]]:
    """One object a trade: its row in the order of the view whole_trade, its items, steps and Steam's words."""
    lines = {trade[0]: {"trade": list(trade), "items": [], "steps": [], "steam": []} for trade in trades}
    for name, rows in (("items", items), ("steps", steps), ("steam", words)):
        for row in rows:
            lines[row[0]][name].append(list(row[1:]))
    yield from lines.values()


def _write(path: Path, lines: list[dict[str, Any]]) -> None:
    """Whole or not at all; read back before it counts. Raises CannotArchive."""
    body = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode()
    temporary = path.with_name(path.name + ".new")
    with open(temporary, "wb") as file:
        file.write(gzip.compress(body, mtime=0))
        file.flush()
        os.fsync(file.fileno())
    if hashlib.sha256(gzip.decompress(temporary.read_bytes())).digest() != hashlib.sha256(body).digest():
        raise CannotArchive(f"{temporary} reads differently from what was written")
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _forget(writer: Writer, keys: list[Row], steps: list[Row], words: list[Row], file: str) -> None:
    """Exactly what was read: what is noted about an archived trade later stays here."""
    last_word: dict[str, int] = {}
    for trade_id, at, *_ in words:
        last_word[trade_id] = max(at, last_word.get(trade_id, 0))
    writer.begin()
    try:
        if writer.load("archived_of", keys):
            raise CannotArchive(
                "another run, into another folder, has archived the same trades meanwhile: nothing was deleted by this one"
            )
        writer.write("drop_steps", [(row[0], row[1]) for row in steps])
        writer.write("drop_words", sorted(last_word.items()))
        writer.write("add_archived", [(trade_id, file) for (trade_id,) in keys])
        writer.commit()
    except BaseException:
        writer.rollback()
        raise
