//! A file of migrations: its parts, and the statements of a part.

use super::name::Direction;
use super::{Error, ErrorKind, Location, Result};
use dbkeep_sql::{Lexicon, split};
use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A file's path and text, without a byte order mark.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SqlFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl SqlFile {
    pub(crate) fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Arc::new(Self { path: path.into(), text })
    }

    pub(crate) fn location(&self, byte: usize) -> Location {
        Location::of_byte(&self.path, &self.text, byte)
    }

    fn error(&self, byte: usize, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::File, message).at(self.location(byte))
    }
}

/// One direction of a migration: a stretch of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) file: Arc<SqlFile>,
    range: Range<usize>,
    /// Whether it may run in a transaction; `-- migrate:no-transaction` forbids it.
    pub(crate) transaction: bool,
}

/// One statement of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) sql: String,
    /// The lines that belong to it, of `COPY … FROM stdin`.
    pub(crate) data: Option<String>,
    /// Where it starts in its file, in bytes.
    pub(crate) offset: usize,
    /// The line it starts on, counted from one.
    pub(crate) line: usize,
}

impl Step {
    /// What to send: a script of one statement, which unlike a prepared one may be anything the server knows.
    pub(crate) fn script(&self) -> Cow<'_, str> {
        match &self.data {
            Some(data) => Cow::Owned(format!("{};\n{data}\\.\n", self.sql)),
            None => Cow::Borrowed(&self.sql),
        }
    }

    /// Its first word, in upper case.
    pub(crate) fn verb(&self) -> String {
        self.words().next().unwrap_or_default()
    }

    fn words(&self) -> impl Iterator<Item = String> {
        self.sql
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|w| !w.is_empty())
            .map(str::to_uppercase)
    }

    /// Whether it begins or ends a transaction, rather than a savepoint.
    pub(crate) fn controls_transaction(&self) -> bool {
        let mut words = self.words();
        match words.next().as_deref() {
            Some("BEGIN" | "COMMIT" | "END" | "ABORT") => true,
            Some("START") => words.next().as_deref() == Some("TRANSACTION"),
            Some("ROLLBACK") => !words.any(|word| word == "TO"),
            _ => false,
        }
    }

    /// Whether it changes rows only, so that it and its record can be one transaction.
    pub(crate) fn changes_rows(&self) -> bool {
        matches!(self.verb().as_str(), "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "MERGE" | "WITH")
    }
}

impl Part {
    /// All of a file.
    pub(crate) fn whole(file: &Arc<SqlFile>) -> Self {
        Self { file: Arc::clone(file), range: 0..file.text.len(), transaction: true }
    }

    /// The SQL.
    pub(crate) fn text(&self) -> &str {
        &self.file.text[self.range.clone()]
    }

    /// The statements in order.
    pub(crate) fn steps(&self, lexicon: &Lexicon) -> Result<Vec<Step>> {
        let statements = split(self.text(), lexicon)
            .map_err(|error| self.file.error(self.range.start + error.offset, error.message.clone()))?;
        let first_line = self.file.location(self.range.start).line;
        let step = |statement: dbkeep_sql::Statement<'_>| Step {
            sql: statement.text.to_owned(),
            data: statement.data.map(str::to_owned),
            offset: self.range.start + statement.offset,
            line: first_line + statement.line - 1,
        };
        Ok(statements.into_iter().map(step).collect())
    }

    /// The place of a character of a statement, where the server named one; of its start otherwise.
    pub(crate) fn location(&self, step: &Step, character: Option<usize>) -> Location {
        let within = character.map_or(0, |at| step.sql.char_indices().nth(at).map_or(step.sql.len(), |(byte, _)| byte));
        self.file.location(step.offset + within)
    }

    /// The place of the part's first line.
    pub(crate) fn start(&self) -> Location {
        self.file.location(self.range.start)
    }
}

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) up: Option<Part>,
    pub(crate) down: Option<Part>,
}

const DIRECTIVES: &str = "the directives are: migrate:up, migrate:down, migrate:no-transaction";

/// Reads the directives of a file: lines such as `-- migrate:up`.
///
/// A file whose name says which part it holds is that part from its first line to its last.
pub(crate) fn parts(file: &Arc<SqlFile>, named: Option<Direction>) -> Result<Parts> {
    let mut parts = Parts::default();
    // What is forbidden before the first part is forbidden in all of them.
    let mut everywhere = true;
    let mut open = named.map(|direction| (direction, 0, true));
    let mut at = 0;
    for line in file.text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some(directive) = directive(line) else {
            if open.is_none() && !is_blank(line) {
                let offset = start + (line.len() - line.trim_start().len());
                return Err(file
                    .error(offset, "SQL stands before the first `-- migrate:up`")
                    .with_hint("put a line `-- migrate:up` before the statements, or name the file ….up.sql"));
            }
            continue;
        };
        let error = |message: String| file.error(start + line.find("--").unwrap_or(0), message);
        let mut words = directive.split_whitespace();
        let word = words.next().unwrap_or_default();
        let direction = match word {
            "up" => Direction::Up,
            "down" => Direction::Down,
            "no-transaction" => {
                match &mut open {
                    Some((_, _, transaction)) => *transaction = false,
                    None => everywhere = false,
                }
                continue;
            }
            _ => return Err(error(format!("unknown directive `migrate:{word}`")).with_hint(DIRECTIVES)),
        };
        if let Some(named) = named {
            let part = named.as_str();
            return Err(error(format!("`migrate:{word}` stands in a file that is the {part} part by its name"))
                .with_hint("take the line out, or take the part out of the file's name"));
        }
        let mut transaction = true;
        for option in words {
            match option {
                // As dbmate spells it.
                "transaction:false" => transaction = false,
                "transaction:true" => {}
                _ => {
                    return Err(error(format!("unknown option {option:?} of `migrate:{word}`"))
                        .with_hint("the options are: transaction:true, transaction:false"));
                }
            }
        }
        if let Some((direction, from, transaction)) = open.take() {
            parts.close(file, direction, from..start, transaction && everywhere);
        }
        let taken = match direction {
            Direction::Up => parts.up.is_some(),
            Direction::Down => parts.down.is_some(),
        };
        if taken {
            return Err(error(format!("there is a second `migrate:{word}`")));
        }
        open = Some((direction, at, transaction));
    }
    match open {
        Some((direction, from, transaction)) => {
            parts.close(file, direction, from..file.text.len(), transaction && everywhere);
            Ok(parts)
        }
        None => Err(file.error(0, "there is no `-- migrate:up` in this file").with_hint(DIRECTIVES)),
    }
}

