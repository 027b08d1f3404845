"""The background work: the bots."""

import asyncio
from pathlib import Path

from selldesk.config import Settings
from selldesk.runtime.market_process import MarketProcess
from selldesk.workers.fleet import Fleet, FleetSettings


class WorkProcess(MarketProcess):
    """Knows no book and serves nobody."""

    def __init__(self, settings: Settings, *, clock_path: Path | None = None, desk_socket: Path | None = None) -> None:
        super().__init__(settings, clock_path=clock_path, desk_socket=desk_socket)
        fleet = FleetSettings(settings.steam_urls(), settings.rules(), settings.pace(), settings.steam_limits())
        self.fleet = Fleet(self.store, self.desk, self.clock, self.box, fleet)
        self.view.listeners.append(self.fleet.on_feed)

    async def _work(self, tasks: list[asyncio.Task[None]]) -> None:
        tasks.append(asyncio.create_task(self.fleet.run(), name="fleet"))
        await self._until_signal(tasks)
