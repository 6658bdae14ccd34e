//! A connection on loan.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::clock::Moment;
use crate::manage::{Manage, State};
use crate::parcel::Load;
use crate::shared::Shared;
use crate::shelf::{Back, Loan};
use crate::stats::Borrower;

/// A connection on loan from a [`Pool`](crate::Pool). It goes back when the lease is dropped, wherever that happens: on
/// any thread, in or out of a runtime, in a cancelled future or while a panic unwinds.
///
/// Going back takes no time: a connection whose [`state`](Manage::state) is clean is at once lent to the next caller.
/// One that needs a reset, or whose borrower panicked, is reset by the pool before it is lent again; a broken one is
/// closed by the pool, and its place is free for another.
#[must_use = "a lease that is not kept goes back at once"]
pub struct Lease<M: Manage> {
    load: Option<Load<M>>,
    /// Whether the borrower had its hands on the connection: only then does a clean state prove that it works.
    used: AtomicBool,
}

impl<M: Manage> Lease<M> {
    pub(crate) fn new(load: Load<M>) -> Self {
        Self { load: Some(load), used: AtomicBool::new(false) }
    }

    /// Keeps the connection for good. The pool forgets it and has room for another one.
    #[must_use = "to have the pool close the connection, use `discard`"]
    pub fn detach(mut self) -> M::Connection {
        let Load { shared, held } = self.unload();
        let now = Moment::now();
        let (connection, loan) = shared.step(|ledger, tasks| ledger.detach(held, now, tasks));
        report(&shared, &loan, now);
        connection
    }

    /// Has the pool close the connection in the background, and makes room for another one at once. For a borrower who
    /// knows better than the connection that something is wrong with it.
    pub fn discard(mut self) {
        let Load { shared, held } = self.unload();
        let now = Moment::now();
        let loan = shared.step(|ledger, tasks| ledger.discard(held, now, tasks));
        report(&shared, &loan, now);
    }

    fn unload(&mut self) -> Load<M> {
        match self.load.take() {
            Some(load) => load,
            None => unreachable!("{GONE}"),
        }
    }
}

const GONE: &str = "a lease has its connection until it is dropped";

impl<M: Manage> Deref for Lease<M> {
    type Target = M::Connection;

    fn deref(&self) -> &M::Connection {
        self.used.store(true, Ordering::Relaxed);
        match &self.load {
            Some(load) => &load.held.connection,
            None => unreachable!("{GONE}"),
        }
    }
}

impl<M: Manage> DerefMut for Lease<M> {
    fn deref_mut(&mut self) -> &mut M::Connection {
        *self.used.get_mut() = true;
        match &mut self.load {
            Some(load) => &mut load.held.connection,
            None => unreachable!("{GONE}"),
        }
    }
}

impl<M: Manage> Drop for Lease<M> {
    fn drop(&mut self) {
        let Some(Load { shared, held }) = self.load.take() else { return };
        let mut state = shared.state_of(&held.connection);
        if state == State::Clean && thread::panicking() {
            // The borrower did not get to its end, and what it left need not show in the connection's own state.
            state = State::NeedsReset;
        }
        // Whoever fails is dated exactly: what worked before, if only just, is doubted from then on.
        let now = if state == State::Clean { shared.about_now() } else { Moment::now() };
        let proven = (*self.used.get_mut() && state == State::Clean).then(|| shared.answered_at(&held.connection, now));
        let back = match state {
            State::Clean => shared.front.shelf.take_back(held, proven, now),
            _ => Back::AskLedger(held),
        };
        match back {
            Back::Rests(loan) => report(&shared, &loan, now),
            Back::AskLedger(held) => {
                shared.receive(held, state, proven, now, |shared, loan| report(shared, loan, now));
            }
            Back::Overtaken(held, loan) => {
                shared.step(|ledger, tasks| ledger.come_back(held, state, now, tasks));
                report(&shared, &loan, now);
            }
        }
    }
}

impl<M: Manage> fmt::Debug for Lease<M>
where
    M::Connection: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.load.as_ref().map(|load| &load.held.connection)).finish()
    }
}

fn report<M: Manage>(shared: &Shared<M>, loan: &Loan, now: Moment) {
    if !loan.leaked && !shared.is_observed() {
        return;
    }
    let borrower = Borrower { location: loan.location, held: now.saturating_duration_since(loan.since) };
    shared.tell(|observer| observer.released(&borrower));
    if loan.leaked {
        let Borrower { location, held } = borrower;
        tracing::info!(pool = &*shared.name, %location, ?held, "a connection reported as leaked came back");
        shared.tell(|observer| observer.unleaked(&borrower));
    }
}
