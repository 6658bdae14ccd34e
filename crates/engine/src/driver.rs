//! What an engine's folder implements: one live link.

use crate::{
    BulkTarget, Catalog, CatalogOptions, Guard, Measurement, Result, Role, Row, RowStream, ServerInfo, Table,
    TableBlueprint, TransactionOptions, TransactionState,
};
use async_trait::async_trait;
use dbkeep_sql::{Ddl, Dialect, SchemaOperation, Value};
use std::sync::Arc;
use std::time::Duration;

/// What a statement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Executed {
    /// Rows inserted, updated (matched ones count, changed or not) or deleted.
    pub rows_affected: u64,
    /// The key the server made for the last inserted row, on engines that say it without RETURNING.
    pub last_insert_id: Option<u64>,
}

impl Executed {
    /// What a statement did.
    pub fn new(rows_affected: u64, last_insert_id: Option<u64>) -> Self {
        Self { rows_affected, last_insert_id }
    }
}

/// One live link to a database, as an engine implements it.
///
/// Applications use [`Connection`](crate::Connection), which adds what is the same everywhere: transactions as values,
/// clean-up after a dropped future, typed rows.
///
/// # Cancellation
/// A future of this trait may be dropped at any point. `Connection` then calls [`recover`](Driver::recover) before
/// anything else.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Which server this is.
    fn server(&self) -> &ServerInfo;

    /// How it spells SQL.
    fn dialect(&self) -> Arc<dyn Dialect>;

    /// Whether a transaction is open, from the server's last answer; no round trip.
    fn transaction_state(&self) -> TransactionState;

    /// Whether something ran that may have changed the session for its next user: settings, temporary tables, locks that it
    /// holds. From the server's answers where they tell, otherwise from the statements; no round trip. A
    /// [`reset`](Driver::reset) ends it.
    fn is_altered(&self) -> bool;

    /// Whether the link is known to be gone; no round trip.
    fn is_closed(&self) -> bool;

    /// Runs one statement and says what it did; rows, if any, are read and dropped.
    async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Executed>;

    /// Runs one statement and collects its rows.
    async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>>;

    /// Runs one statement and hands its rows over as they come, with bounded memory.
    async fn stream<'c>(&'c mut self, sql: &str, params: &[Value]) -> Result<RowStream<'c>>;

    /// Runs a text of several statements as the server's own client would, without parameters, until the first error.
    async fn script(&mut self, sql: &str) -> Result<()>;

    /// Puts rows into a table by the fastest road there is, all of them or none, and says how many the table took. Joins an open
    /// transaction. Rows are taken from the iterator only as fast as the server takes them.
    ///
    /// A future dropped half-way may leave a part of the rows to be undone by [`recover`](Driver::recover).
    async fn bulk_insert(
        &mut self,
        target: &BulkTarget,
        rows: &mut (dyn Iterator<Item = Vec<Value>> + Send),
    ) -> Result<u64>;

    /// Starts a transaction.
    async fn begin(&mut self, options: &TransactionOptions) -> Result<()>;

    /// Asks the server for a sign of life: one round trip.
    async fn ping(&mut self) -> Result<()>;

    /// Makes the link usable again after a future of it was dropped before it was done: stops what still runs and reads
    /// what is still to come. An error means that the link must be given up.
    async fn recover(&mut self) -> Result<()>;

    /// Puts the session back to what it was after it was set up: no transaction, no locks, no temporary tables, the
    /// configured settings. Called by the pool before another borrower gets the connection.
    async fn reset(&mut self) -> Result<()>;

    /// Takes a lock by name that ends with the session at the latest, without waiting. `false` when another holds it.
    async fn try_lock(&mut self, name: &str) -> Result<bool>;

    /// Gives a lock of [`try_lock`](Driver::try_lock) back.
    async fn unlock(&mut self, name: &str) -> Result<()>;

    /// Who holds the lock, in words for people, where that can be known.
    async fn lock_holder(&mut self, name: &str) -> Result<Option<String>>;

    /// Whether the server takes writes.
    async fn role(&mut self) -> Result<Role>;

    /// What tables, columns, indexes and the like exist.
    async fn catalog(&mut self, options: &CatalogOptions) -> Result<Catalog>;

    /// A table of this connection's catalog as the blueprint that would make it. No round trip.
    fn blueprint(&self, table: &Table) -> TableBlueprint;

    /// The statements of a change of the schema, in order, for the database as it is now. None of them takes effect here.
    async fn plan(&mut self, operation: &SchemaOperation) -> Result<Vec<Ddl>> {
        operation.compile(&*self.dialect()).map_err(crate::schema::unspeakable)
    }

    /// What has to stand around these changes, if anything has to.
    async fn guard(&mut self, operations: &[SchemaOperation]) -> Result<Option<Guard>> {
        let _ = operations;
        Ok(None)
    }

    /// Numbers about the server's and the database's state.
    async fn probe(&mut self) -> Result<Vec<Measurement>>;

    /// How long statements waited for locks of other connections since this was last asked; `None` when they did not, and
    /// where the engine does not say. No round trip.
    fn take_lock_wait(&mut self) -> Option<Duration> {
        None
    }

    /// Ends the session in good order.
    async fn close(self: Box<Self>) -> Result<()>;
}
