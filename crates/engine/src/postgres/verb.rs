//! What does a statement do, by its main verb? Only where the server's answer does not tell.

use crate::beginnings::beginnings;
use crate::{Error, ErrorKind, Result};

/// Whether the statement itself, not a part of it, is one that changes rows.
pub(super) fn changes_rows(sql: &str) -> bool {
    let verb = main_verb(sql);
    ["insert", "update", "delete", "merge"].iter().any(|known| verb.eq_ignore_ascii_case(known))
}

/// Whether prepared statements may mean something else after this one.
pub(super) fn changes_schema(sql: &str) -> bool {
    let verb = main_verb(sql);
    let is = |known: &&str| verb.eq_ignore_ascii_case(known);
    ["create", "alter", "drop", "do", "discard", "deallocate", "import"].iter().any(is)
        || is(&"set") && sql.to_ascii_lowercase().contains("search_path")
}

/// Whether a text, of one statement or of several, may leave something in the session for its next user: settings, temporary
/// tables, prepared statements, cursors, locks, channels listened to. The server's answer does not tell. What a function does inside
/// is not seen.
pub(super) fn alters_session(sql: &str) -> bool {
    // Where a semicolon stands in a string, what follows it looks like a statement, and the worst of it is a needless reset.
    beginnings(sql).any(alters) || calls_what_alters(sql)
}

fn alters(statement: &str) -> bool {
    let is = |word: &str, known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
    let mut words = (Words { rest: statement, depth: 0 }).map(|(word, _)| word);
    let first = words.next().unwrap_or_default();
    if is(first, &["set"]) {
        return words.next().is_none_or(|second| !is(second, &["local", "transaction", "constraints"]));
    }
    if is(first, &["create"]) {
        return words.take(6).any(|word| is(word, &["temp", "temporary", "pg_temp"]));
    }
    is(first, &["reset", "listen", "load", "prepare", "declare", "do"])
}

/// A setting or a lock that a statement of any kind makes on the way, or a temporary table it selects into.
fn calls_what_alters(sql: &str) -> bool {
    const FUNCTIONS: [&str; 5] = [
        "set_config",
        "pg_advisory_lock",
        "pg_advisory_lock_shared",
        "pg_try_advisory_lock",
        "pg_try_advisory_lock_shared",
    ];
    let is = |word: &str, known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
    let mut before = "";
    (Words { rest: sql, depth: 0 }).any(|(word, _)| {
        let is_into = is(std::mem::replace(&mut before, word), &["into"]);
        is(word, &FUNCTIONS) || is_into && is(word, &["temp", "temporary"])
    })
}

/// Refuses what the server would answer in a way no statement can take.
///
/// # Errors
/// `Syntax` for a text without any statement, `Unsupported` for a COPY whose data come from or go to the client.
pub(super) fn refuse(sql: &str) -> Result<()> {
    if (Words { rest: sql, depth: 0 }).next().is_none() {
        return Err(Error::new(ErrorKind::Syntax, "this text holds no statement"));
    }
    if is_client_copy(sql) {
        return Err(Error::new(ErrorKind::Unsupported, "COPY from or to the client cannot be a statement of its own")
            .with_hint("run it in a script with its data below it, or use INSERT or SELECT"));
    }
    Ok(())
}

fn is_client_copy(sql: &str) -> bool {
    let mut words = Words { rest: sql, depth: 0 }.filter(|(_, depth)| *depth == 0).map(|(word, _)| word);
    let is = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
    words.next().is_some_and(|first| is(first, "copy")) && words.any(|word| is(word, "stdin") || is(word, "stdout"))
}

/// The first word, or, after WITH, the verb of the statement that the common tables stand before.
fn main_verb(sql: &str) -> &str {
    const VERBS: [&str; 7] = ["select", "insert", "update", "delete", "merge", "values", "table"];
    let mut words = Words { rest: sql, depth: 0 }.filter(|(_, depth)| *depth == 0).map(|(word, _)| word);
    match words.next() {
        Some(first) if first.eq_ignore_ascii_case("with") => {
            words.find(|word| VERBS.iter().any(|verb| word.eq_ignore_ascii_case(verb))).unwrap_or("")
        }
        first => first.unwrap_or(""),
    }
}

/// The words outside of strings, quoted names and comments, with how many parentheses are open around each.
struct Words<'s> {
    rest: &'s str,
    depth: usize,
}

