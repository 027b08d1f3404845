-- Keeps the figures of migration 012 with each row, and counts what is there already.

CREATE TRIGGER trade_opened_figures AFTER INSERT ON trade WHEN NEW.status = 'processing' BEGIN   -- each create pays for this one: short
    INSERT INTO seller_day (seller, project, day, opened, accepted, completed, refused, reversed, volume, last_at)
    VALUES (NEW.seller, NEW.project, NEW.created_at / 86400000000, 1, 0, 0, 0, 0, 0, NEW.created_at)
    ON CONFLICT (seller, project, day) DO UPDATE SET opened = opened + 1, last_at = max(last_at, excluded.last_at);
    INSERT INTO bot_stock (bot, game, kind, items) VALUES (NEW.bot, NEW.game, 'reserved', NEW.items_count)
    ON CONFLICT (bot, game, kind) DO UPDATE SET items = items + excluded.items;
END;

CREATE TRIGGER trade_put_figures AFTER INSERT ON trade WHEN NEW.status <> 'processing' BEGIN   -- a whole past may be put in at once
    INSERT INTO seller_day (seller, project, day, opened, accepted, completed, refused, reversed, volume, last_at)
    VALUES (NEW.seller, NEW.project, NEW.created_at / 86400000000, 1,
            NEW.status IN ('accepted', 'completed', 'rolled_back_by_user', 'rolled_back_by_bot'), NEW.status = 'completed',
            NEW.status IN ('declined', 'cancelled', 'error'), NEW.status IN ('rolled_back_by_user', 'rolled_back_by_bot'),
            CASE WHEN NEW.status IN ('processing', 'declined', 'cancelled', 'error') THEN 0 ELSE NEW.value END, NEW.created_at)
    ON CONFLICT (seller, project, day) DO UPDATE SET opened = opened + 1, last_at = max(last_at, excluded.last_at), accepted = accepted + excluded.accepted,
           completed = completed + excluded.completed, refused = refused + excluded.refused, reversed = reversed + excluded.reversed,
           volume = volume + excluded.volume;
    INSERT INTO bot_stock (bot, game, kind, items)
    SELECT NEW.bot, NEW.game, CASE NEW.status WHEN 'processing' THEN 'reserved' WHEN 'accepted' THEN 'protected' ELSE 'held' END,
           NEW.items_count
    WHERE NEW.status IN ('processing', 'accepted', 'completed')
    ON CONFLICT (bot, game, kind) DO UPDATE SET items = items + excluded.items;
END;

CREATE TRIGGER trade_moved_figures AFTER UPDATE OF status ON trade WHEN OLD.status <> NEW.status BEGIN
    INSERT INTO seller_day (seller, project, day, opened, accepted, completed, refused, reversed, volume, last_at)
    VALUES (NEW.seller, NEW.project, NEW.updated_at / 86400000000, 0,
            OLD.status = 'processing' AND NEW.status IN ('accepted', 'completed', 'rolled_back_by_user', 'rolled_back_by_bot'),
            NEW.status = 'completed', NEW.status IN ('declined', 'cancelled', 'error'),
            NEW.status IN ('rolled_back_by_user', 'rolled_back_by_bot'),
            CASE WHEN OLD.status = 'processing' AND NEW.status NOT IN ('declined', 'cancelled', 'error') THEN NEW.value ELSE 0 END, 0)
    ON CONFLICT (seller, project, day) DO UPDATE SET accepted = accepted + excluded.accepted, completed = completed + excluded.completed,
           refused = refused + excluded.refused, reversed = reversed + excluded.reversed, volume = volume + excluded.volume;
END;

CREATE TRIGGER trade_moved_stock AFTER UPDATE OF status, bot ON trade WHEN OLD.status <> NEW.status OR OLD.bot <> NEW.bot BEGIN
    UPDATE bot_stock SET items = items - OLD.items_count
    WHERE bot = OLD.bot AND game = OLD.game
      AND kind = CASE OLD.status WHEN 'processing' THEN 'reserved' WHEN 'accepted' THEN 'protected' WHEN 'completed' THEN 'held' END;
    INSERT INTO bot_stock (bot, game, kind, items)
    SELECT NEW.bot, NEW.game, CASE NEW.status WHEN 'processing' THEN 'reserved' WHEN 'accepted' THEN 'protected' ELSE 'held' END,
           NEW.items_count
    WHERE NEW.status IN ('processing', 'accepted', 'completed')
    ON CONFLICT (bot, game, kind) DO UPDATE SET items = items + excluded.items;
END;

INSERT INTO bot_stock (bot, game, kind, items)
SELECT bot, game, CASE status WHEN 'processing' THEN 'reserved' WHEN 'accepted' THEN 'protected' ELSE 'held' END, sum(items_count)
FROM trade WHERE status IN ('processing', 'accepted', 'completed') GROUP BY 1, 2, 3;

INSERT INTO seller_day (seller, project, day, opened, accepted, completed, refused, reversed, volume, last_at)
SELECT seller, project, day, sum(opened), sum(accepted), sum(completed), sum(refused), sum(reversed), sum(volume), max(last_at) FROM (
    SELECT seller, project, created_at / 86400000000 AS day, 1 AS opened, 0 AS accepted, 0 AS completed, 0 AS refused, 0 AS reversed,
           0 AS volume, created_at AS last_at FROM trade
    UNION ALL
    SELECT seller, project, coalesce(exchanged_at, updated_at) / 86400000000, 0, 1, 0, 0, 0, value, 0 FROM trade
    WHERE status IN ('accepted', 'completed', 'rolled_back_by_user', 'rolled_back_by_bot')
    UNION ALL
    SELECT seller, project, updated_at / 86400000000, 0, 0, CASE WHEN status = 'completed' THEN 1 ELSE 0 END,
           CASE WHEN status IN ('declined', 'cancelled', 'error') THEN 1 ELSE 0 END,
           CASE WHEN status IN ('rolled_back_by_user', 'rolled_back_by_bot') THEN 1 ELSE 0 END, 0, 0 FROM trade
    WHERE status NOT IN ('processing', 'accepted')) steps
GROUP BY seller, project, day;
