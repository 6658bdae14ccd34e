//! PostgreSQL, through tokio-postgres.

mod cache;
mod catalog;
mod connection;
mod databases;
pub(crate) mod dialect;
mod errors;
mod link;
mod probe;
mod script;
mod session;
mod socket;
mod types;
mod verb;
mod watch;

use crate::{
    ConnectOptions, Driver, Engine, Error, ErrorKind, Location, Restore, RestoreOptions, Result, Snapshot,
    SnapshotOptions,
};
use async_trait::async_trait;
use connection::PostgresConnection;

/// PostgreSQL 12 and later.
#[derive(Debug)]
pub(crate) struct Postgres;

#[async_trait]
impl Engine for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["postgres", "postgresql", "pgsql"]
    }

    fn dialect(&self) -> std::sync::Arc<dyn dbkeep_sql::Dialect> {
        std::sync::Arc::new(dialect::PostgresDialect::new((15, 0, 0)))
    }

    fn location(&self) -> Location {
        Location::Server { default_port: socket::DEFAULT_PORT }
    }

    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn Driver>> {
        Ok(Box::new(PostgresConnection::open(options).await?))
    }

    async fn database_exists(&self, options: &ConnectOptions) -> Result<bool> {
        databases::exists(options).await
    }

    async fn create_database(&self, options: &ConnectOptions) -> Result<()> {
        databases::create(options, "").await
    }

    async fn drop_database(&self, options: &ConnectOptions) -> Result<()> {
        databases::drop(options).await
    }

    async fn snapshot(&self, _options: &ConnectOptions, _snapshot: &SnapshotOptions) -> Result<Box<dyn Snapshot>> {
        Err(Error::new(ErrorKind::Unsupported, "snapshots"))
    }

    async fn restore(&self, _options: &ConnectOptions, _restore: &RestoreOptions) -> Result<Box<dyn Restore>> {
        Err(Error::new(ErrorKind::Unsupported, "restores"))
    }
}
