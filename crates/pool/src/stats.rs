//! What a pool knows about itself in numbers.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::times::Times;

/// Why a connection left the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// It lay idle longer than `idle_timeout` and was not needed for `min`.
    Idle,
    /// It reached its lifetime.
    Lifetime,
    /// [`Pool::reset`](crate::Pool::reset) was called after it was opened.
    Evicted,
    /// The pool was made smaller.
    Resized,
    /// It came back broken, or was found broken while idle.
    Broken,
    /// The check before lending failed.
    CheckFailed,
    /// It could not be brought back to a clean session.
    ResetFailed,
    /// The borrower asked for it with [`Lease::discard`](crate::Lease::discard).
    Discarded,
    /// The borrower kept it with [`Lease::detach`](crate::Lease::detach).
    Detached,
    /// The pool is closed.
    PoolClosed,
}

impl CloseReason {
    /// Every reason, in the order of the declaration.
    pub const ALL: [Self; 10] = [
        Self::Idle,
        Self::Lifetime,
        Self::Evicted,
        Self::Resized,
        Self::Broken,
        Self::CheckFailed,
        Self::ResetFailed,
        Self::Discarded,
        Self::Detached,
        Self::PoolClosed,
    ];

    /// The reason as a metric label: lower case, words joined by `_`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
            Self::Evicted => "evicted",
            Self::Resized => "resized",
            Self::Broken => "broken",
            Self::CheckFailed => "check_failed",
            Self::ResetFailed => "reset_failed",
            Self::Discarded => "discarded",
            Self::Detached => "detached",
            Self::PoolClosed => "pool_closed",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// Counts that only ever grow, since the pool was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) timeouts: u64,
    pub(crate) shed: u64,
    pub(crate) refused: u64,
    pub(crate) opened: u64,
    pub(crate) open_failures: u64,
    pub(crate) validated: u64,
    pub(crate) validation_failures: u64,
    pub(crate) resets: u64,
    pub(crate) reset_failures: u64,
    pub(crate) leaked: u64,
    pub(crate) closed: [u64; CloseReason::ALL.len()],
    pub(crate) opens: Times,
}

/// How it stands with the other side, from what the pool's connections have met with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// Nothing speaks against it.
    #[default]
    Up,
    /// Something failed: every idle connection is checked before it is lent, until one proves that the other side works.
    Suspect,
    /// No connection works and opening fails.
    Down,
    /// As `Down`, and one attempt is being made.
    HalfOpen,
}

impl Health {
    /// As a metric label: `up`, `suspect`, `down` or `half_open`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
            Self::HalfOpen => "half_open",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// The numbers of a pool at one moment, all taken together.
///
/// As metrics they go by the names of OpenTelemetry's
/// [semantic conventions](https://opentelemetry.io/docs/specs/semconv/database/database-metrics/#connection-pools) where those have
/// one: `db.client.connection.count` with the state `idle` or `used` for [`idle`](Self::idle) and [`in_use`](Self::in_use), `.max` and
/// `.idle.min` for [`max`](Self::max) and [`min`](Self::min), `.pending_requests` for [`waiting`](Self::waiting), `.timeouts` for
/// [`timeouts`](Self::timeouts); and in [`PoolTimes`](crate::PoolTimes) `.wait_time`, `.create_time` and `.use_time`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The most connections there may be at the moment.
    pub max: usize,
    /// How many are kept open.
    pub min: usize,
    /// Connections that are open: idle, in use, or being checked or reset.
    pub size: usize,
    /// Open and waiting to be lent.
    pub idle: usize,
    /// Lent.
    pub in_use: usize,
    /// Being checked or reset by the pool.
    pub in_care: usize,
    /// Being opened.
    pub opening: usize,
    /// Being closed and still holding their place.
    pub closing: usize,
    /// Callers waiting.
    pub waiting: usize,
    /// How long the caller at the head of the queue has waited.
    pub oldest_wait: Option<Duration>,
    /// Failed attempts to open since the last one that succeeded.
    pub failures_in_a_row: u32,
    /// How it stands with the other side.
    pub health: Health,
    /// Whether lending is [suspended](crate::Pool::suspend).
    pub suspended: bool,

    /// Leases handed out.
    pub acquired: u64,
    /// Of these, the first use of a newly opened connection.
    pub acquired_new: u64,
    /// Acquires that were dropped by their caller while they waited.
    pub cancelled: u64,
    /// Acquires that ran out of time.
    pub timeouts: u64,
    /// Acquires turned away because too many were waiting.
    pub shed: u64,
    /// Acquires that failed because opening failed.
    pub refused: u64,
    /// Connections opened.
    pub opened: u64,
    /// Attempts to open that failed.
    pub open_failures: u64,
    /// Checks that succeeded.
    pub validated: u64,
    /// Checks that failed.
    pub validation_failures: u64,
    /// Resets that succeeded.
    pub resets: u64,
    /// Resets that failed.
    pub reset_failures: u64,
    /// Leases that passed the leak threshold.
    pub leaked: u64,

    /// Time all acquires spent waiting before they got a connection.
    pub wait_total: Duration,
    /// Time connections were lent, counted when they come back.
    pub use_total: Duration,
    /// Time spent in successful opens.
    pub open_total: Duration,

    pub(crate) closed: [u64; CloseReason::ALL.len()],
}

impl Stats {
    /// How many connections left the pool for this reason.
    #[must_use]
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize]
    }

    /// How many connections left the pool.
    #[must_use]
    pub fn closed_total(&self) -> u64 {
        self.closed.iter().sum()
    }

    /// The share of acquires, in percent, that were served without opening a connection for them. 100 before the first one.
    #[must_use]
    pub fn reuse_efficiency(&self) -> f64 {
        if self.acquired == 0 {
            return 100.0;
        }
        (self.acquired - self.acquired_new.min(self.acquired)) as f64 / self.acquired as f64 * 100.0
    }
}

/// A lease that is out, and who took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Borrower {
    /// The place in the program that called `acquire`.
    pub location: &'static Location<'static>,
    /// For how long it has been held.
    pub held: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_in_its_own_place() {
        for (place, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
    }

    #[test]
    fn reuse_efficiency_is_a_share_of_all_acquires() {
        assert!((Stats::default().reuse_efficiency() - 100.0).abs() < f64::EPSILON);
        let stats = Stats { acquired: 8, acquired_new: 2, ..Stats::default() };
        assert!((stats.reuse_efficiency() - 75.0).abs() < f64::EPSILON);
    }
}
