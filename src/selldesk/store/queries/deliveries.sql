-- Deliveries: what the desk loads and writes, and what buyers and operators see.

-- name: load_deliveries
-- rows: id text
-- row: Delivery
SELECT d.id, d.game, d.bot, d.created_at, d.stage, d.stage_at, d.due_at, d.attempts, d.offer_id, d.offer_state, d.expires_at,
       d.send_started_at, d.unknown_since, d.misses, d.first_miss_at, d.doubt_at, d.verified_at, d.cancel_by, d.steam_trade_id,
       d.steam_status, d.exchanged_at, d.settlement, d.protected, d.settle_at, d.buyer, d.custom_id, d.part, d.parts, d.partner,
       d.tradelink, d.message, d.items_count, d.status, d.updated_at, d.version, d.error, d.resends, d.refused_text
FROM {rows} JOIN delivery d ON d.id = k.id

-- name: load_delivery_items
-- rows: id text
-- row: DeliveryItem
SELECT i.delivery_id, i.position, i.trade_id, i.trade_position, i.item, i.contextid, i.assetid, i.classid, i.instanceid, i.new_assetid,
       i.new_contextid
FROM {rows} JOIN delivery_item i ON i.delivery_id = k.id ORDER BY i.delivery_id, i.position

-- name: named_delivery_items
-- rows: id text
SELECT i.delivery_id, i.position, i.trade_id, i.trade_position, i.item, i.contextid, i.assetid, i.classid, i.instanceid, i.new_assetid,
       i.new_contextid, n.name
FROM {rows} JOIN delivery_item i ON i.delivery_id = k.id JOIN item n ON n.number = i.item ORDER BY i.delivery_id, i.position

-- name: add_deliveries
-- rows: id text, game bigint, bot bigint, created_at bigint, stage text, stage_at bigint, due_at bigint, attempts bigint, offer_id text, offer_state bigint, expires_at bigint, send_started_at bigint, unknown_since bigint, misses bigint, first_miss_at bigint, doubt_at bigint, verified_at bigint, cancel_by text, steam_trade_id text, steam_status bigint, exchanged_at bigint, settlement bigint, protected bigint, settle_at bigint, buyer bigint, custom_id text, part bigint, parts bigint, partner text, tradelink text, message text, items_count bigint, status text, updated_at bigint, version bigint, error text, resends bigint, refused_text text
INSERT INTO delivery (id, game, bot, created_at, stage, stage_at, due_at, attempts, offer_id, offer_state, expires_at, send_started_at,
    unknown_since, misses, first_miss_at, doubt_at, verified_at, cancel_by, steam_trade_id, steam_status, exchanged_at, settlement,
    protected, settle_at, buyer, custom_id, part, parts, partner, tradelink, message, items_count, status, updated_at, version, error,
    resends, refused_text)
SELECT k.id, k.game, k.bot, k.created_at, k.stage, k.stage_at, k.due_at, k.attempts, k.offer_id, k.offer_state, k.expires_at,
    k.send_started_at, k.unknown_since, k.misses, k.first_miss_at, k.doubt_at, k.verified_at, k.cancel_by, k.steam_trade_id,
    k.steam_status, k.exchanged_at, k.settlement, k.protected, k.settle_at, k.buyer, k.custom_id, k.part, k.parts, k.partner, k.tradelink,
    k.message, k.items_count, k.status, k.updated_at, k.version, k.error, k.resends, k.refused_text
FROM {rows}

-- name: change_deliveries
-- rows: id text, stage text, stage_at bigint, due_at bigint, attempts bigint, offer_id text, offer_state bigint, expires_at bigint, send_started_at bigint, unknown_since bigint, misses bigint, first_miss_at bigint, doubt_at bigint, verified_at bigint, cancel_by text, steam_trade_id text, steam_status bigint, exchanged_at bigint, settlement bigint, protected bigint, settle_at bigint, status text, updated_at bigint, version bigint, error text, resends bigint, refused_text text
UPDATE delivery SET stage = k.stage, stage_at = k.stage_at, due_at = k.due_at, attempts = k.attempts, offer_id = k.offer_id,
    offer_state = k.offer_state, expires_at = k.expires_at, send_started_at = k.send_started_at, unknown_since = k.unknown_since,
    misses = k.misses, first_miss_at = k.first_miss_at, doubt_at = k.doubt_at, verified_at = k.verified_at, cancel_by = k.cancel_by,
    steam_trade_id = k.steam_trade_id, steam_status = k.steam_status, exchanged_at = k.exchanged_at, settlement = k.settlement,
    protected = k.protected, settle_at = k.settle_at, status = k.status, updated_at = k.updated_at, version = k.version, error = k.error,
    resends = k.resends, refused_text = k.refused_text
FROM {rows} WHERE delivery.id = k.id

