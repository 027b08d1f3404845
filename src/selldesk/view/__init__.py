"""The book and the people as one process sees them, and how they keep up with what the desks commit."""
