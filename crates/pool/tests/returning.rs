//! What becomes of a connection that comes back.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::Ordering;
use std::thread;

use common::*;
use dbkeep_pool::CloseReason;

#[tokio::test(start_paused = true)]
async fn a_dirty_connection_is_reset_before_anybody_gets_it() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let mut lease = pool.acquire().await.unwrap();
    lease.dirty = true;
    world.reset.set(Step::Slow);
    drop(lease);
    assert_eq!((pool.stats().in_use, pool.stats().in_care), (0, 1));
    assert!(pool.try_acquire().is_err(), "it was lent dirty");
    let lease = pool.acquire().await.unwrap();
    assert_eq!((lease.id, lease.dirty, pool.stats().resets), (0, false, 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_reset_is_closed() {
    for step in [Step::Fails, Step::Never, Step::Panics] {
        let world = World::new();
        let pool = world.pool(lazy(1));
        let mut lease = pool.acquire().await.unwrap();
        lease.dirty = true;
        world.reset.set(step);
        drop(lease);
        assert_eq!(pool.acquire().await.unwrap().id, 1);
        assert_eq!((pool.stats().reset_failures, pool.stats().closed(CloseReason::ResetFailed)), (1, 1));
        assert_whole(&world, &pool).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_closed_and_replaced_for_who_waits() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let mut lease = pool.acquire().await.unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(|lease| lease.id) }
    });
    at_rest().await;
    // Even when closing it hangs, its place is free at once.
    world.close.set(Step::Never);
    lease.break_it();
    drop(lease);
    assert_eq!(waiter.await.unwrap().unwrap(), 1);
    assert_eq!((pool.stats().closed(CloseReason::Broken), pool.stats().closing), (1, 1));
    assert_whole(&world, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_borrower_has_the_connection_reset() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let borrower = tokio::spawn({
        let pool = pool.clone();
        async move {
            let _lease = pool.acquire().await.unwrap();
            panic!("the borrower panics, as it was told to");
        }
    });
    assert!(borrower.await.unwrap_err().is_panic());
    let lease = pool.acquire().await.unwrap();
    assert_eq!((lease.id, world.reset.calls()), (0, 1));
    drop(lease);
    assert_whole(&world, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_cannot_tell_the_state_costs_the_connection_only() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let lease = pool.acquire().await.unwrap();
    world.state_panics.store(true, Ordering::SeqCst);
    drop(lease);
    world.state_panics.store(false, Ordering::SeqCst);
    assert_eq!(pool.acquire().await.unwrap().id, 1);
    assert_whole(&world, &pool).await;
}

#[tokio::test(start_paused = true)]
async fn a_detached_connection_belongs_to_the_borrower() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let link = pool.acquire().await.unwrap().detach();
    assert_eq!((pool.stats().size, pool.stats().closed(CloseReason::Detached)), (0, 1));
    assert_eq!(pool.acquire().await.unwrap().id, 1);
    assert_eq!((link.id, world.close.calls(), world.alive()), (0, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_discarded_connection_is_closed() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    pool.acquire().await.unwrap().discard();
    at_rest().await;
    assert_eq!((pool.stats().size, world.close.calls(), world.alive()), (0, 1, 0));
    assert_whole(&world, &pool).await;
}

#[test]
fn a_lease_can_come_back_on_a_thread_without_a_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = World::new();
    let pool = runtime.block_on(async { world.pool(lazy(3)) });
    let leases = runtime.block_on(async {
        [pool.acquire().await.unwrap(), pool.acquire().await.unwrap(), pool.acquire().await.unwrap()]
    });
    thread::spawn(move || {
        let [clean, mut dirty, mut broken] = leases;
        dirty.dirty = true;
        broken.break_it();
        drop((clean, dirty, broken));
    })
    .join()
    .unwrap();
    // The dirty one is there again once it has been reset, the broken one is opened anew.
    runtime.block_on(async {
        let all = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
        assert!(!all.0.dirty && !all.1.dirty && !all.2.dirty);
    });
    assert_eq!(world.reset.calls(), 1);
}