-- name: put_delivery_items
-- rows: delivery_id text, position bigint, trade_id text, trade_position bigint, item bigint, contextid text, assetid text, classid text, instanceid text, new_assetid text, new_contextid text
INSERT INTO delivery_item (delivery_id, position, trade_id, trade_position, item, contextid, assetid, classid, instanceid, new_assetid, new_contextid)
SELECT k.delivery_id, k.position, k.trade_id, k.trade_position, k.item, k.contextid, k.assetid, k.classid, k.instanceid, k.new_assetid,
    k.new_contextid
FROM {rows} WHERE true
ON CONFLICT (delivery_id, position) DO UPDATE SET contextid = excluded.contextid, assetid = excluded.assetid, classid = excluded.classid,
    instanceid = excluded.instanceid, new_assetid = excluded.new_assetid, new_contextid = excluded.new_contextid

-- name: add_live_delivery_items
-- rows: trade_id text, trade_position bigint, delivery_id text
INSERT INTO live_delivery_item (trade_id, trade_position, delivery_id) SELECT k.trade_id, k.trade_position, k.delivery_id FROM {rows}

-- name: free_delivery_items
-- rows: delivery_id text
DELETE FROM live_delivery_item WHERE delivery_id IN (SELECT k.delivery_id FROM {rows})

-- name: add_delivery_history
-- rows: delivery_id text, version bigint, status text, at bigint, note text, told bigint
INSERT INTO delivery_history (delivery_id, version, status, at, note, told)
SELECT k.delivery_id, k.version, k.status, k.at, k.note, k.told FROM {rows}

-- name: items_to_deliver
-- rows: trade_id text, position bigint
-- row: ItemToDeliverRow
-- What is to be known of each item that a buyer asks for.
SELECT i.trade_id, i.position, t.buyer, t.status, t.game, t.bot, i.item, n.name, i.classid, i.instanceid, t.settle_at, o.state AS noted,
       l.delivery_id
FROM {rows} JOIN trade_item i ON i.trade_id = k.trade_id AND i.position = k.position JOIN trade t ON t.id = i.trade_id
JOIN item n ON n.number = i.item LEFT JOIN item_note o ON o.trade_id = i.trade_id AND o.position = i.position
LEFT JOIN live_delivery_item l ON l.trade_id = i.trade_id AND l.trade_position = i.position

-- name: live_items_of
-- rows: trade_id text, position bigint
-- row: LiveItemRow
SELECT k.trade_id, k.position, l.delivery_id FROM {rows}
JOIN live_delivery_item l ON l.trade_id = k.trade_id AND l.trade_position = k.position

-- name: delivery_with_custom_id
SELECT 1 FROM delivery d WHERE d.buyer = :buyer AND d.custom_id = :custom_id LIMIT 1

-- name: running_deliveries_of
SELECT count(*) FROM delivery d WHERE d.buyer = :buyer AND d.status = 'processing'

-- name: last_ended_deliveries
-- row: EndedDeliveryRow
SELECT d.status, d.updated_at FROM delivery d WHERE d.buyer = :buyer AND d.status <> 'processing'
ORDER BY d.updated_at DESC, d.id DESC LIMIT 2

-- name: waiting_deliveries
SELECT d.id FROM delivery d WHERE d.bot = :bot AND d.status = 'processing' AND d.game = :game AND d.stage = 'verify' ORDER BY d.id

-- name: delivery_slots
-- row: DeliverySlotsRow
-- What of a bot's slots is taken: by deliveries, by those to this partner, and by verified sales of this partner's.
SELECT (SELECT count(*) FROM delivery d WHERE d.bot = :bot AND d.status = 'processing' AND d.stage NOT IN ('verify', 'send')) AS deliveries,
       (SELECT count(*) FROM delivery d WHERE d.bot = :bot AND d.status = 'processing' AND d.stage NOT IN ('verify', 'send')
        AND d.partner = :partner) AS to_partner,
       (SELECT count(*) FROM trade t WHERE t.bot = :bot AND t.status = 'processing' AND t.seller = :partner AND t.verified_at IS NOT NULL) AS sales

-- name: old_deliveries
-- row: Delivery
SELECT d.id, d.game, d.bot, d.created_at, d.stage, d.stage_at, d.due_at, d.attempts, d.offer_id, d.offer_state, d.expires_at,
       d.send_started_at, d.unknown_since, d.misses, d.first_miss_at, d.doubt_at, d.verified_at, d.cancel_by, d.steam_trade_id,
       d.steam_status, d.exchanged_at, d.settlement, d.protected, d.settle_at, d.buyer, d.custom_id, d.part, d.parts, d.partner,
       d.tradelink, d.message, d.items_count, d.status, d.updated_at, d.version, d.error, d.resends, d.refused_text
