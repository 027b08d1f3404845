-- Keeps the sums of migration 004 with each row, and counts what is there already.

CREATE TRIGGER trade_opened AFTER INSERT ON trade BEGIN
    INSERT INTO buyer_sum (buyer, game, status, trades, items) VALUES (NEW.buyer, NEW.game, NEW.status, 1, NEW.items_count)
    ON CONFLICT (buyer, game, status) DO UPDATE SET trades = trades + 1, items = items + excluded.items;
END;

CREATE TRIGGER trade_moved AFTER UPDATE OF status ON trade WHEN OLD.status <> NEW.status BEGIN
    UPDATE buyer_sum SET trades = trades - 1, items = items - OLD.items_count
    WHERE buyer = OLD.buyer AND game = OLD.game AND status = OLD.status;
    INSERT INTO buyer_sum (buyer, game, status, trades, items) VALUES (NEW.buyer, NEW.game, NEW.status, 1, NEW.items_count)
    ON CONFLICT (buyer, game, status) DO UPDATE SET trades = trades + 1, items = items + excluded.items;
END;

CREATE TRIGGER entry_added AFTER INSERT ON ledger_entry BEGIN
    INSERT INTO entry_count (account, entries) VALUES (NEW.account, 1) ON CONFLICT (account) DO UPDATE SET entries = entries + 1;
END;

INSERT INTO buyer_sum (buyer, game, status, trades, items)
SELECT buyer, game, status, count(*), sum(items_count) FROM trade GROUP BY buyer, game, status;

INSERT INTO entry_count (account, entries) SELECT account, count(*) FROM ledger_entry GROUP BY account;
