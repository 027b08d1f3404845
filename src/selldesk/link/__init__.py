"""The desk's socket: the process that decides, and how the others reach it."""
