//! Rows into a table: by LOAD DATA LOCAL where the server allows it and the row's values go in by its text exactly as they would as
//! parameters, and by INSERT with many rows otherwise, all in one transaction or savepoint.
//!
//! Three parts that know of each other what stands in [`Message`]: [`plan`] asks the server what it takes, [`feed`] turns the caller's
//! rows into messages, and [`work`] gives them to the server, on the link, where it comes to its end also when the caller is gone.

mod feed;
mod line;
mod plan;
mod work;

use super::link::Link;
use super::statement::Surroundings;
use crate::bulk_insert::Rows;
use crate::{BulkTarget, Result, TransactionState};
use bytes::Bytes;
use dbkeep_sql::Value;
use futures_util::FutureExt as _;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::mpsc;

/// What the caller's side has for the link's side.
enum Message {
    /// Lines for one LOAD DATA, which ends with them. How many rows they were stands there then.
    Load { lines: mpsc::Receiver<Bytes>, rows: Arc<AtomicU64> },
    /// Rows for one INSERT.
    Insert(Vec<Vec<mysql_async::Value>>),
    /// Every row was sent. Without this word at the end, none is kept.
    End,
}

/// Inserts all rows or none, and says how many the table took.
pub(super) async fn run(
    link: &mut Link,
    around: &Surroundings,
    target: &BulkTarget,
    rows: &mut (dyn Iterator<Item = Vec<Value>> + Send),
) -> Result<u64> {
    let joins = link.transaction() != TransactionState::Idle;
    let (wanted, packet) = (target.clone(), around.longest_packet);
    let plan = link.run(move |conn| async move { plan::make(conn, &wanted, joins, packet).await }.boxed()).await?;
    let plan = Arc::new(plan);
    let (give, take) = mpsc::channel(1);
    let theirs = Arc::clone(&plan);
    let mut working = pin!(link.run(move |conn| async move { work::run(conn, &theirs, take).await }.boxed()));
    let mut feeding = pin!(feed::run(Rows::new(target, rows), target, &plan, around, give));
    tokio::select! {
        // The server may refuse before it is given anything: then nobody takes what is fed.
        outcome = &mut working => outcome,
        fed = &mut feeding => match (working.await, fed) {
            (Err(error), _) if error.is_connection_lost() => Err(error),
            // What is wrong with a row of the program's is why the work was given up.
            (_, Err(error)) => Err(error),
            (outcome, Ok(())) => outcome,
        },
    }
}
