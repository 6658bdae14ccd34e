-- migrate:up
CREATE TABLE users (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    email         VARCHAR(190) NOT NULL,
    name          VARCHAR(120) NOT NULL,
    role          ENUM('admin', 'mentor', 'member') NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    settings      JSON NOT NULL,
    born_on       DATE,
    last_seen_on  DATE,
    UNIQUE KEY users_email (email)
);

-- migrate:down
DROP TABLE users;
