"""The market in one process without sockets: its parts as they are, time and outside world in the hands of the caller."""
