//! HikariCP's spike: opening takes 150 ms, a query 2 ms, five connections are there, fifty callers come at once and as many as
//! fifty connections may be opened. Who answers with the five is done before the first new one is there.
//! <https://github.com/brettwooldridge/HikariCP/blob/dev/documents/Welcome-To-The-Jungle.md>

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const OPEN: Duration = Duration::from_millis(150);
const QUERY: Duration = Duration::from_millis(2);
const THERE: usize = 5;
const MOST: usize = 50;
const CALLERS: usize = 50;

#[derive(Clone, Default)]
struct Slow(Arc<AtomicUsize>);

impl Slow {
    async fn open(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(OPEN).await;
        0
    }
}

/// Runs it for every pool and gives name, connections opened for the spike, and how long until all were served.
pub async fn all() -> Vec<(&'static str, usize, Duration)> {
    let mut results = Vec::new();

    let slow = Slow::default();
    let config = dbkeep_pool::Config::new().max(MOST).min(THERE);
    let pool = dbkeep_pool::Pool::new(slow.clone(), config).expect("a pool");
    pool.warm_up(THERE).await.expect("connections");
    let took = spike(|| {
        let pool = pool.clone();
        async move { pool.acquire().await.expect("a connection") }
    });
    results.push(("dbkeep", took.await, slow));

    let slow = Slow::default();
    let pool = deadpool::managed::Pool::builder(slow.clone()).max_size(MOST).build().expect("a pool");
    let mut first: Vec<deadpool::managed::Object<Slow>> = Vec::new();
    for _ in 0..THERE {
        first.push(pool.get().await.expect("a connection"));
    }
    drop(first);
    let took = spike(|| {
        let pool = pool.clone();
        async move { pool.get().await.expect("a connection") }
    });
    results.push(("deadpool", took.await, slow));

    let slow = Slow::default();
    let pool =
        bb8::Pool::builder().max_size(MOST as u32).min_idle(THERE as u32).build(slow.clone()).await.expect("a pool");
    let took = spike(|| {
        let pool = pool.clone();
        async move { pool.get_owned().await.expect("a connection") }
    });
    results.push(("bb8", took.await, slow));

    // What was begun for the spike counts, also where it came too late.
    tokio::time::sleep(OPEN * 2).await;
    results.into_iter().map(|(name, took, slow)| (name, slow.0.load(Ordering::Relaxed) - THERE, took)).collect()
}

async fn spike<H: Send + 'static, F: Future<Output = H> + Send + 'static>(acquire: impl Fn() -> F) -> Duration {
    let began = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let acquire = acquire();
            tokio::spawn(async move {
                let held = acquire.await;
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

impl dbkeep_pool::Manage for Slow {
    type Connection = u64;
    type Error = std::io::Error;

    async fn open(&self) -> Result<u64, std::io::Error> {
        Ok(Self::open(self).await)
    }
    async fn check(&self, _: &mut u64) -> Result<(), std::io::Error> {
        Ok(())
    }
    fn state(&self, _: &u64) -> dbkeep_pool::State {
        dbkeep_pool::State::Clean
    }
    async fn reset(&self, _: &mut u64) -> Result<(), std::io::Error> {
        Ok(())
    }
    async fn close(&self, _: u64) -> Result<(), std::io::Error> {
        Ok(())
    }
}

impl deadpool::managed::Manager for Slow {
    type Type = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(self.open().await)
    }
    async fn recycle(
        &self,
        _: &mut u64,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<Infallible> {
        Ok(())
    }
}

impl bb8::ManageConnection for Slow {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(self.open().await)
    }
    async fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }
    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}
