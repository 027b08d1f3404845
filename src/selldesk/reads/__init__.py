"""Questions for people: what routes, command line and pages show, read from a store of any engine. No HTTP, no desk."""
