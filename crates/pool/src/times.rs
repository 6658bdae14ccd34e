//! How long things take: counted in steps that grow with the time, so that a few hundred numbers hold every time there is.

use std::panic::Location;
use std::time::Duration;

/// Steps for each doubling: a time is known to an eighth of itself.
const STEPS: u64 = 8;
/// The shortest time told apart from none, as a power of two of nanoseconds: an eighth of a microsecond.
const SHORTEST: u32 = 7;
/// The longest, about an hour and a quarter. What takes longer counts as that long.
const LONGEST: u32 = 42;
const BUCKETS: usize = ((LONGEST - SHORTEST) as u64 * STEPS) as usize;

/// How often which time was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Times too short to tell from none.
    none: u64,
    /// Empty until the first time is counted.
    buckets: Vec<u32>,
    count: u64,
    total: Duration,
    longest: Duration,
}

impl Times {
    pub(crate) fn record(&mut self, time: Duration) {
        self.record_as(time, 1);
    }

    /// Counts a time that stands for so many.
    pub(crate) fn record_as(&mut self, time: Duration, count: u64) {
        let Some(times) = u32::try_from(count).ok().filter(|count| *count > 0) else { return };
        self.count += count;
        self.total += time.saturating_mul(times);
        self.longest = self.longest.max(time);
        match bucket(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)) {
            None => self.none += count,
            Some(at) => {
                if self.buckets.is_empty() {
                    self.buckets = vec![0; BUCKETS];
                }
                self.buckets[at] = self.buckets[at].saturating_add(times);
            }
        }
    }

    /// Counts so many that took no time.
    pub(crate) fn record_none(&mut self, count: u64) {
        self.count += count;
        self.none += count;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.none += other.none;
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
        } else {
            for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
                *mine = mine.saturating_add(*theirs);
            }
        }
    }

    /// What was counted since these were as they are in `earlier`. The [`longest`](Self::longest) stays that of all, since it is
    /// not known when it was.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut rest = self.clone();
        rest.count = self.count.saturating_sub(earlier.count);
        rest.none = self.none.saturating_sub(earlier.none);
        rest.total = self.total.saturating_sub(earlier.total);
        for (mine, theirs) in rest.buckets.iter_mut().zip(&earlier.buckets) {
            *mine = mine.saturating_sub(*theirs);
        }
        rest
    }

    /// How many times were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All times together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.total
    }

    /// The mean; none before the first.
    #[must_use]
    pub fn mean(&self) -> Duration {
        u32::try_from(self.count).ok().filter(|count| *count > 0).map_or_else(
            || Duration::from_secs_f64(self.total.as_secs_f64() / (self.count.max(1) as f64)),
            |count| self.total / count,
        )
    }

    /// The longest.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// The time that this share of all (0.5: the median, 0.99, …) did not exceed, to an eighth of itself and never more than
    /// [`longest`](Self::longest).
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = ((share.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(self.count.min(1));
        let mut seen = self.none;
        if rank <= seen {
            return Duration::ZERO;
        }
        for (at, count) in self.buckets.iter().enumerate() {
            seen += u64::from(*count);
            if rank <= seen {
                return Duration::from_nanos(upper(at)).min(self.longest);
            }
        }
        self.longest
    }

    /// For metrics: each upper bound, and how many times did not exceed it.
    pub fn cumulative(&self, bounds: &[Duration]) -> Vec<(Duration, u64)> {
        bounds
            .iter()
            .map(|bound| {
                let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
                let within = self.buckets.iter().enumerate().filter(|(at, _)| upper(*at) <= nanos);
                (*bound, self.none + within.map(|(_, count)| u64::from(*count)).sum::<u64>())
            })
            .collect()
    }
}

fn bucket(nanos: u64) -> Option<usize> {
    let nanos = nanos.min((1 << LONGEST) - 1);
    let power = nanos.checked_ilog2().filter(|power| *power >= SHORTEST)?;
    let step = ((nanos - (1 << power)) * STEPS) >> power;
    Some((u64::from(power - SHORTEST) * STEPS + step) as usize)
}

