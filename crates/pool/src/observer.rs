//! Who wants to hear what happens in a pool.

use std::error::Error;
use std::panic::Location;
use std::time::Duration;

use crate::error::AcquireErrorKind;
use crate::stats::{Borrower, CloseReason, Health};

/// Hears what happens in a pool. Every method defaults to nothing.
///
/// The methods are called outside the pool's lock, in the task of whoever caused the event, and should return quickly. A
/// panic in one is caught and changes nothing for the pool.
#[expect(unused_variables, reason = "the names tell implementors what they get")]
pub trait Observer: Send + Sync + 'static {
    /// A lease was handed out.
    fn acquired(&self, event: &Acquired) {}
    /// An acquire ended without a lease.
    fn acquire_failed(&self, event: &AcquireFailed) {}
    /// A lease came back.
    fn released(&self, borrower: &Borrower) {}
    /// A connection was opened.
    fn opened(&self, event: &Opened) {}
    /// Opening a connection failed.
    fn open_failed(&self, event: &OpenFailed<'_>) {}
    /// A connection left the pool.
    fn closed(&self, event: &Closed) {}
    /// It stands otherwise with the other side than before.
    fn health_changed(&self, before: Health, now: Health) {}
    /// A pool that [finds its size by itself](crate::Config#structfield.auto_size) allows itself another number of connections.
    fn resized(&self, before: usize, now: usize) {}
    /// A check or a reset failed; the connection is closed next.
    fn care_failed(&self, event: &CareFailed<'_>) {}
    /// A lease has been out for longer than the leak threshold.
    fn leaked(&self, borrower: &Borrower) {}
    /// A lease that was reported as leaked came back after all.
    fn unleaked(&self, borrower: &Borrower) {}
}

/// A lease was handed out.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Acquired {
    /// How long the caller waited for it.
    pub waited: Duration,
    /// Who asked for it.
    pub location: &'static Location<'static>,
}

/// An acquire ended without a lease.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AcquireFailed {
    /// Why.
    pub kind: AcquireErrorKind,
    /// After how long.
    pub elapsed: Duration,
    /// Who asked.
    pub location: &'static Location<'static>,
}

/// A connection was opened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Opened {
    /// How long it took.
    pub took: Duration,
}

/// Opening a connection failed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OpenFailed<'a> {
    /// What the manager said; `None` when it said nothing in time or panicked.
    pub error: Option<&'a (dyn Error + 'static)>,
    /// Whether trying again cannot help.
    pub permanent: bool,
    /// How long the attempt took.
    pub took: Duration,
}

/// A connection left the pool.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Closed {
    /// Why.
    pub reason: CloseReason,
    /// How long it had been open.
    pub age: Duration,
    /// How often it had been lent.
    pub uses: u64,
}

/// A check or a reset failed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CareFailed<'a> {
    /// [`CloseReason::CheckFailed`] or [`CloseReason::ResetFailed`].
    pub reason: CloseReason,
    /// What the manager said; `None` when it said nothing in time, panicked, or left the connection unfit.
    pub error: Option<&'a (dyn Error + 'static)>,
}
