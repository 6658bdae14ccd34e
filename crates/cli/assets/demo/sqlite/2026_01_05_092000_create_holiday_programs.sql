-- migrate:up
CREATE TABLE holiday_programs (
    id         INTEGER PRIMARY KEY,
    course_id  INTEGER NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    starts_on  DATE NOT NULL,
    ends_on    DATE NOT NULL,
    places     INTEGER NOT NULL DEFAULT 12,
    flyer      BLOB,
    CHECK (ends_on >= starts_on),
    UNIQUE (course_id, name)
);

-- migrate:down
DROP TABLE holiday_programs;
