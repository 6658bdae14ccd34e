//! Which backups are there? Only complete ones: a backup exists if its snapshot record holds a manifest.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use jiff::Timestamp;
use rustic_core::Id;
use rustic_core::repofile::{FileType, SnapshotFile};
use serde::{Deserialize, Serialize};

use super::error::{VaultError, VaultErrorKind};
use super::read::Blobs;
use super::seal::{Sealer, content_id};
use super::store::Store;

/// The entry that makes a backup exist.
pub const MANIFEST: &str = "manifest.json";
/// A manifest longer than this is refused: it is held in memory.
pub(super) const LARGEST_MANIFEST: u64 = 256 << 20;

/// The name of a backup: the id of its snapshot record, the same one stock restic shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BackupId(pub(super) Id);

impl BackupId {
    /// Its first eight digits, as restic shows it.
    #[must_use]
    pub fn short(&self) -> String {
        self.0.to_hex()[..8].to_owned()
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_hex())
    }
}

impl FromStr for BackupId {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self, VaultError> {
        text.parse().map(Self).map_err(|_| {
            VaultError::new(VaultErrorKind::NotFound, format!("`{text}` is no backup id"))
                .with_hint("an id has 64 hexadecimal digits; its beginning is enough where it is unique")
        })
    }
}

/// A complete backup.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackupRecord {
    /// Its name.
    pub id: BackupId,
    /// When it was started.
    pub time: Timestamp,
    /// The machine it was made on.
    pub hostname: String,
    /// The tags it was given, sorted.
    pub tags: Vec<String>,
    /// The bytes that were read for it, if the record says so.
    pub bytes_read: Option<u64>,
    /// The bytes by which the vault grew, if the record says so.
    pub bytes_stored: Option<u64>,
    /// Its manifest, byte for byte as it was given.
    pub manifest: Bytes,
}

/// A record that says there was a backup, which cannot be read any more.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DamagedRecord {
    /// Its name.
    pub id: BackupId,
    /// When it was started, if that can still be read.
    pub time: Option<Timestamp>,
    /// Why it cannot be read.
    pub error: VaultError,
}

/// What a vault holds.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// The complete backups, the oldest first.
    pub backups: Vec<BackupRecord>,
    /// Records whose manifest cannot be read. They are neither hidden, nor a reason to hide the others.
    pub damaged: Vec<DamagedRecord>,
}

/// Reads a snapshot record.
pub(super) fn read_snapshot(store: &dyn Store, sealer: &Sealer, id: &Id) -> Result<SnapshotFile, VaultError> {
    let what = format!("the snapshot record {}", id.to_hex().as_str());
    let sealed = store.read(FileType::Snapshot, id)?;
    if content_id(&sealed) != *id {
        return Err(VaultError::damaged(format!("{what} is not what was written")));
    }
    let json = sealer.open_file(&sealed, &what)?;
    let mut snapshot: SnapshotFile = serde_json::from_slice(&json)
        .map_err(|err| VaultError::damaged(format!("{what} cannot be understood")).with_source(err))?;
    snapshot.id = (*id).into();
    Ok(snapshot)
}

impl Blobs {
    /// The backup this snapshot is, or `None` when it has no manifest: stock restic may keep other things in the vault.
    pub(super) fn record(&self, snapshot: &SnapshotFile) -> Result<Option<BackupRecord>, VaultError> {
        let Some(node) = self.find(&snapshot.tree, MANIFEST)? else { return Ok(None) };
        if node.meta.size > LARGEST_MANIFEST {
            return Err(VaultError::damaged("a manifest is longer than any can be"));
        }
        let mut reader = self.open(MANIFEST, &node);
        let mut manifest = Vec::new();
        while let Some(block) = reader.next_block()? {
            manifest.extend_from_slice(&block);
        }
        let summary = snapshot.summary.as_ref();
        Ok(Some(BackupRecord {
            id: BackupId(*snapshot.id),
            time: snapshot.time.timestamp(),
            hostname: snapshot.hostname.clone(),
            tags: snapshot.tags.into_iter().filter(|tag| !tag.is_empty()).cloned().collect(),
            bytes_read: summary.map(|summary| summary.total_bytes_processed),
            bytes_stored: summary.map(|summary| summary.data_added_packed),
            manifest: manifest.into(),
        }))
    }
}
