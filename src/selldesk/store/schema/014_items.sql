-- What bots hold for buyers, item by item: what is no longer there, what was read when, whose which Steam object is.

CREATE TABLE item_note (             -- an item of a sale that is not (any more) in the bot's inventory; no row: its trade's status tells
    trade_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('missing', 'delivered')),
    at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (trade_id, position)
);

CREATE TABLE item_miss (             -- an item that one reading did not show: missing if the next one says so too
    trade_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (trade_id, position)
);

CREATE TABLE item_properties (       -- float, seed and the like, as read at verification: tells equal items apart
    trade_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    properties TEXT NOT NULL,
    PRIMARY KEY (trade_id, position)
);

CREATE TABLE bot_item (              -- a bot's inventory at its last stocktake
    bot BIGINT NOT NULL,
    game BIGINT NOT NULL,
    contextid TEXT NOT NULL,
    assetid TEXT NOT NULL,
    classid TEXT NOT NULL,
    instanceid TEXT NOT NULL,
    name TEXT NOT NULL,
    amount BIGINT NOT NULL,
    tradable BIGINT NOT NULL,
    properties TEXT,
    trade_id TEXT,                   -- whose it is; NULL: surplus
    position BIGINT,
    PRIMARY KEY (bot, game, contextid, assetid)
);

CREATE TABLE stocktake (             -- a bot's readings of its own inventory
    bot BIGINT PRIMARY KEY,
    asked_at BIGINT,                 -- somebody wants one now; NULL: nobody
    done_at BIGINT,
    missing BIGINT NOT NULL DEFAULT 0,
    surplus BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE steam_object (          -- Steam's offers and exchanges, and our tags, → the sale they belong to, written at first sight.
    kind TEXT NOT NULL,              -- 'offer', 'exchange', or 'tag' (then id is <tag>/<SteamID64 of the partner>).
    id TEXT NOT NULL,                -- What a sale's own row names (offer_id, steam_trade_id) need not stand here
    trade_id TEXT NOT NULL,
    PRIMARY KEY (kind, id, trade_id)
);
