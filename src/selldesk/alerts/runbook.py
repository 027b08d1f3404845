"""The alerts' part of docs/operating.md, made from their declaration: `make runbook` writes it, a test compares."""

import sys
from pathlib import Path

from selldesk.alerts.kinds import KINDS

BEGIN, END = "<!-- alerts: made by `make runbook` from alerts/kinds.py -->", "<!-- end of the alerts -->"


def page() -> str:
    """One section of Markdown a kind."""
    parts = [
        f"### `{kind.name}`\n\n{kind.meaning}\n\n**Do**: {kind.remedy}\n\nCloses {kind.closes.value}." for kind in KINDS.values()
    ]
    return f"{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}"


def rewritten(text: str) -> str:
    """The document with today's alerts in it. Raises ValueError if it lacks the two marks."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the two marks {BEGIN!r} and {END!r} are missing")
    return before + page() + after


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
