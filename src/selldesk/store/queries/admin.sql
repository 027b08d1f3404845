-- People, keys, money references, rooms, bots, catalog: commands that run alone in their transaction.

-- name: last_person
SELECT coalesce(max(number), 0) FROM person

-- name: add_person
INSERT INTO person (number, id, login, first_name, last_name, avatar, steamid64, roles, disabled, frozen, created_at)
VALUES (:number, :id, :login, :first_name, :last_name, :avatar, :steamid64, :roles, 0, 0, :created_at)

-- name: change_person
UPDATE person SET first_name = :first_name, last_name = :last_name, avatar = :avatar, steamid64 = :steamid64, roles = :roles,
       disabled = :disabled, frozen = :frozen WHERE number = :number

-- name: person_by_login
SELECT number FROM person WHERE login = :login

-- name: person_by_steamid64
SELECT number FROM person WHERE steamid64 = :steamid64

-- name: person_by_id
-- row: PersonRow
SELECT number, id, login, first_name, last_name, avatar, steamid64, roles, disabled, frozen, created_at FROM person WHERE id = :id

-- name: person_by_number
-- row: PersonRow
SELECT number, id, login, first_name, last_name, avatar, steamid64, roles, disabled, frozen, created_at
FROM person WHERE number = :number

-- name: keys_of
-- row: KeyRow
SELECT name, created_at, last_used_at FROM api_key WHERE person = :person ORDER BY created_at, name

-- name: key_by_name
SELECT hash FROM api_key WHERE person = :person AND name = :name

-- name: add_key
INSERT INTO api_key (hash, person, name, created_at) VALUES (:hash, :person, :name, :created_at)

-- name: drop_key
DELETE FROM api_key WHERE person = :person AND name = :name

-- name: touch_keys
-- rows: hash text, last_used_at bigint
UPDATE api_key SET last_used_at = k.last_used_at FROM {rows} WHERE api_key.hash = k.hash

-- name: may_still_come
-- What may come to a person whatever happens: refunds of his accepted purchases, proceeds of his processing sales.
SELECT (SELECT coalesce(sum(value), 0) FROM trade WHERE buyer = :person AND status = 'accepted')
     + (SELECT coalesce(sum(value), 0) FROM trade_sum WHERE project = :person AND status = 'processing')

-- name: money_reference
SELECT amount, entry, balance_after, at FROM money_reference
WHERE person = :person AND direction = :direction AND reference = :reference

-- name: add_money_reference
INSERT INTO money_reference (person, direction, reference, amount, entry, balance_after, at)
VALUES (:person, :direction, :reference, :amount, :entry, :balance_after, :at)

-- name: last_room
SELECT coalesce(max(id), 0) FROM room

-- name: put_room
INSERT INTO room (id, name, game, min_value, max_value, buyers, bots, priority, enabled)
VALUES (:id, :name, :game, :min_value, :max_value, :buyers, :bots, :priority, :enabled)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, game = excluded.game, min_value = excluded.min_value,
       max_value = excluded.max_value, buyers = excluded.buyers, bots = excluded.bots, priority = excluded.priority,
       enabled = excluded.enabled

-- name: drop_room
DELETE FROM room WHERE id = :id

-- name: last_bot
SELECT coalesce(max(number), 0) FROM bot

-- name: bot_by_identity
SELECT number FROM bot WHERE steamid64 = :steamid64 OR account_name = :account_name

-- name: add_bot
INSERT INTO bot (number, steamid64, account_name, profile_name, avatar, games, enabled, state, state_reason, state_since, live_offers,
                 live_offers_max, seller_offers_max, items_held, items_max, secrets, tokens, created_at)
VALUES (:number, :steamid64, :account_name, :profile_name, :avatar, :games, 1, 'needs_login', NULL, :created_at, 0,
        :live_offers_max, :seller_offers_max, 0, :items_max, :secrets, :tokens, :created_at)

-- name: change_bot
UPDATE bot SET profile_name = :profile_name, avatar = :avatar, games = :games, enabled = :enabled, live_offers_max = :live_offers_max,
       seller_offers_max = :seller_offers_max, items_max = :items_max WHERE number = :number

-- name: change_bot_state
UPDATE bot SET state = :state, state_reason = :state_reason, state_since = :state_since, quarantined_until = NULL WHERE number = :number

-- name: restrict_bot
UPDATE bot SET quarantined_until = :until WHERE number = :number

-- name: drop_blocks
DELETE FROM bot_block WHERE bot = :bot

-- name: bot_numbers
SELECT number FROM bot ORDER BY number

-- name: all_workers
SELECT name, until_us, seal_format FROM worker

