"""The desk's process, and the socket at which it is reached."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import msgspec

from selldesk.desk.settings import DeskSettings
from selldesk.link.process import DeskProcessSettings
from selldesk.runtime.supervisor import ChildPlan, Farewell, Supervisor


class DeskSupervisor:
    """Starts the desk's process and starts it again if it dies."""

    def __init__(self, database_url: str, clock_path: Path | None, settings: DeskSettings) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="selldesk-"))
        self.socket_path = self._folder / "desk.sock"
        told = DeskProcessSettings(database_url, str(self.socket_path), str(clock_path) if clock_path else None, settings)
        plan = ChildPlan(
            name="the desk",
            module="selldesk.link.process",
            line=msgspec.json.encode(told) + b"\n",
            farewell=Farewell.END_OF_INPUT,
            again_after_seconds=0.1,
            stop_within_seconds=5,
        )
        self._supervisor = Supervisor(plan, before_start=lambda: self.socket_path.unlink(missing_ok=True))

    @property
    def pid(self) -> int | None:
        return self._supervisor.pid

    async def run(self, stopping: asyncio.Event) -> None:
        """Keeps one desk alive until cancelled, or until it ends while everything stops."""
        try:
            await self._supervisor.run(stopping)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
