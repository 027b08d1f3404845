"""What news make of a sale: the status moves, notes and alerts that the desk carries out. Status and money are moved by the desk alone."""

from dataclasses import dataclass, field

from selldesk.trades.status import Status


@dataclass(frozen=True)
class Move:
    """A step of the sale. Without a status it is a note in the history."""

    note: str
    status: Status | None = None
    error: str | None = None


@dataclass
class Effects:
    moves: list[Move] = field(default_factory=list)
    alerts: list[tuple[str, str]] = field(default_factory=list)
    """(kind, text); one of a kind stays open per trade."""


def end(status: Status, error: str) -> Effects:
    return Effects([Move(error, status, error)])
