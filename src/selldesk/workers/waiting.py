"""Waiting by the market's clock: a loop sleeps until a moment of virtual time, and wakes when the clock is moved."""

import asyncio
import contextlib
from typing import Protocol

from selldesk.kernel.clock import Clock
from selldesk.kernel.times import SECOND_US

LOOK_SECONDS = 0.05
_SLEEP_MAX_SECONDS = 30.0


class Wakes(Protocol):
    """What a loop waits on."""

    def ring(self) -> None:
        """Wake up now."""

    async def wait_until(self, moment_us: int) -> None: ...


class Alarm:
    """Wakes one loop: at its moment, when someone rings, or when the clock jumps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait_until(self, moment_us: int) -> None:
        remaining = (moment_us - self._clock.now_us()) / SECOND_US
        if remaining > 0:
            # Not wait_for: before Python 3.12 it may swallow a cancellation that comes together with the ring.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(remaining, _SLEEP_MAX_SECONDS)):
                    await self._rung.wait()
        self._rung.clear()


class ClockWatch:
    """Rings all alarms of a process when virtual time moved otherwise than real time did."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.alarms: set[Wakes] = set()

    async def run(self) -> None:
        shift = self._clock.now_us() - self._clock.real_us()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now_shift = self._clock.now_us() - self._clock.real_us()
            if abs(now_shift - shift) > SECOND_US // 2:
                for alarm in list(self.alarms):
                    alarm.ring()
            shift = now_shift
