"""The market as a whole: its brakes, rooms, catalog and alerts."""

from selldesk.desk.commands.base import Command
from selldesk.desk.commands.replies import Done, ItemsImported, RoomReply, Watched


class CloseAlert(Command[Done], frozen=True, kw_only=True):
    operator: str
    alert_id: str
    reason: str


class Watch(Command[Watched], frozen=True, kw_only=True):
    """What the desk's own clock found to be done (desk/watching.py). All of it is judged again on the rows of the transaction."""

    end: list[str]
    overdue: list[str]
    close: list[tuple[str, str]]
    open: list[tuple[str, int | None, str]]
    stocktakes: list[int]


class StopGame(Command[Done], frozen=True, kw_only=True):
    """Nothing new of one game begins."""

    operator: str
    game: int
    reason: str


class ResumeGame(Command[Done], frozen=True, kw_only=True):
    operator: str
    game: int
    reason: str


class StopTrading(Command[Done], frozen=True, kw_only=True):
    """Nothing new begins. `known_seq`: a batch that was seen committed and that the store has lost. `history_lost`: an operator says that it
    lost some."""

    operator: str
    reason: str
    known_seq: int | None = None
    history_lost: bool = False


class ResumeTrading(Command[Done], frozen=True, kw_only=True):
    operator: str
    reason: str
    force: bool = False


class PutRoom(Command[RoomReply], frozen=True, kw_only=True):
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


class DropRoom(Command[Done], frozen=True, kw_only=True):
    operator: str
    id: int


class ImportItems(Command[ItemsImported], frozen=True, kw_only=True):
    """One portion of a catalog: (name, reference price or None)."""

    operator: str
    game: int
    items: list[tuple[str, int | None]]


class ForgetEvents(Command[Done], frozen=True, kw_only=True):
    """A portion of each of these people's events that happened before that moment is deleted."""

    people: list[int]
    before: int


class SetMark(Command[Done], frozen=True, kw_only=True):
    name: str
    value: str
