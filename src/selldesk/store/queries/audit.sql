-- Every question of /api/operator/audit: a block answers the rows that break a promise (none, if all is well), and starts with a
-- count of what it looked at where that says something. Answered from the store alone.

-- name: audit_accounts_sum_to_zero
SELECT 'all accounts', sum(balance) FROM ledger_account HAVING sum(balance) <> 0

-- name: audit_transfers_sum_to_zero
SELECT transfer, sum(amount) FROM ledger_entry GROUP BY transfer HAVING sum(amount) <> 0 OR count(*) <> 2

-- name: audit_balances_are_their_entries
SELECT a.id, a.balance, coalesce(e.total, 0) FROM ledger_account a
LEFT JOIN (SELECT account, sum(amount) AS total FROM ledger_entry GROUP BY account) e ON e.account = a.id
WHERE a.balance <> coalesce(e.total, 0)

-- name: audit_no_account_overdrawn
SELECT id, balance FROM ledger_account WHERE id > 0 AND balance < 0

-- name: audit_last_entry_shows_the_balance
SELECT a.id, a.balance, e.balance_after FROM ledger_account a
JOIN ledger_entry e ON e.id = (SELECT max(x.id) FROM ledger_entry x WHERE x.account = a.id)
WHERE a.balance <> e.balance_after

-- name: audit_held_is_open_holds
SELECT p.number, coalesce(a.balance, 0), coalesce(h.total, 0) FROM person p
LEFT JOIN ledger_account a ON a.id = p.number * 4 + 1
LEFT JOIN (SELECT buyer, sum(amount) AS total FROM hold WHERE closed_at IS NULL GROUP BY buyer) h ON h.buyer = p.number
WHERE coalesce(a.balance, 0) <> coalesce(h.total, 0)

-- name: audit_escrow_is_accepted_trades
SELECT p.number, coalesce(a.balance, 0), coalesce(t.total, 0) FROM person p
LEFT JOIN ledger_account a ON a.id = p.number * 4 + 2
LEFT JOIN (SELECT project, sum(value - fee) AS total FROM trade WHERE status = 'accepted' GROUP BY project) t ON t.project = p.number
WHERE coalesce(a.balance, 0) <> coalesce(t.total, 0)

-- name: audit_fees_in_escrow
SELECT coalesce((SELECT balance FROM ledger_account WHERE id = -4), 0), coalesce((SELECT sum(fee) FROM trade WHERE status = 'accepted'), 0)
WHERE coalesce((SELECT balance FROM ledger_account WHERE id = -4), 0)
   <> coalesce((SELECT sum(fee) FROM trade WHERE status = 'accepted'), 0)

-- name: audit_fees_earned
SELECT coalesce((SELECT balance FROM ledger_account WHERE id = -2), 0), coalesce((SELECT sum(fee) FROM trade WHERE status = 'completed'), 0)
WHERE coalesce((SELECT balance FROM ledger_account WHERE id = -2), 0)
   <> coalesce((SELECT sum(fee) FROM trade WHERE status = 'completed'), 0)

-- name: audit_one_hold_per_trade
SELECT t.id, t.status, t.value, h.amount FROM trade t LEFT JOIN hold h ON h.trade_id = t.id
WHERE h.trade_id IS NULL OR h.amount <> t.value OR h.buyer <> t.buyer

-- name: audit_holds_follow_status
SELECT t.id, t.status, h.captured, h.released, h.closed_at FROM trade t JOIN hold h ON h.trade_id = t.id
WHERE (t.status = 'processing' AND h.closed_at IS NOT NULL)
   OR (t.status IN ('declined', 'cancelled', 'error') AND h.released <> h.amount)
   OR (t.status IN ('accepted', 'completed', 'rolled_back_by_user', 'rolled_back_by_bot') AND h.captured <> h.amount)

