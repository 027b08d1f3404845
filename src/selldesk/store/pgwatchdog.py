"""Deadlines on the client's side: a frozen server (stopped, its disk hanging) still has its kernel acknowledge what is sent, so that no
keepalive ever fires. A statement that takes too long makes a second connection ask whether the server still answers; if it doesn't,
the first one's socket is closed, and whoever waits on it learns that the connection is lost (settled 9)."""

import contextlib
import logging
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
ANSWERS_WITHIN_SECONDS = 1.0


class Watched:
    """One connection, as the watchdog sees it. `seconds`: how long a statement may take before anybody asks."""

    __slots__ = ("__weakref__", "descriptor", "is_alive", "seconds", "since", "what")

    def __init__(self, seconds: float, is_alive: Callable[[], bool], what: str) -> None:
        self.seconds = seconds
        self.is_alive = is_alive
        """Whether the very server that the connection leads to answers; asked in a thread of its own."""
        self.what = what
        self.descriptor: int | None = None
        self.since: float | None = None
        """When the statement that is under way began."""


class Watchdog:
    """One thread for all connections of a process."""

    def __init__(self) -> None:
        self._watched: weakref.WeakSet[Watched] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, watched: Watched) -> None:
        with self._lock:
            self._watched.add(watched)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="store watchdog", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            with self._lock:
                late = [one for one in self._watched if (since := one.since) is not None and now - since > one.seconds]
            for one in late:
                threading.Thread(target=self._ask, args=(one, one.since, one.descriptor), daemon=True).start()
                # Asked anew only after another such time.
                one.since = now

    def _ask(self, one: Watched, since: float | None, descriptor: int | None) -> None:
        alive = threading.Event()

        def ask() -> None:
            with contextlib.suppress(Exception):
                if one.is_alive():
                    alive.set()

        threading.Thread(target=ask, daemon=True).start()
        if alive.wait(ANSWERS_WITHIN_SECONDS) or one.since is None or one.descriptor != descriptor or descriptor is None:
            return
        logger.warning(
            "%s: no answer to a statement for %.0f s, and the server does not answer either; the connection is closed",
            one.what,
            one.seconds,
        )
        with contextlib.suppress(OSError):
            # A copy of the descriptor: closing ours leaves the owner's, whose reading ends all the same.
            copy = socket.socket(fileno=os.dup(descriptor))
            with copy:
                copy.shutdown(socket.SHUT_RDWR)


WATCHDOG = Watchdog()
