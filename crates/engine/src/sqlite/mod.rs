//! SQLite, embedded: the database is a file of this machine, and the engine is part of this program.

mod blueprint;
mod bulk;
mod bulk_insert;
mod catalog;
mod connection;
mod control;
mod ddl;
mod decimal;
mod definition;
pub(crate) mod dialect;
mod drop_column;
mod errors;
mod lock;
mod open;
mod place;
mod probe;
mod rebuild;
mod redefine;
mod referring;
mod rewritten;
mod session;
mod snapshot;
mod sound;
mod stream;
mod table_sql;
mod text;
mod types;

pub(crate) use dialect::SqliteDialect;

use crate::{
    ConnectOptions, Driver, Engine, Error, ErrorKind, Location, Restore, RestoreOptions, Result, Snapshot,
    SnapshotOptions,
};
use async_trait::async_trait;
use std::path::{Path, PathBuf};

/// SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sqlite;

#[async_trait]
impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["sqlite", "sqlite3"]
    }

    fn dialect(&self) -> std::sync::Arc<dyn dbkeep_sql::Dialect> {
        std::sync::Arc::new(dialect::SqliteDialect::new((3, 45, 0)))
    }

    fn location(&self) -> Location {
        Location::File
    }

    fn looks_read_only(&self, sql: &str) -> bool {
        text::looks_read_only(sql)
    }

    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn Driver>> {
        Ok(Box::new(connection::SqliteConnection::open(options).await?))
    }

    async fn database_exists(&self, options: &ConnectOptions) -> Result<bool> {
        match open::file(options)? {
            Some(path) => open::exists(&path),
            None => Ok(true),
        }
    }

    async fn create_database(&self, options: &ConnectOptions) -> Result<()> {
        open::create_new(&named_file(options)?)
    }

    async fn drop_database(&self, options: &ConnectOptions) -> Result<()> {
        let path = named_file(options)?;
        // Its logs go first: one that is left behind would be read into the next database of this name.
        for suffix in LOGS {
            remove(&beside(&path, suffix))?;
        }
        remove(&path)
    }

    async fn snapshot(&self, options: &ConnectOptions, _: &SnapshotOptions) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(snapshot::SqliteSnapshot::take(named_file(options)?, options).await?))
    }

    async fn restore(&self, options: &ConnectOptions, restore: &RestoreOptions) -> Result<Box<dyn Restore>> {
        Ok(Box::new(bulk::SqliteRestore::start(named_file(options)?, restore.clone()).await?))
    }
}

/// What SQLite keeps next to a database: the write-ahead log, its index, the rollback journal.
const LOGS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The name of a file next to the database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(errors::of_io(error, format!("{} cannot be removed", path.display())))
        }
        _ => Ok(()),
    }
}

fn named_file(options: &ConnectOptions) -> Result<PathBuf> {
    open::file(options)?.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "a database in memory belongs to its one connection and cannot be named")
            .with_hint("use a file, as in sqlite://shop.db")
    })
}
