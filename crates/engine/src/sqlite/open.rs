//! Finding, creating and opening the file, and what is set once on each connection.

use super::control::Control;
use super::session::Session;
use super::{decimal, errors};
use crate::{ConnectOptions, Error, ErrorKind, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a statement waits for another connection's lock, unless the options say otherwise.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The database's file, as an absolute path; `None` for one in memory.
///
/// An absolute path also keeps a name such as `file:a?mode=memory` a name: only names that begin with `file:` are URIs.
pub(super) fn file(options: &ConnectOptions) -> Result<Option<PathBuf>> {
    if options.database == ":memory:" {
        return Ok(None);
    }
    if options.database.is_empty() {
        return Err(
            Error::new(ErrorKind::Options, "no file is named").with_hint("as in sqlite://shop.db, or sqlite::memory:")
        );
    }
    std::path::absolute(&options.database)
        .map(Some)
        .map_err(|error| errors::of_io(error, format!("{} cannot be made an absolute path", options.database)))
}

/// Opens a connection and sets its session up.
pub(super) fn open(options: &ConnectOptions) -> Result<Session> {
    let file = file(options)?;
    let mut connection = match &file {
        None => {
            let connection = Connection::open_in_memory_with_flags(flags(options)).map_err(errors::of)?;
            decimal::install(&connection)?;
            connection
        }
        Some(path) => {
            if options.create && !options.read_only && !exists(path)? {
                create_empty(path)?;
            }
            open_with(path, flags(options))?
        }
    };
    let control =
        Arc::new(Control::new(options.session.statement_timeout, options.session.lock_timeout.unwrap_or(LOCK_TIMEOUT)));
    let outcome = (|| {
        control.install(&mut connection)?;
        control.start(None);
        connection.set_prepared_statement_cache_capacity(options.statement_cache);
        // As SQLite's own shell since 3.41: a misspelt name in double quotes is an error, not a text.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        let read_only = connection.is_readonly("main")?;
        if file.is_some() && !read_only {
            write_ahead(&connection)?;
        }
        set_up(&connection, options.reader)?;
        // The first read of the file: what is no database is found here rather than at the first query.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(read_only)
    })();
    let read_only = outcome.map_err(|error| {
        let error = errors::of(error).context(format_args!("opening {}", options.target()));
        match &file {
            Some(path) => refused(error, path),
            None => error,
        }
    })?;
    // A link and its target are one database and share their locks.
    let file = file.map(|path| path.canonicalize().unwrap_or(path));
    let session = Session::new(connection, control, file, read_only);
    Ok(if options.reader { session.reading() } else { session })
}

/// Readers and one writer at the same time, and commits without waiting for the disk. Where it cannot be had (a network
/// file system, another program that keeps the file locked in the old mode) the database works all the same.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    if journal_mode(connection)? == "wal" {
        return Ok(());
    }
    let outcome = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
    match outcome {
        Ok(mode) if mode == "wal" => Ok(()),
        Ok(mode) => {
            tracing::warn!(target: "dbkeep::connect", mode, "the write-ahead log cannot be used here; readers and writers wait for each other");
            Ok(())
        }
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
            tracing::warn!(target: "dbkeep::connect", "the write-ahead log cannot be turned on while another program keeps the database locked");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn journal_mode(connection: &Connection) -> rusqlite::Result<String> {
    connection.pragma_query_value(None, "journal_mode", |row| row.get(0))
}

/// The session's settings. Run again by a reset, so every setting a program may have changed stands here, with SQLite's
/// default where we have no opinion.
pub(super) fn set_up(connection: &Connection, reader: bool) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA query_only = OFF;
         PRAGMA recursive_triggers = OFF;
         PRAGMA ignore_check_constraints = OFF;
         PRAGMA case_sensitive_like = OFF;
         PRAGMA defer_foreign_keys = OFF;
         PRAGMA writable_schema = OFF;
         PRAGMA legacy_alter_table = OFF;
         PRAGMA reverse_unordered_selects = OFF;
         PRAGMA read_uncommitted = OFF;
         PRAGMA automatic_index = ON;
         PRAGMA locking_mode = NORMAL;
         PRAGMA cache_size = -2000;",
    )?;
    // With a write-ahead log a power cut costs at most the last commits; without one it could cost the database.
    let synchronous = if journal_mode(connection)? == "wal" { "NORMAL" } else { "FULL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // The file is opened read-only and every statement is looked at; this is for what nobody thought of.
    if reader { connection.pragma_update(None, "query_only", true) } else { Ok(()) }
}

