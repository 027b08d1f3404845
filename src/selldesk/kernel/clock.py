"""The clock of the market. Its *virtual* time drives everything that Steam or a client could see; `real_us` is the machine's.

In production both are the same. In the sandbox a shift that lives in a small shared file moves the virtual time of the market
and of the simulator together (contract C8); it only ever grows.
"""

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Protocol

from selldesk.kernel.times import SECOND_US


class Clock(Protocol):
    def now_us(self) -> int:
        """Virtual time, microseconds UTC."""
        ...

    def real_us(self) -> int:
        """The machine's own time, microseconds UTC: leases, bot freshness, rate limits."""
        ...

    def monotonic_us(self) -> int:
        """Microseconds of this machine that never jump: how long a lease is still held."""
        ...


class SystemClock:
    """Virtual time is real time."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def real_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_us(self) -> int:
        return time.monotonic_ns() // 1000


class SharedClock(SystemClock):
    """Real time plus a shift that all processes that open the same file see at once."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size < 8:
                os.pwrite(descriptor, struct.pack("<q", 0), 0)
            self._shift = mmap.mmap(descriptor, 8)
        finally:
            os.close(descriptor)

    def shift_us(self) -> int:
        shift: int = struct.unpack_from("<q", self._shift)[0]
        return shift

    def now_us(self) -> int:
        return time.time_ns() // 1000 + self.shift_us()

    def advance(self, seconds: int) -> None:
        """Moves virtual time forward for every process, durably. Only one process may do this."""
        if seconds < 0:
            raise ValueError("the shared clock never goes back")
        struct.pack_into("<q", self._shift, 0, self.shift_us() + seconds * SECOND_US)
        self._shift.flush()


class ManualClock:
    """For tests and simulations: time stands still until someone moves it."""

    def __init__(self, now_us: int = 1_773_396_000 * SECOND_US) -> None:
        self._now_us = now_us
        self._shift_us = 0

    def now_us(self) -> int:
        return self._now_us + self._shift_us

    def real_us(self) -> int:
        return self._now_us

    def jump(self, seconds: float) -> None:
        """Virtual time alone moves, as when somebody advances a sandbox."""
        self._shift_us += int(seconds * SECOND_US)

    def real_passes(self, seconds: float) -> None:
        """Another name of `advance`, for stories in which the machine's time is what matters."""
        self.advance(seconds)

    def monotonic_us(self) -> int:
        return self._now_us

    def advance(self, seconds: float) -> None:
        self._now_us += int(seconds * SECOND_US)
