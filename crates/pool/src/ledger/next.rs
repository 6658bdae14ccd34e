//! Who or what is next: the connection that has just become free, and the callers nothing is on its way to yet.

use tokio::time::Instant;

use super::slot::{Loan, Phase, Seat};
use super::task::{Place, Task, Tasks};
use super::{Ledger, Mode};
use crate::stats::CloseReason;

impl<C, W, F: Clone> Ledger<C, W, F> {
    /// A connection is fit to be lent: to the first in the queue, after a check where it has not proved to work lately, or
    /// to lie idle; unless its time is over.
    pub(super) fn settle(&mut self, seat: Seat, connection: C, now: Instant, tasks: &mut Tasks<C, W, F>) {
        if let Some(reason) = self.retirement(seat.0, now) {
            self.close_in_place(seat, connection, reason, now, tasks);
            self.pump(now, tasks);
            return;
        }
        if !self.waiters.is_empty() && self.is_stale(seat.0, now) {
            self.slots.turn(seat.0, Phase::Checking { slow: false });
            tasks.push(Task::Check { seat, connection });
            return;
        }
        if let Some(waiter) = self.waiters.pop_front() {
            let waited = now.saturating_duration_since(waiter.since);
            let loan = Loan { since: now, location: waiter.location, waited, leaked: false };
            self.slots.turn(seat.0, Phase::Lent(loan));
            self.count_loan(seat.0, &loan);
            tasks.push(Task::Deliver { waiter: waiter.handle, seat, connection, waited });
            return;
        }
        let slot = self.slots.at_mut(seat.0);
        slot.idle_since = now;
        // It aged while it was lent, when the housekeeper could do nothing about it.
        tasks.wake_housekeeper |= slot.is_aged(now);
        self.slots.turn(seat.0, Phase::Idle(connection));
        self.idle.push(seat.0);
    }

    /// Lends an idle connection that has been taken off the idle list.
    pub(super) fn lend(&mut self, place: usize, loan: Loan) -> (Seat, C) {
        let lent = self.pick_up(place, Phase::Lent(loan));
        self.count_loan(place, &loan);
        lent
    }

    /// Puts an idle slot, which has been taken off the idle list, to another use.
    fn pick_up(&mut self, place: usize, phase: Phase<C>) -> (Seat, C) {
        match self.slots.turn(place, phase) {
            Phase::Idle(connection) => (Seat(place), connection),
            other => unreachable!("the idle list named a slot that was {}", other.name()),
        }
    }

    fn count_loan(&mut self, place: usize, loan: &Loan) {
        let slot = self.slots.at_mut(place);
        self.counters.acquired += 1;
        self.counters.acquired_new += u64::from(slot.uses == 0);
        self.counters.wait_total += loan.waited;
        slot.uses += 1;
    }

    /// Starts whatever is needed so that every caller has something coming, and `min` connections are there.
    ///
    /// A caller counts as served by a connection that is being opened, checked or reset, whoever that was begun for: what
    /// is not needed any more when its turn comes is never begun.
    pub(super) fn pump(&mut self, now: Instant, tasks: &mut Tasks<C, W, F>) {
        while self.mode == Mode::Lending {
            if self.waiters.len() > self.slots.tally().coming() {
                if let Some(place) = self.idle.pop() {
                    let (seat, connection) = self.pick_up(place, Phase::Checking { slow: false });
                    self.settle(seat, connection, now, tasks);
                    continue;
                }
            } else if !self.wants_refill(now) {
                return;
            }
            if !self.may_open(now) {
                // Full, or busy opening: what ends that calls here again. Only a pause needs the clock.
                tasks.wake_housekeeper |= self.outage.retry_at.is_some_and(|at| at > now);
                return;
            }
            let seat = self.slots.claim(self.generation, now);
            tasks.push(Task::Open { seat });
        }
    }

    /// Whether `min` asks for one more connection. After a permanent failure only callers make the pool try again.
    fn wants_refill(&self, now: Instant) -> bool {
        !self.outage.permanent && self.fresh(now) < self.config.min
    }

    fn may_open(&self, now: Instant) -> bool {
        let tally = self.slots.tally();
        // After a failure one attempt feels its way before others follow.
        let at_once = if self.outage.failures > 0 { 1 } else { self.config.max_connecting };
        tally.opening < at_once && tally.occupied() < self.config.max && self.outage.retry_at.is_none_or(|at| at <= now)
    }

