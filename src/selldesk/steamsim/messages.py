"""Requests and responses of the simulated Steam, whoever brings them: a socket (serving.py) or a caller in the same process."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec


class Headers(dict[str, str]):
    """Names in any case."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        super().__init__({name.lower(): value for name, value in (headers or {}).items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(name.lower(), value)


@dataclass
class Request:
    method: str
    path: str
    """Decoded."""
    host: str
    headers: Headers = field(default_factory=Headers)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    """The text fields of an urlencoded or multipart body."""
    body: bytes = b""
    content_type: str = ""
    secure: bool = False
    match_info: dict[str, str] = field(default_factory=dict)
    """What the route's path names."""
    is_dropped: bool = False
    """The connection ends without an answer."""


class Response:
    def __init__(
        self,
        text: str | None = None,
        body: bytes = b"",
        status: int = 200,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.body = body if text is None else text.encode()
        self.content_type = content_type or ("application/octet-stream" if text is None else "text/plain")
        self.headers = Headers(headers)
        charset = "" if text is None else "; charset=utf-8"
        self.headers["content-type"] = f"{self.content_type}{charset}"
        self.cookies: list[str] = []
        """Set-Cookie, as it stands in the answer."""


class Answered(Exception):
    """Ends a handler with this response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def found(location: str) -> Response:
    """302"""
    return Response("302: Found", status=302, headers={"Location": location})


def json_response(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")


def json_body(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body=msgspec.json.encode(body), status=status, content_type="application/json", headers=headers)


Handler = Callable[[Request], Awaitable[Response]]


class Routes:
    """Handlers by method and path. A path names parts as `{name}`, or `{name:pattern}`."""

    def __init__(self) -> None:
        self._fixed: dict[str, dict[str, Handler]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Handler]]] = []
        self._by_path: dict[str, dict[str, Handler]] = {}

    def add(self, method: str, path: str, handler: Handler) -> None:
        """`method` *: any."""
        methods = self._by_path.get(path)
        if methods is None:
            methods = self._by_path[path] = {}
            if "{" in path:
                self._patterns.append((_pattern(path), methods))
            else:
                self._fixed[path] = methods
        methods[method] = handler

    def get(self, path: str, handler: Handler) -> None:
        self.add("GET", path, handler)

    def post(self, path: str, handler: Handler) -> None:
        self.add("POST", path, handler)

    def put(self, path: str, handler: Handler) -> None:
        self.add("PUT", path, handler)

    def delete(self, path: str, handler: Handler) -> None:
        self.add("DELETE", path, handler)

    async def answer(self, request: Request) -> Response:
        """Raises what handlers raise, Answered included."""
        status = 404
        for methods, named in self._candidates(request.path):
            handler = methods.get("GET" if request.method == "HEAD" else request.method) or methods.get("*")
            if handler is not None:
                request.match_info = named
                return await handler(request)
            status = 405
        return Response("404: Not Found" if status == 404 else "405: Method Not Allowed", status=status)

    def _candidates(self, path: str) -> list[tuple[dict[str, Handler], dict[str, str]]]:
        fixed = self._fixed.get(path)
        found = [] if fixed is None else [(fixed, dict[str, str]())]
        return found + [(methods, match.groupdict()) for pattern, methods in self._patterns if (match := pattern.fullmatch(path))]


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(?::((?:[^{}]|\{[^{}]*\})+))?\}", path)
    text = ""
    for place in range(0, len(parts), 3):
        text += re.escape(parts[place])
        if place + 1 < len(parts):
            text += f"(?P<{parts[place + 1]}>{parts[place + 2] or '[^/]+'})"
    return re.compile(text)
