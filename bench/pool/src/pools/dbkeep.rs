//! dbkeep-pool.

use super::{Lend, Open, Trouble, Via};
use dbkeep_pool::{Config, Lease, Manage, Pool, State};

pub fn pool<O: Open>(opener: O, size: usize) -> Pool<Via<O>> {
    Pool::new(Via(opener), Config::new().max(size).min(size)).expect("settings that fit together")
}

impl<O: Open> Manage for Via<O> {
    type Connection = O::Line;
    type Error = Trouble;

    async fn open(&self) -> Result<O::Line, Trouble> {
        self.0.open().await
    }
    async fn check(&self, line: &mut O::Line) -> Result<(), Trouble> {
        self.0.ping(line).await
    }
    /// Nobody here begins a transaction or changes a setting, so what is not gone is clean.
    fn state(&self, line: &O::Line) -> State {
        if self.0.is_gone(line) { State::Broken } else { State::Clean }
    }
    async fn reset(&self, _: &mut O::Line) -> Result<(), Trouble> {
        Err("nothing here needs a reset".into())
    }
    async fn close(&self, _: O::Line) -> Result<(), Trouble> {
        Ok(())
    }
}

impl<O: Open> Lend for Pool<Via<O>> {
    type Held = Lease<Via<O>>;
    async fn lend(&self) -> Self::Held {
        self.acquire().await.expect("a connection")
    }
}
