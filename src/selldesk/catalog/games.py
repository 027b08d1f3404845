"""The games of the market (Steam calls a game's number its appid)."""

from typing import Final

CS2: Final = 730
DOTA2: Final = 570
RUST: Final = 252490
TF2: Final = 440

# A new game is a row here. Its names come from `selldesk catalog import`, or for the sandbox from a file in data/.
GAMES: Final[dict[int, str]] = {CS2: "Counter-Strike 2", DOTA2: "Dota 2", RUST: "Rust", TF2: "Team Fortress 2"}


def is_supported(game_id: int) -> bool:
    return game_id in GAMES
