//! Which statements end the transaction they run in, and what becomes of what was done in it?
//!
//! That it has ended the server says; why, only the text of the statement tells.

use crate::beginnings::{Words, beginnings, is};
use dbkeep_sql::{Lexicon, Splitter};

/// What a statement that may end the transaction does to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The statement, cut short before anything that could be a value.
    pub(crate) statement: String,
    pub(crate) fate: Fate,
    /// Whether it is no statement of transactions, so that the server commits before it does anything, failing included.
    pub(crate) implicit: bool,
    /// Whether it is one of several statements, so that an error may be that of a later one.
    pub(crate) among_others: bool,
    /// Whether another transaction is open after it, which the server's answer does not tell from the one before.
    pub(crate) begins_another: bool,
}

/// What became of what was done in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Committed,
    RolledBack,
    /// A routine, or a block of statements, which may have done either.
    Unclear,
}

impl Ending {
    /// What this text does to an open transaction; `None` where it only reads and writes rows. `commits_first` is whether
    /// the server commits before a schema change.
    pub(crate) fn of(sql: &str, lexicon: impl FnOnce() -> Lexicon, commits_first: bool) -> Option<Self> {
        // A semicolon in a string makes a place too many, and what is split properly has it no more.
        if !beginnings(sql).any(|text| one(text, commits_first).is_some()) {
            return None;
        }
        if !sql.trim_end().trim_end_matches(';').contains(';') {
            return one(sql, commits_first);
        }
        let lexicon = lexicon();
        let texts: Vec<&str> = Splitter::new(sql, &lexicon).filter_map(Result::ok).map(|found| found.text).collect();
        // The first decides what becomes of the transaction; what stands after it is none of that any more.
        let mut found = texts.iter().filter_map(|text| one(text, commits_first));
        let first = found.next()?;
        let begins_another = found.next_back().unwrap_or_else(|| first.clone()).begins_another || begins(texts.last());
        Some(Self { begins_another, among_others: texts.len() > 1, ..first })
    }

    /// A statement that nothing was known of.
    pub(crate) fn unknown() -> Self {
        Self {
            statement: "a statement".to_owned(),
            fate: Fate::Unclear,
            implicit: false,
            among_others: false,
            begins_another: false,
        }
    }

    /// What became of the transaction, as half a sentence.
    pub(crate) fn told(&self) -> &'static str {
        match self.fate {
            Fate::Committed => "what was done in it before is committed",
            Fate::RolledBack => "what was done in it before is undone",
            Fate::Unclear => "what was done in it before may be committed or undone, as that had it",
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> &'static str {
        match self.implicit {
            true => {
                "this server commits before schema changes, TRUNCATE and the like: run them before the transaction or after it"
            }
            false => "use either BEGIN and COMMIT as statements or transaction(), not both",
        }
    }
}

fn begins(text: Option<&&str>) -> bool {
    text.is_some_and(|text| matches!(Words(text).next(), Some(word) if is(word, &["BEGIN", "START"])))
}

/// The same for one statement.
fn one(sql: &str, commits_first: bool) -> Option<Ending> {
    let mut words = Words(sql);
    let first = words.next()?;
    let rows = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES", "REPLACE", "SAVEPOINT", "RELEASE"];
    if is(first, &rows) {
        return None;
    }
    let ending = |fate, implicit, begins_another| {
        Some(Ending { statement: shortened(sql), fate, implicit, among_others: false, begins_another })
    };
    let mut rest = words.take(4);
    if is(first, &["COMMIT", "END"]) {
        return ending(Fate::Committed, false, chains(&mut rest));
    }
    if is(first, &["ROLLBACK", "ABORT"]) {
        let rest: Vec<&str> = rest.collect();
        if rest.iter().any(|word| is(word, &["TO"])) {
            return None;
        }
        return ending(Fate::RolledBack, false, chains(&mut rest.into_iter()));
    }
    if is(first, &["CALL", "DO", "EXECUTE"]) {
        return ending(Fate::Unclear, false, false);
    }
    if !commits_first {
        return None;
    }
    if is(first, &["BEGIN", "START"]) {
        // BEGIN NOT ATOMIC is MariaDB's block of statements.
        return match rest.next() {
            Some(second) if is(second, &["NOT"]) => ending(Fate::Unclear, false, false),
            Some(second) if is(first, &["START"]) && !is(second, &["TRANSACTION"]) => {
                ending(Fate::Committed, true, false)
            }
            _ => ending(Fate::Committed, false, true),
        };
    }
    // https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html; SET is SET autocommit. Whether the transaction is gone
    // after one of these, the server says.
    let implicit = [
        "ALTER",
        "CREATE",
        "DROP",
        "RENAME",
        "TRUNCATE",
        "ANALYZE",
        "CACHE",
        "CHECK",
        "FLUSH",
        "LOAD",
        "OPTIMIZE",
        "REPAIR",
        "RESET",
        "GRANT",
        "REVOKE",
        "SET",
        "LOCK",
        "UNLOCK",
        "INSTALL",
        "UNINSTALL",
        "STOP",
        "CHANGE",
        "IMPORT",
    ];
    if is(first, &implicit) { ending(Fate::Committed, true, false) } else { None }
}

