-- What the API reads.

-- name: trade_by_id
-- row: FoundTradeRow
SELECT id, project, buyer FROM trade WHERE id = :id

-- name: trade_by_custom_id
-- row: FoundTradeRow
SELECT id, project, buyer FROM trade WHERE project = :project AND custom_id = :custom_id

-- name: trade_by_offer_id
-- row: FoundTradeRow
SELECT id, project, buyer FROM trade WHERE offer_id = :offer_id

-- name: trades_of_steam_trade
-- row: FoundExchangeRow
SELECT id, project, buyer, status, seller FROM trade WHERE steam_trade_id = :steam_trade_id

-- name: named_items
-- rows: trade_id text
SELECT i.trade_id, i.position, i.item, i.contextid, i.assetid, i.price, i.generation, i.classid, i.instanceid, i.new_assetid,
       i.new_contextid, n.name
FROM {rows} JOIN trade_item i ON i.trade_id = k.trade_id JOIN item n ON n.number = i.item ORDER BY i.trade_id, i.position

-- name: history_of
SELECT status, at, note FROM
(SELECT t.status, t.updated_at AS at, 'The steps until here are archived in ' || a.file AS note, 0 AS version
 FROM trade_archive a JOIN trade t ON t.id = a.trade_id WHERE a.trade_id = :trade_id
 UNION ALL SELECT h.status, h.at, h.note, h.version FROM trade_history h WHERE h.trade_id = :trade_id) AS steps
ORDER BY version

-- name: evidence_of
SELECT at, kind, body FROM steam_evidence WHERE trade_id = :trade_id ORDER BY at

-- name: sums_of_project
-- row: StatusSumRow
SELECT status, trades, value FROM trade_sum WHERE project = :project AND (CAST(:game AS bigint) IS NULL OR game = :game)

-- name: bot_faces
-- row: BotFaceRow
SELECT number, steamid64, profile_name, avatar FROM bot

-- name: balances_of
-- row: BalanceRow
SELECT id AS account, balance FROM ledger_account WHERE id IN (:available, :held, :escrow)

-- name: wallet_entries
-- row: EntryRow
SELECT id, kind, amount, balance_after, trade_id, reference, at FROM ledger_entry
WHERE account = :account ORDER BY id DESC LIMIT :limit OFFSET :offset

-- name: wallet_entries_count
SELECT coalesce(sum(entries), 0) FROM entry_count WHERE account = :account

-- name: orders_page
-- row: OrderRow
SELECT o.game, n.name, o.price, o.amount, o.remaining, o.updated_at FROM buy_order o JOIN item n ON n.number = o.item
WHERE o.buyer = :buyer AND (CAST(:game AS bigint) IS NULL OR o.game = :game) AND (CAST(:name AS text) IS NULL OR n.name = :name)
ORDER BY o.item LIMIT :limit OFFSET :offset

-- name: orders_count
SELECT count(*) FROM buy_order o JOIN item n ON n.number = o.item
WHERE o.buyer = :buyer AND (CAST(:game AS bigint) IS NULL OR o.game = :game) AND (CAST(:name AS text) IS NULL OR n.name = :name)

-- name: held_items_page
-- What is missing has no id in the bot's inventory.
SELECT t.id, i.position, CASE WHEN x.state = 'missing' THEN NULL ELSE i.new_assetid END,
       CASE WHEN x.state = 'missing' THEN NULL ELSE i.new_contextid END, i.assetid, n.name, t.game, i.price, t.bot, t.settlement, t.status,
       coalesce(x.state, ''), l.delivery_id
FROM trade t JOIN trade_item i ON i.trade_id = t.id JOIN item n ON n.number = i.item
LEFT JOIN item_note x ON x.trade_id = i.trade_id AND x.position = i.position
LEFT JOIN live_delivery_item l ON l.trade_id = i.trade_id AND l.trade_position = i.position
WHERE t.buyer = :buyer AND t.status IN ('accepted', 'completed') AND (CAST(:game AS bigint) IS NULL OR t.game = :game)
  AND coalesce(x.state, '') <> 'delivered' AND (CAST(:delivery AS text) IS NULL OR l.delivery_id = :delivery)
  AND (CAST(:state AS text) IS NULL
       OR :state = CASE WHEN x.state = 'missing' THEN 'missing' WHEN l.delivery_id IS NOT NULL THEN 'in_delivery'
                        WHEN t.status = 'accepted' THEN 'protected' ELSE 'held' END)
