"""The error texts of tradeoffer/new/send → a cause and certainty (protocol §6)."""

import re

from selldesk.steam.results import Cause, Rejected, SendUnknown
from selldesk.steamwire.enums import EResult

_NUMBER = re.compile(r"\((\d+)\)\s*$")

_TEXTS: list[tuple[str, Cause]] = [
    ("because they have a trade ban", Cause.SELLER_RESTRICTED),
    ("is not available to trade", Cause.SELLER_RESTRICTED),
    ("inventory privacy", Cause.SELLER_RESTRICTED),
    ("inventory is private", Cause.SELLER_RESTRICTED),
    ("can only be sent to friends", Cause.BAD_LINK),
    ("trade url is no longer valid", Cause.BAD_LINK),
    ("maximum number of items allowed in your", Cause.BOT_FULL),
    ("you are currently unable to trade", Cause.BOT_RESTRICTED),
    ("your account is currently", Cause.BOT_RESTRICTED),
    ("you cannot trade because you", Cause.BOT_RESTRICTED),
    ("sent too many trade offers", Cause.BOT_LIMIT),
    ("logged in from a new device", Cause.BOT_RESTRICTED),
    ("unable to contact the game's item server", Cause.ITEM_SERVER_DOWN),
]
"""Looked for first, in lower case: a text says more than the number behind it."""

_NUMBERS: dict[int, Cause] = {
    EResult.ACCESS_DENIED: Cause.BAD_LINK,
    EResult.REVOKED: Cause.ITEM_GONE,
    EResult.LIMIT_EXCEEDED: Cause.BOT_LIMIT,
    EResult.BANNED: Cause.SELLER_LIMIT,
    EResult.INSUFFICIENT_PRIVILEGE: Cause.BOT_RESTRICTED,
    EResult.SERVICE_UNAVAILABLE: Cause.ITEM_SERVER_DOWN,
    34: Cause.PARTNER_CHANGED,
}


def read_send_error(text: str) -> Rejected | SendUnknown:
    """`strError` of a failed send. Numbers that don't say whether the offer exists (2, 10, 16, 48, 55, unknown ones) are unknown."""
    found = _NUMBER.search(text)
    number = int(found.group(1)) if found else 0
    plain = re.sub(r"<[^>]*>", " ", text).strip()
    lowered = plain.lower()
    for phrase, cause in _TEXTS:
        if phrase in lowered:
            return Rejected(number, cause, plain)
    if number in _NUMBERS:
        return Rejected(number, _NUMBERS[number], plain)
    return SendUnknown(plain, number)
