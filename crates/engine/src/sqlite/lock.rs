//! Named locks between processes. SQLite has none, so they are locks of the operating system on files next to the database:
//! `shop.db.dbkeep-lock-migrations`. They end with the process however it ends.

use super::errors;
use crate::{Error, ErrorKind, Result};
use dbkeep_sql::DateTime;
use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The locks of one connection. Dropping it gives them all back.
#[derive(Debug)]
pub(super) struct Locks {
    /// The database's file; a database in memory has one connection, and its locks nobody to exclude.
    database: Option<PathBuf>,
    held: HashMap<String, Held>,
}

#[derive(Debug)]
struct Held {
    /// The open file that carries the lock.
    file: Option<(File, PathBuf)>,
    /// How often it was taken; it must be given back as often.
    times: u32,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.file {
            // While we hold the lock: whoever opened the file before this and gets the lock after it sees that the name is
            // gone and begins again. A file that cannot be removed only looks untidy.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Locks {
    pub(super) fn new(database: Option<&Path>) -> Self {
        Self { database: database.map(Path::to_path_buf), held: HashMap::new() }
    }

    pub(super) fn try_lock(&mut self, name: &str) -> Result<bool> {
        if let Some(held) = self.held.get_mut(name) {
            held.times += 1;
            return Ok(true);
        }
        let file = match self.path(name) {
            None => None,
            Some(path) => match take(&path)? {
                None => return Ok(false),
                Some(file) => Some((file, path)),
            },
        };
        self.held.insert(name.to_owned(), Held { file, times: 1 });
        Ok(true)
    }

    pub(super) fn unlock(&mut self, name: &str) -> Result<()> {
        match self.held.get_mut(name) {
            None => Err(Error::new(ErrorKind::Statement, format!("this connection does not hold the lock {name:?}"))),
            Some(held) if held.times > 1 => {
                held.times -= 1;
                Ok(())
            }
            Some(_) => {
                self.held.remove(name);
                Ok(())
            }
        }
    }

    pub(super) fn release_all(&mut self) {
        self.held.clear();
    }

    /// Who holds it, as its holder wrote into the file; `None` when nobody does.
    pub(super) fn holder(&self, name: &str) -> Result<Option<String>> {
        let Some(path) = self.path(name) else {
            return Ok(self.held.contains_key(name).then(|| "this connection".into()));
        };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(error, &path)),
        };
        // A holder that was killed left its name behind.
        match file.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(unusable(error, &path)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| unusable(error, &path))?;
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        let mut file = self.database.as_ref()?.clone().into_os_string();
        file.push(".dbkeep-lock-");
        file.push(file_name(name));
        Some(file.into())
    }
}

/// A name fit for a file: what is not plain is replaced, and then a hash keeps two such names apart.
fn file_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
        .take(60)
        .collect();
    if plain == name && !plain.is_empty() {
        return plain;
    }
    let hash = blake3::hash(name.as_bytes()).to_hex();
    format!("{plain}-{}", &hash.as_str()[..12])
}

fn take(path: &Path) -> Result<Option<File>> {
    loop {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| unusable(error, path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(unusable(error, path)),
        }
        if is_named(&file, path) {
            file.set_len(0).and_then(|()| file.write_all(us().as_bytes())).map_err(|error| unusable(error, path))?;
            return Ok(Some(file));
        }
    }
}

/// Whether the file is still the one its path names; its last holder may have removed it after we opened it.
#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Elsewhere an open file keeps its name.
#[cfg(not(unix))]
fn is_named(_: &File, _: &Path) -> bool {
    true
}

/// This process, in words for people.
fn us() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "this host",
        host => host,
    };
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|now| DateTime::from_micros_since_epoch(i128::from(now.as_secs()) * 1_000_000));
    let since = since.map_or_else(String::new, |since| format!(" since {since} UTC"));
    format!("process {} on {host}{since}\n", std::process::id())
}

fn unusable(error: std::io::Error, path: &Path) -> Error {
    errors::of_io(error, format!("the lock file {} cannot be used", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_locks_become_names_of_files_without_meeting() {
        assert_eq!(file_name("migrations"), "migrations");
        assert_eq!(file_name("../../etc/passwd"), ".._.._etc_passwd-".to_owned() + &hash("../../etc/passwd"));
        assert_ne!(file_name("a b"), file_name("a_b"));
        assert_ne!(file_name("a b"), file_name("a/b"));
        assert!(file_name(&"x".repeat(500)).len() < 80);
    }

    fn hash(name: &str) -> String {
        blake3::hash(name.as_bytes()).to_hex()[..12].to_owned()
    }
}
