//! Why there is no connection, told so that the reader knows what to change.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Moment;
use crate::ledger::Snapshot;
use crate::stats::{Borrower, Stats};

/// What stopped an acquire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcquireErrorKind {
    /// The time allowed was over; [`AcquireError::phase`] says what it was spent on.
    Timeout,
    /// Opening a connection failed and no other connection could serve the caller.
    OpenFailed,
    /// Too many callers were waiting already.
    Shed,
    /// Nothing was idle, and the caller did not want to wait.
    Exhausted,
    /// The pool is closed, or the runtime it was created on has ended.
    Closed,
}

/// What the caller was waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AcquirePhase {
    /// Another borrower's connection.
    Queue,
    /// A new connection, whose manager does not say how far it has come, or the next attempt to open one.
    Open,
    /// A new connection: the other side was being reached.
    Connect,
    /// A new connection, in its TLS handshake.
    Tls,
    /// A new connection: the other side was finding out who asks.
    Authenticate,
    /// A new connection, whose session was being set up.
    SetUp,
    /// The check of an idle connection.
    Validate,
}

impl AcquirePhase {
    /// The phase as a word for logs and metrics: `queue`, `open`, `connect`, `tls`, `authenticate`, `set_up` or `validate`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Open => "open",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Authenticate => "authenticate",
            Self::SetUp => "set_up",
            Self::Validate => "validate",
        }
    }

    /// What an attempt to open is doing, where that is known.
    fn step(self) -> Option<&'static str> {
        match self {
            Self::Connect => Some("reaching the server"),
            Self::Tls => Some("in the TLS handshake"),
            Self::Authenticate => Some("logging in"),
            Self::SetUp => Some("setting up the session"),
            Self::Queue | Self::Open | Self::Validate => None,
        }
    }
}

impl fmt::Display for AcquirePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// No connection could be had. [`source`](Error::source) is the manager's own error where opening failed.
///
/// Its text is one line; [`details`](Self::details) tells everything.
pub struct AcquireError<E>(Box<Report<E>>);

#[derive(Debug)]
struct Report<E> {
    pool: Arc<str>,
    kind: AcquireErrorKind,
    phase: AcquirePhase,
    position: Option<usize>,
    limit: Option<Duration>,
    elapsed: Duration,
    now: Moment,
    stats: Stats,
    failure: Option<OpenFailure<E>>,
    longest_held: Vec<Borrower>,
}

