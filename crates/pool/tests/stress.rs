//! Many tasks on real threads doing everything at once, and then nothing is missing.

// The seeds of a failed run stand in its output.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use common::*;
use dbkeep_pool::Config;

const STEPS: [Step; 6] = [Step::Ok, Step::Ok, Step::Ok, Step::Fails, Step::Panics, Step::Never];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn never_more_than_max_connections_for_64_tasks() {
    let world = World::new();
    let pool = world.pool(Config::new().max(8).min(0).max_connecting(8));
    let lent = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let (pool, lent) = (pool.clone(), Arc::clone(&lent));
            tokio::spawn(async move {
                for round in 0..200 {
                    let mut lease = pool.acquire().await.unwrap();
                    assert!(lent.fetch_add(1, Ordering::SeqCst) < 8);
                    lease.dirty = (task + round) % 50 == 0;
                    tokio::task::yield_now().await;
                    lent.fetch_sub(1, Ordering::SeqCst);
                    if (task + round) % 97 == 0 {
                        lease.discard();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    // A discarded connection gives up its place before it is gone, so only the lent ones can be counted exactly.
    assert_eq!(pool.stats().acquired, 64 * 200);
    assert_eq!((pool.stats().in_use, pool.stats().waiting, pool.stats().timeouts), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost() {
    let world = World::new();
    let pool = world.pool(lazy(1));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                for _ in 0..5000 {
                    drop(pool.acquire().await.unwrap());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((pool.stats().acquired, pool.stats().opened), (20_000, 1));
}

/// The output, unless it takes more polls than these; then the future is dropped.
async fn within_polls<F: Future>(mut polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        let polled = future.as_mut().poll(context).map(Some);
        if polled.is_pending() && polls > 0 && polls.is_multiple_of(2) {
            // Sometimes without a reason, so that the drop comes at any moment.
            context.waker().wake_by_ref();
        }
        polled
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_callers_do_the_pool_comes_back_to_full_size() {
    for seed in (0..6).chain([fastrand::u64(..1 << 40)]) {
        println!("seed {seed}");
        let world = World::new();
        let config = Config::new()
            .max(6)
            .min(2)
            .max_connecting(3)
            .validate_after(Duration::from_micros(200))
            .validate_timeout(millis(50))
            .connect_timeout(millis(50));
        let pool = world.pool(config);
        let tasks: Vec<_> = (0..48)
            .map(|task| {
                let (pool, world) = (pool.clone(), Arc::clone(&world));
                let mut chance = fastrand::Rng::with_seed(seed * 1000 + task);
                tokio::spawn(async move {
                    for _ in 0..150 {
                        let patience = Duration::from_micros(chance.u64(0..3000));
                        let step = STEPS[chance.usize(..STEPS.len())];
                        match chance.u8(..40) {
                            0 => world.check.set(step),
                            1 => world.reset.set(step),
                            2 => world.close.set(step),
                            3 => world.open.set(if chance.u8(..8) == 0 { step } else { Step::Ok }),
                            4 => pool.reset(),
                            5 => pool.resize(chance.usize(1..=6), chance.usize(..=1)).unwrap(),
                            6 => pool.suspend(),
                            7..=9 => pool.resume(),
                            10 => {
                                // It has no time limit of its own.
                                let warm_up = within_polls(chance.u32(..4), pool.warm_up(6));
                                drop(tokio::time::timeout(patience, warm_up).await);
                            }
                            _ => {}
                        }
                        let acquired = match chance.u8(..4) {
                            0 => pool.acquire_within(patience).await.ok(),
                            1 => tokio::time::timeout(patience, pool.acquire()).await.ok().and_then(Result::ok),
                            2 => pool.try_acquire().ok(),
                            _ => {
                                within_polls(chance.u32(..4), pool.acquire_within(patience)).await.and_then(Result::ok)
                            }
                        };
                        let Some(mut lease) = acquired else { continue };
                        assert!(!lease.dirty, "lent dirty");
                        match chance.u8(..12) {
                            0 => lease.dirty = true,
                            1 => lease.break_it(),
                            2 => lease.discard(),
                            3 => drop(lease.detach()),
                            4 => {
                                let panicked = catch_unwind(AssertUnwindSafe(move || {
                                    lease.dirty = true;
                                    std::panic::resume_unwind(Box::new("as it was told to"));
                                }));
                                assert!(panicked.is_err());
                            }
                            _ => tokio::task::yield_now().await,
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        for hook in [&world.open, &world.check, &world.reset, &world.close] {
            hook.set(Step::Ok);
        }
        pool.resume();
        pool.resize(6, 2).unwrap();
        let mut leases = Vec::new();
        for _ in 0..6 {
            // Opening may be in a pause after failures, which is not longer than this.
            let lease = loop {
                match pool.acquire().await {
                    Ok(lease) => break lease,
                    Err(error) => assert!(error.is_retryable(), "{}", error.details()),
                }
            };
            leases.push(lease);
        }
        let stats = pool.stats();
        assert_eq!((stats.in_use, stats.waiting, stats.opening, stats.in_care), (6, 0, 0, 0), "seed {seed}: {stats:?}");
        drop(leases);
        assert_eq!(pool.close().await, []);
        let stats = pool.stats();
        assert_eq!((stats.size, stats.closing, world.alive()), (0, 0, 0), "seed {seed}: {stats:?}");
        assert_eq!(stats.opened, stats.closed_total(), "seed {seed}: {stats:?}");
    }
}