impl<'s> Iterator for Words<'s> {
    type Item = (&'s str, usize);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let first = self.rest.chars().next()?;
            let after = &self.rest[first.len_utf8()..];
            self.rest = match first {
                '(' => {
                    self.depth += 1;
                    after
                }
                ')' => {
                    self.depth = self.depth.saturating_sub(1);
                    after
                }
                '\'' | '"' => past(after, if first == '"' { "\"" } else { "'" }),
                '-' if after.starts_with('-') => past(after, "\n"),
                '/' if after.starts_with('*') => past_comment(after),
                '$' => {
                    let tag = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
                    match after[tag..].strip_prefix('$') {
                        Some(body) => past(body, &self.rest[..tag + 2]),
                        None => after,
                    }
                }
                c if c.is_alphabetic() || c == '_' => {
                    let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
                    let (word, rest) = self.rest.split_at(end);
                    self.rest = match rest.strip_prefix('\'') {
                        Some(string) if word.eq_ignore_ascii_case("e") => past_escapes(string),
                        _ => rest,
                    };
                    return Some((word, self.depth));
                }
                _ => after,
            };
        }
    }
}

fn past<'s>(text: &'s str, end: &str) -> &'s str {
    text.find(end).map_or("", |at| &text[at + end.len()..])
}

/// Past a string in which a backslash takes the next character along.
fn past_escapes(text: &str) -> &str {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' => break,
            '\\' => drop(characters.next()),
            _ => {}
        }
    }
    characters.as_str()
}

/// Past a comment, which nests; `text` begins with its star.
fn past_comment(text: &str) -> &str {
    let (mut rest, mut depth) = (&text[1..], 1);
    while depth > 0 {
        let (open, close) = (rest.find("/*"), rest.find("*/"));
        let at = match (open, close) {
            (Some(open), Some(close)) if open < close => {
                depth += 1;
                open
            }
            (_, Some(close)) => {
                depth -= 1;
                close
            }
            (_, None) => return "",
        };
        rest = &rest[at + 2..];
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_in_the_session_is_seen() {
        for sql in [
            "SET statement_timeout = 1",
            "set session time zone 'UTC'",
            "RESET ALL",
            "LISTEN a",
            "CREATE TEMP TABLE t (a int)",
            "create or replace temporary view v AS SELECT 1",
            "CREATE UNLOGGED TABLE t (a int); CREATE LOCAL TEMP TABLE u (a int)",
            "SELECT 1 INTO TEMP t",
            "SELECT pg_catalog.set_config('work_mem', '1MB', false)",
            "WITH a AS (SELECT 1) SELECT pg_advisory_lock(1)",
            "PREPARE a AS SELECT 1",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "DO $$ BEGIN PERFORM 1; END $$",
            "-- first\n/* second */ SET a.b = 'c'",
            "/* first; second */ SET a.b = 'c'",
            "SELECT 1; -- first; second\nSET a.b = 'c'",
            "SELECT ';', set_config('a.b', 'c', false)",
            "SELECT E'\\'', set_config('a.b', 'c', false)",
            "UPDATE t SET a = 1 RETURNING set_config('a.b', 'c', false)",
            "EXPLAIN ANALYZE SELECT pg_advisory_lock(1)",
            "CREATE TABLE IF NOT EXISTS pg_temp.t (a int)",
        ] {
            assert!(alters_session(sql), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "SELECT 'SET', \"set_config\" FROM t",
            "UPDATE t SET a = 1",
            "SET LOCAL work_mem = '1MB'",
            "SET TRANSACTION READ ONLY",
            "CREATE TABLE temp_of_day (a int)",
            "SELECT pg_advisory_xact_lock(1)",
            "SELECT 1 /* first; second */",
            "SELECT E'a\\'; b', 'c'",
            "CALL p()",
            "",
        ] {
            assert!(!alters_session(sql), "{sql}");
        }
    }

    #[test]
    fn the_main_verb_is_found_behind_comments_and_common_tables() {
        for (sql, verb) in [
            ("SELECT 1", "SELECT"),
            ("-- insert\n/* a /* nested */ one */ update t SET a = 1 RETURNING *", "update"),
            ("WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", "SELECT"),
            ("WITH \"select\" AS (SELECT 1), b AS (SELECT ')') INSERT INTO t SELECT * FROM b", "INSERT"),
            ("(SELECT 1)", ""),
            ("", ""),
            ("DO $body$ update $body$", "DO"),
        ] {
            assert_eq!(main_verb(sql), verb, "{sql}");
        }
    }

    #[test]
    fn only_a_copy_with_the_client_is_one() {
        assert!(is_client_copy("copy t (a, b) FROM STDIN WITH (FORMAT csv)"));
        assert!(is_client_copy("COPY (SELECT 1) TO stdout"));
        assert!(!is_client_copy("COPY t FROM '/tmp/stdin'"));
        assert!(!is_client_copy("SELECT 'copy t from stdin'"));
    }
}
