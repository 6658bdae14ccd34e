//! How large should the pool be? Reckoned from what was asked of it, and from what the server has to give.

use std::fmt;
use std::time::Duration;

use crate::clock::Moment;
use crate::stats::Stats;
use crate::times::PoolTimes;

/// A pool's numbers at one moment, to be compared with those of another; see [`Pool::sample`](crate::Pool::sample).
#[derive(Clone, Debug)]
pub struct Sample {
    pub(crate) at: Moment,
    pub(crate) stats: Stats,
    pub(crate) times: PoolTimes,
}

/// What was asked of a pool between two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Demand {
    /// How long it was watched.
    pub time: Duration,
    /// Calls of `acquire`, those that got nothing included.
    pub calls: u64,
    /// Calls a second.
    pub rate: f64,
    /// How long a connection was used, on average.
    pub use_mean: Duration,
    /// 95 of 100 uses were not longer.
    pub use_p95: Duration,
    /// How long callers waited, on average.
    pub wait_mean: Duration,
    /// 95 of 100 callers did not wait longer.
    pub wait_p95: Duration,
    /// How many connections would be in use at once, on average, if nobody had to wait: rate x mean use (Little's law).
    pub busy: f64,
}

/// What the server has to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The most connections it takes from accounts such as this one.
    pub limit: usize,
    /// How many of them others have now.
    pub others: usize,
}

/// How a pool's size fits what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Fewer than a hundred calls, or less than ten seconds: nothing can be said.
    TooLittle,
    /// It is as it should be.
    Fits,
    /// Callers wait although the server could take more connections.
    Raise,
    /// Less than half of it is ever needed.
    Lower,
    /// More would be needed than the server has to give: see who else holds connections, or raise the server's limit.
    ServerFull,
}

/// What size the pool should have, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Advice {
    /// How the size fits.
    pub verdict: Verdict,
    /// The `max` to set; where nothing can be said, the one there is.
    pub max: usize,
    /// The `max` there is.
    pub now: usize,
    /// What it is reckoned from.
    pub demand: Demand,
    /// What the server has to give, where that is known.
    pub room: Option<Room>,
}

/// What less is told by is chance.
const ENOUGH_CALLS: u64 = 100;
const ENOUGH_TIME: Duration = Duration::from_secs(10);

/// So many standard deviations above the mean hardly anybody waits: with two, about one in forty
/// ([square-root staffing](https://doi.org/10.1287/opre.29.3.567), Halfin and Whitt 1981).
const MARGIN: f64 = 2.0;

/// This part of the server's connections is left for people who come to see what is wrong.
const SPARE: usize = 10;

impl Demand {
    /// What was asked between two samples of one pool.
    #[must_use]
    pub fn between(before: &Sample, after: &Sample) -> Self {
        let time = after.at.saturating_duration_since(before.at);
        let calls = |stats: &Stats| stats.acquired + stats.timeouts + stats.shed + stats.cancelled;
        let calls = calls(&after.stats).saturating_sub(calls(&before.stats));
        let (wait, held) = (after.times.wait.since(&before.times.wait), after.times.held.since(&before.times.held));
        let rate = calls as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE);
        // Of all loans, where the times of single ones are a sample.
        let loans = after.stats.acquired.saturating_sub(before.stats.acquired).max(1);
        let used = after.stats.use_total.saturating_sub(before.stats.use_total);
        let use_mean = used.div_f64(loans as f64);
        Self {
            time,
            calls,
            rate: if time.is_zero() { 0.0 } else { rate },
            use_mean,
            use_p95: held.quantile(0.95),
            wait_mean: wait.mean(),
            wait_p95: wait.quantile(0.95),
            busy: if time.is_zero() { 0.0 } else { rate * use_mean.as_secs_f64() },
        }
    }
}

impl Room {
    /// What can be had by one pool without taking what is spare.
    fn available(&self) -> usize {
        self.limit.saturating_sub(self.others).saturating_sub((self.limit / SPARE).max(1))
    }
}