-- name: put_worker
INSERT INTO worker (name, until_us, seal_format) VALUES (:name, :until_us, :seal_format)
ON CONFLICT (name) DO UPDATE SET until_us = excluded.until_us, seal_format = excluded.seal_format

-- name: drop_worker
DELETE FROM worker WHERE name = :name

-- name: change_bot_secrets
UPDATE bot SET secrets = :secrets, tokens = :tokens WHERE number = :number

-- name: links_page
-- row: LinkRow
SELECT id AS trade_id, tradelink FROM trade WHERE id > :after ORDER BY id LIMIT :most

-- name: reseal_links
-- rows: id text, old text, tradelink text
UPDATE trade SET tradelink = k.tradelink FROM {rows} WHERE trade.id = k.id AND trade.tradelink = k.old

-- name: change_bot_tokens
UPDATE bot SET tokens = :tokens WHERE number = :number

-- name: bot_record
-- row: BotRow
SELECT number, steamid64, account_name, profile_name, avatar, games, enabled, state, state_reason, state_since, live_offers,
       live_offers_max, seller_offers_max, items_held, items_max, secrets, tokens, created_at, quarantined_until FROM bot WHERE number = :number

-- name: beat
INSERT INTO bot_heartbeat (bot, last_good_real_us) VALUES (:bot, :real_us)
ON CONFLICT (bot) DO UPDATE SET last_good_real_us = excluded.last_good_real_us

-- name: last_item
SELECT coalesce(max(number), 0) FROM item

-- name: load_items
-- rows: game bigint, name text
-- row: ItemRow
SELECT i.number, i.game, i.name, i.price FROM {rows} JOIN item i ON i.game = k.game AND i.name = k.name

-- name: put_items
-- rows: number bigint, game bigint, name text, price bigint
INSERT INTO item (number, game, name, price) SELECT k.number, k.game, k.name, k.price FROM {rows} WHERE true
ON CONFLICT (game, name) DO UPDATE SET price = excluded.price

-- name: orders_of_game
-- row: Order
SELECT buyer, item, game, price, amount, remaining, reserved, sold, generation, updated_at
FROM buy_order WHERE buyer = :buyer AND game = :game ORDER BY item

-- name: alert_by_id
-- row: AlertEndRow
SELECT id, closed_at FROM alert WHERE id = :id

-- name: close_alert
UPDATE alert SET closed_at = :closed_at, closed_by = :closed_by, close_reason = :reason WHERE id = :id

-- name: open_alerts_of_trade
SELECT id FROM alert WHERE trade_id = :trade_id AND kind = :kind AND closed_at IS NULL

-- name: alerts_by_id
-- rows: id text
-- row: AlertRow
SELECT a.id, a.kind, b.steamid64, a.trade_id, CASE WHEN d.id IS NULL THEN 0 ELSE 1 END AS is_delivery, a.text, a.since, a.closed_at, a.closed_by, a.close_reason
FROM {rows} JOIN alert a ON a.id = k.id LEFT JOIN bot b ON b.number = a.bot LEFT JOIN delivery d ON d.id = a.trade_id

-- name: open_alerts
SELECT id, kind, bot, trade_id, text FROM alert WHERE closed_at IS NULL

-- name: old_processing
-- row: Trade
SELECT t.* FROM sale t WHERE t.status = 'processing' AND t.created_at <= :before ORDER BY t.created_at

-- name: old_settling
-- row: Trade
SELECT t.* FROM sale t WHERE t.status = 'accepted' AND t.settle_at <= :before ORDER BY t.settle_at LIMIT :most

-- name: slots_by_project
SELECT p.login, sum(s.trades) FROM trade_sum s JOIN person p ON p.number = s.project WHERE s.status = 'processing' GROUP BY p.login

-- name: selling_projects
SELECT number, login FROM person WHERE disabled = 0 AND frozen = 0 AND roles % 2 = 1 ORDER BY number

-- name: acceptance_of_project
SELECT count(*), coalesce(sum(accepted), 0) FROM
(SELECT CASE WHEN status IN ('accepted', 'completed', 'rolled_back_by_user', 'rolled_back_by_bot') THEN 1 ELSE 0 END AS accepted
 FROM trade WHERE project = :project AND status <> 'processing' ORDER BY updated_at DESC LIMIT :most) last_ended

-- name: bots_to_take_stock_of
SELECT b.number FROM bot b LEFT JOIN stocktake s ON s.bot = b.number
WHERE b.created_at < :before AND coalesce(s.asked_at, 0) < :before AND coalesce(s.done_at, 0) < :before ORDER BY b.number

-- name: add_log
INSERT INTO operator_log (id, at, operator, action, target, body) VALUES (:id, :at, :operator, :action, :target, :body)

