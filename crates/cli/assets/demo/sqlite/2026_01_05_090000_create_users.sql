-- migrate:up
CREATE TABLE users (
    id            INTEGER PRIMARY KEY,
    email         TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('admin', 'mentor', 'member')),
    password_hash TEXT NOT NULL,
    settings      JSON NOT NULL DEFAULT '{}' CHECK (json_valid(settings)),
    born_on       DATE,
    last_seen_on  DATE
);

-- migrate:down
DROP TABLE users;
