//! Rows as they come, with the connection they come from.

use super::TableQuery;
use super::on::On;
use crate::Result;
use dbkeep_engine::Row;
use dbkeep_sql::{Compile, Compiled};
use futures_util::Stream;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// How many rows are read ahead of the one that is looked at.
const AHEAD: usize = 64;

/// The rows of a query, one at a time, in bounded memory. It holds a connection until it ends or is dropped.
///
/// # Cancellation
/// Dropped early, it stops the query; the connection goes back to the pool.
#[must_use = "rows come when they are asked for"]
pub struct TableRows<'d> {
    /// Reads rows and hands them over; gone once it has ended.
    reader: Option<Pin<Box<dyn Future<Output = Result<()>> + Send + 'd>>>,
    rows: mpsc::Receiver<Row>,
}

impl<'d> TableQuery<'d> {
    /// The rows as they come, in bounded memory however many there are: for exports, and for results that need not be held
    /// whole. It keeps a connection all the while; to let it go between rows, see [`chunk_by_id`](TableQuery::chunk_by_id).
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
    /// use dbkeep::{Database, params};
    ///
    /// let db = Database::connect("sqlite::memory:").await?;
    /// db.script("CREATE TABLE events (id INTEGER PRIMARY KEY, kind TEXT NOT NULL)").await?;
    /// db.table("events").insert_many(["kind"], (0..1_000).map(|_| params!["click"])).await?;
    ///
    /// let mut rows = db.table("events").order_by("id").stream();
    /// let mut seen = 0;
    /// while let Some(row) = rows.next().await {
    ///     assert_eq!(row?.get::<String>("kind")?, "click");
    ///     seen += 1;
    /// }
    /// assert_eq!(seen, 1_000);
    /// # Ok::<(), dbkeep::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// They come as an item, the last one: what cannot be built for this engine; the server's own.
    #[track_caller]
    pub fn stream(&self) -> TableRows<'d> {
        let (caller, compiled) = (Location::caller(), self.query.compile(self.on.dialect()));
        let held = match &self.on {
            // Locks and the like write; a query with one wants the connection that may.
            On::Database(_) if self.query.locks_rows() => futures_util::future::Either::Left(self.on.hold()),
            on => futures_util::future::Either::Right(on.hold_to_read()),
        };
        let on = self.on.clone();
        let (sender, rows) = mpsc::channel(AHEAD);
        let reader = async move {
            let Compiled { sql, params } = compiled?;
            let mut held = held.await?;
            let _streaming = on.stream();
            let mut stream = held.on_behalf_of(caller).stream(&sql, &params).await?;
            while let Some(row) = stream.next().await {
                // Nobody listens only when this is dropped, too.
                let _ = sender.send(row?).await;
            }
            Ok(())
        };
        TableRows { reader: Some(Box::pin(reader)), rows }
    }
}

impl TableRows<'_> {
    /// The next row, or `None` after the last and after an error.
    ///
    /// # Errors
    /// What the server says; the rows are over then.
    ///
    /// # Cancellation
    /// Dropped before it is done, it loses no row.
    pub async fn next(&mut self) -> Option<Result<Row>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for TableRows<'_> {
    type Item = Result<Row>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Row>>> {
        // Never `poll_recv`: it says Pending, too, when the runtime wants another task to have its turn, and what it would have
        // given then is lost at the end. Who waits is woken by the reader, which is polled here and holds the other end.
        if let Ok(row) = self.rows.try_recv() {
            return Poll::Ready(Some(Ok(row)));
        }
        let outcome = match &mut self.reader {
            Some(reader) => reader.as_mut().poll(context),
            None => Poll::Ready(Ok(())),
        };
        if outcome.is_ready() {
            self.reader = None;
        }
        match (self.rows.try_recv(), outcome) {
            (Ok(row), Poll::Ready(Err(error))) => {
                // Rows that were read before an error come before it.
                self.reader = Some(Box::pin(std::future::ready(Err(error))));
                Poll::Ready(Some(Ok(row)))
            }
            (Ok(row), _) => Poll::Ready(Some(Ok(row))),
            (Err(_), outcome) => outcome.map(|outcome| outcome.err().map(Err)),
        }
    }
}

impl fmt::Debug for TableRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableRows").field("is_over", &self.reader.is_none()).finish_non_exhaustive()
    }
}
