-- The market's store. Times are microseconds UTC, money is mills, ids are text, people, items, rooms and bots are numbers.
-- The CHECK and UNIQUE constraints are the second line of defence for the promises named beside them.

CREATE TABLE market (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL              -- the feed number: every batch takes the next one, and with it the lock
);
INSERT INTO market (one, seq) VALUES (1, 0);

CREATE TABLE mark (                  -- facts about the store itself, such as 'sandbox'
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE feed (                  -- what each batch changed, for books that follow
    seq BIGINT PRIMARY KEY,
    body BYTEA NOT NULL
);

CREATE TABLE person (
    number BIGINT PRIMARY KEY,       -- order of registration
    id TEXT NOT NULL UNIQUE,
    login TEXT NOT NULL UNIQUE,
    first_name TEXT,
    last_name TEXT,
    avatar TEXT,
    steamid64 TEXT UNIQUE,
    roles BIGINT NOT NULL,
    disabled BIGINT NOT NULL DEFAULT 0,
    frozen BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL
);

CREATE TABLE api_key (
    hash TEXT PRIMARY KEY,
    person BIGINT NOT NULL REFERENCES person (number),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    UNIQUE (person, name)
);

CREATE TABLE ledger_account (
    id BIGINT PRIMARY KEY,           -- see ledger/accounts.py
    balance BIGINT NOT NULL,
    CHECK (id < 0 OR balance >= 0)   -- I2
);

CREATE TABLE ledger_entry (
    id BIGINT PRIMARY KEY,
    transfer BIGINT NOT NULL,
    account BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    balance_after BIGINT NOT NULL,
    kind TEXT NOT NULL,
    trade_id TEXT,
    reference TEXT,
    at BIGINT NOT NULL
);
CREATE INDEX ledger_entry_by_account ON ledger_entry (account, id);

CREATE TABLE hold (
    trade_id TEXT PRIMARY KEY,       -- I3: one a trade
    buyer BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    captured BIGINT NOT NULL,
    released BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    CHECK ((closed_at IS NULL AND captured = 0 AND released = 0) OR (closed_at IS NOT NULL AND captured + released = amount))
);
CREATE INDEX hold_open ON hold (buyer) WHERE closed_at IS NULL;

CREATE TABLE money_reference (       -- deposits, withdrawals and adjustments, once each
    person BIGINT NOT NULL,
    direction TEXT NOT NULL,
    reference TEXT NOT NULL,
    amount BIGINT NOT NULL,
    entry BIGINT NOT NULL,
    balance_after BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (person, direction, reference)
);

CREATE TABLE item (
    number BIGINT PRIMARY KEY,
    game BIGINT NOT NULL,
    name TEXT NOT NULL,
    price BIGINT,
    UNIQUE (game, name)
);

CREATE TABLE buy_order (
    buyer BIGINT NOT NULL,
    item BIGINT NOT NULL,
    game BIGINT NOT NULL,
    price BIGINT NOT NULL CHECK (price > 0),
    amount BIGINT NOT NULL CHECK (amount > 0),
    remaining BIGINT NOT NULL CHECK (remaining >= 0),
    reserved BIGINT NOT NULL CHECK (reserved >= 0),
    sold BIGINT NOT NULL CHECK (sold >= 0),
    generation BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (buyer, item),
    CHECK (remaining + reserved + sold = amount)   -- I5
);
CREATE INDEX buy_order_by_game ON buy_order (buyer, game);

CREATE TABLE closed_order (          -- generations that were replaced or withdrawn after a trade took from them
    buyer BIGINT NOT NULL,
    item BIGINT NOT NULL,
    game BIGINT NOT NULL,
    price BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    remaining BIGINT NOT NULL CHECK (remaining >= 0),
    reserved BIGINT NOT NULL CHECK (reserved >= 0),
    sold BIGINT NOT NULL CHECK (sold >= 0),
    generation BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (buyer, item, generation),
    CHECK (remaining + reserved + sold = amount)
);

CREATE TABLE room (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    game BIGINT,
    min_value BIGINT,
    max_value BIGINT,
    buyers TEXT,                     -- JSON list of person numbers; NULL: all
    bots TEXT,                       -- JSON list of bot numbers; NULL: all
    priority BIGINT NOT NULL,
    enabled BIGINT NOT NULL
);

CREATE TABLE bot (
    number BIGINT PRIMARY KEY,
    steamid64 TEXT NOT NULL UNIQUE,
    account_name TEXT NOT NULL UNIQUE,
    profile_name TEXT,
    avatar TEXT,
    games TEXT,                      -- JSON list; NULL: all
    enabled BIGINT NOT NULL,
    state TEXT NOT NULL,
    state_reason TEXT,
    state_since BIGINT NOT NULL,
    live_offers BIGINT NOT NULL CHECK (live_offers >= 0),
    live_offers_max BIGINT NOT NULL,
    seller_offers_max BIGINT NOT NULL,
    items_held BIGINT NOT NULL CHECK (items_held >= 0),
    items_max BIGINT NOT NULL,
    secrets BYTEA NOT NULL,          -- encrypted
    tokens BYTEA,                    -- encrypted
    created_at BIGINT NOT NULL
);

CREATE TABLE bot_heartbeat (         -- written beside the desk, by the bot's worker; the machine's own time
    bot BIGINT PRIMARY KEY,
    last_good_real_us BIGINT NOT NULL
);

CREATE TABLE trade (
    id TEXT PRIMARY KEY,
    project BIGINT NOT NULL,
    buyer BIGINT NOT NULL,
    custom_id TEXT NOT NULL,
    custom_fold TEXT NOT NULL,       -- casefold of custom_id, for the substring search
    game BIGINT NOT NULL,
    value BIGINT NOT NULL CHECK (value > 0),
    fee BIGINT NOT NULL,
    items_count BIGINT NOT NULL,
    room BIGINT NOT NULL,
    seller TEXT NOT NULL,
    tradelink TEXT NOT NULL,
    message TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    bot BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('processing', 'accepted', 'completed', 'declined', 'cancelled',
                                           'rolled_back_by_user', 'rolled_back_by_bot', 'error')),
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    error TEXT,
    offer_id TEXT UNIQUE,
    offer_state BIGINT,
    steam_trade_id TEXT,
    steam_status BIGINT,
    settlement BIGINT,
    expires_at BIGINT,
    stage TEXT NOT NULL,
    due_at BIGINT,
    attempts BIGINT NOT NULL,
    send_started_at BIGINT,
    misses BIGINT NOT NULL,
    first_miss_at BIGINT,
    doubt_at BIGINT,
    cancel_by TEXT,
    exchanged_at BIGINT,
    protected BIGINT NOT NULL,
    settle_at BIGINT,
    unknown_since BIGINT,
    UNIQUE (project, custom_id)      -- I6
);
CREATE VIEW trade_row AS             -- a trade in the order of trades/trade.py, for whoever reads it whole
SELECT id, project, buyer, custom_id, game, value, fee, items_count, room, seller, tradelink, message, created_at, bot, status, updated_at,
       version, error, offer_id, offer_state, steam_trade_id, steam_status, settlement, expires_at, stage, due_at, attempts,
       send_started_at, misses, first_miss_at, doubt_at, cancel_by, exchanged_at, protected, settle_at, unknown_since
