"""Rate limits: a token bucket per account and kind of call, counted in this process (readings R1). And the lock-out of whoever guesses
keys (people P1)."""

import ipaddress
import math
import time
from collections import OrderedDict, deque

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
        self._buckets: dict[tuple[int, bool], _Bucket] = {}

    def take(self, person: int, is_fast: bool) -> tuple[bool, int, int, int]:
        """(allowed, X-RateLimit-Limit, -Remaining, -Reset): Limit is the burst, Reset the whole seconds until it is full again. All keys of
        an account share its buckets."""
        rate = self._limits.fast_per_second if is_fast else self._limits.other_per_second
        burst = 2 * rate
        now = time.monotonic()
        bucket = self._buckets.get((person, is_fast))
        if bucket is None:
            if len(self._buckets) > 100_000:
                self._buckets.clear()
            bucket = self._buckets[person, is_fast] = _Bucket(burst, now)
        level = min(float(burst), bucket.level + (now - bucket.seen_at) * rate)
        bucket.seen_at = now
        allowed = level >= 1 or not self._limits.enforced
        bucket.level = max(0.0, level - 1) if allowed else level
        return allowed, burst, int(bucket.level), math.ceil((burst - bucket.level) / rate)


class LockOutRules(msgspec.Struct, frozen=True):
    """Real time. `bad_keys_max` 0: nobody is locked out (sandbox)."""

    bad_keys_max: int = 20
    within_seconds: float = 300
    locked_seconds: float = 900


class LockOut:
    """Addresses that try one unknown key after the other, per process. Known keys pass all the same."""

    _REMEMBERED_MAX = 10_000

    def __init__(self, rules: LockOutRules) -> None:
        self._rules = rules
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()
        self._locked: dict[str, float] = {}

    def seconds_left(self, address: str) -> int:
        """How long unknown keys of this address are refused unseen; 0: they are not."""
        until = self._locked.get(_network(address))
        if until is None:
            return 0
        left = until - time.monotonic()
        if left <= 0:
            del self._locked[_network(address)]
            return 0
        return math.ceil(left)

    def note_unknown(self, address: str) -> None:
        """A key of this address was unknown."""
        if not self._rules.bad_keys_max:
            return
        network, now = _network(address), time.monotonic()
        tries = self._tries.setdefault(network, deque())
        self._tries.move_to_end(network)
        tries.append(now)
        while tries and now - tries[0] > self._rules.within_seconds:
            tries.popleft()
        if len(tries) >= self._rules.bad_keys_max:
            self._locked[network] = now + self._rules.locked_seconds
            del self._tries[network]
        while len(self._tries) > self._REMEMBERED_MAX:
            self._tries.popitem(last=False)
        if len(self._locked) > self._REMEMBERED_MAX:
            self._locked = {one: until for one, until in self._locked.items() if until > now}


def _network(address: str) -> str:
    """Of IPv6 one /64: whoever has one address there has them all."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
