//! Primary keys, indexes, foreign keys and checks.

use super::super::dialect::Flavor;
use super::columns::plain;
use super::{Reader, maybe, text};
use crate::{CheckConstraint, ErrorKind, ForeignKey, Index, IndexColumn, Result, Table};
use std::collections::BTreeMap;

pub(super) async fn read(reader: &mut Reader<'_>, tables: &mut BTreeMap<String, Table>) -> Result<()> {
    indexes(reader, tables).await?;
    foreign_keys(reader, tables).await?;
    checks(reader, tables).await?;
    for table in tables.values_mut() {
        table.indexes.sort_by(|a, b| a.name.cmp(&b.name));
        table.foreign_keys.sort_by(|a, b| a.name.cmp(&b.name));
        table.checks.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Ok(())
}

async fn indexes(reader: &mut Reader<'_>, tables: &mut BTreeMap<String, Table>) -> Result<()> {
    // Expressions in indexes are MySQL's, since 8.0.13.
    let flavor = reader.flavor();
    let has_expressions = flavor == Flavor::MySql && reader.version_is(8, 0, 13);
    let expression = if has_expressions { "expression" } else { "NULL" };
    let rows = reader
        .rows_in_order(
            &format!(
                "SELECT table_name, index_name, non_unique, column_name, collation, sub_part, index_type, {expression} \
                 FROM information_schema.statistics WHERE table_schema = ?"
            ),
            "table_name",
            " ORDER BY table_name, index_name, seq_in_index",
        )
        .await?;
    for row in &rows {
        let Some(table) = tables.get_mut(&text(row, 0)?) else { continue };
        let name = text(row, 1)?;
        let column = maybe(row, 3)?;
        if name == "PRIMARY" {
            table.primary_key.extend(column);
            continue;
        }
        if table.indexes.last().is_none_or(|last| last.name != name) {
            table.indexes.push(Index {
                name,
                unique: row.get::<i64>(2)? == 0,
                method: text(row, 6)?.to_ascii_lowercase(),
                ..Index::default()
            });
        }
        if let Some(index) = table.indexes.last_mut() {
            let expression = maybe(row, 7)?.map(|expression| plain(&expression, flavor));
            // The parts of a spatial or full-text index have a length that says nothing.
            let by_prefix = matches!(index.method.as_str(), "btree" | "hash");
            index.columns.push(IndexColumn {
                expression: column.is_none(),
                name: column.or(expression).unwrap_or_default(),
                descending: maybe(row, 4)?.as_deref() == Some("D"),
                prefix: row.get::<Option<u32>>(5)?.filter(|_| by_prefix),
            });
        }
    }
    Ok(())
}

async fn foreign_keys(reader: &mut Reader<'_>, tables: &mut BTreeMap<String, Table>) -> Result<()> {
    let rows = reader
        .rows_in_order(
            "SELECT k.table_name, k.constraint_name, k.column_name, k.referenced_table_schema, k.referenced_table_name, \
             k.referenced_column_name, r.delete_rule, r.update_rule, k.table_schema \
             FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r \
             ON r.constraint_schema = k.constraint_schema AND r.table_name = k.table_name \
             AND r.constraint_name = k.constraint_name \
             WHERE k.referenced_table_name IS NOT NULL AND k.table_schema = ?",
            "k.table_name",
            " ORDER BY k.table_name, k.constraint_name, k.ordinal_position",
        )
        .await?;
    for row in &rows {
        let Some(table) = tables.get_mut(&text(row, 0)?) else { continue };
        let name = text(row, 1)?;
        if table.foreign_keys.last().is_none_or(|last| last.name != name) {
            let (there, here) = (text(row, 3)?, text(row, 8)?);
            table.foreign_keys.push(ForeignKey {
                name,
                referenced_schema: (there != here).then_some(there),
                referenced_table: text(row, 4)?,
                on_delete: text(row, 6)?,
                on_update: text(row, 7)?,
                ..ForeignKey::default()
            });
        }
        if let Some(key) = table.foreign_keys.last_mut() {
            key.columns.push(text(row, 2)?);
            key.referenced_columns.push(text(row, 5)?);
        }
    }
    Ok(())
}

async fn checks(reader: &mut Reader<'_>, tables: &mut BTreeMap<String, Table>) -> Result<()> {
    let flavor = reader.flavor();
    let rows = match flavor {
        Flavor::MariaDb => {
            reader
                .rows(
                    "SELECT table_name, constraint_name, check_clause FROM information_schema.check_constraints \
                     WHERE constraint_schema = ?",
                    "table_name",
                )
                .await
        }
        Flavor::MySql => {
            reader
                .rows(
                    "SELECT t.table_name, c.constraint_name, c.check_clause \
                     FROM information_schema.check_constraints c JOIN information_schema.table_constraints t \
                     ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name \
                     AND t.constraint_type = 'CHECK' WHERE c.constraint_schema = ?",
                    "t.table_name",
                )
                .await
        }
    };
    let rows = match rows {
        // Servers that know no checks have no such table.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        rows => rows?,
    };
    for row in &rows {
        if let Some(table) = tables.get_mut(&text(row, 0)?) {
            let expression = plain(&text(row, 2)?, flavor);
            table.checks.push(CheckConstraint { name: text(row, 1)?, expression });
        }
    }
    Ok(())
}
