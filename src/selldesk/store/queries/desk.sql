-- What the desk loads and writes in one batch. {rows} is the typed row set of the caller, named k.

-- name: take_seq
UPDATE market SET seq = seq + 1 WHERE one = 1 RETURNING seq

-- name: last_stamp
-- row: BatchRow
SELECT seq, stamp FROM feed ORDER BY seq DESC LIMIT 1

-- name: add_feed
INSERT INTO feed (seq, body, stamp) VALUES (:seq, :body, :stamp)

-- name: prune_feed
DELETE FROM feed WHERE seq < :before

-- name: load_persons
-- rows: number bigint
-- row: Person
SELECT p.number, p.id, p.login, p.steamid64, p.roles, p.disabled, p.frozen FROM {rows} JOIN person p ON p.number = k.number

-- name: load_custom_ids
-- rows: project bigint, custom_id text
SELECT t.project, t.custom_id FROM {rows} JOIN trade t ON t.project = k.project AND t.custom_id = k.custom_id

-- name: load_orders
-- rows: buyer bigint, item bigint
-- row: Order
SELECT o.buyer, o.item, o.game, o.price, o.amount, o.remaining, o.reserved, o.sold, o.generation, o.updated_at
FROM {rows} JOIN buy_order o ON o.buyer = k.buyer AND o.item = k.item

-- name: begin_order_list
INSERT INTO order_list (buyer, game, seq) VALUES (:buyer, :game, :seq) ON CONFLICT (buyer, game) DO UPDATE SET seq = excluded.seq

-- name: order_list_of
SELECT seq FROM order_list WHERE buyer = :buyer AND game = :game

-- name: load_closed_orders
-- rows: buyer bigint, item bigint, generation bigint
-- row: Order
SELECT o.buyer, o.item, o.game, o.price, o.amount, o.remaining, o.reserved, o.sold, o.generation, o.updated_at
FROM {rows} JOIN closed_order o ON o.buyer = k.buyer AND o.item = k.item AND o.generation = k.generation

-- name: load_balances
-- rows: id bigint
SELECT a.id, a.balance FROM {rows} JOIN ledger_account a ON a.id = k.id

-- name: load_holds
-- rows: trade_id text
-- row: Hold
SELECT h.trade_id, h.buyer, h.amount, h.captured, h.released, h.opened_at, h.closed_at
FROM {rows} JOIN hold h ON h.trade_id = k.trade_id

-- name: load_live_assets
-- rows: seller text, game bigint, contextid text, assetid text
SELECT a.seller, a.game, a.contextid, a.assetid, a.trade_id
FROM {rows} JOIN live_asset a ON a.seller = k.seller AND a.game = k.game AND a.contextid = k.contextid AND a.assetid = k.assetid

-- name: load_seller_loads
-- rows: seller text
-- row: SellerLoad
SELECT k.seller, t.bot, t.project,
       count(t.verified_at) AS verified, count(t.id) - count(t.verified_at) AS unverified,
       CAST(coalesce(sum(CASE WHEN t.verified_at IS NOT NULL THEN t.value END), 0) AS bigint) AS verified_value,
       CAST(coalesce(sum(CASE WHEN t.verified_at IS NULL THEN t.value END), 0) AS bigint) AS unverified_value
FROM {rows}
LEFT JOIN trade t ON t.seller = k.seller AND t.status = 'processing'   -- LEFT: always from the sellers to the trades
GROUP BY k.seller, t.bot, t.project HAVING count(t.id) > 0

-- name: load_sellers
-- rows: seller text
-- row: Seller
SELECT s.steamid64, s.status, s.reason, s.until, s.changed_at FROM {rows} JOIN seller s ON s.steamid64 = k.seller

-- name: load_strikes
-- rows: seller text
-- row: Strikes
SELECT s.seller, s.project, s.strikes, s.cooldown_until FROM {rows} JOIN seller_strikes s ON s.seller = k.seller

