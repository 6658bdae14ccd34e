//! A first look at a database's health, for an application's own endpoint.

use crate::{Database, PoolStats, Result};
use dbkeep_engine::{Role, ServerInfo};
use std::time::{Duration, Instant};

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Which server answered.
    pub server: ServerInfo,
    /// Whether it takes writes.
    pub role: Role,
    /// How long one round trip took.
    pub latency: Duration,
    /// Connections lent and open, and how many there may be.
    pub pool: PoolStats,
}

impl Database {
    /// Takes a connection, asks the server for a sign of life and for its role. On a SQLite file, where a writer may be at work
    /// for long, one that reads is asked.
    ///
    /// # Errors
    /// When no connection can be had or the server does not answer; either means that the database is not healthy.
    pub async fn health(&self) -> Result<Health> {
        let mut lease = self.acquire_read().await?;
        let since = Instant::now();
        lease.ping().await?;
        let latency = since.elapsed();
        let role = match self.readers() {
            // A reader knows of itself alone; there is one because the first connection could write.
            Some(_) => Role::Primary,
            None => lease.role().await?,
        };
        Ok(Health { server: lease.server().clone(), role, latency, pool: self.pool_stats() })
    }
}
