-- A sale is counted for its seller when it ends or is accepted, no longer when it is opened: each create paid for a row of its own.

LOCK TABLE trade IN SHARE ROW EXCLUSIVE MODE;
DROP INDEX trade_processing;
DROP INDEX asset_claim_by_trade;      -- a claim is freed by its own key

CREATE OR REPLACE FUNCTION selldesk_figures_opened() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM new_rows WHERE status <> 'processing') THEN   -- a whole past may be put in at once
        INSERT INTO seller_day AS s (seller, project, day, opened, accepted, completed, refused, reversed, volume, last_at)
        SELECT seller, project, created_at / 86400000000, count(*),
               sum(CASE WHEN status IN ('accepted', 'completed', 'rolled_back_by_user', 'rolled_back_by_bot') THEN 1 ELSE 0 END),
               sum(CASE WHEN status = 'completed' THEN 1 ELSE 0 END),
               sum(CASE WHEN status IN ('declined', 'cancelled', 'error') THEN 1 ELSE 0 END),
               sum(CASE WHEN status IN ('rolled_back_by_user', 'rolled_back_by_bot') THEN 1 ELSE 0 END),
               sum(CASE WHEN status IN ('declined', 'cancelled', 'error') THEN 0 ELSE value END), max(created_at)
        FROM new_rows WHERE status <> 'processing' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (seller, project, day) DO UPDATE SET opened = s.opened + excluded.opened, last_at = greatest(s.last_at, excluded.last_at),
               accepted = s.accepted + excluded.accepted, completed = s.completed + excluded.completed, refused = s.refused + excluded.refused,
               reversed = s.reversed + excluded.reversed, volume = s.volume + excluded.volume;
    END IF;
    INSERT INTO bot_stock AS b (bot, game, kind, items)
    SELECT bot, game, CASE status WHEN 'processing' THEN 'reserved' WHEN 'accepted' THEN 'protected' ELSE 'held' END, sum(items_count)
    FROM new_rows WHERE status IN ('processing', 'accepted', 'completed') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (bot, game, kind) DO UPDATE SET items = b.items + excluded.items;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION selldesk_figures_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE o.status <> n.status OR o.bot <> n.bot) THEN
        RETURN NULL;      -- most steps of a sale change neither
    END IF;
    INSERT INTO seller_day AS s (seller, project, day, opened, accepted, completed, refused, reversed, volume, last_at)
    SELECT seller, project, day, sum(opened), sum(accepted), sum(completed), sum(refused), sum(reversed), sum(volume), max(last_at) FROM (
        SELECT n.seller, n.project, n.created_at / 86400000000 AS day, 1 AS opened, 0 AS accepted, 0 AS completed, 0 AS refused,
               0 AS reversed, 0 AS volume, n.created_at AS last_at
        FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE o.status = 'processing' AND n.status <> 'processing'
        UNION ALL
        SELECT n.seller, n.project, n.updated_at / 86400000000, 0,
               CASE WHEN o.status = 'processing' AND n.status NOT IN ('declined', 'cancelled', 'error') THEN 1 ELSE 0 END,
               CASE WHEN n.status = 'completed' THEN 1 ELSE 0 END,
               CASE WHEN n.status IN ('declined', 'cancelled', 'error') THEN 1 ELSE 0 END,
               CASE WHEN n.status IN ('rolled_back_by_user', 'rolled_back_by_bot') THEN 1 ELSE 0 END,
               CASE WHEN o.status = 'processing' AND n.status NOT IN ('declined', 'cancelled', 'error') THEN n.value ELSE 0 END, 0
        FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE o.status <> n.status) steps
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (seller, project, day) DO UPDATE SET opened = s.opened + excluded.opened, last_at = greatest(s.last_at, excluded.last_at),
           accepted = s.accepted + excluded.accepted, completed = s.completed + excluded.completed, refused = s.refused + excluded.refused,
           reversed = s.reversed + excluded.reversed, volume = s.volume + excluded.volume;
    INSERT INTO bot_stock AS b (bot, game, kind, items)
    SELECT bot, game, CASE status WHEN 'processing' THEN 'reserved' WHEN 'accepted' THEN 'protected' ELSE 'held' END, sum(items)
    FROM (SELECT bot, game, status, items_count AS items FROM new_rows
          UNION ALL SELECT bot, game, status, -items_count FROM old_rows) AS both_sides
    WHERE status IN ('processing', 'accepted', 'completed') GROUP BY 1, 2, 3 HAVING sum(items) <> 0 ORDER BY 1, 2, 3
    ON CONFLICT (bot, game, kind) DO UPDATE SET items = b.items + excluded.items;
    RETURN NULL;
END $$;

CREATE VIEW seller_figures AS        -- seller_day with the sales that still run
SELECT seller, project, day, opened, accepted, completed, refused, reversed, volume, last_at FROM seller_day
UNION ALL SELECT seller, project, created_at / 86400000000, 1, 0, 0, 0, 0, 0, created_at FROM trade WHERE status = 'processing';

UPDATE seller_day SET opened = opened - (SELECT count(*) FROM trade t WHERE t.seller = seller_day.seller AND t.status = 'processing'
                                         AND t.project = seller_day.project AND t.created_at / 86400000000 = seller_day.day)
WHERE EXISTS (SELECT 1 FROM trade t WHERE t.seller = seller_day.seller AND t.status = 'processing');
