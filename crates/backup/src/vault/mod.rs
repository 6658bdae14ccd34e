//! The vault: where backups are kept. It knows no database and no SQL, only named streams of bytes.
//!
//! A vault is a standard restic repository (format version 2). Stock `restic` lists it (`restic snapshots`), checks it
//! (`restic check --read-data`), and extracts from it (`restic dump latest /data/users.tsv`); rustic does too, and prunes.
//! Content is cut where the content itself decides, stored once however often it occurs, compressed with zstd, encrypted,
//! and gathered into packs of 16 MiB or more. rustic_core supplies the format's records, its keys' and configuration's
//! form, and the making of a new repository; [`VaultWriter`] says why its archiver does not fit a database's streams.
//!
//! **A backup exists if, and only if, its record is stored and holds a manifest.** The record is the last thing written.
//! What a failed or killed run has stored before it is no backup, and is used by the next run where the content is equal.
//!
//! All methods block, and may read for long: call them through `spawn_blocking` from asynchronous code. Only
//! [`StreamWriter::send`] and [`StreamWriter::end`] are asynchronous.
//!
//! ```
//! use dbkeep_backup::vault::{Passphrase, Vault, VaultOptions, WriteOptions};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("backups");
//! let vault = Vault::open_or_init(&path, &Passphrase::none(), &VaultOptions::default())?;
//!
//! let writer = vault.write(WriteOptions::default())?;
//! let mut users = writer.stream("data/users.tsv")?;
//! users.send_blocking("1\tAda\n2\tGrace\n".into())?;
//! users.end_blocking()?;
//! let written = writer.finish(br#"{"tables":["users"]}"#)?;
//!
//! let backup = vault.find("latest")?;
//! assert_eq!(backup.id, written.id);
//! let mut text = String::new();
//! std::io::Read::read_to_string(&mut vault.read(&backup.id, "data/users.tsv")?, &mut text)?;
//! assert_eq!(text, "1\tAda\n2\tGrace\n");
//! # Ok(())
//! # }
//! ```

mod chunk;
mod error;
mod index;
mod keys;
mod lock;
mod name;
mod pack;
mod passphrase;
mod pipeline;
mod read;
mod record;
mod seal;
mod store;
mod tree;
mod verify;
mod write;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rustic_core::repofile::{BlobType, ConfigFile, FileType, MasterKey};
use rustic_core::{ConfigOptions, Credentials, Id, KeyOptions, Repository, RepositoryBackends, RepositoryOptions};
use zeroize::Zeroize;

pub use error::{VaultError, VaultErrorKind};
pub use keys::OPEN_PASSPHRASE;
pub use name::encode_name;
pub use passphrase::Passphrase;
pub use read::{Entry, EntryReader};
pub use record::{BackupId, BackupRecord, DamagedRecord, Listing, MANIFEST};
pub use store::{LocalStore, Presence, Store};
pub use verify::{Damage, VerifyOptions, VerifyProgressFn, VerifyReport};
pub use write::{CancelFlag, Progress, ProgressFn, StreamWriter, VaultWriter, WriteOptions, Written};

use chunk::CutRule;
use index::Index;
use read::Blobs;
use record::read_snapshot;
use seal::Sealer;
use store::RusticStore;

/// How a vault is used.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct VaultOptions {
    /// Whether what is written is compressed (zstd, level 3). Default: yes. What is stored already stays as it is.
    pub compression: bool,
}

impl Default for VaultOptions {
    fn default() -> Self {
        Self { compression: true }
    }
}

impl VaultOptions {
    /// Sets [`compression`](Self::compression).
    #[must_use]
    pub fn compression(mut self, compression: bool) -> Self {
        self.compression = compression;
        self
    }
}

/// An open vault. Cloning it is cheap, and all clones are the same vault.
///
/// Several may be open at once, in several processes, and write at once: writers only add. The key is derived once, when
/// the vault is opened: with a passphrase that takes about half a second and 128 MiB, on purpose.
#[derive(Clone)]
pub struct Vault {
    store: Arc<dyn Store>,
    sealer: Sealer,
    config: Arc<ConfigFile>,
    rule: CutRule,
    /// The last index that was read, kept while the vault has the same index files.
    index: Arc<Mutex<Option<Arc<Index>>>>,
}

