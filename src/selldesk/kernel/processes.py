"""Child processes that must not outlive their parent, and names by which others can tell that a process is gone."""

import contextlib
import os
import resource
import secrets
import signal
import socket
import sys
import threading
from pathlib import Path

_FILES_MAX = 65_536
_LISTENING = "0A"
"""In the kernel's table of sockets."""


def prepare_process() -> None:
    """At every entry: what this process writes is its user's alone, and it may have as many connections as the system lets it."""
    os.umask(0o077)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def exit_with_parent() -> None:
    """Ends this process at once when the parent's end of standard input closes, however the parent died.

    Ctrl-C reaches the whole family at once; a child leaves it to its parent, who stops everybody in the right order.
    """

    def watch() -> None:
        # Unbuffered on purpose: a buffered stdin held by this thread would make the interpreter's own exit abort.
        while os.read(descriptor, 4096):
            pass
        os._exit(0)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
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


def process_name() -> str:
    """A name for this process that nobody else has or will have: `machine/pid/start/salt`.

    The machine part holds the boot and the process namespace, so that a process number means the same to whoever compares it.
    """
    return f"{_machine()}/{os.getpid()}/{_started_at(os.getpid()) or 0}/{secrets.token_hex(4)}"


def is_gone(name: str) -> bool:
    """Whether the process of that name surely runs no more. Of another machine, or where /proc is missing, nothing is sure."""
    machine, _, rest = name.partition("/")
    parts = rest.split("/")
    if machine != _machine() or len(parts) != 3 or not parts[0].isdigit() or parts[1] in ("", "0"):
        return False
    return _started_at(int(parts[0])) != int(parts[1])


def listener_of(port: int) -> str | None:
    """`python3 (process 4711)`: who listens on a TCP port of this machine, as far as /proc tells us."""
    sockets: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    sockets.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(file) in sockets for file in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return None


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return f"{socket.gethostname()}-unknown"
    return f"{socket.gethostname()}-{boot}-{namespace}"


def _started_at(pid: int) -> int | None:
    """The start of a process in the kernel's ticks; None without such a process (a zombie counts as none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])
