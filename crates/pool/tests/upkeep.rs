//! What the pool does by itself as time goes by.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};

use common::*;
use dbkeep_pool::{Borrower, CloseReason, Config, Observer, Pool};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn the_minimum_is_opened_at_the_start() {
    let world = World::new();
    let pool = world.pool(Config::new().min(4));
    at_rest().await;
    assert_eq!((pool.stats().idle, world.open.calls()), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn the_minimum_is_restored_when_connections_go() {
    let world = World::new();
    let pool = world.pool(Config::new().min(2));
    at_rest().await;
    pool.acquire().await.unwrap().discard();
    let mut lease = pool.acquire().await.unwrap();
    lease.break_it();
    drop(lease);
    at_rest().await;
    assert_eq!((pool.stats().idle, world.open.calls()), (2, 4));
}

#[tokio::test(start_paused = true)]
async fn refilling_backs_off_and_recovers() {
    let world = World::new();
    world.open.set(Step::Fails);
    let pool = world.pool(Config::new().min(2));
    pass(seconds(60)).await;
    let attempts = world.open.calls();
    assert!((40..=90).contains(&attempts), "{attempts} attempts in a minute");
    assert_eq!(pool.stats().failures_in_a_row as usize, attempts);
    world.open.set(Step::Ok);
    pass(millis(1300)).await;
    assert_eq!((pool.stats().idle, pool.stats().failures_in_a_row), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_succeed_is_not_tried_in_the_background() {
    let world = World::new();
    world.open.set(Step::FailsForGood);
    let pool = world.pool(Config::new().min(2).max_connecting(1));
    pass(seconds(3600)).await;
    assert_eq!(world.open.calls(), 1);
    world.open.set(Step::Ok);
    drop(pool.acquire().await.unwrap());
    at_rest().await;
    assert_eq!(pool.stats().idle, 2);
}

#[tokio::test(start_paused = true)]
async fn idle_connections_above_the_minimum_are_closed() {
    let world = World::new();
    let pool = world.pool(Config::new().max(5).min(2).max_lifetime(None));
    let mut leases = Vec::new();
    for _ in 0..5 {
        leases.push(pool.acquire().await.unwrap());
    }
    let youngest: Vec<usize> = leases[3..].iter().map(|lease| lease.id).collect();
    drop(leases);
    pass(seconds(299)).await;
    assert_eq!(pool.stats().idle, 5);
    pass(seconds(2)).await;
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.closed(CloseReason::Idle)), (2, 3));
    // The coldest went; nothing was opened to make up for them.
    let pair = [pool.try_acquire().unwrap(), pool.try_acquire().unwrap()];
    let mut left = pair.iter().map(|lease| lease.id).collect::<Vec<_>>();
    left.sort_unstable();
    assert_eq!((left, world.open.calls()), (youngest, 5));
    drop(pair);
    pass(seconds(3600)).await;
    assert_eq!((pool.stats().idle, world.open.calls()), (2, 5));
}

#[tokio::test(start_paused = true)]
async fn aged_connections_are_replaced_before_they_go() {
    let world = World::new();
    let pool = world.pool(Config::new().max(4).min(2));
    at_rest().await;
    world.open.set(Step::Slow);
    let start = Instant::now();
    let mut changes = Vec::new();
    let mut opened = 2;
    while start.elapsed() < seconds(3700) {
        pass(millis(500)).await;
        assert!(pool.stats().idle >= 2, "fewer than min after {:?}", start.elapsed());
        if pool.stats().opened > opened {
            opened = pool.stats().opened;
            changes.push(start.elapsed());
        }
    }
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.closed(CloseReason::Lifetime), stats.idle), (4, 2, 2));
    assert!(changes.iter().all(|at| (seconds(3240)..=seconds(3612)).contains(at)), "{changes:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_opened_together_do_not_age_together() {
    let world = World::new();
    let pool = world.pool(Config::new().max(200).min(100).max_connecting(100).idle_timeout(None));
    at_rest().await;
    assert_eq!(pool.stats().idle, 100);
    // A tenth of the lifetime is spread over all of them: in any minute of it about a sixth of them goes.
    pass(seconds(3235)).await;
    let mut most = 0;
    for _ in 0..7 {
        let before = pool.stats().opened;
        pass(seconds(60)).await;
        most = most.max(pool.stats().opened - before);
    }
    assert!(most < 40, "{most} replaced in one minute");
    assert_eq!(pool.stats().closed(CloseReason::Lifetime), 100);
}

#[tokio::test(start_paused = true)]
async fn in_a_full_pool_aged_connections_go_one_at_a_time() {
    let world = World::new();
    let pool = world.pool(Config::new().max(3).min(3));
    at_rest().await;
    world.open.set(Step::Slow);
    world.close.set(Step::Slow);
    for _ in 0..4000 {
        pass(seconds(1)).await;
        let stats = pool.stats();
        assert!(stats.size >= 2, "{stats:?}");
    }
    assert_eq!(pool.stats().closed(CloseReason::Lifetime), 3);
    assert_eq!((pool.stats().idle, world.peak()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn in_a_full_pool_nothing_waits_for_a_replacement_that_has_no_room() {
    let world = World::new();
    let pool = world.pool(Config::new().max(2).min(2).connect_timeout(seconds(1000)));
    at_rest().await;
    pass(seconds(3601)).await;
    assert_eq!((pool.stats().closed(CloseReason::Lifetime), pool.stats().idle), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_aged_while_it_was_lent_goes_when_it_is_idle() {
    let world = World::new();
    let pool = world.pool(lazy(2).connect_timeout(seconds(1000)));
    let lease = pool.acquire().await.unwrap();
    pass(seconds(3650)).await;
    drop(lease);
    at_rest().await;
    assert_eq!((pool.stats().closed(CloseReason::Lifetime), pool.stats().size), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_busy_aged_connection_is_retired_when_it_comes_back() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let lease = pool.acquire().await.unwrap();
    pass(seconds(4000)).await;
    drop(lease);
    assert_eq!(pool.acquire().await.unwrap().id, 1);
    assert_eq!(pool.stats().closed(CloseReason::Lifetime), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reset_pool_lends_nothing_opened_before() {
    let world = World::new();
    let pool = world.pool(Config::new().max(3).min(2));
    at_rest().await;
    let lease = pool.acquire().await.unwrap();
    world.open.set(Step::Slow);
    let opening = tokio::spawn({
        let pool = pool.clone();
        async move { (pool.acquire().await.unwrap(), pool.acquire().await.unwrap()) }
    });
    pass(millis(500)).await;
    assert_eq!(pool.stats().opening, 1);
    pool.reset();
    drop(lease);
    let pair = opening.await.unwrap();
    // The one idle before went, the one under way to the old server went, the one lent went when it came back.
    assert!(pair.1.id > 2, "{}", pair.1.id);
    assert!(pool.stats().closed(CloseReason::Evicted) >= 2, "{:?}", pool.stats());
    drop(pair);
    assert_whole(&world, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_can_be_resized() {
    let world = World::new();
    let pool = world.pool(lazy(4));
    let mut leases = Vec::new();
    for _ in 0..4 {
        leases.push(pool.acquire().await.unwrap());
    }
    drop(leases.drain(..2));
    pool.resize(1, 0).unwrap();
    at_rest().await;
    assert_eq!((pool.stats().idle, pool.stats().in_use), (0, 2));
    drop(leases);
    at_rest().await;
    assert_eq!((pool.stats().size, pool.stats().closed(CloseReason::Resized)), (1, 3));
    pool.resize(6, 5).unwrap();
    at_rest().await;
    assert_eq!(pool.stats().idle, 5);
    assert_eq!(
        pool.resize(2, 3).unwrap_err().to_string(),
        "pool setting min 3 is more than max 2: the pool could never keep that many open; raise max or lower min"
    );
    assert_eq!(pool.stats().max, 6);
}

#[tokio::test(start_paused = true)]
async fn raising_max_serves_those_who_wait() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let _lease = pool.acquire().await.unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    at_rest().await;
    let before = Instant::now();
    pool.resize(2, 0).unwrap();
    waiter.await.unwrap().unwrap();
    assert_eq!(before.elapsed(), seconds(0));
}

#[derive(Default)]
struct Leaks(Mutex<Vec<String>>);

impl Observer for Leaks {
    fn leaked(&self, borrower: &Borrower) {
        self.0.lock().unwrap().push(format!("leaked after {:?}", borrower.held));
    }
    fn unleaked(&self, borrower: &Borrower) {
        assert!(borrower.location.file().ends_with("upkeep.rs"));
        self.0.lock().unwrap().push(format!("back after {:?}", borrower.held));
    }
    fn released(&self, _: &Borrower) {
        panic!("the observer panics, as it was told to");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leak_is_reported_once_and_so_is_its_end() {
    let leaks = Arc::new(Leaks::default());
    let world = World::new();
    let pool = Pool::builder(Fake(Arc::clone(&world)))
        .config(lazy(2).leak_threshold(seconds(10)))
        .observer(Arc::clone(&leaks) as _)
        .build()
        .unwrap();
    let lease = pool.acquire().await.unwrap();
    let quick = pool.acquire().await.unwrap();
    pass(seconds(9)).await;
    drop(quick);
    pass(seconds(51)).await;
    drop(lease);
    let heard = leaks.0.lock().unwrap().clone();
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(heard[0].starts_with("leaked after 10"), "{heard:?}");
    assert!(heard[1].starts_with("back after 60"), "{heard:?}");
    assert_eq!(pool.stats().leaked, 1);
}