-- name: load_standings
-- rows: seller text
-- Both at once: each create asks, and hardly a seller has either.
SELECT k.seller, s.status, s.reason, s.until, s.changed_at, x.project, x.strikes, x.cooldown_until
FROM {rows} LEFT JOIN seller s ON s.steamid64 = k.seller LEFT JOIN seller_strikes x ON x.seller = k.seller
WHERE s.status IS NOT NULL OR x.project IS NOT NULL

-- name: load_person_limits
-- rows: person bigint
-- row: PersonLimitsRow
SELECT l.person, l.body FROM {rows} JOIN person_limits l ON l.person = k.person

-- name: load_projects
-- rows: project bigint
SELECT k.project, max(l.body), CAST(coalesce(sum(s.trades), 0) AS bigint), CAST(coalesce(sum(s.value), 0) AS bigint)
FROM {rows} LEFT JOIN person_limits l ON l.person = k.project
LEFT JOIN trade_sum s ON s.project = k.project AND s.status = 'processing'
GROUP BY k.project

-- name: load_limits
SELECT body FROM market_limits WHERE one = 1

-- name: load_game_stops
SELECT game FROM game_stop

-- name: load_market
-- What holds for everybody: the stop of trading, those of games, the limits.
SELECT 'stop' AS what, CAST(NULL AS bigint) AS game, CAST(NULL AS text) AS body FROM trading_stop WHERE ended_at IS NULL
UNION ALL SELECT 'game_stop', game, NULL FROM game_stop
UNION ALL SELECT 'limits', NULL, body FROM market_limits WHERE one = 1

-- name: two_selling_projects
SELECT number FROM person WHERE disabled = 0 AND frozen = 0 AND roles % 2 = 1 LIMIT 2

-- name: unsettled_of_seller
SELECT coalesce(sum(value), 0) FROM trade WHERE seller = :seller AND status = 'accepted'

-- name: reversals_of_seller
SELECT coalesce(sum(reversed), 0) FROM seller_day WHERE seller = :seller AND day > :day

-- name: put_sellers
-- rows: steamid64 text, status text, reason text, until bigint, changed_at bigint
INSERT INTO seller (steamid64, status, reason, until, changed_at)
SELECT k.steamid64, k.status, k.reason, k.until, k.changed_at FROM {rows} WHERE true
ON CONFLICT (steamid64) DO UPDATE SET status = excluded.status, reason = excluded.reason, until = excluded.until,
       changed_at = excluded.changed_at

-- name: put_strikes
-- rows: seller text, project bigint, strikes bigint, cooldown_until bigint
INSERT INTO seller_strikes (seller, project, strikes, cooldown_until)
SELECT k.seller, k.project, k.strikes, k.cooldown_until FROM {rows} WHERE true
ON CONFLICT (seller, project) DO UPDATE SET strikes = excluded.strikes, cooldown_until = excluded.cooldown_until

-- name: load_claims
-- rows: project bigint, seller text, game bigint, contextid text, assetid text
SELECT a.project, a.seller, a.game, a.contextid, a.assetid
FROM {rows} JOIN asset_claim a ON a.project = k.project AND a.seller = k.seller AND a.game = k.game AND a.contextid = k.contextid
     AND a.assetid = k.assetid

-- name: load_rooms
-- row: RoomRow
SELECT id, name, game, min_value, max_value, buyers, bots, priority, enabled FROM room ORDER BY id

-- name: load_bots
SELECT b.number, b.steamid64, b.profile_name, b.avatar, b.games, b.enabled, b.state, b.live_offers, b.live_offers_max,
       b.seller_offers_max, b.items_max, coalesce(h.last_good_real_us, 0)
FROM bot b LEFT JOIN bot_heartbeat h ON h.bot = b.number ORDER BY b.number

-- name: load_stock
SELECT bot, game, CAST(sum(CASE WHEN kind IN ('missing', 'delivered') THEN -items ELSE items END) AS bigint) FROM bot_stock GROUP BY bot, game

-- name: add_to_stock
-- rows: bot bigint, game bigint, kind text, items bigint
INSERT INTO bot_stock (bot, game, kind, items) SELECT k.bot, k.game, k.kind, k.items FROM {rows} WHERE true
ON CONFLICT (bot, game, kind) DO UPDATE SET items = bot_stock.items + excluded.items

