"""The background work: bots, and webhooks."""

import asyncio
from pathlib import Path

from selldesk.config import Settings
from selldesk.courier.courier import Courier
from selldesk.reads.showing import Showing
from selldesk.runtime.market_process import MarketProcess
from selldesk.workers.fleet import Fleet, FleetSettings


class WorkProcess(MarketProcess):
    """Knows no book and serves nobody."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock_path: Path | None = None,
        desk_socket: Path | None = None,
        bots: bool = True,
        webhooks: bool = True,
    ) -> None:
        super().__init__(settings, clock_path=clock_path, desk_socket=desk_socket)
        self.fleet: Fleet | None = None
        self.courier: Courier | None = None
        if bots:
            fleet = FleetSettings(settings.steam_urls(), settings.rules(), settings.pace(), settings.steam_limits())
            self.fleet = Fleet(self.store, self.desk, self.clock, self.box, fleet)
            self.view.listeners.append(self.fleet.on_feed)
        if webhooks:
            showing = Showing(settings.url(), lambda: self.view.people, self.box)
            self.courier = Courier(self.store, self.desk, self.clock, self.box, showing, settings.courier())
            self.view.listeners.append(self.courier.on_feed)
            self.view.reload_listeners.append(self.courier.ring_all)

    async def _work(self, tasks: list[asyncio.Task[None]]) -> None:
        if self.fleet is not None:
            tasks.append(asyncio.create_task(self.fleet.run(), name="fleet"))
        if self.courier is not None:
            tasks.append(asyncio.create_task(self.courier.run(), name="courier"))
        await self._until_signal(tasks)
