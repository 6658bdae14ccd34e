//! A caller goes away after each of its polls, whatever the pool is doing for it then and however that goes; others ask and
//! borrow meanwhile. They are served or told why not in bounded time, and no place is lost.

// A failed case is named on the error output.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

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

/// What somebody does to the pool meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    WarmUp,
    /// Begun and given up.
    WarmUpInterrupted,
    TryAcquire,
    AcquireWithin(Duration),
    Close,
    CloseInterrupted,
    Shrink,
    Grow,
    Reconfigure,
    Suspend,
    Reset,
}

const ACTS: [Act; 12] = [
    Act::WarmUp,
    Act::WarmUpInterrupted,
    Act::TryAcquire,
    Act::AcquireWithin(Duration::ZERO),
    Act::AcquireWithin(Duration::from_millis(500)),
    Act::Close,
    Act::CloseInterrupted,
    Act::Shrink,
    Act::Grow,
    Act::Reconfigure,
    Act::Suspend,
    Act::Reset,
];

impl Scene {
    async fn act(&mut self, act: Act) {
        let (case, pool) = (self.case, self.pool.clone());
        let asked = Instant::now();
        match act {
            Act::WarmUp => {
                let shape = case.shape;
                tokio::spawn(async move {
                    if let Err(error) = pool.warm_up(shape.max).await {
                        let kind = error.kind();
                        assert!(matches!(kind, AcquireErrorKind::OpenFailed | AcquireErrorKind::Closed), "{kind:?}");
                    }
                });
            }
            Act::WarmUpInterrupted => {
                let mut warm_up = Box::pin(pool.warm_up(case.shape.max));
                if poll_once(&mut warm_up).is_none() {
                    pass(case.gap).await;
                    let _ = poll_once(&mut warm_up);
                }
            }
            Act::TryAcquire => match pool.try_acquire() {
                Ok(_) => self.received += 1,
                Err(error) => assert_eq!(error.kind(), AcquireErrorKind::Exhausted),
            },
            Act::AcquireWithin(limit) => {
                match pool.acquire_within(limit).await {
                    Ok(_) => self.received += 1,
                    Err(error) => {
                        let kind = error.kind();
                        assert!(matches!(kind, AcquireErrorKind::OpenFailed | AcquireErrorKind::Timeout), "{kind:?}");
                    }
                }
                assert!(asked.elapsed() <= limit + millis(2), "{:?}", asked.elapsed());
            }
            Act::Close => {
                let left = pool.close_within(millis(500)).await;
                assert_eq!(left.len(), pool.stats().in_use);
                assert!(asked.elapsed() <= millis(502), "{:?}", asked.elapsed());
            }
            Act::CloseInterrupted => assert!(poll_once(&mut Box::pin(pool.close())).is_none_or(|left| left.is_empty())),
            Act::Shrink => pool.resize(1, 0).unwrap(),
            Act::Grow => pool.resize(case.shape.max + 1, case.shape.max).unwrap(),
            Act::Reconfigure => {
                let other = if case.shape.when_down == WhenDown::Fail { WhenDown::Wait } else { WhenDown::Fail };
                pool.reconfigure(
                    pool.config().when_down(other).connect_timeout(millis(300)).validate_after(Duration::ZERO),
                )
                .unwrap();
            }
            Act::Suspend => {
                pool.suspend();
                tokio::spawn(async move {
                    pass(millis(1500)).await;
                    pool.resume();
                });
            }
            Act::Reset => pool.reset(),
        }
    }
}

