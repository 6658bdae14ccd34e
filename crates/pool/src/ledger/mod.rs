//! Who has which connection, who waits, and what happens next: the pool's whole state as plain data.
//!
//! Nothing here awaits, calls foreign code or reads a clock. Every step takes the time (and a draw of chance where one is
//! needed) as an argument and leaves what is to be done in [`Tasks`]; the caller holds a short lock around the step and
//! carries the tasks out after it.
//!
//! Two rules hold between any two steps, and the model tests walk all small cases to prove it: no connection lies idle
//! while there are more callers waiting than connections coming; and whoever waits has something to wait for: a
//! connection that is lent, being opened, checked, reset or closed, or a moment at which opening is tried again.

#[cfg(test)]
mod model;
mod next;
mod report;
mod slot;
mod task;
mod upkeep;

use std::collections::VecDeque;
use std::panic::Location;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use self::report::Snapshot;
pub(crate) use self::slot::Seat;
use self::slot::{Loan, Phase, Slots};
pub(crate) use self::task::{Place, Refusal, Task, Tasks};
use crate::backoff;
use crate::config::Config;
use crate::error::AcquirePhase;
use crate::manage::State;
use crate::stats::{Borrower, CloseReason, Counters};

/// The state of a pool of connections `C`, with waiting callers `W` and open failures `F`.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Ledger<C, W, F> {
    config: Config,
    mode: Mode,
    /// Raised to evict every connection opened before.
    generation: u64,
    slots: Slots<C>,
    /// Idle slots, the one used last at the end.
    idle: Vec<usize>,
    waiters: VecDeque<Waiter<W>>,
    next_waiter: u64,
    /// Broken connections that are being closed outside any slot.
    outside: usize,
    outage: Outage<F>,
    counters: Counters,
}

/// Whether the pool lends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Lending,
    Closed,
}

/// A caller in the queue.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Waiter<W> {
    id: WaiterId,
    handle: W,
    since: Instant,
    location: &'static Location<'static>,
}

/// Names one caller in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WaiterId(u64);

/// What is known about not being able to open connections.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Outage<F> {
    failures: u32,
    /// The earliest next attempt.
    retry_at: Option<Instant>,
    /// The last failure; gone once an open succeeds.
    last: Option<F>,
    permanent: bool,
}

/// How much a caller wants proven before an idle connection is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Only what worked a short time ago.
    Proven,
    /// Whatever is idle.
    AsIs,
}

/// What a caller who asked gets.
#[derive(Debug)]
pub(crate) enum Join<C, F> {
    Lent(Seat, C),
    Queued(WaiterId),
    Refused(Refusal<F>),
}

impl<C, W, F: Clone> Ledger<C, W, F> {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            mode: Mode::Lending,
            generation: 0,
            slots: Slots::new(),
            idle: Vec::new(),
            waiters: VecDeque::new(),
            next_waiter: 0,
            outside: 0,
            outage: Outage { failures: 0, retry_at: None, last: None, permanent: false },
            counters: Counters::default(),
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    // ---- asking ------------------------------------------------------------------------------------------------