fn chains(words: &mut dyn Iterator<Item = &str>) -> bool {
    let words: Vec<&str> = words.collect();
    words.windows(2).any(|pair| is(pair[0], &["AND"]) && is(pair[1], &["CHAIN"]))
}

/// The beginning of a statement, without comments before it, up to the first thing that could be a value.
fn shortened(sql: &str) -> String {
    const LONGEST: usize = 60;
    let mut words = Words(sql);
    let first = words.next().unwrap_or_default();
    let text = words.0;
    let end = text.find(['\'', '"', '(', ';', '=']).unwrap_or(text.len());
    let told: Vec<&str> = std::iter::once(first).chain(text[..end].split_whitespace()).collect();
    let mut told = told.join(" ");
    let is_whole = text[end..].trim_matches([';', ' ', '\n']).is_empty();
    let long = told.char_indices().nth(LONGEST).map(|(at, _)| at);
    if let Some(at) = long {
        told.truncate(at);
    }
    if long.is_some() || !is_whole {
        told.push_str(if long.is_some() { "…" } else { " …" });
    }
    told
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(sql: &str) -> Option<Ending> {
        Ending::of(sql, Lexicon::default, true)
    }

    #[test]
    fn what_only_reads_and_writes_rows_ends_nothing() {
        for sql in [
            "SELECT 1",
            "INSERT INTO t VALUES ('a; COMMIT AND CHAIN')",
            "INSERT INTO t VALUES ('a; COMMIT'); SELECT 1",
            "SAVEPOINT a",
            "ROLLBACK TO SAVEPOINT a",
            "ROLLBACK WORK TO a",
            "",
        ] {
            assert_eq!(of(sql), None, "{sql}");
        }
        assert_eq!(Ending::of("CREATE TABLE t (a INT)", Lexicon::default, false), None);
    }

    #[test]
    fn what_ends_a_transaction_is_named_with_what_becomes_of_it() {
        for (sql, statement, fate, begins_another) in [
            ("COMMIT", "COMMIT", Fate::Committed, false),
            ("commit and chain;", "commit and chain", Fate::Committed, true),
            ("COMMIT AND NO CHAIN", "COMMIT AND NO CHAIN", Fate::Committed, false),
            ("ROLLBACK", "ROLLBACK", Fate::RolledBack, false),
            ("BEGIN", "BEGIN", Fate::Committed, true),
            ("BEGIN NOT ATOMIC COMMIT; END", "BEGIN NOT ATOMIC COMMIT", Fate::Unclear, false),
            ("-- a\nCREATE  TABLE `t` (a INT)", "CREATE TABLE `t` …", Fate::Committed, false),
            ("CREATE USER u IDENTIFIED BY 'secret'", "CREATE USER u IDENTIFIED BY …", Fate::Committed, false),
            ("SET autocommit = 1", "SET autocommit …", Fate::Committed, false),
            ("COMMIT; BEGIN", "COMMIT", Fate::Committed, true),
            ("INSERT INTO t VALUES (1); ROLLBACK", "ROLLBACK", Fate::RolledBack, false),
            ("CALL p()", "CALL p …", Fate::Unclear, false),
        ] {
            let found = of(sql).unwrap();
            let told = (found.statement.as_str(), found.fate, found.begins_another);
            assert_eq!(told, (statement, fate, begins_another), "{sql}");
        }
    }
}
