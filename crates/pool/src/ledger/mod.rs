//! Who has which connection, who waits, and what happens next: the pool's whole state as plain data.
//!
//! Nothing here awaits, calls foreign code or reads a clock. Every step takes the time (and a draw of chance where one is
//! needed) as an argument and leaves what is to be done in [`Tasks`]; the caller holds a short lock around the step and
//! carries the tasks out after it. What lies idle lies on the shelf, from which borrowers take without asking here as long as
//! nobody waits, and while the pool is full they wait and are served without asking here, too: see [`Front`]. Each step ends with
//! [`publish`](Ledger::publish), which opens or shuts these ways.
//!
//! Two rules hold between any two steps, and the model tests walk all small cases to prove it: no connection lies idle
//! while there are more callers waiting than connections coming; and whoever waits has something to wait for: a
//! connection that is lent, being opened, checked, reset or closed, or a moment at which opening is tried again.

#[cfg(test)]
mod model;
mod next;
mod report;
mod sizing;
mod slot;
mod task;
mod upkeep;
mod whole;

use std::panic::Location;
use std::sync::Arc;

pub(crate) use self::report::Snapshot;
use self::sizing::Sizing;
use self::slot::{Phase, Slots};
pub(crate) use self::task::{Place, Refusal, Task, Tasks};
use crate::backoff;
use crate::clock::Moment;
use crate::config::{Config, WhenDown};
use crate::front::{Caller, Front, Queued};
use crate::manage::State;
use crate::shelf::{Card, Held, Loan, Seat};
use crate::stats::{CloseReason, Counters, Health};

/// The state of a pool of connections `C`, with waiting callers `W` and open failures `F`.
#[derive(Debug)]
pub(crate) struct Ledger<C, W, F> {
    config: Config,
    /// Of a pool that finds its size by itself.
    sizing: Option<Sizing>,
    mode: Mode,
    /// Raised to evict every connection opened before.
    epoch: u64,
    slots: Slots,
    front: Arc<Front<C, W>>,
    /// Broken connections that are being closed outside any slot.
    outside: usize,
    outage: Outage<F>,
    /// Something failed, and nothing has worked since.
    suspecting: bool,
    /// The health that was last told.
    told: Health,
    /// How many connections are wanted once, above `min`.
    warm_to: usize,
    counters: Counters,
}

/// Whether the pool lends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Lending,
    /// Callers wait; what comes back rests.
    Suspended,
    Closed,
}

/// What is known about not being able to open connections.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Outage<F> {
    failures: u32,
    /// The earliest next attempt.
    retry_at: Option<Moment>,
    /// The last failure; gone once an open succeeds.
    last: Option<F>,
    permanent: bool,
    /// A connection has proved since that the other side works: what fails is only to open more.
    excused: bool,
}

impl<F> Outage<F> {
    const NONE: Self = Self { failures: 0, retry_at: None, last: None, permanent: false, excused: false };
}

/// How far warming up has come.
#[derive(Debug)]
pub(crate) enum Warmth<F> {
    Warm,
    Warming,
    Failed(F),
    Closed,
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
    Lent(Box<Held<C>>),
    Queued(Queued),
    Refused(Refusal<F>),
}

impl<C, W, F: Clone> Ledger<C, W, F> {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            sizing: config.auto_size.then(|| Sizing::new(config.min, config.max)),
            front: Arc::new(Front::new(config.validate_after, config.acquire_timeout)),
            config,
            mode: Mode::Lending,
            epoch: 0,
            slots: Slots::default(),
            outside: 0,
            outage: Outage::NONE,
            suspecting: false,
            told: Health::Up,
            warm_to: 0,
            counters: Counters::default(),
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The most connections there may be at the moment.
    pub(crate) fn limit(&self) -> usize {
        self.sizing.as_ref().map_or(self.config.max, Sizing::limit)
    }

    /// How it stands with the other side.
    pub(crate) fn health(&self) -> Health {
        let tally = self.slots.tally();
        let fails = self.outage.failures > 0 && !self.outage.excused;
        match (fails, tally.open()) {
            (true, 0) if tally.opening > 0 => Health::HalfOpen,
            (true, 0) => Health::Down,
            (false, _) if !self.suspecting => Health::Up,
            _ => Health::Suspect,
        }
    }

