"""Times are integer microseconds since the epoch, UTC; on the wire `2026-03-13T10:00:00Z` (R1)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 3600 * SECOND_US
DAY_US = 86_400 * SECOND_US

FAR_US = 2**62
"""Later than anything."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wire_time(at_us: int) -> str:
    """Microseconds → the wire's text, whole seconds."""
    return _wire_second(at_us // SECOND_US)


_LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59Z: calendars end there."""


@lru_cache(maxsize=4_096)
def _wire_second(at: int) -> str:
    at = min(max(at, 0), _LAST_SECOND)
    return (_EPOCH + timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%SZ")


def wire_time_or_none(at_us: int | None) -> str | None:
    return None if at_us is None else wire_time(at_us)


def parse_time(text: str) -> int:
    """ISO 8601 → microseconds. A date alone is its midnight; without a zone it is UTC. Raises ValueError.

    A `+` that nobody escaped arrives from a query as a blank: `10:00:00 02:00` is read as `10:00:00+02:00`.
    """
    if "T" in text and " " in text:
        text = text.replace(" ", "+")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
