//! Transactions as values: commit consumes, drop rolls back, nesting makes savepoints.

use crate::{Connection, Result};
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

/// How a transaction is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TransactionOptions {
    /// The isolation level; the server's own default when absent.
    pub isolation: Option<Isolation>,
    /// Refuses writes in this transaction.
    pub read_only: bool,
    /// Takes the write lock at the start instead of at the first write, on engines with one writer. Default `false`
    /// here; [`Connection::transaction`] sets it unless `read_only` is set.
    pub immediate: bool,
}

impl TransactionOptions {
    /// With this isolation level.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    /// A transaction that refuses writes.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Takes the write lock at the start, on engines with one writer.
    #[must_use]
    pub fn immediate(mut self) -> Self {
        self.immediate = true;
        self
    }
}

/// The standard's isolation levels. What each engine makes of a level is its own affair; none gives less than asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// READ UNCOMMITTED.
    ReadUncommitted,
    /// READ COMMITTED.
    ReadCommitted,
    /// REPEATABLE READ.
    RepeatableRead,
    /// SERIALIZABLE.
    Serializable,
}

impl Isolation {
    /// As SQL spells it.
    pub fn as_sql(self) -> &'static str {
        match self {
            Isolation::ReadUncommitted => "READ UNCOMMITTED",
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        }
    }
}

/// An open transaction, or a savepoint inside one. It is a connection too: everything a [`Connection`] does, it does
/// inside; [`transaction`](Connection::transaction) on it makes a savepoint.
///
/// # Cancellation
/// Dropped without [`commit`](Transaction::commit), it is rolled back: before the connection's next use, or in the
/// background when the connection goes back to a pool.
#[derive(Debug)]
#[must_use = "a transaction that is not committed is rolled back"]
pub struct Transaction<'c> {
    connection: &'c mut Connection,
    depth: u32,
    done: bool,
}

impl<'c> Transaction<'c> {
    pub(crate) fn new(connection: &'c mut Connection, depth: u32) -> Self {
        Self { connection, depth, done: false }
    }

    /// Makes the changes permanent; of a savepoint, makes them part of the transaction around it.
    ///
    /// # Errors
    /// When the server refuses, nothing of it is kept. When the connection is lost during a commit, whether it took
    /// place is unknown; the error's kind is `ConnectionLost` then.
    ///
    /// # Cancellation
    /// Dropped before it is done, whether it took place is unknown, as after a lost connection. Of a savepoint, it did
    /// not: where the server had been told already, the transaction around it is rolled back.
    #[track_caller]
    pub fn commit(self) -> impl Future<Output = Result<()>> + Send + use<'c> {
        self.end(true, Location::caller())
    }

    /// Undoes everything since the transaction or the savepoint began.
    ///
    /// # Errors
    /// When the connection is lost; the server rolls back then. When a statement had ended the transaction before: what
    /// it did is not undone.
    ///
    /// # Cancellation
    /// Dropped before it is done, it is done before the connection's next use.
    #[track_caller]
    pub fn rollback(self) -> impl Future<Output = Result<()>> + Send + use<'c> {
        self.end(false, Location::caller())
    }

    async fn end(mut self, commit: bool, caller: &'static Location<'static>) -> Result<()> {
        let watcher = self.connection.watch(caller);
        let caller = watcher.caller();
        let sql = if commit { "COMMIT" } else { "ROLLBACK" };
        self.connection.leave(self.depth, commit, watcher).await.map_err(|error| error.at(caller, sql))?;
        self.done = true;
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.connection.abandon(self.depth);
        }
    }
}
