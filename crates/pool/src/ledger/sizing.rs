//! How many connections a pool allows itself that finds its size by itself.
//!
//! It begins with ten and climbs as long as climbing helps. Where callers wait for more than a tenth of the time they then use a
//! connection, a quarter more is allowed, on trial. If the server takes about as much longer for each as there are more of them, it
//! was busy before and more connections only make a queue inside it: back, and no new trial for a while. Slowly it comes down again
//! to what is used. That the best size is where throughput stops to rise, and lies lower than most expect:
//! <https://github.com/brettwooldridge/HikariCP/wiki/About-Pool-Sizing>.

use std::time::Duration;

use crate::clock::Moment;

/// What is allowed at first, and always.
const BASE: usize = 10;
/// How long a reading takes at least.
const PERIOD: Duration = Duration::from_secs(1);
/// What fewer loans tell is chance, so the reading goes on, but not for longer than this.
const ENOUGH: u64 = 20;
const LONGEST_PERIOD: Duration = Duration::from_secs(10);
/// After a trial that did not help; doubled for each one more.
const FIRST_REST: Duration = Duration::from_secs(30);
const LONGEST_REST: Duration = Duration::from_secs(600);
/// So many periods without waiting make the pool one connection smaller.
const QUIET: u32 = 30;

/// The counts of a pool at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) at: Moment,
    pub(super) acquired: u64,
    pub(super) waited: Duration,
    pub(super) used: Duration,
    /// How many wait now.
    pub(super) waiting: usize,
}

/// What happened between two readings, in seconds.
#[derive(Clone, Copy, Debug)]
struct Pace {
    loans: u64,
    per_second: f64,
    wait: f64,
    usage: f64,
}

impl Pace {
    fn between(before: &Reading, now: &Reading) -> Self {
        let loans = now.acquired.saturating_sub(before.acquired);
        let each = |time: Duration, earlier: Duration| time.saturating_sub(earlier).as_secs_f64() / loans.max(1) as f64;
        let seconds = now.at.saturating_duration_since(before.at).as_secs_f64();
        Self {
            loans,
            per_second: loans as f64 / seconds.max(f64::MIN_POSITIVE),
            wait: each(now.waited, before.waited),
            usage: each(now.used, before.used),
        }
    }

    /// Connections in use at once, on average: Little's law.
    fn busy(&self) -> f64 {
        self.per_second * self.usage
    }
}

/// More are allowed to see whether it helps.
#[derive(Clone, Copy, Debug)]
struct Trial {
    from: usize,
    /// How it went before.
    before: Pace,
    /// The first period is mixed: connections are still being opened.
    begun: bool,
}

/// The size of one pool.
#[derive(Clone, Debug)]
pub(super) struct Sizing {
    limit: usize,
    base: usize,
    most: usize,
    last: Option<Reading>,
    trial: Option<Trial>,
    rest_until: Option<Moment>,
    failures: u32,
    quiet: u32,
}

/// Why the size changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Callers wait: more, on trial.
    Grown,
    /// Each use takes longer with more connections, and no more gets done.
    NoUse,
    /// The server takes no more.
    Refused,
    /// Fewer are enough.
    Quiet,
}

impl Sizing {
    pub(super) fn new(min: usize, most: usize) -> Self {
        let base = BASE.max(min).min(most);
        Self { limit: base, base, most, last: None, trial: None, rest_until: None, failures: 0, quiet: 0 }
    }

