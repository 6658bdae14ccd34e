//! A column goes with the indexes of it alone, as on the servers: SQLite would refuse to drop it
//! (<https://www.sqlite.org/lang_altertable.html#altertabdropcol>).

use super::session::Session;
use crate::Result;
use dbkeep_sql::{AlterTable, Change, Name, Value};
use std::borrow::Cow;

/// The alteration, with each such index dropped before its column. Indexes of several columns stay, and SQLite names them then.
pub(super) fn with_indexes<'a>(session: &mut Session, alter: &'a AlterTable) -> Result<Cow<'a, AlterTable>> {
    if !alter.changes.iter().any(|change| matches!(change, Change::DropColumn(_))) {
        return Ok(Cow::Borrowed(alter));
    }
    let mut single = indexes_of_one_column(session, alter)?;
    let mut changes = Vec::with_capacity(alter.changes.len());
    for change in &alter.changes {
        match change {
            // The changes before have taken place by then.
            Change::RenameColumn { from, to } => {
                for (_, column) in single.iter_mut().filter(|(_, column)| column.eq_ignore_ascii_case(from.as_str())) {
                    to.as_str().clone_into(column);
                }
            }
            Change::DropIndex(name) => single.retain(|(index, _)| !index.eq_ignore_ascii_case(name.as_str())),
            Change::RenameIndex { from, to } => {
                for (index, _) in single.iter_mut().filter(|(index, _)| index.eq_ignore_ascii_case(from.as_str())) {
                    to.as_str().clone_into(index);
                }
            }
            Change::DropColumn(name) => {
                let (gone, kept) =
                    single.into_iter().partition(|(_, column)| column.eq_ignore_ascii_case(name.as_str()));
                single = kept;
                let gone: Vec<(String, String)> = gone;
                changes.extend(gone.into_iter().map(|(index, _)| Change::DropIndex(Name::from(index))));
            }
            _ => {}
        }
        changes.push(change.clone());
    }
    Ok(Cow::Owned(AlterTable { table: alter.table.clone(), changes }))
}

/// The indexes that were made with CREATE INDEX of one column, and that column.
fn indexes_of_one_column(session: &mut Session, alter: &AlterTable) -> Result<Vec<(String, String)>> {
    let parts: Vec<&str> = alter.table.parts().collect();
    let (name, schema) = match parts.as_slice() {
        [name] => (*name, Value::Null),
        [schema, name] => (*name, Value::from(*schema)),
        _ => return Ok(Vec::new()),
    };
    let rows = session.query(
        "WITH place AS (SELECT schema, name FROM pragma_table_list(?1) WHERE schema = ifnull(?2, schema) COLLATE NOCASE \
         ORDER BY schema <> 'temp', schema <> 'main' LIMIT 1) \
         SELECT i.name, max(c.name) FROM place p JOIN pragma_index_list(p.name, p.schema) i \
         JOIN pragma_index_info(i.name, p.schema) c WHERE i.origin = 'c' GROUP BY i.name HAVING count(*) = 1 ORDER BY i.name",
        &[Value::from(name), schema],
    )?;
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        // An expression has no name.
        if let Some(column) = row.get::<Option<String>>(1)? {
            all.push((row.get(0)?, column));
        }
    }
    Ok(all)
}