    /// Connections that are there or on their way and have not reached their age.
    pub(super) fn fresh(&self, now: Instant) -> usize {
        let tally = self.slots.tally();
        if self.config.max_lifetime.is_none() {
            return tally.open() + tally.opening;
        }
        self.slots.iter().filter(|slot| slot.is_open() && !slot.is_aged(now)).count() + tally.opening
    }

    /// The failure to tell at once, when asking again so soon cannot help and nobody else can serve.
    pub(super) fn hopeless(&self, now: Instant) -> Option<F> {
        let tally = self.slots.tally();
        let pausing = self.outage.retry_at.is_some_and(|at| at > now);
        if self.outage.permanent && pausing && tally.open() + tally.opening == 0 {
            return self.outage.last.clone();
        }
        None
    }

    /// Whether one more caller would be one too many. Callers who have something coming of their own do not count.
    pub(super) fn is_crowded(&self) -> bool {
        let Some(most) = self.config.max_waiters else { return false };
        let tally = self.slots.tally();
        let room = self.config.max.saturating_sub(tally.occupied());
        let served = tally.coming() + tally.idle + room;
        self.waiters.len() >= served.saturating_add(most)
    }

    /// Why a connection must not be lent again.
    pub(super) fn retirement(&self, place: usize, now: Instant) -> Option<CloseReason> {
        let slot = self.slots.at(place);
        if self.mode != Mode::Lending {
            Some(CloseReason::PoolClosed)
        } else if slot.generation != self.generation {
            Some(CloseReason::Evicted)
        } else if slot.retired_at.is_some_and(|at| at <= now) {
            Some(CloseReason::Lifetime)
        } else if self.is_oversized() {
            Some(CloseReason::Resized)
        } else {
            None
        }
    }

    pub(super) fn is_oversized(&self) -> bool {
        let tally = self.slots.tally();
        tally.open() + tally.opening > self.config.max
    }

    pub(super) fn is_stale(&self, place: usize, now: Instant) -> bool {
        now.saturating_duration_since(self.slots.at(place).proven_at) > self.config.validate_after
    }

    // ---- going -------------------------------------------------------------------------------------------------

    /// Closes an idle connection that has been taken off the idle list.
    pub(super) fn close_idle(&mut self, place: usize, reason: CloseReason, now: Instant, tasks: &mut Tasks<C, W, F>) {
        let (seat, connection) = self.pick_up(place, Phase::Closing);
        self.say_goodbye(place, Place::Seat(seat), connection, reason, now, tasks);
    }

    pub(super) fn close_all_idle(&mut self, reason: CloseReason, now: Instant, tasks: &mut Tasks<C, W, F>) {
        for place in std::mem::take(&mut self.idle) {
            self.close_idle(place, reason, now, tasks);
        }
    }

    /// Closes a working connection; its slot is free once that is done.
    pub(super) fn close_in_place(
        &mut self,
        seat: Seat,
        connection: C,
        reason: CloseReason,
        now: Instant,
        tasks: &mut Tasks<C, W, F>,
    ) {
        self.slots.turn(seat.0, Phase::Closing);
        self.say_goodbye(seat.0, Place::Seat(seat), connection, reason, now, tasks);
    }

    /// Closes a connection that is of no use; its slot is free at once, for the replacement somebody may wait for.
    pub(super) fn close_outside(
        &mut self,
        seat: Seat,
        connection: C,
        reason: CloseReason,
        now: Instant,
        tasks: &mut Tasks<C, W, F>,
    ) {
        self.outside += 1;
        self.say_goodbye(seat.0, Place::Outside, connection, reason, now, tasks);
        self.slots.turn(seat.0, Phase::Vacant);
        self.pump(now, tasks);
    }

    fn say_goodbye(
        &mut self,
        slot: usize,
        place: Place,
        connection: C,
        reason: CloseReason,
        now: Instant,
        tasks: &mut Tasks<C, W, F>,
    ) {
        self.counters.closed[reason as usize] += 1;
        let slot = self.slots.at(slot);
        let age = now.saturating_duration_since(slot.opened_at);
        tasks.push(Task::Close { place, connection, reason, age, uses: slot.uses });
    }
}
