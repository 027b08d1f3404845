-- Endpoints that are sent events, what was and is to be sent to each, and which courier works for it.

CREATE TABLE endpoint (
    id TEXT PRIMARY KEY,
    person BIGINT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,            -- JSON list: types, families or '*'
    description TEXT,
    enabled BIGINT NOT NULL,
    disabled_reason TEXT,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL,
    secret BYTEA NOT NULL,           -- sealed
    old_secret BYTEA,                -- the one before, while both sign
    old_until BIGINT,
    seq BIGINT NOT NULL,             -- every event up to here is queued, or not wanted
    place BIGINT NOT NULL,
    failing_since BIGINT,            -- these four are the courier's
    failures BIGINT NOT NULL DEFAULT 0,
    in_a_row BIGINT NOT NULL DEFAULT 0,
    last_success_at BIGINT
);
CREATE INDEX endpoint_by_person ON endpoint (person);

CREATE TABLE webhook_entry (         -- one event to one endpoint
    endpoint TEXT NOT NULL,
    seq BIGINT NOT NULL,
    place BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    made BIGINT NOT NULL,            -- attempts of the schedule that runs
    next_attempt_at BIGINT,          -- NULL: none
    attempts TEXT NOT NULL,          -- JSON list, oldest first
    PRIMARY KEY (endpoint, seq, place)
);
CREATE INDEX webhook_entry_pending ON webhook_entry (endpoint, next_attempt_at) WHERE state = 'pending';

CREATE TABLE courier_lease (         -- who sends to an endpoint, by the store's clock or, where it has none, the machine's
    endpoint TEXT PRIMARY KEY,
    courier TEXT NOT NULL,
    until_us BIGINT NOT NULL
);

CREATE TABLE courier (               -- couriers that are alive
    name TEXT PRIMARY KEY,
    until_us BIGINT NOT NULL
);
