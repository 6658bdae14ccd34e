//! What exists in a database, from information_schema: a handful of queries, however many tables there are.

mod code;
mod columns;
mod keys;

use super::connection::MySqlConnection;
use super::dialect::Flavor;
use super::quoted;
use crate::{Catalog, CatalogOptions, Driver as _, Result, Row, Sequence, Table, TableKind, View};
use dbkeep_sql::Value;
use std::collections::BTreeMap;

pub(super) async fn read(connection: &mut MySqlConnection, options: &CatalogOptions) -> Result<Catalog> {
    let mut reader = Reader { only: options.tables.clone(), connection };
    let mut catalog = Catalog::default();
    let mut sequences = Vec::new();
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    let mut views: BTreeMap<String, View> = BTreeMap::new();
    let mut collations: BTreeMap<String, String> = BTreeMap::new();
    let rows = reader
        .rows(
            "SELECT table_name, table_type, engine, table_collation, create_options, table_comment, table_rows, \
             data_length, index_length FROM information_schema.tables WHERE table_schema = ?",
            "table_name",
        )
        .await?;
    for row in &rows {
        let name = text(row, 0)?;
        match text(row, 1)?.as_str() {
            "VIEW" | "SYSTEM VIEW" => {
                views.insert(name.clone(), View { name, ..View::default() });
            }
            "SEQUENCE" => sequences.push(name),
            _ => {
                if let Some(collation) = maybe(row, 3)? {
                    collations.insert(name.clone(), collation);
                }
                tables.insert(name.clone(), table(name, row, options.sizes)?);
            }
        }
    }
    for (name, column) in columns::read(&mut reader, &collations).await? {
        if let Some(table) = tables.get_mut(&name) {
            table.columns.push(column);
        } else if let Some(view) = views.get_mut(&name) {
            view.columns.push(column);
        }
    }
    keys::read(&mut reader, &mut tables).await?;
    for row in reader
        .rows("SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = ?", "table_name")
        .await?
    {
        if let Some(view) = views.get_mut(&text(&row, 0)?) {
            // Empty where the right to see it is missing.
            view.definition = maybe(&row, 1)?.filter(|definition| !definition.is_empty());
        }
    }
    catalog.triggers = code::triggers(&mut reader).await?;
    if options.tables.is_empty() {
        catalog.routines = code::routines(&mut reader).await?;
        catalog.sequences = read_sequences(&mut reader, sequences).await?;
    }
    catalog.tables = tables.into_values().collect();
    catalog.views = views.into_values().collect();
    Ok(catalog)
}

/// Asks for what belongs to the database, or to some tables of it.
struct Reader<'c> {
    connection: &'c mut MySqlConnection,
    only: Vec<String>,
}

impl Reader<'_> {
    fn flavor(&self) -> Flavor {
        self.connection.flavor()
    }

    fn version_is(&self, major: u32, minor: u32, patch: u32) -> bool {
        self.connection.server().version.at_least(major, minor, patch)
    }

    /// Runs a query whose only parameter so far is the database; `column` holds the names of tables.
    async fn rows(&mut self, sql: &str, column: &str) -> Result<Vec<Row>> {
        self.rows_in_order(sql, column, "").await
    }

    async fn rows_in_order(&mut self, sql: &str, column: &str, order: &str) -> Result<Vec<Row>> {
        let mut params = vec![Value::from(self.connection.database())];
        let mut sql = sql.to_owned();
        if !self.only.is_empty() {
            let marks = vec!["?"; self.only.len()].join(", ");
            sql.push_str(&format!(" AND {column} IN ({marks})"));
            params.extend(self.only.iter().map(Value::from));
        }
        sql.push_str(order);
        self.connection.query(&sql, &params).await
    }
}

fn table(name: String, row: &Row, sizes: bool) -> Result<Table> {
    let create_options = maybe(row, 4)?.unwrap_or_default();
    let mut options = Vec::new();
    for (word, value) in [("ENGINE", maybe(row, 2)?), ("COLLATE", maybe(row, 3)?)] {
        if let Some(value) = value {
            options.push(format!("{word}={value}"));
        }
    }
    if !create_options.is_empty() {
        options.push(create_options.clone());
    }
    let partitioned = create_options.split_whitespace().any(|word| word == "partitioned");
    let number = |at: usize| row.get::<Option<u64>>(at);
    let (rows, data, index) = if sizes { (number(6)?, number(7)?, number(8)?) } else { (None, None, None) };
    Ok(Table {
        name,
        kind: if partitioned { TableKind::Partitioned } else { TableKind::Table },
        comment: maybe(row, 5)?.filter(|comment| !comment.is_empty()),
        options: (!options.is_empty()).then(|| options.join(" ")),
        estimated_rows: rows,
        size_bytes: data.map(|data| data + index.unwrap_or(0)),
        ..Table::default()
    })
}

async fn read_sequences(reader: &mut Reader<'_>, mut names: Vec<String>) -> Result<Vec<Sequence>> {
    names.sort();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    // A sequence is a table of one row.
    let one = |(at, name): (usize, &String)| {
        format!("SELECT {at}, start_value, increment, minimum_value, maximum_value, cycle_option FROM {}", quoted(name))
    };
    let sql = names.iter().enumerate().map(one).collect::<Vec<_>>().join(" UNION ALL ");
    let rows = reader.connection.query(&sql, &[]).await?;
    let mut sequences = Vec::new();
    for row in &rows {
        let number = |at: usize| row.get::<i64>(at).map(i128::from);
        let at: usize = row.get(0)?;
        sequences.push(Sequence {
            schema: None,
            name: names.get(at).cloned().unwrap_or_default(),
            type_name: "bigint".to_owned(),
            start: number(1)?,
            increment: number(2)?,
            minimum: number(3)?,
            maximum: number(4)?,
            cycle: row.get::<i64>(5)? != 0,
        });
    }
    sequences.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sequences)
}

/// A text, empty for NULL. Some versions mark what they show here as bytes.
fn text(row: &Row, at: usize) -> Result<String> {
    Ok(maybe(row, at)?.unwrap_or_default())
}

fn maybe(row: &Row, at: usize) -> Result<Option<String>> {
    match row.values().get(at) {
        Some(Value::Bytes(bytes)) => Ok(Some(String::from_utf8_lossy(bytes).into_owned())),
        _ => row.get(at),
    }
}
