-- migrate:up
CREATE TABLE attendance (
    id        INTEGER PRIMARY KEY,
    user_id   INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    course_id INTEGER NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    held_on   DATE NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('present', 'late', 'absent')),
    note      TEXT,
    UNIQUE (user_id, course_id, held_on)
);
CREATE INDEX attendance_course_id_held_on ON attendance (course_id, held_on);

-- migrate:down
DROP TABLE attendance;
