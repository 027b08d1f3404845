"""The `selldesk` command."""
