"""What people are told: the kinds of events, and the marks by which a reader goes on where it was. Pure."""
