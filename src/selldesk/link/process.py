"""The desk's own process. Its parent sends one JSON line on standard input and keeps the pipe open: its end is our end."""

import logging
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from selldesk.desk.desk import Desk
from selldesk.desk.settings import DeskSettings
from selldesk.kernel.clock import Clock, SharedClock, SystemClock
from selldesk.kernel.memory import exclude_loaded_from_collection
from selldesk.kernel.processes import exit_with_parent, first_line_from_parent, prepare_process
from selldesk.link.server import DeskServer
from selldesk.store.open import open_store


class DeskProcessSettings(msgspec.Struct):
    database_url: str
    socket_path: str
    clock_path: str | None
    desk: DeskSettings


def make_clock(clock_path: Path | None) -> Clock:
    """The sandbox's shared clock, or the machine's."""
    return SharedClock(clock_path) if clock_path is not None else SystemClock()


def main() -> None:
    prepare_process()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s desk %(levelname)s %(message)s", stream=sys.stderr)
    settings = msgspec.json.decode(first_line_from_parent(), type=DeskProcessSettings)
    exit_with_parent()
    # A signal to the whole group reaches the desk too: those that stop beside it still need it. It ends with its parent.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    desk = Desk(
        open_store(settings.database_url).writer(),
        make_clock(Path(settings.clock_path) if settings.clock_path is not None else None),
        settings.desk,
    )
    exclude_loaded_from_collection()
    uvloop.run(DeskServer(desk, settings.desk.batch_max, settings.desk.watch_seconds).run(Path(settings.socket_path)))


if __name__ == "__main__":
    main()
