-- migrate:up
CREATE TABLE courses (
    id        INTEGER PRIMARY KEY,
    code      TEXT NOT NULL UNIQUE,
    title     TEXT NOT NULL,
    mentor_id INTEGER NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    -- TEXT in the type's name keeps the digits as they are: SQLite would make a float of a plain DECIMAL.
    fee       DECIMAL TEXT(8, 2) NOT NULL CHECK (CAST(fee AS REAL) >= 0)
);
CREATE INDEX courses_mentor_id ON courses (mentor_id);

-- migrate:down
DROP TABLE courses;
