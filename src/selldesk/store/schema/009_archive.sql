-- Which finished trades have their steps and Steam's raw words in a file of `selldesk archive` instead of here.

CREATE TABLE trade_archive (
    trade_id TEXT PRIMARY KEY,
    file TEXT NOT NULL
);
