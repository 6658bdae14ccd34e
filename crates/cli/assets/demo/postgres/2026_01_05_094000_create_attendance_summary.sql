-- migrate:up
CREATE VIEW attendance_summary AS
SELECT courses.code, COUNT(*) AS entries, COUNT(*) FILTER (WHERE attendance.state <> 'absent') AS attended
FROM attendance JOIN courses ON courses.id = attendance.course_id
GROUP BY courses.code;

CREATE FUNCTION note_last_seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'absent' THEN
        UPDATE users SET last_seen_on = NEW.held_on
        WHERE id = NEW.user_id AND (last_seen_on IS NULL OR last_seen_on < NEW.held_on);
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER attendance_last_seen AFTER INSERT ON attendance
FOR EACH ROW EXECUTE FUNCTION note_last_seen();

-- migrate:down
DROP TRIGGER attendance_last_seen ON attendance;
DROP FUNCTION note_last_seen();
DROP VIEW attendance_summary;
