"""`/api/buy/…`: one noun a file."""
