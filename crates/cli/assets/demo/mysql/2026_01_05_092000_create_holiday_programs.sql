-- migrate:up
CREATE TABLE holiday_programs (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    course_id  BIGINT UNSIGNED NOT NULL,
    name       VARCHAR(120) NOT NULL,
    starts_on  DATE NOT NULL,
    ends_on    DATE NOT NULL,
    places     INT UNSIGNED NOT NULL DEFAULT 12,
    flyer      MEDIUMBLOB,
    CHECK (ends_on >= starts_on),
    UNIQUE KEY holiday_programs_course_id_name (course_id, name),
    CONSTRAINT holiday_programs_course_id FOREIGN KEY (course_id) REFERENCES courses (id) ON DELETE CASCADE
);

-- migrate:down
DROP TABLE holiday_programs;
