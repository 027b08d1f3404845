"""What the API processes count about their answers: each its own, and the sums of all."""

from collections.abc import Callable
from pathlib import Path

import msgspec


class Counted(msgspec.Struct):
    """What one API process has counted since it began."""

    requests: dict[tuple[str, int], int] = {}
    """(route, status) → answers."""
    no_bot: dict[str, int] = {}
    """Cause → creates that found no bot."""


class Counts:
    """Counters of all API processes of a market. Each keeps its own in a file beside the desk's socket, so that every one can tell the
    sums; what a process counted before it died stays counted."""

    def __init__(self, folder: Path, name: str, own: Callable[[], Counted]) -> None:
        self._path = folder / f"counts-{name}"
        self._folder = folder
        self._own = own

    def write(self) -> None:
        """Once a second or so; whole or not at all."""
        own = self._own()
        body = msgspec.msgpack.encode(
            {"requests": [[route, status, count] for (route, status), count in own.requests.items()], "no_bot": own.no_bot}
        )
        temporary = self._path.with_suffix(".new")
        temporary.write_bytes(body)
        temporary.replace(self._path)

    def sums(self) -> Counted:
        """This process as it is now, the others as they last wrote."""
        own = self._own()
        total = Counted(dict(own.requests), dict(own.no_bot))
        for path in self._folder.glob("counts-*"):
            if path == self._path or path.suffix == ".new":
                continue
            try:
                body = msgspec.msgpack.decode(path.read_bytes())
            except (OSError, msgspec.MsgspecError):
                continue
            for route, status, count in body["requests"]:
                total.requests[route, status] = total.requests.get((route, status), 0) + count
            for cause, count in body["no_bot"].items():
                total.no_bot[cause] = total.no_bot.get(cause, 0) + count
        return total
