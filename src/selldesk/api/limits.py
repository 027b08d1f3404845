"""Rate limits: a token bucket per key and kind of call, counted in this process (readings R1)."""

import math
import time

import msgspec


class RateLimits(msgspec.Struct, frozen=True):
    """Calls a second; bursts of twice that. `enforced` off: headers are sent, nothing is refused (sandbox, benchmarks)."""

    fast_per_second: int = 1_000
    other_per_second: int = 200
    enforced: bool = True


class _Bucket:
    __slots__ = ("level", "seen_at")

    def __init__(self, level: float, seen_at: float) -> None:
        self.level = level
        self.seen_at = seen_at


class RateLimiter:
    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._buckets: dict[tuple[str, bool], _Bucket] = {}

    def take(self, key_hash: str, is_fast: bool) -> tuple[bool, int, int, int]:
        """(allowed, X-RateLimit-Limit, -Remaining, -Reset): Limit is the burst, Reset the whole seconds until it is full again."""
        rate = self._limits.fast_per_second if is_fast else self._limits.other_per_second
        burst = 2 * rate
        now = time.monotonic()
        bucket = self._buckets.get((key_hash, is_fast))
        if bucket is None:
            if len(self._buckets) > 100_000:
                self._buckets.clear()
            bucket = self._buckets[key_hash, is_fast] = _Bucket(burst, now)
        level = min(float(burst), bucket.level + (now - bucket.seen_at) * rate)
        bucket.seen_at = now
        allowed = level >= 1 or not self._limits.enforced
        bucket.level = max(0.0, level - 1) if allowed else level
        return allowed, burst, int(bucket.level), math.ceil((burst - bucket.level) / rate)
