//! One seed: a file, what it is about, and its rows.

use super::cell::Cell;
use super::csv::CsvFile;
use super::node::{self, Content, Malformed, Node};
use super::{Error, ErrorKind, Mode, Result};
use crate::migrate::Location;
use crate::migrate::file::SqlFile;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One seed.
pub(crate) struct Seeder {
    /// The file's name without its ending: `010_users`.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) body: Body,
}

/// What a seed does.
pub(crate) enum Body {
    Rows(Rows),
    Sql(Arc<SqlFile>),
}

/// Rows for a table.
pub(crate) struct Rows {
    pub(crate) table: String,
    /// The columns that tell rows apart; the primary key's when empty.
    pub(crate) key: Vec<String>,
    pub(crate) mode: Mode,
    pub(crate) content: RowContent,
}

pub(crate) enum RowContent {
    /// A text and the rows read from it.
    Yaml(Arc<str>, Vec<SeedRow>),
    Csv(CsvFile),
}

/// A row as written.
#[derive(Debug, Clone)]
pub(crate) struct SeedRow {
    /// Counted from one.
    pub(crate) number: u64,
    pub(crate) line: usize,
    pub(crate) columns: Arc<[String]>,
    /// One for each column, with the place it stands in, as line and column.
    pub(super) cells: Vec<(Cell, (usize, usize))>,
}

impl std::fmt::Debug for Seeder {
    /// Its name alone: there may be passwords among its rows.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seeder({})", self.name)
    }
}

impl Seeder {
    /// Reads a seed from a file's path and, for all but long tables, its text.
    pub(crate) fn read(path: &Path, text: Text) -> Result<Self> {
        let name = stem(path);
        let body = match ending(path).as_str() {
            "sql" => Body::Sql(SqlFile::new(path, text.read(path)?)),
            "csv" => Body::Rows(super::csv::open(path, text, &table_in(&name))?),
            _ => Body::Rows(yaml(path, &text.read(path)?, &table_in(&name))?),
        };
        Ok(Self { name, path: path.to_owned(), body })
    }

    /// Whether a person who says `name` means this seed: `010_users`, `users`, or the file's name.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let file = self.path.file_name().map(|file| file.to_string_lossy());
        self.name == name || table_in(&self.name) == name || file.is_some_and(|file| file == name)
    }

    /// The rows, of a seed that has any.
    pub(crate) fn rows(&self) -> Option<&Rows> {
        match &self.body {
            Body::Rows(rows) => Some(rows),
            Body::Sql(_) => None,
        }
    }
}

impl Rows {
    /// Every column that some row fills.
    pub(crate) fn columns(&self) -> BTreeSet<&str> {
        match &self.content {
            RowContent::Yaml(_, rows) => rows.iter().flat_map(|row| row.columns.iter().map(String::as_str)).collect(),
            RowContent::Csv(file) => file.columns.iter().map(String::as_str).collect(),
        }
    }

    /// Every table that a row refers to.
    pub(crate) fn references(&self) -> BTreeSet<&str> {
        match &self.content {
            RowContent::Yaml(_, rows) => {
                let cells = rows.iter().flat_map(|row| row.cells.iter().map(|(cell, _)| cell));
                cells
                    .filter_map(|cell| match cell {
                        Cell::Reference(reference) => Some(reference.table.as_str()),
                        _ => None,
                    })
                    .collect()
            }
            RowContent::Csv(file) => file.references().collect(),
        }
    }

    /// A place in the file.
    pub(crate) fn location(&self, path: &Path, (line, column): (usize, usize)) -> Location {
        let text = match &self.content {
            RowContent::Yaml(text, _) => Some(Arc::clone(text)),
            RowContent::Csv(_) => None,
        };
        place(path, text.as_deref().unwrap_or(""), (line, column))
    }
}

/// Where a seed's text is.
#[derive(Clone)]
pub(crate) enum Text {
    /// In the file of its path.
    File,
    /// Compiled into the program.
    Embedded(Arc<str>),
}

