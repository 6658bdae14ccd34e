//! One round: tasks that borrow from one pool, again and again.

use super::Case;
use crate::pools::Lend;
use bench_measure::{Waits, together};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub struct Round {
    pub per_second: f64,
    pub waits: Waits,
    /// How many times as often the luckiest task was served as the unluckiest, when the first one was done.
    pub spread: f64,
}

/// One of so many acquires is timed: reading the clock costs as much as the fastest pool.
const TIMED: u64 = 16;

/// How much each task does in a round.
#[derive(Clone, Copy)]
pub struct Effort {
    pub operations: u64,
    /// An acquire is timed when its number has none of these bits: as many in all for a slow pool as for a quick one. Bits,
    /// as a division would show in the figures of the fastest pool.
    untimed: u64,
}

impl Effort {
    /// One in `share` of the case's operations; `share` is a power of two, [`TIMED`] at most.
    pub fn of(case: Case, share: u64) -> Self {
        Self { operations: case.operations / share / case.tasks as u64, untimed: TIMED / share - 1 }
    }
}

/// What one task did.
pub struct Tally {
    waits: Waits,
    /// How often it had been served when the first task was done: what fairness is measured by.
    served_by_then: Option<u64>,
    effort: Effort,
}

impl Tally {
    pub fn new(effort: Effort) -> Self {
        Self { waits: Waits::new(), served_by_then: None, effort }
    }

    /// The time, if this acquire is to be timed.
    pub fn asks(&self, operation: u64) -> Option<Instant> {
        (operation & self.effort.untimed == 0).then(Instant::now)
    }

    pub fn is_served(&mut self, operation: u64, asked: Option<Instant>, first_is_done: &AtomicBool) {
        if let Some(asked) = asked {
            self.waits.record_since(asked);
        }
        if self.served_by_then.is_none() && first_is_done.load(Ordering::Relaxed) {
            self.served_by_then = Some(operation);
        }
    }

    pub fn round(all: Vec<Self>, seconds: f64) -> Round {
        let served = all.iter().map(|tally| tally.served_by_then.unwrap_or(tally.effort.operations));
        let (least, most) = (served.clone().min().unwrap_or(1), served.max().unwrap_or(1));
        let operations: u64 = all.iter().map(|tally| tally.effort.operations).sum();
        let waits: Vec<Waits> = all.into_iter().map(|tally| tally.waits).collect();
        Round {
            per_second: operations as f64 / seconds,
            waits: Waits::sum(&waits),
            spread: most as f64 / least.max(1) as f64,
        }
    }
}

pub async fn round<S: Lend>(pool: S, case: Case, effort: Effort) -> Round {
    let first_is_done = Arc::new(AtomicBool::new(false));
    let (tallies, seconds) = together(case.tasks, |_| {
        let (pool, first_is_done) = (pool.clone(), Arc::clone(&first_is_done));
        async move {
            let mut tally = Tally::new(effort);
            for operation in 0..effort.operations {
                let asked = tally.asks(operation);
                let held = pool.lend().await;
                tally.is_served(operation, asked, &first_is_done);
                if case.yields {
                    tokio::task::yield_now().await;
                }
                drop(held);
            }
            first_is_done.store(true, Ordering::Relaxed);
            tally
        }
    })
    .await;
    Tally::round(tallies, seconds)
}
