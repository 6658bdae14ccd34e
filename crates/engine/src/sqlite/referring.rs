//! Who points to a table. SQLite empties and drops one that others point to, and takes their rows along or leaves them pointing
//! nowhere (<https://www.sqlite.org/foreignkeys.html>, section 5); the servers refuse both, and so it is here.

use super::definition::{Kind, tokens};
use super::rebuild::quote;
use super::session::Session;
use crate::{Error, ErrorKind, Result};
use dbkeep_sql::{Path, Value};

/// How a text begins that empties a table as a whole. SQLite has no TRUNCATE: it tells such a DELETE from any other, which does to
/// the rows of others what their keys say.
pub(super) const EMPTIES: &str = "DELETE /* truncate */ FROM ";

/// A table in its database.
struct Place {
    schema: String,
    name: String,
}

/// A foreign key of another table.
struct Referring {
    table: String,
    columns: Vec<String>,
}

/// Whether the text empties a table as a whole.
pub(super) fn empties(sql: &str) -> bool {
    sql.starts_with(EMPTIES)
}

/// Empties a table, unless rows of others point to it.
pub(super) fn empty(session: &mut Session, sql: &str, run: impl FnOnce(&mut Session) -> Result<()>) -> Result<()> {
    let parts: Vec<String> =
        tokens(sql).iter().filter(|token| token.kind == Kind::Quoted).map(super::definition::Token::name).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let there = match place(session, &parts)? {
        Some(place) if super::rebuild::foreign_keys_are_on(session)? => place,
        // Whoever switched keys off is asked nothing, and of a table that is not there SQLite tells itself.
        _ => return run(session),
    };
    if referring(session, &there)?.is_empty() {
        return run(session);
    }
    // Nobody else writes between the look and the deed.
    let own = session.connection.is_autocommit();
    if own {
        session.script("BEGIN IMMEDIATE")?;
    }
    let outcome = refuse_if_rows_point(session, &there).and_then(|()| run(session));
    if !own {
        return outcome;
    }
    let outcome = outcome.and_then(|()| session.script("COMMIT"));
    if outcome.is_err() && !session.connection.is_autocommit() {
        // The first error wins.
        let undone = session.script("ROLLBACK");
        return outcome.and(undone);
    }
    outcome
}

fn refuse_if_rows_point(session: &mut Session, there: &Place) -> Result<()> {
    for key in referring(session, there)? {
        let points: Vec<String> = key.columns.iter().map(|column| format!("{} IS NOT NULL", quote(column))).collect();
        let sql = format!(
            "SELECT 1 FROM {}.{} WHERE {} LIMIT 1",
            quote(&there.schema),
            quote(&key.table),
            points.join(" AND ")
        );
        if !session.query(&sql, &[])?.is_empty() {
            return Err(Error::new(
                ErrorKind::ForeignKeyViolation,
                format!("the table {} is not emptied: rows of {} point to it", there.name, key.table),
            )
            .with_hint(format!(
                "empty {} first; a delete() of all rows does to its rows what the foreign key says",
                key.table
            )));
        }
    }
    Ok(())
}

/// Refuses to drop a table that others point to, with or without rows.
pub(super) fn refuse_drop(session: &mut Session, table: &Path) -> Result<()> {
    let parts: Vec<&str> = table.parts().collect();
    let Some(there) = place(session, &parts)? else { return Ok(()) };
    match referring(session, &there)?.first() {
        None => Ok(()),
        Some(key) => Err(Error::new(
            ErrorKind::ForeignKeyViolation,
            format!("the table {} is not dropped: a foreign key of {} points to it", there.name, key.table),
        )
        .with_hint(format!("drop {} before it, or that key with drop_foreign", key.table))),
    }
}

/// The table that a name means, in the order in which SQLite looks; `None` where there is none.
fn place(session: &mut Session, parts: &[&str]) -> Result<Option<Place>> {
    let (schema, name) = match parts {
        [name] => (Value::Null, *name),
        [schema, name] => (Value::from(*schema), *name),
        _ => return Ok(None),
    };
    let rows = session.query(
        "SELECT schema, name FROM pragma_table_list(?1) WHERE type = 'table' AND schema = ifnull(?2, schema) COLLATE NOCASE \
         ORDER BY schema <> 'temp', schema <> 'main' LIMIT 1",
        &[Value::from(name), schema],
    )?;
    rows.first().map(|row| Ok(Place { schema: row.get(0)?, name: row.get(1)? })).transpose()
}

/// The keys of other tables that point to this one.
fn referring(session: &mut Session, there: &Place) -> Result<Vec<Referring>> {
    let rows = session.query(
        &format!(
            "SELECT t.name, f.id, f.\"from\" FROM {}.sqlite_schema t JOIN pragma_foreign_key_list(t.name, ?2) f \
             WHERE t.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE AND t.name <> ?1 COLLATE NOCASE \
             ORDER BY t.name, f.id, f.seq",
            quote(&there.schema)
        ),
        &[Value::from(there.name.as_str()), Value::from(there.schema.as_str())],
    )?;
    let mut keys: Vec<(i64, Referring)> = Vec::new();
    for row in &rows {
        let (table, id, column): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match keys.last_mut() {
            Some((last, key)) if *last == id && key.table == table => key.columns.push(column),
            _ => keys.push((id, Referring { table, columns: vec![column] })),
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}
