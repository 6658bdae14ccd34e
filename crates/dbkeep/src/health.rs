//! A first look at a database's health, for an application's own endpoint.

use crate::{Database, Result};
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
    pub pool: dbkeep_pool::Stats,
}

impl Database {
    /// Takes a connection, asks the server for a sign of life and for its role.
    ///
    /// # Errors
    /// When no connection can be had or the server does not answer; either means that the database is not healthy.
    pub async fn health(&self) -> Result<Health> {
        let mut lease = self.acquire().await?;
        let since = Instant::now();
        lease.ping().await?;
        let latency = since.elapsed();
        let role = lease.role().await?;
        Ok(Health { server: lease.server().clone(), role, latency, pool: self.pool().stats() })
    }
}