impl Text {
    pub(super) fn read(&self, path: &Path) -> Result<String> {
        match self {
            Text::Embedded(text) => Ok(text.to_string()),
            Text::File => std::fs::read_to_string(path).map_err(|error| {
                Error::new(ErrorKind::Io, format!("cannot read {}", path.display())).with_source(error)
            }),
        }
    }
}

/// The endings of files that are seeds.
pub(crate) const ENDINGS: [&str; 5] = ["yaml", "yml", "json", "csv", "sql"];

pub(crate) fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    // A word for one engine is no part of the name.
    stem.split('.').next().unwrap_or_default().to_owned()
}

/// The table a file is named for: its name without the number in front.
fn table_in(name: &str) -> String {
    let rest = name.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(['_', '-']);
    if rest.is_empty() { name.to_owned() } else { rest.to_owned() }
}

/// A place in a text of YAML. Lines that may hold a password are not shown.
fn place(path: &Path, text: &str, (line, column): (usize, usize)) -> Location {
    let mut location = Location::of_line(path, text, line);
    location.column = column;
    if text.lines().skip(line.saturating_sub(2)).take(2).any(|line| line.contains("argon2")) {
        location.text.clear();
    }
    location
}

fn yaml(path: &Path, text: &str, default_table: &str) -> Result<Rows> {
    let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(text).into();
    let refuse = |malformed: Malformed| {
        let location = place(path, &text, (malformed.line, malformed.column));
        Error::new(ErrorKind::File, malformed.message).at(location)
    };
    let empty = || Malformed { message: "the file holds nothing".to_owned(), line: 1, column: 1 };
    let document = node::read(&text).and_then(|document| document.ok_or_else(empty)).map_err(refuse)?;
    let parsed = document_parts(&document, default_table).map_err(refuse)?;
    Ok(Rows {
        content: RowContent::Yaml(Arc::clone(&text), parsed.rows),
        table: parsed.table,
        key: parsed.key,
        mode: parsed.mode,
    })
}

struct Parsed {
    table: String,
    key: Vec<String>,
    mode: Mode,
    rows: Vec<SeedRow>,
}

fn document_parts(document: &Node, default_table: &str) -> Result<Parsed, Malformed> {
    let usage = "a seed is a map of table, key, mode and rows, or a list of rows";
    let mut parsed =
        Parsed { table: default_table.to_owned(), key: Vec::new(), mode: Mode::default(), rows: Vec::new() };
    let entries = match &document.content {
        Content::List(rows) => {
            parsed.rows = read_rows(rows)?;
            return Ok(parsed);
        }
        Content::Map(entries) => entries,
        Content::Scalar(..) => return Err(at(document, usage)),
    };
    for (name, value) in entries {
        match (name.scalar(), &value.content) {
            (Some("table"), Content::Scalar(table, _)) if !value.is_null() => parsed.table = table.clone(),
            (Some("mode"), Content::Scalar(mode, _)) => {
                parsed.mode = Mode::parse(mode).ok_or_else(|| at(value, "the modes are upsert and insert-missing"))?;
            }
            (Some("key"), Content::Scalar(column, _)) if !value.is_null() => parsed.key = vec![column.clone()],
            (Some("key"), Content::List(columns)) => {
                let column =
                    |node: &Node| node.scalar().map(str::to_owned).ok_or_else(|| at(node, "a column's name is a text"));
                parsed.key = columns.iter().map(column).collect::<Result<_, _>>()?;
            }
            (Some("rows"), Content::List(rows)) => parsed.rows = read_rows(rows)?,
            (Some("rows"), _) if value.is_null() => {}
            (Some(known @ ("table" | "mode" | "key" | "rows")), _) => {
                return Err(at(value, format!("{known} is something else")));
            }
            _ => return Err(at(name, usage)),
        }
    }
    if !entries.iter().any(|(name, _)| name.scalar() == Some("rows")) {
        return Err(at(document, "there are no rows in this file"));
    }
    Ok(parsed)
}

