"""Our own restraint towards Steam (protocol §7): a bucket per bot and kind of call, one for the address, and a rest for all of it.

A call that finds its bucket empty is not made: `Throttled` says when it can be. Everything counts in Steam's time.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

from selldesk.steam.results import Throttled
from selldesk.steam.session import is_refused_for_rate
from selldesk.steam.transport import Response, Transport
from selldesk.steamwire.buckets import LAWS, Bucket, Law, bucket_of

SECOND_US = 1_000_000
_TOGETHER_US = 60 * SECOND_US
_BOTS_THAT_MEAN_THE_ADDRESS = 3
_REST_FIRST_US = 30 * SECOND_US
_REST_MAX_US = 600 * SECOND_US


class CallLimits(msgspec.Struct, frozen=True):
    """How much of Steam we use. What one address may ask was never measured: the default is a cautious guess."""

    share: float = 0.9
    """Of the measured buckets of one account; more than 1 only against a simulator."""
    address_burst: int = 600
    address_per_second: float = 30.0

    def of(self, law: Law) -> Law:
        return Law(max(1, int(law.burst * self.share)), max(1, int(law.refill_us / self.share)))


class Address:
    """What all bots of a process share: Steam counts by address too, and blocks those that don't stop (protocol §7)."""

    def __init__(self, limits: CallLimits) -> None:
        self._bucket = Bucket(Law(limits.address_burst, max(1, int(SECOND_US / limits.address_per_second))))
        self._refused_at: dict[str, int] = {}
        self._rest_us = _REST_FIRST_US
        self.rests_until_us = 0

    def enter(self, now_us: int) -> None:
        """Raises Throttled while the address rests or its bucket is empty."""
        if now_us < self.rests_until_us <= now_us + _REST_MAX_US:
            raise Throttled(None, self.rests_until_us)
        self._bucket.mend(now_us)
        if not self._bucket.draw(now_us):
            raise Throttled(None, self._bucket.free_at_us())

    def refused(self, account: str, now_us: int) -> None:
        """One bot alone backs off by itself; several within a minute mean the address, and then everybody rests."""
        self._refused_at[account] = now_us
        recent = [moment for moment in self._refused_at.values() if 0 <= now_us - moment < _TOGETHER_US]
        if len(recent) >= _BOTS_THAT_MEAN_THE_ADDRESS and now_us >= self.rests_until_us:
            self.rests_until_us = now_us + self._rest_us
            self._rest_us = min(_REST_MAX_US, self._rest_us * 2)
            self._refused_at.clear()

    def answered(self, account: str) -> None:
        self._refused_at.pop(account, None)
        self._rest_us = _REST_FIRST_US


class ThrottledTransport:
    """One bot's way to Steam, through its own buckets and the address's."""

    def __init__(self, inner: Transport, account: str, address: Address, limits: CallLimits, now_us: Callable[[], int]) -> None:
        self._inner = inner
        self._account = account
        self._address = address
        self._now_us = now_us
        self._buckets = {name: Bucket(limits.of(law)) for name, law in LAWS.items()}
        for bucket in self._buckets.values():
            bucket.empty(now_us())

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Raises Throttled instead of asking too much; else as the inner one."""
        now_us = self._now_us()
        which = bucket_of(urlsplit(url).path)
        if which is not None:
            bucket = self._buckets[which]
            bucket.mend(now_us)
            if now_us < bucket.free_at_us():
                raise Throttled(which, bucket.free_at_us())
        self._address.enter(now_us)
        if which is not None:
            self._buckets[which].draw(now_us)
        response = await self._inner.request(method, url, params=params, form=form, headers=headers)
        if is_refused_for_rate(response):
            self._address.refused(self._account, self._now_us())
        else:
            self._address.answered(self._account)
        return response
