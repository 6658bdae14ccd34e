//! What time it is, for a pool: cheap enough to be asked twice for every loan.

use std::ops::Add;
use std::time::{Duration, SystemTime};

/// A moment, in nanoseconds since some moment before the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// This moment.
    #[inline]
    pub(crate) fn now() -> Self {
        Self(imp::exact())
    }

    /// This moment to within the few milliseconds between two ticks of the system, for a third of the cost: the kernel's
    /// `CLOCK_MONOTONIC_COARSE`. It never runs ahead of [`now`](Self::now).
    #[inline]
    pub(crate) fn about_now() -> Self {
        Self(imp::coarse())
    }

    /// The time from `earlier` to here; none if it is later.
    #[inline]
    pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// The same in nanoseconds, for where each of them counts.
    #[inline]
    pub(crate) fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) fn checked_add(self, time: Duration) -> Option<Self> {
        self.0.checked_add(u64::try_from(time.as_nanos()).ok()?).map(Self)
    }

    /// The moment as a number that grows with time and is never 0.
    #[inline]
    pub(crate) fn number(self) -> u64 {
        self.0.max(1)
    }

    /// The moment of a [number](Self::number); none of 0.
    #[inline]
    pub(crate) fn of_number(number: u64) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// A moment of the standard library's clock, seen from `now`.
    pub(crate) fn of(at: std::time::Instant, now: Self) -> Self {
        let age = imp::instant().saturating_duration_since(at);
        Self(now.0.saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Notices that the machine has slept, or that somebody has set its clock: the calendar has gone further than the time that
/// timers go by, which stands still while a machine sleeps. What was connected before may long be forgotten at the other end.
#[derive(Debug)]
pub(crate) struct Calendar {
    date: SystemTime,
    at: Moment,
}

/// Less is a clock that is being corrected.
const JUMP: Duration = Duration::from_secs(2);

impl Calendar {
    pub(crate) fn new(date: SystemTime, at: Moment) -> Self {
        Self { date, at }
    }

    /// By how much the calendar has gone further since the last look, if that is worth a word.
    pub(crate) fn jump(&mut self, date: SystemTime, at: Moment) -> Option<Duration> {
        let by_date = date.duration_since(self.date).unwrap_or_default();
        let by_timers = at.saturating_duration_since(self.at);
        (self.date, self.at) = (date, at);
        by_date.checked_sub(by_timers).filter(|jump| *jump > JUMP)
    }
}

/// Times that are too long to be reckoned with are as good as for ever.
impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        self.checked_add(time).unwrap_or(Self(u64::MAX))
    }
}

/// The clock of tests, which they can pause.
#[cfg(any(test, feature = "tokio-clock"))]
mod imp {
    use std::sync::OnceLock;
    use tokio::time::Instant;

    /// Long before any test's beginning, since each has a clock of its own.
    fn origin() -> std::time::Instant {
        static ORIGIN: OnceLock<std::time::Instant> = OnceLock::new();
        *ORIGIN.get_or_init(std::time::Instant::now)
    }

    const HEAD_START: u64 = 1 << 40;

    #[inline]
    pub(super) fn exact() -> u64 {
        let origin = origin();
        let now = Instant::now().into_std();
        let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        HEAD_START + nanos(now.saturating_duration_since(origin)) - nanos(origin.saturating_duration_since(now))
    }

    #[inline]
    pub(super) fn coarse() -> u64 {
        exact()
    }

    pub(super) fn instant() -> std::time::Instant {
        Instant::now().into_std()
    }
}

#[cfg(all(target_os = "linux", not(any(test, feature = "tokio-clock"))))]
mod imp {
    use rustix::time::{ClockId, Timespec, clock_gettime};

    #[inline]
    pub(super) fn exact() -> u64 {
        nanos(clock_gettime(ClockId::Monotonic))
    }

    #[inline]
    pub(super) fn coarse() -> u64 {
        nanos(clock_gettime(ClockId::MonotonicCoarse))
    }

    pub(super) fn instant() -> std::time::Instant {
        std::time::Instant::now()
    }

    #[inline]
    fn nanos(time: Timespec) -> u64 {
        // Counted from the machine's start: neither is ever negative.
        time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
    }
}

#[cfg(not(any(target_os = "linux", test, feature = "tokio-clock")))]
mod imp {
    use std::sync::OnceLock;
    use std::time::Instant;

    #[inline]
    pub(super) fn exact() -> u64 {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    #[inline]
    pub(super) fn coarse() -> u64 {
        exact()
    }

    pub(super) fn instant() -> Instant {
        Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_slept_is_noticed() {
        let (date, at) = (SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30), Moment::now());
        let mut calendar = Calendar::new(date, at);
        let second = Duration::from_secs(1);
        // As much of the one as of the other, and a correction.
        assert_eq!(calendar.jump(date + second * 300, at + second * 300), None);
        assert_eq!(calendar.jump(date + second * 331, at + second * 330), None);
        // An hour's sleep, and what comes after it.
        assert_eq!(calendar.jump(date + second * 3961, at + second * 360), Some(second * 3600));
        assert_eq!(calendar.jump(date + second * 3991, at + second * 390), None);
        // Set back.
        assert_eq!(calendar.jump(date, at + second * 420), None);
        assert_eq!(calendar.jump(date + second * 30, at + second * 450), None);
    }

    #[test]
    fn time_is_reckoned_without_overflow() {
        let now = Moment::now();
        assert_eq!((now + Duration::from_secs(3)).saturating_duration_since(now), Duration::from_secs(3));
        assert_eq!(now.saturating_duration_since(now + Duration::from_secs(3)), Duration::ZERO);
        assert_eq!(now.checked_add(Duration::MAX), None);
        assert!(now + Duration::MAX > now + Duration::from_secs(1 << 32));
        let at = tokio::time::Instant::now().into_std();
        assert!(Moment::of(at, Moment::now()) >= now);
        assert!(Moment::about_now() <= Moment::now());
    }
}
