//! What the pool does in tasks of its own: open, check, reset, close. Each runs to its end whatever callers do.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::sleep;

use crate::clock::Moment;
use crate::error::OpenFailure;
use crate::ledger::Place;
use crate::manage::{Manage, State};
use crate::observer;
use crate::progress::Progress;
use crate::shared::Shared;
use crate::shelf::{Card, Held, Seat};
use crate::stats::CloseReason;

/// After this long nobody counts on a check or a reset any more: a caller who waits for it gets another connection if one
/// can be had. A round trip takes far less, and a dead link takes the whole `validate_timeout`.
const SLOW: Duration = Duration::from_millis(250);

/// What an idle connection needs before it can be lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    Check,
    Reset,
}

impl Care {
    fn failure(self) -> CloseReason {
        match self {
            Self::Check => CloseReason::CheckFailed,
            Self::Reset => CloseReason::ResetFailed,
        }
    }
}

/// A task's hold on its place in the pool. Dropped before the task has reported, it frees the place.
struct Job<M: Manage> {
    shared: Arc<Shared<M>>,
    place: Option<Place>,
}

impl<M: Manage> Job<M> {
    fn new(shared: &Arc<Shared<M>>, place: Place) -> Self {
        Self { shared: Arc::clone(shared), place: Some(place) }
    }

    /// The seat, to be spent on a report.
    fn seat(&mut self) -> Seat {
        match self.place.take() {
            Some(Place::Seat(seat)) => seat,
            _ => unreachable!("a job reports once, and only closing works without a seat"),
        }
    }
}

impl<M: Manage> Drop for Job<M> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let now = Moment::now();
            self.shared.step(|ledger, tasks| ledger.orphaned(place, &OpenFailure::interrupted(now), now, tasks));
        }
    }
}

/// Opens a connection for `seat`.
pub(crate) fn open<M: Manage>(shared: &Arc<Shared<M>>, seat: Seat, progress: Progress) {
    let job = Job::new(shared, Place::Seat(seat));
    shared.runtime.spawn(run_open(job, progress));
}

async fn run_open<M: Manage>(mut job: Job<M>, progress: Progress) {
    let shared = Arc::clone(&job.shared);
    let started = Moment::now();
    let limit = shared.config().connect_timeout;
    let attempt = async {
        let opened = shared.manager.open_in_steps(&progress).await;
        opened.map_err(|error| {
            let permanent = shared.manager.is_permanent(&error);
            (error, permanent)
        })
    };
    let outcome = tokio::select! {
        biased;
        outcome = bounded(limit, attempt) => outcome,
        () = shared.until_closing() => {
            let seat = job.seat();
            return shared.step(|ledger, tasks| ledger.open_abandoned(seat, Moment::now(), tasks));
        }
    };
    let now = Moment::now();
    let took = now.saturating_duration_since(started);
    let seat = job.seat();
    let failure = match outcome {
        Outcome::Done(Ok(connection)) => {
            shared.tell(|observer| observer.opened(&observer::Opened { took }));
            shared.step(|ledger, tasks| ledger.opened(seat, connection, started, now, fastrand::f64(), tasks));
            return shared.news.notify_waiters();
        }
        Outcome::Done(Err((error, permanent))) => OpenFailure::refused(error, permanent, progress.phase(), now),
        Outcome::TimedOut => OpenFailure::timed_out(limit, progress.phase(), now),
        Outcome::Panicked(message) => OpenFailure::panicked(&message, progress.phase(), now),
    };
    let permanent = failure.permanent;
    tracing::warn!(pool = &*shared.name, error = %failure, permanent, ?took, "opening a connection failed");
    shared.tell(|observer| {
        let error = failure.error().map(|error| error as _);
        observer.open_failed(&observer::OpenFailed { error, permanent, took });
    });
    shared.step(|ledger, tasks| ledger.open_failed(seat, failure, permanent, now, fastrand::f64(), tasks));
    shared.news.notify_waiters();
}

/// Checks or resets a connection, which is then lent, or closed.
pub(crate) fn care<M: Manage>(shared: &Arc<Shared<M>>, held: Held<M::Connection>, care: Care) {
    let Held { seat, connection, card, .. } = held;
    let job = Job::new(shared, Place::Seat(seat));
    shared.runtime.spawn(run_care(job, connection, card, care));
}

