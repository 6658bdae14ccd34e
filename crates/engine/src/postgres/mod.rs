//! PostgreSQL, through tokio-postgres.

mod blueprint;
mod bulk;
mod bulk_insert;
mod cache;
mod catalog;
mod connection;
mod copy;
mod databases;
mod ddl;
pub(crate) mod dialect;
mod dump;
mod errors;
mod impact;
mod link;
mod probe;
mod script;
mod session;
mod snapshot;
mod socket;
mod types;
mod verb;
mod watch;

use crate::{ConnectOptions, Driver, Engine, Location, Restore, RestoreOptions, Result, Snapshot, SnapshotOptions};
use async_trait::async_trait;
use bulk::PostgresRestore;
use connection::PostgresConnection;
use snapshot::PostgresSnapshot;

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
        databases::create(options, |_| String::new()).await
    }

    async fn drop_database(&self, options: &ConnectOptions) -> Result<()> {
        databases::drop(options).await
    }

    async fn snapshot(&self, options: &ConnectOptions, snapshot: &SnapshotOptions) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(PostgresSnapshot::open(options, snapshot).await?))
    }

    async fn restore(&self, options: &ConnectOptions, restore: &RestoreOptions) -> Result<Box<dyn Restore>> {
        Ok(Box::new(PostgresRestore::open(options, restore).await?))
    }
}
