-- migrate:up
CREATE TABLE attendance (
    id        BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id   BIGINT UNSIGNED NOT NULL,
    course_id BIGINT UNSIGNED NOT NULL,
    held_on   DATE NOT NULL,
    state     ENUM('present', 'late', 'absent') NOT NULL,
    note      TEXT,
    UNIQUE KEY attendance_user_id_course_id_held_on (user_id, course_id, held_on),
    KEY attendance_course_id_held_on (course_id, held_on),
    CONSTRAINT attendance_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT attendance_course_id FOREIGN KEY (course_id) REFERENCES courses (id) ON DELETE CASCADE
);

-- migrate:down
DROP TABLE attendance;
