"""Webhooks: where events may be sent, when they are tried again, and when an endpoint is given up. Pure."""