async fn run_care<M: Manage>(mut job: Job<M>, mut connection: M::Connection, card: Card, care: Care) {
    let shared = Arc::clone(&job.shared);
    let fit = tend(&mut job, &mut connection, care).await;
    let held = Held::new(job.seat(), connection, card);
    let now = Moment::now();
    shared.step(|ledger, tasks| {
        if fit {
            ledger.healthy(held, now, tasks);
        } else {
            ledger.unhealthy(*held, now, tasks);
        }
    });
}

/// Whether the connection can be lent afterwards.
async fn tend<M: Manage>(job: &mut Job<M>, connection: &mut M::Connection, care: Care) -> bool {
    let shared = Arc::clone(&job.shared);
    let outcome = {
        let manager = &shared.manager;
        let work = async {
            match care {
                Care::Check => manager.check(connection).await,
                Care::Reset => manager.reset(connection).await,
            }
        };
        let mut work = pin!(bounded(shared.config().validate_timeout, work));
        let mut closing = pin!(shared.until_closing());
        tokio::select! {
            biased;
            outcome = &mut work => outcome,
            () = &mut closing => return false,
            () = sleep(SLOW) => {
                if let Some(Place::Seat(seat)) = &job.place {
                    shared.step(|ledger, tasks| ledger.slow(seat, Moment::now(), tasks));
                }
                tokio::select! {
                    biased;
                    outcome = &mut work => outcome,
                    () = &mut closing => return false,
                }
            }
        }
    };
    let reason = care.failure();
    let error = match outcome {
        Outcome::Done(Ok(())) => match shared.state_of(connection) {
            State::Clean => return true,
            state => {
                tracing::debug!(pool = &*shared.name, %reason, ?state, "the connection is still not clean");
                None
            }
        },
        Outcome::Done(Err(error)) => {
            tracing::debug!(pool = &*shared.name, %reason, %error, "the connection is closed");
            Some(error)
        }
        Outcome::TimedOut => {
            tracing::debug!(pool = &*shared.name, %reason, "no answer in time: the connection is closed");
            None
        }
        Outcome::Panicked(message) => {
            tracing::warn!(pool = &*shared.name, %reason, message, "the manager panicked: the connection is closed");
            None
        }
    };
    shared.tell(|observer| {
        let error = error.as_ref().map(|error| error as _);
        observer.care_failed(&observer::CareFailed { reason, error });
    });
    false
}

/// Closes a connection.
pub(crate) fn close<M: Manage>(shared: &Arc<Shared<M>>, place: Place, connection: M::Connection) {
    let job = Job::new(shared, place);
    shared.runtime.spawn(run_close(job, connection));
}

async fn run_close<M: Manage>(mut job: Job<M>, connection: M::Connection) {
    let shared = Arc::clone(&job.shared);
    let manager = &shared.manager;
    match bounded(shared.config().validate_timeout, async { manager.close(connection).await }).await {
        Outcome::Done(Ok(())) => {}
        Outcome::Done(Err(error)) => tracing::debug!(pool = &*shared.name, %error, "closing a connection failed"),
        Outcome::TimedOut => tracing::debug!(pool = &*shared.name, "closing a connection took too long: dropped"),
        Outcome::Panicked(message) => {
            tracing::warn!(pool = &*shared.name, message, "the manager panicked while closing")
        }
    }
    if let Some(place) = job.place.take() {
        shared.step(|ledger, tasks| ledger.closed(place, Moment::now(), tasks));
    }
}

/// How the manager's work ended.
enum Outcome<T> {
    Done(T),
    TimedOut,
    Panicked(String),
}

/// The manager's work under a time limit, with its panics caught.
async fn bounded<F: Future>(limit: Duration, work: F) -> Outcome<F::Output> {
    let mut work = pin!(work);
    let caught = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Outcome::Done(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(payload) => {
            let message = payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| payload.downcast_ref::<String>().cloned());
            Poll::Ready(Outcome::Panicked(message.unwrap_or_else(|| "no message".to_owned())))
        }
    });
    tokio::time::timeout(limit, caught).await.unwrap_or(Outcome::TimedOut)
}
