//! What exists, from SQLite's pragmas and, where they are silent, from the definitions' text.

use super::definition::{self, TableText};
use super::errors;
use super::session::Session;
use crate::{
    Catalog, CatalogOptions, ColumnInfo, ErrorKind, ForeignKey, Generated, Index, IndexColumn, Result, Table,
    TableKind, Trigger, View,
};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};
use std::collections::{BTreeMap, HashMap};

/// Up to this size of the database rows are counted and pages added up; above, that would read too much for a glance.
const SMALL_BYTES: i64 = 64 << 20;

/// Reads the catalog as of one moment.
pub(super) fn read(session: &mut Session, options: &CatalogOptions) -> Result<Catalog> {
    let own_transaction = session.connection.is_autocommit();
    if own_transaction {
        session.script("BEGIN")?;
    }
    let catalog = Reader { connection: &session.connection, options }.catalog();
    if own_transaction && !session.connection.is_autocommit() {
        session.script("ROLLBACK")?;
    }
    catalog
}

struct Reader<'c> {
    connection: &'c Connection,
    options: &'c CatalogOptions,
}

/// A line of `sqlite_schema`.
struct Object {
    kind: String,
    name: String,
    table: String,
    sql: String,
}

impl Reader<'_> {
    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(errors::of)?;
        let rows = statement.query_map(params, read).map_err(errors::of)?;
        rows.collect::<rusqlite::Result<_>>().map_err(errors::of)
    }

    fn catalog(&self) -> Result<Catalog> {
        let objects = self.all(
            "SELECT type, name, tbl_name, coalesce(sql, '') FROM main.sqlite_schema ORDER BY name",
            [],
            |row| Ok(Object { kind: row.get(0)?, name: row.get(1)?, table: row.get(2)?, sql: row.get(3)? }),
        )?;
        let definitions: HashMap<&str, &str> =
            objects.iter().map(|object| (object.name.as_str(), object.sql.as_str())).collect();
        let listed = self.all(
            "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
             ORDER BY name",
            [],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?)),
        )?;
        let sizes = Sizes::read(self, &objects)?;
        let mut catalog = Catalog::default();
        for (name, kind, without_rowid) in listed.into_iter().filter(|(name, ..)| self.wanted(name)) {
            let sql = definitions.get(name.as_str()).copied().unwrap_or("");
            match kind.as_str() {
                "view" => catalog.views.push(self.view(name, sql)?),
                // A virtual table's own storage.
                "shadow" => {}
                kind => {
                    let kind = if kind == "virtual" { TableKind::Virtual } else { TableKind::Table };
                    catalog.tables.push(self.table(name, kind, without_rowid, sql, &definitions, &sizes)?);
                }
            }
        }
        catalog.triggers = objects
            .iter()
            .filter(|object| object.kind == "trigger" && self.wanted(&object.table))
            .map(|object| {
                let (timing, event) = definition::trigger(&object.sql);
                Trigger {
                    schema: None,
                    name: object.name.clone(),
                    table: object.table.clone(),
                    timing: timing.to_owned(),
                    event: event.to_owned(),
                    definition: Some(object.sql.clone()),
                }
            })
            .collect();
        Ok(catalog)
    }

    fn wanted(&self, name: &str) -> bool {
        self.options.tables.is_empty() || self.options.tables.iter().any(|table| table.eq_ignore_ascii_case(name))
    }

    fn view(&self, name: String, sql: &str) -> Result<View> {
        let columns = self.columns(&name, &TableText::default())?;
        Ok(View {
            columns: columns.into_iter().map(|column| column.info).collect(),
            definition: Some(sql.to_owned()),
            materialized: false,
            schema: None,
            name,
        })
    }

    fn table(
        &self,
        name: String,
        kind: TableKind,
        without_rowid: bool,
        sql: &str,
        definitions: &HashMap<&str, &str>,
        sizes: &Sizes,
    ) -> Result<Table> {
        let text = definition::table(sql);
        let mut columns = self.columns(&name, &text)?;
        let indexes = self.indexes(&name, definitions)?;
        let mut key: Vec<(i64, String)> = columns
            .iter()
            .filter(|column| column.key > 0)
            .map(|column| (column.key, column.info.name.clone()))
            .collect();
        key.sort();
        // A lone INTEGER PRIMARY KEY is the row number itself, unless SQLite had to make an index for it.
        let is_row_number = !without_rowid && key.len() == 1 && !indexes.iter().any(|(origin, _)| origin == "pk");
        for column in columns.iter_mut().filter(|column| column.key > 0) {
            let counted = is_row_number && column.info.type_name.eq_ignore_ascii_case("INTEGER");
            column.info.auto_increment = counted;
            column.info.nullable &= !counted && !without_rowid;
        }
        Ok(Table {
            schema: None,
            kind,
            primary_key: key.into_iter().map(|(_, name)| name).collect(),
            indexes: indexes.into_iter().filter(|(origin, _)| origin != "pk").map(|(_, index)| index).collect(),
            foreign_keys: self.foreign_keys(&name, &text)?,
            checks: text.checks,
            estimated_rows: self.estimated_rows(&name, kind, without_rowid, sizes)?,
            size_bytes: sizes.bytes.get(&name).copied(),
            comment: None,
            options: text.options,
            columns: columns.into_iter().map(|column| column.info).collect(),
            name,
        })
    }

    fn columns(&self, table: &str, text: &TableText) -> Result<Vec<Column>> {
        let found = self.all(
            "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main')",
            [table],
            |row| {
                let name: String = row.get(0)?;
                let hidden: i64 = row.get(5)?;
                let known = text.columns.iter().find(|column| column.name.eq_ignore_ascii_case(&name));
                let generated = match hidden {
                    2 | 3 => {
                        let written = known.and_then(|column| column.generated.clone());
                        let expression = written.map(|generated| generated.expression).unwrap_or_default();
                        Some(Generated { expression, stored: hidden == 3 })
                    }
                    _ => None,
                };
                let collation = known.and_then(|column| column.collation.clone());
                Ok(Column {
                    key: row.get(4)?,
                    hidden: hidden == 1,
                    info: ColumnInfo {
                        type_name: row.get(1)?,
                        nullable: !row.get::<_, bool>(2)?,
                        default: row.get(3)?,
                        auto_increment: false,
                        generated,
                        collation: collation.filter(|collation| !collation.eq_ignore_ascii_case("BINARY")),
                        comment: None,
                        name,
                    },
                })
            },
        );
        match found {
            Ok(columns) => Ok(columns.into_iter().filter(|column| !column.hidden).collect()),
            // A view on a table that is gone, or a virtual table whose module this program lacks, still exists.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Statement) => Ok(Vec::new()),
            Err(error) => Err(error.context(format_args!("reading the columns of {table}"))),
        }
    }

    /// The indexes with what they come from: `c` for CREATE INDEX, `u` for UNIQUE, `pk` for PRIMARY KEY.
    fn indexes(&self, table: &str, definitions: &HashMap<&str, &str>) -> Result<Vec<(String, Index)>> {
        let listed = self.all(
            "SELECT name, \"unique\", origin FROM pragma_index_list(?1, 'main') ORDER BY name",
            [table],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get::<_, String>(2)?)),
        );
        let listed = match listed {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Statement) => Vec::new(),
            listed => listed?,
        };
        let mut indexes = Vec::with_capacity(listed.len());
        for (name, unique, origin) in listed {
            let (written, predicate) =
                definitions.get(name.as_str()).map_or_else(Default::default, |sql| definition::index(sql));
            let columns = self.all(
                "SELECT seqno, name, \"desc\" FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno",
                [&name],
                |row| {
                    let column: Option<String> = row.get(1)?;
                    let at: i64 = row.get(0)?;
                    Ok(IndexColumn {
                        expression: column.is_none(),
                        name: column
                            .or_else(|| usize::try_from(at).ok().and_then(|at| written.get(at)).cloned())
                            .unwrap_or_default(),
                        descending: row.get(2)?,
                        prefix: None,
                    })
                },
            )?;
            indexes.push((origin, Index { name, columns, unique, method: "btree".to_owned(), predicate }));
        }
        Ok(indexes)
    }

    fn foreign_keys(&self, table: &str, text: &TableText) -> Result<Vec<ForeignKey>> {
        let parts = self.all(
            "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?1, 'main') ORDER BY id, seq",
            [table],
            |row| {
                let part = ForeignKey {
                    referenced_table: row.get(1)?,
                    columns: vec![row.get(2)?],
                    referenced_columns: row.get::<_, Option<String>>(3)?.into_iter().collect(),
                    on_update: row.get(4)?,
                    on_delete: row.get(5)?,
                    ..ForeignKey::default()
                };
                Ok((row.get::<_, i64>(0)?, part))
            },
        )?;
        let mut keys: BTreeMap<i64, ForeignKey> = BTreeMap::new();
        for (id, part) in parts {
            match keys.get_mut(&id) {
                Some(key) => {
                    key.columns.extend(part.columns);
                    key.referenced_columns.extend(part.referenced_columns);
                }
                None => {
                    keys.insert(id, part);
                }
            }
        }
        // SQLite counts them from the last to the first.
        let mut keys: Vec<ForeignKey> = keys.into_values().rev().collect();
        let named = keys.len() == text.foreign_keys.len();
        for (at, key) in keys.iter_mut().enumerate() {
            if named {
                key.name.clone_from(&text.foreign_keys[at]);
            }
            if key.referenced_columns.is_empty() {
                key.referenced_columns = self.all(
                    "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE pk > 0 ORDER BY pk",
                    [&key.referenced_table],
                    |row| row.get(0),
                )?;
            }
        }
        Ok(keys)
    }

    fn estimated_rows(&self, table: &str, kind: TableKind, without_rowid: bool, sizes: &Sizes) -> Result<Option<u64>> {
        if !self.options.sizes || kind == TableKind::Virtual {
            return Ok(None);
        }
        if !sizes.small {
            if let Some(rows) = sizes.statistics.get(table) {
                return Ok(Some(*rows));
            }
            if without_rowid {
                return Ok(None);
            }
        }
        let name = table.replace('"', "\"\"");
        // The greatest row number is found at once, and is the number of rows where none was deleted.
        let what = if sizes.small { "count(*)" } else { "max(rowid)" };
        let rows: Option<i64> = self
            .connection
            .query_row(&format!("SELECT {what} FROM main.\"{name}\""), [], |row| row.get(0))
            .map_err(errors::of)?;
        Ok(rows.and_then(|rows| u64::try_from(rows).ok()))
    }
}

