//! What exists in the database, from the system catalogs, in one statement for each kind of thing.
//!
//! Objects that belong to an extension are left out: the extension brings them.
//! <https://www.postgresql.org/docs/current/catalogs.html>

mod queries;

use super::connection::PostgresConnection;
use crate::{
    Catalog, CatalogOptions, CheckConstraint, ColumnInfo, Driver, ForeignKey, Generated, Index, IndexColumn, Result,
    Routine, RoutineKind, Sequence, Table, TableKind, Trigger, View,
};
use dbkeep_sql::Value;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// Reads the catalog.
pub(super) async fn read(connection: &mut PostgresConnection, options: &CatalogOptions) -> Result<Catalog> {
    let schema = Value::from(options.schema.clone());
    let names = Value::Array(options.tables.iter().map(Value::from).collect());
    let wanted = [schema.clone(), names];

    let mut catalog = Catalog::default();
    let mut places = HashMap::new();
    let relations = [wanted.as_slice(), &[Value::Bool(options.sizes)]].concat();
    for relation in rows::<Relation>(connection, queries::RELATIONS, &relations).await? {
        let id = relation.id;
        places.insert(id, relation.add_to(&mut catalog));
    }
    for column in rows::<Column>(connection, queries::COLUMNS, &wanted).await? {
        match places.get(&column.relation) {
            Some(Place::Table(at)) => catalog.tables[*at].columns.push(column.into_info()),
            Some(Place::View(at)) => catalog.views[*at].columns.push(column.into_info()),
            None => {}
        }
    }
    for part in rows::<IndexPart>(connection, queries::INDEXES, &wanted).await? {
        if let Some(Place::Table(at)) = places.get(&part.relation) {
            part.add_to(&mut catalog.tables[*at]);
        }
    }
    for constraint in rows::<Constraint>(connection, queries::CONSTRAINTS, &wanted).await? {
        if let Some(Place::Table(at)) = places.get(&constraint.relation) {
            constraint.add_to(&mut catalog.tables[*at]);
        }
    }
    catalog.triggers = rows::<TriggerRow>(connection, queries::TRIGGERS, &wanted)
        .await?
        .into_iter()
        .map(TriggerRow::into_trigger)
        .collect();
    if options.tables.is_empty() {
        let routines = rows::<RoutineRow>(connection, queries::ROUTINES, std::slice::from_ref(&schema)).await?;
        catalog.routines = routines.into_iter().map(RoutineRow::into_routine).collect();
        catalog.sequences = rows::<Sequence>(connection, queries::SEQUENCES, &[schema]).await?;
    }
    Ok(catalog)
}

async fn rows<T: DeserializeOwned>(connection: &mut PostgresConnection, sql: &str, params: &[Value]) -> Result<Vec<T>> {
    connection.query(sql, params).await?.iter().map(crate::Row::decode).collect()
}

/// Where a relation stands in the catalog.
enum Place {
    Table(usize),
    View(usize),
}

#[derive(Deserialize)]
struct Relation {
    id: u32,
    schema: String,
    name: String,
    kind: String,
    is_partition: bool,
    estimated_rows: Option<f64>,
    size_bytes: Option<i64>,
    comment: Option<String>,
    definition: Option<String>,
    options: Option<String>,
}

impl Relation {
    fn add_to(self, catalog: &mut Catalog) -> Place {
        if self.kind == "v" || self.kind == "m" {
            catalog.views.push(View {
                schema: Some(self.schema),
                name: self.name,
                materialized: self.kind == "m",
                columns: Vec::new(),
                definition: self.definition,
            });
            return Place::View(catalog.views.len() - 1);
        }
        let kind = match (self.kind.as_str(), self.is_partition) {
            ("f", _) => TableKind::Foreign,
            ("p", _) => TableKind::Partitioned,
            (_, true) => TableKind::Partition,
            _ => TableKind::Table,
        };
        catalog.tables.push(Table {
            schema: Some(self.schema),
            name: self.name,
            kind,
            // -1 says that nobody has counted yet.
            estimated_rows: self.estimated_rows.filter(|rows| *rows >= 0.0).map(|rows| rows as u64),
            size_bytes: self.size_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
            comment: self.comment,
            options: self.options,
            ..Table::default()
        });
        Place::Table(catalog.tables.len() - 1)
    }
}

