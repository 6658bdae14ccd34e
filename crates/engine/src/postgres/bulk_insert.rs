//! Rows into a table by `COPY … FROM STDIN`, in text: the form in which the server's own input functions judge every value, as they
//! judge a parameter that is no exact fit.

use super::connection::PostgresConnection;
use super::copy;
use super::errors::Reported;
use super::types::{encode, line};
use crate::bulk_insert::Rows;
use crate::{BulkTarget, ByteSource, Driver as _, Error, ErrorKind, Result, TransactionState};
use async_trait::async_trait;
use bytes::Bytes;
use dbkeep_sql::Value;
use std::error::Error as _;
use tokio_postgres::types::Type;

/// How much is written before it is sent.
const PIECE: usize = 128 * 1024;

/// Inserts all rows or none, and says how many the table took.
pub(super) async fn run(
    connection: &mut PostgresConnection,
    target: &BulkTarget,
    rows: &mut (dyn Iterator<Item = Vec<Value>> + Send),
) -> Result<u64> {
    if connection.transaction_state() != TransactionState::Idle {
        return copy(connection, target, rows).await;
    }
    // In a transaction, the table's lock that preparing takes is kept: COPY itself meets none that it would have to wait for, and
    // begins, so that its end is in step with the server.
    connection.bulk = true;
    connection.link().batch("BEGIN").await?;
    let outcome = copy(connection, target, rows).await;
    let ended = match &outcome {
        Ok(_) => connection.link().batch("COMMIT").await,
        Err(_) if connection.is_closed() => Ok(()),
        Err(_) => connection.link().batch("ROLLBACK").await,
    };
    connection.bulk = false;
    match (outcome, ended) {
        (Ok(rows), Ok(())) => Ok(rows),
        (Ok(_), Err(error)) => Err(error),
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(trouble)) => {
            tracing::debug!(%trouble, "a bulk insert could not be rolled back, so the connection is given up");
            Err(Error::new(ErrorKind::ConnectionLost, format!("given up after this error: {error}")).with_source(error))
        }
    }
}

async fn copy(
    connection: &mut PostgresConnection,
    target: &BulkTarget,
    rows: &mut (dyn Iterator<Item = Vec<Value>> + Send),
) -> Result<u64> {
    let types = types(connection, target).await?;
    check(connection, target).await?;
    let columns = target.columns().join(", ");
    let sql = format!("COPY {} ({columns}) FROM STDIN WITH (FORMAT text, ENCODING 'UTF8')", target.table());
    let mut lines = Lines { rows: Rows::new(target, rows), target, types };
    copy::load(connection.link(), &sql, &mut lines).await.map_err(|error| placed(error, target))
}

/// The types of the columns, those behind domains. Whatever stands in the way of an INSERT into them is found here: no such table or
/// column, a generated one. The table is locked for writing from here to the end of the transaction.
async fn types(connection: &PostgresConnection, target: &BulkTarget) -> Result<Vec<Type>> {
    let marks: Vec<String> = (1..=target.columns().len()).map(|number| format!("${number}")).collect();
    let sql = format!("{} VALUES ({})", target.insert(), marks.join(", "));
    let link = connection.link();
    // Never from the cache: the columns may have other types by now.
    let outcome = link.client().prepare(&sql).await;
    Ok(link.landed(outcome).await?.params().iter().map(encode::base).cloned().collect())
}

/// Finds out whether COPY will begin. Once it is refused, the connection is lost; see `watch.rs`.
async fn check(connection: &mut PostgresConnection, target: &BulkTarget) -> Result<()> {
    const FACTS: &str = "SELECT c.relkind::text AS kind,
            EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = '3') AS has_rules,
            EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgtype & 68 = 68) AS has_instead,
            pg_catalog.row_security_active(c.oid) AS is_secured,
            pg_catalog.current_setting('transaction_read_only') = 'on' AND c.relpersistence <> 't' AS is_read_only,
            (SELECT pg_catalog.bool_and(pg_catalog.has_column_privilege(c.oid, n.name, 'INSERT'))
             FROM pg_catalog.unnest($2::text[]) n (name)) AS is_allowed
        FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1::text)";
    let names = target.names().map(Value::from).collect();
    let rows = connection.query(FACTS, &[target.table().into(), Value::Array(names)]).await?;
    let Some(facts) = rows.first() else {
        return Err(Error::new(ErrorKind::NotFound, format!("relation {} does not exist", target.table())));
    };
    if facts.get("is_read_only")? || !facts.get::<bool>("is_allowed")? {
        // The server is to say it, with its consequences for the transaction. It looks before it does anything.
        let nulls = vec!["NULL"; target.columns().len()].join(", ");
        let refusal = format!("{} SELECT {nulls} WHERE false", target.insert());
        connection.link().batch(&refusal).await?;
        return Err(Error::new(ErrorKind::PermissionDenied, format!("no right to insert into {}", target.table())));
    }
    let problem = match facts.get::<String>("kind")?.as_str() {
        "v" | "m" if !facts.get::<bool>("has_instead")? => "is a view",
        _ if facts.get("has_rules")? => "has rules for INSERT, which COPY does not follow",
        _ if facts.get("is_secured")? => "has row-level security for this user",
        _ => return Ok(()),
    };
    let message = format!("rows cannot be copied into {}: it {problem}", target.table());
    Err(Error::new(ErrorKind::Unsupported, message).with_hint("insert them with INSERT, or into the table behind it"))
}

/// Says at which row and column, where the server does: `COPY t, line 3, column n: "x"`. Each row is one line here.
fn placed(error: Error, target: &BulkTarget) -> Error {
    let Some(place) = error.source().and_then(|source| source.downcast_ref::<Reported>()).and_then(Reported::place)
    else {
        return error;
    };
    let table = target.parts().last().unwrap_or_default();
    let Some((row, column)) = place.lines().find_map(|line| {
        let rest = line.strip_prefix("COPY ")?.strip_prefix(table)?.strip_prefix(", line ")?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        Some((rest[..digits].parse::<u64>().ok()?, rest[digits..].strip_prefix(", column ")))
    }) else {
        return error;
    };
    let name = |rest: &str, name: &str| rest.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
    let column = column.and_then(|rest| target.names().position(|column| name(rest, column)));
    target.at(error, row, column.unwrap_or(usize::MAX))
}

/// The rows as COPY's lines.
struct Lines<'l> {
    rows: Rows<'l>,
    target: &'l BulkTarget,
    types: Vec<Type>,
}

#[async_trait]
impl ByteSource for Lines<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut out = Vec::with_capacity(PIECE + PIECE / 8);
        while out.len() < PIECE {
            let Some(row) = self.rows.next()? else { break };
            for (at, (value, ty)) in row.iter().zip(&self.types).enumerate() {
                if at > 0 {
                    out.push(b'\t');
                }
                line::write(&mut out, value, ty).map_err(|error| self.target.at(error, self.rows.taken(), at))?;
            }
            out.push(b'\n');
        }
        Ok(if out.is_empty() { None } else { Some(out.into()) })
    }
}
