-- What a process reads to build and follow its view of the market.

-- name: stamp_of
SELECT stamp FROM feed WHERE seq = :seq

-- name: feed_after
-- row: FeedRow
SELECT seq, body FROM feed WHERE seq > :seq ORDER BY seq LIMIT 1000

-- name: current_seq
SELECT seq FROM market WHERE one = 1

-- name: current_batch
-- row: BatchRow
SELECT m.seq, f.stamp FROM market m LEFT JOIN feed f ON f.seq = m.seq WHERE m.one = 1

-- name: all_items
-- row: ItemNameRow
SELECT number, game, name FROM item ORDER BY number

-- name: all_people
SELECT number, id, login, steamid64, roles, disabled, frozen FROM person ORDER BY number

-- name: all_live_orders
SELECT item, buyer, price, remaining FROM buy_order WHERE remaining > 0

-- name: all_funds
SELECT id, balance FROM ledger_account WHERE id > 0 AND id % 4 = 0
