//! The contract between backup and an engine: a consistent view as named byte streams, and a target that takes them.

use crate::{Error, Result, ServerInfo};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a snapshot is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotOptions {
    /// Whether to read the data. Default `true`.
    pub data: bool,
    /// Whether to read the schema. Default `true`.
    pub schema: bool,
}

impl Default for SnapshotOptions {
    fn default() -> Self {
        Self { data: true, schema: true }
    }
}

impl SnapshotOptions {
    /// The data alone, as a comparison of two databases needs it.
    #[must_use]
    pub fn data_only(mut self) -> Self {
        self.schema = false;
        self
    }
}

/// What a snapshot knows of itself before the first byte is read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SnapshotInfo {
    /// The server.
    pub server: ServerInfo,
    /// How consistency was reached, in words for people: `REPEATABLE READ, exported snapshot`.
    pub method: String,
    /// Where in the server's log the snapshot stands, where that can be known.
    pub position: Option<Position>,
    /// Settings a restore depends on: character set, collation, time zone, encoding, page size.
    pub settings: BTreeMap<String, String>,
    /// What could not be had, or only with a caveat, for the report.
    pub warnings: Vec<String>,
    /// The streams, in the order in which a restore must take them.
    pub streams: Vec<StreamSpec>,
}

impl SnapshotInfo {
    /// A snapshot of this server, consistent by this method, with these streams.
    pub fn new(server: ServerInfo, method: impl Into<String>, streams: Vec<StreamSpec>) -> Self {
        Self { server, method: method.into(), position: None, settings: BTreeMap::new(), warnings: Vec::new(), streams }
    }
}

/// Where in a server's change log a snapshot stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// What kind of position it is: `binlog`, `gtid`, `lsn`.
    pub kind: String,
    /// The position in the server's own words.
    pub value: String,
    /// Whether it is exactly the snapshot's, so that a replay may start from it.
    pub exact: bool,
}

/// One stream of bytes of a snapshot. Serialised into the manifest and handed back to the engine at a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamSpec {
    /// A name unique in the snapshot: `schema/10-tables.sql`, `data/shop.users.tsv`.
    pub name: String,
    /// What it holds.
    pub kind: StreamKind,
    /// The form of its bytes, with a version: `sql/1`, `mysql-tsv/1`, `pg-copy/1`, `sqlite-page/1`.
    pub encoding: String,
    /// How its content is proven equal.
    pub digesting: Digesting,
    /// The table's schema, of a stream of rows on an engine with schemas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The table, of a stream of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The columns in the stream's order, of a stream of rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Whatever else the engine needs at a restore.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
    /// The engine's guess of its size, for progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_bytes: Option<u64>,
}

impl StreamSpec {
    /// A stream of this name and kind.
    pub fn new(name: impl Into<String>, kind: StreamKind, encoding: impl Into<String>, digesting: Digesting) -> Self {
        Self {
            name: name.into(),
            kind,
            encoding: encoding.into(),
            digesting,
            schema: None,
            table: None,
            columns: Vec::new(),
            details: BTreeMap::new(),
            estimated_bytes: None,
        }
    }
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamKind {
    /// Definitions to be there before the data.
    SchemaBefore,
    /// The rows of one table.
    Rows,
    /// Definitions to come after the data: indexes, foreign keys, triggers, views.
    SchemaAfter,
    /// The whole database in the engine's own pages.
    Pages,
}

/// How the content of a stream is proven equal later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Digesting {
    /// Newline-terminated rows in any order: the sum of each row's hash counts.
    Rows,
    /// The bytes as they are: one hash over all.
    Whole,
}

/// A consistent view of a database. While it is open, every stream shows the same moment.
///
/// # Cancellation
/// A future may be dropped; the snapshot is to be dropped then, too. What it holds on the server ends with its
/// connections.
#[async_trait]
pub trait Snapshot: Send {
    /// What it knows of itself.
    fn info(&self) -> &SnapshotInfo;

    /// Reads stream number `index` of [`SnapshotInfo::streams`] into `sink`, to its end. Streams may be read in any order.
    ///
    /// # Errors
    /// Any read error fails the stream; nothing is skipped in silence. An error of the sink is handed through.
    async fn read(&mut self, index: usize, sink: &mut dyn ByteSink) -> Result<()>;

    /// Rows by table of a stream of pages, where rows do not pass by; empty for streams of rows.
    ///
    /// # Errors
    /// When the copy cannot be read.
    async fn row_counts(&mut self) -> Result<BTreeMap<String, u64>> {
        Ok(BTreeMap::new())
    }

    /// Ends the snapshot in good order. Late trouble, such as a table altered while it was read, is reported here.
    ///
    /// # Errors
    /// When what was read cannot be trusted.
    async fn finish(self: Box<Self>) -> Result<()>;
}

/// Takes the bytes of a stream.
#[async_trait]
pub trait ByteSink: Send {
    /// Takes the next bytes; waits when it cannot keep up.
    ///
    /// # Errors
    /// When it cannot take any more; the reader stops.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error>;
}

/// Gives the bytes of a stream.
#[async_trait]
pub trait ByteSource: Send {
    /// The next bytes, or `None` at the end.
    ///
    /// # Errors
    /// When they cannot be read; whoever loads them stops and undoes what it can.
    async fn next(&mut self) -> Result<Option<Bytes>, Error>;
}

/// How a restore treats its target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// The settings of the snapshot.
    pub settings: BTreeMap<String, String>,
    /// Creates the database when there is none.
    pub create: bool,
}

impl RestoreOptions {
    /// A restore of a snapshot with these settings that creates the database when there is none.
    pub fn new(settings: BTreeMap<String, String>) -> Self {
        Self { settings, create: true }
    }
}

/// An empty database that takes the streams of a snapshot, in the snapshot's order.
#[async_trait]
pub trait Restore: Send {
    /// Loads one stream to its end and returns how many rows the server took; 0 for streams that are not rows.
    ///
    /// # Errors
    /// The first trouble, a warning of the server included: a row that was changed on its way in is an error.
    async fn load(&mut self, spec: &StreamSpec, source: &mut dyn ByteSource) -> Result<u64>;

    /// Completes the restore. From here the target is the copy; before, it is to be thrown away.
    ///
    /// # Errors
    /// When the last checks fail; the target is to be thrown away then.
    async fn finish(self: Box<Self>) -> Result<()>;

    /// Throws away what was loaded: drops the database if the restore created it, empties it otherwise.
    ///
    /// # Errors
    /// When it cannot be thrown away; the message says what is left where.
    async fn abort(self: Box<Self>) -> Result<()>;
}
