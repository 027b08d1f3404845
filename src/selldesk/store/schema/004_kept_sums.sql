-- How many trades a buyer has in each status, and how many entries an account has: so that the totals of lists cost no counting.

CREATE TABLE buyer_sum (             -- kept by triggers of the store (next migration): also when an older version writes
    buyer BIGINT NOT NULL,
    game BIGINT NOT NULL,
    status TEXT NOT NULL,
    trades BIGINT NOT NULL,
    items BIGINT NOT NULL,
    PRIMARY KEY (buyer, game, status)
);

CREATE TABLE entry_count (           -- the same
    account BIGINT PRIMARY KEY,
    entries BIGINT NOT NULL
);
