//! What the beginning of a statement tells, without parsing it.

use crate::beginnings::beginnings;

/// The first word of a statement, past white space and comments; empty when it begins with something else.
pub(super) fn first_word(sql: &str) -> &str {
    let start = skip_blank(sql);
    let end = start.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(start.len());
    &start[..end]
}

/// Whether there is nothing but white space, comments and semicolons.
pub(super) fn is_empty(sql: &str) -> bool {
    let mut rest = skip_blank(sql);
    while let Some(after) = rest.strip_prefix(';') {
        rest = skip_blank(after);
    }
    rest.is_empty()
}

fn skip_blank(mut sql: &str) -> &str {
    loop {
        sql = sql.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{feff}');
        if let Some(comment) = sql.strip_prefix("--") {
            sql = comment.find('\n').map_or("", |end| &comment[end + 1..]);
        } else if let Some(comment) = sql.strip_prefix("/*") {
            sql = comment.find("*/").map_or("", |end| &comment[end + 2..]);
        } else {
            return sql;
        }
    }
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|other| word.eq_ignore_ascii_case(other))
}

/// Whether it may insert rows itself, rather than through a trigger.
pub(super) fn inserts(sql: &str) -> bool {
    let word = first_word(sql);
    is_one_of(word, &["INSERT", "REPLACE"])
        || (is_one_of(word, &["WITH"]) && {
            let upper = sql.to_ascii_uppercase();
            upper.contains("INSERT") || upper.contains("REPLACE")
        })
}

/// Whether it is a single statement that begins or ends a transaction or a savepoint.
pub(super) fn controls_transaction(sql: &str) -> bool {
    const WORDS: [&str; 6] = ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"];
    sql.len() < 200 && is_one_of(first_word(sql), &WORDS) && !sql.trim_end().trim_end_matches(';').contains(';')
}

/// Whether it may be a statement that only reads. The statement itself knows, once it is prepared: WITH may lead to an
/// INSERT. A PRAGMA is not here: many set something of the connection they run on, or of the file.
pub(super) fn looks_read_only(sql: &str) -> bool {
    is_one_of(first_word(sql), &["SELECT", "WITH", "VALUES", "EXPLAIN"])
}

/// Whether a text, of one statement or of several, may change the session itself: settings, attached databases, temporary tables.
pub(super) fn alters_session(sql: &str) -> bool {
    // Where a semicolon stands in a string, what follows it looks like a statement, and the worst of it is a needless reset.
    beginnings(sql).any(|statement| {
        let word = first_word(statement);
        let has_temp = |part: &str| part.to_ascii_lowercase().contains("temp");
        match () {
            () if is_one_of(word, &["PRAGMA"]) => sets(statement),
            () if is_one_of(word, &["CREATE"]) => {
                // A comment in front of it may hold a semicolon.
                statement.split(';').next().is_some_and(has_temp)
                    || skip_blank(statement).split_whitespace().take(8).any(has_temp)
            }
            () => is_one_of(word, &["ATTACH", "DETACH"]),
        }
    })
}

/// Whether a PRAGMA sets something, rather than tells it.
fn sets(pragma: &str) -> bool {
    const TELL: [&str; 12] = [
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "foreign_key_check",
        "integrity_check",
        "quick_check",
        "wal_checkpoint",
        "optimize",
    ];
    let (name, value) = match pragma.find(['=', '(']) {
        Some(at) => (&pragma[..at], &pragma[at..]),
        None => return false,
    };
    let name = name.trim_end().rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    value.starts_with('=') || !is_one_of(name, &TELL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_stands_behind_comments() {
        assert_eq!(first_word(" -- a\n/* b */ insert into t"), "insert");
        assert_eq!(first_word("/* open"), "");
        assert_eq!(first_word("(SELECT 1)"), "");
        assert!(is_empty(" ; -- nothing\n;"));
        assert!(!is_empty("SELECT 1"));
    }

    #[test]
    fn what_stays_in_the_session_is_seen() {
        for sql in [
            "PRAGMA foreign_keys = OFF",
            "pragma main.foreign_keys(0)",
            "ATTACH 'a' AS b",
            "CREATE TEMP TABLE t (a)",
            "SELECT 1; PRAGMA query_only=1",
            "/* first; second */ PRAGMA foreign_keys = OFF",
            "SELECT 1; -- first; second\nCREATE TEMP TABLE t (a)",
        ] {
            assert!(alters_session(sql), "{sql}");
        }
        for sql in [
            "PRAGMA foreign_keys",
            "PRAGMA table_info('a')",
            "PRAGMA main.table_info(a)",
            "SELECT 1",
            "",
            "CREATE TABLE t (a)",
        ] {
            assert!(!alters_session(sql), "{sql}");
        }
    }

    #[test]
    fn kinds_of_statement_are_told_apart() {
        assert!(inserts("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a"));
        assert!(!inserts("UPDATE t SET a = 'INSERT'"));
        assert!(controls_transaction("SAVEPOINT dbkeep_2;"));
        assert!(!controls_transaction("BEGIN; DELETE FROM t; COMMIT"));
        assert!(alters_session("pragma foreign_keys = off"));
        assert!(!alters_session("SELECT 1"));
    }

    #[test]
    fn what_may_only_read_begins_with_one_of_four_words() {
        for sql in [
            "SELECT 1",
            "/* all */ values (1)",
            "with a as (select 1) insert into t select * from a",
            "-- why?\nEXPLAIN QUERY PLAN DELETE FROM t",
        ] {
            assert!(looks_read_only(sql), "{sql}");
        }
        for sql in
            ["INSERT INTO t VALUES (1) RETURNING id", "PRAGMA user_version", "SELECTED", "ATTACH 'a' AS a", "", ";"]
        {
            assert!(!looks_read_only(sql), "{sql}");
        }
    }
}