-- name: audit_holds_without_trade
SELECT h.trade_id FROM hold h LEFT JOIN trade t ON t.id = h.trade_id WHERE t.id IS NULL

-- name: audit_completed_are_paid_once
SELECT t.id, t.value - t.fee, coalesce(e.total, 0) FROM trade t
LEFT JOIN (SELECT trade_id, sum(amount) AS total FROM ledger_entry WHERE kind = 'proceeds' AND amount > 0 GROUP BY trade_id) e
  ON e.trade_id = t.id
WHERE (t.status = 'completed' AND coalesce(e.total, 0) <> t.value - t.fee) OR (t.status <> 'completed' AND e.total IS NOT NULL)

-- name: audit_rolled_back_are_refunded_once
SELECT t.id, t.value, coalesce(e.total, 0) FROM trade t
LEFT JOIN (SELECT trade_id, sum(amount) AS total FROM ledger_entry WHERE kind = 'refund' AND amount > 0 GROUP BY trade_id) e
  ON e.trade_id = t.id
WHERE (t.status IN ('rolled_back_by_user', 'rolled_back_by_bot') AND coalesce(e.total, 0) <> t.value)
   OR (t.status NOT IN ('rolled_back_by_user', 'rolled_back_by_bot') AND e.total IS NOT NULL)

-- name: audit_references_have_entries
SELECT r.person, r.direction, r.reference FROM money_reference r LEFT JOIN ledger_entry e ON e.id = r.entry
WHERE e.id IS NULL OR e.account <> r.person * 4 OR abs(e.amount) <> abs(r.amount)

-- name: audit_order_units
SELECT buyer, item, generation FROM buy_order
WHERE remaining + reserved + sold <> amount OR remaining < 0 OR reserved < 0 OR sold < 0
UNION ALL
SELECT buyer, item, generation FROM closed_order
WHERE remaining + reserved + sold <> amount OR remaining < 0 OR reserved < 0 OR sold < 0

-- name: audit_orders_match_trades
SELECT o.buyer, o.item, o.generation, o.reserved, o.sold, coalesce(u.reserved, 0), coalesce(u.sold, 0)
FROM (SELECT buyer, item, generation, reserved, sold FROM buy_order
      UNION ALL SELECT buyer, item, generation, reserved, sold FROM closed_order) o
LEFT JOIN (SELECT t.buyer, i.item, i.generation,
                  sum(CASE WHEN t.status = 'processing' THEN 1 ELSE 0 END) AS reserved,
                  sum(CASE WHEN t.status IN ('accepted', 'completed', 'rolled_back_by_user', 'rolled_back_by_bot') THEN 1 ELSE 0 END) AS sold
           FROM trade_item i JOIN trade t ON t.id = i.trade_id GROUP BY t.buyer, i.item, i.generation) u
  ON u.buyer = o.buyer AND u.item = o.item AND u.generation = o.generation
WHERE o.reserved <> coalesce(u.reserved, 0) OR o.sold <> coalesce(u.sold, 0)

-- name: audit_units_without_order
SELECT t.id, i.item, i.generation FROM trade_item i JOIN trade t ON t.id = i.trade_id
WHERE t.status NOT IN ('declined', 'cancelled', 'error')   -- these gave their units back; nothing remembers an untouched generation
  AND NOT EXISTS (SELECT 1 FROM buy_order o WHERE o.buyer = t.buyer AND o.item = i.item AND o.generation = i.generation)
  AND NOT EXISTS (SELECT 1 FROM closed_order o WHERE o.buyer = t.buyer AND o.item = i.item AND o.generation = i.generation)

-- name: audit_values_are_sums_of_items
SELECT t.id, t.value, i.total, t.items_count, i.items FROM trade t
JOIN (SELECT trade_id, sum(price) AS total, count(*) AS items FROM trade_item GROUP BY trade_id) i ON i.trade_id = t.id
WHERE t.value <> i.total OR t.items_count <> i.items

