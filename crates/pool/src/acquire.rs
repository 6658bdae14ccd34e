//! What a caller does until it has a connection: takes an idle one, or waits in the queue for whatever comes first.

use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Moment;
use crate::error::{AcquireError, AcquireErrorKind, AcquirePhase, Failed};
use crate::front::{Caller, Queued, WaiterId};
use crate::lease::Lease;
use crate::ledger::{Join, Mode, Refusal, Trust, Warmth};
use crate::manage::{Manage, State};
use crate::observer;
use crate::parcel::{self, Load};
use crate::shared::{Delivery, Failure, Shared, Waiter};
use crate::shelf::Held;

/// For a limit from here on the clock's tick of a few milliseconds does not matter.
const COARSE: Duration = Duration::from_secs(1);

/// One call for a connection.
struct Call<'a, M: Manage> {
    shared: &'a Arc<Shared<M>>,
    location: &'static Location<'static>,
    started: Moment,
    limit: Limit,
}

/// How long a caller waits.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// Not at all.
    None,
    /// As long as the pool is configured to.
    Configured,
    /// So long.
    Of(Duration),
}

/// Takes a connection, waiting no longer than `limit`.
pub(crate) async fn acquire<M: Manage>(
    shared: &Arc<Shared<M>>,
    limit: Limit,
    location: &'static Location<'static>,
) -> Result<Lease<M>, AcquireError<M::Error>> {
    let mut call = Call { shared, location, started: shared.about_now(), limit };
    if let Some(lease) = call.take_resting(Trust::Proven) {
        return Ok(lease);
    }
    // A limit that is a matter of milliseconds is kept to the millisecond.
    let exact = shared.is_observed() || limit.time().is_some_and(|limit| limit < COARSE);
    if exact {
        call.started = Moment::now();
    }
    let mut place = loop {
        let (sender, receiver) = oneshot::channel();
        match call.join(sender, exact) {
            Join::Queued(Queued { id, .. }) => break QueuePlace { shared, id, receiver, left: false },
            Join::Refused(refusal) => return Err(call.refused(refusal)),
            Join::Lent(held) => {
                if let Some(lease) = call.accept(held) {
                    return Ok(lease);
                }
            }
        }
    };
    // The housekeeper watches the time, so that waiting needs no timer of its own.
    let delivery = (&mut place.receiver).await;
    place.left = true;
    call.receive(delivery)
}

/// Opens connections until there are so many.
pub(crate) async fn warm_up<M: Manage>(
    shared: &Arc<Shared<M>>,
    count: usize,
    location: &'static Location<'static>,
) -> Result<(), AcquireError<M::Error>> {
    let call = Call { shared, location, started: Moment::now(), limit: Limit::None };
    loop {
        let mut news = pin!(shared.news.notified());
        news.as_mut().enable();
        match shared.step(|ledger, tasks| ledger.warm(count, Moment::now(), tasks)) {
            Warmth::Warm => return Ok(()),
            Warmth::Warming => tokio::select! {
                () = news => {}
                () = shared.until_closing() => {}
            },
            Warmth::Failed(failure) => return Err(call.refused(Refusal::OpenFailed(failure))),
            Warmth::Closed => return Err(call.refused(Refusal::Closed)),
        }
    }
}

/// Takes an idle connection as it is, without waiting.
pub(crate) fn try_acquire<M: Manage>(
    shared: &Arc<Shared<M>>,
    location: &'static Location<'static>,
) -> Result<Lease<M>, AcquireError<M::Error>> {
    let call = Call { shared, location, started: Moment::now(), limit: Limit::None };
    if let Some(lease) = call.take_resting(Trust::AsIs) {
        return Ok(lease);
    }
    while let Some(held) = shared.step(|ledger, tasks| ledger.take(call.started, location, Trust::AsIs, tasks)) {
        if let Some(lease) = call.accept(held) {
            return Ok(lease);
        }
    }
    let kind = match shared.look().mode() {
        Mode::Closed => AcquireErrorKind::Closed,
        Mode::Lending | Mode::Suspended => AcquireErrorKind::Exhausted,
    };
    Err(call.failed(kind, AcquirePhase::Queue, None, None))
}

impl Limit {
    fn time(self) -> Option<Duration> {
        match self {
            Self::Of(time) => Some(time),
            Self::None | Self::Configured => None,
        }
    }
}

