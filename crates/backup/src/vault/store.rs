//! Where do the vault's files live? The contract of a store, and its form as a local directory.
//!
//! The local store is ours rather than rustic_backend's for three reasons: that one logs and skips what it cannot list
//! (a vault whose `snapshots` cannot be read would look empty), leaves the modes of files to the umask, and does not
//! sync a directory after renaming a file into it.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rustic_core::repofile::{ALL_FILE_TYPES, FileType};
use rustic_core::{BytesList, ErrorKind, Id, ReadBackend, RusticError, RusticResult, WriteBackend};

use super::error::{VaultError, VaultErrorKind};

/// What stands at the place a vault is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// Nothing, or an empty directory: a vault may be made here.
    Absent,
    /// The remains of a vault whose making was interrupted: no configuration yet, and no data.
    Unfinished,
    /// A vault (or another restic repository).
    Vault,
    /// What was a vault and lacks its configuration or its keys. It is left alone: with a copy of them it is one again.
    Incomplete,
    /// Something else, which is left alone.
    Foreign,
}

/// A place that keeps the files of a vault.
///
/// A file is written once, under a name that is the hash of its content (the configuration, which has only one name,
/// apart), and is never changed. All methods block.
pub trait Store: Send + Sync + 'static {
    /// The place, as a person would name it.
    fn location(&self) -> String;

    /// What stands there now. Changes nothing.
    ///
    /// # Errors
    ///
    /// When the place cannot be looked at.
    fn presence(&self) -> Result<Presence, VaultError>;

    /// Makes the directories of an empty vault.
    ///
    /// # Errors
    ///
    /// When they cannot be made; what was made stays and is seen as [`Presence::Unfinished`].
    fn create(&self) -> Result<(), VaultError>;

    /// The names and sizes in bytes of all files of this type.
    ///
    /// # Errors
    ///
    /// When any part of the listing fails: a listing is whole or an error.
    fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, VaultError>;

    /// Reads a whole file.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::NotFound`] when it does not exist, others when it cannot be read.
    fn read(&self, file_type: FileType, id: &Id) -> Result<Bytes, VaultError>;

    /// Reads `length` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::NotFound`] when the file does not exist, [`VaultErrorKind::Damaged`] when it is shorter.
    fn read_part(&self, file_type: FileType, id: &Id, offset: u32, length: u32) -> Result<Bytes, VaultError>;

    /// Writes a file so that it is there whole, and stays after a loss of power, or not at all.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::DiskFull`], [`VaultErrorKind::AccessDenied`] and others; nothing is left under the name then.
    /// A configuration that exists already is never replaced: [`VaultErrorKind::Locked`].
    fn write(&self, file_type: FileType, id: &Id, parts: &[Bytes]) -> Result<(), VaultError>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// When it is not there or may not be removed.
    fn remove(&self, file_type: FileType, id: &Id) -> Result<(), VaultError>;

    /// The contents of the lock files that stock restic has placed here.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    fn locks(&self) -> Result<Vec<Bytes>, VaultError>;
}

/// How the name of a file begins while it is being written. Stock restic and rustic ignore such files.
const TEMPORARY: &str = ".dbkeep-tmp-";
/// A file still unfinished after this long belongs to a writer that was killed.
const TEMPORARY_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A directory of a local (or mounted) file system. Directories get mode 0700, files 0600.
#[derive(Clone, Debug)]
pub struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    /// A store in the directory `root`, which need not exist.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn directory(&self, file_type: FileType, id: &Id) -> PathBuf {
        match file_type {
            FileType::Config => self.root.clone(),
            FileType::Pack => self.root.join("data").join(&id.to_hex()[..2]),
            other => self.root.join(other.dirname()),
        }
    }

    fn path(&self, file_type: FileType, id: &Id) -> PathBuf {
        match file_type {
            FileType::Config => self.root.join("config"),
            other => self.directory(other, id).join(id.to_hex().as_str()),
        }
    }

    /// Adds what one directory holds to `found`. A directory that is not there is empty: tools that copy a vault to
    /// another place often leave empty directories out.
    fn list_directory(&self, directory: &Path, found: &mut Vec<(Id, u64)>) -> Result<(), VaultError> {
        let cannot = |err| VaultError::io("list", directory, err);
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(err) => return Err(cannot(err)),
        };
        for entry in entries {
            let entry = entry.map_err(cannot)?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Ok(id) = name.parse::<Id>() {
                match entry.metadata() {
                    Ok(metadata) if metadata.is_file() => found.push((id, metadata.len())),
                    Ok(_) => {}
                    // Removed by another program between the two calls.
                    Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                    Err(err) => return Err(VaultError::io("look at", &entry.path(), err)),
                }
            } else if name.starts_with(TEMPORARY) {
                remove_if_stale(&entry.path());
            }
        }
        Ok(())
    }
}

