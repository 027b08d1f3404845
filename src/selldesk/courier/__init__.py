"""Webhooks on their way: each event to each endpoint that wants it, at least once, whatever the receivers do."""
