-- +goose Up
-- Documents that customers send in. Their content is encrypted; each is the answer
-- to one question, and what is sent after it takes its place.
CREATE TABLE files (
    id          text   NOT NULL PRIMARY KEY,
    customer_id text   NOT NULL REFERENCES customers (id),
    field       text   NOT NULL,
    media_type  text   NOT NULL,
    size        bigint NOT NULL,
    created_at  bigint NOT NULL,
    content_box bytea  NOT NULL
);
CREATE UNIQUE INDEX files_once ON files (customer_id, field);

-- +goose Down
DROP TABLE files;
