"""Child processes that must not outlive their parent."""

import os
import sys
import threading


def exit_with_parent() -> None:
    """Ends this process at once when the parent's end of standard input closes, however the parent died."""

    def watch() -> None:
        # Unbuffered on purpose: a buffered stdin held by this thread would make the interpreter's own exit abort.
        while os.read(descriptor, 4096):
            pass
        os._exit(0)

    descriptor = sys.stdin.fileno()
    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def first_line_from_parent() -> bytes:
    """The one line of settings that the parent sends before it keeps the pipe open."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(sys.stdin.fileno(), 65_536)
        if not chunk:
            raise SystemExit("this process is started by selldesk itself")
        line += chunk
    return line
