"""Trade links: https://steamcommunity.com/tradeoffer/new/?partner=<account number>&token=<token>."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

STEAMID64_BASE = 76561197960265728
_ACCOUNT_MAX = 2**32 - 1


class TradeLink(NamedTuple):
    account: int
    """Steam's 32-bit account number."""
    token: str

    @property
    def steamid64(self) -> str:
        return str(STEAMID64_BASE + self.account)

    @property
    def url(self) -> str:
        return f"https://steamcommunity.com/tradeoffer/new/?partner={self.account}&token={self.token}"


def parse_trade_link(text: str) -> TradeLink | None:
    """None if the text is no trade link. Nothing is fetched."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        query = parse_qsl(parts.query, strict_parsing=True)
        right_place = (parts.scheme, parts.netloc, parts.path, parts.fragment) == (
            "https",
            "steamcommunity.com",
            "/tradeoffer/new/",
            "",
        )
    except ValueError:
        return None
    fields = dict(query)
    if not right_place or len(query) != 2 or set(fields) != {"partner", "token"}:
        return None
    partner, token = fields["partner"], fields["token"]
    if not re.fullmatch(r"[1-9][0-9]{0,9}", partner) or int(partner) > _ACCOUNT_MAX:
        return None
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", token):
        return None
    return TradeLink(int(partner), token)
