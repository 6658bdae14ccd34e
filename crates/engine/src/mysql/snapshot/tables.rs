//! The tables of a snapshot, and how each one's rows are read and loaded.

use super::super::quoted;
use super::{Texts, cell, texts};
use crate::{Digesting, Result, StreamKind, StreamSpec};
use mysql_async::Conn;
use std::collections::BTreeMap;

/// The form of the rows. A line a row; fields between tabs; NULL is `\N`; backslash, NUL, newline, carriage return and tab
/// are written `\\`, `\0`, `\n`, `\r` and `\t`; all else as the column's own bytes. FLOAT as the double of equal value,
/// BIT as an unsigned number.
pub(in super::super) const ENCODING: &str = "mysql-tsv/1";

/// The name of the detail that tells how each column is loaded.
pub(in super::super) const FORMS: &str = "forms";

/// Engines whose tables a transaction sees as they were when it began.
const TRANSACTIONAL: [&str; 4] = ["INNODB", "ROCKSDB", "TOKUDB", "NDBCLUSTER"];

/// Engines whose tables show the rows of other tables, which are read there or lie on another server.
const ELSEWHERE: [&str; 3] = ["MRG_MYISAM", "FEDERATED", "CONNECT"];

/// How a column's field becomes its value again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Form {
    /// The bytes are the value.
    Raw,
    /// The bytes are text in UTF-8, and the server must be told: JSON, UUID, addresses.
    Text,
    /// An unsigned number.
    Bits,
    /// A label, or nothing, which stands for a value that is none of the labels.
    Label,
}

impl Form {
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Form::Raw => "raw",
            Form::Text => "text",
            Form::Bits => "bits",
            Form::Label => "label",
        }
    }

    pub(in super::super) fn parse(name: &str) -> Option<Self> {
        [Form::Raw, Form::Text, Form::Bits, Form::Label].into_iter().find(|form| form.name() == name)
    }

    fn of(data_type: &str) -> Self {
        match data_type {
            "json" | "uuid" | "inet4" | "inet6" => Form::Text,
            "bit" => Form::Bits,
            "enum" => Form::Label,
            _ => Form::Raw,
        }
    }
}

/// What lies in the database.
pub(super) struct Found {
    pub(super) tables: Vec<TableRows>,
    pub(super) sequences: Vec<String>,
    non_transactional: Vec<String>,
    versioned: Vec<String>,
    /// Tables whose definition is kept and whose rows are others'.
    pub(super) elsewhere: Vec<String>,
}

/// One table's rows.
pub(super) struct TableRows {
    pub(super) name: String,
    columns: Vec<(String, Form, bool)>,
    key: Vec<String>,
    data_bytes: Option<u64>,
}

impl Found {
    /// What the reader of the report should know.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let non_transactional = self.non_transactional.iter().map(|table| {
            format!("table {table} is of an engine without transactions: its rows are of the moment they were read")
        });
        let versioned = self
            .versioned
            .iter()
            .map(|table| format!("table {table} is system-versioned: its history is not included"));
        let elsewhere = self.elsewhere.iter().map(|table| {
            format!(
                "table {table} shows rows of other tables: its definition is included, rows that lie elsewhere are not"
            )
        });
        non_transactional.chain(versioned).chain(elsewhere)
    }
}

