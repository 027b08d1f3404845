"""The HTTP edge: one module per area, one typed route table, OpenAPI made from it."""
