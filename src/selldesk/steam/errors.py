"""The error texts of tradeoffer/new/send → a cause and certainty (protocol §6)."""

import html
import re
from collections.abc import Iterable, Sequence

from selldesk.steam.results import Cause, Rejected, SendUnknown
from selldesk.steamwire.enums import EResult

_NUMBER = re.compile(r"\((\d{1,4})\)\s*$")
_PREFIX = re.compile(r"^there was an error (?:sending|accepting) (?:your|this) trade offer\.\s+please try again later\.\s*")

_ABOUT_US: list[tuple[re.Pattern[str], Cause]] = [
    (re.compile(pattern), cause)
    for pattern, cause in (
        (r"(?:you have exceeded the |.{0,20})maximum number of items allowed in your", Cause.BOT_FULL),
        (r"you are currently unable to trade", Cause.BOT_RESTRICTED),
        (r"your account is currently", Cause.BOT_RESTRICTED),
        (r"you cannot trade because you", Cause.BOT_RESTRICTED),
        (r"(?:you have |you've )?sent too many trade offers", Cause.BOT_LIMIT),
        (r"you (?:have )?(?:recently )?logged in from a new device", Cause.BOT_RESTRICTED),
        (r"we were unable to contact the game's item server", Cause.ITEM_SERVER_DOWN),
    )
]
"""What Steam says of the bot itself or of a game stands at the beginning of its text, where no stranger's name can stand."""

_ABOUT_PARTNER: list[tuple[str, Cause]] = [
    ("because they have a trade ban", Cause.SELLER_RESTRICTED),
    ("is not available to trade", Cause.SELLER_RESTRICTED),
    ("inventory privacy", Cause.SELLER_RESTRICTED),
    ("inventory is private", Cause.SELLER_RESTRICTED),
    ("can only be sent to friends", Cause.BAD_LINK),
    ("trade url is no longer valid", Cause.BAD_LINK),
]
"""Looked for in lower case, the partner's name cut out: a text says more than the number behind it."""

_WITH = "you cannot trade with "
_REASON = " because they "
_UNAVAILABLE = "is not available to trade"

_NUMBERS: dict[int, Cause] = {
    EResult.ACCESS_DENIED: Cause.BAD_LINK,
    EResult.REVOKED: Cause.ITEM_GONE,
    EResult.LIMIT_EXCEEDED: Cause.BOT_LIMIT,
    EResult.BANNED: Cause.SELLER_LIMIT,
    EResult.INSUFFICIENT_PRIVILEGE: Cause.BOT_RESTRICTED,
    EResult.SERVICE_UNAVAILABLE: Cause.ITEM_SERVER_DOWN,
    34: Cause.PARTNER_CHANGED,
}


def read_send_error(text: str, names: Iterable[str] = ()) -> Rejected | SendUnknown:
    """`strError` of a failed send. Numbers that don't say whether the offer exists (2, 10, 16, 48, 55, unknown ones) are unknown.

    `names`: what the partner is called. A name is chosen by a stranger and may hold any of Steam's own phrases: it is cut out, as
    known and wherever Steam's texts name somebody, before anything is looked for (protocol §11).
    """
    found = _NUMBER.search(text)
    number = int(found.group(1)) if found else 0
    plain = re.sub(r"[\x00-\x1f\x7f]+", " ", re.sub(r"<[^>]*>", " ", text)).strip()
    said = _PREFIX.sub("", _folded(text))
    called = sorted({folded for name in names if (folded := _folded(name))}, key=len, reverse=True)
    detail = _without_names(said, called)
    for pattern, cause in _ABOUT_US:
        if _UNAVAILABLE not in detail and pattern.match(_without_leading_name(said, called)):
            return Rejected(number, cause, plain)
    for phrase, cause in _ABOUT_PARTNER:
        if phrase in detail:
            return Rejected(number, cause, plain)
    if number in _NUMBERS:
        return Rejected(number, _NUMBERS[number], plain)
    return SendUnknown(plain, number)


def _folded(text: str) -> str:
    """Without case, one space between words, whatever Steam escaped of it."""
    while (plain := html.unescape(text)) != text:
        text = plain
    return " ".join(re.sub(r"<br\s*/?>", " ", text, flags=re.IGNORECASE).casefold().split())


def _without_leading_name(detail: str, names: Sequence[str]) -> str:
    """Without a name at the beginning: of what is about us no other place can be a stranger's. Elsewhere a name that is a word of
    Steam's own ("of", "a") must not hide what Steam says."""
    return next((f"…{detail.removeprefix(name)}" for name in names if re.match(rf"{re.escape(name)}(?!\w)", detail)), detail)


def _without_names(detail: str, names: Sequence[str]) -> str:
    """Without whoever it names, longest name first. Whole words alone: somebody may be called "a"."""
    for name in names:
        detail = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", detail)
    if detail.startswith(_WITH):
        # The name runs to the last reason that Steam gives, or to the end.
        _, reason, why = detail.removeprefix(_WITH).rpartition(_REASON)
        return f"{_WITH}…{reason}{why if reason else ''}"
    if _UNAVAILABLE in detail:
        # Who it is stands before, and once more behind.
        return f"… {_UNAVAILABLE}"
    return detail
