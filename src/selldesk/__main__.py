"""`python -m selldesk` is the selldesk command."""

from selldesk.cli.main import run

run()