    /// How it stood and how it stands, if that is news. That a closed pool has no connections says nothing of the other side.
    pub(crate) fn news(&mut self) -> Option<(Health, Health)> {
        if self.mode == Mode::Closed {
            return None;
        }
        let now = self.health();
        let before = std::mem::replace(&mut self.told, now);
        (before != now).then_some((before, now))
    }

    /// Nobody knows what idle connections are worth: each is checked before it is lent.
    pub(crate) fn doubt(&mut self, now: Moment) {
        self.front.shelf.doubt(now);
    }

    /// Something failed that may concern every connection: each is checked before it is lent.
    fn suspect(&mut self, now: Moment) {
        self.suspecting = true;
        self.doubt(now);
    }

    /// What callers meet first.
    pub(crate) fn front(&self) -> &Arc<Front<C, W>> {
        &self.front
    }

    /// How many wait.
    fn waiting(&self) -> usize {
        self.front.queue().len()
    }

    /// Says what borrowers may do without the ledger. Where a step looks at the shelf or the queue for the last time because of
    /// something they must know, this comes before that look.
    fn arrange(&self) {
        let is_oversized = self.is_oversized();
        let is_open = self.mode == Mode::Lending && !is_oversized;
        self.front.arrange(self.epoch, !is_open, if is_open { self.room() } else { 0 });
    }

    /// How many may wait while nothing can be done for one more but to wait for those who have a connection.
    fn room(&self) -> usize {
        let tally = self.slots.tally();
        if tally.occupied() < self.limit() || tally.open() == 0 || !self.front.shelf.is_empty() {
            return 0;
        }
        self.config.max_waiters.map_or(usize::MAX, |most| most.saturating_add(tally.coming()))
    }

    /// Every step ends with it. `true`: somebody came to wait meanwhile for whom something can be done, so it has to be
    /// [pumped](Self::pump) again.
    #[must_use]
    pub(crate) fn publish(&mut self) -> bool {
        self.arrange();
        self.front.queue().has_outgrown()
    }

    // ---- asking ------------------------------------------------------------------------------------------------

    /// Lends an idle connection if one may be lent now and nobody waits for it.
    pub(crate) fn take(
        &mut self,
        now: Moment,
        location: &'static Location<'static>,
        trust: Trust,
        tasks: &mut Tasks<C, W, F>,
    ) -> Option<Box<Held<C>>> {
        if self.mode != Mode::Lending {
            return None;
        }
        if self.waiting() > 0 {
            // Whoever asks may have had one in hand for a moment, in which a waiter did not find it.
            self.pump(now, tasks);
            return None;
        }
        while let Some(mut held) = self.front.shelf.take() {
            if let Some(reason) = self.retirement(&held.card, now) {
                self.close_in_place(*held, reason, now, tasks);
                self.pump(now, tasks);
                continue;
            }
            if trust == Trust::Proven && self.front.shelf.is_stale(&held.card, now) {
                self.front.shelf.put(held);
                return None;
            }
            self.front.shelf.begin(&mut held, Loan::new(now, true, location));
            return Some(held);
        }
        None
    }

    /// Lends as [`take`](Self::take) does, or puts the caller at the end of the queue and starts what will serve it.
    pub(crate) fn join(&mut self, now: Moment, caller: Caller, handle: W, tasks: &mut Tasks<C, W, F>) -> Join<C, F> {
        if let Some(held) = self.take(now, caller.location, Trust::Proven, tasks) {
            return Join::Lent(held);
        }
        if self.mode == Mode::Closed {
            return Join::Refused(Refusal::Closed);
        }
        if let Some(failure) = self.hopeless(now) {
            self.counters.refused += 1;
            self.hurry(now);
            return Join::Refused(Refusal::OpenFailed(failure));
        }
        if self.is_crowded() {
            self.counters.shed += 1;
            return Join::Refused(Refusal::Shed);
        }
        self.hurry(now);
        let queued = self.front.push(caller, handle);
        let sleeps = self.sizing.as_ref().is_some_and(Sizing::is_asleep);
        tasks.wake_housekeeper |= queued.wake_housekeeper || sleeps;
        self.pump(now, tasks);
        Join::Queued(queued)
    }

    /// Somebody asks: the next attempt to open is made soon, unless that cannot help.
    fn hurry(&mut self, now: Moment) {
        if !self.outage.permanent {
            let soon = now + backoff::LONGEST_AWAITED;
            self.outage.retry_at = self.outage.retry_at.map(|at| at.min(soon));
        }
    }

    // ---- coming back -------------------------------------------------------------------------------------------