-- name: get_mark
SELECT value FROM mark WHERE name = :name

-- name: set_mark
INSERT INTO mark (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: open_stop
-- row: StopRow
SELECT since, reason, history_lost FROM trading_stop WHERE ended_at IS NULL

-- name: last_stop
SELECT coalesce(max(since), 0) FROM trading_stop

-- name: add_stop
INSERT INTO trading_stop (since, reason, by_whom, history_lost) VALUES (:since, :reason, :by_whom, :history_lost)

-- name: stop_lost_history
UPDATE trading_stop SET history_lost = 1 WHERE since = :since

-- name: end_stop
UPDATE trading_stop SET ended_at = :ended_at, ended_by = :ended_by, end_reason = :end_reason WHERE since = :since

-- name: lost_history_alerts
SELECT id FROM alert WHERE kind = 'history_lost' AND closed_at IS NULL AND trade_id IS NULL

-- name: put_limits
INSERT INTO market_limits (one, body) VALUES (1, :body) ON CONFLICT (one) DO UPDATE SET body = excluded.body

-- name: put_person_limits
INSERT INTO person_limits (person, body) VALUES (:person, :body) ON CONFLICT (person) DO UPDATE SET body = excluded.body

-- name: clear_strikes
UPDATE seller_strikes SET strikes = 0, cooldown_until = 0 WHERE seller = :seller

-- name: put_game_stop
INSERT INTO game_stop (game, since, reason, by_whom) VALUES (:game, :since, :reason, :by_whom)
ON CONFLICT (game) DO UPDATE SET reason = excluded.reason, by_whom = excluded.by_whom

-- name: drop_game_stop
DELETE FROM game_stop WHERE game = :game

-- name: forget_looks
DELETE FROM bot_look

-- name: put_look
INSERT INTO bot_look (bot, at) VALUES (:bot, :at) ON CONFLICT (bot) DO UPDATE SET at = excluded.at

-- name: bots_not_looked_at
SELECT b.account_name FROM bot b WHERE b.enabled = 1 AND NOT EXISTS (SELECT 1 FROM bot_look l WHERE l.bot = b.number) ORDER BY b.number

-- name: open_unknown_offers
SELECT count(*) FROM alert WHERE kind = 'unknown_offer' AND closed_at IS NULL AND trade_id IS NULL

-- name: doubt_sends
UPDATE trade SET stage = 'reconcile', due_at = :now, send_started_at = :now, misses = 0, first_miss_at = NULL, attempts = 0,
                 unknown_since = coalesce(unknown_since, created_at)
WHERE status = 'processing' AND stage IN ('verify', 'send', 'reconcile') AND offer_id IS NULL

-- name: jump_seq
UPDATE market SET seq = :seq WHERE one = 1

-- name: clear_feed
DELETE FROM feed

-- name: finished_trades
SELECT t.id, t.created_at FROM trade t
WHERE (t.created_at > :created_at OR (t.created_at = :created_at AND t.id > :id)) AND t.created_at < :before AND t.updated_at < :before
  AND t.stage = 'done' AND NOT EXISTS (SELECT 1 FROM trade_archive a WHERE a.trade_id = t.id)
ORDER BY t.created_at, t.id LIMIT :most

-- name: steps_of_trades
-- rows: trade_id text
SELECT h.trade_id, h.version, h.status, h.at, h.note FROM {rows} JOIN trade_history h ON h.trade_id = k.trade_id
ORDER BY h.trade_id, h.version

-- name: words_of_trades
-- rows: trade_id text
SELECT e.trade_id, e.at, e.kind, e.body FROM {rows} JOIN steam_evidence e ON e.trade_id = k.trade_id ORDER BY e.trade_id, e.at

-- name: drop_steps
-- rows: trade_id text, version bigint
DELETE FROM trade_history WHERE (trade_id, version) IN (SELECT k.trade_id, k.version FROM {rows})

-- name: drop_words
-- rows: trade_id text, at bigint
DELETE FROM steam_evidence WHERE (trade_id, at) IN
(SELECT e.trade_id, e.at FROM {rows} JOIN steam_evidence e ON e.trade_id = k.trade_id AND e.at <= k.at)

-- name: archived_of
-- rows: trade_id text
SELECT a.trade_id FROM {rows} JOIN trade_archive a ON a.trade_id = k.trade_id

-- name: add_archived
-- rows: trade_id text, file text
INSERT INTO trade_archive (trade_id, file) SELECT k.trade_id, k.file FROM {rows}

-- name: trades_by_custom_id
SELECT t.id FROM person p JOIN trade t ON t.project = p.number AND t.custom_id = :custom_id ORDER BY t.created_at DESC LIMIT 10