impl Parts {
    fn close(&mut self, file: &Arc<SqlFile>, direction: Direction, range: Range<usize>, transaction: bool) {
        let part = Part { file: Arc::clone(file), range, transaction };
        match direction {
            Direction::Up => self.up = Some(part),
            Direction::Down => self.down = Some(part),
        }
    }
}

/// What follows `-- migrate:` on a line that is nothing else.
fn directive(line: &str) -> Option<&str> {
    line.trim().strip_prefix("--")?.trim_start().strip_prefix("migrate:")
}

/// Whether a line before the first part holds nothing to run.
fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with("--")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Parts> {
        parts(&SqlFile::new("m/a.sql", text), None)
    }

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    fn lines(part: &Option<Part>) -> Vec<(usize, String)> {
        let steps = part.as_ref().unwrap().steps(&Lexicon::default()).unwrap();
        steps.into_iter().map(|step| (step.line, step.sql)).collect()
    }

    #[test]
    fn a_file_has_an_up_and_a_down_part() {
        let text = "\u{feff}-- users and their names\r\n\r\n-- migrate:up\r\nCREATE TABLE a (x int);\r\n  SELECT\r\n1;\r\n\r\n\
                    --migrate:down\nDROP TABLE a";
        let both = read(text).unwrap();
        assert_eq!(lines(&both.up), [(4, "CREATE TABLE a (x int)".to_owned()), (5, "SELECT\r\n1".to_owned())]);
        assert_eq!(lines(&both.down), [(9, "DROP TABLE a".to_owned())]);
        assert!(both.up.unwrap().transaction);
    }

    #[test]
    fn a_part_may_ask_to_run_without_a_transaction() {
        let transactions = |text: &str| {
            let parts = read(text).unwrap();
            (parts.up.unwrap().transaction, parts.down.map(|part| part.transaction))
        };
        assert_eq!(transactions("-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2"), (true, Some(true)));
        assert_eq!(
            transactions("-- migrate:up\n-- migrate:no-transaction\nSELECT 1;\n-- migrate:down\nSELECT 2"),
            (false, Some(true))
        );
        assert_eq!(
            transactions("-- migrate:no-transaction\n-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2"),
            (false, Some(false))
        );
        assert_eq!(transactions("-- migrate:up transaction:false\nSELECT 1"), (false, None));
    }

    #[test]
    fn a_file_named_for_one_part_is_that_part() {
        let file = SqlFile::new("m/a.down.sql", "-- migrate:no-transaction\nDROP TABLE a;\n");
        let parts = parts(&file, Some(Direction::Down)).unwrap();
        assert_eq!(parts.up, None);
        assert_eq!(lines(&parts.down), [(2, "DROP TABLE a".to_owned())]);
        assert!(!parts.down.unwrap().transaction);
    }

    #[test]
    fn what_is_no_migration_is_refused_where_it_stands() {
        assert_eq!(error(""), "m/a.sql:1:1: there is no `-- migrate:up` in this file");
        assert_eq!(error("-- note\n  SELECT 1;\n"), "m/a.sql:2:3: SQL stands before the first `-- migrate:up`");
        assert_eq!(error("-- migrate:upp\n"), "m/a.sql:1:1: unknown directive `migrate:upp`");
        assert_eq!(error("-- migrate:up fast\n"), "m/a.sql:1:1: unknown option \"fast\" of `migrate:up`");
        assert_eq!(error("-- migrate:up\nSELECT 1;\n -- migrate:up\n"), "m/a.sql:3:2: there is a second `migrate:up`");
        let named = parts(&SqlFile::new("m/a.up.sql", "SELECT 1;\n-- migrate:down\n"), Some(Direction::Up));
        assert_eq!(
            named.unwrap_err().to_string(),
            "m/a.up.sql:2:1: `migrate:down` stands in a file that is the up part by its name"
        );
        let open = read("-- migrate:up\nSELECT 1;\nSELECT 'never\n").unwrap().up.unwrap();
        let error = open.steps(&Lexicon::default()).unwrap_err();
        assert!(error.to_string().starts_with("m/a.sql:3:8: "), "{error}");
    }

    #[test]
    fn statements_of_transactions_are_told_from_savepoints() {
        let controls = |sql: &str| Step { sql: sql.to_owned(), data: None, offset: 0, line: 1 }.controls_transaction();
        for sql in ["BEGIN", "begin immediate", "START TRANSACTION", "COMMIT WORK", "END", "ROLLBACK"] {
            assert!(controls(sql), "{sql}");
        }
        for sql in ["SAVEPOINT a", "ROLLBACK TO a", "ROLLBACK WORK TO SAVEPOINT a", "RELEASE a", "START REPLICA"] {
            assert!(!controls(sql), "{sql}");
        }
    }
}
