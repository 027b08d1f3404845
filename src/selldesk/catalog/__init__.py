"""Games and the names of their items. A market_hash_name is exact: names that differ only by case exist."""
