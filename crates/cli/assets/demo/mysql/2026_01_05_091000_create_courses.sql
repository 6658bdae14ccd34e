-- migrate:up
CREATE TABLE courses (
    id        BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    code      VARCHAR(20) NOT NULL,
    title     VARCHAR(120) NOT NULL,
    mentor_id BIGINT UNSIGNED NOT NULL,
    fee       DECIMAL(8, 2) NOT NULL CHECK (fee >= 0),
    UNIQUE KEY courses_code (code),
    CONSTRAINT courses_mentor_id FOREIGN KEY (mentor_id) REFERENCES users (id) ON DELETE RESTRICT
);

-- migrate:down
DROP TABLE courses;
