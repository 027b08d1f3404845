"""The simulator as a process of its own: `run_simulator` serves until the process ends."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from selldesk.kernel.clock import SharedClock
from selldesk.kernel.processes import exit_with_parent
from selldesk.steamsim.server import SteamSimulator


def run_simulator(
    folder: Path,
    host: str,
    port: int,
    clock_path: Path | None,
    die_with_stdin: bool,
    when_ready: Callable[[SteamSimulator], None] | None = None,
) -> None:
    """Serves plain HTTP. With `clock_path` somebody else moves the clock; without, the control API does.

    Raises OSError if the port stays taken for some seconds (a predecessor that was killed may need one to go).
    """
    clock = SharedClock(clock_path if clock_path is not None else folder / "clock")
    simulator = SteamSimulator(folder, clock.now_us, None if clock_path is not None else clock.advance)
    if when_ready is not None:
        when_ready(simulator)
        simulator.world.commit()
    if die_with_stdin:
        exit_with_parent()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(simulator, host, port))


async def _serve(simulator: SteamSimulator, host: str, port: int) -> None:
    runner = web.AppRunner(simulator.app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    deadline = asyncio.get_running_loop().time() + 5
    while True:
        try:
            await web.TCPSite(runner, host, port).start()
            break
        except OSError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.05)
    await asyncio.Event().wait()
