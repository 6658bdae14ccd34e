//! Many rows at once, by the engine's own bulk road.

use crate::{Database, Result};
use dbkeep_sql::{Name, Path, Value};
use std::future::Future;
use std::panic::Location;

impl Database {
    /// Puts rows from an iterator into a table at the speed of the engine's own loader (LOAD DATA LOCAL, COPY, one prepared INSERT in
    /// one transaction), and returns how many the table took. All rows arrive or none.
    ///
    /// Each row has one value for each column, in their order. The iterator is asked for rows as the server takes them, and memory stays
    /// flat; one that blocks, or computes for long, holds up the task that awaits this. Values are stored as an INSERT with parameters would
    /// store them. On a SQLite file the rows go through the writer, which has nothing else to do until they are through.
    ///
    /// Inside a [`transaction`](Database::transaction), use [`Connection::bulk_insert`](crate::Connection::bulk_insert) on it: the rows
    /// are a part of it then.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
    /// use dbkeep::{Database, params};
    ///
    /// let db = Database::connect("sqlite::memory:").await?;
    /// db.script("CREATE TABLE measurements (sensor BIGINT NOT NULL, celsius REAL)").await?;
    ///
    /// let rows = (0..10_000).map(|n| params![n % 7, f64::from(n) / 100.0]);
    /// assert_eq!(db.bulk_insert("measurements", ["sensor", "celsius"], rows).await?, 10_000);
    /// # Ok::<(), dbkeep::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`Connection::bulk_insert`](crate::Connection::bulk_insert), and when no connection can be had. Nothing is stored then.
    ///
    /// # Cancellation
    /// Dropped, it leaves no rows, unless the commit was on its way already: then all of them may be there.
    #[track_caller]
    pub fn bulk_insert<R>(
        &self,
        table: impl Into<Path>,
        columns: impl IntoIterator<Item = impl Into<Name>>,
        rows: R,
    ) -> impl Future<Output = Result<u64>> + Send
    where
        R: IntoIterator<Item: Into<Vec<Value>>, IntoIter: Send>,
    {
        let (caller, lease) = (Location::caller(), self.acquire());
        let (table, columns) = (table.into(), columns.into_iter().map(Into::into).collect::<Vec<Name>>());
        let rows = rows.into_iter();
        async move { Ok(lease.await?.on_behalf_of(caller).bulk_insert(table, columns, rows).await?) }
    }
}