-- name: load_item_notes
-- rows: trade_id text
SELECT n.trade_id, n.position, n.state FROM {rows} JOIN item_note n ON n.trade_id = k.trade_id

-- name: put_item_notes
-- rows: trade_id text, position bigint, state text, at bigint, reason text
INSERT INTO item_note (trade_id, position, state, at, reason)
SELECT k.trade_id, k.position, k.state, k.at, k.reason FROM {rows} WHERE true
ON CONFLICT (trade_id, position) DO UPDATE SET state = excluded.state, at = excluded.at, reason = excluded.reason

-- name: drop_item_notes
-- rows: trade_id text, position bigint
DELETE FROM item_note WHERE (trade_id, position) IN (SELECT k.trade_id, k.position FROM {rows})

-- name: put_item_properties
-- rows: trade_id text, position bigint, properties text
INSERT INTO item_properties (trade_id, position, properties) SELECT k.trade_id, k.position, k.properties FROM {rows} WHERE true
ON CONFLICT (trade_id, position) DO UPDATE SET properties = excluded.properties

-- name: held_of_bot
SELECT t.id, i.position, n.name, t.status, coalesce(t.exchanged_at, t.updated_at), i.classid, i.instanceid, i.new_assetid, i.new_contextid,
       p.properties
FROM trade t JOIN trade_item i ON i.trade_id = t.id JOIN item n ON n.number = i.item
LEFT JOIN item_properties p ON p.trade_id = i.trade_id AND p.position = i.position
LEFT JOIN item_note x ON x.trade_id = i.trade_id AND x.position = i.position
WHERE t.bot = :bot AND t.game + 0 = :game AND t.status IN ('accepted', 'completed') AND coalesce(x.state, '') <> 'delivered'   -- + 0: what this bot holds, not what all bots hold of the game
ORDER BY t.id, i.position

-- name: misses_of
-- rows: trade_id text, position bigint
-- row: MissRow
SELECT m.trade_id, m.position, m.at FROM {rows} JOIN item_miss m ON m.trade_id = k.trade_id AND m.position = k.position

-- name: put_miss
INSERT INTO item_miss (trade_id, position, at) VALUES (:trade_id, :position, :at)
ON CONFLICT (trade_id, position) DO UPDATE SET at = excluded.at

-- name: drop_miss
DELETE FROM item_miss WHERE trade_id = :trade_id AND position = :position

-- name: drop_bot_items
DELETE FROM bot_item WHERE bot = :bot AND game = :game

-- name: add_bot_items
-- rows: bot bigint, game bigint, contextid text, assetid text, classid text, instanceid text, name text, amount bigint, tradable bigint, properties text, trade_id text, position bigint
INSERT INTO bot_item (bot, game, contextid, assetid, classid, instanceid, name, amount, tradable, properties, trade_id, position)
SELECT k.bot, k.game, k.contextid, k.assetid, k.classid, k.instanceid, k.name, k.amount, k.tradable, k.properties, k.trade_id, k.position
FROM {rows}

-- name: stocktake_of
SELECT asked_at, done_at, missing, surplus FROM stocktake WHERE bot = :bot

-- name: ask_stocktake
INSERT INTO stocktake (bot, asked_at) VALUES (:bot, :at) ON CONFLICT (bot) DO UPDATE SET asked_at = excluded.asked_at

-- name: end_stocktake
INSERT INTO stocktake (bot, asked_at, done_at, missing, surplus) VALUES (:bot, NULL, :at, :missing, :surplus)
ON CONFLICT (bot) DO UPDATE SET asked_at = NULL, done_at = excluded.done_at, missing = excluded.missing, surplus = excluded.surplus

-- name: stock_counts
-- row: StockCountRow
SELECT (SELECT count(*) FROM item_note n JOIN trade t ON t.id = n.trade_id WHERE t.bot + 0 = :bot AND n.state = 'missing')
       AS missing,                                        -- + 0: from the notes to their trades
       (SELECT count(*) FROM bot_item b WHERE b.bot = :bot AND b.trade_id IS NULL) AS surplus

