"""Trade links: https://steamcommunity.com/tradeoffer/new/?partner=<account number>&token=<token>."""

import re
from typing import NamedTuple

STEAMID64_BASE = 76561197960265728
_ACCOUNT_MAX = 2**32 - 1
_LINK = re.compile(r"https://steamcommunity\.com/tradeoffer/new/\?partner=([1-9][0-9]{0,9})&token=([A-Za-z0-9_-]{1,64})")


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
    found = _LINK.fullmatch(text)
    if found is None or int(found.group(1)) > _ACCOUNT_MAX:
        return None
    return TradeLink(int(found.group(1)), found.group(2))
