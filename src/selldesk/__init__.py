"""selldesk: an open market where sellers sell Steam items to VIP buyers."""
