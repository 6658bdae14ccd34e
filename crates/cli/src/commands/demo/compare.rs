//! Two databases, compared value by value and object by object: a way of its own to see whether a copy is equal.

use super::false_claim;
use crate::error::Result;
use dbkeep::Database;
use dbkeep::engine::{Catalog, CatalogOptions, Connection};
use dbkeep::sql::{Compile, Path, col, select};
use std::collections::BTreeSet;

/// What was found equal.
pub(super) struct Compared {
    pub(super) tables: usize,
    pub(super) rows: u64,
    pub(super) objects: usize,
}

/// Compares every row of every table, and every view, trigger, routine, index, key and check.
pub(super) async fn compare(one: &Database, other: &Database) -> Result<Compared> {
    let (mut left, mut right) = (one.acquire().await?, other.acquire().await?);
    let mut options = CatalogOptions::default();
    options.sizes = false;
    let (catalog, copied) = (left.catalog(&options).await?, right.catalog(&options).await?);
    let (objects, copies) = (describe(&catalog, &one.options().database), describe(&copied, &other.options().database));
    if let Some(difference) = objects.symmetric_difference(&copies).next() {
        let which = if objects.contains(difference) { "only the original has" } else { "only the copy has" };
        return Err(false_claim(format!("{which}: {difference}")));
    }
    let mut rows = 0;
    for table in &catalog.tables {
        let path =
            table.schema.as_ref().map_or_else(|| table.name.clone(), |schema| format!("{schema}.{}", table.name));
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let query = table.primary_key.iter().fold(
            select().columns(columns.iter().map(|column| col(*column))).from(Path::from(path.as_str())),
            |query, key| query.order_by(col(key.as_str())),
        );
        let sql = query.compile(one.dialect()).map_err(|error| false_claim(error.to_string()))?.sql;
        rows += same_rows(&mut left, &mut right, &sql, &table.name).await?;
    }
    Ok(Compared { tables: catalog.tables.len(), rows, objects: objects.len() - catalog.tables.len() })
}

async fn same_rows(left: &mut Connection, right: &mut Connection, sql: &str, table: &str) -> Result<u64> {
    let (mut ours, mut theirs) = (left.stream(sql, &[]).await?, right.stream(sql, &[]).await?);
    let mut rows = 0;
    loop {
        let (one, other) = (ours.next().await.transpose()?, theirs.next().await.transpose()?);
        match (one, other) {
            (None, None) => return Ok(rows),
            (Some(one), Some(other)) if one.values() == other.values() => rows += 1,
            _ => return Err(false_claim(format!("row {} of {table} differs in the copy", rows + 1))),
        }
    }
}

/// Every object of a catalog as one text, the database's own name taken out.
fn describe(catalog: &Catalog, database: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let mut put = |kind: &str, object: serde_json::Result<String>| {
        let text = object.unwrap_or_default();
        // Some servers write it before every name in a view.
        let text = text.replace(&format!("`{database}`."), "").replace(&format!("\"{database}\""), "\"\"");
        out.insert(format!("{kind} {text}"));
    };
    for table in &catalog.tables {
        let mut own = table.clone();
        (own.indexes, own.foreign_keys, own.checks) = (Vec::new(), Vec::new(), Vec::new());
        put("table", serde_json::to_string(&own));
        table.indexes.iter().for_each(|index| put(&format!("index of {}", table.name), serde_json::to_string(index)));
        table
            .foreign_keys
            .iter()
            .for_each(|key| put(&format!("foreign key of {}", table.name), serde_json::to_string(key)));
        table.checks.iter().for_each(|check| put(&format!("check of {}", table.name), serde_json::to_string(check)));
    }
    catalog.views.iter().for_each(|view| put("view", serde_json::to_string(view)));
    catalog.triggers.iter().for_each(|trigger| put("trigger", serde_json::to_string(trigger)));
    catalog.routines.iter().for_each(|routine| put("routine", serde_json::to_string(routine)));
    catalog.sequences.iter().for_each(|sequence| put("sequence", serde_json::to_string(sequence)));
    out
}
