"""More API processes on one machine: the first one keeps the others alive; all accept from one socket and share its desk."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from pathlib import Path

import msgspec

from selldesk.config import Settings

logger = logging.getLogger(__name__)

_RESTART_SECONDS = 0.5
_STOP_SECONDS = 8


class ApiWorkerSettings(msgspec.Struct):
    settings: Settings
    desk_socket: str
    descriptor: int
    """Of the listening socket, inherited."""


async def keep_workers(count: int, settings: Settings, desk_socket: Path, listener: socket.socket) -> None:
    """Keeps so many more API processes alive until cancelled."""
    line = msgspec.json.encode(ApiWorkerSettings(settings, str(desk_socket), listener.fileno())) + b"\n"
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(_keep_one(line, listener.fileno()))


async def _keep_one(line: bytes, descriptor: int) -> None:
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "selldesk.apiworker", stdin=asyncio.subprocess.PIPE, pass_fds=[descriptor]
        )
        assert process.stdin is not None
        try:
            process.stdin.write(line)
            with contextlib.suppress(ConnectionError):
                await process.stdin.drain()
            code = await process.wait()
            logger.error("an API process ended with code %s; starting it again", code)
            await asyncio.sleep(_RESTART_SECONDS)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_STOP_SECONDS):
                        await process.wait()
