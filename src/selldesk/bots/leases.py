"""One worker per bot: leases with fencing numbers, and how bots are spread over the worker processes that are alive (I13).

Pure. Times are the desk's machine time (or its database's), never the market's virtual time.
"""

from collections.abc import Callable, Iterable

import msgspec

LEASE_US = 24 * 1_000_000
"""A worker that isn't heard of for so long has lost its bots."""
RENEW_EVERY_SECONDS = 3.0
CALL_TIMEOUT_SECONDS = 15.0
"""No call to Steam takes longer."""
SEND_WITHIN_US = 18 * 1_000_000
"""Right before a send its lease must live longer than the send's time-out: this, three seconds more."""


class Lease(msgspec.Struct, array_like=True):
    """Who works for a bot. `fence` grows with every hand-over: news that carry an older one are refused."""

    bot: int
    worker: str | None
    fence: int
    until_us: int

    def is_alive(self, now_us: int) -> bool:
        """A clock that went back (`until` much further away than a lease is long) counts as an end: the fence protects. The
        slack is for desks of several machines whose clocks differ."""
        return self.worker is not None and now_us < self.until_us <= now_us + 2 * LEASE_US

    def outlives_a_send(self, now_us: int) -> bool:
        return self.is_alive(now_us) and self.until_us - now_us >= SEND_WITHIN_US


class WorkerProcess(msgspec.Struct, array_like=True):
    name: str
    until_us: int
    seal_format: int | None = None
    """The newest seals that its release can read; None: the first."""


class Keeping(msgspec.Struct):
    """What one worker process may do from now on."""

    held: list[Lease]
    let_go: list[int]
    """Bots that it should give back when their current step is done: others have too few."""
    changed: list[Lease]


def alive_workers(workers: Iterable[WorkerProcess], is_gone: Callable[[str], bool], now_us: int) -> list[str]:
    """Names of those that renewed in time and are not known to have died, in order."""
    return sorted(
        worker.name for worker in workers if now_us < worker.until_us <= now_us + 2 * LEASE_US and not is_gone(worker.name)
    )


def quota(worker: str, alive: list[str], bots: int) -> int:
    """How many bots this worker should have: as evenly as can be, the first in order one more."""
    each, left = divmod(bots, len(alive))
    return each + (alive.index(worker) < left)


def keep(worker: str, alive: list[str], bots: list[int], leases: dict[int, Lease], released: list[int], now_us: int) -> Keeping:
    """Renews what the worker holds, takes what is free up to its share, and says what it should let go.

    `alive` includes the worker itself; a lease of a worker that isn't alive is free.
    """
    changed: list[Lease] = []
    held: list[Lease] = []
    for bot in bots:
        lease = leases.get(bot)
        if lease is None or lease.worker != worker:
            continue
        if bot in released:
            changed.append(Lease(bot, None, lease.fence, 0))
        else:
            held.append(Lease(bot, worker, lease.fence, now_us + LEASE_US))
    wanted = quota(worker, alive, len(bots))
    for bot in bots:
        if len(held) >= wanted:
            break
        lease = leases.get(bot)
        is_ours = bot in released or any(mine.bot == bot for mine in held)
        if not is_ours and _is_free(lease, alive, now_us):
            held.append(Lease(bot, worker, lease.fence + 1 if lease is not None else 1, now_us + LEASE_US))
    return Keeping(held, [lease.bot for lease in held[wanted:]], changed + held)


def _is_free(lease: Lease | None, alive: list[str], now_us: int) -> bool:
    return lease is None or lease.worker is None or not lease.is_alive(now_us) or lease.worker not in alive


def leave(worker: str, leases: dict[int, Lease]) -> list[Lease]:
    """The worker stops in good order: its bots are free at once."""
    return [Lease(lease.bot, None, lease.fence, 0) for lease in leases.values() if lease.worker == worker]
