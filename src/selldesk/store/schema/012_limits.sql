-- Limits on sellers and projects, what a seller has done, stops of single games, and claims on assets that nobody has verified yet.

ALTER TABLE trade ADD COLUMN verified_at BIGINT;     -- when Steam answered for the seller's items with this very token; NULL: not yet
ALTER TABLE trade ADD COLUMN stage_at BIGINT;        -- when the present stage began; NULL: written by an older version
UPDATE trade SET verified_at = created_at WHERE status = 'processing' AND stage <> 'verify';

CREATE VIEW whole_trade AS           -- trade_row with the columns above; that view stays for older versions
SELECT id, project, buyer, custom_id, game, value, fee, items_count, room, seller, tradelink, message, created_at, bot, status, updated_at,
       version, error, offer_id, offer_state, steam_trade_id, steam_status, settlement, expires_at, stage, due_at, attempts,
       send_started_at, misses, first_miss_at, doubt_at, cancel_by, exchanged_at, protected, settle_at, unknown_since, verified_at, stage_at
FROM trade;
CREATE INDEX trade_accepted_by_seller ON trade (seller) WHERE status = 'accepted';
CREATE INDEX trade_processing_by_age ON trade (created_at) WHERE status = 'processing';
CREATE INDEX trade_accepted_by_settling ON trade (settle_at) WHERE status = 'accepted';

CREATE TABLE asset_claim (           -- an asset of a sale that is not verified: excludes its own project alone (live_asset: everybody)
    project BIGINT NOT NULL,
    seller TEXT NOT NULL,
    game BIGINT NOT NULL,
    contextid TEXT NOT NULL,
    assetid TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    PRIMARY KEY (project, seller, game, contextid, assetid)
);
CREATE INDEX asset_claim_by_trade ON asset_claim (trade_id);

CREATE TABLE market_limits (         -- one JSON object; no row: the defaults
    one BIGINT PRIMARY KEY CHECK (one = 1),
    body TEXT NOT NULL
);

CREATE TABLE person_limits (         -- what a project has of its own
    person BIGINT PRIMARY KEY,
    body TEXT NOT NULL
);
CREATE INDEX person_selling ON person (number) WHERE disabled = 0 AND frozen = 0 AND roles % 2 = 1;

CREATE TABLE seller (                -- sellers about whom something is on record
    steamid64 TEXT PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('normal', 'trusted', 'blocked')),
    reason TEXT,
    until BIGINT,
    changed_at BIGINT NOT NULL
);

CREATE TABLE seller_strikes (        -- wasted sales in a row, a seller and project
    seller TEXT NOT NULL,
    project BIGINT NOT NULL,
    strikes BIGINT NOT NULL CHECK (strikes >= 0),
    cooldown_until BIGINT NOT NULL,
    PRIMARY KEY (seller, project)
);

CREATE TABLE seller_day (            -- kept by triggers of the store (next migration): by the UTC day of each step
    seller TEXT NOT NULL,
    project BIGINT NOT NULL,
    day BIGINT NOT NULL,             -- days since 1970
    opened BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    completed BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    reversed BIGINT NOT NULL,
    volume BIGINT NOT NULL,
    last_at BIGINT NOT NULL,         -- when the last sale of that day was opened; 0: none
    PRIMARY KEY (seller, project, day)
);

CREATE TABLE bot_stock (             -- items of a bot and game by what they are: reserved, protected, held; kept by the same triggers.
    bot BIGINT NOT NULL,             -- 'missing' and 'delivered' are kept by the desk: what of those is no longer there
    game BIGINT NOT NULL,
    kind TEXT NOT NULL,
    items BIGINT NOT NULL,
    PRIMARY KEY (bot, game, kind)
);

CREATE TABLE game_stop (
    game BIGINT PRIMARY KEY,
    since BIGINT NOT NULL,
    reason TEXT NOT NULL,
    by_whom TEXT NOT NULL
);