impl Vault {
    /// Opens the vault in a local directory, and makes it first if the directory is missing or empty.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::NotAVault`] when the directory holds something else, which is left alone; others as for
    /// [`open`](Self::open).
    pub fn open_or_init(
        path: impl Into<PathBuf>,
        passphrase: &Passphrase,
        options: &VaultOptions,
    ) -> Result<Self, VaultError> {
        Self::open_or_init_store(Arc::new(LocalStore::new(path)), passphrase, options)
    }

    /// Opens the vault in a local directory. Writes nothing, so it may be on a read-only medium.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::NotAVault`], [`WrongPassphrase`](VaultErrorKind::WrongPassphrase),
    /// [`Damaged`](VaultErrorKind::Damaged) when no key file or no configuration can be read,
    /// [`NewerFormat`](VaultErrorKind::NewerFormat), [`AccessDenied`](VaultErrorKind::AccessDenied) or
    /// [`Io`](VaultErrorKind::Io).
    pub fn open(path: impl Into<PathBuf>, passphrase: &Passphrase, options: &VaultOptions) -> Result<Self, VaultError> {
        Self::open_store(Arc::new(LocalStore::new(path)), passphrase, options)
    }

    /// [`open_or_init`](Self::open_or_init) for any store.
    ///
    /// # Errors
    ///
    /// Those of [`open_or_init`](Self::open_or_init).
    pub fn open_or_init_store(
        store: Arc<dyn Store>,
        passphrase: &Passphrase,
        options: &VaultOptions,
    ) -> Result<Self, VaultError> {
        if matches!(store.presence()?, Presence::Absent | Presence::Unfinished) {
            init(&store, passphrase)?;
        }
        Self::open_store(store, passphrase, options)
    }

