-- What a bot's worker reads.

-- name: running_of_bot
-- row: OpenOffer
SELECT o.* FROM running_offer o WHERE o.bot = :bot UNION ALL SELECT d.* FROM running_delivery d WHERE d.bot = :bot ORDER BY 1

-- name: settling_of_bot
-- row: OpenOffer
SELECT * FROM (SELECT o.* FROM settling_offer o WHERE o.bot = :bot ORDER BY o.due_at LIMIT :most) AS sales
UNION ALL SELECT * FROM (SELECT d.* FROM settling_delivery d WHERE d.bot = :bot ORDER BY d.due_at LIMIT :most) AS deliveries

-- name: unsettled_of_bot
-- row: UnsettledRow
SELECT o.id, o.steam_trade_id, o.partner, o.protected, o.created_at, o.settlement FROM settling_offer o
WHERE o.bot = :bot AND o.steam_trade_id IS NOT NULL
UNION ALL SELECT d.id, d.steam_trade_id, d.partner, d.protected, d.created_at, d.settlement FROM settling_delivery d
WHERE d.bot = :bot AND d.steam_trade_id IS NOT NULL

-- name: has_unsettled
SELECT 1   -- a question each, by an index of its own: one with OR would be answered by going through all trades of the bot's life
WHERE EXISTS (SELECT 1 FROM settling_offer o WHERE o.bot = :bot) OR EXISTS (SELECT 1 FROM settling_delivery d WHERE d.bot = :bot)
   OR EXISTS (SELECT 1 FROM running_offer o WHERE o.bot = :bot AND o.stage IN ('exchanged', 'operator'))
   OR EXISTS (SELECT 1 FROM running_delivery d WHERE d.bot = :bot AND d.stage IN ('exchanged', 'operator'))

-- name: trades_by_steam_trade
-- rows: steam_trade_id text
-- row: ExchangedTradeRow
SELECT t.id, t.status, t.steam_status, t.steam_trade_id, t.bot FROM {rows} JOIN trade t ON t.steam_trade_id = k.steam_trade_id

-- name: known_exchanges
-- rows: steam_trade_id text
SELECT k.steam_trade_id FROM {rows} WHERE EXISTS (SELECT 1 FROM trade t WHERE t.steam_trade_id = k.steam_trade_id)
   OR EXISTS (SELECT 1 FROM delivery d WHERE d.steam_trade_id = k.steam_trade_id)
   OR EXISTS (SELECT 1 FROM steam_object o WHERE o.kind = 'exchange' AND o.id = k.steam_trade_id)

-- name: sales_with_seller
SELECT t.id, t.status FROM trade t WHERE t.bot = :bot AND t.created_at >= :since AND t.seller = :seller
  AND t.steam_trade_id IS NULL ORDER BY t.created_at DESC LIMIT 500

-- name: doubted_since
SELECT min(coalesce(o.unknown_since, o.send_started_at)) FROM running_offer o
WHERE o.bot = :bot AND (o.unknown_since IS NOT NULL OR o.stage IN ('sending', 'reconcile'))
UNION ALL SELECT min(coalesce(d.unknown_since, d.send_started_at)) FROM running_delivery d
WHERE d.bot = :bot AND (d.unknown_since IS NOT NULL OR d.stage IN ('sending', 'reconcile'))

-- name: items_of_trade
SELECT i.trade_id, i.position, i.item, i.contextid, i.assetid, i.price, i.generation, i.classid, i.instanceid, i.new_assetid,
       i.new_contextid, n.name
FROM trade_item i JOIN item n ON n.number = i.item WHERE i.trade_id = :trade_id ORDER BY i.position

-- name: all_bot_records
-- row: BotRow
SELECT number, steamid64, account_name, profile_name, avatar, games, enabled, state, state_reason, state_since, live_offers,
       live_offers_max, seller_offers_max, items_held, items_max, secrets, tokens, created_at, quarantined_until FROM bot ORDER BY number

-- name: standing_of_bot
-- row: StandingRow
SELECT b.state, b.state_reason, b.quarantined_until, b.secrets, b.tokens, s.asked_at AS stock_asked_at
FROM bot b LEFT JOIN stocktake s ON s.bot = b.number WHERE b.number = :bot

-- name: paused_games
SELECT game, until, reason FROM game_pause WHERE until > :now AND until <= :furthest

-- name: waiting_of_bot
-- row: WaitingRow
SELECT t.id, t.seller FROM trade t
WHERE t.bot = :bot AND t.status = 'processing' AND t.stage IN ('verify', 'send') AND t.unknown_since IS NULL AND t.offer_id IS NULL
ORDER BY t.id

-- name: bots_with_waiting
SELECT DISTINCT t.bot FROM trade t JOIN bot b ON b.number = t.bot LEFT JOIN bot_heartbeat h ON h.bot = b.number
WHERE t.status = 'processing' AND t.stage IN ('verify', 'send') AND t.unknown_since IS NULL AND t.offer_id IS NULL
  AND (b.state <> 'ok' OR coalesce(h.last_good_real_us, 0) NOT BETWEEN :stale_us + 1 AND :stale_us + 180000000
       OR EXISTS (SELECT 1 FROM bot_block k WHERE k.bot = t.bot AND k.game = t.game AND k.until > :now AND k.until <= :furthest))

-- name: offers_since
SELECT 1 FROM trade t
WHERE t.bot = :bot AND t.created_at >= :since AND t.id <> :trade AND (t.offer_id IS NOT NULL OR t.unknown_since > t.created_at)
UNION ALL SELECT 1 FROM delivery d WHERE d.bot = :bot AND d.created_at >= :since AND d.id <> :trade AND d.offer_id IS NOT NULL LIMIT 1

-- name: alert_of_bot
SELECT 1 FROM alert WHERE kind = :kind AND bot = :bot AND text = :text AND trade_id IS NULL

-- name: sale_of_offer
SELECT t.id FROM trade t WHERE t.offer_id = :offer_id AND t.status IN ('processing', 'accepted', 'completed')
UNION ALL SELECT d.id FROM delivery d WHERE d.offer_id = :offer_id AND d.status IN ('processing', 'accepted', 'completed')

-- name: trades_with
-- row: OfferedTradeRow
SELECT t.id, t.status, t.offer_state, t.offer_id FROM trade t
WHERE t.bot = :bot AND t.created_at >= :since AND t.seller = :seller

-- name: trades_of_offer
-- row: OfferedTradeRow
-- What the store knows of an offer: by its number, by its exchange's, by our tag with this very partner.
SELECT t.id, t.status, t.offer_state, t.offer_id FROM trade t WHERE t.offer_id = :offer_id
UNION SELECT t.id, t.status, t.offer_state, t.offer_id FROM trade t WHERE t.steam_trade_id = :steam_trade_id
UNION SELECT t.id, t.status, t.offer_state, t.offer_id FROM steam_object o JOIN trade t ON t.id = o.trade_id
WHERE o.kind = 'offer' AND o.id = :offer_id
UNION SELECT t.id, t.status, t.offer_state, t.offer_id FROM steam_object o JOIN trade t ON t.id = o.trade_id
WHERE o.kind = 'exchange' AND o.id = :steam_trade_id
UNION SELECT t.id, t.status, t.offer_state, t.offer_id FROM steam_object o JOIN trade t ON t.id = o.trade_id
WHERE o.kind = 'tag' AND o.id = :tag

-- name: standing_blocks
SELECT bot, game FROM bot_block WHERE until > :now AND until <= :furthest
