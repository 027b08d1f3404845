"""`/api/operator/…`: one noun a file."""
