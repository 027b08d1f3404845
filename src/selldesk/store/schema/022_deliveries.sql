-- Deliveries to buyers: what they asked for, how it goes, and where it is sent. An older version knows nothing of them and leaves them alone.

CREATE TABLE delivery (              -- in the order of deliveries/delivery.py
    id TEXT PRIMARY KEY,
    game BIGINT NOT NULL,
    bot BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    stage TEXT NOT NULL,
    stage_at BIGINT,
    due_at BIGINT,
    attempts BIGINT NOT NULL,
    offer_id TEXT,
    offer_state BIGINT,
    expires_at BIGINT,
    send_started_at BIGINT,
    unknown_since BIGINT,
    misses BIGINT NOT NULL,
    first_miss_at BIGINT,
    doubt_at BIGINT,
    verified_at BIGINT,
    cancel_by TEXT,
    steam_trade_id TEXT,
    steam_status BIGINT,
    exchanged_at BIGINT,
    settlement BIGINT,
    protected BIGINT NOT NULL,
    settle_at BIGINT,
    buyer BIGINT NOT NULL,
    custom_id TEXT NOT NULL,
    part BIGINT NOT NULL,
    parts BIGINT NOT NULL,
    partner TEXT NOT NULL,
    tradelink TEXT NOT NULL,         -- sealed
    message TEXT NOT NULL,
    items_count BIGINT NOT NULL,
    status TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    error TEXT,
    resends BIGINT NOT NULL,
    refused_text TEXT,
    UNIQUE (buyer, custom_id, part)
);
CREATE INDEX delivery_by_buyer ON delivery (buyer, created_at, id);
CREATE INDEX delivery_running ON delivery (bot, id) WHERE status = 'processing';
CREATE INDEX delivery_settling ON delivery (bot, due_at) WHERE status = 'accepted';
CREATE INDEX delivery_by_offer ON delivery (offer_id) WHERE offer_id IS NOT NULL;
CREATE INDEX delivery_by_exchange ON delivery (steam_trade_id) WHERE steam_trade_id IS NOT NULL;
CREATE INDEX delivery_by_time ON delivery (created_at, id);

CREATE TABLE delivery_item (
    delivery_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    trade_id TEXT NOT NULL,          -- the sale that brought it, and its position there
    trade_position BIGINT NOT NULL,
    item BIGINT NOT NULL,
    contextid TEXT NOT NULL,         -- in the bot's inventory; empty until it is found there
    assetid TEXT NOT NULL,
    classid TEXT,
    instanceid TEXT,
    new_assetid TEXT,
    new_contextid TEXT,
    PRIMARY KEY (delivery_id, position)
);

CREATE TABLE live_delivery_item (    -- an item is in one running delivery at most
    trade_id TEXT NOT NULL,
    trade_position BIGINT NOT NULL,
    delivery_id TEXT NOT NULL,
    PRIMARY KEY (trade_id, trade_position)
);
CREATE INDEX live_delivery_item_by_delivery ON live_delivery_item (delivery_id);

CREATE TABLE delivery_history (      -- append-only, gapless by version
    delivery_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    at BIGINT NOT NULL,
    note TEXT NOT NULL,
    told BIGINT NOT NULL,
    PRIMARY KEY (delivery_id, version)
);

CREATE TABLE buyer_settings (
    person BIGINT PRIMARY KEY,
    tradelink TEXT                   -- sealed
);

CREATE TABLE deliver_to (            -- accounts besides the buyer's own that deliveries may go to, by an operator's word
    person BIGINT NOT NULL,
    steamid64 TEXT NOT NULL,
    PRIMARY KEY (person, steamid64)
);

CREATE VIEW running_delivery AS      -- beside running_offer and settling_offer, in the order of offers/life.py
SELECT id, game, bot, created_at, stage, stage_at, due_at, attempts, offer_id, offer_state, expires_at, send_started_at, unknown_since,
       misses, first_miss_at, doubt_at, verified_at, cancel_by, steam_trade_id, steam_status, exchanged_at, settlement, protected,
       settle_at, 'delivery' AS purpose, partner, tradelink, message
FROM delivery WHERE status = 'processing';

CREATE VIEW settling_delivery AS
SELECT id, game, bot, created_at, stage, stage_at, due_at, attempts, offer_id, offer_state, expires_at, send_started_at, unknown_since,
       misses, first_miss_at, doubt_at, verified_at, cancel_by, steam_trade_id, steam_status, exchanged_at, settlement, protected,
       settle_at, 'delivery' AS purpose, partner, tradelink, message
FROM delivery WHERE status = 'accepted';