ORDER BY t.created_at DESC, t.id, i.position LIMIT :limit OFFSET :offset

-- name: held_items_count
SELECT (SELECT coalesce(sum(items), 0) FROM buyer_sum
        WHERE buyer = :buyer AND status IN ('accepted', 'completed') AND (CAST(:game AS bigint) IS NULL OR game = :game)
          AND (CAST(:state AS text) IS NULL OR status = CASE :state WHEN 'protected' THEN 'accepted' WHEN 'held' THEN 'completed' END))
     - (SELECT count(*) FROM item_note x JOIN trade t ON t.id = x.trade_id
        WHERE t.buyer = :buyer AND (CAST(:game AS bigint) IS NULL OR t.game = :game)
          AND (x.state = 'delivered' OR CAST(:state AS text) IS NOT NULL)
          AND (CAST(:state AS text) IS NULL OR t.status = CASE :state WHEN 'protected' THEN 'accepted' WHEN 'held' THEN 'completed' END))
     + CASE WHEN :state = 'missing' THEN
       (SELECT count(*) FROM item_note x JOIN trade t ON t.id = x.trade_id
        WHERE t.buyer = :buyer AND (CAST(:game AS bigint) IS NULL OR t.game = :game) AND x.state = 'missing') ELSE 0 END
     + CASE :state WHEN 'held' THEN -1 WHEN 'in_delivery' THEN 1 ELSE 0 END
       * (SELECT count(*) FROM delivery d JOIN live_delivery_item l ON l.delivery_id = d.id
          WHERE d.buyer = :buyer AND d.status = 'processing' AND (CAST(:game AS bigint) IS NULL OR d.game = :game))

-- name: items_in_delivery_count
SELECT count(*) FROM live_delivery_item l JOIN delivery d ON d.id = l.delivery_id
WHERE l.delivery_id = :delivery AND d.buyer = :buyer AND (CAST(:game AS bigint) IS NULL OR d.game = :game)

-- name: bot_items
SELECT game, contextid, assetid, classid, instanceid, name, amount, tradable, trade_id, position FROM bot_item
WHERE bot = :bot AND (CAST(:game AS bigint) IS NULL OR game = :game) AND (CAST(:surplus AS bigint) IS NULL OR (trade_id IS NULL) = (:surplus = 1))
ORDER BY game, contextid, length(assetid), assetid LIMIT :limit OFFSET :offset

-- name: bot_items_count
SELECT count(*) FROM bot_item
WHERE bot = :bot AND (CAST(:game AS bigint) IS NULL OR game = :game) AND (CAST(:surplus AS bigint) IS NULL OR (trade_id IS NULL) = (:surplus = 1))

-- name: people_page
-- row: PersonRow
SELECT number, id, login, first_name, last_name, avatar, steamid64, roles, disabled, frozen, created_at FROM person
WHERE (CAST(:login AS text) IS NULL OR login = :login) ORDER BY number LIMIT :limit OFFSET :offset

-- name: people_count
SELECT count(*) FROM person WHERE (CAST(:login AS text) IS NULL OR login = :login)

-- name: bots_with_heartbeat
-- row: BotHealthRow
SELECT b.number, b.steamid64, b.account_name, b.profile_name, b.avatar, b.games, b.enabled, b.state, b.state_reason, b.state_since,
       b.live_offers, b.live_offers_max, b.seller_offers_max, b.items_held, b.items_max, coalesce(h.last_good_real_us, 0) AS last_good_real_us,
       b.quarantined_until
FROM bot b LEFT JOIN bot_heartbeat h ON h.bot = b.number ORDER BY b.number

-- name: stock_in_delivery
SELECT d.bot, d.game, count(*) FROM live_delivery_item l JOIN delivery d ON d.id = l.delivery_id GROUP BY d.bot, d.game

-- name: stock_by_kind
SELECT bot, game, kind, items FROM bot_stock

