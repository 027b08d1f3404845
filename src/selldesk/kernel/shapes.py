"""Shapes of texts that people and programs write, each defined once."""

import re
from typing import Annotated

from msgspec import Meta

from selldesk.kernel.limits import MONEY_MAX

_STEAMID64 = re.compile(r"7656119[0-9]{10}")
STEAMID64_PATTERN = r"^7656119[0-9]{10}(?!\n)$"


def is_steamid64(text: str) -> bool:
    """SteamID64 of a person's account: 17 digits."""
    return _STEAMID64.fullmatch(text) is not None


SteamId64 = Annotated[str, Meta(pattern=STEAMID64_PATTERN)]


Mills = Annotated[int, Meta(ge=1, le=MONEY_MAX)]


Reference = Annotated[str, Meta(min_length=1, max_length=128)]


Reason = Annotated[str, Meta(min_length=1, max_length=500)]


ShortText = Annotated[str, Meta(max_length=200)]
