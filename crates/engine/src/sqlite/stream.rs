//! Rows as they come: a thread of its own steps through the statement and sends batches, so that a hop between threads is paid
//! once a batch, and a full channel makes it wait.

use super::place::{Runner, StopOnDrop};
use super::session::{Shape, TakeRows};
use crate::{Column, Error, ErrorKind, Executed, Result, Row, RowStream, Streamed, TransactionState};
use dbkeep_sql::Value;
use futures_core::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Batches on their way; with the one being filled and the one being read there are two more.
const BATCHES: usize = 2;
const MOST_ROWS: usize = 256;
const MOST_BYTES: usize = 256 * 1024;
/// A slow query's rows are not kept back until a batch is full.
const MOST_DELAY: Duration = Duration::from_millis(20);

enum Message {
    Rows(Vec<Row>),
    End(Result<Executed>, TransactionState),
}

/// Starts the statement and waits for its columns.
pub(super) async fn start<'c>(runner: &'c mut Runner, sql: &str, params: &[Value]) -> Result<RowStream<'c>> {
    runner.settle().await;
    let (sender, receiver) = mpsc::channel(BATCHES);
    let (columns_sender, columns) = oneshot::channel();
    let (sql, params) = (sql.to_owned(), params.to_vec());
    let stop = runner.spawn(move |session| {
        let mut producer = Producer {
            sender,
            columns: Some(columns_sender),
            shape: None,
            batch: Vec::new(),
            bytes: 0,
            limit: 1,
            since: Instant::now(),
        };
        let outcome = session.run_counting(&sql, &params, &mut producer);
        producer.finish(outcome, session.state());
    })?;
    let mut rows = Rows { state: &mut runner.state, receiver, stop, batch: Vec::new().into_iter(), over: false };
    let Ok(columns) = columns.await else {
        // It ended before its first row was asked for: with an error, in all likelihood.
        return match std::future::poll_fn(|context| rows.poll_row(context)).await {
            Some(Err(error)) => Err(error),
            _ => Err(ended()),
        };
    };
    Ok(RowStream::new(columns, Box::pin(rows)))
}

fn ended() -> Error {
    Error::new(ErrorKind::ConnectionLost, "the thread that ran the statement ended without an answer")
        .with_hint("open a new connection")
}

/// The thread's side.
struct Producer {
    sender: mpsc::Sender<Message>,
    columns: Option<oneshot::Sender<Arc<[Column]>>>,
    shape: Option<Shape>,
    batch: Vec<Row>,
    bytes: usize,
    /// The first batches are small, so that the first row does not wait for the thousandth.
    limit: usize,
    since: Instant,
}

impl Producer {
    fn announce(&mut self) {
        if let (Some(sender), Some(shape)) = (self.columns.take(), &self.shape) {
            // A dropped stream shows at the first batch.
            let _ = sender.send(Arc::clone(&shape.columns));
        }
    }

    fn send(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        self.limit = (self.limit * 2).min(MOST_ROWS);
        let sent = self.sender.blocking_send(Message::Rows(batch));
        self.since = Instant::now();
        sent.map_err(|_| Error::new(ErrorKind::Cancelled, "the stream was dropped"))
    }

    fn finish(mut self, outcome: Result<Executed>, state: TransactionState) {
        if outcome.is_ok() {
            self.announce();
        }
        if !self.batch.is_empty() && self.send().is_err() {
            return;
        }
        drop(self.columns);
        // Nobody is left to be told when this fails.
        let _ = self.sender.blocking_send(Message::End(outcome, state));
    }
}

impl TakeRows for Producer {
    fn prepared(&mut self, statement: &rusqlite::Statement<'_>) -> Result<()> {
        self.shape = Some(Shape::of(statement)?);
        Ok(())
    }

    fn row(&mut self, row: &rusqlite::Row<'_>) -> Result<()> {
        if self.columns.is_some() {
            // Only now are the columns final: the first step prepares the statement anew when the schema has changed.
            self.shape = Some(Shape::of(row.as_ref())?);
            self.announce();
        }
        if let Some(shape) = &self.shape {
            let row = shape.read(row)?;
            self.bytes += row.values().iter().map(size).sum::<usize>();
            self.batch.push(row);
        }
        if self.batch.len() >= self.limit || self.bytes >= MOST_BYTES || self.since.elapsed() >= MOST_DELAY {
            self.send()?;
        }
        Ok(())
    }
}

/// About how much memory a value takes.
pub(super) fn size(value: &Value) -> usize {
    let beside = match value {
        Value::Text(text) | Value::Json(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Decimal(number) => number.as_str().len(),
        _ => 0,
    };
    beside + size_of::<Value>()
}

/// The reader's side.
struct Rows<'c> {
    state: &'c mut TransactionState,
    receiver: mpsc::Receiver<Message>,
    stop: StopOnDrop,
    batch: std::vec::IntoIter<Row>,
    over: bool,
}

impl Rows<'_> {
    fn poll_row(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Streamed>>> {
        loop {
            if let Some(row) = self.batch.next() {
                return Poll::Ready(Some(Ok(Streamed::Row(row))));
            }
            if self.over {
                return Poll::Ready(None);
            }
            let message = std::task::ready!(self.receiver.poll_recv(context));
            let outcome = match message {
                Some(Message::Rows(rows)) => {
                    self.batch = rows.into_iter();
                    continue;
                }
                Some(Message::End(outcome, state)) => {
                    *self.state = state;
                    outcome
                }
                None => Err(ended()),
            };
            self.over = true;
            self.stop.disarm();
            return Poll::Ready(Some(outcome.map(Streamed::End)));
        }
    }
}

impl Stream for Rows<'_> {
    type Item = Result<Streamed>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_row(context)
    }
}