    /// Lends an idle connection if one may be lent now and nobody waits for it.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        location: &'static Location<'static>,
        trust: Trust,
        tasks: &mut Tasks<C, W, F>,
    ) -> Option<(Seat, C)> {
        if self.mode != Mode::Lending || !self.waiters.is_empty() {
            return None;
        }
        while let Some(&place) = self.idle.last() {
            if let Some(reason) = self.retirement(place, now) {
                self.idle.pop();
                self.close_idle(place, reason, now, tasks);
                self.pump(now, tasks);
                continue;
            }
            if trust == Trust::Proven && self.is_stale(place, now) {
                return None;
            }
            self.idle.pop();
            let loan = Loan { since: now, location, waited: Duration::ZERO, leaked: false };
            return Some(self.lend(place, loan));
        }
        None
    }

    /// Lends as [`take`](Self::take) does, or puts the caller at the end of the queue and starts what will serve it.
    pub(crate) fn join(
        &mut self,
        now: Instant,
        since: Instant,
        location: &'static Location<'static>,
        handle: W,
        tasks: &mut Tasks<C, W, F>,
    ) -> Join<C, F> {
        if let Some((seat, connection)) = self.take(now, location, Trust::Proven, tasks) {
            return Join::Lent(seat, connection);
        }
        if self.mode != Mode::Lending {
            return Join::Refused(Refusal::Closed);
        }
        if let Some(failure) = self.hopeless(now) {
            self.counters.refused += 1;
            return Join::Refused(Refusal::OpenFailed(failure));
        }
        if self.is_crowded() {
            self.counters.shed += 1;
            return Join::Refused(Refusal::Shed);
        }
        let id = WaiterId(self.next_waiter);
        self.next_waiter += 1;
        self.waiters.push_back(Waiter { id, handle, since, location });
        self.pump(now, tasks);
        Join::Queued(id)
    }

    /// Takes a caller out of the queue. `None`: it is no longer there, so something is on its way to it.
    pub(crate) fn leave(&mut self, id: WaiterId, why: Leaving) -> Option<Left<W>> {
        // Ids only grow and the queue keeps their order.
        let position = self.waiters.binary_search_by_key(&id, |waiter| waiter.id).ok()?;
        let phase = self.phase_of(position);
        let waiter = self.waiters.remove(position)?;
        match why {
            Leaving::OutOfTime => self.counters.timeouts += 1,
            Leaving::Gone => self.counters.cancelled += 1,
        }
        Some(Left { handle: waiter.handle, position, phase })
    }

    // ---- coming back -------------------------------------------------------------------------------------------

    /// A borrower is done. `proven`: when the connection last worked, if the borrower used it.
    pub(crate) fn give_back(
        &mut self,
        seat: Seat,
        connection: C,
        state: State,
        proven: Option<Instant>,
        now: Instant,
        tasks: &mut Tasks<C, W, F>,
    ) -> Return {
        let returned = self.end_loan(&seat, now);
        if let Some(at) = proven {
            let slot = self.slots.at_mut(seat.0);
            slot.proven_at = slot.proven_at.max(at);
        }
        self.sort(seat, connection, state, now, tasks);
        returned
    }

    /// A connection that was lent never reached its caller, or turned out unfit before it did: as if it had not been lent.
    pub(crate) fn undelivered(
        &mut self,
        seat: Seat,
        connection: C,
        state: State,
        now: Instant,
        tasks: &mut Tasks<C, W, F>,
    ) {
        if let Phase::Lent(loan) = &self.slots.at(seat.0).phase {
            let waited = loan.waited;
            let slot = self.slots.at_mut(seat.0);
            slot.uses -= 1;
            self.counters.acquired -= 1;
            self.counters.acquired_new -= u64::from(slot.uses == 0);
            self.counters.wait_total = self.counters.wait_total.saturating_sub(waited);
        }
        self.sort(seat, connection, state, now, tasks);
    }

    /// A borrower wants it closed.
    pub(crate) fn discard(&mut self, seat: Seat, connection: C, now: Instant, tasks: &mut Tasks<C, W, F>) -> Return {
        let returned = self.end_loan(&seat, now);
        self.close_outside(seat, connection, CloseReason::Discarded, now, tasks);
        returned
    }

    /// A borrower keeps it for good.
    pub(crate) fn detach(&mut self, seat: Seat, now: Instant, tasks: &mut Tasks<C, W, F>) -> Return {
        let returned = self.end_loan(&seat, now);
        self.counters.closed[CloseReason::Detached as usize] += 1;
        self.slots.turn(seat.0, Phase::Vacant);
        self.pump(now, tasks);
        returned
    }

    fn end_loan(&mut self, seat: &Seat, now: Instant) -> Return {
        match &self.slots.at(seat.0).phase {
            Phase::Lent(loan) => {
                let held = now.saturating_duration_since(loan.since);
                self.counters.use_total += held;
                Return { borrower: Borrower { location: loan.location, held }, leaked: loan.leaked }
            }
            other => unreachable!("a lease came back from a slot that was not lent but {}", other.name()),
        }
    }

    fn sort(&mut self, seat: Seat, connection: C, state: State, now: Instant, tasks: &mut Tasks<C, W, F>) {
        match state {
            State::Clean => self.settle(seat, connection, now, tasks),
            State::Broken => self.close_outside(seat, connection, CloseReason::Broken, now, tasks),
            State::NeedsReset => match self.retirement(seat.0, now) {
                Some(reason) => {
                    self.close_in_place(seat, connection, reason, now, tasks);
                    self.pump(now, tasks);
                }
                None => {
                    self.slots.turn(seat.0, Phase::Resetting { slow: false });
                    tasks.push(Task::Reset { seat, connection });
                    self.pump(now, tasks);
                }
            },
        }
    }

    // ---- what the pool's own tasks report ----------------------------------------------------------------------

    /// A connection was opened, after `took`. `chance` from 0 to 1 draws its lifetime.
    pub(crate) fn opened(
        &mut self,
        seat: Seat,
        connection: C,
        started: Instant,
        now: Instant,
        chance: f64,
        tasks: &mut Tasks<C, W, F>,
    ) {
        self.counters.opened += 1;
        self.counters.open_total += now.saturating_duration_since(started);
        self.outage = Outage { failures: 0, retry_at: None, last: None, permanent: false };
        let lifetime = self.config.max_lifetime.map(|most| most - (most / 10).mul_f64(chance.clamp(0.0, 1.0)));
        let slot = self.slots.at_mut(seat.0);
        slot.opened_at = now;
        slot.proven_at = now;
        slot.aged_at = lifetime.and_then(|lifetime| now.checked_add(lifetime));
        slot.retired_at = slot.aged_at.and_then(|at| at.checked_add(self.config.connect_timeout));
        self.settle(seat, connection, now, tasks);
        self.replace_aged(now, tasks);
        self.pump(now, tasks);
    }

    /// Opening failed. `permanent`: trying again cannot help.
    pub(crate) fn open_failed(
        &mut self,
        seat: Seat,
        failure: F,
        permanent: bool,
        now: Instant,
        chance: f64,
        tasks: &mut Tasks<C, W, F>,
    ) {
        self.note_failure(&failure, permanent, now, chance);
        self.slots.turn(seat.0, Phase::Vacant);
        let tally = self.slots.tally();
        let nobody_else = tally.open() == 0 && (permanent || tally.opening == 0);
        if nobody_else {
            self.counters.refused += self.waiters.len() as u64;
            self.refuse_all(&Refusal::OpenFailed(failure), tasks);
        }
        self.pump(now, tasks);
    }

    fn note_failure(&mut self, failure: &F, permanent: bool, now: Instant, chance: f64) {
        self.counters.open_failures += 1;
        let failures = self.outage.failures.saturating_add(1);
        self.outage = Outage {
            failures,
            retry_at: Some(now + backoff::pause(failures, permanent, chance)),
            last: Some(failure.clone()),
            permanent,
        };
    }

    /// Opening was given up because the pool closes.
    pub(crate) fn open_abandoned(&mut self, seat: Seat, now: Instant, tasks: &mut Tasks<C, W, F>) {
        self.slots.turn(seat.0, Phase::Vacant);
        self.pump(now, tasks);
    }

    /// A check or a reset succeeded.
    pub(crate) fn healthy(&mut self, seat: Seat, connection: C, now: Instant, tasks: &mut Tasks<C, W, F>) {
        match self.slots.at(seat.0).phase {
            Phase::Resetting { .. } => self.counters.resets += 1,
            _ => self.counters.validated += 1,
        }
        self.slots.at_mut(seat.0).proven_at = now;
        self.settle(seat, connection, now, tasks);
    }

    /// A check or a reset failed, or was given up because the pool closes.
    pub(crate) fn unhealthy(&mut self, seat: Seat, connection: C, now: Instant, tasks: &mut Tasks<C, W, F>) {
        let reason = if self.mode == Mode::Closed {
            CloseReason::PoolClosed
        } else if matches!(self.slots.at(seat.0).phase, Phase::Resetting { .. }) {
            self.counters.reset_failures += 1;
            CloseReason::ResetFailed
        } else {
            self.counters.validation_failures += 1;
            CloseReason::CheckFailed
        };
        self.close_outside(seat, connection, reason, now, tasks);
    }

    /// A check or a reset takes long: whoever counted on it may look elsewhere.
    pub(crate) fn slow(&mut self, seat: &Seat, now: Instant, tasks: &mut Tasks<C, W, F>) {
        let phase = match self.slots.at(seat.0).phase {
            Phase::Checking { .. } => Phase::Checking { slow: true },
            Phase::Resetting { .. } => Phase::Resetting { slow: true },
            _ => return,
        };
        self.slots.turn(seat.0, phase);
        self.pump(now, tasks);
    }

    /// A connection has been closed.
    pub(crate) fn closed(&mut self, place: Place, now: Instant, tasks: &mut Tasks<C, W, F>) {
        self.vacate(place);
        self.pump(now, tasks);
    }

    /// One of the pool's tasks ended without a report, which happens when the runtime ends, or when a connection panics
    /// while it is dropped. The place is free again; the housekeeper, if there still is one, decides what to do with it.
    /// Nothing is started from here: on a runtime that has ended it would end at once and come back here for ever.
    pub(crate) fn orphaned(&mut self, place: Place, failure: &F, now: Instant, tasks: &mut Tasks<C, W, F>) {
        if let Place::Seat(seat) = &place
            && matches!(self.slots.at(seat.0).phase, Phase::Opening)
        {
            self.note_failure(failure, false, now, 0.5);
        }
        self.vacate(place);
        tasks.wake_housekeeper = true;
    }

    fn vacate(&mut self, place: Place) {
        match place {
            Place::Seat(seat) => {
                self.slots.turn(seat.0, Phase::Vacant);
            }
            Place::Outside => self.outside -= 1,
        }
    }

    // ---- the pool as a whole -----------------------------------------------------------------------------------

    /// Stops lending: callers who wait are refused, idle connections closed, borrowed ones closed when they come back.
    pub(crate) fn close(&mut self, now: Instant, tasks: &mut Tasks<C, W, F>) {
        if self.mode == Mode::Closed {
            return;
        }
        self.mode = Mode::Closed;
        tasks.wake_housekeeper = true;
        self.refuse_all(&Refusal::Closed, tasks);
        self.close_all_idle(CloseReason::PoolClosed, now, tasks);
    }

    /// Whether a closed pool holds nothing any more.
    pub(crate) fn is_drained(&self) -> bool {
        self.mode == Mode::Closed && self.slots.tally().occupied() == 0 && self.outside == 0
    }

    /// Evicts every connection opened before now and forgets past failures.
    pub(crate) fn evict_all(&mut self, now: Instant, tasks: &mut Tasks<C, W, F>) {
        self.generation += 1;
        self.outage = Outage { failures: 0, retry_at: None, last: None, permanent: false };
        self.close_all_idle(CloseReason::Evicted, now, tasks);
        self.pump(now, tasks);
    }

    /// Changes the size. Connections above the new `max` are closed: idle ones now, borrowed ones when they come back.
    pub(crate) fn resize(&mut self, max: usize, min: usize, now: Instant, tasks: &mut Tasks<C, W, F>) {
        self.config.max = max;
        self.config.min = min;
        tasks.wake_housekeeper = true;
        while self.is_oversized() && !self.idle.is_empty() {
            let coldest = self.idle.remove(0);
            self.close_idle(coldest, CloseReason::Resized, now, tasks);
        }
        self.pump(now, tasks);
    }

    fn refuse_all(&mut self, refusal: &Refusal<F>, tasks: &mut Tasks<C, W, F>) {
        for waiter in self.waiters.drain(..) {
            tasks.push(Task::Refuse { waiter: waiter.handle, refusal: refusal.clone() });
        }
    }
}

/// Why a caller leaves the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    OutOfTime,
    Gone,
}

/// What there is to tell about a caller who left the queue.
#[derive(Debug)]
pub(crate) struct Left<W> {
    pub(crate) handle: W,
    pub(crate) position: usize,
    pub(crate) phase: AcquirePhase,
}

/// What there is to tell about a lease that came back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Return {
    pub(crate) borrower: Borrower,
    pub(crate) leaked: bool,
}
