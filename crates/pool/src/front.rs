//! What callers meet before they meet the ledger: the shelf, and the queue of those for whom nothing lay there.
//!
//! While the pool is full and well, coming to wait and being served changes nothing but the queue, and needs its lock alone. The
//! ledger says when that is so ([`Queue::room`]); it may hold its own lock while it takes the queue's, and nobody takes another
//! lock under this one. The shelf is marked as long as somebody waits, so that who returns a connection comes here.

use std::collections::VecDeque;
use std::panic::Location;
use std::time::Duration;

use crate::clock::Moment;
use crate::shelf::{Apart, Held, Loan, Shelf, Wait};
use crate::sync::{Mutex, MutexGuard, lock};

/// Where the queue and the shelf are.
#[derive(Debug)]
pub(crate) struct Front<C, W> {
    pub(crate) shelf: Shelf<C>,
    queue: Apart<Mutex<Queue<W>>>,
}

/// Callers who wait, in the order they came.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Queue<W> {
    waiters: VecDeque<Waiter<W>>,
    next: u64,
    /// How long may the queue get before the ledger is asked about one more? 0: it always is.
    room: usize,
    /// The ledger wants to see every connection that comes back, whether somebody waits or not.
    watched: bool,
    epoch: u64,
    /// What the shelf was last told.
    told: (u64, bool),
    /// Somebody came without the ledger's knowledge since it last asked.
    grown: bool,
    /// How long callers wait who do not say.
    patience: Duration,
    /// When the housekeeper comes next, if nobody wakes it.
    planned: Option<Moment>,
    pub(crate) cancelled: u64,
}

/// A caller in the queue.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Waiter<W> {
    id: WaiterId,
    pub(crate) handle: W,
    pub(crate) since: Moment,
    pub(crate) deadline: Moment,
    location: &'static Location<'static>,
    timed: bool,
}

/// Names one caller in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WaiterId(u64);

/// So many callers are timed exactly, and afterwards one in so many, who stands for the others: the clock costs as much as the
/// queue.
const ALL_TIMED: u64 = 1024;
const ONE_IN: u64 = 8;

impl WaiterId {
    /// How many callers this one stands for when times are counted; 0: another stands for it.
    fn weight(self) -> u64 {
        match self.0 {
            0..ALL_TIMED => 1,
            id if id.is_multiple_of(ONE_IN) => ONE_IN,
            _ => 0,
        }
    }
}

/// Who asks, since when and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) since: Moment,
    /// Whether `since` is exact. Where it is not and it counts, the queue looks for itself.
    pub(crate) exact: bool,
    /// Whether the loan is to be timed exactly, too, because somebody looks on.
    pub(crate) timed: bool,
    /// None: as configured.
    pub(crate) limit: Option<Duration>,
    pub(crate) location: &'static Location<'static>,
}

/// A caller who stands in the queue.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) id: WaiterId,
    /// The housekeeper would come too late for this one.
    pub(crate) wake_housekeeper: bool,
}

/// A connection that went from one borrower to the next.
pub(crate) struct PassedOn<C, W> {
    pub(crate) waiter: W,
    pub(crate) held: Box<Held<C>>,
    pub(crate) waited: Duration,
    /// The loan that is over.
    pub(crate) ended: Loan,
}

impl<C, W> Front<C, W> {
    pub(crate) fn new(validate_after: Duration, patience: Duration) -> Self {
        let queue = Queue {
            waiters: VecDeque::new(),
            next: 0,
            room: 0,
            watched: false,
            epoch: 0,
            told: (0, false),
            grown: false,
            patience,
            planned: None,
            cancelled: 0,
        };
        Self { shelf: Shelf::new(validate_after), queue: Apart(Mutex::new(queue)) }
    }

    /// The queue, to look at.
    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue<W>> {
        lock(&self.queue.0)
    }

    /// Puts a caller at the end of the queue, if that is all there is to do. `Err`: the ledger has to be asked.
    pub(crate) fn join(&self, caller: Caller, handle: W) -> Result<Queued, W> {
        let mut queue = self.queue();
        // The first in the queue changes what the shelf has to know, and others may have to be served first.
        if queue.waiters.is_empty() || queue.waiters.len() >= queue.room {
            return Err(handle);
        }
        queue.grown = true;
        Ok(queue.push(caller, handle))
    }

    /// Hands a clean connection on to the first in the queue: ends its loan and begins the next. `Err`: the ledger has to say what
    /// becomes of it.
    pub(crate) fn pass_on(
        &self,
        mut held: Box<Held<C>>,
        proven: Option<Moment>,
        now: Moment,
    ) -> Result<PassedOn<C, W>, Box<Held<C>>> {
        let doubtful = held.card.is_aged(now) || {
            let mut card = held.card;
            card.proven_at = card.proven_at.max(proven.unwrap_or(card.proven_at));
            self.shelf.is_stale(&card, now)
        };
        let next = if doubtful { None } else { self.next(held.card.epoch, now) };
        let Some((waiter, wait, next)) = next else { return Err(held) };
        let ended = self.shelf.end(&mut held, proven, now);
        self.shelf.begin_after(wait, &mut held, next);
        Ok(PassedOn { waiter, held, waited: wait.time, ended })
    }

