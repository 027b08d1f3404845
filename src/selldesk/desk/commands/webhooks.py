"""Endpoints that are sent events."""

from selldesk.desk.commands.base import Command
from selldesk.desk.commands.replies import Done, EndpointReply, Queued, SecretRotated


class AddEndpoint(Command[EndpointReply], frozen=True, kw_only=True):
    person: int
    id: str
    url: str
    events: list[str]
    """Types, families, or `*`."""
    description: str | None
    enabled: bool
    secret: bytes
    """Sealed."""


class ChangeEndpoint(Command[EndpointReply], frozen=True, kw_only=True):
    """Only what is given changes."""

    person: int
    id: str
    url: str | None = None
    events: list[str] | None = None
    description: str | None = None
    drops_description: bool = False
    enabled: bool | None = None


class DropEndpoint(Command[Done], frozen=True, kw_only=True):
    person: int
    id: str


class RotateSecret(Command[SecretRotated], frozen=True, kw_only=True):
    """The former secret signs too for so long; 0: no more."""

    person: int
    id: str
    secret: bytes
    overlap_seconds: int


class DisableEndpoint(Command[Done], frozen=True, kw_only=True):
    """Its courier gives it up: `gone` or `failing`."""

    id: str
    reason: str


class Redeliver(Command[Done], frozen=True, kw_only=True):
    """One entry of its log, by its event's place: the schedule begins anew."""

    person: int
    id: str
    seq: int
    place: int


class Recover(Command[Queued], frozen=True, kw_only=True):
    """One portion of the events since then that it has not delivered, after that place."""

    person: int
    id: str
    since: int
    types: list[str] | None
    after: tuple[int, int]


class ResealEndpoint(Command[Done], frozen=True, kw_only=True):
    """The same secrets under another seal; what was changed meanwhile stays as it is."""

    id: str
    old: tuple[bytes, bytes | None]
    new: tuple[bytes, bytes | None]
