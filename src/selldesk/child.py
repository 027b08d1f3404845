"""A process that another one of the market started beside itself (children.py): it shares that one's desk, and its end is our end.

Its parent sends one JSON line on standard input and keeps the pipe open.
"""

import logging
import socket
from pathlib import Path

import msgspec
import uvloop

from selldesk.children import ChildSettings
from selldesk.kernel.processes import exit_with_parent, first_line_from_parent, prepare_process
from selldesk.wiring import RunningMarket


def main() -> None:
    prepare_process()
    told = msgspec.json.decode(first_line_from_parent(), type=ChildSettings)
    kind = "work" if told.descriptor is None else "api"
    logging.basicConfig(level=told.log_level, format=f"%(asctime)s {kind} %(levelname)s %(name)s: %(message)s")
    exit_with_parent()
    market = RunningMarket(
        told.settings,
        clock_path=None if told.clock_path is None else Path(told.clock_path),
        with_api=told.descriptor is not None,
        desk_socket=Path(told.desk_socket),
        listener=None if told.descriptor is None else socket.socket(fileno=told.descriptor),
    )
    uvloop.run(market.run())


if __name__ == "__main__":
    main()
