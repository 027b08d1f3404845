"""The limits of the market, and of one project."""

import msgspec

from selldesk.sellers.limits import MarketLimits, ProjectLimits, read_limits
from selldesk.store.rows import PersonLimitsRow
from selldesk.store.store import Reader


def limits_of_market(reader: Reader) -> MarketLimits:
    return read_limits(reader.value("load_limits"))


def own_limits(reader: Reader, person: int) -> ProjectLimits | None:
    """What a project has of its own."""
    rows = reader.load_as(PersonLimitsRow, "load_person_limits", [(person,)])
    return msgspec.json.decode(rows[0].body, type=ProjectLimits) if rows else None
