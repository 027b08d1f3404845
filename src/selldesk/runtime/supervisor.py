"""One supervisor for every kind of child: it starts the process, tells it what to do in one line, and starts it again when it ends."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable
from enum import Enum

import msgspec

logger = logging.getLogger(__name__)


class Farewell(Enum):
    """How a child is asked to end."""

    SIGNAL = "signal"
    """SIGTERM: it finishes what it has begun."""
    END_OF_INPUT = "end of input"
    """The end of its standard input. It takes no signal: a stop of the whole group must find it alive."""


class ChildPlan(msgspec.Struct, frozen=True):
    """`module` is run by this Python; `line` is its standard input's first, which it reads as its settings."""

    name: str
    module: str
    line: bytes
    farewell: Farewell
    inherited: tuple[int, ...] = ()
    """Descriptors that it gets."""
    again_after_seconds: float = 0.5
    stop_within_seconds: float = 8


class Supervisor:
    """Keeps one process of a plan alive."""

    def __init__(self, plan: ChildPlan, before_start: Callable[[], None] = lambda: None) -> None:
        self._plan = plan
        self._before_start = before_start
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def run(self, stopping: asyncio.Event) -> None:
        """Until cancelled, or until the child ends while everything stops."""
        try:
            while True:
                if await self._live(stopping):
                    return
                await asyncio.sleep(self._plan.again_after_seconds)
        finally:
            await self._end()

    async def _live(self, stopping: asyncio.Event) -> bool:
        """One life of the child; whether that was the last one."""
        plan = self._plan
        self._before_start()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", plan.module, stdin=asyncio.subprocess.PIPE, pass_fds=plan.inherited
            )
        except OSError:
            # No memory or no process number left, for the moment.
            logger.exception("%s could not be started; trying again", plan.name)
            return False
        assert self._process.stdin is not None
        self._process.stdin.write(plan.line)
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.drain()
        code = await self._process.wait()
        if stopping.is_set():
            return True
        logger.error("%s ended with code %s; starting it again", plan.name, code)
        return False

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if self._plan.farewell is Farewell.SIGNAL:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        else:
            assert process.stdin is not None
            process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._plan.stop_within_seconds):
                await process.wait()
