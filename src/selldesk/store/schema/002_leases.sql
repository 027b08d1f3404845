-- Leases of bots, what Steam forbids a bot or a game for a while, and quarantine.

CREATE TABLE worker (                -- processes that work for bots, by the desk's machine time
    name TEXT PRIMARY KEY,
    until_us BIGINT NOT NULL
);

CREATE TABLE bot_lease (             -- I13: who works for a bot; news with an older fence are refused
    bot BIGINT PRIMARY KEY,
    worker TEXT,
    fence BIGINT NOT NULL,
    until_us BIGINT NOT NULL
);

CREATE TABLE bot_block (             -- games that a bot can't take for a while, since its inventory there is full
    bot BIGINT NOT NULL,
    game BIGINT NOT NULL,
    until BIGINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (bot, game)
);

CREATE TABLE game_pause (            -- games whose item server Steam can't reach: no bot sends
    game BIGINT PRIMARY KEY,
    until BIGINT NOT NULL,
    reason TEXT NOT NULL
);

ALTER TABLE bot ADD COLUMN quarantined_until BIGINT;   -- in quarantine: when it ends by itself; NULL: an operator ends it
CREATE INDEX alert_open_without_trade ON alert (kind) WHERE closed_at IS NULL AND trade_id IS NULL;
