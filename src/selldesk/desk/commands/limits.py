"""How much anybody may have open, and who may sell (people P6)."""

from selldesk.desk.commands.base import Command
from selldesk.desk.commands.replies import Done
from selldesk.sellers.limits import MarketLimits, ProjectLimits


class SetLimits(Command[Done], frozen=True, kw_only=True):
    """The market's limits, whole (people P6)."""

    operator: str
    limits: MarketLimits


class SetProjectLimits(Command[Done], frozen=True, kw_only=True):
    """What one project has of its own; nothing set: the market's."""

    operator: str
    person_id: str
    limits: ProjectLimits


class SetSeller(Command[Done], frozen=True, kw_only=True):
    """`normal`, `trusted` or `blocked`, until then or until it is changed."""

    operator: str
    steamid64: str
    status: str
    reason: str
    until: int | None = None