fn read_rows(rows: &[Node]) -> Result<Vec<SeedRow>, Malformed> {
    // Rows in a row mostly fill the same columns, and then share them.
    let mut shared: Arc<[String]> = Arc::from([]);
    let mut out = Vec::with_capacity(rows.len());
    for (number, row) in (1..).zip(rows) {
        let Content::Map(entries) = &row.content else {
            return Err(at(row, "a row is a map of columns and values"));
        };
        let mut columns = Vec::with_capacity(entries.len());
        let mut cells = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let name = name.scalar().ok_or_else(|| at(name, "a column's name is a text"))?;
            columns.push(name.to_owned());
            cells.push((Cell::read(value)?, (value.line, value.column)));
        }
        if columns.is_empty() {
            return Err(at(row, "this row has no columns"));
        }
        if columns[..] != shared[..] {
            shared = columns.into();
        }
        out.push(SeedRow { number, line: row.line, columns: Arc::clone(&shared), cells });
    }
    Ok(out)
}

fn at(node: &Node, message: impl Into<String>) -> Malformed {
    Malformed { message: message.into(), line: node.line, column: node.column }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(path: &str, text: &str) -> Result<Seeder> {
        Seeder::read(Path::new(path), Text::Embedded(text.into()))
    }

    #[test]
    fn a_file_names_its_table_unless_it_says_another() {
        let seeder = read("seeds/010_users.yml", "- {email: a@x}\n- {email: b@x, name: B}\n").unwrap();
        assert_eq!(seeder.name, "010_users");
        assert!(["010_users", "users", "010_users.yml"].iter().all(|name| seeder.is_called(name)));
        let rows = seeder.rows().unwrap();
        assert_eq!((rows.table.as_str(), rows.mode), ("users", Mode::Upsert));
        assert_eq!(rows.columns().into_iter().collect::<Vec<_>>(), ["email", "name"]);

        let text = "table: people\nkey: [email]\nmode: insert-missing\nrows:\n  - email: a@x\n    boss: {ref: {table: people, key: {email: b}}}\n";
        let seeder = read("020-staff.yaml", text).unwrap();
        let rows = seeder.rows().unwrap();
        assert_eq!((rows.table.as_str(), rows.mode, rows.key.len()), ("people", Mode::InsertMissing, 1));
        assert_eq!(rows.references().into_iter().collect::<Vec<_>>(), ["people"]);
        let RowContent::Yaml(_, read) = &rows.content else { panic!("rows of YAML were read as something else") };
        assert_eq!((read[0].number, read[0].line, read[0].cells[1].1), (1, 5, (6, 11)));
        assert!(matches!(read_sql().body, Body::Sql(_)));
    }

    fn read_sql() -> Seeder {
        read("030_more.sql", "SELECT 1;").unwrap()
    }

    #[test]
    fn what_is_no_seed_is_refused_where_it_stands() {
        for (text, complaint) in [
            ("", "a.yml:1:1: the file holds nothing"),
            ("hello", "a.yml:1:1: a seed is a map of table, key, mode and rows, or a list of rows"),
            ("table: a\n", "a.yml:1:1: there are no rows in this file"),
            ("rows: []\ntabel: a\n", "a.yml:2:1: a seed is a map of table, key, mode and rows, or a list of rows"),
            ("mode: always\nrows: []\n", "a.yml:1:7: the modes are upsert and insert-missing"),
            ("rows: 7\n", "a.yml:1:7: rows is something else"),
            ("rows:\n  - 7\n", "a.yml:2:5: a row is a map of columns and values"),
            ("rows:\n  - {}\n", "a.yml:2:5: this row has no columns"),
            ("rows:\n  - {a: 1, a: 2}\n", "a.yml:2:12: \"a\" stands here for the second time"),
            ("rows:\n  - {a: {days_ago: x}}\n", "a.yml:2:20: days_ago wants a whole number of days"),
        ] {
            assert_eq!(read("a.yml", text).unwrap_err().to_string(), complaint);
        }
    }
}
