-- Endpoints, what is sent to them, and who sends.

-- name: endpoints_of
-- row: EndpointRow
SELECT id, person, url, events, description, enabled, disabled_reason, disabled_at, created_at, secret, old_secret, old_until, seq, place,
       failing_since, failures, in_a_row, last_success_at
FROM endpoint WHERE person = :person ORDER BY created_at, id

-- name: endpoint_by_id
-- row: EndpointRow
SELECT id, person, url, events, description, enabled, disabled_reason, disabled_at, created_at, secret, old_secret, old_until, seq, place,
       failing_since, failures, in_a_row, last_success_at
FROM endpoint WHERE id = :id

-- name: all_endpoints
-- row: EndpointRow
SELECT id, person, url, events, description, enabled, disabled_reason, disabled_at, created_at, secret, old_secret, old_until, seq, place,
       failing_since, failures, in_a_row, last_success_at
FROM endpoint ORDER BY id

-- name: login_of
SELECT login FROM person WHERE number = :number

-- name: add_endpoint
INSERT INTO endpoint (id, person, url, events, description, enabled, created_at, secret, seq, place)
VALUES (:id, :person, :url, :events, :description, :enabled, :at, :secret, :seq, :place)

-- name: change_endpoint
UPDATE endpoint SET url = :url, events = :events, description = :description WHERE id = :id

-- name: enable_endpoint
UPDATE endpoint SET enabled = 1, disabled_reason = NULL, disabled_at = NULL, failing_since = NULL, failures = 0, in_a_row = 0, seq = :seq,
    place = :place WHERE id = :id

-- name: disable_endpoint
UPDATE endpoint SET enabled = 0, disabled_reason = :reason, disabled_at = :at WHERE id = :id

-- name: change_endpoint_secrets
UPDATE endpoint SET secret = :secret, old_secret = :old_secret, old_until = :old_until WHERE id = :id

-- name: drop_endpoint
DELETE FROM endpoint WHERE id = :id

-- name: drop_entries_of
DELETE FROM webhook_entry WHERE endpoint = :id

-- name: drop_lease_of
DELETE FROM courier_lease WHERE endpoint = :id

-- name: drop_old_entries
DELETE FROM webhook_entry WHERE endpoint IN (SELECT p.id FROM endpoint p WHERE p.person = :person) AND (seq, place) <= (:seq, :place)

-- name: entries_page
-- row: EntryOfEndpointRow
SELECT e.seq, e.place, e.event_id, e.type, e.state, e.made, e.next_attempt_at, e.attempts FROM webhook_entry e
WHERE e.endpoint = :endpoint AND (e.seq, e.place) < (:seq, :place)
  AND (CAST(:state AS text) IS NULL OR e.state = :state) AND (CAST(:type AS text) IS NULL OR e.type = :type)
ORDER BY e.seq DESC, e.place DESC LIMIT :most

-- name: entry_at
-- row: EntryOfEndpointRow
SELECT e.seq, e.place, e.event_id, e.type, e.state, e.made, e.next_attempt_at, e.attempts FROM webhook_entry e
WHERE e.endpoint = :endpoint AND e.seq = :seq AND e.place = :place

-- name: due_entries
-- row: DueEntryRow
SELECT e.seq, e.place, e.made, e.next_attempt_at, e.attempts FROM webhook_entry e
WHERE e.endpoint = :endpoint AND e.state = 'pending' AND e.next_attempt_at <= :now ORDER BY e.next_attempt_at, e.seq, e.place LIMIT :most

-- name: next_entries
-- row: NextEntryRow
SELECT e.endpoint, min(e.next_attempt_at) AS at FROM webhook_entry e WHERE e.state = 'pending' GROUP BY e.endpoint

-- name: events_at
-- rows: person bigint, seq bigint, place bigint
-- row: EventRow
SELECT e.person, e.seq, e.place, e.id, e.type, e.role, e.at, e.version, e.subject, e.body
FROM {rows} JOIN event e ON e.person = k.person AND e.seq = k.seq AND e.place = k.place

