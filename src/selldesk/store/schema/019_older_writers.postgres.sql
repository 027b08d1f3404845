-- What a process of an older release does to a sale that this one opened: its claims are freed when it ends, its assets are live when verified.

LOCK TABLE trade IN SHARE ROW EXCLUSIVE MODE;

CREATE FUNCTION selldesk_free_claims() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM asset_claim WHERE project = NEW.project AND seller = NEW.seller AND game = NEW.game AND trade_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER trade_ended_claims AFTER UPDATE OF status ON trade FOR EACH ROW
WHEN (OLD.status IN ('processing', 'accepted') AND NEW.status NOT IN ('processing', 'accepted')) EXECUTE FUNCTION selldesk_free_claims();

CREATE FUNCTION selldesk_verified_by_older() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO live_asset (seller, game, contextid, assetid, trade_id)
    SELECT NEW.seller, NEW.game, i.contextid, i.assetid, NEW.id FROM trade_item i WHERE i.trade_id = NEW.id ON CONFLICT DO NOTHING;
    UPDATE trade SET verified_at = coalesce(NEW.due_at, NEW.updated_at) WHERE id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER trade_verified_by_older AFTER UPDATE OF stage ON trade FOR EACH ROW
WHEN (OLD.stage = 'verify' AND NEW.stage = 'send' AND NEW.verified_at IS NULL) EXECUTE FUNCTION selldesk_verified_by_older();

DELETE FROM asset_claim WHERE NOT EXISTS (SELECT 1 FROM trade t WHERE t.id = asset_claim.trade_id AND t.status IN ('processing', 'accepted'));
