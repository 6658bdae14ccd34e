//! A pool that finds its size by itself, before servers of different strength.
#![allow(clippy::unwrap_used)]

mod common;

use common::World;
use dbkeep_pool::{CloseReason, Config, Observer, Pool, Room, Verdict};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Sizes(Mutex<Vec<(usize, usize)>>);

impl Observer for Sizes {
    fn resized(&self, before: usize, now: usize) {
        self.0.lock().unwrap().push((before, now));
    }
}

fn pool(world: &Arc<World>, sizes: &Arc<Sizes>, config: Config) -> Pool<common::Fake> {
    Pool::builder(common::Fake(Arc::clone(world))).config(config).observer(Arc::clone(sizes) as _).build().unwrap()
}

/// Callers who ask again as soon as they were served, of a server that serves so many at once.
async fn load(pool: &Pool<common::Fake>, callers: usize, cores: usize, time: Duration) {
    let busy = Arc::new(AtomicUsize::new(0));
    let end = tokio::time::Instant::now() + time;
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (pool, busy) = (pool.clone(), Arc::clone(&busy));
            tokio::spawn(async move {
                while tokio::time::Instant::now() < end {
                    let lease = pool.acquire().await.unwrap();
                    let served = busy.fetch_add(1, Ordering::SeqCst) + 1;
                    let slower = (served as f64 / cores as f64).max(1.0);
                    tokio::time::sleep(Duration::from_millis(20).mul_f64(slower)).await;
                    busy.fetch_sub(1, Ordering::SeqCst);
                    drop(lease);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_before_a_strong_server_grows_until_nobody_waits() {
    let (world, sizes) = (World::new(), Arc::new(Sizes::default()));
    let pool = pool(&world, &sizes, Config::new().max(60).auto_size(true));
    assert_eq!(pool.stats().max, 10);
    load(&pool, 40, 1000, Duration::from_secs(60)).await;
    let stats = pool.stats();
    assert!((40..=50).contains(&stats.max), "{stats:?}");
    assert!(world.peak() >= 40 && world.peak() <= stats.max, "{}", world.peak());
    let told = sizes.0.lock().unwrap().clone();
    assert_eq!(told[0], (10, 12));
    assert!(told.windows(2).all(|pair| pair[0].1 == pair[1].0), "{told:?}");
    assert_eq!(told.last().unwrap().1, stats.max);
}

#[tokio::test(start_paused = true)]
async fn a_pool_before_a_busy_server_goes_back_to_where_more_was_of_no_use() {
    let (world, sizes) = (World::new(), Arc::new(Sizes::default()));
    let pool = pool(&world, &sizes, Config::new().max(60).auto_size(true));
    load(&pool, 40, 4, Duration::from_secs(25)).await;
    let stats = pool.stats();
    assert_eq!(stats.max, 10, "{:?}", sizes.0.lock().unwrap());
    assert!(stats.closed(CloseReason::Resized) > 0, "{stats:?}");
    assert_eq!(stats.size, 10);
}

#[tokio::test(start_paused = true)]
async fn a_size_found_under_load_is_given_up_when_the_load_is_gone() {
    let (world, sizes) = (World::new(), Arc::new(Sizes::default()));
    let pool = pool(&world, &sizes, Config::new().max(60).auto_size(true));
    load(&pool, 40, 1000, Duration::from_secs(60)).await;
    let high = pool.stats().max;
    load(&pool, 2, 1000, Duration::from_secs(600)).await;
    let low = pool.stats().max;
    assert!(low < high && low >= high - 20, "one in half a minute: {high} to {low}");
}

#[tokio::test(start_paused = true)]
async fn another_most_is_kept_to_at_once() {
    let (world, sizes) = (World::new(), Arc::new(Sizes::default()));
    let pool = pool(&world, &sizes, Config::new().max(60).auto_size(true));
    load(&pool, 40, 1000, Duration::from_secs(60)).await;
    pool.reconfigure(Config::new().max(20).auto_size(true)).unwrap();
    assert_eq!(pool.stats().max, 20);
    pool.reconfigure(Config::new().max(7)).unwrap();
    assert_eq!(pool.stats().max, 7);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(pool.stats().size, 7);
}

#[tokio::test(start_paused = true)]
async fn advice_is_reckoned_from_what_was_asked_since() {
    let (world, sizes) = (World::new(), Arc::new(Sizes::default()));
    let pool = pool(&world, &sizes, Config::new().max(10));
    load(&pool, 1, 1000, Duration::from_secs(600)).await;
    let before = pool.sample();
    assert_eq!(pool.advise(&before, None).verdict, Verdict::TooLittle);
    load(&pool, 40, 1000, Duration::from_secs(60)).await;
    let advice = pool.advise(&before, None);
    assert_eq!((advice.verdict, advice.now), (Verdict::Raise, 10), "{advice}");
    // Ten are busy all the time, as many as there are.
    assert!((advice.demand.busy - 10.0).abs() < 0.2, "{advice}");
    assert_eq!(advice.max, 17, "{advice}");
    assert!(advice.demand.use_p95 >= Duration::from_millis(20), "{advice}");
    assert!(advice.demand.wait_mean > Duration::from_millis(50), "{advice}");
    let full = pool.advise(&before, Some(Room { limit: 20, others: 8 }));
    assert_eq!((full.verdict, full.max), (Verdict::ServerFull, 10), "{full}");
}
