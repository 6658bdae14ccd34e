//! What the ledger can tell about itself.

use std::panic::Location;

use super::{Ledger, Mode};
use crate::clock::Moment;
use crate::error::AcquirePhase;
use crate::shelf::HeldTimes;
use crate::stats::{Borrower, Stats};
use crate::times::PoolTimes;

/// How many borrowers an error names.
const NAMED: usize = 3;

/// The pool at the moment an acquire failed.
#[derive(Debug)]
pub(crate) struct Snapshot<F> {
    pub(crate) stats: Stats,
    /// Why the last attempt to open failed, unless one has succeeded since.
    pub(crate) last_failure: Option<F>,
    pub(crate) longest_held: Vec<Borrower>,
}

impl<C, W, F: Clone> Ledger<C, W, F> {
    pub(crate) fn snapshot(&self, now: Moment) -> Snapshot<F> {
        let mut longest_held = self.borrowers(now);
        longest_held.truncate(NAMED);
        Snapshot { stats: self.stats(now), last_failure: self.outage.last.clone(), longest_held }
    }

    /// All leases that are out, the longest held first.
    pub(crate) fn borrowers(&self, now: Moment) -> Vec<Borrower> {
        let mut borrowers = Vec::new();
        self.front.shelf.each_loan(|since, location| {
            borrowers.push(Borrower { location, held: now.saturating_duration_since(since) });
        });
        borrowers.sort_by_key(|borrower| (std::cmp::Reverse(borrower.held), position_of(borrower.location)));
        borrowers
    }

    pub(crate) fn stats(&self, now: Moment) -> Stats {
        let tally = self.slots.tally();
        let counters = &self.counters;
        let uses = self.front.shelf.use_counts();
        let idle = self.idle();
        let (waiting, oldest, cancelled) = {
            let queue = self.front.queue();
            (queue.len(), queue.iter().next().map(|first| first.since), queue.cancelled)
        };
        Stats {
            max: self.limit(),
            min: self.config.min,
            size: tally.open(),
            idle,
            in_use: tally.live - idle,
            in_care: tally.checking + tally.resetting,
            opening: tally.opening,
            closing: tally.closing + self.outside,
            waiting,
            oldest_wait: oldest.map(|since| now.saturating_duration_since(since)),
            failures_in_a_row: self.outage.failures,
            health: self.health(),
            suspended: self.mode == Mode::Suspended,
            acquired: uses.acquired,
            acquired_new: uses.acquired_new,
            cancelled,
            timeouts: counters.timeouts,
            shed: counters.shed,
            refused: counters.refused,
            opened: counters.opened,
            open_failures: counters.open_failures,
            validated: counters.validated,
            validation_failures: counters.validation_failures,
            resets: counters.resets,
            reset_failures: counters.reset_failures,
            leaked: counters.leaked,
            wait_total: uses.waited,
            use_total: uses.used,
            open_total: counters.opens.total(),
            closed: counters.closed,
        }
    }

    /// How long things took.
    pub(crate) fn times(&self) -> PoolTimes {
        let HeldTimes { all: held, mut sites } = self.front.shelf.held_times();
        sites.sort_by_key(|site| (std::cmp::Reverse(site.held.total()), position_of(site.location)));
        let mut wait = self.front.shelf.waits();
        // Who took what rested did not wait.
        wait.record_none(self.front.shelf.use_counts().acquired.saturating_sub(wait.count()));
        PoolTimes { wait, open: self.counters.opens.clone(), held, call_sites: sites }
    }

    /// What the caller at this position of the queue is waiting for.
    pub(super) fn phase_of(&self, position: usize) -> AcquirePhase {
        let tally = self.slots.tally();
        let retrying = tally.open() == 0 && self.outage.failures > 0;
        if position < tally.checking {
            AcquirePhase::Validate
        } else if position < tally.checking + tally.opening || retrying {
            self.slots.opening_phase()
        } else {
            AcquirePhase::Queue
        }
    }
}

fn position_of(location: &'static Location<'static>) -> (&'static str, u32) {
    (location.file(), location.line())
}
