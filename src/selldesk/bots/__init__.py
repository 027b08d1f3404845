"""Purchase rooms, the choice of a bot, and a bot's agenda: what to do next, as data. Pure."""
