//! What can be done with an open vault?

use std::sync::{Arc, Mutex};

use rustic_core::Id;
use rustic_core::repofile::{BlobType, ConfigFile, FileType, SnapshotFile};

use super::chunk::CutRule;
use super::error::{VaultError, VaultErrorKind};
use super::index::Index;
use super::pipeline::lock;
use super::read::{Blobs, Entry, EntryReader};
use super::record::{BackupId, BackupRecord, DamagedRecord, Listing, read_snapshot};
use super::repair::{self, RepairReport};
use super::seal::Sealer;
use super::store::Store;
use super::verify::{self, VerifyOptions, VerifyReport};
use super::write::{VaultWriter, WriteOptions};

/// An open vault. Cloning it is cheap, and all clones are the same vault.
///
/// Several may be open at once, in several processes, and write at once: writers only add. The key is derived once, when
/// the vault is opened: with a passphrase that takes about half a second and 128 MiB, on purpose.
#[derive(Clone)]
pub struct Vault {
    pub(super) store: Arc<dyn Store>,
    pub(super) sealer: Sealer,
    pub(super) config: Arc<ConfigFile>,
    pub(super) rule: CutRule,
    /// The last index that was read, kept while the vault has the same index files.
    pub(super) index: Arc<Mutex<Option<Arc<Index>>>>,
}

impl Vault {
    /// Where the vault is.
    #[must_use]
    pub fn location(&self) -> String {
        self.store.location()
    }

    /// Begins a backup.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::Locked`] while stock restic holds an exclusive lock, [`Damaged`](VaultErrorKind::Damaged) when an
    /// index file cannot be read, [`InvalidName`](VaultErrorKind::InvalidName) for a tag.
    pub fn write(&self, options: WriteOptions) -> Result<VaultWriter, VaultError> {
        VaultWriter::start(self, options)
    }

