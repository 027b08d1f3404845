"""A Steam that runs on your machine: accounts, inventories, offers, trades, sellers who act, and switches for its moods.

It knows nothing of selldesk: any Steam trading program can be developed against it.
"""
