//! The pools, each with a manager that opens nothing.

use crate::{Runner, SIZE, runner};
use std::convert::Infallible;
use std::future::Future;

/// A pool under test.
pub trait Subject: Clone + Send + Sync + 'static {
    type Held: Send;
    fn acquire(&self) -> impl Future<Output = Self::Held> + Send;
}

pub fn all() -> Vec<(&'static str, Runner)> {
    vec![("dbkeep", runner(|| async { ours() })), ("deadpool", runner(|| async { deadpool() })), ("bb8", runner(bb8))]
}

pub struct Nothing;

// ---- dbkeep-pool -----------------------------------------------------------------------------------------------------

impl dbkeep_pool::Manage for Nothing {
    type Connection = u64;
    type Error = std::io::Error;

    async fn open(&self) -> Result<u64, std::io::Error> {
        Ok(0)
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

impl Subject for dbkeep_pool::Pool<Nothing> {
    type Held = dbkeep_pool::Lease<Nothing>;
    async fn acquire(&self) -> Self::Held {
        Self::acquire(self).await.expect("a connection")
    }
}

fn ours() -> dbkeep_pool::Pool<Nothing> {
    dbkeep_pool::Pool::new(Nothing, dbkeep_pool::Config::new().max(SIZE).min(SIZE)).expect("a pool")
}

// ---- deadpool --------------------------------------------------------------------------------------------------------

impl deadpool::managed::Manager for Nothing {
    type Type = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(0)
    }
    async fn recycle(
        &self,
        _: &mut u64,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<Infallible> {
        Ok(())
    }
}

impl Subject for deadpool::managed::Pool<Nothing> {
    type Held = deadpool::managed::Object<Nothing>;
    async fn acquire(&self) -> Self::Held {
        self.get().await.expect("a connection")
    }
}

fn deadpool() -> deadpool::managed::Pool<Nothing> {
    deadpool::managed::Pool::builder(Nothing).max_size(SIZE).build().expect("a pool")
}

// ---- bb8 -------------------------------------------------------------------------------------------------------------

impl bb8::ManageConnection for Nothing {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(0)
    }
    async fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }
    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}

impl Subject for bb8::Pool<Nothing> {
    type Held = bb8::PooledConnection<'static, Nothing>;
    async fn acquire(&self) -> Self::Held {
        self.get_owned().await.expect("a connection")
    }
}

async fn bb8() -> bb8::Pool<Nothing> {
    bb8::Pool::builder().max_size(SIZE as u32).build(Nothing).await.expect("a pool")
}