struct Column {
    info: ColumnInfo,
    /// Its place in the primary key, from 1; 0 when it is not in it.
    key: i64,
    /// A virtual table's argument rather than a column.
    hidden: bool,
}

/// What is known of sizes before any table is looked at.
#[derive(Default)]
struct Sizes {
    small: bool,
    bytes: HashMap<String, u64>,
    /// Rows by table, of the last ANALYZE.
    statistics: HashMap<String, u64>,
}

impl Sizes {
    fn read(reader: &Reader<'_>, objects: &[Object]) -> Result<Self> {
        if !reader.options.sizes {
            return Ok(Self::default());
        }
        let connection = reader.connection;
        let pragma =
            |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(errors::of);
        let small = pragma("page_count")?.saturating_mul(pragma("page_size")?) <= SMALL_BYTES;
        let mut sizes = Self { small, ..Self::default() };
        if small {
            let owners: HashMap<&str, &str> =
                objects.iter().map(|object| (object.name.as_str(), object.table.as_str())).collect();
            let pages = reader.all("SELECT name, pgsize FROM dbstat('main', 1)", [], |row| {
                Ok((row.get::<_, String>(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0)))
            })?;
            for (name, bytes) in pages {
                if let Some(table) = owners.get(name.as_str()) {
                    *sizes.bytes.entry((*table).to_owned()).or_default() += bytes;
                }
            }
            return Ok(sizes);
        }
        let analysed = connection
            .query_row("SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_stat1'", [], |_| Ok(()))
            .optional()
            .map_err(errors::of)?;
        if analysed.is_some() {
            let lines = reader.all("SELECT tbl, stat FROM main.sqlite_stat1", [], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?.unwrap_or_default()))
            })?;
            for (table, stat) in lines {
                if let Some(rows) = stat.split(' ').next().and_then(|rows| rows.parse::<u64>().ok()) {
                    let known = sizes.statistics.entry(table).or_default();
                    *known = (*known).max(rows);
                }
            }
        }
        Ok(sizes)
    }
}
