-- Every batch carries a stamp of its own, so that no other one under the same number is ever taken for it.

ALTER TABLE feed ADD COLUMN stamp BIGINT;    -- NULL: written by an older version
