//! A consistent view of a database as byte streams: definitions as SQL, rows as `mysql-tsv/1`.
//!
//! One session reads everything in one transaction, WITH CONSISTENT SNAPSHOT, so that every table of a transactional engine
//! shows the same moment without a lock. A table altered between the start and its turn ends the snapshot with an error
//! (1412); tables that were read are held against alterations until the end.

mod definer;
mod objects;
mod position;
mod qualified;
mod rows;
mod tables;

use super::connection::info;
use super::dialect::Flavor;
use super::errors::of_driver;
use super::login::{Purpose, connect};
use super::{errors, link};
use crate::{
    ByteSink, ConnectOptions, Digesting, Error, ErrorKind, Result, Snapshot, SnapshotInfo, SnapshotOptions, StreamKind,
    StreamSpec,
};
use async_trait::async_trait;
use bytes::Bytes;
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

pub(super) use tables::{ENCODING, FORMS, Form};

/// The setting that says that a restore makes functions or triggers.
pub(super) const NEEDS_TRUST: &str = "needs_trust";

/// How many bytes go to the sink at a time.
const BATCH: usize = 256 * 1024;

/// A database as it was when the transaction began.
pub(super) struct MySqlSnapshot {
    /// Absent only while it is being dropped.
    conn: Option<Conn>,
    info: SnapshotInfo,
    sources: Vec<Source>,
}

/// Where a stream comes from.
enum Source {
    Text(Bytes),
    Rows(String),
}

/// Opens a consistent view.
pub(super) async fn open(options: &ConnectOptions, wanted: &SnapshotOptions) -> Result<MySqlSnapshot> {
    let mut conn = connect(options, Purpose::Application).await?;
    let (flavor, version) =
        prepare(&mut conn).await.map_err(|error| errors::of_connecting(error, &options.target()))?;
    let mut warnings = Vec::new();
    let before = position::before(&mut conn, flavor, &version).await?;
    text(&mut conn, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
    text(&mut conn, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
    let position = position::inside(&mut conn, flavor, before).await?;

    let found = tables::read(&mut conn).await?;
    warnings.extend(found.warnings());
    let mut settings = objects::settings(&mut conn, flavor).await?;
    let mut streams = Vec::new();
    let mut sources = Vec::new();
    let mut after = None;
    if wanted.schema {
        let text = objects::before(&mut conn, &found, &options.database).await?;
        streams.push(StreamSpec::new("schema/10-tables.sql", StreamKind::SchemaBefore, "sql/1", Digesting::Whole));
        sources.push(Source::Text(text.into()));
        after = Some(objects::after(&mut conn, &settings, &options.database, &mut warnings).await?);
    }
    if wanted.data {
        for table in &found.tables {
            streams.push(table.spec());
            sources.push(Source::Rows(table.select()));
        }
    }
    if let Some(objects::After { script, needs_trust }) = after {
        if needs_trust {
            settings.insert(NEEDS_TRUST.to_owned(), "functions or triggers".to_owned());
        }
        streams.push(StreamSpec::new("schema/90-after.sql", StreamKind::SchemaAfter, "sql/1", Digesting::Whole));
        sources.push(Source::Text(script.into()));
    }
    // From here on rows come in the bytes their columns hold, whatever character set each has.
    text(&mut conn, "SET character_set_results = NULL").await?;

    let mut info = SnapshotInfo::new(info(flavor, &version), "REPEATABLE READ, one consistent snapshot", streams);
    info.position = position;
    info.settings = settings;
    info.warnings = warnings;
    Ok(MySqlSnapshot { conn: Some(conn), info, sources })
}

/// Makes the session one that reads everything as it is, however long that takes.
async fn prepare(conn: &mut Conn) -> Result<(Flavor, String), mysql_async::Error> {
    let (version, comment): (String, String) =
        conn.query_first("SELECT VERSION(), @@version_comment").await?.unwrap_or_default();
    let flavor =
        if version.contains("MariaDB") || comment.contains("MariaDB") { Flavor::MariaDb } else { Flavor::MySql };
    let endless = match flavor {
        Flavor::MariaDb => ", max_statement_time = 0",
        Flavor::MySql => ", max_execution_time = 0",
    };
    conn.query_drop(format!(
        "SET NAMES utf8mb4; SET SESSION autocommit = 1, sql_mode = '', time_zone = '+00:00', sql_select_limit = DEFAULT, \
         sql_quote_show_create = 1, wait_timeout = 2147483, net_write_timeout = 7200, net_read_timeout = 7200{endless}"
    ))
    .await?;
    if flavor == Flavor::MySql {
        // Absent before 8.0.3 and 8.0.30.
        for setting in ["information_schema_stats_expiry = 0", "show_gipk_in_create_table_and_information_schema = 1"] {
            let _ = conn.query_drop(format!("SET SESSION {setting}")).await;
        }
    }
    Ok((flavor, version))
}

#[async_trait]
impl Snapshot for MySqlSnapshot {
    fn info(&self) -> &SnapshotInfo {
        &self.info
    }

    async fn read(&mut self, index: usize, sink: &mut dyn ByteSink) -> Result<()> {
        let (Some(source), Some(spec)) = (self.sources.get(index), self.info.streams.get(index)) else {
            return Err(Error::new(ErrorKind::NotFound, format!("this snapshot has no stream number {index}")));
        };
        let select = match source {
            Source::Text(text) => {
                let mut rest = text.clone();
                while !rest.is_empty() {
                    sink.write(rest.split_to(rest.len().min(BATCH))).await?;
                }
                return Ok(());
            }
            Source::Rows(select) => select,
        };
        let conn = self.conn.as_mut().ok_or_else(link::gone)?;
        rows::read(conn, select, sink)
            .await
            .map_err(|error| error.context(format_args!("reading table {}", spec.table.as_deref().unwrap_or_default())))
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        let Some(mut conn) = self.conn.take() else { return Ok(()) };
        text(&mut conn, "COMMIT").await?;
        conn.disconnect().await.map_err(of_driver)
    }
}

impl Drop for MySqlSnapshot {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            link::sever(conn);
        }
    }
}

/// Runs a statement for its effect.
async fn text(conn: &mut Conn, sql: &str) -> Result<()> {
    conn.query_drop(sql).await.map_err(|error| errors::of_statement(error, sql))
}

/// A small result as texts.
type Texts = Vec<Vec<Option<String>>>;

async fn texts(conn: &mut Conn, sql: &str) -> Result<Texts> {
    let rows: Vec<mysql_async::Row> = conn.query(sql).await.map_err(|error| errors::of_statement(error, sql))?;
    rows.into_iter()
        .map(|row| {
            row.unwrap()
                .into_iter()
                .map(|value| match value {
                    mysql_async::Value::NULL => Ok(None),
                    mysql_async::Value::Bytes(bytes) => String::from_utf8(bytes)
                        .map(Some)
                        .map_err(|error| Error::new(ErrorKind::Decode, "a definition is no UTF-8").with_source(error)),
                    other => Ok(Some(other.as_sql(false))),
                })
                .collect()
        })
        .collect()
}

/// The text in a column of a row; empty for NULL.
fn cell(row: &[Option<String>], at: usize) -> &str {
    row.get(at).and_then(Option::as_deref).unwrap_or_default()
}