-- name: audit_history_gapless
SELECT t.id, t.version, h.entries, h.first, h.last FROM trade t
LEFT JOIN (SELECT trade_id, count(*) AS entries, min(version) AS first, max(version) AS last FROM trade_history GROUP BY trade_id) h
  ON h.trade_id = t.id
WHERE (h.entries IS NULL OR h.entries <> t.version OR h.first <> 1 OR h.last <> t.version)
  AND NOT EXISTS (SELECT 1 FROM trade_archive a WHERE a.trade_id = t.id)

-- name: audit_history_shows_the_status
SELECT t.id, t.status, h.status FROM trade t JOIN trade_history h ON h.trade_id = t.id AND h.version = t.version
WHERE h.status <> t.status

-- name: audit_history_transitions
SELECT h.trade_id, h.version, p.status, h.status FROM trade_history h
JOIN trade_history p ON p.trade_id = h.trade_id AND p.version = h.version - 1
WHERE h.status <> p.status
  AND NOT (p.status = 'processing' AND h.status IN ('accepted', 'declined', 'cancelled', 'error'))
  AND NOT (p.status = 'accepted' AND h.status IN ('completed', 'rolled_back_by_user', 'rolled_back_by_bot'))

-- name: audit_steps_have_their_events
SELECT h.trade_id, h.version, h.told, coalesce(e.told, 0) FROM
(SELECT trade_id, version, told, at FROM trade_history UNION ALL SELECT delivery_id, version, told, at FROM delivery_history) h
LEFT JOIN (SELECT subject, version, count(*) AS told FROM event WHERE version IS NOT NULL GROUP BY subject, version) e
  ON e.subject = h.trade_id AND e.version = h.version
WHERE h.told > 0 AND coalesce(e.told, 0) <> h.told
  AND h.at > coalesce((SELECT at FROM event_mark WHERE one = 1), 0)   -- what is older may be deleted by now

-- name: audit_pending_log_entries_have_an_event
SELECT w.endpoint, w.seq, w.place FROM webhook_entry w JOIN endpoint p ON p.id = w.endpoint
LEFT JOIN event e ON e.person = p.person AND e.seq = w.seq AND e.place = w.place
WHERE w.state = 'pending' AND e.id IS NULL

-- name: audit_live_assets
SELECT a.trade_id, a.assetid FROM live_asset a LEFT JOIN trade t ON t.id = a.trade_id
WHERE t.id IS NULL OR t.status NOT IN ('processing', 'accepted')
UNION ALL
SELECT t.id, i.assetid FROM trade t JOIN trade_item i ON i.trade_id = t.id
LEFT JOIN live_asset a ON a.seller = t.seller AND a.game = t.game AND a.contextid = i.contextid AND a.assetid = i.assetid
     AND a.trade_id = t.id
LEFT JOIN asset_claim c ON c.project = t.project AND c.seller = t.seller AND c.game = t.game AND c.contextid = i.contextid
     AND c.assetid = i.assetid AND c.trade_id = t.id
WHERE t.status IN ('processing', 'accepted') AND a.trade_id IS NULL AND (t.verified_at IS NOT NULL OR c.trade_id IS NULL)
UNION ALL
SELECT c.trade_id, c.assetid FROM asset_claim c LEFT JOIN trade t ON t.id = c.trade_id
WHERE t.id IS NULL OR t.status NOT IN ('processing', 'accepted')

-- name: audit_final_trades_have_no_work
SELECT id, status, stage, due_at FROM trade
WHERE (status NOT IN ('processing', 'accepted')) <> (stage = 'done') OR (stage = 'done' AND due_at IS NOT NULL)

-- name: audit_live_trades_have_work
SELECT t.id, t.status, t.stage FROM trade t
WHERE t.status IN ('processing', 'accepted') AND t.due_at IS NULL
  AND NOT (t.stage = 'operator' AND EXISTS (SELECT 1 FROM alert a WHERE a.trade_id = t.id))

