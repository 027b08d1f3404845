"""Receivers of webhooks as strangers write them: plain sockets in a thread, over TLS if a context is given, each with a mood."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

LINE_END = b"\r\n"


class Request(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


Mood = Callable[[socket.socket, Request], None]


def answer(status: int, body: bytes = b"ok", **headers: str) -> Mood:
    def mood(connection: socket.socket, request: Request) -> None:
        head = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
        head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    return mood


def hang(connection: socket.socket, request: Request) -> None:
    """Takes the request and says nothing until the other side goes."""
    connection.settimeout(60)
    connection.recv(1)


def reset(connection: socket.socket, request: Request) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def drip(connection: socket.socket, request: Request) -> None:
    """A head that never ends, a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
    while True:
        connection.sendall(b"z")
        time.sleep(0.05)


def flood(connection: socket.socket, request: Request) -> None:
    """Ten megabytes where a word would do."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n")
    for _ in range(160):
        connection.sendall(b"x" * 65_536)


def garbage(connection: socket.socket, request: Request) -> None:
    connection.sendall(b"\0\1\2 not http at all\r\n\r\n")


class Receiver:
    """`mood` may be changed while it runs. Listens on 127.0.0.1."""

    def __init__(self, mood: Mood | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.mood = mood or answer(200)
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._socket.getsockname()[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/hook"
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(60)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.add(connection)
            while (request := _read(connection)) is not None:
                self.requests.append(request)
                self.mood(connection, request)
        except (OSError, ValueError):
            pass
        finally:
            self._open.discard(connection)
            connection.close()

    def wait(self, count: int, seconds: float = 15) -> list[Request]:
        """Until so many requests have come."""
        deadline = time.monotonic() + seconds
        while len(self.requests) < count:
            assert time.monotonic() < deadline, f"{len(self.requests)} of {count} requests came"
            time.sleep(0.01)
        return self.requests[:count]

    def close(self) -> None:
        # The thread that waits for connections would keep a closed socket listening.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in list(self._open):
            connection.close()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(connection: socket.socket) -> Request | None:
    """One request with a content-length; None: the other side is gone."""
    data = b""
    while LINE_END * 2 not in data:
        part = connection.recv(65_536)
        if not part:
            return None
        data += part
    head, _, body = data.partition(LINE_END * 2)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65_536)
    return Request(first.split(" ")[1], headers, body, time.monotonic())
