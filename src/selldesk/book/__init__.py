"""Buy orders and matching. In memory, pure: `engine` is fast, `plain` is the same law in obvious lines."""
