-- Which release a worker process is of: seals that earlier ones can't read begin only once none of them is left (selldesk reseal).

ALTER TABLE worker ADD COLUMN seal_format BIGINT;     -- what it can read; NULL: a release before 2
