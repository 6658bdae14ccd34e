//! One round: tasks that ask for rows, one after the other.

use super::{ROWS, TASKS, relay::Counter};
use crate::pools::Lend;
use crate::together::{Waits, together};
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

/// An id and the name that goes with it.
pub type Answer = (i64, String);

/// What answers point queries.
pub trait Ask: Clone + Send + Sync + 'static {
    /// Borrows a connection, asks for the row of this id and gives the connection back.
    fn ask(&self, id: i64) -> impl Future<Output = Answer> + Send;
}

/// A connection that answers point queries.
pub trait Answers {
    fn answer(&mut self, id: i64) -> impl Future<Output = Answer> + Send;
}

/// A pool of such connections.
#[derive(Clone)]
pub struct Borrowing<P>(pub P);

impl<P: Lend<Held: DerefMut>> Ask for Borrowing<P>
where
    <P::Held as Deref>::Target: Answers,
{
    async fn ask(&self, id: i64) -> Answer {
        self.0.lend().await.answer(id).await
    }
}

pub struct Round {
    pub per_second: f64,
    /// How long a whole operation took.
    pub waits: Waits,
    /// Round trips per operation, if they were counted.
    pub trips: f64,
}

/// Operations of each task before the round, in which every connection is opened and prepares its statement: enough also for
/// pools that do not open all at once.
const BEFORE: u32 = 100;
/// Operations of each task in the round.
const EACH: u32 = 150;

pub async fn round<A: Ask>(pool: A, counter: Option<Counter>) -> Round {
    work(&pool, BEFORE).await;
    let before = settled(counter.as_ref()).await;
    let (waits, seconds) = work(&pool, EACH).await;
    let after = settled(counter.as_ref()).await;
    let operations = f64::from(EACH) * TASKS as f64;
    Round { per_second: operations / seconds, waits: Waits::sum(&waits), trips: (after - before) as f64 / operations }
}

/// The count, once what a pool does after giving back is done as well.
async fn settled(counter: Option<&Counter>) -> u64 {
    match counter {
        Some(counter) => counter.settled().await,
        None => 0,
    }
}

async fn work<A: Ask>(pool: &A, operations: u32) -> (Vec<Waits>, f64) {
    together(TASKS, |task| {
        let pool = pool.clone();
        async move {
            let mut waits = Waits::new();
            let mut id = task as i64;
            for _ in 0..operations {
                // All over the table: this way comes by every row before it comes by one again.
                id = (id * 7921 + 1) % ROWS;
                let asked = Instant::now();
                let (answered, name) = pool.ask(id).await;
                waits.record_since(asked);
                assert!(answered == id && name.len() == NAME, "asked for row {id}, got row {answered} ({name:?})");
            }
            waits
        }
    })
    .await
}

/// The length of every name in the table.
pub const NAME: usize = 20;
