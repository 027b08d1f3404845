-- What people are told, and how far.

-- name: add_events
-- rows: person bigint, seq bigint, place bigint, id text, type text, role text, at bigint, version bigint, subject text, body text
INSERT INTO event (person, seq, place, id, type, role, at, version, subject, body)
SELECT k.person, k.seq, k.place, k.id, k.type, k.role, k.at, k.version, k.subject, k.body FROM {rows}

-- name: operators
SELECT number FROM person WHERE disabled = 0 AND roles / 4 % 2 = 1 ORDER BY number

-- name: steamid64_of_bot
SELECT steamid64 FROM bot WHERE number = :number

-- name: events_after
-- row: EventRow
SELECT e.person, e.seq, e.place, e.id, e.type, e.role, e.at, e.version, e.subject, e.body FROM event e
WHERE e.person = :person AND (e.seq, e.place) > (:seq, :place) ORDER BY e.seq, e.place LIMIT :most

-- name: event_at
-- row: EventRow
SELECT e.person, e.seq, e.place, e.id, e.type, e.role, e.at, e.version, e.subject, e.body FROM event e
WHERE e.person = :person AND e.seq = :seq AND e.place = :place

-- name: event_mark
-- row: CursorRow
SELECT seq, place FROM event_mark WHERE one = 1

-- name: oldest_events
-- row: OldEventRow
SELECT p.number AS person, e.at FROM person p
JOIN event e ON e.person = p.number AND (e.seq, e.place) = (SELECT x.seq, x.place FROM event x WHERE x.person = p.number ORDER BY x.seq, x.place LIMIT 1)

-- name: drop_old_events
DELETE FROM event WHERE (person, seq, place) IN
(SELECT o.person, o.seq, o.place FROM
 (SELECT x.person, x.seq, x.place, x.at FROM event x WHERE x.person = :person ORDER BY x.seq, x.place LIMIT :most) AS o
 WHERE o.at < :before)
RETURNING seq, place, at

-- name: put_event_mark
INSERT INTO event_mark (one, seq, place, at) VALUES (1, :seq, :place, :at)
ON CONFLICT (one) DO UPDATE SET
    seq = CASE WHEN (event_mark.seq, event_mark.place) < (excluded.seq, excluded.place) THEN excluded.seq ELSE event_mark.seq END,
    place = CASE WHEN (event_mark.seq, event_mark.place) < (excluded.seq, excluded.place) THEN excluded.place ELSE event_mark.place END,
    at = CASE WHEN event_mark.at < excluded.at THEN excluded.at ELSE event_mark.at END
