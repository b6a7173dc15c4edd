-- +goose Up
-- How large all documents are together is asked whenever one comes, and must not
-- read them for it.
CREATE INDEX files_size ON files (size);

-- +goose Down
DROP INDEX files_size;