/// The caller goes away before the act, after it, or stays; somebody else was there before the act and asks after it.
async fn meanwhile(case: Case, act: Act, leaves: Leaves) {
    let _named = Named(format!("{act:?}, {leaves:?}, {case:?}"));
    let mut scene = Scene::set(case).await;
    let pool = scene.pool.clone();
    let mut acquire = Box::pin(pool.acquire());
    let mut outcome = poll_once(&mut acquire);
    let others = [scene.somebody()];
    between(case.gap).await;
    match leaves {
        Leaves::Before => {
            drop(acquire);
            scene.act(act).await;
        }
        Leaves::After => {
            scene.act(act).await;
            drop(acquire);
        }
        Leaves::Never => {
            scene.act(act).await;
            let asked = Instant::now();
            if outcome.is_none() {
                outcome = Some(acquire.await);
            }
            assert!(asked.elapsed() <= LIMIT);
        }
    }
    let mut outcomes: Vec<Outcome> = outcome.map(|outcome| outcome.map(drop)).into_iter().collect();
    for other in others.into_iter().chain([scene.somebody()]) {
        let (outcome, took) = other.await.unwrap();
        assert!(took <= LIMIT + millis(2), "somebody waited for {took:?}");
        outcomes.push(outcome);
    }
    let closed = matches!(act, Act::Close | Act::CloseInterrupted);
    for outcome in outcomes {
        match outcome {
            Ok(()) => scene.received += 1,
            Err(error) => {
                let kind = error.kind();
                let fits = match kind {
                    AcquireErrorKind::OpenFailed => case.work == Work::Open && !matches!(case.step, Step::Ok),
                    AcquireErrorKind::Timeout => true,
                    AcquireErrorKind::Closed => closed,
                    _ => false,
                };
                assert!(fits, "{}", error.details());
            }
        }
    }
    if closed {
        scene.end_closed().await;
    } else {
        let shape = case.shape;
        pool.resize(shape.max, shape.min).unwrap();
        if act == Act::Grow {
            scene.world.forgive(1);
        }
        scene.end().await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    Before,
    After,
    Never,
}

impl Scene {
    /// A closed pool ends with its last borrower, however its connections are closed.
    async fn end_closed(mut self) {
        if let Some(returning) = self.returning.take() {
            returning.await.unwrap();
        }
        let kept = self.kept.take();
        assert_eq!(self.pool.close_within(seconds(3)).await.len(), usize::from(kept.is_some()));
        drop(kept);
        assert_eq!(self.pool.close_within(seconds(3)).await, []);
        let stats = self.pool.stats();
        assert_eq!((stats.size, stats.opening, stats.closing, stats.waiting), (0, 0, 0, 0), "{stats:?}");
        assert_eq!((self.world.alive(), stats.opened), (0, stats.closed_total()), "{stats:?}");
        assert!(self.pool.acquire().await.unwrap_err().is_closed());
    }
}

async fn during_everything(act: Act) {
    let shapes = [
        Shape { max: 1, min: 0, when_down: WhenDown::Wait, neighbour: Neighbour::Returns },
        Shape { max: 2, min: 1, when_down: WhenDown::Fail, neighbour: Neighbour::None },
        Shape { max: 2, min: 1, when_down: WhenDown::Wait, neighbour: Neighbour::Keeps },
    ];
    for work in [Work::Open, Work::Check, Work::Reset, Work::Close, Work::Discard] {
        for step in STEPS {
            for shape in shapes {
                for gap in [Duration::ZERO, millis(90), millis(400), millis(1300)] {
                    for leaves in [Leaves::Before, Leaves::After, Leaves::Never] {
                        let before = Instant::now();
                        let case = Case { work, step, shape, gap, polls: 1 };
                        meanwhile(case, act, leaves).await;
                        assert!(before.elapsed() < seconds(60), "{case:?}, {act:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_pool_is_being_changed() {
    for act in ACTS {
        during_everything(act).await;
    }
}

/// Somebody who does not borrow goes away after each of its polls, too.
async fn aside<F: Future>(case: Case, begin: impl Fn(Pool<Fake>) -> F) -> (Scene, bool) {
    let scene = Scene::set(case).await;
    let mut future = Box::pin(begin(scene.pool.clone()));
    for _ in 0..case.polls {
        if poll_once(&mut future).is_some() {
            return (scene, true);
        }
        between(case.gap).await;
    }
    (scene, false)
}

fn at_some_polls(work: Work) -> impl Iterator<Item = Case> {
    let gaps = [Duration::ZERO, millis(90), millis(400), millis(1150), seconds(5)];
    shapes().into_iter().flat_map(move |shape| {
        STEPS.into_iter().flat_map(move |step| {
            gaps.into_iter().flat_map(move |gap| (0..7).map(move |polls| Case { work, step, shape, gap, polls }))
        })
    })
}

#[tokio::test(start_paused = true)]
async fn while_connections_are_opened_ahead() {
    for case in at_some_polls(Work::Open) {
        let _named = Named(format!("{case:?}"));
        let max = case.shape.max;
        let (mut scene, _) =
            aside(case, |pool| async move { pool.warm_up(max).await.map_err(|error| error.kind()) }).await;
        let (outcome, took) = scene.somebody().await.unwrap();
        assert!(took <= LIMIT + millis(2), "somebody waited for {took:?}");
        scene.judge("somebody", outcome);
        scene.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_pool_is_being_closed() {
    for work in [Work::Open, Work::Check, Work::Reset, Work::Close, Work::Discard] {
        for case in at_some_polls(work) {
            let _named = Named(format!("{case:?}"));
            let (scene, through) = aside(case, |pool| async move { pool.close_within(seconds(3)).await }).await;
            if case.polls > 0 {
                assert!(scene.pool.acquire().await.unwrap_err().is_closed());
            }
            // Three seconds have passed, or everything is closed.
            assert!(through || case.gap * case.polls as u32 <= seconds(5), "closing takes for ever");
            scene.end_closed().await;
        }
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "warm_up waits for an attempt to open that the smaller pool never makes"]
async fn warming_up_ends_when_the_pool_is_made_smaller_meanwhile() {
    let world = World::new();
    let pool = world.pool(lazy(2));
    let kept = pool.acquire().await.unwrap();
    // One is lent; the other keeps its place until it is closed.
    drop(pool.acquire().await.unwrap());
    world.close.set(Step::Slow);
    pool.reset();
    let warm_up = tokio::spawn({
        let pool = pool.clone();
        async move { pool.warm_up(2).await.map_err(|error| error.kind()) }
    });
    at_rest().await;
    pool.resize(1, 0).unwrap();
    assert_eq!(tokio::time::timeout(seconds(3600), warm_up).await.unwrap().unwrap(), Ok(()));
    drop(kept);
}
