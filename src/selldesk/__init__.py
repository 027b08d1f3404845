"""selldesk: an open market where sellers sell Steam items to VIP buyers."""

__version__ = "0.1.0"
