//! A caller goes away after each of its polls, whatever the pool is doing for it then and however that goes; others ask and
//! borrow meanwhile. They are served or told why not in bounded time, and no place is lost.

// A failed case is named on the error output.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;
mod meanwhile;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::*;
use dbkeep_pool::{AcquireError, AcquireErrorKind, Config, Lease, Manage, Pool, State, WhenDown};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const STEPS: [Step; 6] = [Step::Ok, Step::Fails, Step::FailsForGood, Step::Slow, Step::Never, Step::Panics];

/// What passes between two polls. With the limits below (a check 1.5 s, an open 2 s, an acquire 4 s; slow is 1 s) the polls lie
/// between all that happens: before a check counts as slow and after it, after a slow step has succeeded, after a limit.
const GAPS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(90),
    Duration::from_millis(400),
    Duration::from_millis(1150),
    Duration::from_secs(5),
];

/// Nobody waits for longer.
const LIMIT: Duration = Duration::from_secs(4);

/// When a neighbour that gives its connection back does so.
const RETURN: Duration = Duration::from_millis(700);

/// What the pool has to do before it can lend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Open,
    Check,
    Reset,
    /// A connection that works is closed and keeps its place meanwhile.
    Close,
    /// One that its borrower does not want any more is closed outside of the pool.
    Discard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Neighbour {
    None,
    Returns,
    Keeps,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    max: usize,
    min: usize,
    when_down: WhenDown,
    neighbour: Neighbour,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    work: Work,
    step: Step,
    shape: Shape,
    gap: Duration,
    polls: usize,
}

fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (max, min) in [(1, 0), (2, 1)] {
        for when_down in [WhenDown::Fail, WhenDown::Wait] {
            for neighbour in [Neighbour::None, Neighbour::Returns, Neighbour::Keeps] {
                shapes.push(Shape { max, min, when_down, neighbour });
            }
        }
    }
    shapes
}

/// Says which case it was that panicked.
struct Named(String);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the case {}", self.0);
        }
    }
}

type Outcome = Result<(), AcquireError<Refused>>;

/// A pool in the middle of something, with others around.
struct Scene {
    case: Case,
    world: Arc<World>,
    pool: Pool<Fake>,
    kept: Option<Lease<Fake>>,
    returning: Option<JoinHandle<()>>,
    /// Leases that somebody had in hand.
    received: u64,
}

impl Scene {
    async fn set(case: Case) -> Self {
        let Case { work, step, shape, .. } = case;
        let world = World::new();
        let config = Config::new()
            .max(shape.max)
            .min(shape.min)
            .when_down(shape.when_down)
            .connect_timeout(seconds(2))
            .validate_timeout(millis(1500))
            .acquire_timeout(LIMIT);
        let alone = shape.neighbour == Neighbour::None;
        if work == Work::Open && alone {
            world.open.set(step);
        }
        let pool = world.pool(config);
        let mut scene = Self { case, world, pool, kept: None, returning: None, received: 0 };
        if work != Work::Open || !alone {
            scene.begin(alone).await;
        }
        scene
    }

    /// The connections that there are have a past, and the work they make begins.
    async fn begin(&mut self, alone: bool) {
        let Case { work, step, shape, .. } = self.case;
        let (world, pool) = (&self.world, &self.pool);
        let count = if work == Work::Open { 1 } else { shape.max };
        let mut leases = Vec::new();
        for _ in 0..count {
            leases.push(pool.acquire().await.unwrap());
        }
        self.received = count as u64;
        if work == Work::Reset {
            leases.iter_mut().for_each(|lease| lease.dirty = true);
        }
        // What is not used gives no sign of life.
        pass(seconds(1)).await;
        let hook = match work {
            Work::Open => &world.open,
            Work::Check => &world.check,
            Work::Reset => &world.reset,
            Work::Close | Work::Discard => &world.close,
        };
        hook.set(step);
        let theirs = if alone { None } else { leases.pop() };
        if work == Work::Discard {
            leases.into_iter().for_each(Lease::discard);
        } else {
            drop(leases);
        }
        if work == Work::Close {
            pool.reset();
        }
        match shape.neighbour {
            Neighbour::None => {}
            Neighbour::Keeps => self.kept = theirs,
            Neighbour::Returns => {
                self.returning = Some(tokio::spawn(async move {
                    pass(RETURN).await;
                    match theirs {
                        Some(lease) if work == Work::Discard => lease.discard(),
                        lease => drop(lease),
                    }
                }));
            }
        }
    }

    /// Somebody else who asks, and how long that took.
    fn somebody(&self) -> JoinHandle<(Outcome, Duration)> {
        let pool = self.pool.clone();
        tokio::spawn(async move {
            let asked = Instant::now();
            let outcome = pool.acquire().await;
            let took = asked.elapsed();
            if let Ok(lease) = &outcome {
                assert_eq!(pool.manager().state(lease), State::Clean);
                pass(millis(10)).await;
            }
            (outcome.map(drop), took)
        })
    }