-- name: missing_names
SELECT i.name || ' (' || n.trade_id || '-' || CAST(n.position AS TEXT) || ')' FROM item_note n JOIN trade t ON t.id = n.trade_id
JOIN trade_item x ON x.trade_id = n.trade_id AND x.position = n.position JOIN item i ON i.number = x.item
WHERE t.bot + 0 = :bot AND n.state = 'missing' ORDER BY n.trade_id, n.position LIMIT 50

-- name: open_alerts_of_kind
SELECT id FROM alert WHERE kind = :kind AND closed_at IS NULL AND trade_id IS NULL
  AND (bot = :bot OR (bot IS NULL AND CAST(:bot AS bigint) IS NULL))

-- name: item_by_number
SELECT name FROM item WHERE number = :number

-- name: put_steam_objects
-- rows: kind text, id text, trade_id text
INSERT INTO steam_object (kind, id, trade_id) SELECT k.kind, k.id, k.trade_id FROM {rows} WHERE true
ON CONFLICT (kind, id, trade_id) DO NOTHING

-- name: load_blocks
SELECT bot, game, until FROM bot_block

-- name: load_leases
-- rows: bot bigint
-- row: Lease
SELECT l.bot, l.worker, l.fence, l.until_us FROM {rows} JOIN bot_lease l ON l.bot = k.bot

-- name: load_trades
-- rows: id text
-- row: Trade
SELECT t.*
FROM {rows} JOIN sale t ON t.id = k.id

-- name: trades_to_archive
-- rows: id text
SELECT t.* FROM {rows} JOIN whole_trade t ON t.id = k.id   -- in the order of archives, which stays

-- name: load_trade_items
-- rows: trade_id text
-- row: TradeItem
SELECT i.trade_id, i.position, i.item, i.contextid, i.assetid, i.price, i.generation, i.classid, i.instanceid, i.new_assetid,
       i.new_contextid
FROM {rows} JOIN trade_item i ON i.trade_id = k.trade_id ORDER BY i.trade_id, i.position

-- name: load_open_alerts
-- rows: trade_id text
-- row: OpenAlertRow
SELECT a.kind, a.trade_id FROM {rows} JOIN alert a ON a.trade_id = k.trade_id AND a.closed_at IS NULL

-- name: add_trades
-- rows: id text, project bigint, buyer bigint, custom_id text, custom_fold text, game bigint, value bigint, fee bigint, items_count bigint, room bigint, seller text, tradelink text, message text, created_at bigint, bot bigint, status text, updated_at bigint, version bigint, stage text, due_at bigint, stage_at bigint
INSERT INTO trade (id, project, buyer, custom_id, custom_fold, game, value, fee, items_count, room, seller, tradelink, message,
                   created_at, bot, status, updated_at, version, stage, due_at, stage_at, attempts, misses, protected)
SELECT k.id, k.project, k.buyer, k.custom_id, k.custom_fold, k.game, k.value, k.fee, k.items_count, k.room, k.seller, k.tradelink,
       k.message, k.created_at, k.bot, k.status, k.updated_at, k.version, k.stage, k.due_at, k.stage_at, 0, 0, 0
FROM {rows}

-- name: change_trades
-- rows: id text, bot bigint, status text, updated_at bigint, version bigint, error text, offer_id text, offer_state bigint, steam_trade_id text, steam_status bigint, settlement bigint, expires_at bigint, stage text, due_at bigint, attempts bigint, send_started_at bigint, misses bigint, first_miss_at bigint, doubt_at bigint, cancel_by text, exchanged_at bigint, protected bigint, settle_at bigint, unknown_since bigint, verified_at bigint, stage_at bigint
UPDATE trade SET bot = k.bot, status = k.status, updated_at = k.updated_at, version = k.version, error = k.error, offer_id = k.offer_id,
       offer_state = k.offer_state, steam_trade_id = k.steam_trade_id, steam_status = k.steam_status, settlement = k.settlement,
       expires_at = k.expires_at, stage = k.stage, due_at = k.due_at, attempts = k.attempts, send_started_at = k.send_started_at,
       misses = k.misses, first_miss_at = k.first_miss_at, doubt_at = k.doubt_at, cancel_by = k.cancel_by,
       exchanged_at = k.exchanged_at, protected = k.protected, settle_at = k.settle_at, unknown_since = k.unknown_since,
       verified_at = k.verified_at, stage_at = k.stage_at
