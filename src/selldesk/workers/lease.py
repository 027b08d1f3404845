"""A worker's own end of its lease, and the desk under that lease (I13)."""

from typing import Protocol

from selldesk.bots.leases import SEND_WITHIN_US
from selldesk.desk import commands
from selldesk.desk.commands import Command, R
from selldesk.kernel.clock import Clock
from selldesk.link.client import DeskPort


class HeldLease:
    """Until when this process may work for a bot, by its own monotonic clock: counted from before the desk was asked, so
    that it never ends later here than there."""

    def __init__(self, clock: Clock, bot: int, fence: int, ends_at_us: int) -> None:
        self._clock = clock
        self.bot = bot
        self.fence = fence
        self.ends_at_us = ends_at_us

    @property
    def is_held(self) -> bool:
        return self._clock.monotonic_us() < self.ends_at_us

    @property
    def outlives_a_send(self) -> bool:
        return self.ends_at_us - self._clock.monotonic_us() >= SEND_WITHIN_US


class NewsPort(Protocol):
    """Where a bot's worker brings its news."""

    async def ask(self, command: Command[R]) -> R:
        """Raises the command's refusals, LEASE_LOST if another worker has taken over, UNAVAILABLE if the outcome is unknown."""
        ...


class LeasedDesk:
    """Everything that a bot's worker says goes to the desk under its lease."""

    def __init__(self, inner: DeskPort, lease: HeldLease) -> None:
        self._inner = inner
        self._lease = lease

    async def ask(self, command: Command[R]) -> R:
        """Raises LEASE_LOST besides the command's own refusals."""
        return await self._inner.ask(commands.BotNews(bot=self._lease.bot, fence=self._lease.fence, news=command))  # type: ignore[arg-type]
