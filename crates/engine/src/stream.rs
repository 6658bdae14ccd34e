//! Rows as they come.

use crate::connection::Watch;
use crate::{Column, Result, Row};
use futures_core::Stream;
use futures_core::stream::BoxStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The rows of a query, one at a time, with bounded memory however many there are.
///
/// # Cancellation
/// Dropping it early is allowed; the connection stops the query before its next use, or is given up where the engine
/// cannot do that.
pub struct RowStream<'c> {
    columns: Arc<[Column]>,
    rows: BoxStream<'c, Result<Row>>,
    in_flight: Option<&'c mut bool>,
    watch: Option<Watch>,
    read: u64,
}

impl<'c> RowStream<'c> {
    /// A stream from a driver's own one.
    pub fn new(columns: Arc<[Column]>, rows: BoxStream<'c, Result<Row>>) -> Self {
        Self { columns, rows, in_flight: None, watch: None, read: 0 }
    }

    /// Clears the flag and tells the observer once the last row was read; a flag that stays set tells that the stream was
    /// dropped before.
    pub(crate) fn clearing(mut self, in_flight: &'c mut bool, watch: Watch) -> Self {
        self.in_flight = Some(in_flight);
        self.watch = Some(watch);
        self
    }

    /// The columns of every row.
    pub fn columns(&self) -> &Arc<[Column]> {
        &self.columns
    }

    /// The next row, or `None` after the last.
    ///
    /// # Errors
    /// What the server says; the stream is over then.
    pub async fn next(&mut self) -> Option<Result<Row>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for RowStream<'_> {
    type Item = Result<Row>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Row>>> {
        let polled = self.rows.as_mut().poll_next(context);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(_))) => self.read += 1,
            Poll::Ready(Some(Err(error))) => {
                if let Some(watch) = self.watch.take() {
                    watch.failed(error);
                }
            }
            Poll::Ready(None) => {
                let rows = self.read;
                if let Some(watch) = self.watch.take() {
                    watch.done(rows);
                }
                if let Some(flag) = self.in_flight.as_deref_mut() {
                    *flag = false;
                }
            }
        }
        polled
    }
}

impl std::fmt::Debug for RowStream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowStream").field("columns", &self.columns).finish_non_exhaustive()
    }
}