/// Sweeps up after a writer that was killed. Trouble is of no consequence: the file is found again next time.
fn remove_if_stale(path: &Path) {
    let age =
        fs::metadata(path).and_then(|metadata| metadata.modified()).map(|at| SystemTime::now().duration_since(at));
    if matches!(age, Ok(Ok(age)) if age > TEMPORARY_MAX_AGE) {
        match fs::remove_file(path) {
            Ok(()) => tracing::debug!(path = %path.display(), "removed an unfinished file"),
            Err(err) => tracing::debug!(path = %path.display(), %err, "an unfinished file could not be removed"),
        }
    }
}

fn make_directory(path: &Path) -> Result<(), VaultError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|err| VaultError::io("create the directory", path, err))
}

/// Makes a rename in this directory last. Only Unix can, and needs to, do so.
fn sync_directory(path: &Path) -> Result<(), VaultError> {
    if cfg!(unix) {
        File::open(path)
            .and_then(|directory| directory.sync_all())
            .map_err(|err| VaultError::io("sync the directory", path, err))?;
    }
    Ok(())
}

impl Store for LocalStore {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn presence(&self) -> Result<Presence, VaultError> {
        let cannot = |err| VaultError::io("look into", &self.root, err);
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Presence::Absent),
            Err(err) if err.kind() == io::ErrorKind::NotADirectory => return Ok(Presence::Foreign),
            Err(err) => return Err(cannot(err)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(cannot)?.file_name().to_string_lossy().into_owned();
            // The root of a fresh disk is as good as empty.
            if name != "lost+found" {
                names.push(name);
            }
        }
        let has = |name: &str| names.iter().any(|found| found == name);
        if has("config") && has("keys") {
            return Ok(Presence::Vault);
        }
        if names.is_empty() {
            return Ok(Presence::Absent);
        }
        let ours = |name: &String| {
            name.starts_with(TEMPORARY)
                || name == "locks"
                || name == "config"
                || ALL_FILE_TYPES.iter().any(|known| known.dirname() == name)
        };
        let holds_data = [FileType::Snapshot, FileType::Index, FileType::Pack]
            .into_iter()
            .try_fold(false, |any, file_type| Ok::<_, VaultError>(any || !self.list(file_type)?.is_empty()));
        Ok(if !names.iter().all(ours) {
            Presence::Foreign
        } else if !holds_data? {
            // Many a program has a file of this name.
            if has("config") { Presence::Foreign } else { Presence::Unfinished }
        } else if self.root.join("config").exists() && self.root.join("keys").exists() {
            // It was finished, and written to, since we looked first.
            Presence::Vault
        } else {
            Presence::Incomplete
        })
    }

    fn create(&self) -> Result<(), VaultError> {
        make_directory(&self.root)?;
        for file_type in ALL_FILE_TYPES {
            make_directory(&self.root.join(file_type.dirname()))?;
        }
        make_directory(&self.root.join("locks"))?;
        for first in 0..=u8::MAX {
            make_directory(&self.root.join("data").join(format!("{first:02x}")))?;
        }
        sync_directory(&self.root)
    }

    fn list(&self, file_type: FileType) -> Result<Vec<(Id, u64)>, VaultError> {
        let mut found = Vec::new();
        match file_type {
            FileType::Config => {
                let path = self.root.join("config");
                match fs::metadata(&path) {
                    Ok(metadata) => found.push((Id::default(), metadata.len())),
                    Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                    Err(err) => return Err(VaultError::io("look at", &path, err)),
                }
            }
            FileType::Pack => {
                for first in 0..=u8::MAX {
                    self.list_directory(&self.root.join("data").join(format!("{first:02x}")), &mut found)?;
                }
            }
            other => self.list_directory(&self.root.join(other.dirname()), &mut found)?,
        }
        Ok(found)
    }

    fn read(&self, file_type: FileType, id: &Id) -> Result<Bytes, VaultError> {
        let path = self.path(file_type, id);
        fs::read(&path).map(Bytes::from).map_err(|err| VaultError::io("read", &path, err))
    }

    fn read_part(&self, file_type: FileType, id: &Id, offset: u32, length: u32) -> Result<Bytes, VaultError> {
        let path = self.path(file_type, id);
        // The length comes from an index file; memory is not taken before the bytes are seen to be there.
        let mut content = Vec::with_capacity((length as usize).min(16 << 20));
        File::open(&path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(offset.into()))?;
                file.take(length.into()).read_to_end(&mut content)
            })
            .map_err(|err| VaultError::io("read", &path, err))?;
        if content.len() < length as usize {
            return Err(VaultError::damaged(format!("`{}` is cut short", path.display())));
        }
        Ok(content.into())
    }

    fn write(&self, file_type: FileType, id: &Id, parts: &[Bytes]) -> Result<(), VaultError> {
        let path = self.path(file_type, id);
        let directory = self.directory(file_type, id);
        if !directory.exists() {
            make_directory(&directory)?;
        }
        let cannot = |err| VaultError::io("write", &path, err);
        // The temporary file is in the same directory, so that the rename stays within one file system even where an
        // administrator has moved `data` elsewhere by a link. It removes itself when we return early.
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&directory).map_err(cannot)?;
        for part in parts {
            file.write_all(part).map_err(cannot)?;
        }
        file.as_file().sync_all().map_err(cannot)?;
        if file_type == FileType::Config {
            file.persist_noclobber(&path).map_err(|err| match err.error.kind() {
                io::ErrorKind::AlreadyExists => VaultError::new(
                    VaultErrorKind::Locked,
                    format!("`{}` was made by another program just now", path.display()),
                ),
                _ => cannot(err.error),
            })?;
        } else {
            file.persist(&path).map_err(|err| cannot(err.error))?;
        }
        sync_directory(&directory)
    }

    fn remove(&self, file_type: FileType, id: &Id) -> Result<(), VaultError> {
        let path = self.path(file_type, id);
        fs::remove_file(&path).map_err(|err| VaultError::io("remove", &path, err))?;
        sync_directory(&self.directory(file_type, id))
    }

    fn locks(&self) -> Result<Vec<Bytes>, VaultError> {
        let directory = self.root.join("locks");
        let mut names = Vec::new();
        self.list_directory(&directory, &mut names)?;
        let mut locks = Vec::new();
        for (id, _) in names {
            let path = directory.join(id.to_hex().as_str());
            match fs::read(&path) {
                Ok(content) => locks.push(content.into()),
                // Its owner has finished.
                Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                Err(err) => return Err(VaultError::io("read", &path, err)),
            }
        }
        Ok(locks)
    }
}