    /// A borrower is done. `proven`: when the connection last worked, if the borrower used it.
    pub(crate) fn give_back(
        &mut self,
        mut held: Box<Held<C>>,
        state: State,
        proven: Option<Moment>,
        now: Moment,
        tasks: &mut Tasks<C, W, F>,
    ) -> Loan {
        let loan = self.front.shelf.end(&mut held, proven, now);
        self.sort(held, state, now, tasks);
        loan
    }

    /// A borrower is done, and the end of the loan is written down.
    pub(crate) fn come_back(&mut self, held: Box<Held<C>>, state: State, now: Moment, tasks: &mut Tasks<C, W, F>) {
        self.sort(held, state, now, tasks);
    }

    /// Looks at everything that lies on the shelf, after a time in which much may have happened.
    fn tidy(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        for held in self.take_all() {
            match self.retirement(&held.card, now) {
                Some(reason) => self.close_in_place(*held, reason, now, tasks),
                None => self.front.shelf.put(held),
            }
        }
        self.pump(now, tasks);
    }

    /// A connection that was lent never reached its caller, or turned out unfit before it did: as if it had not been lent.
    pub(crate) fn undelivered(
        &mut self,
        mut held: Box<Held<C>>,
        state: State,
        now: Moment,
        tasks: &mut Tasks<C, W, F>,
    ) {
        self.front.shelf.undo(&mut held);
        self.sort(held, state, now, tasks);
    }

    /// A borrower wants it closed.
    pub(crate) fn discard(&mut self, mut held: Box<Held<C>>, now: Moment, tasks: &mut Tasks<C, W, F>) -> Loan {
        let loan = self.front.shelf.end(&mut held, None, now);
        self.close_outside(*held, CloseReason::Discarded, now, tasks);
        loan
    }

    /// A borrower keeps it for good.
    pub(crate) fn detach(&mut self, mut held: Box<Held<C>>, now: Moment, tasks: &mut Tasks<C, W, F>) -> (C, Loan) {
        let loan = self.front.shelf.end(&mut held, None, now);
        let Held { seat, connection, .. } = *held;
        self.counters.closed[CloseReason::Detached as usize] += 1;
        self.slots.vacate(seat);
        self.pump(now, tasks);
        (connection, loan)
    }

    fn sort(&mut self, mut held: Box<Held<C>>, state: State, now: Moment, tasks: &mut Tasks<C, W, F>) {
        match state {
            State::Clean => {
                held.card.idle_since = now;
                self.settle(held, now, tasks);
            }
            State::Broken => {
                self.suspect(now);
                self.close_outside(*held, CloseReason::Broken, now, tasks);
            }
            State::NeedsReset => {
                match self.retirement(&held.card, now) {
                    Some(reason) => self.close_in_place(*held, reason, now, tasks),
                    None => {
                        self.slots.turn(&held.seat, Phase::Resetting { slow: false });
                        tasks.push(Task::Reset(held));
                    }
                }
                self.pump(now, tasks);
            }
        }
    }

    // ---- what the pool's own tasks report ----------------------------------------------------------------------

    /// A connection was opened, after `took`. `chance` from 0 to 1 draws its lifetime.
    pub(crate) fn opened(
        &mut self,
        seat: Seat,
        connection: C,
        started: Moment,
        now: Moment,
        chance: f64,
        tasks: &mut Tasks<C, W, F>,
    ) {
        self.counters.opened += 1;
        self.counters.opens.record(now.saturating_duration_since(started));
        self.outage = Outage::NONE;
        self.suspecting = false;
        let lifetime = self.config.max_lifetime.map(|most| most - (most / 10).mul_f64(chance.clamp(0.0, 1.0)));
        let aged_at = lifetime.and_then(|lifetime| now.checked_add(lifetime));
        let card = Card {
            epoch: self.slots.at(&seat).epoch,
            opened_at: now,
            aged_at,
            retired_at: aged_at.and_then(|at| at.checked_add(self.config.connect_timeout)),
            proven_at: now,
            idle_since: now,
            uses: 0,
        };
        self.slots.set_age(&seat, aged_at);
        self.settle(Held::new(seat, connection, card), now, tasks);
        self.replace_any_aged(now, tasks);
        self.pump(now, tasks);
    }

