-- What people are told: one row an event and reader, in the order of the commits; and which steps of a sale were told.

CREATE TABLE event (
    person BIGINT NOT NULL,          -- who is told
    seq BIGINT NOT NULL,             -- the batch that told it
    place BIGINT NOT NULL,           -- and its place there: no two events of a batch share one
    id TEXT NOT NULL,                -- a UUID that ends in both (events/cursors.py)
    type TEXT NOT NULL,
    role TEXT,                       -- in whose view; NULL: there is but one
    at BIGINT NOT NULL,
    version BIGINT,                  -- of the trade; NULL elsewhere
    subject TEXT NOT NULL,           -- the id of what it tells about
    body TEXT NOT NULL,              -- of a trade what may change, as it stood then (trades/views.py); else the whole of it. JSON
    PRIMARY KEY (person, seq, place)
);

CREATE TABLE event_mark (            -- every event up to here may have been deleted for its age
    one BIGINT PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL,
    place BIGINT NOT NULL,
    at BIGINT NOT NULL               -- when the youngest that was deleted happened
);

ALTER TABLE trade_history ADD COLUMN told BIGINT NOT NULL DEFAULT 0;   -- readers who were told of this step; an older version tells nobody
