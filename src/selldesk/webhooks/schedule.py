"""When a delivery is tried again: the table of the Standard Webhooks specification (people P3). Times in microseconds, virtual."""

from typing import Final

from selldesk.kernel.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US

DELAYS: Final = (
    0,
    5 * SECOND_US,
    5 * MINUTE_US,
    30 * MINUTE_US,
    2 * HOUR_US,
    5 * HOUR_US,
    10 * HOUR_US,
    14 * HOUR_US,
    20 * HOUR_US,
    24 * HOUR_US,
)
"""Before each attempt, from the one before."""
_RETRY_AFTER_MAX_US = DAY_US
_LISTENED_TO = (429, 503)
STRUGGLES_AFTER = 3
"""So many failures in a row, and an endpoint gets one request at a time until it succeeds."""
FAILURES_MIN = 20


def next_attempt_at(made: int, now: int, luck: float, status: int | None, retry_after_seconds: int | None) -> int | None:
    """After `made` attempts, the last of which failed. `luck`: 0 to 1, lengthens by up to a tenth. `Retry-After` counts with 429 and 503,
    to a day at most. None: it was the last one."""
    if made >= len(DELAYS):
        return None
    delay = int(DELAYS[made] * (1 + luck / 10))
    if status in _LISTENED_TO and retry_after_seconds is not None:
        delay = max(delay, min(retry_after_seconds * SECOND_US, _RETRY_AFTER_MAX_US))
    return now + delay


def why_disabled(status: int | None, failing_since: int | None, failures: int, now: int, failing_us: int) -> str | None:
    """Whether a failed attempt is the end of its endpoint: `gone` (410), or `failing`: no success for so long, and enough tries."""
    if status == 410:
        return "gone"
    is_lost = failing_since is not None and now - failing_since >= failing_us and failures >= FAILURES_MIN
    return "failing" if is_lost else None
