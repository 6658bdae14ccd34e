//! One round of a pool that blocks: a thread for each task and no runtime.

use super::Case;
use super::round::{Effort, Round, Tally};
use bench_measure::seconds;
use r2d2::{ManageConnection, Pool};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

pub fn round<M: ManageConnection>(pool: &Pool<M>, case: Case, effort: Effort) -> Round {
    let (start, first_is_done) = (Barrier::new(case.tasks), AtomicBool::new(false));
    let work = || {
        let mut tally = Tally::new(effort);
        start.wait();
        let began = Instant::now();
        for operation in 0..effort.operations {
            let asked = tally.asks(operation);
            let held = pool.get().expect("a connection");
            tally.is_served(operation, asked, &first_is_done);
            if case.yields {
                thread::yield_now();
            }
            drop(held);
        }
        first_is_done.store(true, Ordering::Relaxed);
        (tally, (began, Instant::now()))
    };
    let (tallies, times): (Vec<_>, Vec<_>) = thread::scope(|scope| {
        let threads: Vec<_> = (0..case.tasks).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that ends")).unzip()
    });
    Tally::round(tallies, seconds(&times))
}
