//! One round: tasks that ask for rows, one after the other.

use super::{TASKS, relay::Counter};
use crate::pools::Lend;
use bench_measure::Waits;
use bench_measure::points::{Answer, Ask, work};
use std::future::Future;
use std::ops::{Deref, DerefMut};

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
    work(&pool, TASKS, BEFORE).await;
    let before = settled(counter.as_ref()).await;
    let (waits, seconds) = work(&pool, TASKS, EACH).await;
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
