"""Is everything coherent? Every ledger, hold, order, trade and book question, asked of the store alone (contract C4)."""

from typing import Any, NamedTuple

from selldesk.store.blocks import all_blocks
from selldesk.store.store import Reader

_SHOWN_MAX = 20


class AuditResult(NamedTuple):
    checks: list[dict[str, Any]]
    """{name, rows}: how many rows broke it."""
    violations: list[dict[str, Any]]
    """{check, row}: the first of them, as they stand in the store."""


def run_audit(reader: Reader) -> AuditResult:
    """Runs all checks on one snapshot."""
    checks, violations = [], []
    with reader.snapshot():
        for name in all_blocks():
            if not name.startswith("audit_"):
                continue
            check = name.removeprefix("audit_")
            rows = reader.fetch(name)
            checks.append({"name": check, "rows": len(rows)})
            violations += [{"check": check, "row": [str(value) for value in row]} for row in rows[:_SHOWN_MAX]]
    return AuditResult(checks, violations)
