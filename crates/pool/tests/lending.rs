//! Who gets which connection, and when.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use common::*;
use dbkeep_pool::{AcquireErrorKind, AcquirePhase, CloseReason, Config};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn callers_are_served_in_the_order_they_came() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let lease = pool.acquire().await.unwrap();
    let served = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..8 {
        let (pool, served) = (pool.clone(), Arc::clone(&served));
        tasks.push(tokio::spawn(async move {
            let lease = pool.acquire().await.unwrap();
            served.lock().unwrap().push(number);
            at_rest().await;
            drop(lease);
        }));
        at_rest().await;
    }
    assert_eq!(pool.stats().waiting, 8);
    drop(lease);
    // Whoever comes now does not get ahead of them.
    assert_eq!(pool.try_acquire().unwrap_err().kind(), AcquireErrorKind::Exhausted);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*served.lock().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test(start_paused = true)]
async fn the_connection_used_last_is_lent_first() {
    let world = World::new();
    let pool = world.pool(lazy(3));
    let leases = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    let [first, second, third] = leases;
    drop((third, first));
    let last = second.id;
    drop(second);
    assert_eq!(pool.acquire().await.unwrap().id, last);
    let pair = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    assert_eq!((pair.0.id, pair.1.id), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_gets_a_returned_connection_while_an_open_hangs() {
    let world = World::new();
    let pool = world.pool(lazy(2));
    let lease = pool.acquire().await.unwrap();
    world.open.set(Step::Never);
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(|lease| lease.id) }
    });
    at_rest().await;
    assert_eq!((pool.stats().opening, pool.stats().waiting), (1, 1));
    let id = lease.id;
    let before = Instant::now();
    drop(lease);
    assert_eq!(waiter.await.unwrap().unwrap(), id);
    assert!(before.elapsed() < millis(1));
    assert_whole(&world, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_waiter_gets_another_connection_while_a_check_hangs() {
    let world = World::new();
    let pool = world.pool(lazy(2));
    drop(pool.acquire().await.unwrap());
    pass(seconds(1)).await;
    world.check.set(Step::Never);
    let before = Instant::now();
    let lease = pool.acquire().await.unwrap();
    assert_eq!((lease.id, world.check.calls()), (1, 1));
    assert!(before.elapsed() < millis(300), "it waited for the check: {:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_worked_lately_is_not_checked() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    for _ in 0..20 {
        let mut lease = pool.acquire().await.unwrap();
        lease.dirty = false;
        pass(seconds(2)).await;
        drop(lease);
        pass(millis(400)).await;
    }
    assert_eq!(world.check.calls(), 0);
    pass(millis(200)).await;
    drop(pool.acquire().await.unwrap());
    assert_eq!((world.check.calls(), pool.stats().validated), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn lending_without_use_proves_nothing() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let lease = pool.acquire().await.unwrap();
    pass(seconds(2)).await;
    drop(lease);
    drop(pool.acquire().await.unwrap());
    assert_eq!(world.check.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn opening_and_checking_prove_as_much_as_use() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    world.open.set(Step::Slow);
    drop(pool.acquire().await.unwrap());
    drop(pool.acquire().await.unwrap());
    assert_eq!(world.check.calls(), 0);
    pass(seconds(1)).await;
    drop(pool.acquire().await.unwrap());
    drop(pool.acquire().await.unwrap());
    assert_eq!(world.check.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_knows_its_last_answer_is_believed() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let mut lease = pool.acquire().await.unwrap();
    pass(seconds(10)).await;
    lease.answered = Some(Instant::now().into_std());
    pass(millis(300)).await;
    drop(lease);
    drop(pool.acquire().await.unwrap());
    assert_eq!(world.check.calls(), 0);
    pass(millis(300)).await;
    drop(pool.acquire().await.unwrap());
    assert_eq!(world.check.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_too_gets_only_what_has_worked_lately() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let unused = pool.acquire().await.unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(|lease| lease.id) }
    });
    pass(seconds(2)).await;
    world.check.set(Step::Fails);
    drop(unused);
    assert_eq!(waiter.await.unwrap().unwrap(), 1);
    assert_eq!(world.check.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_fails_its_check_is_replaced() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    drop(pool.acquire().await.unwrap());
    pass(seconds(1)).await;
    world.check.set(Step::Fails);
    let lease = pool.acquire().await.unwrap();
    assert_eq!(lease.id, 1);
    let stats = pool.stats();
    assert_eq!((stats.validation_failures, stats.closed(CloseReason::CheckFailed), stats.size), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_known_to_be_broken_is_not_lent() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    drop(pool.acquire().await.unwrap());
    world.state_panics.store(true, Ordering::SeqCst);
    assert!(pool.try_acquire().is_err());
    world.state_panics.store(false, Ordering::SeqCst);
    assert_eq!(pool.acquire().await.unwrap().id, 1);
    assert_eq!(pool.stats().closed(CloseReason::Broken), 1);
    assert_whole(&world, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn no_more_is_opened_than_is_needed() {
    // Fifty short requests at once on a pool that opens slowly: the connections there are do the work.
    let world = World::new();
    let pool = world.pool(Config::new().max(50).min(5).max_connecting(1));
    at_rest().await;
    assert_eq!(world.open.calls(), 5);
    world.open.set(Step::Slow);
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let pool = pool.clone();
        tasks.push(tokio::spawn(async move {
            let mut lease = pool.acquire().await.unwrap();
            lease.dirty = false;
            pass(millis(2)).await;
        }));
    }
    let before = Instant::now();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(before.elapsed() < millis(50), "{:?}", before.elapsed());
    pass(seconds(5)).await;
    assert_eq!(world.open.calls(), 6);
}

#[tokio::test(start_paused = true)]
async fn try_acquire_takes_what_is_idle_and_never_waits() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let error = pool.try_acquire().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (AcquireErrorKind::Exhausted, AcquirePhase::Queue));
    assert_eq!(error.to_string(), "no connection from pool \"test\" without waiting: 0 of 1 in use, 0 waiting");
    drop(pool.acquire().await.unwrap());
    // Idle for so long that acquire would check it.
    pass(seconds(1)).await;
    let lease = pool.try_acquire().unwrap();
    assert!(pool.try_acquire().is_err());
    drop(lease);
    assert_eq!(world.check.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn try_acquire_does_not_go_ahead_of_who_waits_for_a_check() {
    let world = World::new();
    let pool = world.pool(lazy(2));
    drop((pool.acquire().await.unwrap(), pool.acquire().await.unwrap()));
    pass(seconds(1)).await;
    world.check.set(Step::Slow);
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    at_rest().await;
    assert_eq!((pool.stats().waiting, pool.stats().idle), (1, 1));
    assert_eq!(pool.try_acquire().unwrap_err().kind(), AcquireErrorKind::Exhausted);
    waiter.await.unwrap().unwrap();
}

#[test]
fn handles_leases_and_errors_can_cross_threads() {
    fn is_send_and_sync<T: Send + Sync + 'static>() {}
    is_send_and_sync::<dbkeep_pool::Pool<Fake>>();
    is_send_and_sync::<dbkeep_pool::Lease<Fake>>();
    is_send_and_sync::<dbkeep_pool::AcquireError<Refused>>();
}

#[tokio::test(start_paused = true)]
async fn callers_beyond_the_limit_are_turned_away() {
    let world = World::new();
    let pool = world.pool(lazy(1).max_waiters(1));
    let lease = pool.acquire().await.unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    at_rest().await;
    let error = pool.acquire().await.unwrap_err();
    assert_eq!((error.kind(), error.elapsed()), (AcquireErrorKind::Shed, seconds(0)));
    assert_eq!(error.to_string(), "no connection from pool \"test\": 1 of 1 in use and 1 waiting already");
    drop(lease);
    waiter.await.unwrap().unwrap();
    assert_eq!(pool.stats().shed, 1);
}

#[tokio::test(start_paused = true)]
async fn with_no_waiters_allowed_a_pool_still_opens_and_checks() {
    let world = World::new();
    let pool = world.pool(lazy(2).max_waiters(0));
    let pair = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    assert_eq!(pool.acquire().await.unwrap_err().kind(), AcquireErrorKind::Shed);
    drop(pair);
    pass(seconds(1)).await;
    let _pair = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    assert_eq!(world.check.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn stats_add_up() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let lease = pool.acquire().await.unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    pass(seconds(3)).await;
    let stats = pool.stats();
    assert_eq!((stats.waiting, stats.oldest_wait, stats.in_use), (1, Some(seconds(3)), 1));
    drop(lease);
    waiter.await.unwrap().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.acquired, stats.acquired_new, stats.opened), (2, 1, 1));
    assert_eq!((stats.wait_total, stats.use_total), (seconds(3), seconds(3)));
    assert!((stats.reuse_efficiency() - 50.0).abs() < f64::EPSILON);
}