-- name: audit_errors_have_text
SELECT id, status FROM trade WHERE (status IN ('error', 'cancelled', 'declined')) <> (error IS NOT NULL)

-- name: audit_sums_match_trades
SELECT project, game, status, sum(trades), sum(value) FROM
(SELECT project, game, status, count(*) AS trades, sum(value) AS value FROM trade GROUP BY project, game, status
 UNION ALL SELECT project, game, status, -trades, -value FROM trade_sum) both_sides
GROUP BY project, game, status HAVING sum(trades) <> 0 OR sum(value) <> 0

-- name: audit_buyer_sums_match_trades
SELECT buyer, game, status, sum(trades), sum(items) FROM
(SELECT buyer, game, status, count(*) AS trades, sum(items_count) AS items FROM trade GROUP BY buyer, game, status
 UNION ALL SELECT buyer, game, status, -trades, -items FROM buyer_sum) both_sides
GROUP BY buyer, game, status HAVING sum(trades) <> 0 OR sum(items) <> 0

-- name: audit_entry_counts_match
SELECT account, sum(entries) FROM
(SELECT account, count(*) AS entries FROM ledger_entry GROUP BY account UNION ALL SELECT account, -entries FROM entry_count) both_sides
GROUP BY account HAVING sum(entries) <> 0

-- name: audit_bot_loads
SELECT b.number, '', '', b.live_offers, coalesce(t.live, 0) FROM bot b
LEFT JOIN (SELECT bot, count(*) AS live FROM
           (SELECT bot FROM trade WHERE status = 'processing'
            UNION ALL SELECT bot FROM delivery WHERE status = 'processing' AND stage NOT IN ('verify', 'send')) slots GROUP BY bot) t
  ON t.bot = b.number
WHERE b.live_offers <> coalesce(t.live, 0)
UNION ALL
SELECT bot, CAST(game AS TEXT), kind, sum(kept), sum(counted) FROM
(SELECT bot, game, kind, items AS kept, 0 AS counted FROM bot_stock
 UNION ALL SELECT bot, game, CASE status WHEN 'processing' THEN 'reserved' WHEN 'accepted' THEN 'protected' ELSE 'held' END, 0, items_count
 FROM trade WHERE status IN ('processing', 'accepted', 'completed')
 UNION ALL SELECT t.bot, t.game, n.state, 0, 1 FROM item_note n JOIN trade t ON t.id = n.trade_id) both_sides
GROUP BY bot, game, kind HAVING sum(kept) <> sum(counted)
UNION ALL
SELECT b.number, '', 'items_held', b.items_held, coalesce(s.items, 0) FROM bot b
LEFT JOIN (SELECT bot, sum(CASE WHEN kind IN ('missing', 'delivered') THEN -items ELSE items END) AS items FROM bot_stock GROUP BY bot) s
  ON s.bot = b.number
WHERE b.items_held <> coalesce(s.items, 0)

-- name: audit_one_live_delivery_per_item
SELECT i.trade_id, i.trade_position, count(*), min(i.delivery_id) FROM delivery_item i JOIN delivery d ON d.id = i.delivery_id
WHERE d.status = 'processing' GROUP BY i.trade_id, i.trade_position HAVING count(*) > 1
UNION ALL
SELECT l.trade_id, l.trade_position, 0, l.delivery_id FROM live_delivery_item l LEFT JOIN delivery d ON d.id = l.delivery_id
WHERE d.id IS NULL OR d.status <> 'processing'
UNION ALL
SELECT i.trade_id, i.trade_position, 1, i.delivery_id FROM delivery_item i JOIN delivery d ON d.id = i.delivery_id
LEFT JOIN live_delivery_item l ON l.trade_id = i.trade_id AND l.trade_position = i.trade_position AND l.delivery_id = i.delivery_id
WHERE d.status = 'processing' AND l.delivery_id IS NULL

