"""One sale: its statuses and stages, what Steam's word makes of them, its views. Pure."""
