"""Every action of an operator lands in an append-only log, in the transaction of the action itself (contract C4)."""

from typing import Any

import msgspec

from selldesk.desk.work import Work
from selldesk.kernel import ids


def log(work: Work, operator: str, action: str, target: str, body: dict[str, Any]) -> None:
    """`operator` is a login, or 'shell' for the command line. Secrets never go into the body."""
    work.store.execute(
        "add_log",
        id=ids.new_uuid7(work.now),
        at=work.now,
        operator=operator,
        action=action,
        target=target,
        body=msgspec.json.encode(body).decode(),
    )
    work.wrote_directly = True
