-- Which list of orders a buyer sent last for each game: what is left of an older one is not carried out any more.

CREATE TABLE order_list (
    buyer BIGINT NOT NULL,
    game BIGINT NOT NULL,
    seq BIGINT NOT NULL,             -- the batch that it began with
    PRIMARY KEY (buyer, game)
);
