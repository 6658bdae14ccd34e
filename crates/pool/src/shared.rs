//! The thin ring around the ledger: takes the lock, and carries out what was decided under it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};

use crate::clock::Moment;
use crate::config::Config;
use crate::error::OpenFailure;
use crate::front::{Front, PassedOn};
use crate::job;
use crate::ledger::{Ledger, Refusal, Task, Tasks};
use crate::manage::{Manage, State};
use crate::observer::{self, Observer};
use crate::parcel::Parcel;
use crate::shelf::{Apart, Held, Loan};
use crate::stats::Borrower;
use crate::sync::{Mutex, MutexGuard, lock};

pub(crate) type Failure<M> = OpenFailure<<M as Manage>::Error>;
/// What a caller in the queue is sent.
pub(crate) type Delivery<M> = Result<Parcel<M>, Refusal<Failure<M>>>;
pub(crate) type Waiter<M> = oneshot::Sender<Delivery<M>>;
pub(crate) type Book<M> = Ledger<<M as Manage>::Connection, Waiter<M>, Failure<M>>;
pub(crate) type Work<M> = Tasks<<M as Manage>::Connection, Waiter<M>, Failure<M>>;

/// What the handles, leases and tasks of one pool have in common.
pub(crate) struct Shared<M: Manage> {
    pub(crate) manager: M,
    pub(crate) name: Arc<str>,
    pub(crate) runtime: Handle,
    pub(crate) housekeeper: Arc<Notify>,
    observer: Option<Arc<dyn Observer>>,
    ledger: Apart<Mutex<Book<M>>>,
    /// The ledger's own, for who needs no ledger.
    pub(crate) front: Arc<Front<M::Connection, Waiter<M>>>,
    closing: watch::Sender<bool>,
    drained: Notify,
    /// Something happened that may end a warm-up: an attempt to open has ended, or the pool has other settings.
    pub(crate) news: Notify,
}

impl<M: Manage> Shared<M> {
    pub(crate) fn new(
        manager: M,
        name: Arc<str>,
        config: Config,
        runtime: Handle,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        let ledger = Ledger::new(config);
        Self {
            manager,
            name,
            runtime,
            housekeeper: Arc::new(Notify::new()),
            observer,
            front: Arc::clone(ledger.front()),
            ledger: Apart(Mutex::new(ledger)),
            closing: watch::Sender::new(false),
            drained: Notify::new(),
            news: Notify::new(),
        }
    }