impl<E: Error + 'static> AcquireError<E> {
    /// What stopped it.
    #[must_use]
    pub fn kind(&self) -> AcquireErrorKind {
        self.0.kind
    }

    /// What the caller was waiting for when it ended.
    #[must_use]
    pub fn phase(&self) -> AcquirePhase {
        self.0.phase
    }

    /// How long the acquire took.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// How many callers were ahead in the queue; `None` when it never queued.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.0.position
    }

    /// The numbers of the pool when it failed.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.0.stats
    }

    /// The leases that had been out longest, at most three, the longest first.
    #[must_use]
    pub fn longest_held(&self) -> &[Borrower] {
        &self.0.longest_held
    }

    /// The manager's error of the last attempt to open a connection, unless one has succeeded since.
    #[must_use]
    pub fn open_error(&self) -> Option<&E> {
        self.0.failure.as_ref().and_then(OpenFailure::error)
    }

    /// How long before this error the last attempt to open failed, unless one has succeeded since.
    #[must_use]
    pub fn open_error_age(&self) -> Option<Duration> {
        self.0.failure.as_ref().map(|failure| self.0.now.saturating_duration_since(failure.at))
    }

    /// Whether the time was over.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind() == AcquireErrorKind::Timeout
    }

    /// Whether the pool is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.kind() == AcquireErrorKind::Closed
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            AcquireErrorKind::Timeout | AcquireErrorKind::Shed | AcquireErrorKind::Exhausted => true,
            AcquireErrorKind::OpenFailed => !self.0.failure.as_ref().is_some_and(|failure| failure.permanent),
            AcquireErrorKind::Closed => false,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match (self.kind(), self.phase()) {
            (AcquireErrorKind::Timeout | AcquireErrorKind::Exhausted, AcquirePhase::Queue)
                if self.stats().suspended =>
            {
                "lending is suspended: call resume"
            }
            (AcquireErrorKind::Timeout | AcquireErrorKind::Exhausted, AcquirePhase::Queue) => {
                "look at the borrowers that hold a connection longest, or raise max if the server can take more"
            }
            (AcquireErrorKind::Timeout | AcquireErrorKind::Exhausted, _) => {
                "see whether the server is up and reachable, or allow more time"
            }
            (AcquireErrorKind::OpenFailed, _) if self.is_retryable() => "see whether the server is up and reachable",
            (AcquireErrorKind::OpenFailed, _) => "correct the settings of the connection; trying again will not help",
            (AcquireErrorKind::Shed, _) => {
                "send less at once, raise max_waiters, or raise max if the server can take more"
            }
            (AcquireErrorKind::Closed, _) => {
                "stop asking once close was called, and create the pool on a runtime that lives as long as it does"
            }
        }
    }

    /// Everything there is to say, over several lines without a line break at the end.
    #[must_use]
    pub fn details(&self) -> String {
        let Report { stats, elapsed, position, failure, longest_held, .. } = &*self.0;
        let mut text = self.to_string();
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  phase: {}, after {}", self.phase(), Short(*elapsed));
        if let Some(ahead) = position {
            let _ = write!(text, ", {ahead} ahead in the queue");
        }
        let _ = write!(
            text,
            "\n  connections: {} of {} (idle {}, in use {}, being checked {}, being opened {}), waiting {}\n  server: {}",
            stats.size, stats.max, stats.idle, stats.in_use, stats.in_care, stats.opening, stats.waiting, stats.health
        );
        if let (Some(failure), Some(age)) = (failure, self.open_error_age()) {
            let _ = write!(
                text,
                "\n  last open error: {failure} ({} ago, {} in a row)",
                Short(age),
                stats.failures_in_a_row
            );
        }
        for (place, borrower) in longest_held.iter().enumerate() {
            let label = if place == 0 { "\n  longest held: " } else { ", " };
            let _ = write!(text, "{label}{}", Holder(borrower));
        }
        let _ = write!(text, "\n  hint: {}", self.hint());
        text
    }
}

/// What is known when an acquire fails.
pub(crate) struct Failed {
    pub(crate) kind: AcquireErrorKind,
    pub(crate) phase: AcquirePhase,
    pub(crate) position: Option<usize>,
    pub(crate) limit: Option<Duration>,
    pub(crate) elapsed: Duration,
}

impl<E> AcquireError<E> {
    pub(crate) fn new(
        pool: Arc<str>,
        failed: Failed,
        failure: Option<OpenFailure<E>>,
        now: Moment,
        snapshot: Snapshot<OpenFailure<E>>,
    ) -> Self {
        let Failed { kind, phase, position, limit, elapsed } = failed;
        Self(Box::new(Report {
            pool,
            kind,
            phase,
            position,
            limit,
            elapsed,
            now,
            stats: snapshot.stats,
            failure: failure.or(snapshot.last_failure),
            longest_held: snapshot.longest_held,
        }))
    }
}

impl<E: Error + 'static> fmt::Display for AcquireError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { pool, kind, phase, limit, stats, failure, longest_held, .. } = &*self.0;
        write!(f, "no connection from pool {pool:?}")?;
        match kind {
            AcquireErrorKind::Timeout => write!(f, " within {}: ", Short(limit.unwrap_or(self.0.elapsed)))?,
            AcquireErrorKind::Exhausted => f.write_str(" without waiting: ")?,
            _ => f.write_str(": ")?,
        }
        match (kind, phase) {
            (AcquireErrorKind::Timeout | AcquireErrorKind::Exhausted, AcquirePhase::Queue) => {
                if stats.suspended {
                    f.write_str("lending is suspended, ")?;
                }
                write!(f, "{} of {} in use, {} waiting", stats.in_use, stats.max, stats.waiting)?;
                if let Some(borrower) = longest_held.first() {
                    write!(f, ", longest held {}", Holder(borrower))?;
                }
                Ok(())
            }
            (AcquireErrorKind::Timeout | AcquireErrorKind::Exhausted, AcquirePhase::Validate) => {
                f.write_str("checking an idle one was not finished")
            }
            (AcquireErrorKind::Timeout | AcquireErrorKind::Exhausted, phase) => match (failure, phase.step()) {
                (Some(failure), _) => write!(f, "opening one keeps failing{}", Own(failure)),
                (None, Some(step)) => write!(f, "opening one was not finished, still {step}"),
                (None, None) => f.write_str("opening one was not finished"),
            },
            (AcquireErrorKind::OpenFailed, _) => {
                f.write_str("opening one failed")?;
                failure.as_ref().map_or(Ok(()), |failure| Own(failure).fmt(f))
            }
            (AcquireErrorKind::Shed, _) => {
                write!(f, "{} of {} in use and {} waiting already", stats.in_use, stats.max, stats.waiting)
            }
            (AcquireErrorKind::Closed, _) => f.write_str("the pool is closed"),
        }
    }
}