    /// [`open`](Self::open) for any store.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_store(
        store: Arc<dyn Store>,
        passphrase: &Passphrase,
        options: &VaultOptions,
    ) -> Result<Self, VaultError> {
        let place = store.location();
        let not_a_vault = |why: &str, hint: &str| {
            Err(VaultError::new(VaultErrorKind::NotAVault, format!("`{place}` {why}")).with_hint(hint))
        };
        match store.presence()? {
            Presence::Vault => {}
            Presence::Absent => {
                return not_a_vault(
                    "holds no backups",
                    "make a first one with `dbkeep backup`, or check [backup] path",
                );
            }
            Presence::Unfinished => {
                return not_a_vault(
                    "is a vault whose making was interrupted",
                    "the next `dbkeep backup` makes it anew",
                );
            }
            Presence::Foreign => {
                return not_a_vault("holds other files and is no vault", "point [backup] path at an empty directory");
            }
        }
        let sealed = store.read(FileType::Config, &Id::default())?;
        let mut master = keys::unlock(&*store, passphrase, &sealed)?;
        let opened = Self::with_key(store, &master, &sealed, options);
        wipe(&mut master);
        opened
    }

    fn with_key(
        store: Arc<dyn Store>,
        master: &MasterKey,
        sealed: &[u8],
        options: &VaultOptions,
    ) -> Result<Self, VaultError> {
        let json = Sealer::new(master, false)?.open_file(sealed, "the configuration")?;
        let config: ConfigFile = serde_json::from_slice(&json)
            .map_err(|err| VaultError::damaged("the configuration cannot be understood").with_source(err))?;
        if !(1..=2).contains(&config.version) {
            let message = format!("the vault at `{}` has format version {}", store.location(), config.version);
            return Err(VaultError::new(VaultErrorKind::NewerFormat, message)
                .with_hint("use a newer version of dbkeep, which knows it"));
        }
        // Version 1 knows no compression.
        let sealer = Sealer::new(master, options.compression && config.version >= 2)?;
        let rule = CutRule::from_config(&config)?;
        Ok(Self { store, sealer, config: Arc::new(config), rule, index: Arc::default() })
    }

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
        let wanted = if which == "latest" { String::new() } else { which.to_ascii_lowercase() };
        if which.is_empty() {
            return Err(not_found("no backup is named".into()));
        }
        let mut ids: Vec<Id> = self.store.list(FileType::Snapshot)?.into_iter().map(|(id, _)| id).collect();
        ids.retain(|id| id.to_hex().starts_with(&wanted));
        let blobs = self.blobs()?;
        let mut snapshots = Vec::new();
        let mut damaged = Vec::new();
        for id in ids {
            match read_snapshot(&*self.store, &self.sealer, &id) {
                Ok(snapshot) => snapshots.push(snapshot),
                Err(err) if err.kind() == VaultErrorKind::Damaged => damaged.push(err),
                // Removed since it was listed.
                Err(err) if err.kind() == VaultErrorKind::NotFound => {}
                Err(err) => return Err(err),
            }
        }
        snapshots.sort_by_key(|snapshot| (snapshot.time.timestamp(), snapshot.id));
        if which == "latest" {
            // A record that cannot be read at all has no time; it is no reason to restore nothing.
            while let Some(snapshot) = snapshots.pop() {
                match blobs.record(&snapshot) {
                    Ok(Some(record)) => return Ok(record),
                    Ok(None) => {}
                    Err(err) => {
                        let id = BackupId(*snapshot.id).short();
                        return Err(
                            err.with_hint(format!("this is the latest backup, {id}; name an earlier one by its id"))
                        );
                    }
                }
            }
            return Err(damaged.pop().unwrap_or_else(|| not_found(format!("`{}` holds no backup", self.location()))));
        }
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

    fn snapshot(&self, backup: &BackupId) -> Result<rustic_core::repofile::SnapshotFile, VaultError> {
        read_snapshot(&*self.store, &self.sealer, &backup.0).map_err(|err| no_backup(err, backup))
    }

    /// The blobs there are now. Call it after the snapshots were listed or read: what they use is in the index then.
    fn blobs(&self) -> Result<Blobs, VaultError> {
        let files = self.store.list(FileType::Index)?;
        let mut kept = pipeline::lock(&self.index);
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
    fn pack_sizes(&self, total: u64) -> (u32, u32) {
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

/// Makes a vault. The configuration is written last: with it, the vault exists.
///
/// Several processes may do so at once. The store takes one configuration only, so one of them wins; the others remove
/// their keys, which open nothing, and so does the winner with keys that were there before.
fn init(store: &Arc<dyn Store>, passphrase: &Passphrase) -> Result<(), VaultError> {
    store.create()?;
    let mut stale: Vec<Id> = store.list(FileType::Key)?.into_iter().map(|(id, _)| id).collect();
    let mut master = MasterKey::new();
    let made = keys::add_first(&**store, &master, passphrase).and_then(|keys| {
        let backends = RepositoryBackends::new(Arc::new(RusticStore(store.clone())), None);
        let made = Repository::new(&RepositoryOptions::default().no_cache(true), &backends).and_then(|repository| {
            repository.init(&Credentials::Masterkey(master.clone()), &KeyOptions::default(), &ConfigOptions::default())
        });
        match made.map_err(|err| VaultError::from_rustic(&format!("make a vault at `{}`", store.location()), &err)) {
            Ok(_) => Ok(()),
            // Another process has made the vault meanwhile.
            Err(_) if store.presence()? == Presence::Vault => {
                stale = keys;
                Ok(())
            }
            Err(err) => Err(err),
        }
    });
    wipe(&mut master);
    made?;
    for key in stale {
        match store.remove(FileType::Key, &key) {
            Err(err) if err.kind() != VaultErrorKind::NotFound => return Err(err),
            _ => {}
        }
    }
    Ok(())
}

fn wipe(key: &mut MasterKey) {
    key.encrypt.zeroize();
    key.mac.k.zeroize();
    key.mac.r.zeroize();
}
