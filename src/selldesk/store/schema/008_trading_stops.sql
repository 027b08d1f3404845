-- When trading was stopped, by an operator or because the database lost what was committed, and which bots were looked at since.

CREATE TABLE trading_stop (
    since BIGINT PRIMARY KEY,
    reason TEXT NOT NULL,
    by_whom TEXT NOT NULL,
    history_lost BIGINT NOT NULL,    -- 1: batches are missing; Steam may know more than the store
    ended_at BIGINT,
    ended_by TEXT,
    end_reason TEXT
);

CREATE TABLE bot_look (              -- when a bot's whole list of offers was last compared with the store, while trading is stopped
    bot BIGINT PRIMARY KEY,
    at BIGINT NOT NULL
);