    /// All complete backups with their manifests, the oldest first, and the records that cannot be read.
    ///
    /// A snapshot that stock restic has put here, without a manifest, is left out.
    ///
    /// # Errors
    ///
    /// When the vault cannot be listed or its index cannot be read.
    pub fn list(&self) -> Result<Listing, VaultError> {
        let ids = self.store.list(FileType::Snapshot)?;
        let blobs = self.blobs()?;
        let mut listing = Listing::default();
        for (id, _) in ids {
            let mut time = None;
            let record = read_snapshot(&*self.store, &self.sealer, &id).and_then(|snapshot| {
                time = Some(snapshot.time.timestamp());
                blobs.record(&snapshot)
            });
            match record {
                Ok(record) => listing.backups.extend(record),
                Err(error) if error.kind() == VaultErrorKind::Damaged => {
                    listing.damaged.push(DamagedRecord { id: BackupId(id), time, error });
                }
                // Removed since it was listed.
                Err(error) if error.kind() == VaultErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        listing.backups.sort_by_key(|backup| (backup.time, backup.id));
        listing.damaged.sort_by_key(|record| (record.time, record.id));
        Ok(listing)
    }

    /// The backup called `which`: `latest`, an id, or the beginning of one.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::NotFound`] when there is none, or several ids begin like this; [`Damaged`](VaultErrorKind::Damaged)
    /// when it is there and cannot be read: what is called `latest` is never quietly an earlier one.
    pub fn find(&self, which: &str) -> Result<BackupRecord, VaultError> {
        let not_found = |message: String| {
            VaultError::new(VaultErrorKind::NotFound, message).with_hint("`dbkeep backup list` shows what there is")
        };
        match which {
            "" => return Err(not_found("no backup is named".into())),
            "latest" => return self.latest(|_| true),
            _ => {}
        }
        let wanted = which.to_ascii_lowercase();
        let (snapshots, damaged) = self.snapshots(|id| id.to_hex().starts_with(&wanted))?;
        let blobs = self.blobs()?;
        let mut found = Vec::new();
        for snapshot in &snapshots {
            found.extend(blobs.record(snapshot).transpose());
        }
        found.extend(damaged.into_iter().map(Err));
        match (found.pop(), found.is_empty()) {
            (Some(record), true) => record,
            (None, _) => Err(not_found(format!("there is no backup `{which}`"))),
            _ => Err(not_found(format!("several backups begin with `{which}`"))),
        }
    }

    /// The newest backup that is wanted.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::NotFound`] when there is none; [`Damaged`](VaultErrorKind::Damaged) when one that is newer cannot be
    /// read, so that nobody can say whether it is wanted: what is called the latest is never quietly an earlier one.
    pub fn latest(&self, mut wanted: impl FnMut(&BackupRecord) -> bool) -> Result<BackupRecord, VaultError> {
        let (mut snapshots, mut damaged) = self.snapshots(|_| true)?;
        let blobs = self.blobs()?;
        // A record that cannot be read at all has no time; it is no reason to restore nothing.
        while let Some(snapshot) = snapshots.pop() {
            match blobs.record(&snapshot) {
                Ok(Some(record)) if wanted(&record) => return Ok(record),
                Ok(_) => {}
                Err(err) => {
                    let id = BackupId(*snapshot.id).short();
                    return Err(
                        err.with_hint(format!("this is the latest backup, {id}; name an earlier one by its id"))
                    );
                }
            }
        }
        Err(damaged.pop().unwrap_or_else(|| {
            VaultError::new(VaultErrorKind::NotFound, format!("`{}` holds no such backup", self.location()))
                .with_hint("`dbkeep backup list` shows what there is")
        }))
    }

    /// The records with these ids, in the order of time, and what is wrong with those that cannot be read.
    fn snapshots(&self, wanted: impl Fn(&Id) -> bool) -> Result<(Vec<SnapshotFile>, Vec<VaultError>), VaultError> {
        let (mut snapshots, mut damaged) = (Vec::new(), Vec::new());
        for (id, _) in self.store.list(FileType::Snapshot)? {
            if !wanted(&id) {
                continue;
            }
            match read_snapshot(&*self.store, &self.sealer, &id) {
                Ok(snapshot) => snapshots.push(snapshot),
                Err(err) if err.kind() == VaultErrorKind::Damaged => damaged.push(err),
                // Removed since it was listed.
                Err(err) if err.kind() == VaultErrorKind::NotFound => {}
                Err(err) => return Err(err),
            }
        }
        snapshots.sort_by_key(|snapshot| (snapshot.time.timestamp(), snapshot.id));
        Ok((snapshots, damaged))
    }

    /// The manifest of a backup, byte for byte. `which` as for [`find`](Self::find).
    ///
    /// # Errors
    ///
    /// Those of [`find`](Self::find).
    pub fn manifest(&self, which: &str) -> Result<bytes::Bytes, VaultError> {
        Ok(self.find(which)?.manifest)
    }

    /// The entries of a backup, the manifest among them, sorted by name part by part.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::NotFound`] and [`Damaged`](VaultErrorKind::Damaged).
    pub fn entries(&self, backup: &BackupId) -> Result<Vec<Entry>, VaultError> {
        let snapshot = self.snapshot(backup)?;
        let mut entries = Vec::new();
        self.blobs()?.walk(
            &snapshot.tree,
            &mut |name, node| {
                entries.push(Entry { name: name.to_owned(), size: node.meta.size });
                Ok(())
            },
            &mut |_, _, err| Err(err),
        )?;
        Ok(entries)
    }

    /// Opens an entry of a backup for reading.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::NotFound`] when the backup or the entry does not exist, [`Damaged`](VaultErrorKind::Damaged) when
    /// a directory on the way cannot be read.
    pub fn read(&self, backup: &BackupId, name: &str) -> Result<EntryReader, VaultError> {
        let snapshot = self.snapshot(backup)?;
        let blobs = self.blobs()?;
        let node = blobs.find(&snapshot.tree, name)?.ok_or_else(|| {
            VaultError::new(VaultErrorKind::NotFound, format!("the backup {} has no entry `{name}`", backup.short()))
        })?;
        Ok(blobs.open(name, &node))
    }

    /// Keeps new backups from relying on the damaged packs that [`verify`](Self::verify) found: what is sound in them is stored
    /// anew, what is not is forgotten. The next backup stores again what the database still has of it, which makes
    /// earlier backups whole that need the same. The damaged files stay where they are.
    ///
    /// # Errors
    ///
    /// When the vault cannot be written to, an index file is damaged, or another program holds its exclusive lock. Nothing is
    /// lost then, and it can be done again.
    pub fn repair(&self, found: &VerifyReport) -> Result<RepairReport, VaultError> {
        repair::repair(self, found)
    }

    /// Reads stored bytes back, computes every hash anew, and names what is damaged and which entries need it.
    ///
    /// That the entries are what the *manifest* says (its digests) is for the caller to check, who knows the manifest.
    ///
    /// # Errors
    ///
    /// Damage is no error but the report's content. An error is what keeps the work from being done:
    /// [`VaultErrorKind::NotFound`], [`AccessDenied`](VaultErrorKind::AccessDenied),
    /// [`Cancelled`](VaultErrorKind::Cancelled).
    pub fn verify(&self, options: &VerifyOptions) -> Result<VerifyReport, VaultError> {
        if let Some(id) = options.backup {
            match self.snapshot(&id) {
                Err(err) if err.kind() != VaultErrorKind::Damaged => return Err(err),
                _ => {}
            }
        }
        verify::verify(self, options)
    }

    /// Removes a backup's record; it exists no more. The space of its content is freed by a later prune.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::NotFound`], and [`AccessDenied`](VaultErrorKind::AccessDenied) also when the vault is marked as
    /// one that only takes additions.
    pub fn remove(&self, backup: &BackupId) -> Result<(), VaultError> {
        if self.config.append_only == Some(true) {
            return Err(VaultError::new(
                VaultErrorKind::AccessDenied,
                format!("the vault at `{}` only takes additions", self.location()),
            ));
        }
        self.store.remove(FileType::Snapshot, &backup.0).map_err(|err| no_backup(err, backup))
    }

    fn snapshot(&self, backup: &BackupId) -> Result<SnapshotFile, VaultError> {
        read_snapshot(&*self.store, &self.sealer, &backup.0).map_err(|err| no_backup(err, backup))
    }

    /// The blobs there are now. Call it after the snapshots were listed or read: what they use is in the index then.
    fn blobs(&self) -> Result<Blobs, VaultError> {
        let files = self.store.list(FileType::Index)?;
        let mut kept = lock(&self.index);
        let index = match &*kept {
            Some(index) if index.files.len() == files.len() && files.iter().all(|(id, _)| index.files.contains(id)) => {
                index.clone()
            }
            _ => {
                let index = Arc::new(Index::load(&*self.store, &self.sealer)?);
                *kept = Some(index.clone());
                index
            }
        };
        Ok(Blobs { store: self.store.clone(), sealer: self.sealer.clone(), index })
    }

    /// The sizes of data and tree packs, which grow with the square root of the vault's size.
    pub(super) fn pack_sizes(&self, total: u64) -> (u32, u32) {
        let size = |blob_type| {
            let (mut base, factor, limit) = self.config.packsize(blob_type);
            if blob_type == BlobType::Data && self.config.datapack_size.is_none() {
                base = DATA_PACK;
            }
            let grown = u64::from(base) + total.isqrt() * u64::from(factor);
            u32::try_from(grown).unwrap_or(u32::MAX).min(limit).min(LARGEST_PACK)
        };
        (size(BlobType::Data), size(BlobType::Tree))
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("location", &self.location()).finish_non_exhaustive()
    }
}

/// Packs are held in memory while they are filled and stored, three at most.
const LARGEST_PACK: u32 = 128 << 20;
/// Data packs begin at this size, stock restic's, which is kinder to memory than rustic's 32 MiB.
const DATA_PACK: u32 = 16 << 20;

fn no_backup(err: VaultError, backup: &BackupId) -> VaultError {
    match err.kind() {
        VaultErrorKind::NotFound => {
            VaultError::new(VaultErrorKind::NotFound, format!("there is no backup {}", backup.short()))
                .with_hint("`dbkeep backup list` shows what there is")
        }
        _ => err,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Passphrase, VaultOptions};
    use super::*;

    #[test]
    fn packs_grow_with_the_vault_and_stop_where_memory_would_suffer() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::open_or_init(directory.path(), &Passphrase::none(), &VaultOptions::default()).unwrap();
        assert_eq!(vault.pack_sizes(0), (16 << 20, 4 << 20));
        assert_eq!(vault.pack_sizes(1 << 40), (48 << 20, 36 << 20));
        assert_eq!(vault.pack_sizes(u64::MAX), (128 << 20, 128 << 20));
    }
}
