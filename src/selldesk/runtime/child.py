"""A process that another one of the market started beside itself (children.py): it shares that one's desk, and its end is our end.

Its parent sends one JSON line on standard input and keeps the pipe open.
"""

import logging
import socket
from pathlib import Path

import msgspec
import uvloop

from selldesk.kernel.processes import exit_with_parent, first_line_from_parent, prepare_process
from selldesk.runtime.api_process import ApiProcess
from selldesk.runtime.children import ChildSettings
from selldesk.runtime.market_process import MarketProcess
from selldesk.runtime.work_process import WorkProcess


def main() -> None:
    prepare_process()
    told = msgspec.json.decode(first_line_from_parent(), type=ChildSettings)
    kind = "work" if told.descriptor is None else "api"
    logging.basicConfig(level=told.log_level, format=f"%(asctime)s {kind} %(levelname)s %(name)s: %(message)s")
    exit_with_parent()
    clock_path = None if told.clock_path is None else Path(told.clock_path)
    process: MarketProcess
    if told.descriptor is None:
        process = WorkProcess(told.settings, clock_path=clock_path, desk_socket=Path(told.desk_socket))
    else:
        listener = socket.socket(fileno=told.descriptor)
        process = ApiProcess(told.settings, clock_path=clock_path, desk_socket=Path(told.desk_socket), listener=listener)
    uvloop.run(process.run())


if __name__ == "__main__":
    main()