/// The longest time of a bucket.
fn upper(at: usize) -> u64 {
    let (power, step) = (at as u64 / STEPS + u64::from(SHORTEST), at as u64 % STEPS);
    (1 << power) + ((step + 1) << power) / STEPS - 1
}

/// What one place in the program has done with connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallSite {
    /// The place that called `acquire`.
    pub location: &'static Location<'static>,
    /// How long connections were held that were taken there: of one loan in sixteen, chosen evenly.
    pub held: Times,
}

/// How long things took since the pool was created.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PoolTimes {
    /// From the call of `acquire` to the lease, of all that succeeded. `db.client.connection.wait_time` in OpenTelemetry's
    /// words.
    pub wait: Times,
    /// Opening a connection, of all that succeeded: `db.client.connection.create_time`.
    pub open: Times,
    /// From a lease to its return: `db.client.connection.use_time`. Of one loan in sixteen, chosen evenly; of all where there is
    /// an observer.
    pub held: Times,
    /// The same by who asked, the longest in sum first.
    pub call_sites: Vec<CallSite>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_falls_into_a_bucket_that_is_an_eighth_wide_at_most() {
        for at in 0..BUCKETS {
            let low = if at == 0 { 1 << SHORTEST } else { upper(at - 1) + 1 };
            let high = upper(at);
            assert_eq!((bucket(low), bucket(high)), (Some(at), Some(at)), "{low} to {high}");
            assert!((high - low) as f64 <= low as f64 / 8.0, "{low} to {high}");
        }
        assert_eq!(bucket(u64::MAX), Some(BUCKETS - 1));
        assert_eq!((bucket(0), bucket(127)), (None, None));
    }

    #[test]
    fn quantiles_are_what_they_say() {
        let mut times = Times::default();
        assert_eq!((times.quantile(0.5), times.mean()), (Duration::ZERO, Duration::ZERO));
        for millis in 1..=1000 {
            times.record(Duration::from_millis(millis));
        }
        for (share, millis) in [(0.0, 1.0), (0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = times.quantile(share).as_secs_f64() * 1e3;
            assert!(found >= millis && found <= millis * 1.126, "{share}: {found} for {millis}");
        }
        assert_eq!(times.mean(), Duration::from_micros(500_500));
        assert_eq!(times.quantile(1.0), times.longest());
        times.record_none(9000);
        assert_eq!((times.count(), times.quantile(0.9)), (10_000, Duration::ZERO));
        assert!(times.quantile(0.95) >= Duration::from_millis(500));
    }

    #[test]
    fn what_came_since_is_told_apart() {
        let mut times = Times::default();
        (0..50).for_each(|_| times.record(Duration::from_millis(900)));
        let before = times.clone();
        (0..10).for_each(|_| times.record(Duration::from_millis(10)));
        times.record_none(10);
        let since = times.since(&before);
        assert_eq!((since.count(), since.total()), (20, Duration::from_millis(100)));
        assert_eq!(since.quantile(0.5), Duration::ZERO);
        assert!(since.quantile(0.95) < Duration::from_millis(12));
        assert_eq!(times.since(&Times::default()), times);
    }

    #[test]
    fn times_add_up() {
        let (mut one, mut two, mut both) = (Times::default(), Times::default(), Times::default());
        for nanos in [5, 1_000, 2_000_000, u64::MAX] {
            one.record(Duration::from_nanos(nanos));
            both.record(Duration::from_nanos(nanos));
        }
        for nanos in [1_000, 3_000_000_000] {
            two.record(Duration::from_nanos(nanos));
            both.record(Duration::from_nanos(nanos));
        }
        let mut sum = Times::default();
        sum.add(&one);
        sum.add(&two);
        assert_eq!(sum, both);
        let second = Duration::from_secs(1);
        assert_eq!(sum.cumulative(&[Duration::from_millis(1), second]), [(Duration::from_millis(1), 3), (second, 4)]);
    }
}
