"""How a command ends (people P9): 0 done, 1 refused or something was found, 2 used wrongly, 3 not reached."""

from selldesk.config import BadSetting
from selldesk.kernel.refusals import Refusal
from selldesk.store.open import BadDatabaseUrl
from selldesk.store.store import BadStore, StoreUnavailable


class Refused(Exception):
    """One clear line: what was asked well is refused, or what was looked at is not as it should be."""


class NotReached(Exception):
    """One clear line: who did not answer."""


EXITS: tuple[tuple[type[Exception], int], ...] = (
    (Refusal, 1),
    (Refused, 1),
    (BadSetting, 2),
    (BadDatabaseUrl, 2),
    (BadStore, 2),
    (StoreUnavailable, 3),
    (NotReached, 3),
)


def exit_code(error: Exception) -> int:
    return next(code for kind, code in EXITS if isinstance(error, kind))


def one_line(error: Exception) -> str:
    """What stands on stderr."""
    if isinstance(error, StoreUnavailable):
        return f"the store is not available: {' '.join(str(error).split())}"
    if isinstance(error, Refusal):
        details = "; ".join(f"{one['path']} {one['message']}" for one in error.details or [])
        return f"{error}{f': {details}' if details else ''}"
    return str(error)
