"""Writes that are no decisions and must not queue at the desk: heartbeats of bots, the last use of keys."""

import threading
from collections.abc import Callable

from selldesk.store.store import CommitUnknown, Store, StoreConflict, StoreUnavailable, Writer


class SmallWrites:
    """Small writes of their own. A write that can't be made now is given up: the next one says the same again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writer: Writer | None = None
        self._lock = threading.Lock()

    def beat(self, bot: int, real_us: int) -> bool:
        """A bot's last good call to Steam, by the machine's clock."""
        return self._write(lambda writer: writer.execute("beat", bot=bot, real_us=real_us))

    def touch_keys(self, used: dict[str, int]) -> bool:
        """Key hash → when it was last used."""
        return self._write(lambda writer: writer.write("touch_keys", sorted(used.items())))

    def _write(self, change: Callable[[Writer], object]) -> bool:
        with self._lock:
            try:
                if self._writer is None:
                    self._writer = self._store.writer()
                self._writer.begin()
                change(self._writer)
                self._writer.commit()
            except (StoreUnavailable, StoreConflict, CommitUnknown):
                if self._writer is not None:
                    self._writer.rollback()
                return False
            except BaseException:
                if self._writer is not None:
                    self._writer.rollback()
                raise
            return True
