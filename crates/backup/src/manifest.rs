//! The stored record that makes a backup exist: what it holds, and how that is proven.

use crate::vault::BackupRecord;
use crate::{BackupError, Result};
use dbkeep::engine::{Position, StreamSpec};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format of manifests that this version writes. Described in docs/backup-format.md.
pub const FORMAT: u32 = 1;

/// Everything a restore needs to know of a backup, stored beside its streams as `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of this record's form. A reader refuses a greater one.
    pub format: u32,
    /// The version of the program that wrote it.
    pub dbkeep: String,
    /// `full` or `incremental`: both are complete and restored by themselves.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of the connection it was taken through.
    pub connection: String,
    /// The name of the database.
    pub database: String,
    /// The database and where it was, as in `shop on db:3306`. Empty in records of versions that did not write it.
    #[serde(default)]
    pub source: String,
    /// The engine's short name; a backup is restored to the same engine.
    pub engine: String,
    /// The product's name.
    pub product: String,
    /// The server's version.
    pub version: String,
    /// When reading began.
    pub started_at: Timestamp,
    /// How long it took to read and store.
    pub duration_ms: u64,
    /// How consistency was reached.
    pub method: String,
    /// Where in the server's log it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Settings a restore depends on.
    pub settings: BTreeMap<String, String>,
    /// What could not be had, or only with a caveat.
    pub warnings: Vec<String>,
    /// The streams in the order of a restore, each with its proof.
    pub streams: Vec<StoredStream>,
    /// Rows by table.
    pub tables: Vec<TableRows>,
}

/// A stream as it was stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoredStream {
    /// What the engine said of it; handed back at a restore.
    #[serde(flatten)]
    pub spec: StreamSpec,
    /// The name under which it is in the vault.
    pub entry: String,
    /// Its length.
    pub bytes: u64,
    /// The hash over its content, in hexadecimal: BLAKE3 of the bytes as they are, or the order-free sum of the rows'.
    pub digest: String,
    /// How many rows it holds, of a stream of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// How many rows of a table are in the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRows {
    /// The table's schema, on engines with schemas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The table.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// When it was written by a newer version in a form that this one does not know, or is not one at all.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Header {
            format: u32,
        }
        let unreadable =
            |error: serde_json::Error| BackupError::mismatch(format!("the manifest cannot be read: {error}"));
        let header: Header = serde_json::from_slice(json).map_err(unreadable)?;
        if header.format > FORMAT {
            return Err(BackupError::unfit(
                format!("the backup has format {}, this version knows formats up to {FORMAT}", header.format),
                "use the version of dbkeep that made it, or a newer one",
            ));
        }
        serde_json::from_slice(json).map_err(unreadable)
    }

    /// The manifest as JSON.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
            .map_err(|error| BackupError::mismatch(format!("the manifest cannot be written: {error}")))
    }

    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

/// A backup as a list shows it. Field names are those of `backup --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Its id; the first eight characters are enough to name it.
    pub id: String,
    /// `full` or `incremental`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The engine's short name.
    pub engine: String,
    /// The name of the database.
    pub database: String,
    /// The database and where it was, as in `shop on db:3306`.
    #[serde(skip)]
    pub source: String,
    /// When it was begun.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// How many tables it holds.
    pub tables: u64,
    /// How many rows they have.
    pub rows: u64,
    /// Bytes read from the database.
    pub bytes_read: u64,
    /// Bytes by which it made the vault grow.
    pub bytes_stored: u64,
    /// Where in the server's log it stands.
    pub position: Option<Position>,
    /// What could not be had, or only with a caveat.
    pub warnings: Vec<String>,
    /// Its tag.
    pub tag: Option<String>,
}

impl Summary {
    /// What a list shows of a stored backup.
    ///
    /// # Errors
    /// When its manifest cannot be read.
    pub fn of(record: &BackupRecord) -> Result<Self> {
        let manifest = Manifest::from_json(&record.manifest)?;
        Ok(Self {
            id: record.id.to_string(),
            tables: manifest.tables.len() as u64,
            rows: manifest.rows(),
            kind: manifest.kind,
            engine: manifest.engine,
            source: if manifest.source.is_empty() { manifest.database.clone() } else { manifest.source },
            database: manifest.database,
            started_at: manifest.started_at,
            duration_ms: manifest.duration_ms,
            bytes_read: record.bytes_read.unwrap_or_else(|| manifest.streams.iter().map(|stream| stream.bytes).sum()),
            bytes_stored: record.bytes_stored.unwrap_or(0),
            position: manifest.position,
            warnings: manifest.warnings,
            tag: record.tags.first().cloned(),
        })
    }
}