    /// The ledger, to look at.
    pub(crate) fn look(&self) -> MutexGuard<'_, Book<M>> {
        lock(&self.ledger.0)
    }

    /// One step of the ledger under the lock, and then what it asks for, outside.
    pub(crate) fn step<R>(self: &Arc<Self>, decide: impl FnOnce(&mut Book<M>, &mut Work<M>) -> R) -> R {
        let mut tasks = Tasks::new();
        let (result, drained, news) = {
            let mut ledger = self.look();
            let result = decide(&mut ledger, &mut tasks);
            while ledger.publish() {
                ledger.pump(Moment::now(), &mut tasks);
            }
            (result, ledger.is_drained(), ledger.news())
        };
        if drained {
            self.drained.notify_waiters();
        }
        if let Some((before, now)) = news {
            tracing::info!(pool = &*self.name, %before, %now, "the pool's view of the other side has changed");
            self.tell(|observer| observer.health_changed(before, now));
        }
        tasks.carry_out(|task| self.carry_out(task), || self.housekeeper.notify_one());
        result
    }

    /// The settings at this moment.
    pub(crate) fn config(&self) -> Config {
        *self.look().config()
    }

    /// Takes a connection back that cannot simply lie down: for the first in the queue, in most cases. `report` hears of the
    /// loan that ends.
    pub(crate) fn receive(
        self: Arc<Self>,
        mut held: Box<Held<M::Connection>>,
        state: State,
        proven: Option<Moment>,
        now: Moment,
        report: impl FnOnce(&Self, &Loan),
    ) {
        if state == State::Clean {
            held = match self.front.pass_on(held, proven, now) {
                Ok(PassedOn { waiter, held, waited, ended }) => {
                    report(&self, &ended);
                    // What this lease held of the pool goes along: no count is touched that all borrowers share.
                    return drop(waiter.send(Ok(Parcel::new(self, held, waited))));
                }
                Err(held) => held,
            };
        }
        let loan = self.step(|ledger, tasks| ledger.give_back(held, state, proven, now, tasks));
        report(&self, &loan);
    }

    fn carry_out(self: &Arc<Self>, task: Task<M::Connection, Waiter<M>, Failure<M>>) {
        match task {
            Task::Deliver { waiter, held, waited } => {
                // A caller that has gone in the meantime makes `send` give the parcel back, and dropped it returns the
                // connection for the next in the queue.
                drop(waiter.send(Ok(Parcel::new(Arc::clone(self), held, waited))));
            }
            Task::Refuse { waiter, refusal } => drop(waiter.send(Err(refusal))),
            Task::Open { seat, progress } => job::open(self, seat, progress),
            Task::Check(held) => job::care(self, *held, job::Care::Check),
            Task::Reset(held) => job::care(self, *held, job::Care::Reset),
            Task::Close { place, connection, reason, age, uses } => {
                tracing::debug!(pool = &*self.name, %reason, ?age, uses, "closing a connection");
                self.tell(|observer| observer.closed(&observer::Closed { reason, age, uses }));
                job::close(self, place, connection);
            }
            Task::Resized { before, now } => {
                tracing::info!(pool = &*self.name, before, now, "the pool allows itself another number of connections");
                self.tell(|observer| observer.resized(before, now));
                self.news.notify_waiters();
            }
            Task::Leaked(borrower) => {
                let Borrower { location, held } = borrower;
                tracing::warn!(pool = &*self.name, %location, ?held, "a connection has been lent for longer than the leak threshold");
                self.tell(|observer| observer.leaked(&borrower));
            }
        }
    }

    /// Whether there is an observer.
    pub(crate) fn is_observed(&self) -> bool {
        self.observer.is_some()
    }

    /// Tells the observer, if there is one. Its panics are its own.
    pub(crate) fn tell(&self, event: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = &self.observer
            && catch_unwind(AssertUnwindSafe(|| event(&**observer))).is_err()
        {
            tracing::error!(pool = &*self.name, "the observer of the pool panicked");
        }
    }

    /// Asks the manager what is known of a connection; a panic there means that nothing is.
    pub(crate) fn state_of(&self, connection: &M::Connection) -> State {
        catch_unwind(AssertUnwindSafe(|| self.manager.state(connection))).unwrap_or(State::Broken)
    }

    /// When a connection that was used and is clean last worked; at the latest `now`.
    pub(crate) fn answered_at(&self, connection: &M::Connection, now: Moment) -> Moment {
        catch_unwind(AssertUnwindSafe(|| self.manager.last_answer(connection)))
            .unwrap_or(None)
            .map_or(now, |at| Moment::of(at, now).min(now))
    }

    /// What time it is where a few milliseconds do not matter, unless somebody looks on.
    pub(crate) fn about_now(&self) -> Moment {
        if self.is_observed() { Moment::now() } else { Moment::about_now() }
    }

    /// Stops lending and ends the pool's tasks.
    pub(crate) fn shut_down(self: &Arc<Self>) {
        self.closing.send_replace(true);
        self.step(|ledger, tasks| ledger.close(Moment::now(), tasks));
    }

    /// Returns once the pool is being closed.
    pub(crate) async fn until_closing(&self) {
        // The sender lives as long as `self`, so there is no error to see.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Waits until a closed pool holds nothing any more.
    pub(crate) async fn until_drained(&self) {
        loop {
            let mut drained = std::pin::pin!(self.drained.notified());
            drained.as_mut().enable();
            if self.look().is_drained() {
                return;
            }
            drained.await;
        }
    }
}