FROM {rows} WHERE trade.id = k.id

-- name: put_trade_items
-- rows: trade_id text, position bigint, item bigint, contextid text, assetid text, price bigint, generation bigint, classid text, instanceid text, new_assetid text, new_contextid text
INSERT INTO trade_item (trade_id, position, item, contextid, assetid, price, generation, classid, instanceid, new_assetid, new_contextid)
SELECT k.trade_id, k.position, k.item, k.contextid, k.assetid, k.price, k.generation, k.classid, k.instanceid, k.new_assetid,
       k.new_contextid
FROM {rows} WHERE true
ON CONFLICT (trade_id, position) DO UPDATE SET classid = excluded.classid, instanceid = excluded.instanceid,
       new_assetid = excluded.new_assetid, new_contextid = excluded.new_contextid

-- name: add_claims
-- rows: project bigint, seller text, game bigint, contextid text, assetid text, trade_id text
INSERT INTO asset_claim (project, seller, game, contextid, assetid, trade_id)
SELECT k.project, k.seller, k.game, k.contextid, k.assetid, k.trade_id FROM {rows}

-- name: add_live_assets
-- rows: seller text, game bigint, contextid text, assetid text, trade_id text
INSERT INTO live_asset (seller, game, contextid, assetid, trade_id)
SELECT k.seller, k.game, k.contextid, k.assetid, k.trade_id FROM {rows}

-- name: free_assets
-- rows: trade_id text
DELETE FROM live_asset WHERE trade_id IN (SELECT k.trade_id FROM {rows})

-- name: put_holds
-- rows: trade_id text, buyer bigint, amount bigint, captured bigint, released bigint, opened_at bigint, closed_at bigint
INSERT INTO hold (trade_id, buyer, amount, captured, released, opened_at, closed_at)
SELECT k.trade_id, k.buyer, k.amount, k.captured, k.released, k.opened_at, k.closed_at FROM {rows} WHERE true
ON CONFLICT (trade_id) DO UPDATE SET captured = excluded.captured, released = excluded.released, closed_at = excluded.closed_at

-- name: put_balances
-- rows: id bigint, balance bigint
INSERT INTO ledger_account (id, balance) SELECT k.id, k.balance FROM {rows} WHERE true
ON CONFLICT (id) DO UPDATE SET balance = excluded.balance

-- name: add_entries
-- rows: id bigint, transfer bigint, account bigint, amount bigint, balance_after bigint, kind text, trade_id text, reference text, at bigint
INSERT INTO ledger_entry (id, transfer, account, amount, balance_after, kind, trade_id, reference, at)
SELECT k.id, k.transfer, k.account, k.amount, k.balance_after, k.kind, k.trade_id, k.reference, k.at FROM {rows}

-- name: put_orders
-- rows: buyer bigint, item bigint, game bigint, price bigint, amount bigint, remaining bigint, reserved bigint, sold bigint, generation bigint, updated_at bigint
INSERT INTO buy_order (buyer, item, game, price, amount, remaining, reserved, sold, generation, updated_at)
SELECT k.buyer, k.item, k.game, k.price, k.amount, k.remaining, k.reserved, k.sold, k.generation, k.updated_at FROM {rows} WHERE true
ON CONFLICT (buyer, item) DO UPDATE SET price = excluded.price, amount = excluded.amount, remaining = excluded.remaining,
       reserved = excluded.reserved, sold = excluded.sold, generation = excluded.generation, updated_at = excluded.updated_at