    /// As before, between other bounds.
    pub(super) fn between(self, min: usize, most: usize) -> Self {
        let base = BASE.max(min).min(most);
        Self { limit: self.limit.clamp(base, most), base, most, ..self }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether nobody has to look at it again before somebody waits.
    pub(super) fn is_asleep(&self) -> bool {
        self.last.is_none()
    }

    /// When to look at it again.
    pub(super) fn next(&self) -> Option<Moment> {
        self.last.map(|last| last.at + PERIOD)
    }

    /// The server refused a connection, as it does when it has too many.
    pub(super) fn refused(&mut self, open: usize, now: Moment) -> Option<Change> {
        if self.trial.is_none() && self.limit == self.base {
            return None;
        }
        let limit = open.clamp(self.base, self.limit);
        self.trial = None;
        self.rest(now);
        let shrinks = limit < self.limit;
        self.limit = limit;
        shrinks.then_some(Change::Refused)
    }

    /// Looks at what happened since the last look.
    pub(super) fn look(&mut self, now: Reading) -> Option<Change> {
        let Some(last) = self.last else {
            // Nothing is to be found out before somebody waits.
            self.last = (now.waiting > 0).then_some(now);
            return None;
        };
        let time = now.at.saturating_duration_since(last.at);
        let pace = Pace::between(&last, &now);
        if time < PERIOD || pace.loans < ENOUGH && time < LONGEST_PERIOD && (pace.loans > 0 || now.waiting > 0) {
            return None;
        }
        self.last = Some(now);
        if pace.loans == 0 && now.waiting == 0 && self.limit == self.base {
            self.last = None;
            self.trial = None;
            return None;
        }
        match self.trial {
            Some(Trial { begun: false, from, before }) => {
                self.trial = Some(Trial { begun: true, from, before });
                None
            }
            Some(trial) => self.judge(trial, &pace, now.at),
            None => self.consider(&pace, &now),
        }
    }

    fn judge(&mut self, trial: Trial, pace: &Pace, now: Moment) -> Option<Change> {
        self.trial = None;
        let more = self.limit as f64 / trial.from as f64;
        let half = 1.0 + (more - 1.0) / 2.0;
        let slower = pace.usage > trial.before.usage * half;
        let gains = pace.per_second > trial.before.per_second * half;
        if slower && !gains {
            self.limit = trial.from;
            self.rest(now);
            return Some(Change::NoUse);
        }
        self.failures = 0;
        None
    }

    fn consider(&mut self, pace: &Pace, now: &Reading) -> Option<Change> {
        let waits = now.waiting > 0 && (pace.loans == 0 || pace.wait > pace.usage / 10.0);
        if waits {
            self.quiet = 0;
            let rests = self.rest_until.is_some_and(|until| now.at < until);
            if rests || self.limit >= self.most {
                return None;
            }
            self.trial = Some(Trial { from: self.limit, before: *pace, begun: false });
            self.limit = (self.limit + (self.limit / 4).max(1)).min(self.most);
            return Some(Change::Grown);
        }
        let enough = (pace.busy() * 1.5).ceil() as usize + 1;
        if now.waiting > 0 || pace.wait > pace.usage / 100.0 || self.limit <= enough.max(self.base) {
            self.quiet = 0;
            return None;
        }
        self.quiet += 1;
        if self.quiet < QUIET {
            return None;
        }
        self.quiet = 0;
        self.limit -= 1;
        Some(Change::Quiet)
    }

    fn rest(&mut self, now: Moment) {
        let rest = FIRST_REST.saturating_mul(1 << self.failures.min(10)).min(LONGEST_REST);
        self.failures = self.failures.saturating_add(1);
        self.rest_until = Some(now + rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that serves so many at once and lets the others wait inside, and callers who ask as often as they are served, or so
    /// often a second.
    struct World {
        sizing: Sizing,
        now: Reading,
        seconds: u32,
    }

    impl World {
        fn new(min: usize, most: usize) -> Self {
            let at = Moment::now();
            let now = Reading { at, acquired: 0, waited: Duration::ZERO, used: Duration::ZERO, waiting: 0 };
            Self { sizing: Sizing::new(min, most), now, seconds: 0 }
        }

        /// One second of `callers` who ask again as soon as they were served, each for `work` on a server of so many cores.
        fn second(&mut self, callers: usize, cores: usize, work: Duration) -> Option<Change> {
            let lent = callers.min(self.sizing.limit());
            let usage = work.mul_f64((lent as f64 / cores as f64).max(1.0));
            let loans = (lent as f64 / usage.as_secs_f64()) as u64;
            let round = usage.mul_f64((callers as f64 / lent.max(1) as f64).max(1.0));
            self.now.acquired += loans;
            self.now.used += usage.mul_f64(loans as f64);
            self.now.waited += (round - usage).mul_f64(loans as f64);
            self.now.waiting = callers - lent;
            self.now.at = self.now.at + Duration::from_secs(1);
            self.seconds += 1;
            self.sizing.look(self.now)
        }

        fn minutes(&mut self, minutes: u32, callers: usize, cores: usize) -> Vec<Change> {
            (0..minutes * 60).filter_map(|_| self.second(callers, cores, Duration::from_millis(5))).collect()
        }
    }

    #[test]
    fn it_grows_while_growing_helps() {
        let mut world = World::new(2, 100);
        let changes = world.minutes(2, 64, 1000);
        assert!(world.sizing.limit() >= 58, "{}", world.sizing.limit());
        assert!(changes.iter().all(|change| *change == Change::Grown), "{changes:?}");
    }

    #[test]
    fn it_does_not_grow_where_the_server_is_busy_already() {
        let mut world = World::new(2, 100);
        let changes = world.minutes(10, 64, 4);
        assert_eq!(world.sizing.limit(), 10);
        let tries = changes.iter().filter(|change| **change == Change::Grown).count();
        assert_eq!(tries, changes.iter().filter(|change| **change == Change::NoUse).count());
        assert!((2..=6).contains(&tries), "tried {tries} times in ten minutes");
    }

    #[test]
    fn it_finds_the_size_where_more_stops_to_help() {
        let mut world = World::new(2, 100);
        world.minutes(10, 90, 24);
        // The last step that helped, or the one that went past the server's limit by less than half of itself.
        assert!((20..=30).contains(&world.sizing.limit()), "{}", world.sizing.limit());
    }

    #[test]
    fn it_shrinks_slowly_to_what_is_used() {
        let mut world = World::new(2, 100);
        world.minutes(2, 64, 1000);
        let high = world.sizing.limit();
        let changes = world.minutes(5, 3, 1000);
        assert!(changes.iter().all(|change| *change == Change::Quiet), "{changes:?}");
        assert!(changes.len() <= 10, "one in half a minute: {}", changes.len());
        assert_eq!(world.sizing.limit(), high - changes.len());
        world.minutes(60, 3, 1000);
        assert_eq!(world.sizing.limit(), 10);
    }

    #[test]
    fn it_sleeps_while_nobody_asks() {
        let mut world = World::new(2, 100);
        assert!(world.sizing.is_asleep());
        world.minutes(1, 5, 1000);
        assert!(world.sizing.is_asleep(), "nobody waits");
        world.minutes(1, 11, 4);
        assert!(!world.sizing.is_asleep());
        for _ in 0..300 {
            world.second(0, 1000, Duration::from_millis(5));
        }
        assert!(world.sizing.is_asleep());
        assert_eq!(world.sizing.next(), None);
    }

    #[test]
    fn connections_that_all_are_held_make_it_grow() {
        let mut world = World::new(2, 40);
        let mut changes = Vec::new();
        for _ in 0..300 {
            world.now.at = world.now.at + Duration::from_secs(1);
            world.now.waiting = 5;
            changes.extend(world.sizing.look(world.now));
        }
        assert_eq!(changes.first(), Some(&Change::Grown));
        assert_eq!(world.sizing.limit(), 40, "{changes:?}");
    }

    #[test]
    fn a_server_that_refuses_ends_the_growth() {
        let mut world = World::new(2, 100);
        while world.sizing.limit() < 20 {
            world.second(64, 1000, Duration::from_millis(5));
        }
        assert_eq!(world.sizing.refused(14, world.now.at), Some(Change::Refused));
        assert_eq!(world.sizing.limit(), 14);
        for _ in 0..25 {
            assert_eq!(world.second(64, 1000, Duration::from_millis(5)), None);
        }
        let mut small = World::new(2, 100);
        assert_eq!(small.sizing.refused(3, small.now.at), None, "what is always allowed stays allowed");
        assert_eq!(small.sizing.limit(), 10);
    }

    #[test]
    fn other_bounds_are_kept_to() {
        let sizing = Sizing::new(2, 100);
        assert_eq!(sizing.limit(), 10);
        let sizing = sizing.between(20, 100);
        assert_eq!(sizing.limit(), 20);
        let sizing = sizing.between(1, 4);
        assert_eq!(sizing.limit(), 4);
        assert_eq!(Sizing::new(0, 1).limit(), 1);
    }
}
