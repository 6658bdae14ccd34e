//! Rows into a table: one prepared INSERT, run on a thread of its own for each row of the batches that come over a channel, in one
//! transaction, or in a savepoint where one is open.

use super::errors;
use super::place::Runner;
use super::session::Session;
use super::stream::size;
use super::types::to_sqlite;
use crate::bulk_insert::Rows;
use crate::{BulkTarget, Error, ErrorKind, Result, TransactionState};
use dbkeep_sql::Value;
use tokio::sync::{mpsc, oneshot};

/// Batches on their way; with the one being filled and the one being stored there are two more.
const BATCHES: usize = 2;
const MOST_ROWS: usize = 512;
const MOST_BYTES: usize = 256 * 1024;

/// How often undoing is tried where an interruption that came late hits it.
const ATTEMPTS: usize = 10;

enum Message {
    Rows(Vec<Vec<Value>>),
    /// Every row was sent. Without this word at the end, they are not kept.
    End,
}

/// Inserts all rows or none, and says how many the table took.
pub(super) async fn run(
    runner: &mut Runner,
    target: &BulkTarget,
    rows: &mut (dyn Iterator<Item = Vec<Value>> + Send),
) -> Result<u64> {
    runner.settle().await;
    let joins = runner.state != TransactionState::Idle;
    let (sender, receiver) = mpsc::channel(BATCHES);
    let (tell, told) = oneshot::channel();
    let theirs = target.clone();
    let mut stop = runner.spawn(move |session| {
        let outcome = insert(session, &theirs, receiver);
        // Whoever dropped the future does not want to know.
        let _ = tell.send((outcome, session.state()));
    })?;
    if joins {
        // An interrupted INSERT takes the transaction around it along. Without it, the thread ends at the next row.
        stop.disarm();
    }
    let fed = feed(Rows::new(target, rows), sender).await;
    let answer = told.await;
    stop.disarm();
    let (outcome, state) = answer.map_err(|_| {
        Error::new(ErrorKind::ConnectionLost, "the thread that inserted the rows ended without an answer")
            .with_hint("open a new connection")
    })?;
    runner.state = state;
    match outcome {
        Err(error) if error.is_connection_lost() => Err(error),
        // What is wrong with a row of the program's is why the thread gave up.
        outcome => fed.and(outcome),
    }
}

/// Sends the rows in batches, until the thread takes no more.
async fn feed(mut rows: Rows<'_>, sender: mpsc::Sender<Message>) -> Result<()> {
    loop {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < MOST_ROWS && bytes < MOST_BYTES {
            let Some(row) = rows.next()? else { break };
            bytes += row.iter().map(size).sum::<usize>();
            batch.push(row);
        }
        let is_last = batch.is_empty();
        let message = if is_last { Message::End } else { Message::Rows(batch) };
        // A closed channel tells of an error, which the thread's answer holds.
        if sender.send(message).await.is_err() || is_last {
            return Ok(());
        }
    }
}

/// The thread's side.
fn insert(session: &mut Session, target: &BulkTarget, mut batches: mpsc::Receiver<Message>) -> Result<u64> {
    session.end_read_only()?;
    let session = &*session;
    let connection = &session.connection;
    let marks = vec!["?"; target.columns().len()].join(", ");
    let sql = format!("{} VALUES ({marks})", target.insert());
    let failed = |error| errors::of_statement(error, &sql, &session.control);
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    session.refuse_writes(&statement)?;
    let own = connection.is_autocommit();
    let begin = match (own, session.read_only) {
        (true, false) => "BEGIN IMMEDIATE",
        (true, true) => "BEGIN",
        (false, _) => "SAVEPOINT dbkeep_bulk",
    };
    connection.execute_batch(begin).map_err(failed)?;
    let mut store = || {
        let (mut taken, mut stored) = (0, 0);
        loop {
            let rows = match batches.blocking_recv() {
                Some(Message::Rows(rows)) => rows,
                Some(Message::End) => break,
                None => return Err(Error::new(ErrorKind::Cancelled, "the rows did not come to their end")),
            };
            for row in &rows {
                taken += 1;
                for (at, value) in row.iter().enumerate() {
                    let value = to_sqlite(value).map_err(|error| target.at(error, taken, at))?;
                    statement.raw_bind_parameter(at + 1, value).map_err(failed)?;
                }
                let changed = statement.raw_execute().map_err(|error| target.at(failed(error), taken, usize::MAX))?;
                stored += changed as u64;
            }
        }
        connection.execute_batch(if own { "COMMIT" } else { "RELEASE dbkeep_bulk" }).map_err(failed)?;
        Ok(stored)
    };
    let outcome = store();
    if outcome.is_err() {
        let undo = if own { "ROLLBACK" } else { "ROLLBACK TO dbkeep_bulk; RELEASE dbkeep_bulk" };
        // Some errors undo the whole transaction by themselves.
        let mut left = ATTEMPTS;
        while !connection.is_autocommit() && connection.execute_batch(undo).is_err() && left > 0 {
            left -= 1;
        }
        if left == 0 {
            return Err(Error::new(ErrorKind::ConnectionLost, "the rows of a bulk insert could not be undone")
                .with_hint("close this connection, which undoes them, and open a new one"));
        }
    }
    outcome
}
