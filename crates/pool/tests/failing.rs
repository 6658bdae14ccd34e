//! What a caller is told when there is no connection, and how soon.

#![allow(clippy::unwrap_used)]

mod common;

use std::error::Error;

use common::*;
use dbkeep_pool::{AcquireErrorKind, AcquirePhase, Config, Health, Pool, WhenDown};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_told_at_once() {
    let world = World::new();
    world.open.set(Step::FailsForGood);
    let pool = world.pool(Config::new());
    let before = Instant::now();
    let error = pool.acquire().await.unwrap_err();
    assert_eq!(before.elapsed(), seconds(0));
    assert_eq!(
        (error.kind(), error.phase(), error.is_retryable()),
        (AcquireErrorKind::OpenFailed, AcquirePhase::Open, false)
    );
    assert_eq!(error.to_string(), "no connection from pool \"test\": opening one failed");
    assert_eq!(error.source().unwrap().to_string(), "open refused");
    assert_eq!(error.open_error().unwrap().what, "open");

    // Nor does anybody after that wait, and the server is not asked each time.
    let attempts = world.open.calls();
    for _ in 0..1000 {
        assert_eq!(pool.acquire().await.unwrap_err().kind(), AcquireErrorKind::OpenFailed);
    }
    assert_eq!((before.elapsed(), world.open.calls()), (seconds(0), attempts));

    // After a pause it is asked again.
    world.open.set(Step::Ok);
    pass(seconds(7)).await;
    drop(pool.acquire().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_are_told_a_permanent_error() {
    let world = World::new();
    world.open.set(Step::FailsForGood);
    let pool = world.pool(lazy(10));
    let before = Instant::now();
    let waiters: Vec<_> = (0..20)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.acquire().await.map(drop) })
        })
        .collect();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap_err().kind(), AcquireErrorKind::OpenFailed);
    }
    assert_eq!(before.elapsed(), seconds(0));
    assert!(world.open.calls() <= 2, "{} attempts", world.open.calls());
    assert_whole(&world, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_told_at_once_even_while_another_open_hangs() {
    let world = World::new();
    let pool = world.pool(lazy(3));
    let wait = || {
        let pool = pool.clone();
        tokio::spawn(async move { pool.acquire().await.map(drop) })
    };
    world.open.set(Step::Never);
    let first = wait();
    at_rest().await;
    world.open.set(Step::FailsForGood);
    let before = Instant::now();
    for waiter in [wait(), first] {
        assert_eq!(waiter.await.unwrap().unwrap_err().kind(), AcquireErrorKind::OpenFailed);
    }
    assert_eq!(before.elapsed(), seconds(0));

    // One that may pass is not, as long as the other open may succeed.
    let world = World::new();
    let pool = world.pool(lazy(3));
    let wait = || {
        let pool = pool.clone();
        tokio::spawn(async move { pool.acquire().await.map(drop) })
    };
    world.open.set(Step::Slow);
    let first = wait();
    at_rest().await;
    world.open.set(Step::Fails);
    for waiter in [wait(), first] {
        waiter.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_that_fails_does_not_fail_who_can_be_served_otherwise() {
    for step in [Step::Fails, Step::FailsForGood] {
        let world = World::new();
        let pool = world.pool(lazy(2));
        let lease = pool.acquire().await.unwrap();
        world.open.set(step);
        let waiter = tokio::spawn({
            let pool = pool.clone();
            async move { pool.acquire().await.map(|lease| lease.id) }
        });
        pass(seconds(2)).await;
        assert_eq!(pool.stats().waiting, 1);
        drop(lease);
        assert_eq!(waiter.await.unwrap().unwrap(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_that_fails_is_told_when_nobody_else_can_serve() {
    let world = World::new();
    world.open.set(Step::Fails);
    let pool = world.pool(lazy(2));
    let before = Instant::now();
    let error = pool.acquire().await.unwrap_err();
    assert_eq!(
        (error.kind(), before.elapsed(), error.is_retryable()),
        (AcquireErrorKind::OpenFailed, seconds(0), true)
    );

    // Whoever asks again and again is told at once, and asks the server only as often as the pause allows.
    while before.elapsed() < seconds(10) {
        let asked = Instant::now();
        assert_eq!(pool.acquire().await.unwrap_err().kind(), AcquireErrorKind::OpenFailed);
        assert_eq!(asked.elapsed(), seconds(0));
        assert_eq!(pool.stats().health, Health::Down);
        pass(millis(10)).await;
    }
    assert!(world.open.calls() < 70, "{} attempts in ten seconds", world.open.calls());

    // When the server is back, whoever asks is served after the pause at the latest.
    world.open.set(Step::Ok);
    let back = Instant::now();
    while pool.acquire().await.is_err() {
        pass(millis(10)).await;
    }
    assert!(back.elapsed() <= millis(260), "{:?}", back.elapsed());
    assert_eq!(pool.stats().health, Health::Up);
}

#[tokio::test(start_paused = true)]
async fn who_may_wait_is_served_a_quarter_of_a_second_after_the_server_is_back() {
    let world = World::new();
    world.open.set(Step::Fails);
    let pool = world.pool(lazy(2).when_down(WhenDown::Wait));
    // Nobody waits, and the pauses grow to a second.
    for _ in 0..8 {
        let error = pool.acquire_within(millis(1)).await.unwrap_err();
        assert!(error.is_timeout() && error.open_error().is_some(), "{error}");
        pass(seconds(2)).await;
    }
    let waiters: Vec<_> = (0..10)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.acquire().await.map(|_| Instant::now()) })
        })
        .collect();
    pass(seconds(5)).await;
    assert_eq!((pool.stats().waiting, pool.stats().in_use), (10, 0));
    let calls = world.open.calls();
    pass(seconds(10)).await;
    let attempts = world.open.calls() - calls;
    assert!((40..=70).contains(&attempts), "{attempts} attempts in ten seconds");
    world.open.set(Step::Ok);
    let back = Instant::now();
    for waiter in waiters {
        let served = waiter.await.unwrap().unwrap();
        assert!(served - back <= millis(250), "{:?}", served - back);
    }
    assert_eq!(world.open.calls() - calls - attempts, 2, "no storm");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_pass_is_told_at_once_also_to_who_may_wait() {
    let world = World::new();
    world.open.set(Step::FailsForGood);
    let pool = world.pool(lazy(2).when_down(WhenDown::Wait));
    for _ in 0..3 {
        let asked = Instant::now();
        let error = pool.acquire().await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (AcquireErrorKind::OpenFailed, false));
        assert_eq!(asked.elapsed(), seconds(0));
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_every_idle_connection_is_checked_once() {
    let world = World::new();
    let pool = world.pool(lazy(3));
    let leases = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    pass(millis(1)).await;
    let [mut broken, one, other] = leases;
    drop((one, other));
    assert_eq!(pool.stats().health, Health::Up);
    pass(millis(1)).await;
    broken.break_it();
    drop(broken);
    assert_eq!(pool.stats().health, Health::Suspect);
    pass(millis(1)).await;
    // Both have worked a moment ago, but before the failure.
    let one = pool.acquire().await.unwrap();
    assert_eq!((world.check.calls(), pool.stats().health), (1, Health::Up));
    let other = pool.acquire().await.unwrap();
    assert_eq!(world.check.calls(), 2);
    drop((one, other));
    drop(pool.acquire().await.unwrap());
    assert_eq!(world.check.calls(), 2, "and no more than once");
}

#[tokio::test(start_paused = true)]
async fn an_open_that_hangs_or_panics_says_so() {
    let world = World::new();
    world.open.set(Step::Never);
    let pool = world.pool(lazy(1));
    let error = pool.acquire().await.unwrap_err();
    assert_eq!(error.to_string(), "no connection from pool \"test\": opening one failed: no answer within 10.0s");
    assert!(error.source().is_none());

    world.open.set(Step::Panics);
    pass(seconds(2)).await;
    let error = pool.acquire().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no connection from pool \"test\": opening one failed: the manager panicked: open panics, as it was told to"
    );
    assert_whole(&world, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn one_deadline_covers_every_phase() {
    let limit = millis(3000);

    let world = World::new();
    let pool = world.pool(lazy(1));
    world.open.set(Step::Never);
    let before = Instant::now();
    let error = pool.acquire_within(limit).await.unwrap_err();
    assert_eq!((error.kind(), error.phase(), error.elapsed()), (AcquireErrorKind::Timeout, AcquirePhase::Open, limit));
    assert_eq!(before.elapsed(), limit);
    assert_eq!(error.to_string(), "no connection from pool \"test\" within 3.0s: opening one was not finished");
    assert_whole(&world, &pool).await;

    let world = World::new();
    let pool = world.pool(lazy(1));
    drop(pool.acquire().await.unwrap());
    pass(seconds(1)).await;
    world.check.set(Step::Never);
    let error = pool.acquire_within(limit).await.unwrap_err();
    assert_eq!((error.phase(), error.elapsed()), (AcquirePhase::Validate, limit));
    assert_eq!(
        error.to_string(),
        "no connection from pool \"test\" within 3.0s: checking an idle one was not finished"
    );
    assert_whole(&world, &pool).await;

    // Half of the time in the queue, the rest for an open: together it is no longer.
    let world = World::new();
    let pool = world.pool(lazy(1));
    let lease = pool.acquire().await.unwrap();
    world.open.set(Step::Never);
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire_within(limit).await.map(drop) }
    });
    pass(millis(1500)).await;
    lease.discard();
    let error = waiter.await.unwrap().unwrap_err();
    assert_eq!((error.phase(), error.elapsed()), (AcquirePhase::Open, limit));
}

#[tokio::test(start_paused = true)]
async fn the_error_names_who_holds_the_connections() {
    let world = World::new();
    let pool = world.pool(lazy(2));
    let first = pool.acquire().await.unwrap();
    let line = line!() - 1;
    pass(seconds(20)).await;
    let second = pool.acquire().await.unwrap();
    let later = line!() - 1;
    let error = pool.acquire_within(seconds(5)).await.unwrap_err();
    let file = file!();
    assert_eq!(
        error.to_string(),
        format!(
            "no connection from pool \"test\" within 5.0s: 2 of 2 in use, 0 waiting, longest held 25.0s at {file}:{line}"
        )
    );
    assert_eq!(
        error.details(),
        format!(
            "{error}\n  \
             phase: queue, after 5.0s, 0 ahead in the queue\n  \
             connections: 2 of 2 (idle 0, in use 2, being checked 0, being opened 0), waiting 0\n  \
             server: up\n  \
             longest held: 25.0s at {file}:{line}, 5.0s at {file}:{later}\n  \
             hint: look at the borrowers that hold a connection longest, or raise max if the server can take more"
        )
    );
    assert_eq!(error.position(), Some(0));
    assert_eq!(pool.borrowers().len(), 2);
    drop((first, second));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_in_the_queue_still_tells_that_opening_fails() {
    let world = World::new();
    let pool = world.pool(lazy(2));
    let _lease = pool.acquire().await.unwrap();
    world.open.set(Step::Fails);
    let error = pool.acquire_within(seconds(3)).await.unwrap_err();
    assert_eq!((error.kind(), error.phase()), (AcquireErrorKind::Timeout, AcquirePhase::Queue));
    assert_eq!(error.source().unwrap().to_string(), "open refused");
    assert!(error.open_error_age().unwrap() < seconds(2));
    assert!(error.details().contains("\n  last open error: open refused ("), "{}", error.details());
}

#[tokio::test(start_paused = true)]
async fn no_time_at_all_is_enough_for_an_idle_connection() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let error = pool.acquire_within(seconds(0)).await.unwrap_err();
    assert_eq!(error.kind(), AcquireErrorKind::Timeout);
    at_rest().await;
    drop(pool.acquire_within(seconds(0)).await.unwrap());
    drop(pool.acquire_within(std::time::Duration::MAX).await.unwrap());
}

#[test]
fn a_pool_needs_a_runtime() {
    let error = Pool::new(Fake(World::new()), Config::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pool setting runtime is missing: create the pool inside a tokio runtime, or name one to the builder"
    );
}
