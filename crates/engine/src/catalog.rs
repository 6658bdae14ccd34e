//! What exists in a database, in one form for every engine.

use serde::{Deserialize, Serialize};

/// What to read into a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogOptions {
    /// Only this schema, on engines with schemas. Default: every schema that is not the system's.
    pub schema: Option<String>,
    /// Only these tables and views; all when empty.
    pub tables: Vec<String>,
    /// Whether to read estimates of rows and sizes. Default `true`.
    pub sizes: bool,
}

impl Default for CatalogOptions {
    fn default() -> Self {
        Self { schema: None, tables: Vec::new(), sizes: true }
    }
}

impl CatalogOptions {
    /// Only these tables and views.
    #[must_use]
    pub fn tables<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.tables = names.into_iter().map(Into::into).collect();
        self
    }
}

/// What exists in a database. Everything is sorted by schema and name; columns stand in their own order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Catalog {
    /// Tables.
    pub tables: Vec<Table>,
    /// Views, materialised ones included.
    pub views: Vec<View>,
    /// Triggers.
    pub triggers: Vec<Trigger>,
    /// Stored routines.
    pub routines: Vec<Routine>,
    /// Sequence objects, without those that belong to an identity column.
    pub sequences: Vec<Sequence>,
}

impl Catalog {
    /// The table of this name, in any schema.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The view of this name, in any schema.
    pub fn view(&self, name: &str) -> Option<&View> {
        self.views.iter().find(|view| view.name == name)
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Table {
    /// Its schema, on engines with schemas.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// What kind of table it is.
    pub kind: TableKind,
    /// Its columns in order.
    pub columns: Vec<ColumnInfo>,
    /// The columns of the primary key in order; empty without one.
    pub primary_key: Vec<String>,
    /// Its indexes, those behind unique constraints included, the primary key's not.
    pub indexes: Vec<Index>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Its check constraints.
    pub checks: Vec<CheckConstraint>,
    /// The engine's estimate of its rows.
    pub estimated_rows: Option<u64>,
    /// Bytes on disk of data and indexes, as the engine reports them.
    pub size_bytes: Option<u64>,
    /// Its comment.
    pub comment: Option<String>,
    /// Storage engine, options and the like, in the engine's words.
    pub options: Option<String>,
}

/// Kinds of table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TableKind {
    /// An ordinary table.
    #[default]
    Table,
    /// A table cut into partitions.
    Partitioned,
    /// A partition of another table.
    Partition,
    /// A table whose data lies elsewhere.
    Foreign,
    /// A table that a module makes up.
    Virtual,
}

/// A column of a table or a view.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Its exact type in the engine's words: `decimal(10,2) unsigned`, `character varying(60)`.
    pub type_name: String,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Its default, as an SQL expression.
    pub default: Option<String>,
    /// Whether the server counts it up: AUTO_INCREMENT, identity, `serial`, rowid alias.
    pub auto_increment: bool,
    /// How it is generated, when it is.
    pub generated: Option<Generated>,
    /// Its collation, where it is not the default.
    pub collation: Option<String>,
    /// Its comment.
    pub comment: Option<String>,
}

/// The expression behind a generated column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The expression in SQL.
    pub expression: String,
    /// Whether the result is stored, rather than computed on reading.
    pub stored: bool,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// What it is made of, in order.
    pub columns: Vec<IndexColumn>,
    /// Whether it refuses duplicates.
    pub unique: bool,
    /// Its method: `btree`, `hash`, `gin`, `fulltext`, …
    pub method: String,
    /// The condition of a partial index, in SQL.
    pub predicate: Option<String>,
}

/// One part of an index: a column or an expression.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IndexColumn {
    /// The column's name, or the expression in SQL.
    pub name: String,
    /// Whether it is an expression.
    pub expression: bool,
    /// Whether it runs downwards.
    pub descending: bool,
    /// How many characters of it count, where not all do.
    pub prefix: Option<u32>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Its name; empty on engines that keep none.
    pub name: String,
    /// The columns that point.
    pub columns: Vec<String>,
    /// The schema of the table pointed to.
    pub referenced_schema: Option<String>,
    /// The table pointed to.
    pub referenced_table: String,
    /// The columns pointed to.
    pub referenced_columns: Vec<String>,
    /// What happens on delete: `NO ACTION`, `RESTRICT`, `CASCADE`, `SET NULL`, `SET DEFAULT`.
    pub on_delete: String,
    /// What happens on update.
    pub on_update: String,
}

/// A check constraint.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CheckConstraint {
    /// Its name; empty where it has none.
    pub name: String,
    /// The condition in SQL.
    pub expression: String,
}

/// A view.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct View {
    /// Its schema, on engines with schemas.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether its rows are stored.
    pub materialized: bool,
    /// Its columns.
    pub columns: Vec<ColumnInfo>,
    /// The query behind it, or the whole CREATE VIEW, as the engine keeps it.
    pub definition: Option<String>,
}

/// A trigger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trigger {
    /// Its schema, on engines with schemas.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// The table or view it belongs to.
    pub table: String,
    /// `BEFORE`, `AFTER` or `INSTEAD OF`.
    pub timing: String,
    /// What sets it off: `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`, joined by ` OR `.
    pub event: String,
    /// Its body or its whole definition, as the engine keeps it.
    pub definition: Option<String>,
}

/// A stored routine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routine {
    /// Its schema, on engines with schemas.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// What kind it is.
    pub kind: RoutineKind,
    /// Its arguments in SQL, where names alone do not tell routines apart.
    pub arguments: String,
    /// Its body or its whole definition; absent where the right to read it is missing.
    pub definition: Option<String>,
}

/// Kinds of stored routine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RoutineKind {
    /// A function.
    Function,
    /// A procedure.
    Procedure,
    /// An aggregate function.
    Aggregate,
    /// Code that runs on a schedule.
    Event,
}

/// A sequence object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sequence {
    /// Its schema, on engines with schemas.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// The type of its numbers.
    pub type_name: String,
    /// Its first number.
    pub start: i128,
    /// Its step.
    pub increment: i128,
    /// Its least number.
    pub minimum: i128,
    /// Its greatest number.
    pub maximum: i128,
    /// Whether it starts again at its end.
    pub cycle: bool,
}
