//! A consistent view of a live database: one transaction whose snapshot `pg_dump` shares.

pub(super) mod contents;

use super::connection::PostgresConnection;
use super::copy;
use super::dump::{PgDump, Section};
use crate::{
    ByteSink, ConnectOptions, Digesting, Driver, Error, ErrorKind, Position, Result, Row, Snapshot, SnapshotInfo,
    SnapshotOptions, StreamKind, StreamSpec,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;

const BEFORE: &str = "schema/10-before.sql";
const AFTER: &str = "schema/90-after.sql";

/// How often the tables are listed and locked anew when they change meanwhile.
const ATTEMPTS: usize = 5;
/// How many tables are locked by one statement.
const LOCKED_AT_ONCE: usize = 100;
/// How long to wait for a table that someone else alters, where the session has no limit of its own.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// What every dump of rows depends on, so that equal rows give equal bytes wherever they lie and mean the same when they
/// are read. A database that knows no encoding gives and takes its bytes as they are.
pub(super) const SETTINGS: &str = "
SET extra_float_digits = 3; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmloption = 'content';
SET search_path = ''; SET row_security = off; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
SET synchronize_seqscans = off; SET array_nulls = on;
SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', false)
  WHERE pg_catalog.current_setting('server_encoding') = 'SQL_ASCII';";

/// An open snapshot.
pub(super) struct PostgresSnapshot {
    connection: PostgresConnection,
    info: SnapshotInfo,
    sources: Vec<Source>,
}

/// Where a stream's bytes come from.
enum Source {
    Copy(String),
    Text(String),
}

/// The two halves of the schema.
struct Schema {
    before: String,
    after: String,
}

impl PostgresSnapshot {
    pub(super) async fn open(options: &ConnectOptions, snapshot: &SnapshotOptions) -> Result<Self> {
        let mut connection = PostgresConnection::open(&session(options)).await?;
        let dump = match snapshot.schema {
            true => Some(PgDump::find(&connection.server().version).await?),
            false => None,
        };
        connection.execute_plain(SETTINGS).await?;
        let (moment, schema) = begin(&mut connection, options, dump.as_ref()).await?;
        let settings = contents::settings(&mut connection).await?;
        let mut warnings = contents::warnings(&mut connection, snapshot).await?;
        if snapshot.data {
            contents::refuse_large_objects(&mut connection).await?;
        }

        let (mut streams, mut sources) = (Vec::new(), Vec::new());
        let mut add = |spec, source| {
            streams.push(spec);
            sources.push(source);
        };
        let sql = |name, kind| StreamSpec::new(name, kind, "sql/1", Digesting::Whole);
        let (before, after) = schema.map_or((None, None), |schema| (Some(schema.before), Some(schema.after)));
        if let Some(before) = before {
            add(sql(BEFORE, StreamKind::SchemaBefore), Source::Text(before));
        }
        if snapshot.data {
            for (spec, copy) in contents::tables(&mut connection).await? {
                add(spec, Source::Copy(copy));
            }
            let sequences = contents::sequences(&mut connection).await?;
            if !sequences.is_empty() {
                add(sql("schema/50-sequences.sql", StreamKind::SchemaAfter), Source::Text(sequences));
            }
        }
        if let Some(after) = after {
            add(sql(AFTER, StreamKind::SchemaAfter), Source::Text(after));
        } else if snapshot.data {
            warnings.push("definitions are not included".to_owned());
        }
        let mut info = SnapshotInfo::new(connection.server().clone(), "REPEATABLE READ, exported snapshot", streams);
        // A place in the log close to the snapshot; transactions that commit around it may lie on either side.
        info.position = Some(Position { kind: "lsn".to_owned(), value: moment.position, exact: false });
        info.settings = settings;
        info.warnings = warnings;
        Ok(Self { connection, info, sources })
    }
}

/// Freezes the tables and has the schema written at once. `pg_dump` locks the tables for itself: should somebody wait to
/// alter one that we hold, it would wait behind them, and they for us. Then our locks are given back, and all is begun anew.
async fn begin(
    connection: &mut PostgresConnection,
    options: &ConnectOptions,
    dump: Option<&PgDump>,
) -> Result<(Moment, Option<Schema>)> {
    let mut attempt = 1;
    loop {
        let moment = freeze(connection).await?;
        let Some(dump) = dump else { return Ok((moment, None)) };
        match schema(dump, options, &moment.exported).await {
            Ok(schema) => return Ok((moment, Some(schema))),
            Err(error) if attempt < ATTEMPTS && error.kind() == ErrorKind::LockTimeout => attempt += 1,
            Err(error) => return Err(error),
        }
        connection.execute_plain("ROLLBACK").await?;
    }
}

async fn schema(dump: &PgDump, options: &ConnectOptions, exported: &str) -> Result<Schema> {
    let before = dump.section(options, exported, Section::Before).await.map_err(|error| error.context(BEFORE))?;
    let after = dump.section(options, exported, Section::After).await.map_err(|error| error.context(AFTER))?;
    Ok(Schema { before, after })
}

/// The options of a session that may take as long as it takes.
pub(super) fn session(options: &ConnectOptions) -> ConnectOptions {
    let mut options = options.clone();
    options.read_only = false;
    options.session.time_zone = None;
    options.session.statement_timeout = None;
    options.session.wait_timeout = None;
    options.session.lock_timeout.get_or_insert(LOCK_TIMEOUT);
    options
}

struct Moment {
    exported: String,
    position: String,
}

/// Opens the transaction: first the locks, then the snapshot. The other way round a table rewritten in between would look
/// empty to the snapshot.
/// <https://www.postgresql.org/docs/current/mvcc-caveats.html>
async fn freeze(connection: &mut PostgresConnection) -> Result<Moment> {
    for _ in 0..ATTEMPTS {
        let tables = lockable(connection).await?;
        connection.execute_plain("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        match lock(connection, &tables).await {
            // One of them was dropped since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.context("the tables cannot be locked against changes of their definition")),
            Ok(()) => {
                let moment = export(connection).await?;
                if lockable(connection).await? == tables {
                    return Ok(moment);
                }
            }
        }
        connection.execute_plain("ROLLBACK").await?;
    }
    Err(Error::new(ErrorKind::LockTimeout, "tables are created and dropped faster than they can be locked")
        .with_hint("try again when no migration runs"))
}

/// The tables by name, quoted, with their identity, in a fixed order.
async fn lockable(connection: &mut PostgresConnection) -> Result<Vec<(u32, String)>> {
    connection.query(contents::LOCKABLE, &[]).await?.iter().map(Row::decode).collect()
}

async fn lock(connection: &mut PostgresConnection, tables: &[(u32, String)]) -> Result<()> {
    for some in tables.chunks(LOCKED_AT_ONCE) {
        let names: Vec<_> = some.iter().map(|(_, name)| format!("ONLY {name}")).collect();
        let outcome = connection.execute_plain(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", "))).await;
        outcome.map_err(|error| match error.code() {
            Some("53200") => error.with_hint("raise max_locks_per_transaction on the server"),
            _ => error,
        })?;
    }
    Ok(())
}