pub(super) async fn read(conn: &mut Conn) -> Result<Found> {
    let mut found = Found {
        tables: Vec::new(),
        sequences: Vec::new(),
        non_transactional: Vec::new(),
        versioned: Vec::new(),
        elsewhere: Vec::new(),
    };
    let mut columns = columns(conn).await?;
    let mut keys = keys(conn).await?;
    let mut rows: Texts = texts(
        conn,
        "SELECT table_name, table_type, engine, data_length FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_type NOT LIKE '%VIEW'",
    )
    .await?;
    rows.sort();
    for row in &rows {
        let name = cell(row, 0).to_owned();
        match cell(row, 1) {
            "SEQUENCE" => {
                found.sequences.push(name);
                continue;
            }
            "SYSTEM VERSIONED" => found.versioned.push(name.clone()),
            _ => {}
        }
        if ELSEWHERE.contains(&cell(row, 2).to_ascii_uppercase().as_str()) {
            found.elsewhere.push(name);
            continue;
        }
        if !TRANSACTIONAL.contains(&cell(row, 2).to_ascii_uppercase().as_str()) {
            found.non_transactional.push(name.clone());
        }
        found.tables.push(TableRows {
            columns: columns.remove(&name).unwrap_or_default(),
            key: keys.remove(&name).unwrap_or_default(),
            data_bytes: cell(row, 3).parse().ok(),
            name,
        });
    }
    Ok(found)
}

/// The columns that are stored, invisible ones too; whether a column is a FLOAT.
async fn columns(conn: &mut Conn) -> Result<BTreeMap<String, Vec<(String, Form, bool)>>> {
    let rows = texts(
        conn,
        "SELECT table_name, column_name, data_type, extra FROM information_schema.columns \
         WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position",
    )
    .await?;
    let mut columns: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for row in &rows {
        let extra = cell(row, 3).to_ascii_uppercase();
        // DEFAULT_GENERATED is something else: a default that is an expression.
        if ["VIRTUAL GENERATED", "STORED GENERATED", "PERSISTENT"].iter().any(|word| extra.contains(word)) {
            continue;
        }
        let data_type = cell(row, 2).to_ascii_lowercase();
        columns.entry(cell(row, 0).to_owned()).or_default().push((
            cell(row, 1).to_owned(),
            Form::of(&data_type),
            data_type == "float",
        ));
    }
    Ok(columns)
}

/// The primary keys that rows can be read in the order of, without sorting: those that hold whole columns.
async fn keys(conn: &mut Conn) -> Result<BTreeMap<String, Vec<String>>> {
    let rows = texts(
        conn,
        "SELECT table_name, column_name, sub_part FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND index_name = 'PRIMARY' ORDER BY table_name, seq_in_index",
    )
    .await?;
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.get(2).is_some_and(Option::is_none)) {
        keys.entry(cell(row, 0).to_owned()).or_default().push(cell(row, 1).to_owned());
    }
    for row in rows.iter().filter(|row| row.get(2).is_some_and(Option::is_some)) {
        keys.remove(cell(row, 0));
    }
    Ok(keys)
}

impl TableRows {
    pub(super) fn spec(&self) -> StreamSpec {
        let mut spec = StreamSpec::new(format!("data/{}.tsv", self.name), StreamKind::Rows, ENCODING, Digesting::Rows);
        spec.table = Some(self.name.clone());
        spec.columns = self.columns.iter().map(|(name, ..)| name.clone()).collect();
        let forms: Vec<_> = self.columns.iter().map(|(_, form, _)| form.name()).collect();
        spec.details.insert(FORMS.to_owned(), forms.join(","));
        spec.estimated_bytes = self.data_bytes;
        spec
    }

    /// Reads the rows in the order of the primary key, where there is one.
    pub(super) fn select(&self) -> String {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|(name, form, is_float)| match (form, is_float) {
                (Form::Bits, _) => format!("CAST({} AS UNSIGNED)", quoted(name)),
                // A FLOAT is shown with six digits, which do not give it back; the double of equal value is shown exactly.
                (_, true) => format!("{} * 1e0", quoted(name)),
                _ => quoted(name),
            })
            .collect();
        let columns = if columns.is_empty() { "''".to_owned() } else { columns.join(", ") };
        let table = quoted(&self.name);
        if self.key.is_empty() {
            return format!("SELECT {columns} FROM {table}");
        }
        let key: Vec<_> = self.key.iter().map(|name| quoted(name)).collect();
        format!("SELECT {columns} FROM {table} FORCE INDEX (PRIMARY) ORDER BY {}", key.join(", "))
    }
}
