"""The only room that speaks SQL: schema/ (forward-only migrations), queries/ (named blocks), one adapter an engine."""