-- name: alerts_page
-- row: AlertRow
SELECT a.id, a.kind, b.steamid64, a.trade_id, CASE WHEN d.id IS NULL THEN 0 ELSE 1 END AS is_delivery, a.text, a.since, a.closed_at, a.closed_by, a.close_reason
FROM alert a LEFT JOIN bot b ON b.number = a.bot LEFT JOIN delivery d ON d.id = a.trade_id
WHERE (CAST(:open AS bigint) IS NULL OR (:open = 1 AND a.closed_at IS NULL) OR (:open = 0 AND a.closed_at IS NOT NULL))
ORDER BY a.since DESC, a.id DESC LIMIT :limit OFFSET :offset

-- name: alerts_count
SELECT count(*) FROM alert a
WHERE (CAST(:open AS bigint) IS NULL OR (:open = 1 AND a.closed_at IS NULL) OR (:open = 0 AND a.closed_at IS NOT NULL))

-- name: log_page
-- row: LogRow
SELECT id, at, operator, action, target, body FROM operator_log ORDER BY id DESC LIMIT :limit OFFSET :offset

-- name: log_count
SELECT count(*) FROM operator_log

-- name: trades_by_status
-- row: StatusSumRow
SELECT status, CAST(sum(trades) AS bigint) AS trades, CAST(sum(value) AS bigint) AS value FROM trade_sum GROUP BY status

-- name: figures_of_seller
SELECT coalesce(sum(opened), 0), coalesce(sum(accepted), 0), coalesce(sum(completed), 0), coalesce(sum(refused), 0),
       coalesce(sum(reversed), 0), coalesce(sum(volume), 0)
FROM seller_figures WHERE seller = :seller AND (CAST(:project AS bigint) IS NULL OR project = :project) AND day > :since

-- name: last_trade_of_seller
SELECT nullif(max(last_at), 0) FROM seller_figures WHERE seller = :seller

-- name: seller_known
SELECT 1 WHERE EXISTS (SELECT 1 FROM seller_figures WHERE seller = :seller) OR EXISTS (SELECT 1 FROM seller WHERE steamid64 = :seller)

-- name: sellers_count
SELECT count(*) FROM (SELECT seller FROM seller_figures UNION SELECT steamid64 FROM seller) k
LEFT JOIN seller s ON s.steamid64 = k.seller
WHERE CAST(:status AS text) IS NULL
   OR :status = CASE WHEN s.status = 'blocked' AND s.until IS NOT NULL AND s.until <= :now THEN 'normal' ELSE coalesce(s.status, 'normal') END

-- name: sellers_page
SELECT k.seller FROM (SELECT seller, max(day) AS last_day, sum(opened) AS opened, sum(reversed) AS reversed FROM
    (SELECT seller, day, opened, reversed FROM seller_figures UNION ALL SELECT steamid64, -1, 0, 0 FROM seller) known GROUP BY seller) k
LEFT JOIN seller s ON s.steamid64 = k.seller
LEFT JOIN (SELECT seller, count(*) AS trades, sum(value) AS value FROM trade WHERE status = 'processing' GROUP BY seller) l
  ON l.seller = k.seller
LEFT JOIN (SELECT seller, sum(strikes) AS strikes FROM seller_strikes GROUP BY seller) x ON x.seller = k.seller
WHERE CAST(:status AS text) IS NULL
   OR :status = CASE WHEN s.status = 'blocked' AND s.until IS NOT NULL AND s.until <= :now THEN 'normal' ELSE coalesce(s.status, 'normal') END
ORDER BY CASE :sort_by WHEN 'live_trades' THEN coalesce(l.trades, 0) WHEN 'live_value' THEN coalesce(l.value, 0)
              WHEN 'strikes' THEN coalesce(x.strikes, 0) WHEN 'opened' THEN k.opened WHEN 'reversed' THEN k.reversed
              WHEN 'steamid64' THEN CAST(k.seller AS bigint) ELSE k.last_day END DESC, k.seller
LIMIT :limit OFFSET :offset

-- name: game_stops
SELECT game, since, reason, by_whom FROM game_stop ORDER BY game

-- name: catalog_counts
SELECT game, count(*) FROM item GROUP BY game

-- name: identity_of_key
-- row: IdentityRow
SELECT p.number AS person, p.login, p.roles FROM api_key k JOIN person p ON p.number = k.person WHERE k.hash = :hash AND p.disabled = 0
