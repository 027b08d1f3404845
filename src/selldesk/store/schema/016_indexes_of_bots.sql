-- A store that nobody has analyzed (SQLite's never is) took the index of all sales of a bot's life to find the few that run: an index
-- with both columns of the question is always preferred.

CREATE INDEX trade_processing_of_bot ON trade (bot, status, id) WHERE status = 'processing';
CREATE INDEX item_note_missing ON item_note (trade_id) WHERE state = 'missing';
