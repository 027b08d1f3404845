"""Steam's request limits per account, as measured in 2026 (protocol §7), and the bucket that both ends count them with.

The simulator enforces what a client should obey, so the law stands here once. Pure: time comes in as microseconds.
"""

from typing import NamedTuple


class Law(NamedTuple):
    """A bucket that holds `burst` calls and gets one more every `refill_us`."""

    burst: int
    refill_us: int


LAWS: dict[str, Law] = {
    "offers": Law(85, 125_000),
    "offer": Law(3_750, 5_000),
    "hold": Law(3_750, 5_000),
    "status": Law(25, 2_000_000),
    "history": Law(25, 15_000_000),
    "inventory": Law(30, 4_000_000),
}

_PATHS: dict[str, str] = {
    "/IEconService/GetTradeOffers": "offers",
    "/IEconService/GetTradeOffersSummary": "offers",
    "/IEconService/GetTradeOffer": "offer",
    "/IEconService/GetTradeHoldDurations": "hold",
    "/IEconService/GetTradeStatus": "status",
    "/IEconService/GetTradeHistory": "history",
    "/tradeoffer/new/partnerinventory": "inventory",
}


def bucket_of(path: str) -> str | None:
    """Which bucket a path draws from, with or without `/v1` and a last slash; None: no limit of its own is known."""
    return _PATHS.get(path.rstrip("/").removesuffix("/v1"))


class Bucket:
    """One account's standing with one law (GCRA: one number is the whole state)."""

    def __init__(self, law: Law) -> None:
        self._law = law
        self._full_at_us = 0
        """When the bucket will be full again if nothing more is drawn."""

    def free_at_us(self) -> int:
        """The earliest moment of the next call."""
        return self._full_at_us - (self._law.burst - 1) * self._law.refill_us

    def draw(self, now_us: int) -> bool:
        """Takes one call, if there is one."""
        if now_us < self.free_at_us():
            return False
        self._full_at_us = max(self._full_at_us, now_us) + self._law.refill_us
        return True

    def empty(self, now_us: int) -> None:
        """As if everything had just been drawn: what a new process must assume of its predecessor."""
        self._full_at_us = now_us + self._law.burst * self._law.refill_us

    def mend(self, now_us: int) -> None:
        """After a clock that went back: no bucket is emptier than empty."""
        self._full_at_us = min(self._full_at_us, now_us + self._law.burst * self._law.refill_us)
