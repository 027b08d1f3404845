-- Lists walk an index in the order of the answer, whatever the length of the history.

CREATE INDEX trade_by_project_kind ON trade (project, game, status, created_at, id);
CREATE INDEX trade_by_buyer_kind ON trade (buyer, game, status, created_at, id);
CREATE INDEX trade_by_kind ON trade (game, status, created_at, id);
CREATE INDEX trade_by_creation ON trade (created_at, id);
CREATE INDEX trade_by_project_update ON trade (project, updated_at, id);
CREATE INDEX trade_by_buyer_update ON trade (buyer, updated_at, id);
CREATE INDEX trade_by_project_value ON trade (project, value, id);
