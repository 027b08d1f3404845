-- Live offers are counted by seller: the index starts with what is asked for.

CREATE INDEX trade_processing_by_seller ON trade (seller, bot) WHERE status = 'processing';
