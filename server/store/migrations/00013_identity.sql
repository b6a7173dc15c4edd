-- +goose Up
-- Which books these are, and how often they were about to have money moved. The
-- lock file beside them keeps the same, so that old books are known for it.
CREATE TABLE identity (
    one  integer NOT NULL PRIMARY KEY CHECK (one = 1),
    id   text    NOT NULL,
    mark bigint  NOT NULL
);

-- +goose Down
DROP TABLE identity;
