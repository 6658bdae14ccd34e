//! Rows as they come.

use crate::standing::Standing;
use crate::watch::Watch;
use crate::{Column, Executed, Result, Row};
use futures_core::Stream;
use futures_core::stream::BoxStream;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// What a driver's stream gives: every row, and last what the statement did.
#[derive(Debug, Clone)]
pub enum Streamed {
    /// A row.
    Row(Row),
    /// What the statement did, after which nothing comes.
    End(Executed),
}

/// The rows of a query, one at a time, with bounded memory however many there are.
///
/// # Cancellation
/// Dropping it early is allowed; the connection stops the query before its next use, or is given up where the engine
/// cannot do that.
pub struct RowStream<'c> {
    columns: Arc<[Column]>,
    rows: BoxStream<'c, Result<Streamed>>,
    standing: Option<&'c mut Standing>,
    watch: Option<Watch<'static>>,
    caller: Option<&'static Location<'static>>,
    read: u64,
    is_over: bool,
    executed: Option<Executed>,
}

impl<'c> RowStream<'c> {
    /// A stream from a driver's own one.
    pub fn new(columns: Arc<[Column]>, rows: BoxStream<'c, Result<Streamed>>) -> Self {
        Self { columns, rows, standing: None, watch: None, caller: None, read: 0, is_over: false, executed: None }
    }

    /// Keeps the connection and its observer posted. A connection that hears nothing of the end knows that the stream was
    /// dropped before.
    pub(crate) fn on(
        mut self,
        standing: &'c mut Standing,
        watch: Watch<'static>,
        caller: &'static Location<'static>,
    ) -> Self {
        self.caller = Some(caller);
        self.standing = Some(standing);
        self.watch = Some(watch);
        self
    }

    /// The columns of every row.
    pub fn columns(&self) -> &Arc<[Column]> {
        &self.columns
    }

    /// What the statement did, as [`Connection::execute`](crate::Connection::execute) says it: known once the stream has ended
    /// without an error.
    pub fn executed(&self) -> Option<Executed> {
        self.executed
    }

    /// The next row, or `None` after the last and after an error.
    ///
    /// # Errors
    /// What the server says; the stream is over then.
    ///
    /// # Cancellation
    /// Dropped before it is done, it loses no row.
    pub async fn next(&mut self) -> Option<Result<Row>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for RowStream<'_> {
    type Item = Result<Row>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Row>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let polled = std::task::ready!(self.rows.as_mut().poll_next(context)).transpose();
        Poll::Ready(match polled {
            Ok(Some(Streamed::Row(row))) => {
                self.read += 1;
                Some(Ok(row))
            }
            Ok(ended) => {
                self.is_over = true;
                self.executed = match ended {
                    Some(Streamed::End(executed)) => Some(executed),
                    _ => None,
                };
                let rows = self.read;
                if let Some(watch) = self.watch.take() {
                    watch.done(rows);
                }
                if let Some(standing) = self.standing.as_deref_mut() {
                    standing.in_flight = false;
                    standing.answered = Some(Instant::now());
                }
                None
            }
            Err(error) => {
                self.is_over = true;
                if let Some(watch) = self.watch.take() {
                    watch.failed(&error);
                }
                // Still in flight: whether the server has anything left to say, the driver knows.
                if let Some(standing) = self.standing.as_deref_mut() {
                    standing.failed(&error);
                }
                Some(Err(match self.caller {
                    Some(caller) => error.at(caller, ""),
                    None => error,
                }))
            }
        })
    }
}

impl std::fmt::Debug for RowStream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowStream").field("columns", &self.columns).finish_non_exhaustive()
    }
}
