"""The whole market on one machine in one go: simulator, demo people, rooms, bots, catalog, orders (contract C8)."""