#[derive(Deserialize)]
struct Column {
    relation: u32,
    name: String,
    type_name: String,
    nullable: bool,
    expression: Option<String>,
    generated: String,
    auto_increment: bool,
    collation: Option<String>,
    comment: Option<String>,
}

impl Column {
    fn into_info(self) -> ColumnInfo {
        let (default, generated) = match (self.generated.as_str(), self.expression) {
            ("", default) => (default, None),
            (kind, expression) => {
                (None, Some(Generated { expression: expression.unwrap_or_default(), stored: kind == "s" }))
            }
        };
        ColumnInfo {
            name: self.name,
            type_name: self.type_name,
            nullable: self.nullable,
            default,
            auto_increment: self.auto_increment,
            generated,
            collation: self.collation,
            comment: self.comment,
        }
    }
}

/// One column or expression of an index; they come in the index's order.
#[derive(Deserialize)]
struct IndexPart {
    relation: u32,
    name: String,
    is_unique: bool,
    is_primary: bool,
    method: String,
    predicate: Option<String>,
    column: Option<String>,
    expression: String,
    descending: bool,
}

impl IndexPart {
    fn add_to(self, table: &mut Table) {
        if self.is_primary {
            table.primary_key.extend(self.column);
            return;
        }
        let part = IndexColumn {
            expression: self.column.is_none(),
            name: self.column.unwrap_or(self.expression),
            descending: self.descending,
            prefix: None,
        };
        match table.indexes.last_mut() {
            Some(index) if index.name == self.name => index.columns.push(part),
            _ => table.indexes.push(Index {
                name: self.name,
                columns: vec![part],
                unique: self.is_unique,
                method: self.method,
                predicate: self.predicate,
            }),
        }
    }
}

#[derive(Deserialize)]
struct Constraint {
    relation: u32,
    name: String,
    kind: String,
    expression: Option<String>,
    columns: Option<Vec<String>>,
    referenced_schema: Option<String>,
    referenced_table: Option<String>,
    referenced_columns: Option<Vec<String>>,
    on_delete: String,
    on_update: String,
}

impl Constraint {
    fn add_to(self, table: &mut Table) {
        if self.kind == "c" {
            let expression = self.expression.unwrap_or_default();
            table.checks.push(CheckConstraint { name: self.name, expression });
            return;
        }
        table.foreign_keys.push(ForeignKey {
            name: self.name,
            columns: self.columns.unwrap_or_default(),
            referenced_schema: self.referenced_schema,
            referenced_table: self.referenced_table.unwrap_or_default(),
            referenced_columns: self.referenced_columns.unwrap_or_default(),
            on_delete: action(&self.on_delete).to_owned(),
            on_update: action(&self.on_update).to_owned(),
        });
    }
}

fn action(code: &str) -> &'static str {
    match code {
        "r" => "RESTRICT",
        "c" => "CASCADE",
        "n" => "SET NULL",
        "d" => "SET DEFAULT",
        _ => "NO ACTION",
    }
}

#[derive(Deserialize)]
struct TriggerRow {
    schema: String,
    name: String,
    table: String,
    kind: i64,
    definition: String,
}

impl TriggerRow {
    /// The bits of `tgtype`, from `src/include/catalog/pg_trigger.h`.
    fn into_trigger(self) -> Trigger {
        let timing = match (self.kind & 2 != 0, self.kind & 64 != 0) {
            (true, _) => "BEFORE",
            (_, true) => "INSTEAD OF",
            _ => "AFTER",
        };
        let events = [(4, "INSERT"), (16, "UPDATE"), (8, "DELETE"), (32, "TRUNCATE")];
        let events: Vec<_> = events.iter().filter(|(bit, _)| self.kind & bit != 0).map(|(_, event)| *event).collect();
        Trigger {
            schema: Some(self.schema),
            name: self.name,
            table: self.table,
            timing: timing.to_owned(),
            event: events.join(" OR "),
            definition: Some(self.definition),
        }
    }
}

#[derive(Deserialize)]
struct RoutineRow {
    schema: String,
    name: String,
    kind: String,
    arguments: String,
    definition: Option<String>,
}

impl RoutineRow {
    fn into_routine(self) -> Routine {
        let kind = match self.kind.as_str() {
            "p" => RoutineKind::Procedure,
            "a" => RoutineKind::Aggregate,
            _ => RoutineKind::Function,
        };
        let Self { schema, name, arguments, definition, .. } = self;
        Routine { schema: Some(schema), name, kind, arguments, definition }
    }
}
