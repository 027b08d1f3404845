"""The catalog that ships with selldesk: some hundreds of real item names per game, for the sandbox and the simulator."""

from importlib import resources

from selldesk.catalog.games import GAMES
from selldesk.catalog.names import parse_csv


def shipped_catalog() -> dict[int, list[tuple[str, int | None]]]:
    """game → (name, reference price in mills or None), in the order of the files."""
    folder = resources.files("selldesk.catalog").joinpath("data")
    return {game: parse_csv(folder.joinpath(f"{game}.csv").read_text(encoding="utf-8")) for game in GAMES}
