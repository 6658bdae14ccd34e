//! A manager whose every step can be told how to behave, and which counts what it is asked.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::fmt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dbkeep_pool::{Config, Manage, Pool, State};

/// How a step behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Ok,
    Fails,
    FailsForGood,
    /// Succeeds after one second.
    Slow,
    Never,
    Panics,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    pub what: &'static str,
    permanent: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} refused", self.what)
    }
}

impl std::error::Error for Refused {}

/// One thing the manager does: how it behaves now, and how often it was asked.
#[derive(Debug)]
pub struct Hook {
    name: &'static str,
    step: Mutex<Step>,
    calls: AtomicUsize,
}

impl Hook {
    fn new(name: &'static str) -> Self {
        Self { name, step: Mutex::new(Step::Ok), calls: AtomicUsize::new(0) }
    }

    pub fn set(&self, step: Step) {
        *self.step.lock().unwrap() = step;
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn run(&self) -> Result<(), Refused> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let step = *self.step.lock().unwrap();
        match step {
            Step::Ok => Ok(()),
            Step::Fails => Err(Refused { what: self.name, permanent: false }),
            Step::FailsForGood => Err(Refused { what: self.name, permanent: true }),
            Step::Slow => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(())
            }
            Step::Never => std::future::pending().await,
            // Without the report of a panic, of which there would be thousands.
            Step::Panics => resume_unwind(Box::new(format!("{} panics, as it was told to", self.name))),
        }
    }
}

/// What the manager does and what became of its connections.
#[derive(Debug)]
pub struct World {
    pub open: Hook,
    pub check: Hook,
    pub reset: Hook,
    pub close: Hook,
    pub state_panics: AtomicBool,
    alive: AtomicUsize,
    peak: AtomicUsize,
    forgiven: AtomicUsize,
    next: AtomicUsize,
}

impl World {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            open: Hook::new("open"),
            check: Hook::new("check"),
            reset: Hook::new("reset"),
            close: Hook::new("close"),
            state_panics: AtomicBool::new(false),
            alive: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            forgiven: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
        })
    }

    /// A pool over this world.
    pub fn pool(self: &Arc<Self>, config: Config) -> Pool<Fake> {
        Pool::builder(Fake(Arc::clone(self))).name("test").config(config).build().unwrap()
    }

    /// How many working connections exist, lent or not.
    pub fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    /// The most working connections that ever existed at once.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    /// So many connections more may have existed at once: those that were closed outside of the pool.
    pub fn forgive(&self, count: usize) {
        self.forgiven.fetch_add(count, Ordering::SeqCst);
    }
}

pub struct Fake(pub Arc<World>);

/// A connection. It counts as alive until it is dropped or breaks.
#[derive(Debug)]
pub struct Link {
    pub id: usize,
    pub dirty: bool,
    /// When the other side last answered, where a test says so.
    pub answered: Option<Instant>,
    broken: bool,
    world: Arc<World>,
}

impl Link {
    pub fn break_it(&mut self) {
        if !self.broken {
            self.broken = true;
            self.world.alive.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.break_it();
    }
}

impl Manage for Fake {
    type Connection = Link;
    type Error = Refused;

    async fn open(&self) -> Result<Link, Refused> {
        self.0.open.run().await?;
        let alive = self.0.alive.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.peak.fetch_max(alive, Ordering::SeqCst);
        let id = self.0.next.fetch_add(1, Ordering::SeqCst);
        Ok(Link { id, dirty: false, answered: None, broken: false, world: Arc::clone(&self.0) })
    }

    async fn check(&self, _link: &mut Link) -> Result<(), Refused> {
        self.0.check.run().await
    }

    fn state(&self, link: &Link) -> State {
        assert!(!self.0.state_panics.load(Ordering::SeqCst), "state panics, as it was told to");
        match (link.broken, link.dirty) {
            (true, _) => State::Broken,
            (false, true) => State::NeedsReset,
            (false, false) => State::Clean,
        }
    }

    async fn reset(&self, link: &mut Link) -> Result<(), Refused> {
        self.0.reset.run().await?;
        link.dirty = false;
        Ok(())
    }

    async fn close(&self, link: Link) -> Result<(), Refused> {
        let done = self.0.close.run().await;
        drop(link);
        done
    }

    fn last_answer(&self, link: &Link) -> Option<Instant> {
        link.answered
    }

    fn is_permanent(&self, error: &Refused) -> bool {
        error.permanent
    }
}

/// Returns when nothing can go on without time passing. The paused clock moves only then, so this is exact.
pub async fn at_rest() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Lets this much time pass on the paused clock, timers in between firing when they are due.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A pool that opens nothing before it is asked.
pub fn lazy(max: usize) -> Config {
    Config::new().max(max).min(0)
}

/// Waits for everything under way to end, then takes all connections at once, gives them back and closes the pool: proof
/// that no place was lost.
pub async fn assert_whole(world: &World, pool: &Pool<Fake>) {
    for hook in [&world.open, &world.check, &world.reset, &world.close] {
        hook.set(Step::Ok);
    }
    pass(seconds(20)).await;
    let max = pool.stats().max;
    let mut leases = Vec::new();
    for count in 0..max {
        let lease = pool.acquire().await.unwrap_or_else(|error| panic!("only {count} of {max}: {}", error.details()));
        assert_eq!(pool.manager().state(&lease), State::Clean, "a connection was lent that should not have been");
        leases.push(lease);
    }
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.idle, stats.waiting), (max, 0, 0), "{stats:?}");
    assert_eq!((stats.size, stats.in_care, stats.opening, stats.closing), (max, 0, 0, 0), "{stats:?}");
    let most = max + world.forgiven.load(Ordering::SeqCst);
    assert!(world.peak() <= most, "{} connections at once, {most} allowed", world.peak());
    drop(leases);
    assert_eq!(pool.close().await, []);
    at_rest().await;
    assert_eq!(world.alive(), 0, "a connection outlived its pool");
    let stats = pool.stats();
    assert_eq!((stats.size, stats.closing, stats.opened), (0, 0, stats.closed_total()), "{stats:?}");
}
