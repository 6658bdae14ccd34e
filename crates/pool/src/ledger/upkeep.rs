//! What time alone does to a pool: idle connections go, aged ones are replaced, leaks are noticed, opening is tried again.

use std::time::Duration;

use super::slot::Phase;
use super::task::{Refusal, Task, Tasks};
use super::{Ledger, Mode};
use crate::clock::Moment;
use crate::shelf::{Card, Seen};
use crate::stats::{Borrower, CloseReason};

impl<C, W, F: Clone> Ledger<C, W, F> {
    /// Does everything that is due, and says when to come again. `None`: only when woken.
    pub(crate) fn tick(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) -> Option<Moment> {
        if self.mode != Mode::Closed {
            self.turn_away(now, tasks);
        }
        if self.mode == Mode::Lending {
            self.slots.look_at_ages();
            // Warm is warm, however long it lasts.
            if self.fresh(now) >= self.warm_to {
                self.warm_to = 0;
            }
            self.shrink(now, tasks);
            self.replace_aged(now, tasks);
            self.find_leaks(now, tasks);
            self.keep_alive(now, tasks);
            self.pump(now, tasks);
        }
        tasks.wake_housekeeper = false;
        self.planned = self.next_due(now);
        self.planned
    }

    /// Tells callers whose time is over what they waited for.
    fn turn_away(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        let mut position = 0;
        while let Some(waiter) = self.waiters.get(position) {
            if waiter.deadline > now {
                position += 1;
                continue;
            }
            let phase = self.phase_of(position);
            if let Some(waiter) = self.waiters.remove(position) {
                self.counters.timeouts += 1;
                tasks.push(Task::Refuse { waiter: waiter.handle, refusal: Refusal::OutOfTime { position, phase } });
            }
        }
    }

    /// Closes what has been idle for too long, coldest first, and never below `min`.
    fn shrink(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        let Some(limit) = self.config.idle_timeout else { return };
        let too_long = |card: &Card| now.saturating_duration_since(card.idle_since) >= limit;
        if !self.any_idle(too_long) {
            return;
        }
        let mut idle = self.take_all();
        while let Some(coldest) = idle.pop_front() {
            let tally = self.slots.tally();
            if !too_long(&self.shelf.card(&coldest.seat)) || tally.open() + tally.opening <= self.config.min {
                idle.push_front(coldest);
                break;
            }
            self.close_in_place(coldest, CloseReason::Idle, now, tasks);
        }
        self.put_all(idle);
    }

    fn any_idle(&self, is_due: impl Fn(&Card) -> bool) -> bool {
        let mut found = false;
        self.shelf.each(|seen| {
            if let Seen::Idle(card) = seen {
                found |= is_due(card);
            }
        });
        found
    }

    /// Closes idle connections that have reached their age, once `min` is held by younger ones; until then they are still
    /// lent, and [`pump`](Self::pump) opens their replacements. In a full pool there is no room for a replacement, so one
    /// at a time makes room for its own.
    pub(super) fn replace_aged(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        if self.config.max_lifetime.is_none() || !self.any_idle(|card| card.is_aged(now)) {
            return;
        }
        let replaced = self.fresh(now) - self.slots.tally().opening >= self.config.min;
        for held in self.take_all() {
            let tally = self.slots.tally();
            let full = tally.occupied() >= self.config.max && tally.closing == 0;
            let card = self.shelf.card(&held.seat);
            if card.is_retired(now) || card.is_aged(now) && (replaced || full) {
                self.close_in_place(held, CloseReason::Lifetime, now, tasks);
            } else {
                self.shelf.put(held, None);
            }
        }
    }

    /// Checks idle connections that have not been used for so long that something on the way may forget them.
    fn keep_alive(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        let Some(period) = self.config.keepalive else { return };
        let is_due = |card: &Card| now.saturating_duration_since(card.proven_at) >= period;
        if !self.any_idle(is_due) {
            return;
        }
        for held in self.take_all() {
            if is_due(&self.shelf.card(&held.seat)) {
                self.slots.turn(&held.seat, Phase::Checking { slow: false });
                tasks.push(Task::Check(held));
            } else {
                self.shelf.put(held, None);
            }
        }
    }

    fn find_leaks(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        let Some(threshold) = self.config.leak_threshold else { return };
        let shelf = self.shelf.clone();
        shelf.each(|seen| {
            if let Seen::Lent(loan) = seen {
                let held = now.saturating_duration_since(loan.since);
                if !loan.leaked && held >= threshold {
                    loan.leaked = true;
                    self.counters.leaked += 1;
                    tasks.push(Task::Leaked(Borrower { location: loan.location, held }));
                }
            }
        });
    }

    /// The next moment at which time alone changes something.
    ///
    /// It is never later than the shortest period of the configuration, so that nothing which starts to lie idle, age or
    /// leak after this was computed can be missed, and coming and going connections need not wake anybody.
    fn next_due(&self, now: Moment) -> Option<Moment> {
        if self.mode == Mode::Closed {
            return None;
        }
        let config = &self.config;
        let shortest: Option<Duration> = [
            config.idle_timeout,
            config.max_lifetime.map(|lifetime| lifetime - lifetime / 10),
            config.leak_threshold,
            config.keepalive,
        ]
        .into_iter()
        .flatten()
        .min();

        let tally = self.slots.tally();
        let may_shrink = tally.open() + tally.opening > config.min;
        let mut next = shortest.and_then(|period| now.checked_add(period));
        let mut due = |at: Option<Moment>| {
            if let Some(at) = at.filter(|&at| at > now) {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        };
        due(self.outage.retry_at);
        // With one limit for all, the first in the queue is the first to run out of time; a call may have a limit of its own.
        self.waiters.iter().for_each(|waiter| due(Some(waiter.deadline)));
        self.slots.iter().filter(|slot| slot.is_open()).for_each(|slot| due(slot.aged_at));
        self.shelf.each(|seen| match seen {
            Seen::Idle(card) => {
                due(card.retired_at);
                due(config.keepalive.and_then(|period| card.proven_at.checked_add(period)));
                due(config.idle_timeout.filter(|_| may_shrink).and_then(|limit| card.idle_since.checked_add(limit)));
            }
            Seen::Lent(loan) if !loan.leaked => {
                due(config.leak_threshold.and_then(|limit| loan.since.checked_add(limit)));
            }
            Seen::Lent(_) => {}
        });
        next
    }
}
