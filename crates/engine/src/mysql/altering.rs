//! Which statements may leave something in the session for its next user?
//!
//! The server could say so itself (`session_track_state_change`), but the driver does not ask it to
//! (<https://dev.mysql.com/doc/refman/8.4/en/session-state-tracking.html>), so the text is looked at. What a procedure changes is not
//! seen.

use crate::beginnings::{Words, beginnings, is};

/// Whether a text, of one statement or of several, may change the session: variables, the database in use, locks, temporary tables.
pub(super) fn alters_session(sql: &str) -> bool {
    // Where a semicolon stands in a string, what follows it looks like a statement, and the worst of it is a needless reset.
    beginnings(sql).any(alters) || sql.contains(":=") || beginnings(sql).any(reads) && reads_and_alters(sql)
}

fn alters(statement: &str) -> bool {
    let mut words = Words(statement);
    let first = words.next().unwrap_or_default();
    if is(first, &["SET"]) {
        return sets(words.0);
    }
    match words.next() {
        Some(second) if is(first, &["CREATE", "DROP"]) => {
            is(second, &["TEMPORARY"])
                || is(second, &["OR"]) && words.nth(1).is_some_and(|word| is(word, &["TEMPORARY"]))
        }
        // MariaDB's block of statements.
        Some(second) if is(first, &["BEGIN"]) => is(second, &["NOT"]),
        _ => is(first, &["USE", "PREPARE", "DEALLOCATE", "LOCK", "FLUSH", "HANDLER", "XA"]),
    }
}

/// Whether SET changes something of the session; `what` is what stands behind the word.
fn sets(what: &str) -> bool {
    let first = what.trim_start();
    // One variable after another, of which only the first is looked at.
    let is_list = what.split(';').next().unwrap_or_default().contains(',');
    let is_of_the_user = first.starts_with('@') && !first.starts_with("@@");
    is_list
        || is_of_the_user
        || Words(what)
            .next()
            .is_none_or(|word| !is(word, &["GLOBAL", "PERSIST", "PERSIST_ONLY", "STATEMENT", "PASSWORD", "DEFAULT"]))
}

fn reads(statement: &str) -> bool {
    Words(statement).next().is_some_and(|word| is(word, &["SELECT", "DO", "WITH", "VALUES", "TABLE"]))
}

/// A named lock, or a variable that is selected into.
fn reads_and_alters(statement: &str) -> bool {
    let is_lock = |at: usize| {
        let before = statement[..at].trim_end().as_bytes();
        before.len().checked_sub(LOCK.len()).is_some_and(|from| before[from..].eq_ignore_ascii_case(LOCK))
    };
    statement.match_indices('(').any(|(at, _)| is_lock(at))
        || statement.contains('@') && statement.to_ascii_uppercase().contains("INTO")
}

const LOCK: &[u8] = b"GET_LOCK";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_in_the_session_is_seen() {
        for sql in [
            "SET @a = 1",
            "set sql_mode = ''",
            "SET SESSION sort_buffer_size = 1",
            "SET NAMES latin1",
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "USE other",
            "CREATE TEMPORARY TABLE t (a INT)",
            "CREATE OR REPLACE TEMPORARY TABLE t (a INT)",
            "LOCK TABLES t WRITE",
            "FLUSH TABLES WITH READ LOCK",
            "PREPARE s FROM 'SELECT 1'",
            "SELECT GET_LOCK('a', 0)",
            "select get_lock ('a', 0)",
            "SELECT @a := 1",
            "SELECT 1 INTO @a",
            "UPDATE t SET a = (@a := @a + 1)",
            "INSERT INTO t VALUES (1); SET @a = 1",
            "-- first\n# second\n/* third */ SET @a = 1",
            "/*!40101 SET NAMES utf8 */",
            "/* first; second */ SET @a = 1",
            "SELECT 1; -- first; second\nSET @a = 1",
            "SELECT ';', GET_LOCK('a', 0)",
            "(SELECT GET_LOCK('a', 0))",
            "SET @password = 1",
            "SET GLOBAL max_connections = 10, SESSION sql_mode = ''",
            "SET @@global.max_connections = 10, @@session.sql_mode = ''",
            "BEGIN NOT ATOMIC SET @a = 1; END",
        ] {
            assert!(alters_session(sql), "{sql}");
        }
    }

    #[test]
    fn what_does_not_is_left_alone() {
        for sql in [
            "SELECT 1",
            "SELECT @a, @@version",
            "INSERT INTO t VALUES ('SET')",
            "UPDATE t SET a = 1",
            "SET GLOBAL max_connections = 10",
            "SET @@global.max_connections = 10",
            "SELECT 1 /* first; second */",
            "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
            "CREATE TABLE t (a INT)",
            "CREATE OR REPLACE TABLE t (a INT)",
            "DROP TABLE t",
            "CALL p()",
            "",
            ";;",
            "BEGIN",
        ] {
            assert!(!alters_session(sql), "{sql}");
        }
    }
}
