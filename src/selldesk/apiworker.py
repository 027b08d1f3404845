"""One more API process of a machine, beside the first: the same listening socket, the same desk (`selldesk serve --workers`).

Its parent sends one JSON line on standard input and keeps the pipe open: its end is our end.
"""

import logging
import socket
from pathlib import Path

import msgspec
import uvloop

from selldesk.apiprocesses import ApiWorkerSettings
from selldesk.kernel.processes import exit_with_parent, first_line_from_parent
from selldesk.wiring import RunningMarket


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s api %(levelname)s %(name)s: %(message)s")
    told = msgspec.json.decode(first_line_from_parent(), type=ApiWorkerSettings)
    exit_with_parent()
    listener = socket.socket(fileno=told.descriptor)
    market = RunningMarket(told.settings, with_workers=False, desk_socket=Path(told.desk_socket), listener=listener)
    uvloop.run(market.run())


if __name__ == "__main__":
    main()
