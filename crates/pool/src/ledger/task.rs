//! What the ledger wants done: it decides under the lock, and the tasks are carried out after it.

use std::time::Duration;

use crate::error::AcquirePhase;
use crate::progress::Progress;
use crate::shelf::{Held, Seat};
use crate::stats::{Borrower, CloseReason};

/// One thing to do outside the lock.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) enum Task<C, W, F> {
    /// Hand the connection to a caller who waits; its slot already counts as lent.
    Deliver { waiter: W, held: Box<Held<C>>, waited: Duration },
    /// Tell a caller who waits that nothing will come.
    Refuse { waiter: W, refusal: Refusal<F> },
    /// Open a connection for this slot.
    Open { seat: Seat, progress: Progress },
    /// Make a round trip on it before it is lent.
    Check(Box<Held<C>>),
    /// Clean the session before it is lent.
    Reset(Box<Held<C>>),
    /// Close it.
    Close { place: Place, connection: C, reason: CloseReason, age: Duration, uses: u64 },
    /// Report that the pool allows itself another number of connections.
    Resized { before: usize, now: usize },
    /// Report a lease that is out for too long.
    Leaked(Borrower),
}

/// What a connection that is being closed still holds.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) enum Place {
    /// It works, so it counts at the server until it is closed: its slot stays taken.
    Seat(Seat),
    /// It is broken: its slot is already free, only a draining pool waits for it.
    Outside,
}

/// Why a caller gets no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal<F> {
    /// Opening failed and nobody else can serve the caller.
    OpenFailed(F),
    /// The pool is closed, or its runtime has ended.
    Closed,
    /// Too many are waiting.
    Shed,
    /// Its time is over.
    OutOfTime { position: usize, phase: AcquirePhase },
}

/// The tasks of one step. The first one needs no allocation, and most steps have none or one.
#[derive(Debug)]
#[must_use = "tasks that are not carried out leave slots taken for ever"]
pub(crate) struct Tasks<C, W, F> {
    first: Option<Task<C, W, F>>,
    rest: Vec<Task<C, W, F>>,
    /// The housekeeper should look again at when it is needed next.
    pub(crate) wake_housekeeper: bool,
}

impl<C, W, F> Tasks<C, W, F> {
    pub(crate) fn new() -> Self {
        Self { first: None, rest: Vec::new(), wake_housekeeper: false }
    }

    pub(super) fn push(&mut self, task: Task<C, W, F>) {
        if self.first.is_none() {
            self.first = Some(task);
        } else {
            self.rest.push(task);
        }
    }
}

impl<C, W, F> Tasks<C, W, F> {
    /// Hands every task out, in order.
    pub(crate) fn carry_out(self, mut each: impl FnMut(Task<C, W, F>), wake_housekeeper: impl FnOnce()) {
        if self.wake_housekeeper {
            wake_housekeeper();
        }
        if let Some(first) = self.first {
            each(first);
            self.rest.into_iter().for_each(each);
        }
    }
}
