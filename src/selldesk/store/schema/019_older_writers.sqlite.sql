-- What a process of an older release does to a sale that this one opened: its claims are freed when it ends, its assets are live when verified.

CREATE TRIGGER trade_ended_claims AFTER UPDATE OF status ON trade
WHEN OLD.status IN ('processing', 'accepted') AND NEW.status NOT IN ('processing', 'accepted') BEGIN
    DELETE FROM asset_claim WHERE project = NEW.project AND seller = NEW.seller AND game = NEW.game AND trade_id = NEW.id;
END;

CREATE TRIGGER trade_verified_by_older AFTER UPDATE OF stage ON trade
WHEN OLD.stage = 'verify' AND NEW.stage = 'send' AND NEW.verified_at IS NULL BEGIN
    INSERT INTO live_asset (seller, game, contextid, assetid, trade_id)
    SELECT NEW.seller, NEW.game, i.contextid, i.assetid, NEW.id FROM trade_item i WHERE i.trade_id = NEW.id ON CONFLICT DO NOTHING;
    UPDATE trade SET verified_at = coalesce(NEW.due_at, NEW.updated_at) WHERE id = NEW.id;
END;

DELETE FROM asset_claim WHERE NOT EXISTS (SELECT 1 FROM trade t WHERE t.id = asset_claim.trade_id AND t.status IN ('processing', 'accepted'));