    /// The first in the queue, for a connection of this epoch; how long it waited, and the loan that begins then.
    pub(crate) fn next(&self, epoch: u64, now: Moment) -> Option<(W, Wait, Loan)> {
        let Waiter { id, handle, since, location, timed, .. } = {
            let mut queue = self.queue();
            if queue.watched || queue.epoch != epoch {
                return None;
            }
            let first = queue.waiters.pop_front()?;
            queue.tell(&self.shelf);
            first
        };
        let stands_for = id.weight();
        let now = if stands_for > 0 { now.max(Moment::now()) } else { now };
        let wait = Wait { time: now.saturating_duration_since(since), stands_for };
        Some((handle, wait, Loan::new(now, timed, location)))
    }

    /// Takes a caller who has gone away out of the queue. `None`: it is no longer there, so something is on its way to it.
    pub(crate) fn leave(&self, id: WaiterId) -> Option<W> {
        let mut queue = self.queue();
        // Ids only grow and the queue keeps their order.
        let position = queue.waiters.binary_search_by_key(&id, |waiter| waiter.id).ok()?;
        queue.cancelled += 1;
        let waiter = queue.waiters.remove(position);
        queue.tell(&self.shelf);
        waiter.map(|waiter| waiter.handle)
    }

    // ---- the ledger ------------------------------------------------------------------------------------------------

    /// Puts a caller at the end of the queue. Whatever lies on the shelf when the caller of this looks there next is all there is.
    pub(crate) fn push(&self, caller: Caller, handle: W) -> Queued {
        let mut queue = self.queue();
        let queued = queue.push(caller, handle);
        queue.tell(&self.shelf);
        queued
    }

    /// Takes out everybody whose time is over, with the place where each stood.
    pub(crate) fn out_of_time(&self, now: Moment) -> Vec<(usize, W)> {
        let mut queue = self.queue();
        let mut gone = Vec::new();
        let mut position = 0;
        while let Some(waiter) = queue.waiters.get(position) {
            if waiter.deadline > now {
                position += 1;
            } else if let Some(waiter) = queue.waiters.remove(position) {
                gone.push((position, waiter.handle));
            }
        }
        queue.tell(&self.shelf);
        gone
    }

    /// Takes everybody out.
    pub(crate) fn drain(&self) -> Vec<W> {
        let mut queue = self.queue();
        let all = queue.waiters.drain(..).map(|waiter| waiter.handle).collect();
        queue.tell(&self.shelf);
        all
    }

    /// Says what the ledger wants. Who comes back or comes to wait afterwards keeps to it.
    pub(crate) fn arrange(&self, epoch: u64, watched: bool, room: usize) {
        let mut queue = self.queue();
        (queue.epoch, queue.watched, queue.room) = (epoch, watched, room);
        queue.tell(&self.shelf);
    }
}

impl<W> Queue<W> {
    pub(crate) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiter<W>> {
        self.waiters.iter()
    }

    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// When the housekeeper comes next: in time for everybody who stands here now, and `planned` at the latest.
    pub(crate) fn plan(&mut self, planned: Option<Moment>, now: Moment) -> Option<Moment> {
        // With one limit for all, the first in the queue is the first to run out of time; a call may have a limit of its own.
        let deadlines = self.waiters.iter().map(|waiter| waiter.deadline).filter(|at| *at > now);
        self.planned = deadlines.chain(planned).min();
        self.planned
    }

    /// Whether somebody came without the ledger, although there is something to do for who comes.
    pub(crate) fn has_outgrown(&mut self) -> bool {
        std::mem::take(&mut self.grown) && self.room == 0
    }

    fn push(&mut self, caller: Caller, handle: W) -> Queued {
        let id = WaiterId(self.next);
        self.next += 1;
        let Caller { since, exact, timed, limit, location } = caller;
        let since = if exact || id.weight() == 0 { since } else { since.max(Moment::now()) };
        let deadline = since + limit.unwrap_or(self.patience);
        self.waiters.push_back(Waiter { id, handle, since, deadline, location, timed });
        Queued { id, wake_housekeeper: self.planned.is_none_or(|planned| deadline < planned) }
    }

    /// Tells the shelf whether connections that come back may rest.
    fn tell<C>(&mut self, shelf: &Shelf<C>) {
        let state = (self.epoch, self.watched || !self.waiters.is_empty());
        if self.told != state {
            self.told = state;
            shelf.mark(self.epoch, state.1);
        }
    }
}

#[cfg(test)]
impl<W> Queue<W> {
    pub(crate) fn told(&self) -> (u64, bool) {
        self.told
    }
}

#[cfg(test)]
impl<C: Clone, W: Clone> Clone for Front<C, W> {
    fn clone(&self) -> Self {
        Self { shelf: self.shelf.clone(), queue: Apart(Mutex::new(self.queue().clone())) }
    }
}