    /// Opening failed. `permanent`: trying again cannot help.
    pub(crate) fn open_failed(
        &mut self,
        seat: Seat,
        failure: F,
        permanent: bool,
        now: Moment,
        chance: f64,
        tasks: &mut Tasks<C, W, F>,
    ) {
        self.note_failure(&failure, permanent, now, chance);
        if !permanent {
            self.suspect(now);
        }
        self.warm_to = 0;
        self.slots.vacate(seat);
        let (before, open) = (self.limit(), self.slots.tally().open());
        if self.sizing.as_mut().and_then(|sizing| sizing.refused(open, now)).is_some() {
            tasks.push(Task::Resized { before, now: self.limit() });
        }
        let tally = self.slots.tally();
        let nobody_else = tally.open() == 0 && (permanent || tally.opening == 0);
        if nobody_else && (permanent || self.config.when_down == WhenDown::Fail) {
            self.counters.refused += self.refuse_all(&Refusal::OpenFailed(failure), tasks);
        }
        self.pump(now, tasks);
    }

    fn note_failure(&mut self, failure: &F, permanent: bool, now: Moment, chance: f64) {
        self.counters.open_failures += 1;
        let failures = self.outage.failures.saturating_add(1);
        let awaited = self.waiting() > 0;
        self.outage = Outage {
            failures,
            retry_at: Some(now + backoff::pause(failures, permanent, awaited, chance)),
            last: Some(failure.clone()),
            permanent,
            excused: false,
        };
    }

    /// Opening was given up because the pool closes.
    pub(crate) fn open_abandoned(&mut self, seat: Seat, now: Moment, tasks: &mut Tasks<C, W, F>) {
        self.slots.vacate(seat);
        self.pump(now, tasks);
    }

    /// A check or a reset succeeded.
    pub(crate) fn healthy(&mut self, mut held: Box<Held<C>>, now: Moment, tasks: &mut Tasks<C, W, F>) {
        self.suspecting = false;
        self.outage.excused = true;
        held.prove(Some(now));
        match self.slots.at(&held.seat).phase {
            Phase::Resetting { .. } => {
                self.counters.resets += 1;
                held.card.idle_since = now;
            }
            // A check is no use: it goes on resting as long as it has.
            _ => self.counters.validated += 1,
        }
        self.settle(held, now, tasks);
    }

    /// A check or a reset failed, or was given up because the pool closes.
    pub(crate) fn unhealthy(&mut self, held: Held<C>, now: Moment, tasks: &mut Tasks<C, W, F>) {
        let reason = if self.mode == Mode::Closed {
            CloseReason::PoolClosed
        } else if matches!(self.slots.at(&held.seat).phase, Phase::Resetting { .. }) {
            self.counters.reset_failures += 1;
            CloseReason::ResetFailed
        } else {
            self.counters.validation_failures += 1;
            CloseReason::CheckFailed
        };
        if self.mode != Mode::Closed {
            self.suspect(now);
        }
        self.close_outside(held, reason, now, tasks);
    }

    /// A check or a reset takes long: whoever counted on it may look elsewhere.
    pub(crate) fn slow(&mut self, seat: &Seat, now: Moment, tasks: &mut Tasks<C, W, F>) {
        let phase = match self.slots.at(seat).phase {
            Phase::Checking { .. } => Phase::Checking { slow: true },
            Phase::Resetting { .. } => Phase::Resetting { slow: true },
            _ => return,
        };
        self.slots.turn(seat, phase);
        self.pump(now, tasks);
    }

    /// A connection has been closed.
    pub(crate) fn closed(&mut self, place: Place, now: Moment, tasks: &mut Tasks<C, W, F>) {
        self.vacate(place);
        self.pump(now, tasks);
    }

    /// One of the pool's tasks ended without a report, which happens when the runtime ends, or when a connection panics
    /// while it is dropped. The place is free again; the housekeeper, if there still is one, decides what to do with it.
    /// Nothing is started from here: on a runtime that has ended it would end at once and come back here for ever.
    pub(crate) fn orphaned(&mut self, place: Place, failure: &F, now: Moment, tasks: &mut Tasks<C, W, F>) {
        if let Place::Seat(seat) = &place
            && matches!(self.slots.at(seat).phase, Phase::Opening)
        {
            self.note_failure(failure, false, now, 0.5);
        }
        self.vacate(place);
        tasks.wake_housekeeper = true;
    }

    fn vacate(&mut self, place: Place) {
        match place {
            Place::Seat(seat) => self.slots.vacate(seat),
            Place::Outside => self.outside -= 1,
        }
    }
}
