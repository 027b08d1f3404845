"""The use cases: each is one decision across rooms inside one transaction."""
