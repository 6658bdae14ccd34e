//! What time alone does to a pool: idle connections go, aged ones are replaced, leaks are noticed, opening is tried again.

use std::time::Duration;

use tokio::time::Instant;

use super::slot::Phase;
use super::task::{Task, Tasks};
use super::{Ledger, Mode};
use crate::stats::{Borrower, CloseReason};

impl<C, W, F: Clone> Ledger<C, W, F> {
    /// Does everything that is due, and says when to come again. `None`: only when woken.
    pub(crate) fn tick(&mut self, now: Instant, tasks: &mut Tasks<C, W, F>) -> Option<Instant> {
        if self.mode == Mode::Lending {
            self.shrink(now, tasks);
            self.replace_aged(now, tasks);
            self.find_leaks(now, tasks);
            self.pump(now, tasks);
        }
        tasks.wake_housekeeper = false;
        self.next_due(now)
    }

    /// Closes what has been idle for too long, coldest first, and never below `min`.
    fn shrink(&mut self, now: Instant, tasks: &mut Tasks<C, W, F>) {
        let Some(limit) = self.config.idle_timeout else { return };
        while let Some(&coldest) = self.idle.first() {
            let tally = self.slots.tally();
            let idle_for = now.saturating_duration_since(self.slots.at(coldest).idle_since);
            if idle_for < limit || tally.open() + tally.opening <= self.config.min {
                return;
            }
            self.idle.remove(0);
            self.close_idle(coldest, CloseReason::Idle, now, tasks);
        }
    }

    /// Closes idle connections that have reached their age, once `min` is held by younger ones; until then they are still
    /// lent, and [`pump`](Self::pump) opens their replacements. In a full pool there is no room for a replacement, so one
    /// at a time makes room for its own.
    pub(super) fn replace_aged(&mut self, now: Instant, tasks: &mut Tasks<C, W, F>) {
        if self.config.max_lifetime.is_none() {
            return;
        }
        let replaced = self.fresh(now) - self.slots.tally().opening >= self.config.min;
        let mut next = 0;
        while let Some(&place) = self.idle.get(next) {
            let tally = self.slots.tally();
            let full = tally.occupied() >= self.config.max && tally.closing == 0;
            let slot = self.slots.at(place);
            let over = slot.retired_at.is_some_and(|at| at <= now);
            if over || slot.is_aged(now) && (replaced || full) {
                self.idle.remove(next);
                self.close_idle(place, CloseReason::Lifetime, now, tasks);
            } else {
                next += 1;
            }
        }
    }

    fn find_leaks(&mut self, now: Instant, tasks: &mut Tasks<C, W, F>) {
        let Some(threshold) = self.config.leak_threshold else { return };
        for slot in self.slots.iter_mut() {
            if let Phase::Lent(loan) = &mut slot.phase {
                let held = now.saturating_duration_since(loan.since);
                if !loan.leaked && held >= threshold {
                    loan.leaked = true;
                    self.counters.leaked += 1;
                    tasks.push(Task::Leaked(Borrower { location: loan.location, held }));
                }
            }
        }
    }

    /// The next moment at which time alone changes something.
    ///
    /// It is never later than the shortest period of the configuration, so that nothing which starts to lie idle, age or
    /// leak after this was computed can be missed, and coming and going connections need not wake anybody.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        if self.mode != Mode::Lending {
            return None;
        }
        let config = &self.config;
        let shortest: Option<Duration> =
            [config.idle_timeout, config.max_lifetime.map(|lifetime| lifetime - lifetime / 10), config.leak_threshold]
                .into_iter()
                .flatten()
                .min();

        let tally = self.slots.tally();
        let may_shrink = tally.open() + tally.opening > config.min;
        let per_slot = self.slots.iter().flat_map(|slot| {
            let idle = matches!(slot.phase, Phase::Idle(_));
            let shrink =
                config.idle_timeout.filter(|_| idle && may_shrink).and_then(|limit| slot.idle_since.checked_add(limit));
            let leak = match &slot.phase {
                Phase::Lent(loan) if !loan.leaked => {
                    config.leak_threshold.and_then(|limit| loan.since.checked_add(limit))
                }
                _ => None,
            };
            let aged = slot.aged_at.filter(|_| slot.is_open());
            let retired = slot.retired_at.filter(|_| idle);
            [shrink, leak, aged, retired].into_iter().flatten()
        });
        per_slot
            .chain(self.outage.retry_at)
            .chain(shortest.and_then(|period| now.checked_add(period)))
            .filter(|&at| at > now)
            .min()
    }
}
