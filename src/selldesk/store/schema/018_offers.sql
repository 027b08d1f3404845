-- One row an open offer, whatever it is for; a sale in the order of trades/trade.py. Views alone: an older version goes on as it was.

CREATE VIEW running_offer AS         -- in the order of offers/life.py
SELECT id, game, bot, created_at, stage, stage_at, due_at, attempts, offer_id, offer_state, expires_at, send_started_at, unknown_since,
       misses, first_miss_at, doubt_at, verified_at, cancel_by, steam_trade_id, steam_status, exchanged_at, settlement, protected,
       settle_at, 'sale' AS purpose, seller AS partner, tradelink, message
FROM trade WHERE status = 'processing';

CREATE VIEW settling_offer AS
SELECT id, game, bot, created_at, stage, stage_at, due_at, attempts, offer_id, offer_state, expires_at, send_started_at, unknown_since,
       misses, first_miss_at, doubt_at, verified_at, cancel_by, steam_trade_id, steam_status, exchanged_at, settlement, protected,
       settle_at, 'sale' AS purpose, seller AS partner, tradelink, message
FROM trade WHERE status = 'accepted';

CREATE VIEW sale AS                  -- whole_trade stays for older versions and for archives
SELECT id, game, bot, created_at, stage, stage_at, due_at, attempts, offer_id, offer_state, expires_at, send_started_at, unknown_since,
       misses, first_miss_at, doubt_at, verified_at, cancel_by, steam_trade_id, steam_status, exchanged_at, settlement, protected,
       settle_at, project, buyer, custom_id, value, fee, items_count, room, seller, tradelink, message, status, updated_at, version, error
FROM trade;
