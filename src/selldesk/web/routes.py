"""The route table's types: what a route takes, gives, and may refuse. The OpenAPI document is made from nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from selldesk.kernel.limits import BODY_BYTES_MAX
from selldesk.kernel.refusals import NOT_FOUND, Kind
from selldesk.people.roles import Role, pack_roles
from selldesk.web.keyring import Identity

ANYONE: tuple[Role, ...] = ()
"""No key needed."""
ANY_ROLE = (Role.PROJECT, Role.BUYER, Role.OPERATOR)


class Call(msgspec.Struct):
    """One request, as a handler sees it: who asks, and what, already checked."""

    identity: Identity | None
    path: dict[str, str]
    query: dict[str, str]
    body: Any
    headers: dict[str, str]
    raw_body: bytes = b""
    """As it came; of large bodies nothing."""

    @property
    def person(self) -> int:
        """The number of whoever holds the key."""
        assert self.identity is not None
        return self.identity.person

    @property
    def login(self) -> str:
        assert self.identity is not None
        return self.identity.login


class Reply(msgspec.Struct):
    """A success. `data` goes into the envelope; `raw` goes out as it is; `stream` part by part, as fast as the client reads."""

    data: Any = None
    status: int = 200
    raw: bytes | None = None
    stream: AsyncIterator[bytes] | None = None
    """Closed when the client is gone, its key ends, or it takes no more. A fault within ends the connection in the middle: the status is
    out already."""
    closed: Callable[[], None] = lambda: None
    """Called once, when nothing more of this reply will be sent."""
    content_type: str = "application/json"
    headers: Sequence[tuple[str, str]] = ()


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True)
class Parameter:
    """A query parameter, for the OpenAPI document; handlers parse it with web/queries.py."""

    name: str
    schema: dict[str, Any]
    text: str
    required: bool = False


@dataclass(frozen=True)
class RouteSpec:
    method: str
    path: str
    """Starlette's pattern: /api/x/{id} or {rest:path}."""
    handler: Handler
    summary: str
    roles: tuple[Role, ...]
    answer: Any
    """The type of `data`."""
    body: type | None = None
    wire: type | None = None
    """What the body is decoded as, if not at once as `body`: with parts left raw, which the handler decodes itself."""
    status: int = 200
    also: tuple[tuple[int, str], ...] = ()
    """Other successes: (status, what it means)."""
    query: tuple[Parameter, ...] = ()
    refusals: tuple[Kind, ...] = ()
    tag: str = ""
    body_max: int = BODY_BYTES_MAX
    elements_max: int = 0
    """Of a large body: how many JSON values it may hold; counted before it is decoded."""
    is_fast: bool = False
    """match and create: the generous rate limit."""
    enveloped: bool = True
    refuses_unknown_query: bool = False
    """Whether a query parameter that is not in `query` is refused; else it is ignored, for clients of the document send them (R1)."""
    lookup: Kind = NOT_FOUND
    """What an unreadable path answers."""
    decoder: Any = field(init=False, default=None)
    role_bits: int = field(init=False, default=0)
    query_names: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "role_bits", pack_roles(self.roles))
        object.__setattr__(self, "query_names", frozenset(parameter.name for parameter in self.query))
        if self.body is not None:
            object.__setattr__(self, "decoder", msgspec.json.Decoder(self.wire or self.body))
