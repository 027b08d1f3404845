"""Every action of an operator lands in an append-only log, in the transaction of the action itself (contract C4)."""

from typing import Any

import msgspec

from selldesk.desk.batch import Batch


def log(batch: Batch, operator: str, action: str, target: str, body: dict[str, Any]) -> None:
    """`operator` is a login, or 'shell' for the command line. Secrets never go into the body."""
    batch.store.execute(
        "add_log",
        id=batch.new_id(),
        at=batch.now,
        operator=operator,
        action=action,
        target=target,
        body=msgspec.json.encode(body).decode(),
    )
    batch.wrote_directly = True