/// Lets rustic_core work on a [`Store`].
pub(super) struct RusticStore(pub(super) std::sync::Arc<dyn Store>);

fn to_rustic(error: VaultError) -> Box<RusticError> {
    RusticError::with_source(ErrorKind::Backend, error.to_string(), error)
}

impl ReadBackend for RusticStore {
    fn location(&self) -> String {
        self.0.location()
    }

    fn list_with_size(&self, file_type: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let files = self.0.list(file_type).map_err(to_rustic)?;
        // A size of 4 GiB or more is no size a pack can have; rustic_core then reports that it differs from the index.
        Ok(files.into_iter().map(|(id, size)| (id, u32::try_from(size).unwrap_or(u32::MAX))).collect())
    }

    fn read_full(&self, file_type: FileType, id: &Id) -> RusticResult<Bytes> {
        self.0.read(file_type, id).map_err(to_rustic)
    }

    fn read_partial(
        &self,
        file_type: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        self.0.read_part(file_type, id, offset, length).map_err(to_rustic)
    }

    fn warmup_path(&self, _file_type: FileType, id: &Id) -> String {
        id.to_hex().to_string()
    }
}

impl WriteBackend for RusticStore {
    fn create(&self) -> RusticResult<()> {
        self.0.create().map_err(to_rustic)
    }

    fn write_bytes(&self, file_type: FileType, id: &Id, _cacheable: bool, content: BytesList) -> RusticResult<()> {
        self.0.write(file_type, id, content.slice()).map_err(to_rustic)
    }

    fn remove(&self, file_type: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        self.0.remove(file_type, id).map_err(to_rustic)
    }
}
