"""The catalog that ships with selldesk: some hundreds of real item names per game, for the sandbox and the simulator."""

from importlib import resources

from selldesk.catalog.games import GAMES
from selldesk.catalog.names import parse_csv


def shipped_catalog() -> dict[int, list[tuple[str, int | None]]]:
    """game → (name, reference price in mills or None), in the order of the games; one that ships no file begins without names."""
    folder = resources.files("selldesk.catalog").joinpath("data")
    files = {game: folder.joinpath(f"{game}.csv") for game in GAMES}
    return {game: parse_csv(file.read_text(encoding="utf-8")) for game, file in files.items() if file.is_file()}
