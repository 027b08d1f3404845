"""Shapes of texts that people and programs write, each defined once."""

import re

_STEAMID64 = re.compile(r"7656119[0-9]{10}")
STEAMID64_PATTERN = r"^7656119[0-9]{10}(?!\n)$"


def is_steamid64(text: str) -> bool:
    """SteamID64 of a person's account: 17 digits."""
    return _STEAMID64.fullmatch(text) is not None
