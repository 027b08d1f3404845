"""More processes beside the one that was started: the background work, and further API processes. All share its desk; it keeps them
alive, and they end with it."""

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

import msgspec

from selldesk.config import Settings

logger = logging.getLogger(__name__)

_RESTART_SECONDS = 0.5
_STOP_SECONDS = 8


class ChildSettings(msgspec.Struct, frozen=True):
    """What a child is told."""

    settings: Settings
    desk_socket: str
    clock_path: str | None
    log_level: int
    descriptor: int | None
    """Of the API's listening socket, inherited; None: the background work."""


async def keep_child(child: ChildSettings, stopping: asyncio.Event) -> None:
    """Keeps one such process alive until cancelled, or until it ends while everything stops."""
    line = msgspec.json.encode(child) + b"\n"
    inherited = [] if child.descriptor is None else [child.descriptor]
    while True:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "selldesk.child", stdin=asyncio.subprocess.PIPE, pass_fds=inherited
            )
        except OSError:
            # No memory or no process number left, for the moment.
            logger.exception("a process could not be started; trying again")
            await asyncio.sleep(_RESTART_SECONDS)
            continue
        assert process.stdin is not None
        try:
            process.stdin.write(line)
            with contextlib.suppress(ConnectionError):
                await process.stdin.drain()
            code = await process.wait()
            if stopping.is_set():
                return
            what = "the background work" if child.descriptor is None else "an API process"
            logger.error("%s ended with code %s; starting it again", what, code)
            await asyncio.sleep(_RESTART_SECONDS)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_STOP_SECONDS):
                        await process.wait()


def child_settings(settings: Settings, desk_socket: Path, clock_path: Path | None, descriptor: int | None) -> ChildSettings:
    level = logging.getLogger().getEffectiveLevel()
    return ChildSettings(settings, str(desk_socket), None if clock_path is None else str(clock_path), level, descriptor)
