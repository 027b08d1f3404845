"""An outage in the log: once when it begins, once a minute, once when it ends. Never a traceback a try."""

import logging
import time

logger = logging.getLogger(__name__)

_SAID_AGAIN_SECONDS = 60.0


class Outage:
    """`what` can't be done for the moment. Not for several threads."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began: float | None = None
        self._said = 0.0
        self._tries = 0

    def note(self, why: object) -> None:
        """It could not be done."""
        now = time.monotonic()
        self._tries += 1
        if self._began is None:
            self._began, self._said, self._tries = now, now, 1
            logger.warning("%s: %s; retrying", self._what, _line(why))
        elif now - self._said >= _SAID_AGAIN_SECONDS:
            self._said = now
            logger.warning(
                "%s for %.0f s now, after %d tries; still retrying: %s", self._what, now - self._began, self._tries, _line(why)
            )

    def over(self) -> None:
        """It could."""
        if self._began is not None:
            logger.warning("%s: that is over, after %.1f s and %d tries", self._what, time.monotonic() - self._began, self._tries)
            self._began = None


def _line(why: object) -> str:
    return " ".join(str(why).split())[:300]
