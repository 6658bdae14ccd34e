//! What time alone does to a pool: idle connections go, aged ones are replaced, leaks are noticed, opening is tried again.

use std::collections::VecDeque;
use std::time::Duration;

use super::sizing::Sizing;
use super::slot::Phase;
use super::task::{Refusal, Task, Tasks};
use super::{Ledger, Mode};
use crate::clock::Moment;
use crate::shelf::Held;
use crate::stats::{Borrower, CloseReason};

/// Everything idle, the coldest first.
type Idle<C> = VecDeque<Box<Held<C>>>;

impl<C, W, F: Clone> Ledger<C, W, F> {
    /// Does everything that is due, and says when to come again. `None`: only when woken.
    pub(crate) fn tick(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) -> Option<Moment> {
        if self.mode == Mode::Closed {
            tasks.wake_housekeeper = false;
            return None;
        }
        self.turn_away(now, tasks);
        if self.mode == Mode::Lending {
            self.size_up(now, tasks);
        }
        let idle = self.take_all();
        let mut next = self.next_of_lent(now);
        if self.mode == Mode::Lending {
            self.slots.look_at_ages();
            // Warm is warm, however long it lasts.
            if self.fresh(now) >= self.warm_to {
                self.warm_to = 0;
            }
            let idle = self.shrink(idle, now, tasks);
            let idle = self.replace_aged(idle, now, tasks);
            let idle = self.keep_alive(idle, now, tasks);
            next = soonest(next, self.next_of_idle(&idle, now));
            self.put_all(idle);
            self.find_leaks(now, tasks);
            self.pump(now, tasks);
        } else {
            next = soonest(next, self.next_of_idle(&idle, now));
            self.put_all(idle);
        }
        tasks.wake_housekeeper = false;
        let ages = self.slots.iter().filter(|slot| slot.is_open()).filter_map(|slot| slot.aged_at);
        let sizing = self.sizing.as_ref().and_then(Sizing::next);
        next = ages.chain(self.outage.retry_at).chain(sizing).filter(|at| *at > now).chain(next).min();
        self.front.queue().plan(next, now)
    }

    /// Tells callers whose time is over what they waited for.
    fn turn_away(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        for (position, waiter) in self.front.out_of_time(now) {
            self.counters.timeouts += 1;
            let phase = self.phase_of(position);
            tasks.push(Task::Refuse { waiter, refusal: Refusal::OutOfTime { position, phase } });
        }
    }

    /// Closes what has been idle for too long, coldest first, and never below `min`.
    fn shrink(&mut self, mut idle: Idle<C>, now: Moment, tasks: &mut Tasks<C, W, F>) -> Idle<C> {
        let Some(limit) = self.config.idle_timeout else { return idle };
        while let Some(coldest) = idle.pop_front() {
            let tally = self.slots.tally();
            let too_long = now.saturating_duration_since(coldest.card.idle_since) >= limit;
            if !too_long || tally.open() + tally.opening <= self.config.min {
                idle.push_front(coldest);
                break;
            }
            self.close_in_place(*coldest, CloseReason::Idle, now, tasks);
        }
        idle
    }

    /// Closes idle connections that have reached their age, once `min` is held by younger ones; until then they are still
    /// lent, and [`pump`](Self::pump) opens their replacements. In a full pool there is no room for a replacement, so one
    /// at a time makes room for its own.
    fn replace_aged(&mut self, idle: Idle<C>, now: Moment, tasks: &mut Tasks<C, W, F>) -> Idle<C> {
        let replaced = self.fresh(now) - self.slots.tally().opening >= self.config.min;
        let mut kept = VecDeque::with_capacity(idle.len());
        for held in idle {
            let tally = self.slots.tally();
            let full = tally.occupied() >= self.limit() && tally.closing == 0;
            if held.card.is_retired(now) || held.card.is_aged(now) && (replaced || full) {
                self.close_in_place(*held, CloseReason::Lifetime, now, tasks);
            } else {
                kept.push_back(held);
            }
        }
        kept
    }

    /// As [`tick`](Self::tick) does, as soon as a younger connection is there.
    pub(super) fn replace_any_aged(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        if self.slots.first_age().is_some_and(|first| first <= now) {
            let idle = self.take_all();
            let idle = self.replace_aged(idle, now, tasks);
            self.put_all(idle);
        }
    }

    /// Checks idle connections that have not been used for so long that something on the way may forget them.
    fn keep_alive(&mut self, idle: Idle<C>, now: Moment, tasks: &mut Tasks<C, W, F>) -> Idle<C> {
        let Some(period) = self.config.keepalive else { return idle };
        let mut kept = VecDeque::with_capacity(idle.len());
        for held in idle {
            if now.saturating_duration_since(held.card.proven_at) >= period {
                self.slots.turn(&held.seat, Phase::Checking { slow: false });
                tasks.push(Task::Check(held));
            } else {
                kept.push_back(held);
            }
        }
        kept
    }

    fn find_leaks(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        let Some(threshold) = self.config.leak_threshold else { return };
        let counters = &mut self.counters;
        self.front.shelf.find_leaks(
            |since| now.saturating_duration_since(since) >= threshold,
            |since, location| {
                counters.leaked += 1;
                tasks.push(Task::Leaked(Borrower { location, held: now.saturating_duration_since(since) }));
            },
        );
    }

    /// When a loan passes the leak threshold, or something that is lent or lies down from now on may need somebody.
    ///
    /// It is never later than the shortest period of the configuration, so that nothing which starts to lie idle, age or
    /// leak after this was computed can be missed, and coming and going connections need not wake anybody.
    fn next_of_lent(&self, now: Moment) -> Option<Moment> {
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
        let mut next = shortest.and_then(|period| now.checked_add(period));
        if let Some(threshold) = config.leak_threshold {
            self.front.shelf.each_loan(|since, _| {
                next = soonest(next, since.checked_add(threshold).filter(|at| *at > now));
            });
        }
        next
    }

    /// When something happens to what lies idle.
    fn next_of_idle(&self, idle: &Idle<C>, now: Moment) -> Option<Moment> {
        let tally = self.slots.tally();
        let may_shrink = tally.open() + tally.opening > self.config.min;
        let (keepalive, idle_timeout) = (self.config.keepalive, self.config.idle_timeout.filter(|_| may_shrink));
        let moments = idle.iter().flat_map(|held| {
            let card = &held.card;
            [
                card.retired_at,
                keepalive.and_then(|period| card.proven_at.checked_add(period)),
                idle_timeout.and_then(|limit| card.idle_since.checked_add(limit)),
            ]
        });
        moments.flatten().filter(|at| *at > now).min()
    }
}

fn soonest(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    one.into_iter().chain(other).min()
}
