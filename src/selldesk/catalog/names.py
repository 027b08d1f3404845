"""The catalog in memory: market_hash_name ↔ item number. Item numbers are unique over all games and never change."""

import csv
import io
from collections.abc import Iterable

from selldesk.kernel.limits import NAME_CHARS_MAX, PRICE_MAX
from selldesk.kernel.money import parse_amount


class Catalog:
    """All item names by game, followed from the store. Reading is a dict look-up; names compare exactly."""

    def __init__(self) -> None:
        self._numbers: dict[int, dict[str, int]] = {}
        self._names: dict[int, str] = {}

    def add(self, rows: Iterable[tuple[int, int, str]]) -> None:
        """Rows of (item number, game, name)."""
        for number, game_id, name in rows:
            self._numbers.setdefault(game_id, {})[name] = number
            self._names[number] = name

    def game(self, game_id: int) -> dict[str, int]:
        """name → item number for one game (empty for an unknown one). Not to be changed by the caller."""
        return self._numbers.get(game_id, {})

    def name(self, number: int) -> str:
        return self._names[number]

    def count(self, game_id: int) -> int:
        return len(self._numbers.get(game_id, {}))


class CatalogFault(ValueError):
    """A catalog file that can't be read; the message names the line."""


def acceptable_name(name: str) -> bool:
    """Not empty, not longer than the bound, no control characters, no stray blanks at the ends."""
    return 0 < len(name) <= NAME_CHARS_MAX and name.strip() == name and name.isprintable()


def parse_csv(text: str) -> list[tuple[str, int | None]]:
    """`market_hash_name[,price]` with a header line; price in mills or empty. Raises CatalogFault."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    header = next(reader, None)
    if header is None or header[0].strip() != "market_hash_name" or len(header) > 2:
        raise CatalogFault("line 1: expected the header market_hash_name[,price]")
    rows: dict[str, int | None] = {}
    for line_number, line in enumerate(reader, start=2):
        if not line or line == [""]:
            continue
        if not acceptable_name(line[0]):
            raise CatalogFault(f"line {line_number}: {line[0]!r} is not an item name")
        if len(line) > 2:
            raise CatalogFault(f"line {line_number}: expected a name and at most one price")
        try:
            price = parse_amount(line[1]) if len(line) > 1 and line[1] else None
        except ValueError as error:
            raise CatalogFault(f"line {line_number}: {error}") from None
        if price is not None and price > PRICE_MAX:
            raise CatalogFault(f"line {line_number}: price above {PRICE_MAX}")
        rows[line[0]] = price
    return list(rows.items())
