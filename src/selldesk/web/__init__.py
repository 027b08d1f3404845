"""What every HTTP face shares: the application, its routes, bodies, bounds, keys and the OpenAPI document."""
