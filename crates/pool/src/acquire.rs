//! What a caller does until it has a connection: takes an idle one, or waits in the queue for whatever comes first.

use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::{AcquireError, AcquireErrorKind, AcquirePhase, Failed};
use crate::lease::Lease;
use crate::ledger::{Join, Leaving, Mode, Refusal, Trust, WaiterId};
use crate::manage::Manage;
use crate::observer;
use crate::parcel::{Load, Parcel};
use crate::shared::{Delivery, Failure, Shared, after};

/// One call for a connection.
struct Call<'a, M: Manage> {
    shared: &'a Arc<Shared<M>>,
    location: &'static Location<'static>,
    started: Instant,
    limit: Option<Duration>,
}

/// Takes a connection, waiting at most `limit`.
pub(crate) async fn acquire<M: Manage>(
    shared: &Arc<Shared<M>>,
    limit: Duration,
    location: &'static Location<'static>,
) -> Result<Lease<M>, AcquireError<M::Error>> {
    let call = Call { shared, location, started: Instant::now(), limit: Some(limit) };
    if let Some(lease) = call.take(Trust::Proven) {
        return Ok(lease);
    }
    let mut place = loop {
        let (sender, receiver) = oneshot::channel();
        let joined = shared.step(|ledger, tasks| {
            let now = call.started;
            ledger.join(now, call.started, location, sender, tasks)
        });
        match joined {
            Join::Queued(id) => break QueuePlace { shared, id, receiver, left: false },
            Join::Refused(refusal) => return Err(call.refused(refusal)),
            Join::Lent(seat, connection) => {
                let parcel = Parcel::new(Arc::clone(shared), seat, connection, Duration::ZERO);
                if let Some(load) = parcel.inspect() {
                    return Ok(call.lease(load, Duration::ZERO));
                }
            }
        }
    };
    let mut alarm = pin!(shared.alarm(after(call.started, limit)));
    let delivery = tokio::select! {
        biased;
        delivery = &mut place.receiver => delivery,
        () = &mut alarm => match place.leave(Leaving::OutOfTime) {
            Some((position, phase)) => return Err(call.failed(AcquireErrorKind::Timeout, phase, Some(position), None)),
            // It has been taken off the queue, so its delivery is being made at this moment.
            None => (&mut place.receiver).await,
        },
    };
    place.left = true;
    call.receive(delivery)
}

/// Takes an idle connection as it is, without waiting.
pub(crate) fn try_acquire<M: Manage>(
    shared: &Arc<Shared<M>>,
    location: &'static Location<'static>,
) -> Result<Lease<M>, AcquireError<M::Error>> {
    let call = Call { shared, location, started: Instant::now(), limit: None };
    if let Some(lease) = call.take(Trust::AsIs) {
        return Ok(lease);
    }
    let kind = match shared.look().mode() {
        Mode::Closed => AcquireErrorKind::Closed,
        Mode::Lending => AcquireErrorKind::Exhausted,
    };
    Err(call.failed(kind, AcquirePhase::Queue, None, None))
}

impl<M: Manage> Call<'_, M> {
    fn take(&self, trust: Trust) -> Option<Lease<M>> {
        loop {
            let (seat, connection) =
                self.shared.step(|ledger, tasks| ledger.take(self.started, self.location, trust, tasks))?;
            let parcel = Parcel::new(Arc::clone(self.shared), seat, connection, Duration::ZERO);
            if let Some(load) = parcel.inspect() {
                return Some(self.lease(load, Duration::ZERO));
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
            Refusal::OpenFailed(failure) => (AcquireErrorKind::OpenFailed, AcquirePhase::Open, Some(failure)),
            Refusal::Closed => (AcquireErrorKind::Closed, AcquirePhase::Queue, None),
            Refusal::Shed => (AcquireErrorKind::Shed, AcquirePhase::Queue, None),
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
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(self.started);
        let location = self.location;
        self.shared.tell(|observer| observer.acquire_failed(&observer::AcquireFailed { kind, elapsed, location }));
        let snapshot = self.shared.look().snapshot(now);
        let failed = Failed { kind, phase, position, limit: self.limit, elapsed };
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

impl<M: Manage> QueuePlace<'_, M> {
    fn leave(&mut self, why: Leaving) -> Option<(usize, AcquirePhase)> {
        self.left = true;
        let left = self.shared.step(|ledger, _| ledger.leave(self.id, why))?;
        drop(left.handle);
        Some((left.position, left.phase))
    }
}

impl<M: Manage> Drop for QueuePlace<'_, M> {
    fn drop(&mut self) {
        if !self.left {
            self.leave(Leaving::Gone);
        }
    }
}
