"""The market as a whole: its brakes, rooms, catalog and alerts."""

from selldesk.desk.commands.base import Command


class CloseAlert(Command, frozen=True):
    operator: str
    alert_id: str
    reason: str


class Watch(Command, frozen=True):
    """What the desk's own clock found to be done (desk/watching.py). All of it is judged again on the rows of the transaction."""

    end: list[str]
    overdue: list[str]
    close: list[tuple[str, str]]
    open: list[tuple[str, int | None, str]]
    stocktakes: list[int]


class StopGame(Command, frozen=True):
    """Nothing new of one game begins."""

    operator: str
    game: int
    reason: str


class ResumeGame(Command, frozen=True):
    operator: str
    game: int
    reason: str


class StopTrading(Command, frozen=True):
    """Nothing new begins. `known_seq`: a batch that was seen committed and that the store has lost. `history_lost`: an operator says that it
    lost some."""

    operator: str
    reason: str
    known_seq: int | None = None
    history_lost: bool = False


class ResumeTrading(Command, frozen=True):
    operator: str
    reason: str
    force: bool = False


class PutRoom(Command, frozen=True):
    """Creates (id None) or replaces a room."""

    operator: str
    id: int | None
    name: str
    game: int | None
    min_value: int | None
    max_value: int | None
    buyers: list[int] | None
    bots: list[int] | None
    priority: int
    enabled: bool


class DropRoom(Command, frozen=True):
    operator: str
    id: int


class ImportItems(Command, frozen=True):
    """One portion of a catalog: (name, reference price or None)."""

    operator: str
    game: int
    items: list[tuple[str, int | None]]


class SetMark(Command, frozen=True):
    name: str
    value: str
