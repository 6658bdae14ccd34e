//! SQLite's errors by kind, with what to do next.

use super::control::{Control, Stopped};
use crate::{Error, ErrorKind};
use rusqlite::Error as Sqlite;
use rusqlite::ffi;

/// An error of a statement; `sql` is the whole text that was being run.
pub(super) fn of_statement(error: Sqlite, sql: &str, control: &Control) -> Error {
    let position = match &error {
        // SQLite was given the end of the text, and counts bytes from there.
        Sqlite::SqlInputError { sql: rest, offset, .. } => usize::try_from(*offset)
            .ok()
            .and_then(|offset| sql.len().checked_sub(rest.len() + trailing_space(sql, rest))?.checked_add(offset))
            .and_then(|byte| sql.get(..byte))
            .map(|before| before.chars().count()),
        _ => None,
    };
    let error = with_stop(of(error), control);
    match position {
        Some(position) => error.with_position(position),
        None => error,
    }
}

/// The statement cache trims what it prepares, at both ends.
fn trailing_space(sql: &str, rest: &str) -> usize {
    if sql.ends_with(rest) { 0 } else { sql.len() - sql.trim_end().len() }
}

/// Says why a statement was interrupted.
fn with_stop(error: Error, control: &Control) -> Error {
    let interrupted = error.kind() == ErrorKind::Cancelled;
    match (control.stopped(), control.statement_timeout()) {
        (Stopped::TimedOut, Some(timeout)) if interrupted || error.kind() == ErrorKind::LockTimeout => {
            Error::new(ErrorKind::Timeout, format!("the statement ran longer than {timeout:?}"))
                .with_code(error.code().unwrap_or_default())
                .with_hint("make it faster, or raise statement_timeout")
        }
        // A transaction that has read holds a state of the database that the other is about to make an old one.
        _ if is_busy(&error) && !control.has_met_a_lock() => error.with_hint(
            "another connection is writing, and waiting for it would not help a transaction that has read already: end it \
             and begin it as IMMEDIATE, as transaction() does",
        ),
        _ if error.kind() == ErrorKind::LockTimeout => error.with_hint(format!(
            "another connection kept the database locked for {:?}; keep transactions short, or raise lock_timeout",
            control.lock_timeout()
        )),
        _ => error,
    }
}

/// Whether another connection had the lock.
fn is_busy(error: &Error) -> bool {
    error.code().is_some_and(|code| code == ffi::SQLITE_BUSY.to_string())
}

/// A statement that a connection for reading does not run.
pub(super) fn would_write() -> Error {
    Error::new(ErrorKind::ReadOnly, "this connection only reads, and the statement would write")
        .with_hint("run it on a connection that may write, as execute(), transaction() and acquire() do")
}

/// An error of SQLite's, by its extended code (<https://www.sqlite.org/rescode.html>).
pub(super) fn of(error: Sqlite) -> Error {
    match error {
        Sqlite::SqliteFailure(code, message) => by_code(code, message),
        Sqlite::SqlInputError { error: code, msg, .. } => by_code(code, Some(msg)),
        Sqlite::MultipleStatement => Error::new(ErrorKind::Syntax, "the text holds more than one statement")
            .with_hint("run several statements as a script"),
        Sqlite::Utf8Error(column, source) => {
            Error::new(ErrorKind::Decode, format!("column {column} holds text that is not UTF-8")).with_source(source)
        }
        other => Error::new(ErrorKind::Statement, other.to_string()),
    }
}

/// What SQLite asks about a name in double quotes that it does not find.
const LITERAL: &str = " - should this be a string literal in single-quotes?";

fn by_code(code: ffi::Error, message: Option<String>) -> Error {
    let number = code.extended_code;
    let message = message.unwrap_or_else(|| ffi::code_to_str(number).to_owned());
    let (kind, hint) = kind(number, &message);
    // Whatever quoted the name took it for one.
    let message = message.strip_suffix(LITERAL).unwrap_or(&message);
    let mut error = Error::new(kind, lower_first(message)).with_code(number.to_string());
    if let Some(hint) = hint {
        error = error.with_hint(hint);
    }
    if number & 0xff == ffi::SQLITE_CONSTRAINT
        && let Some(name) = constraint(message)
    {
        error = error.with_constraint(name);
    }
    error
}

