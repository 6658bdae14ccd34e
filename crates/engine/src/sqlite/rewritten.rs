//! Which values would another type of their column make other values of? SQLite stores by affinity: under INTEGER, the text
//! '1.50' becomes the number 1.5, and '99999999999999999999' becomes 1e20, without a word
//! (<https://www.sqlite.org/datatype3.html>, section 3).

use super::definition::tokens;
use super::rebuild::quote;
use super::session::Session;
use super::table_sql::{ItemKind, TableSql};
use crate::{Error, ErrorKind, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

impl Affinity {
    /// <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>
    fn of(type_name: &str) -> Self {
        let words: Vec<String> = tokens(type_name).iter().map(|token| token.text.to_ascii_uppercase()).collect();
        let words = words.join(" ");
        let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        match () {
            () if has(&["INT"]) => Self::Integer,
            () if has(&["CHAR", "CLOB", "TEXT"]) => Self::Text,
            () if words.is_empty() || has(&["BLOB"]) => Self::Blob,
            () if has(&["REAL", "FLOA", "DOUB"]) => Self::Real,
            () => Self::Numeric,
        }
    }

    /// The condition for a value that would not stay what it is. Numbers stay the numbers they are, and texts the same text.
    fn changes(self, column: &str) -> Option<String> {
        // Compared with a number, a text becomes one exactly where it would when it is stored.
        let becomes_number = format!("typeof({column}) = 'text' AND {column} = CAST({column} AS NUMERIC)");
        let text_differs = |to: &str, or: &str| {
            format!("CAST(CAST({column} AS {to}) AS TEXT) COLLATE BINARY NOT IN (CAST({column} AS TEXT){or})")
        };
        match self {
            Self::Blob => None,
            Self::Text => {
                Some(format!("typeof({column}) = 'real' AND CAST(CAST({column} AS TEXT) AS REAL) <> {column}"))
            }
            Self::Integer | Self::Numeric => Some(format!("{becomes_number} AND {}", text_differs("NUMERIC", ""))),
            // A whole number gets a fraction of 0 there.
            Self::Real => Some(format!(
                "({becomes_number} AND {}) OR (typeof({column}) = 'integer' AND CAST({column} AS REAL) <> {column})",
                text_differs("REAL", &format!(", {column} || '.0'"))
            )),
        }
    }
}

/// Refuses a new definition in which values would become others.
pub(super) fn refuse(session: &mut Session, name: &str, old: &TableSql, new: &TableSql) -> Result<()> {
    for item in &new.items {
        let ItemKind::Column(column) = &item.kind else { continue };
        let Some(before) = old.column(&column.name) else { continue };
        let affinity = Affinity::of(&column.type_name);
        if column.is_generated() || before.is_generated() || affinity == Affinity::of(&before.type_name) {
            continue;
        }
        let Some(changes) = affinity.changes(&quote(&column.name)) else { continue };
        let key = key_of(session, name, old)?;
        let rows = session.query(
            &format!("SELECT count(*), CAST(min({}) AS TEXT) FROM main.{} WHERE {changes}", key.sql, quote(name)),
            &[],
        )?;
        let Some(row) = rows.first() else { continue };
        let count: i64 = row.get(0)?;
        if count == 0 {
            continue;
        }
        let example: Option<String> = row.get(1)?;
        let example = example.map(|example| format!(", one of them with {} {example}", key.name)).unwrap_or_default();
        let rows = if count == 1 { "row holds" } else { "rows hold" };
        return Err(Error::new(
            ErrorKind::InvalidValue,
            format!(
                "the column {} of {name} does not become {}: {count} {rows} what would be another value there{example}",
                column.name, column.type_name
            ),
        )
        .with_hint("UPDATE these rows first, so that they hold what the new type keeps as it is; or keep the type"));
    }
    Ok(())
}

/// What tells a row apart, for a message.
struct Key {
    name: String,
    sql: String,
}

fn key_of(session: &mut Session, name: &str, table: &TableSql) -> Result<Key> {
    let hidden = ["rowid", "_rowid_", "oid"].into_iter().find(|name| table.column(name).is_none());
    if let Some(hidden) = hidden.filter(|_| !table.is_without_rowid()) {
        return Ok(Key { name: "rowid".to_owned(), sql: hidden.to_owned() });
    }
    let rows =
        session.query("SELECT name FROM pragma_table_info(?1, 'main') WHERE pk > 0 ORDER BY pk", &[name.into()])?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    if names.is_empty() {
        return Ok(Key { name: String::new(), sql: "NULL".to_owned() });
    }
    let parts: Vec<String> = names.iter().map(|name| format!("quote({})", quote(name))).collect();
    Ok(Key { name: names.join(", "), sql: parts.join(" || ', ' || ") })
}