/// What stays with a file when its name goes to another: device and inode.
pub(super) type Identity = (u64, u64);

/// Which file has this name now; `None` when none has, and where a file cannot lose its name while it is open.
#[cfg(unix)]
pub(super) fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(not(unix))]
pub(super) fn identity(_: &Path) -> Option<Identity> {
    None
}

/// Opens a file that is there, touching nothing in it.
pub(super) fn open_file(path: &Path, read_only: bool) -> Result<Connection> {
    let mode = if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    open_with(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

fn open_with(path: &Path, flags: OpenFlags) -> Result<Connection> {
    if !exists(path)? {
        return Err(Error::new(ErrorKind::UnknownDatabase, format!("there is no file {}", path.display()))
            .with_hint("is the path right? ?mode=rwc in the URL creates the file"));
    }
    let connection = Connection::open_with_flags(path, flags).map_err(|error| refused(errors::of(error), path))?;
    decimal::install(&connection)?;
    Ok(connection)
}

/// Tells a file that may not be opened from one that is not there: SQLite has one code for both.
fn refused(error: Error, path: &Path) -> Error {
    if error.kind() != ErrorKind::UnknownDatabase || std::fs::metadata(path).is_err() {
        return error;
    }
    Error::new(ErrorKind::PermissionDenied, format!("{} cannot be opened", path.display()))
        .with_code(error.code().unwrap_or_default())
        .with_hint("this user must be able to read the file, and to write to it and to its directory unless ?mode=ro")
}

fn flags(options: &ConnectOptions) -> OpenFlags {
    // One thread at a time uses a connection: the borrow checker and our lock see to it, SQLite's mutex need not.
    let mode = match (options.read_only, options.create) {
        (true, _) => OpenFlags::SQLITE_OPEN_READ_ONLY,
        (false, false) => OpenFlags::SQLITE_OPEN_READ_WRITE,
        // Our file is there by now; this is for those that ATTACH names.
        (false, true) => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    mode | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Whether the file is there.
///
/// # Errors
/// When that cannot be told, or something that is no file is in its place.
pub(super) fn exists(path: &Path) -> Result<bool> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            Err(Error::new(ErrorKind::UnknownDatabase, format!("{} is a directory", path.display()))
                .with_hint("name the database file inside it"))
        }
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(errors::of_io(error, format!("{} cannot be looked at", path.display()))),
    }
}

/// Creates an empty database that only its owner may read. `AlreadyExists` when there is something.
///
/// The file is made under another name and then named: closing a file that SQLite already uses in this process would take
/// SQLite's locks away (<https://www.sqlite.org/howtocorrupt.html>, section 2.2), so a database is never opened but by SQLite.
pub(super) fn create_new(path: &Path) -> Result<()> {
    let directory = directory(path)?;
    let file = tempfile::Builder::new()
        .prefix(".dbkeep-new-")
        .tempfile_in(directory)
        .map_err(|error| errors::of_io(error, format!("no file can be created in {}", directory.display())))?;
    file.into_temp_path().persist_noclobber(path).map_err(|error| {
        if error.error.kind() == std::io::ErrorKind::AlreadyExists {
            return Error::new(ErrorKind::AlreadyExists, format!("{} exists already", path.display()));
        }
        errors::of_io(error.error, format!("{} cannot be created", path.display()))
    })
}

fn create_empty(path: &Path) -> Result<()> {
    match create_new(path) {
        // Another connection was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    }
}

/// The directory a database lies in.
///
/// # Errors
/// `UnknownDatabase` when it is missing.
pub(super) fn directory(path: &Path) -> Result<&Path> {
    let directory = path.parent().unwrap_or(path);
    match std::fs::metadata(directory) {
        Ok(found) if found.is_dir() => Ok(directory),
        Ok(_) => Err(Error::new(ErrorKind::UnknownDatabase, format!("{} is no directory", directory.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::new(ErrorKind::UnknownDatabase, format!("there is no directory {}", directory.display()))
                .with_hint("create the directory first, or correct the path"))
        }
        Err(error) => Err(errors::of_io(error, format!("{} cannot be looked at", directory.display()))),
    }
}