impl<E: Error + 'static> fmt::Debug for AcquireError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AcquireError").field(&self.0).finish()
    }
}

impl<E: Error + 'static> Error for AcquireError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.open_error().map(|error| error as &(dyn Error + 'static))
    }
}

/// Why one attempt to open failed, and when. Shared by everybody it is told to.
pub(crate) struct OpenFailure<E> {
    cause: Cause<E>,
    /// What the attempt was doing.
    pub(crate) phase: AcquirePhase,
    at: Moment,
    pub(crate) permanent: bool,
}

enum Cause<E> {
    Refused(Arc<E>),
    TimedOut(Duration),
    Panicked(Arc<str>),
    Interrupted,
}

impl<E> OpenFailure<E> {
    pub(crate) fn refused(error: E, permanent: bool, phase: AcquirePhase, at: Moment) -> Self {
        Self { cause: Cause::Refused(Arc::new(error)), phase, at, permanent }
    }

    pub(crate) fn timed_out(limit: Duration, phase: AcquirePhase, at: Moment) -> Self {
        Self { cause: Cause::TimedOut(limit), phase, at, permanent: false }
    }

    pub(crate) fn panicked(message: &str, phase: AcquirePhase, at: Moment) -> Self {
        Self { cause: Cause::Panicked(message.into()), phase, at, permanent: false }
    }

    pub(crate) fn interrupted(at: Moment) -> Self {
        Self { cause: Cause::Interrupted, phase: AcquirePhase::Open, at, permanent: false }
    }

    pub(crate) fn error(&self) -> Option<&E> {
        match &self.cause {
            Cause::Refused(error) => Some(error),
            _ => None,
        }
    }
}

impl<E> Clone for OpenFailure<E> {
    fn clone(&self) -> Self {
        let cause = match &self.cause {
            Cause::Refused(error) => Cause::Refused(Arc::clone(error)),
            Cause::TimedOut(limit) => Cause::TimedOut(*limit),
            Cause::Panicked(message) => Cause::Panicked(Arc::clone(message)),
            Cause::Interrupted => Cause::Interrupted,
        };
        Self { cause, phase: self.phase, at: self.at, permanent: self.permanent }
    }
}

impl<E: fmt::Display> fmt::Display for OpenFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Refused(error) => error.fmt(f),
            Cause::TimedOut(limit) => {
                write!(f, "no answer within {}", Short(*limit))?;
                self.phase.step().map_or(Ok(()), |step| write!(f, ", {step}"))
            }
            Cause::Panicked(message) => write!(f, "the manager panicked: {message}"),
            Cause::Interrupted => f.write_str("the attempt was interrupted"),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for OpenFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Refused(error) => error.fmt(f),
            Cause::TimedOut(limit) => write!(f, "TimedOut({limit:?})"),
            Cause::Panicked(message) => write!(f, "Panicked({message:?})"),
            Cause::Interrupted => f.write_str("Interrupted"),
        }
    }
}

/// The pool's own words for a failure; the manager's error is the source and not repeated.
struct Own<'a, E>(&'a OpenFailure<E>);

impl<E: fmt::Display> fmt::Display for Own<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.error().is_some() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

/// A borrower as `29.8s at src/main.rs:10`.
struct Holder<'a>(&'a Borrower);

impl fmt::Display for Holder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Borrower { location, held } = self.0;
        write!(f, "{} at {}:{}", Short(*held), location.file(), location.line())
    }
}

/// A duration to one decimal: `12.0ms`, `29.8s`.
struct Short(Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1?}", self.0)
    }
}
