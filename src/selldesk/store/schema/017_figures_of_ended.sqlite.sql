-- A sale is counted for its seller when it ends or is accepted, no longer when it is opened: each create paid for a row of its own.

DROP INDEX trade_processing;
DROP INDEX asset_claim_by_trade;      -- a claim is freed by its own key
DROP TRIGGER trade_opened_figures;
DROP TRIGGER trade_moved_figures;

CREATE TRIGGER trade_opened_figures AFTER INSERT ON trade WHEN NEW.status = 'processing' BEGIN   -- each create pays for this one: short
    INSERT INTO bot_stock (bot, game, kind, items) VALUES (NEW.bot, NEW.game, 'reserved', NEW.items_count)
    ON CONFLICT (bot, game, kind) DO UPDATE SET items = items + excluded.items;
END;

CREATE TRIGGER trade_moved_figures AFTER UPDATE OF status ON trade WHEN OLD.status <> NEW.status BEGIN
    INSERT INTO seller_day (seller, project, day, opened, accepted, completed, refused, reversed, volume, last_at)
    SELECT NEW.seller, NEW.project, NEW.created_at / 86400000000, 1, 0, 0, 0, 0, 0, NEW.created_at WHERE OLD.status = 'processing'
    ON CONFLICT (seller, project, day) DO UPDATE SET opened = opened + 1, last_at = max(last_at, excluded.last_at);
    INSERT INTO seller_day (seller, project, day, opened, accepted, completed, refused, reversed, volume, last_at)
    VALUES (NEW.seller, NEW.project, NEW.updated_at / 86400000000, 0,
            OLD.status = 'processing' AND NEW.status IN ('accepted', 'completed', 'rolled_back_by_user', 'rolled_back_by_bot'),
            NEW.status = 'completed', NEW.status IN ('declined', 'cancelled', 'error'),
            NEW.status IN ('rolled_back_by_user', 'rolled_back_by_bot'),
            CASE WHEN OLD.status = 'processing' AND NEW.status NOT IN ('declined', 'cancelled', 'error') THEN NEW.value ELSE 0 END, 0)
    ON CONFLICT (seller, project, day) DO UPDATE SET accepted = accepted + excluded.accepted, completed = completed + excluded.completed,
           refused = refused + excluded.refused, reversed = reversed + excluded.reversed, volume = volume + excluded.volume;
END;

CREATE VIEW seller_figures AS        -- seller_day with the sales that still run
SELECT seller, project, day, opened, accepted, completed, refused, reversed, volume, last_at FROM seller_day
UNION ALL SELECT seller, project, created_at / 86400000000, 1, 0, 0, 0, 0, 0, created_at FROM trade WHERE status = 'processing';

UPDATE seller_day SET opened = opened - (SELECT count(*) FROM trade t WHERE t.seller = seller_day.seller AND t.status = 'processing'
                                         AND t.project = seller_day.project AND t.created_at / 86400000000 = seller_day.day)
WHERE EXISTS (SELECT 1 FROM trade t WHERE t.seller = seller_day.seller AND t.status = 'processing');