-- name: audit_delivered_items_left_once
-- An item that a delivery brought to its buyer is out of stock, and no two deliveries brought it.
SELECT i.trade_id, i.trade_position, count(*) FROM delivery_item i JOIN delivery d ON d.id = i.delivery_id
WHERE d.status IN ('accepted', 'completed') GROUP BY i.trade_id, i.trade_position HAVING count(*) > 1
UNION ALL
SELECT i.trade_id, i.trade_position, 1 FROM delivery_item i JOIN delivery d ON d.id = i.delivery_id
LEFT JOIN item_note n ON n.trade_id = i.trade_id AND n.position = i.trade_position AND n.state = 'delivered'
WHERE d.status IN ('accepted', 'completed') AND n.trade_id IS NULL

-- name: audit_deliveries_history_gapless
SELECT d.id, d.version, h.entries, h.first, h.last FROM delivery d
LEFT JOIN (SELECT delivery_id, count(*) AS entries, min(version) AS first, max(version) AS last FROM delivery_history GROUP BY delivery_id) h
  ON h.delivery_id = d.id
WHERE h.entries IS NULL OR h.entries <> d.version OR h.first <> 1 OR h.last <> d.version

-- name: audit_deliveries_have_work
SELECT id, status, stage, due_at FROM delivery
WHERE (status NOT IN ('processing', 'accepted')) <> (stage = 'done') OR (stage = 'done' AND due_at IS NOT NULL)

-- name: audit_items_noted_are_held
SELECT n.trade_id, n.position, n.state, t.status FROM item_note n LEFT JOIN trade t ON t.id = n.trade_id
WHERE t.id IS NULL OR t.status NOT IN ('accepted', 'completed')

-- name: audit_seller_days_match_trades
SELECT seller, project, sum(opened), sum(accepted), sum(completed), sum(refused), sum(reversed), sum(volume) FROM
(SELECT seller, project, opened, accepted, completed, refused, reversed, volume FROM seller_figures
 UNION ALL SELECT seller, project, -count(*),
       -sum(CASE WHEN status IN ('accepted', 'completed', 'rolled_back_by_user', 'rolled_back_by_bot') THEN 1 ELSE 0 END),
       -sum(CASE WHEN status = 'completed' THEN 1 ELSE 0 END),
       -sum(CASE WHEN status IN ('declined', 'cancelled', 'error') THEN 1 ELSE 0 END),
       -sum(CASE WHEN status IN ('rolled_back_by_user', 'rolled_back_by_bot') THEN 1 ELSE 0 END),
       -sum(CASE WHEN status IN ('accepted', 'completed', 'rolled_back_by_user', 'rolled_back_by_bot') THEN value ELSE 0 END)
 FROM trade GROUP BY seller, project) both_sides
GROUP BY seller, project
HAVING sum(opened) <> 0 OR sum(accepted) <> 0 OR sum(completed) <> 0 OR sum(refused) <> 0 OR sum(reversed) <> 0 OR sum(volume) <> 0

-- name: audit_items_without_trade
SELECT t.id, t.status, t.offer_id FROM trade t
WHERE t.status IN ('declined', 'cancelled', 'error') AND t.offer_state IN (3, 12)

-- name: audit_orders_of_known_items
SELECT o.buyer, o.item FROM buy_order o LEFT JOIN item n ON n.number = o.item AND n.game = o.game WHERE n.number IS NULL

-- name: audit_feed_is_gapless
SELECT f.seq FROM feed f WHERE f.seq > (SELECT min(seq) FROM feed) AND NOT EXISTS (SELECT 1 FROM feed p WHERE p.seq = f.seq - 1)
UNION ALL
SELECT m.seq FROM market m WHERE m.seq > 0 AND NOT EXISTS (SELECT 1 FROM feed f WHERE f.seq = m.seq)
