//! Every step the pool takes for a caller, however it goes, with the caller going away at every moment.

#![allow(clippy::unwrap_used)]

mod common;

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::*;
use dbkeep_pool::{Lease, Pool};

const STEPS: [Step; 6] = [Step::Ok, Step::Fails, Step::FailsForGood, Step::Slow, Step::Never, Step::Panics];

/// When the caller goes away. The moments lie between all that happens: after the first poll, while a check is not yet
/// slow, after it became slow, after a slow step succeeded, after a check timed out, after an open timed out, never.
const MOMENTS: [Option<Duration>; 7] = [
    Some(Duration::ZERO),
    Some(Duration::from_millis(10)),
    Some(Duration::from_millis(400)),
    Some(Duration::from_millis(1500)),
    Some(Duration::from_millis(5500)),
    Some(Duration::from_millis(11_000)),
    None,
];

async fn acquire_and_go_away(pool: &Pool<Fake>, moment: Option<Duration>) {
    match moment {
        Some(Duration::ZERO) => {
            let mut acquire = Box::pin(pool.acquire());
            let _ = poll_once(acquire.as_mut());
            drop(acquire);
            at_rest().await;
        }
        Some(moment) => {
            let _ = tokio::time::timeout(moment, pool.acquire()).await;
        }
        None => {
            let _ = pool.acquire_within(seconds(15)).await;
        }
    }
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn an_acquire_dropped_during_open_leaves_the_pool_whole() {
    for step in STEPS {
        for moment in MOMENTS {
            for max in [1, 3] {
                let world = World::new();
                let pool = world.pool(lazy(max));
                world.open.set(step);
                acquire_and_go_away(&pool, moment).await;
                assert_eq!(pool.stats().waiting, 0, "{step:?}, {moment:?}");
                assert_whole(&world, &pool).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_acquire_dropped_during_check_leaves_the_pool_whole() {
    for step in STEPS {
        for moment in MOMENTS {
            for max in [1, 3] {
                let world = World::new();
                let pool = world.pool(lazy(max));
                drop(pool.acquire().await.unwrap());
                pass(seconds(1)).await;
                world.check.set(step);
                acquire_and_go_away(&pool, moment).await;
                assert!(world.check.calls() > 0, "nothing was checked");
                assert_eq!(pool.stats().waiting, 0, "{step:?}, {moment:?}");
                assert_whole(&world, &pool).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_acquire_dropped_during_reset_leaves_the_pool_whole() {
    for step in STEPS {
        for moment in MOMENTS {
            for max in [1, 3] {
                let world = World::new();
                let pool = world.pool(lazy(max));
                let mut lease = pool.acquire().await.unwrap();
                lease.dirty = true;
                world.reset.set(step);
                drop(lease);
                acquire_and_go_away(&pool, moment).await;
                assert!(world.reset.calls() > 0, "nothing was reset");
                assert_eq!(pool.stats().waiting, 0, "{step:?}, {moment:?}");
                assert_whole(&world, &pool).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_goes_wrong_loses_no_place() {
    for step in STEPS {
        let world = World::new();
        let pool = world.pool(lazy(2));
        world.close.set(step);
        let mut lease = pool.acquire().await.unwrap();
        let mut broken = pool.acquire().await.unwrap();
        lease.break_it();
        lease.discard();
        broken.break_it();
        drop(broken);
        // Both places are free at once.
        let again = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
        drop(again);
        pool.reset();
        assert_whole(&world, &pool).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_opened_for_a_caller_that_left_is_kept() {
    let world = World::new();
    let pool = world.pool(lazy(4));
    world.open.set(Step::Slow);
    acquire_and_go_away(&pool, Some(millis(10))).await;
    pass(seconds(1)).await;
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.opened, stats.cancelled, world.open.calls()), (1, 1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_delivered_to_a_caller_that_left_goes_to_the_next() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let lease = pool.acquire().await.unwrap();
    let mut first = Box::pin(pool.acquire());
    let mut second = Box::pin(pool.acquire());
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(poll_once(second.as_mut()).is_pending());
    // Delivered to the first, who goes away without having looked.
    drop(lease);
    drop(first);
    let lease: Lease<Fake> = second.await.unwrap();
    assert_eq!((pool.stats().acquired, pool.stats().in_use), (2, 1));
    drop(lease);
    assert_whole(&world, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn an_acquire_never_polled_takes_nothing() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    drop(pool.acquire());
    at_rest().await;
    assert_eq!((world.open.calls(), pool.stats().acquired), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_close_dropped_half_way_has_closed_the_pool() {
    let world = World::new();
    let pool = world.pool(lazy(2));
    let lease = pool.acquire().await.unwrap();
    let mut close = Box::pin(pool.close());
    assert!(poll_once(close.as_mut()).is_pending());
    drop(close);
    assert!(pool.acquire().await.unwrap_err().is_closed());
    drop(lease);
    assert_eq!(pool.close().await, []);
    assert_eq!(world.alive(), 0);
}