FROM delivery d WHERE d.status IN ('processing', 'accepted') AND d.created_at <= :before ORDER BY d.id LIMIT 1000

-- name: put_buyer_settings
INSERT INTO buyer_settings (person, tradelink) VALUES (:person, :tradelink)
ON CONFLICT (person) DO UPDATE SET tradelink = excluded.tradelink

-- name: buyer_tradelink
SELECT tradelink FROM buyer_settings WHERE person = :person

-- name: deliver_to_of
SELECT steamid64 FROM deliver_to WHERE person = :person ORDER BY steamid64

-- name: drop_deliver_to
DELETE FROM deliver_to WHERE person = :person

-- name: add_deliver_to
-- rows: person bigint, steamid64 text
INSERT INTO deliver_to (person, steamid64) SELECT k.person, k.steamid64 FROM {rows}

-- name: deliveries_page
SELECT d.id FROM delivery d
WHERE (CAST(:buyer AS bigint) IS NULL OR d.buyer = :buyer) AND (CAST(:status AS text) IS NULL OR d.status = :status)
  AND (CAST(:game AS bigint) IS NULL OR d.game = :game) AND (CAST(:custom_id AS text) IS NULL OR d.custom_id = :custom_id)
  AND (CAST(:date_from AS bigint) IS NULL OR d.created_at >= :date_from) AND (CAST(:date_to AS bigint) IS NULL OR d.created_at < :date_to)
  AND (CAST(:updated_from AS bigint) IS NULL OR d.updated_at >= :updated_from)
  AND (CAST(:updated_to AS bigint) IS NULL OR d.updated_at < :updated_to)
ORDER BY d.created_at DESC, d.id DESC LIMIT :limit OFFSET :offset

-- name: deliveries_count
SELECT count(*) FROM delivery d
WHERE (CAST(:buyer AS bigint) IS NULL OR d.buyer = :buyer) AND (CAST(:status AS text) IS NULL OR d.status = :status)
  AND (CAST(:game AS bigint) IS NULL OR d.game = :game) AND (CAST(:custom_id AS text) IS NULL OR d.custom_id = :custom_id)
  AND (CAST(:date_from AS bigint) IS NULL OR d.created_at >= :date_from) AND (CAST(:date_to AS bigint) IS NULL OR d.created_at < :date_to)
  AND (CAST(:updated_from AS bigint) IS NULL OR d.updated_at >= :updated_from)
  AND (CAST(:updated_to AS bigint) IS NULL OR d.updated_at < :updated_to)

-- name: steps_of_delivery
SELECT h.status, h.at, h.note FROM delivery_history h WHERE h.delivery_id = :delivery_id ORDER BY h.version

-- name: items_of_delivery
SELECT i.delivery_id, i.position, i.trade_id, i.trade_position, i.item, i.contextid, i.assetid, i.classid, i.instanceid, i.new_assetid,
       i.new_contextid, n.name
FROM delivery_item i JOIN item n ON n.number = i.item WHERE i.delivery_id = :delivery_id ORDER BY i.position

-- name: request_of_delivery
SELECT d.buyer, d.custom_id FROM delivery d WHERE d.id = :id

-- name: deliveries_of_offer
-- row: OfferedTradeRow
SELECT d.id, d.status, d.offer_state, d.offer_id FROM delivery d WHERE d.offer_id = :offer_id
UNION SELECT d.id, d.status, d.offer_state, d.offer_id FROM delivery d WHERE d.steam_trade_id = :steam_trade_id
UNION SELECT d.id, d.status, d.offer_state, d.offer_id FROM steam_object o JOIN delivery d ON d.id = o.trade_id
WHERE o.kind = 'offer' AND o.id = :offer_id
UNION SELECT d.id, d.status, d.offer_state, d.offer_id FROM steam_object o JOIN delivery d ON d.id = o.trade_id
WHERE o.kind = 'tag' AND o.id = :tag

-- name: deliveries_by_exchange
-- rows: steam_trade_id text
-- row: ExchangedTradeRow
SELECT d.id, d.status, d.steam_status, d.steam_trade_id, d.bot FROM {rows} JOIN delivery d ON d.steam_trade_id = k.steam_trade_id

-- name: doubt_deliveries
UPDATE delivery SET stage = 'reconcile', due_at = :now, send_started_at = :now, misses = 0, first_miss_at = NULL, attempts = 0,
                    unknown_since = coalesce(unknown_since, created_at)
WHERE status = 'processing' AND stage IN ('verify', 'send', 'reconcile') AND offer_id IS NULL

-- name: recount_live_offers
UPDATE bot SET live_offers = (SELECT count(*) FROM trade t WHERE t.bot = bot.number AND t.status = 'processing')
    + (SELECT count(*) FROM delivery d WHERE d.bot = bot.number AND d.status = 'processing' AND d.stage NOT IN ('verify', 'send'))
