//! Putting a snapshot's pages back: into a file next to the target, checked there, and named like the target as the last step.

use super::errors;
use super::open;
use super::place::detached;
use super::snapshot::{Caller, ENCODING, open_immutable};
use super::sound::{Depth, look_through};
use super::{LOGS, beside, remove};
use crate::{ByteSource, Error, ErrorKind, Restore, RestoreOptions, Result, StreamKind, StreamSpec};
use async_trait::async_trait;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// So much is gathered before it is written.
const WRITE_BYTES: usize = 1 << 20;

/// A restore in progress. Until [`finish`](Restore::finish) the target is as it was.
pub(super) struct SqliteRestore {
    target: PathBuf,
    /// Gone when a load was interrupted: the file cannot be completed then.
    file: Option<File>,
    half: Half,
    options: RestoreOptions,
}

/// The file that is not yet the target; removed with this value.
struct Half(PathBuf);

impl Drop for Half {
    fn drop(&mut self) {
        // Abort reports what cannot be removed; here nobody listens.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl SqliteRestore {
    pub(super) async fn start(target: PathBuf, options: RestoreOptions) -> Result<Self> {
        detached(move || {
            let target = behind_links(target)?;
            open::directory(&target)?;
            if !open::exists(&target)? && !options.create {
                return Err(Error::new(ErrorKind::UnknownDatabase, format!("there is no file {}", target.display())));
            }
            refuse_contents(&target)?;
            let half = beside(&target, ".dbkeep-restore");
            let file = create_half(&half)?;
            Ok(Self { target, file: Some(file), half: Half(half), options })
        })
        .await
    }
}

/// What a link points to, whether it is there or not: the link itself stays, and the database lies where others look for it.
fn behind_links(target: PathBuf) -> Result<PathBuf> {
    const MOST: usize = 40;
    let mut path = target.clone();
    for _ in 0..MOST {
        // What is no link, or cannot be looked at, is for the next look to judge.
        let Ok(next) = std::fs::read_link(&path) else { return Ok(path) };
        path = open::directory(&path)?.join(next);
    }
    Err(Error::new(ErrorKind::UnknownDatabase, format!("{} is a link that leads to no end", target.display())))
}

/// Creates the file, or takes over the one of a restore that was killed. A lock keeps two restores apart.
fn create_half(path: &Path) -> Result<File> {
    let failed = |error| errors::of_io(error, format!("{} cannot be written", path.display()));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::new(ErrorKind::LockTimeout, "another restore into this file is running")
                .with_hint(format!("it writes to {}", path.display())));
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // One that was there already may be anybody's to read.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(failed)?;
    file.set_len(0).map_err(failed)?;
    Ok(file)
}

/// `NotEmpty` when the target holds anything.
fn refuse_contents(target: &Path) -> Result<()> {
    let not_empty = |what: &str| {
        Err(Error::new(ErrorKind::NotEmpty, format!("{} {what}", target.display()))
            .with_hint("restore into a new file, or move this one away first"))
    };
    // A file without bytes is an empty database, but for what a write-ahead log may still hold.
    if !open::exists(target)? || (length(target) == 0 && length(&beside(target, "-wal")) == 0) {
        return Ok(());
    }
    let objects =
        open::open_file(target, true)?.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    match objects.map_err(errors::of) {
        Ok(0) => Ok(()),
        Ok(_) => not_empty("holds a database already"),
        Err(error) if error.kind() == ErrorKind::Damaged => not_empty("holds something that is no SQLite database"),
        Err(error) => Err(error.context("looking at the target")),
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

#[async_trait]
impl Restore for SqliteRestore {
    async fn load(&mut self, spec: &StreamSpec, source: &mut dyn ByteSource) -> Result<u64> {
        if spec.kind != StreamKind::Pages || spec.encoding != ENCODING {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("SQLite cannot load {} in the form {}", spec.name, spec.encoding),
            )
            .with_hint("this backup was made of another kind of database; restore it into one of its own kind"));
        }
        let Some(mut file) = self.file.take() else { return Err(interrupted()) };
        let mut gathered = Vec::new();
        loop {
            let next = source.next().await?;
            let last = next.is_none();
            gathered.extend_from_slice(&next.unwrap_or_default());
            if last || gathered.len() >= WRITE_BYTES {
                let (path, bytes) = (self.half.0.clone(), std::mem::take(&mut gathered));
                file = detached(move || {
                    file.write_all(&bytes)
                        .map_err(|error| errors::of_io(error, format!("{} cannot be written", path.display())))?;
                    Ok(file)
                })
                .await?;
            }
            if last {
                self.file = Some(file);
                return Ok(0);
            }
        }
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let (caller, check) = Caller::new();
        let outcome = detached(move || complete(*self, check)).await;
        drop(caller);
        outcome
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        remove(&self.half.0)
    }
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Statement, "the pages were not loaded to their end")
}

fn complete(restore: SqliteRestore, check: impl Fn() -> Result<()> + Send + Clone + 'static) -> Result<()> {
    let SqliteRestore { target, file, half, options } = restore;
    let Some(mut file) = file else { return Err(interrupted()) };
    let failed = |error| errors::of_io(error, format!("{} cannot be written", half.0.display()));
    if length(&half.0) == 0 {
        return Err(interrupted());
    }
    test(&half.0, check.clone())?;
    if options.settings.get("journal_mode").is_some_and(|mode| mode == "wal") {
        // The snapshot's header says nothing of the journal mode: these two bytes do.
        file.seek(SeekFrom::Start(18)).and_then(|_| file.write_all(&[2, 2])).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    refuse_contents(&target)?;
    check()?;
    for suffix in LOGS {
        // Left by a database of this name that is gone; SQLite would read them into this one.
        remove(&beside(&target, suffix))?;
    }
    // From here the target is the copy.
    std::fs::rename(&half.0, &target)
        .map_err(|error| errors::of_io(error, format!("{} cannot be given its name", half.0.display())))?;
    // Without this a power cut could take the name back.
    open::directory(&target).and_then(|directory| {
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| errors::of_io(error, format!("{} cannot be made permanent", target.display())))
    })
}

/// Has SQLite look through every page.
fn test(path: &Path, check: impl Fn() -> Result<()> + Send + 'static) -> Result<()> {
    let mut connection = open_immutable(path)?;
    connection.progress_handler(10_000, Some(move || check().is_err())).map_err(errors::of)?;
    // Every byte is what the snapshot gave: what is odd was so in the original, and a restore gives back what was there.
    for odd in look_through(&connection, Depth::Full)
        .map_err(|error| error.context("what was restored").with_hint("verify the backup; restore an older one"))?
    {
        tracing::warn!(target: "dbkeep::restore", "as in the original: {odd}");
    }
    Ok(())
}