-- name: add_webhook_entries
-- rows: endpoint text, seq bigint, place bigint, event_id text, type text, at bigint
INSERT INTO webhook_entry (endpoint, seq, place, event_id, type, state, made, next_attempt_at, attempts)
SELECT k.endpoint, k.seq, k.place, k.event_id, k.type, 'pending', 0, k.at, '[]' FROM {rows} WHERE true
ON CONFLICT (endpoint, seq, place) DO NOTHING

-- name: queue_again
-- rows: endpoint text, seq bigint, place bigint, event_id text, type text, at bigint
INSERT INTO webhook_entry (endpoint, seq, place, event_id, type, state, made, next_attempt_at, attempts)
SELECT k.endpoint, k.seq, k.place, k.event_id, k.type, 'pending', 0, k.at, '[]' FROM {rows} WHERE true
ON CONFLICT (endpoint, seq, place) DO UPDATE SET state = 'pending', made = 0, next_attempt_at = excluded.next_attempt_at

-- name: put_attempts
-- rows: endpoint text, seq bigint, place bigint, state text, made bigint, next_attempt_at bigint, attempts text
UPDATE webhook_entry SET state = k.state, made = k.made, next_attempt_at = k.next_attempt_at, attempts = k.attempts
FROM {rows} WHERE webhook_entry.endpoint = k.endpoint AND webhook_entry.seq = k.seq AND webhook_entry.place = k.place

-- name: put_endpoint_health
-- rows: id text, failing_since bigint, failures bigint, in_a_row bigint, last_success_at bigint
UPDATE endpoint SET failing_since = k.failing_since, failures = k.failures, in_a_row = k.in_a_row, last_success_at = k.last_success_at
FROM {rows} WHERE endpoint.id = k.id

-- name: put_queued_to
-- rows: id text, seq bigint, place bigint
UPDATE endpoint SET seq = k.seq, place = k.place
FROM {rows} WHERE endpoint.id = k.id AND endpoint.enabled = 1 AND (endpoint.seq, endpoint.place) < (k.seq, k.place)

-- name: undelivered_since
-- row: UndeliveredRow
SELECT e.seq, e.place, e.id AS event_id, e.type FROM event e
WHERE e.person = :person AND e.at >= :since AND (e.seq, e.place) > (:seq, :place)
  AND NOT EXISTS (SELECT 1 FROM webhook_entry w WHERE w.endpoint = :endpoint AND w.seq = e.seq AND w.place = e.place AND w.state IN ('delivered', 'pending'))
ORDER BY e.seq, e.place LIMIT :most

-- name: keep_courier
INSERT INTO courier (name, until_us) VALUES (:name, :until_us) ON CONFLICT (name) DO UPDATE SET until_us = excluded.until_us

-- name: drop_gone_couriers
DELETE FROM courier WHERE until_us < :before

-- name: alive_couriers
SELECT name FROM courier WHERE until_us > :now ORDER BY name

-- name: courier_leases
-- row: CourierLeaseRow
SELECT endpoint, courier, until_us FROM courier_lease

-- name: put_courier_leases
-- rows: endpoint text, courier text, until_us bigint
-- What another one holds stays its own: of two that ask at once one is too late.
INSERT INTO courier_lease (endpoint, courier, until_us) SELECT k.endpoint, k.courier, k.until_us FROM {rows} WHERE true
ON CONFLICT (endpoint) DO UPDATE SET courier = excluded.courier, until_us = excluded.until_us
WHERE courier_lease.courier = excluded.courier OR courier_lease.until_us < excluded.until_us - 20000000
   OR courier_lease.courier NOT IN (SELECT c.name FROM courier c)

-- name: drop_couriers
-- rows: name text
DELETE FROM courier WHERE name IN (SELECT k.name FROM {rows})

-- name: drop_courier_leases
-- rows: endpoint text, courier text
DELETE FROM courier_lease WHERE (endpoint, courier) IN (SELECT k.endpoint, k.courier FROM {rows})
