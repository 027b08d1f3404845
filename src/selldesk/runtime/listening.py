"""Taking a port."""

import errno
import socket
import time

from selldesk.config import BadSetting
from selldesk.kernel.processes import listener_of

_PORT_WAIT_SECONDS = 3


def listen_on(host: str, port: int) -> socket.socket:
    """A socket that holds the port. A killed predecessor may need a moment to let go of it. Raises BadSetting if it stays taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + _PORT_WAIT_SECONDS
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            return listener
        except OverflowError:
            listener.close()
            raise BadSetting(f"{port} is not a port: 1 to 65535") from None
        except OSError as error:
            listener.close()
            if time.monotonic() > deadline:
                who = listener_of(port)
                by = f" by {who}" if who is not None and error.errno == errno.EADDRINUSE else ""
                raise BadSetting(f"can't listen on {host} port {port}: {error.strerror or error}{by}") from None
        time.sleep(0.1)
