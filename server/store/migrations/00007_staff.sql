-- +goose Up
-- What staff ask for: each thing once for its key, and in the audit trail.

-- What an entry is about that is no transaction, as "payment:ID".
ALTER TABLE audit ADD COLUMN subject text NOT NULL DEFAULT '';
CREATE INDEX audit_subject ON audit (subject, id) WHERE subject <> '';

-- What people wrote beside what they did.
CREATE TABLE audit_notes (
    audit_id integer NOT NULL PRIMARY KEY REFERENCES audit (id),
    note_box bytea   NOT NULL
);

-- A key names one wish: the same again gets the same answer, another is refused.
CREATE TABLE asked (
    key       text   NOT NULL PRIMARY KEY,
    operation text   NOT NULL,
    input_box bytea  NOT NULL,
    answer    text   NOT NULL,
    at        bigint NOT NULL
);
CREATE INDEX asked_at ON asked (at);

-- +goose Down
DROP TABLE asked;
DROP TABLE audit_notes;
DROP INDEX audit_subject;
ALTER TABLE audit DROP COLUMN subject;