impl<M: Manage> Call<'_, M> {
    /// Comes to wait; with the ledger only where there is something to do for one caller more.
    fn join(&self, sender: Waiter<M>, exact: bool) -> Join<M::Connection, Failure<M>> {
        let (limit, timed) = (self.limit.time(), self.shared.is_observed());
        let caller = Caller { since: self.started, exact, timed, limit, location: self.location };
        match self.shared.front.join(caller, sender) {
            Ok(queued) => {
                if queued.wake_housekeeper {
                    self.shared.housekeeper.notify_one();
                }
                Join::Queued(queued)
            }
            Err(sender) => {
                let now = self.started.max(Moment::now());
                self.shared.step(|ledger, tasks| ledger.join(now, caller, sender, tasks))
            }
        }
    }

    /// Takes a connection that rests, without the ledger.
    fn take_resting(&self, trust: Trust) -> Option<Lease<M>> {
        let (shelf, exact) = (&self.shared.front.shelf, self.shared.is_observed());
        while let Some(held) = shelf.lend(self.started, exact, self.location, trust == Trust::Proven) {
            if let Some(lease) = self.accept(held) {
                return Some(lease);
            }
        }
        None
    }

    /// A lease of it, if the manager knows nothing against it; otherwise it goes back to be reset or closed.
    fn accept(&self, held: Box<Held<M::Connection>>) -> Option<Lease<M>> {
        let load = Load { shared: Arc::clone(self.shared), held };
        match self.shared.state_of(&load.held.connection) {
            State::Clean => Some(self.lease(load, Duration::ZERO)),
            state => {
                parcel::put_back(load, state);
                None
            }
        }
    }

    fn receive(
        &self,
        delivery: Result<Delivery<M>, oneshot::error::RecvError>,
    ) -> Result<Lease<M>, AcquireError<M::Error>> {
        match delivery {
            Ok(Ok(parcel)) => {
                let waited = parcel.waited;
                match parcel.unpack() {
                    Some(load) => Ok(self.lease(load, waited)),
                    None => unreachable!("a parcel is full until it is unpacked"),
                }
            }
            Ok(Err(refusal)) => Err(self.refused(refusal)),
            // Whoever should have answered is gone, and with it the pool.
            Err(_) => Err(self.refused(Refusal::Closed)),
        }
    }

    fn lease(&self, load: Load<M>, waited: Duration) -> Lease<M> {
        let location = self.location;
        self.shared.tell(|observer| observer.acquired(&observer::Acquired { waited, location }));
        Lease::new(load)
    }

    fn refused(&self, refusal: Refusal<Failure<M>>) -> AcquireError<M::Error> {
        let (kind, phase, failure) = match refusal {
            Refusal::OpenFailed(failure) => (AcquireErrorKind::OpenFailed, failure.phase, Some(failure)),
            Refusal::Closed => (AcquireErrorKind::Closed, AcquirePhase::Queue, None),
            Refusal::Shed => (AcquireErrorKind::Shed, AcquirePhase::Queue, None),
            Refusal::OutOfTime { position, phase } => {
                return self.failed(AcquireErrorKind::Timeout, phase, Some(position), None);
            }
        };
        self.failed(kind, phase, None, failure)
    }

    fn failed(
        &self,
        kind: AcquireErrorKind,
        phase: AcquirePhase,
        position: Option<usize>,
        failure: Option<Failure<M>>,
    ) -> AcquireError<M::Error> {
        let now = Moment::now();
        let elapsed = now.saturating_duration_since(self.started);
        let location = self.location;
        self.shared.tell(|observer| observer.acquire_failed(&observer::AcquireFailed { kind, elapsed, location }));
        let snapshot = self.shared.look().snapshot(now);
        let limit = match self.limit {
            Limit::Configured => Some(self.shared.config().acquire_timeout),
            limit => limit.time(),
        };
        let failed = Failed { kind, phase, position, limit, elapsed };
        AcquireError::new(Arc::clone(&self.shared.name), failed, failure, now, snapshot)
    }
}

/// A place in the queue, given up when dropped. A connection that is already on its way then goes to the next.
struct QueuePlace<'a, M: Manage> {
    shared: &'a Arc<Shared<M>>,
    id: WaiterId,
    receiver: oneshot::Receiver<Delivery<M>>,
    left: bool,
}

impl<M: Manage> Drop for QueuePlace<'_, M> {
    fn drop(&mut self) {
        if !self.left {
            drop(self.shared.front.leave(self.id));
        }
    }
}
