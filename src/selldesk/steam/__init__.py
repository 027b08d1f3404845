"""A client for Steam's web protocol: transport seam, session, typed results. Knows nothing of the market."""
