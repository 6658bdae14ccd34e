//! A database product, seen from above.

use crate::{ConnectOptions, Driver, Restore, RestoreOptions, Result, Snapshot, SnapshotOptions};
use async_trait::async_trait;
use dbkeep_sql::Dialect;
use std::fmt;
use std::sync::Arc;

/// Where an engine's databases live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// Behind a server that listens on this port by default.
    Server {
        /// The port when the URL names none.
        default_port: u16,
    },
    /// In a file of this process.
    File,
}

/// A database product: how to reach it, and what can be done with whole databases of it.
///
/// Adding an engine is a folder that implements this and one line in the scheme table.
#[async_trait]
pub trait Engine: fmt::Debug + Send + Sync {
    /// The short name, as in JSON.
    fn name(&self) -> &'static str;

    /// The URL schemes, the usual one first.
    fn schemes(&self) -> &'static [&'static str];

    /// How it spells SQL where no server was asked: as a version does that is in common use.
    fn dialect(&self) -> Arc<dyn Dialect>;

    /// Where its databases live.
    fn location(&self) -> Location;

    /// Whether a statement looks as if it did nothing but read, by its first word. Where databases have a
    /// [single writer](crate::Capabilities::single_writer), such a statement is tried on a connection
    /// [for reading](ConnectOptions::for_reading), which refuses it before it runs when it would write after all. Default:
    /// none does.
    fn looks_read_only(&self, sql: &str) -> bool {
        let _ = sql;
        false
    }

    /// Opens one connection and sets up its session. No retries here; see [`connect`](crate::connect).
    ///
    /// # Errors
    /// Kinds that can pass ([`is_transient`](crate::Error::is_transient)) and kinds that cannot, told apart.
    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn Driver>>;

    /// Whether the database named in the options exists.
    async fn database_exists(&self, options: &ConnectOptions) -> Result<bool>;

    /// Creates the database named in the options, empty.
    ///
    /// # Errors
    /// `AlreadyExists` when it is there.
    async fn create_database(&self, options: &ConnectOptions) -> Result<()>;

    /// Drops the database named in the options with everything in it. No error when there is none.
    async fn drop_database(&self, options: &ConnectOptions) -> Result<()>;

    /// Opens a consistent view of the database on connections of its own.
    async fn snapshot(&self, options: &ConnectOptions, snapshot: &SnapshotOptions) -> Result<Box<dyn Snapshot>>;

    /// Prepares the database named in the options to take the contents of a snapshot.
    ///
    /// # Errors
    /// `NotEmpty` when it holds anything; nothing was changed then.
    async fn restore(&self, options: &ConnectOptions, restore: &RestoreOptions) -> Result<Box<dyn Restore>>;
}
