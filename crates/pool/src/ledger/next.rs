//! Who or what is next: the connection that has just become free, and the callers nothing is on its way to yet.

use std::collections::VecDeque;

use super::slot::Phase;
use super::task::{Place, Task, Tasks};
use super::{Ledger, Mode};
use crate::clock::Moment;
use crate::config::WhenDown;
use crate::shelf::{Card, Held};
use crate::stats::CloseReason;

impl<C, W, F: Clone> Ledger<C, W, F> {
    /// A connection is fit to be lent: to the first in the queue, after a check where it has not proved to work lately, or
    /// to lie idle; unless its time is over.
    pub(super) fn settle(&mut self, mut held: Box<Held<C>>, now: Moment, tasks: &mut Tasks<C, W, F>) {
        if let Some(reason) = self.retirement(&held.card, now) {
            self.close_in_place(*held, reason, now, tasks);
            self.pump(now, tasks);
            return;
        }
        let lends = self.mode == Mode::Lending;
        if lends && self.front.shelf.is_stale(&held.card, now) && self.waiting() > 0 {
            self.slots.turn(&held.seat, Phase::Checking { slow: false });
            tasks.push(Task::Check(held));
            return;
        }
        self.slots.turn(&held.seat, Phase::Live);
        self.arrange();
        if let Some((waiter, wait, loan)) = self.front.next(held.card.epoch, now) {
            self.front.shelf.begin_after(wait, &mut held, loan);
            tasks.push(Task::Deliver { waiter, held, waited: wait.time });
            return;
        }
        // It aged while it was lent, when the housekeeper could do nothing about it.
        tasks.wake_housekeeper |= held.card.is_aged(now);
        self.front.shelf.put(held);
    }

    /// Starts whatever is needed so that every caller has something coming, and `min` connections are there.
    ///
    /// A caller counts as served by a connection that is being opened, checked or reset, whoever that was begun for: what
    /// is not needed any more when its turn comes is never begun.
    pub(crate) fn pump(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        while self.mode == Mode::Lending {
            if self.waiting() > self.slots.tally().coming() {
                if let Some(held) = self.front.shelf.take() {
                    self.settle(held, now, tasks);
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
            let (seat, progress) = self.slots.claim(self.epoch);
            self.front.shelf.make_room(seat.0);
            tasks.push(Task::Open { seat, progress });
        }
    }

    /// Whether `min` asks for one more connection. After a permanent failure only callers make the pool try again.
    fn wants_refill(&self, now: Moment) -> bool {
        !self.outage.permanent && self.fresh(now) < self.config.min.max(self.warm_to).min(self.limit())
    }

    fn may_open(&self, now: Moment) -> bool {
        let tally = self.slots.tally();
        // After a failure one attempt feels its way before others follow.
        let at_once = if self.outage.failures > 0 { 1 } else { self.config.max_connecting };
        tally.opening < at_once && tally.occupied() < self.limit() && self.outage.retry_at.is_none_or(|at| at <= now)
    }

    /// Connections that are there or on their way and have not reached their age.
    pub(super) fn fresh(&self, now: Moment) -> usize {
        let tally = self.slots.tally();
        if self.slots.first_age().is_none_or(|first| first > now) {
            return tally.open() + tally.opening;
        }
        self.slots.iter().filter(|slot| slot.is_open() && !slot.is_aged(now)).count() + tally.opening
    }

    /// The failure to tell at once, when asking again so soon cannot help and nobody else can serve.
    pub(super) fn hopeless(&self, now: Moment) -> Option<F> {
        let tally = self.slots.tally();
        let pausing = self.outage.retry_at.is_some_and(|at| at > now);
        let fails = self.outage.permanent || self.config.when_down == WhenDown::Fail;
        if fails && pausing && tally.open() + tally.opening == 0 {
            return self.outage.last.clone();
        }
        None
    }

    /// Whether one more caller would be one too many. Callers who have something coming of their own do not count.
    pub(super) fn is_crowded(&self) -> bool {
        let Some(most) = self.config.max_waiters else { return false };
        let tally = self.slots.tally();
        let room = self.limit().saturating_sub(tally.occupied());
        let served = tally.coming() + self.idle() + room;
        self.waiting() >= served.saturating_add(most)
    }

    /// Why a connection must not be lent again.
    pub(super) fn retirement(&self, card: &Card, now: Moment) -> Option<CloseReason> {
        if self.mode == Mode::Closed {
            Some(CloseReason::PoolClosed)
        } else if card.epoch != self.epoch {
            Some(CloseReason::Evicted)
        } else if card.is_retired(now) {
            Some(CloseReason::Lifetime)
        } else if self.is_oversized() {
            Some(CloseReason::Resized)
        } else {
            None
        }
    }

    pub(super) fn is_oversized(&self) -> bool {
        let tally = self.slots.tally();
        tally.open() + tally.opening > self.limit()
    }

    /// How many lie idle.
    pub(super) fn idle(&self) -> usize {
        let mut lent = 0;
        self.front.shelf.each_loan(|_, _| lent += 1);
        // Lending goes on while this is counted.
        self.slots.tally().live.saturating_sub(lent)
    }

    // ---- going -------------------------------------------------------------------------------------------------

    /// Everything idle, the coldest first.
    pub(super) fn take_all(&mut self) -> VecDeque<Box<Held<C>>> {
        let mut all = VecDeque::new();
        while let Some(held) = self.front.shelf.take() {
            all.push_front(held);
        }
        all
    }

    /// Puts back what [`take_all`](Self::take_all) took, in the same order.
    pub(super) fn put_all(&mut self, all: VecDeque<Box<Held<C>>>) {
        for held in all {
            self.front.shelf.put(held);
        }
    }

    pub(super) fn close_all_idle(&mut self, reason: CloseReason, now: Moment, tasks: &mut Tasks<C, W, F>) {
        for held in self.take_all() {
            self.close_in_place(*held, reason, now, tasks);
        }
    }

    /// Closes a working connection; its place is free once that is done.
    pub(super) fn close_in_place(
        &mut self,
        held: Held<C>,
        reason: CloseReason,
        now: Moment,
        tasks: &mut Tasks<C, W, F>,
    ) {
        let Held { seat, connection, card, .. } = held;
        self.slots.turn(&seat, Phase::Closing);
        self.say_goodbye(Place::Seat(seat), &card, connection, reason, now, tasks);
    }

    /// Closes a connection that is of no use; its place is free at once, for the replacement somebody may wait for.
    pub(super) fn close_outside(
        &mut self,
        held: Held<C>,
        reason: CloseReason,
        now: Moment,
        tasks: &mut Tasks<C, W, F>,
    ) {
        let Held { seat, connection, card, .. } = held;
        self.outside += 1;
        self.say_goodbye(Place::Outside, &card, connection, reason, now, tasks);
        self.slots.vacate(seat);
        self.pump(now, tasks);
    }

    fn say_goodbye(
        &mut self,
        place: Place,
        card: &Card,
        connection: C,
        reason: CloseReason,
        now: Moment,
        tasks: &mut Tasks<C, W, F>,
    ) {
        self.counters.closed[reason as usize] += 1;
        let age = now.saturating_duration_since(card.opened_at);
        tasks.push(Task::Close { place, connection, reason, age, uses: card.uses });
    }
}
