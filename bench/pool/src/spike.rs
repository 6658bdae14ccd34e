//! HikariCP's spike: opening takes 150 ms, a query 2 ms, five connections are there, fifty callers come at once and as many as
//! fifty connections may be opened. Who answers with the five is done before the first new one is there.
//! <https://github.com/brettwooldridge/HikariCP/blob/dev/documents/Welcome-To-The-Jungle.md>

use crate::pools::{Lend, Open, Trouble, Via};
use bench_measure::{Report, Wanted, runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const CASE: &str = "spike";
const OPEN: Duration = Duration::from_millis(150);
const QUERY: Duration = Duration::from_millis(2);
const THERE: usize = 5;
const MOST: usize = 50;
const CALLERS: usize = 50;

pub fn run(wanted: &Wanted, report: &Report) {
    let pools = ["dbkeep", "deadpool", "bb8"].into_iter().filter(|name| wanted.subject(name));
    let pools: Vec<&str> = pools.filter(|_| wanted.case(CASE)).collect();
    if pools.is_empty() {
        return;
    }
    if !report.json {
        println!("\nspike: 50 callers at once, 5 connections there, 50 allowed; opening takes 150 ms, a query 2 ms");
    }
    report.head(&["opened", "ms to all"]);
    for name in pools {
        let slow = Slow::default();
        let took = runtime().block_on(async {
            let took = match name {
                "dbkeep" => ours(slow.clone()).await,
                "deadpool" => deadpool(slow.clone()).await,
                _ => bb8(slow.clone()).await,
            };
            // What was begun for the spike counts, also where it came too late.
            tokio::time::sleep(OPEN * 2).await;
            took
        });
        let opened = slow.0.load(Ordering::Relaxed) - THERE;
        report.row(CASE, name, &[(opened as f64, "connections", 1), (took.as_secs_f64() * 1e3, "ms", 1)]);
    }
}

/// Connections that take their time to open, and how many were begun.
#[derive(Clone, Default)]
struct Slow(Arc<AtomicUsize>);

impl Open for Slow {
    type Line = u64;

    async fn open(&self) -> Result<u64, Trouble> {
        self.0.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(OPEN).await;
        Ok(0)
    }
    async fn ping(&self, _: &mut u64) -> Result<(), Trouble> {
        Ok(())
    }
    fn is_gone(&self, _: &u64) -> bool {
        false
    }
}

async fn ours(slow: Slow) -> Duration {
    let config = dbkeep_pool::Config::new().max(MOST).min(THERE);
    let pool = dbkeep_pool::Pool::new(Via(slow), config).expect("a pool");
    pool.warm_up(THERE).await.expect("connections");
    spike(&pool).await
}

async fn deadpool(slow: Slow) -> Duration {
    let pool = crate::pools::deadpool::pool(slow, MOST);
    let mut first = Vec::new();
    for _ in 0..THERE {
        first.push(pool.lend().await);
    }
    drop(first);
    spike(&pool).await
}

async fn bb8(slow: Slow) -> Duration {
    let pool = bb8::Pool::builder().max_size(MOST as u32).min_idle(THERE as u32).build(Via(slow));
    spike(&pool.await.expect("a pool")).await
}

async fn spike<P: Lend>(pool: &P) -> Duration {
    let began = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let held = pool.lend().await;
                tokio::time::sleep(QUERY).await;
                drop(held);
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("a caller that is served");
    }
    began.elapsed()
}
