//! Vaults in temporary directories, streams of known content, and stores that misbehave.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use bytes::Bytes;
use dbkeep_backup::vault::{
    BackupId, LocalStore, Passphrase, Presence, Store, Vault, VaultError, VaultOptions, WriteOptions, Written,
};
use rustic_core::Id;
use rustic_core::repofile::FileType;

pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("vault")
    }

    /// The vault, without a passphrase, because deriving a key from one takes long.
    pub(crate) fn vault(&self) -> Vault {
        Vault::open_or_init(self.path(), &Passphrase::none(), &VaultOptions::default()).unwrap()
    }

    pub(crate) fn vault_on(&self, wrap: impl FnOnce(LocalStore) -> Arc<dyn Store>) -> Vault {
        Vault::open_or_init_store(wrap(LocalStore::new(self.path())), &Passphrase::none(), &VaultOptions::default())
            .unwrap()
    }

    /// Every file below the part of the vault, sorted.
    pub(crate) fn files(&self, part: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut directories = vec![self.path().join(part)];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { directories.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }
}

pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Rows as a table has them: they compress well and differ everywhere.
pub(crate) fn rows(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 100);
    for number in 0_u64.. {
        if bytes.len() >= length {
            break;
        }
        bytes.extend(format!("{number}\tmember {number}\tmember{number}@example.org\tactive\n").bytes());
    }
    bytes.truncate(length);
    bytes
}

pub(crate) fn write(vault: &Vault, streams: &[(&str, Vec<u8>)]) -> Result<Written, VaultError> {
    let writer = vault.write(WriteOptions::default())?;
    for (name, content) in streams {
        let mut stream = writer.stream(name)?;
        // As engines do: pieces of odd sizes.
        for piece in content.chunks(100_003) {
            stream.send_blocking(Bytes::copy_from_slice(piece))?;
        }
        stream.end_blocking()?;
    }
    writer.finish(b"{\"manifest\":true}")
}

pub(crate) fn read(vault: &Vault, backup: &BackupId, name: &str) -> Vec<u8> {
    let mut content = Vec::new();
    vault.read(backup, name).unwrap().read_to_end(&mut content).unwrap();
    content
}

pub(crate) fn ids(vault: &Vault) -> Vec<BackupId> {
    let listing = vault.list().unwrap();
    assert!(listing.damaged.is_empty(), "{:?}", listing.damaged);
    listing.backups.iter().map(|backup| backup.id).collect()
}

/// What a [`Faulty`] store does with an operation.
pub(crate) type Plan = Box<dyn Fn(usize, FileType) -> Option<std::io::Error> + Send + Sync>;

/// A store whose writing operations fail when a plan says so.
pub(crate) struct Faulty {
    inner: LocalStore,
    plan: Plan,
    pub(crate) operations: AtomicUsize,
}

impl Faulty {
    pub(crate) fn new(inner: LocalStore, plan: Plan) -> Arc<Self> {
        Arc::new(Self { inner, plan, operations: AtomicUsize::new(0) })
    }
}

impl Store for Faulty {
    fn location(&self) -> String {
        self.inner.location()
    }
    fn presence(&self) -> Result<Presence, VaultError> {
        self.inner.presence()
    }
    fn create(&self) -> Result<(), VaultError> {
        self.inner.create()
    }
    fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, VaultError> {
        self.inner.list(file_type)
    }
    fn read(&self, file_type: FileType, id: &Id) -> Result<Bytes, VaultError> {
        self.inner.read(file_type, id)
    }
    fn read_part(&self, file_type: FileType, id: &Id, offset: u32, length: u32) -> Result<Bytes, VaultError> {
        self.inner.read_part(file_type, id, offset, length)
    }
    fn write(&self, file_type: FileType, id: &Id, parts: &[Bytes]) -> Result<(), VaultError> {
        let number = self.operations.fetch_add(1, Ordering::SeqCst);
        match (self.plan)(number, file_type) {
            Some(err) => Err(VaultError::from_io("write", Path::new(file_type.dirname()), err)),
            None => self.inner.write(file_type, id, parts),
        }
    }
    fn remove(&self, file_type: FileType, id: &Id) -> Result<(), VaultError> {
        self.inner.remove(file_type, id)
    }
    fn locks(&self) -> Result<Vec<Bytes>, VaultError> {
        self.inner.locks()
    }
}

/// A gate that a store waits at before it writes a pack.
#[derive(Default)]
pub(crate) struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }

    pub(crate) fn pass(&self) {
        let _open = self.changed.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap();
    }
}