-- name: put_closed_orders
-- rows: buyer bigint, item bigint, game bigint, price bigint, amount bigint, remaining bigint, reserved bigint, sold bigint, generation bigint, updated_at bigint
INSERT INTO closed_order (buyer, item, game, price, amount, remaining, reserved, sold, generation, updated_at)
SELECT k.buyer, k.item, k.game, k.price, k.amount, k.remaining, k.reserved, k.sold, k.generation, k.updated_at FROM {rows} WHERE true
ON CONFLICT (buyer, item, generation) DO UPDATE SET remaining = excluded.remaining, reserved = excluded.reserved, sold = excluded.sold

-- name: drop_orders
-- rows: buyer bigint, item bigint
DELETE FROM buy_order WHERE (buyer, item) IN (SELECT k.buyer, k.item FROM {rows})

-- name: add_history
-- rows: trade_id text, version bigint, status text, at bigint, note text, told bigint
INSERT INTO trade_history (trade_id, version, status, at, note, told)
SELECT k.trade_id, k.version, k.status, k.at, k.note, k.told FROM {rows}

-- name: add_evidence
-- rows: trade_id text, at bigint, kind text, body text
INSERT INTO steam_evidence (trade_id, at, kind, body) SELECT k.trade_id, k.at, k.kind, k.body FROM {rows}

-- name: add_to_sums
-- rows: project bigint, game bigint, status text, trades bigint, value bigint
INSERT INTO trade_sum (project, game, status, trades, value)
SELECT k.project, k.game, k.status, k.trades, k.value FROM {rows} WHERE true
ON CONFLICT (project, game, status) DO UPDATE SET trades = trade_sum.trades + excluded.trades, value = trade_sum.value + excluded.value

-- name: take_from_sums
-- rows: project bigint, game bigint, status text, trades bigint, value bigint
UPDATE trade_sum SET trades = trade_sum.trades - k.trades, value = trade_sum.value - k.value
FROM {rows} WHERE trade_sum.project = k.project AND trade_sum.game = k.game AND trade_sum.status = k.status

-- name: put_bot_loads
-- rows: number bigint, live_offers bigint, items_held bigint
UPDATE bot SET live_offers = k.live_offers, items_held = k.items_held FROM {rows} WHERE bot.number = k.number

-- name: add_alerts
-- rows: id text, kind text, bot bigint, trade_id text, text text, since bigint
INSERT INTO alert (id, kind, bot, trade_id, text, since) SELECT k.id, k.kind, k.bot, k.trade_id, k.text, k.since FROM {rows}

-- name: open_alert_without_trade
SELECT 1 FROM alert WHERE kind = :kind AND text = :text AND (bot = :bot OR (bot IS NULL AND CAST(:bot AS bigint) IS NULL))
  AND closed_at IS NULL AND trade_id IS NULL

-- name: put_leases
-- rows: bot bigint, worker text, fence bigint, until_us bigint
INSERT INTO bot_lease (bot, worker, fence, until_us) SELECT k.bot, k.worker, k.fence, k.until_us FROM {rows} WHERE true
ON CONFLICT (bot) DO UPDATE SET worker = excluded.worker, fence = excluded.fence, until_us = excluded.until_us

-- name: put_blocks
-- rows: bot bigint, game bigint, until bigint, reason text
INSERT INTO bot_block (bot, game, until, reason) SELECT k.bot, k.game, k.until, k.reason FROM {rows} WHERE true
ON CONFLICT (bot, game) DO UPDATE SET until = excluded.until, reason = excluded.reason

-- name: put_pauses
-- rows: game bigint, until bigint, reason text
INSERT INTO game_pause (game, until, reason) SELECT k.game, k.until, k.reason FROM {rows} WHERE true
ON CONFLICT (game) DO UPDATE SET until = excluded.until, reason = excluded.reason

-- name: quarantine_bots
-- rows: number bigint, reason text, since bigint, until bigint
UPDATE bot SET state = 'quarantined', state_reason = k.reason, state_since = k.since, quarantined_until = k.until
FROM {rows} WHERE bot.number = k.number