async fn export(connection: &mut PostgresConnection) -> Result<Moment> {
    let rows = connection
        .query(
            "SELECT pg_catalog.pg_export_snapshot(), CASE WHEN pg_catalog.pg_is_in_recovery()
               THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END::text",
            &[],
        )
        .await?;
    let row = rows.first().ok_or_else(|| Error::new(ErrorKind::RowCount, "the server exported no snapshot"))?;
    let (exported, position): (String, Option<String>) = row.decode()?;
    Ok(Moment { exported, position: position.unwrap_or_default() })
}

#[async_trait]
impl Snapshot for PostgresSnapshot {
    fn info(&self) -> &SnapshotInfo {
        &self.info
    }

    async fn read(&mut self, index: usize, sink: &mut dyn ByteSink) -> Result<()> {
        let none = || Error::new(ErrorKind::NotFound, format!("the snapshot has no stream {index}"));
        let name = self.info.streams.get(index).map(|spec| spec.name.clone()).ok_or_else(none)?;
        let outcome = match self.sources.get(index).ok_or_else(none)? {
            Source::Copy(sql) => copy::read(self.connection.link(), sql, sink).await,
            Source::Text(text) => sink.write(Bytes::copy_from_slice(text.as_bytes())).await,
        };
        outcome.map_err(|error| error.context(name))
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        // A transaction that could not go on would have said so at the next read; this one has none.
        self.connection.execute_plain("COMMIT").await?;
        Box::new(self.connection).close().await
    }
}
