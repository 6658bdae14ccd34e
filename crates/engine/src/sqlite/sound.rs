//! Is what lies in a database's file sound?

use super::errors;
use crate::{Error, ErrorKind, Result};
use rusqlite::Connection;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Every page and row.
    Quick,
    /// Each row in each index as well: several times as long.
    Full,
}

/// Has SQLite look through the database. What is odd about it, in words: rows that break rules made after them, indexes that
/// could be built anew, rows that point nowhere. None of it keeps the database from being read and copied.
///
/// # Errors
/// `Damaged` when pages cannot be read as what they should be, so that rows are lost or wrong.
pub(super) fn look_through(connection: &Connection, depth: Depth) -> Result<Vec<String>> {
    let pragma = match depth {
        Depth::Quick => "PRAGMA quick_check(10)",
        Depth::Full => "PRAGMA integrity_check(10)",
    };
    let mut odd = Vec::new();
    match lines(connection, pragma).map_err(errors::of) {
        Ok(found) => {
            // What is wrong with pages comes as one block for the whole file; what is wrong with rows, a line each.
            let (broken, other): (Vec<_>, Vec<_>) =
                found.into_iter().filter(|line| line != "ok").partition(|line| loses_rows(line));
            if !broken.is_empty() {
                return Err(Error::new(ErrorKind::Damaged, format!("the database is damaged: {}", broken.join("; "))));
            }
            odd.extend(other);
        }
        // An application may bring functions and collations of its own, which nobody else has.
        Err(error) if is_about_definitions(&error) => {
            odd.push(format!("the database cannot be looked through without its application: {error}"));
        }
        Err(error) => return Err(error),
    }
    // Rows that point nowhere can be stored with foreign keys off.
    match lines(connection, "SELECT DISTINCT \"table\" FROM pragma_foreign_key_check").map_err(errors::of) {
        Ok(tables) => odd.extend(
            tables.into_iter().map(|table| format!("table {table} holds rows whose foreign keys point nowhere")),
        ),
        Err(error) if is_about_definitions(&error) => {
            odd.push(format!("foreign keys cannot be looked through: {error}"));
        }
        Err(error) => return Err(error),
    }
    Ok(odd)
}

/// Whether a finding is about pages, and not only about some that nothing refers to.
fn loses_rows(finding: &str) -> bool {
    finding.starts_with("*** in database") && !finding.lines().skip(1).all(|line| line.ends_with(": never used"))
}

fn is_about_definitions(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Statement | ErrorKind::NotFound | ErrorKind::Syntax)
}

/// Lets rows be counted whose order only their application knows: collations that are not ours compare as bytes. Asked for what
/// the connection has not; `decimal` it has from its opening, so no index is ever read in another order than its own.
pub(super) fn stand_in_for_collations(connection: &Connection) -> Result<()> {
    connection
        .collation_needed(|connection, name| connection.create_collation(name, |one: &str, two: &str| one.cmp(two)))
        .map_err(errors::of)
}

fn lines(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}
