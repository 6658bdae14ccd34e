//! How a pool ends: closed, dropped, or with its runtime.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use dbkeep_pool::{CloseReason, Config, Pool};
use tokio::runtime::{Builder, Handle};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn close_waits_for_borrowers_and_turns_the_others_away() {
    let world = World::new();
    let pool = world.pool(Config::new().max(2).min(2));
    let lease = pool.acquire().await.unwrap();
    let other = pool.acquire().await.unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    at_rest().await;
    let close = tokio::spawn({
        let pool = pool.clone();
        async move { pool.close().await }
    });
    let error = waiter.await.unwrap().unwrap_err();
    assert!(error.is_closed());
    assert_eq!(error.to_string(), "no connection from pool \"test\": the pool is closed");
    assert!(pool.acquire().await.unwrap_err().is_closed());
    assert!(pool.try_acquire().unwrap_err().is_closed());
    pass(seconds(3)).await;
    assert!(!close.is_finished());
    drop(other);
    let mut lease = lease;
    lease.dirty = true;
    drop(lease);
    assert_eq!(close.await.unwrap(), []);
    // Not even reset: it is of no more use.
    assert_eq!((world.alive(), world.close.calls(), world.reset.calls()), (0, 2, 0));
    assert_eq!((pool.stats().closed(CloseReason::PoolClosed), pool.stats().size), (2, 0));
    assert_eq!(pool.close().await, [], "closing twice is fine");
}

#[tokio::test(start_paused = true)]
async fn close_gives_up_on_borrowers_after_a_while_and_names_them() {
    let world = World::new();
    let pool = world.pool(lazy(2));
    let lease = pool.acquire().await.unwrap();
    let before = Instant::now();
    let still_out = pool.close_within(seconds(5)).await;
    assert_eq!(before.elapsed(), seconds(5));
    assert_eq!(still_out.len(), 1);
    assert_eq!((still_out[0].location.file(), still_out[0].held), (file!(), seconds(5)));
    drop(lease);
    at_rest().await;
    assert_eq!((world.alive(), world.close.calls()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn close_does_not_wait_for_what_hangs() {
    let world = World::new();
    let pool = world.pool(lazy(3));
    let mut dirty = pool.acquire().await.unwrap();
    drop(pool.acquire().await.unwrap());
    pass(seconds(1)).await;
    world.open.set(Step::Never);
    world.check.set(Step::Never);
    world.reset.set(Step::Never);
    dirty.dirty = true;
    drop(dirty);
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.acquire().await.map(drop) })
        })
        .collect();
    at_rest().await;
    assert_eq!((pool.stats().opening, pool.stats().in_care), (1, 2));
    let before = Instant::now();
    assert_eq!(pool.close().await, []);
    assert_eq!(before.elapsed(), seconds(0));
    for waiter in waiters {
        assert!(waiter.await.unwrap().unwrap_err().is_closed());
    }
    assert_eq!(world.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_dropped_ends_every_task() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let world = World::new();
    let pool = world.pool(Config::new().max(5).min(3));
    at_rest().await;
    let lease = pool.acquire().await.unwrap();
    world.open.set(Step::Never);
    pool.resize(5, 5).unwrap();
    at_rest().await;
    assert!(tasks() > before);
    let second = pool.clone();
    drop(pool);
    assert!(second.try_acquire().is_ok());
    drop(second);
    at_rest().await;
    assert_eq!((tasks(), world.alive()), (before, 1));
    // The borrower can go on, and the connection is closed after it.
    assert_eq!(lease.id, 2);
    drop(lease);
    at_rest().await;
    assert_eq!((world.alive(), world.close.calls()), (0, 3));
}

#[test]
fn a_pool_outlives_its_runtime_without_harm() {
    let world = World::new();
    let own = Builder::new_current_thread().enable_all().build().unwrap();
    let other = Builder::new_current_thread().enable_all().build().unwrap();
    let pool = own.block_on(async { world.pool(lazy(3)) });
    let (lease, mut dirty, idle) = own.block_on(async {
        (pool.acquire().await.unwrap(), pool.acquire().await.unwrap(), pool.acquire().await.unwrap())
    });
    drop(idle);
    let idle = pool.try_acquire().unwrap();
    let waiter = {
        let pool = pool.clone();
        other.spawn(async move { pool.acquire().await.map(drop) })
    };
    other.block_on(tokio::task::yield_now());
    assert_eq!(pool.stats().waiting, 1);
    drop(own);
    assert!(other.block_on(waiter).unwrap().unwrap_err().is_closed());
    assert!(pool.is_closed());
    assert!(other.block_on(pool.acquire()).unwrap_err().is_closed());
    let still_out = other.block_on(pool.close());
    assert_eq!(still_out.len(), 3);
    assert_eq!(lease.id, 0);
    dirty.dirty = true;
    drop((lease, dirty, idle));
    assert_eq!((world.alive(), pool.stats().size, pool.stats().closing), (0, 0, 0));
}

#[test]
fn a_pool_on_a_runtime_that_has_ended_is_closed() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.handle().clone();
    drop(runtime);
    let pool = Pool::builder(Fake(World::new())).runtime(ended).build().unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(pool.acquire()).unwrap_err().is_closed());
    assert_eq!(runtime.block_on(pool.close()), []);
}