fn kind(number: i32, message: &str) -> (ErrorKind, Option<&'static str>) {
    use ErrorKind as Kind;
    match number {
        ffi::SQLITE_BUSY_SNAPSHOT => {
            return (
                Kind::Serialization,
                Some(
                    "another connection wrote since this transaction first read, which no waiting undoes; run it again, and begin it \
                     as IMMEDIATE, as transaction() does",
                ),
            );
        }
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            return (Kind::UniqueViolation, None);
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
            return (
                Kind::ForeignKeyViolation,
                Some(
                    "the row it points to does not exist, or other rows still point to this one; SQLite does not say which",
                ),
            );
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => return (Kind::NotNullViolation, None),
        ffi::SQLITE_CONSTRAINT_CHECK => return (Kind::CheckViolation, None),
        // ALTER TABLE gives no more than this.
        ffi::SQLITE_CONSTRAINT => {
            return (
                Kind::CheckViolation,
                Some("rows that are there do not agree with the new constraint: correct them first"),
            );
        }
        ffi::SQLITE_CONSTRAINT_DATATYPE => return (Kind::InvalidValue, None),
        ffi::SQLITE_READONLY_DBMOVED => {
            return (Kind::ConnectionLost, Some("the database file was moved or replaced; open it again"));
        }
        ffi::SQLITE_READONLY_DIRECTORY => {
            return (
                Kind::PermissionDenied,
                Some("SQLite writes files next to the database: this user must be able to write to its directory"),
            );
        }
        _ => {}
    }
    match number & 0xff {
        ffi::SQLITE_ERROR => by_message(message),
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => (Kind::LockTimeout, None),
        ffi::SQLITE_READONLY => (
            Kind::ReadOnly,
            Some("the file, its directory or this connection is read-only, or a read-only transaction is open"),
        ),
        ffi::SQLITE_INTERRUPT => (Kind::Cancelled, None),
        ffi::SQLITE_IOERR => (Kind::Io, Some("the disk or file system reported an error; see the system's log")),
        ffi::SQLITE_CORRUPT => {
            (Kind::Damaged, Some("restore the newest backup; copy the damaged file aside first, with its -wal file"))
        }
        ffi::SQLITE_NOTADB => {
            (Kind::Damaged, Some("the file is no SQLite database, or its first page is damaged or encrypted"))
        }
        ffi::SQLITE_FULL => (Kind::DiskFull, Some("free some space on the disk, or raise max_page_count")),
        ffi::SQLITE_CANTOPEN => {
            (Kind::UnknownDatabase, Some("is the path right, and may this user read and write there?"))
        }
        ffi::SQLITE_PERM | ffi::SQLITE_AUTH => (Kind::PermissionDenied, None),
        ffi::SQLITE_MISMATCH | ffi::SQLITE_TOOBIG | ffi::SQLITE_RANGE => (Kind::InvalidValue, None),
        _ => (Kind::Statement, None),
    }
}

/// The code 1 covers everything that is wrong with a text; only the message tells more.
fn by_message(message: &str) -> (ErrorKind, Option<&'static str>) {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| message.starts_with(prefix));
    const MISSING: &[&str] = &[
        "no such ",
        "unknown database",
        "unable to identify the object",
        "unknown table",
        "cannot join using column ",
    ];
    let kind = if starts(MISSING) || message.contains(" has no column named ") {
        ErrorKind::NotFound
    } else if message.contains("already exists")
        || message.contains("already another table or index")
        || starts(&["duplicate column name", "there is already "])
    {
        ErrorKind::AlreadyExists
    } else if message.ends_with("syntax error")
        || starts(&["incomplete input", "unrecognized token", "near \"", "parser stack overflow"])
    {
        ErrorKind::Syntax
    } else if message.ends_with("values were supplied")
        || (message.contains(" values for ") && message.ends_with(" columns"))
        || starts(&[
            "malformed JSON",
            "bad JSON path",
            "integer overflow",
            "cannot store ",
            "JSON cannot hold BLOB values",
        ])
    {
        ErrorKind::InvalidValue
    } else {
        ErrorKind::Statement
    };
    let hint = match () {
        () if message.ends_with(LITERAL) => {
            Some("is the name spelled as the table has it? a text, if that was meant, stands in single quotes")
        }
        () if message.contains(" after drop column: ") => Some(
            "what is named there speaks of the column: drop that first, with drop_index, drop_foreign or drop_check",
        ),
        () => None,
    };
    (kind, hint)
}

/// What stands after the colon in `UNIQUE constraint failed: users.email`.
fn constraint(message: &str) -> Option<&str> {
    let (_, name) = message.split_once(" constraint failed: ")?;
    Some(name.strip_prefix("index '").and_then(|name| name.strip_suffix('\'')).unwrap_or(name))
}

/// Only the first letter of ordinary words: `UNIQUE constraint failed` keeps its capitals.
fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_ascii_uppercase() && second.is_ascii_lowercase() => {
            format!("{}{}", first.to_ascii_lowercase(), &message[1..])
        }
        _ => message.to_owned(),
    }
}

/// An error of the file system.
pub(super) fn of_io(error: std::io::Error, what: impl std::fmt::Display) -> Error {
    use std::io::ErrorKind as Io;
    let (kind, hint) = match error.kind() {
        Io::NotFound => (ErrorKind::Io, Some("does the directory exist?")),
        Io::PermissionDenied => {
            (ErrorKind::PermissionDenied, Some("this user may not do that there; check owner and mode"))
        }
        Io::ReadOnlyFilesystem => (ErrorKind::ReadOnly, Some("the file system is mounted read-only")),
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => (ErrorKind::DiskFull, Some("free some space")),
        _ => (ErrorKind::Io, None),
    };
    let error = Error::new(kind, what.to_string()).with_source(error);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_trouble() {
        let kind = |kind: std::io::ErrorKind| of_io(kind.into(), "x").kind();
        assert_eq!(kind(std::io::ErrorKind::StorageFull), ErrorKind::DiskFull);
        assert_eq!(kind(std::io::ErrorKind::PermissionDenied), ErrorKind::PermissionDenied);
        assert_eq!(kind(std::io::ErrorKind::ReadOnlyFilesystem), ErrorKind::ReadOnly);
        assert_eq!(kind(std::io::ErrorKind::Interrupted), ErrorKind::Io);
        for (code, kind) in [
            (ffi::SQLITE_FULL, ErrorKind::DiskFull),
            (ffi::SQLITE_CORRUPT_INDEX, ErrorKind::Damaged),
            (ffi::SQLITE_IOERR_FSYNC, ErrorKind::Io),
            (ffi::SQLITE_BUSY_TIMEOUT, ErrorKind::LockTimeout),
            (ffi::SQLITE_READONLY_DIRECTORY, ErrorKind::PermissionDenied),
            (ffi::SQLITE_READONLY_DBMOVED, ErrorKind::ConnectionLost),
        ] {
            assert_eq!(of(Sqlite::SqliteFailure(ffi::Error::new(code), None)).kind(), kind);
        }
    }
}