    /// Whether who stays is served, or how it ends.
    fn expected(&self) -> Result<(), AcquireErrorKind> {
        let Case { work, step, shape, .. } = self.case;
        match (work, step, shape.neighbour) {
            (_, _, Neighbour::Keeps) if shape.max == 1 => Err(AcquireErrorKind::Timeout),
            (Work::Open, Step::Ok | Step::Slow, _) | (Work::Open, _, Neighbour::Returns) => Ok(()),
            // A connection that is lent may come back.
            (Work::Open, _, Neighbour::Keeps) => Err(AcquireErrorKind::Timeout),
            (Work::Open, Step::FailsForGood, _) => Err(AcquireErrorKind::OpenFailed),
            (Work::Open, _, _) if shape.when_down == WhenDown::Wait => Err(AcquireErrorKind::Timeout),
            (Work::Open, ..) => Err(AcquireErrorKind::OpenFailed),
            _ => Ok(()),
        }
    }

    /// Counts a lease, or sees that the error is the one that fits.
    fn judge(&mut self, who: &str, outcome: Outcome) {
        let expected = self.expected();
        match outcome {
            Ok(()) => {
                self.received += 1;
                assert!(expected.is_ok(), "{who} got a connection from nowhere");
            }
            Err(error) => assert_eq!(Err(error.kind()), expected, "{who}: {}", error.details()),
        }
    }

    /// Everybody is done, and everything heals.
    async fn end(mut self) {
        drop(self.kept.take());
        if let Some(returning) = self.returning.take() {
            returning.await.unwrap();
        }
        let stats = self.pool.stats();
        assert_eq!((stats.acquired, stats.waiting, stats.in_use), (self.received, 0, 0), "{stats:?}");
        if self.case.work == Work::Discard {
            // What is closed outside goes on counting as alive, and what is lent in its place does, too.
            self.world.forgive(self.case.shape.max);
        }
        assert_whole(&self.world, &self.pool).await;
    }
}

fn poll_once<F: Future>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

async fn between(gap: Duration) {
    if gap.is_zero() {
        tokio::task::yield_now().await;
    } else {
        pass(gap).await;
    }
}

/// Whether the caller was through before it went away.
async fn go_away_after(case: Case) -> bool {
    let _named = Named(format!("{case:?}"));
    let mut scene = Scene::set(case).await;
    let pool = scene.pool.clone();
    let mut acquire = Box::pin(pool.acquire());
    let mut outcome = None;
    let mut somebody = None;
    for _ in 0..case.polls {
        outcome = poll_once(&mut acquire).map(|outcome| outcome.map(drop));
        // Behind the caller in the queue. What is delivered to a caller that does not look is kept from the others, though.
        if case.gap < LIMIT {
            somebody.get_or_insert_with(|| scene.somebody());
        }
        if outcome.is_some() {
            break;
        }
        between(case.gap).await;
    }
    drop(acquire);
    assert!(pool.stats().waiting <= usize::from(somebody.is_some()), "who went away waits on");
    let somebody = somebody.unwrap_or_else(|| scene.somebody());
    let through = outcome.is_some();
    if let Some(outcome) = outcome {
        scene.judge("the caller", outcome);
    }
    let (outcome, took) = somebody.await.unwrap();
    assert!(took <= LIMIT + millis(2), "somebody else waited for {took:?}");
    scene.judge("somebody else", outcome);
    scene.end().await;
    through
}

async fn at_every_poll(work: Work) {
    for shape in shapes() {
        for step in STEPS {
            for gap in GAPS {
                // Without time passing, what takes time never ends.
                let most = if gap.is_zero() { 6 } else { 2 + (LIMIT.as_millis() / gap.as_millis()) as usize };
                let mut through = false;
                for polls in 0..=most {
                    let case = Case { work, step, shape, gap, polls };
                    let before = Instant::now();
                    through = go_away_after(case).await;
                    assert!(before.elapsed() < seconds(60), "{case:?}");
                    if through {
                        break;
                    }
                }
                assert!(through || gap.is_zero(), "no end: {work:?}, {step:?}, {shape:?}, {gap:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_connection_is_opened() {
    at_every_poll(Work::Open).await;
}

#[tokio::test(start_paused = true)]
async fn while_a_connection_is_checked() {
    at_every_poll(Work::Check).await;
}

#[tokio::test(start_paused = true)]
async fn while_a_connection_is_reset() {
    at_every_poll(Work::Reset).await;
}

#[tokio::test(start_paused = true)]
async fn while_a_connection_is_closed_in_its_place() {
    at_every_poll(Work::Close).await;
}

#[tokio::test(start_paused = true)]
async fn while_a_connection_is_closed_outside() {
    at_every_poll(Work::Discard).await;
}