FROM trade;
CREATE INDEX trade_by_project ON trade (project, created_at, id);
CREATE INDEX trade_by_buyer ON trade (buyer, created_at, id);
CREATE UNIQUE INDEX trade_by_steam_trade ON trade (steam_trade_id) WHERE steam_trade_id IS NOT NULL;
CREATE INDEX trade_processing ON trade (bot, seller) WHERE status = 'processing';
CREATE INDEX trade_by_bot ON trade (bot, created_at);
CREATE INDEX trade_unsettled ON trade (bot, due_at) WHERE status = 'accepted';

CREATE TABLE trade_item (
    trade_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    item BIGINT NOT NULL,
    contextid TEXT NOT NULL,
    assetid TEXT NOT NULL,
    price BIGINT NOT NULL CHECK (price >= 0),
    generation BIGINT NOT NULL,
    classid TEXT,
    instanceid TEXT,
    new_assetid TEXT,
    new_contextid TEXT,
    PRIMARY KEY (trade_id, position)
);

CREATE TABLE live_asset (            -- I7: an asset is in at most one live trade
    seller TEXT NOT NULL,
    game BIGINT NOT NULL,
    contextid TEXT NOT NULL,
    assetid TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    PRIMARY KEY (seller, game, contextid, assetid)
);
CREATE INDEX live_asset_by_trade ON live_asset (trade_id);

CREATE TABLE trade_history (         -- append-only, gapless by version (I10)
    trade_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    at BIGINT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (trade_id, version)
);

CREATE TABLE steam_evidence (        -- what Steam answered, as it came, whenever it told something new about a trade
    trade_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX steam_evidence_by_trade ON steam_evidence (trade_id, at);

CREATE TABLE trade_sum (             -- the dashboard's sums, kept with each status change
    project BIGINT NOT NULL,
    game BIGINT NOT NULL,
    status TEXT NOT NULL,
    trades BIGINT NOT NULL CHECK (trades >= 0),
    value BIGINT NOT NULL CHECK (value >= 0),
    PRIMARY KEY (project, game, status)
);

CREATE TABLE alert (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    bot BIGINT,
    trade_id TEXT,
    text TEXT NOT NULL,
    since BIGINT NOT NULL,
    closed_at BIGINT,
    closed_by TEXT,
    close_reason TEXT
);
CREATE INDEX alert_open ON alert (kind, trade_id) WHERE closed_at IS NULL;

CREATE TABLE operator_log (          -- append-only
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    operator TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    body TEXT NOT NULL
);
