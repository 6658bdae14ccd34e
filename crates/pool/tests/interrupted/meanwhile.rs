//! The same, while somebody else does something to the pool: makes it smaller, warms it up, closes it.

use super::*;

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