impl Advice {
    /// Reckons the size for this demand. `now`: the `max` there is.
    #[must_use]
    pub fn new(demand: Demand, now: usize, room: Option<Room>) -> Self {
        let advice = |verdict, max| Self { verdict, max, now, demand, room };
        if demand.calls < ENOUGH_CALLS || demand.time < ENOUGH_TIME {
            return advice(Verdict::TooLittle, now);
        }
        let wanted = ((demand.busy + MARGIN * demand.busy.sqrt()).ceil() as usize).max(2);
        let most = room.map_or(usize::MAX, |room| room.available().max(1));
        if wanted > most {
            return advice(Verdict::ServerFull, most);
        }
        if wanted > now {
            return advice(Verdict::Raise, wanted);
        }
        if now > most {
            return advice(Verdict::Lower, most);
        }
        if wanted * 2 < now && now > 10 {
            return advice(Verdict::Lower, wanted.max(10));
        }
        advice(Verdict::Fits, now)
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verdict, max, now, demand, room } = self;
        match verdict {
            Verdict::TooLittle => {
                return write!(
                    f,
                    "nothing can be said of max = {now} yet: {} calls in {:.0?}, and {ENOUGH_CALLS} in {ENOUGH_TIME:?} are the least",
                    demand.calls, demand.time
                );
            }
            Verdict::Fits => write!(f, "max = {now} fits")?,
            Verdict::Raise => write!(f, "raise max from {now} to {max}")?,
            Verdict::Lower if room.is_some_and(|room| room.available() < *now) => {
                write!(f, "lower max from {now} to {max}, which is all the server has for this pool")?;
            }
            Verdict::Lower => write!(f, "max = {now} can be lowered to {max}")?,
            Verdict::ServerFull => {
                write!(f, "more than max = {now} would be needed, and the server has room for {max}")?;
            }
        }
        write!(
            f,
            ": {:.1} calls/s use a connection for {:.1?} (p95 {:.1?}), so {:.1} are busy on average; callers wait {:.1?} (p95 {:.1?})",
            demand.rate, demand.use_mean, demand.use_p95, demand.busy, demand.wait_mean, demand.wait_p95
        )?;
        if let Some(Room { limit, others }) = room {
            write!(f, "; the server takes {limit}, others have {others}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(rate: f64, use_mean: Duration) -> Demand {
        Demand {
            time: Duration::from_secs(60),
            calls: (rate * 60.0) as u64,
            rate,
            use_mean,
            use_p95: use_mean * 2,
            wait_mean: Duration::ZERO,
            wait_p95: Duration::ZERO,
            busy: rate * use_mean.as_secs_f64(),
        }
    }

    const FIVE: Duration = Duration::from_millis(5);

    #[test]
    fn the_size_is_what_is_busy_and_a_margin() {
        // 400 a second for 5 ms: two are busy, and 2 + 2 x 1.4 are enough.
        let advice = Advice::new(demand(400.0, FIVE), 10, None);
        assert_eq!((advice.verdict, advice.max), (Verdict::Fits, 10));
        let advice = Advice::new(demand(5000.0, FIVE), 10, None);
        assert_eq!((advice.verdict, advice.max), (Verdict::Raise, 35));
        let advice = Advice::new(demand(400.0, FIVE), 50, None);
        assert_eq!((advice.verdict, advice.max), (Verdict::Lower, 10));
    }

    #[test]
    fn no_more_is_advised_than_the_server_has() {
        let room = |limit, others| Some(Room { limit, others });
        let advice = Advice::new(demand(5000.0, FIVE), 10, room(100, 70));
        assert_eq!((advice.verdict, advice.max), (Verdict::ServerFull, 20));
        let advice = Advice::new(demand(5000.0, FIVE), 10, room(100, 20));
        assert_eq!((advice.verdict, advice.max), (Verdict::Raise, 35));
        let advice = Advice::new(demand(400.0, FIVE), 40, room(100, 70));
        assert_eq!((advice.verdict, advice.max), (Verdict::Lower, 20));
        let advice = Advice::new(demand(400.0, FIVE), 40, room(100, 200));
        assert_eq!((advice.verdict, advice.max), (Verdict::ServerFull, 1));
    }

    #[test]
    fn too_little_is_no_ground_for_advice() {
        let few = Demand { calls: 99, ..demand(400.0, FIVE) };
        let short = Demand { time: Duration::from_secs(9), ..demand(400.0, FIVE) };
        for demand in [few, short] {
            assert_eq!(Advice::new(demand, 10, None).verdict, Verdict::TooLittle);
        }
    }

    #[test]
    fn it_says_why() {
        let advice = Advice::new(demand(5000.0, FIVE), 10, Some(Room { limit: 100, others: 20 }));
        assert_eq!(
            advice.to_string(),
            "raise max from 10 to 35: 5000.0 calls/s use a connection for 5.0ms (p95 10.0ms), so 25.0 are busy on average; \
             callers wait 0.0ns (p95 0.0ns); the server takes 100, others have 20"
        );
        let few = Demand { calls: 7, ..demand(400.0, FIVE) };
        assert_eq!(
            Advice::new(few, 10, None).to_string(),
            "nothing can be said of max = 10 yet: 7 calls in 60s, and 100 in 10s are the least"
        );
    }
}
