//! MySQL, with MariaDB as a flavor of it, over mysql_async.

mod altering;
mod beside;
mod blueprint;
mod bulk;
mod bulk_insert;
mod catalog;
mod connection;
mod ddl;
pub(crate) mod dialect;
mod errors;
mod grouping;
mod impact;
mod link;
mod locks;
mod login;
mod probe;
mod role;
mod session;
mod snapshot;
mod statement;
#[cfg(unix)]
mod tunnel;
mod types;

use crate::{
    ConnectOptions, Driver, Engine, Error, ErrorKind, Location, Restore, RestoreOptions, Result, Snapshot,
    SnapshotOptions,
};
use async_trait::async_trait;
use connection::MySqlConnection;

/// The MySQL engine; which of the two products a server is shows at the handshake.
#[derive(Debug)]
pub(crate) struct MySql;

#[async_trait]
impl Engine for MySql {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["mysql", "mariadb"]
    }

    fn dialect(&self) -> std::sync::Arc<dyn dbkeep_sql::Dialect> {
        std::sync::Arc::new(dialect::MySqlDialect::new(dialect::Flavor::MySql, (8, 0, 0)))
    }

    fn location(&self) -> Location {
        Location::Server { default_port: 3306 }
    }

    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn Driver>> {
        Ok(Box::new(MySqlConnection::open(options).await?))
    }

    async fn database_exists(&self, options: &ConnectOptions) -> Result<bool> {
        named(options)?;
        // By entering it: an account need not have the right to see the list.
        match MySqlConnection::open(options).await {
            Ok(connection) => Box::new(connection).close().await.map(|()| true),
            Err(error) if error.kind() == ErrorKind::UnknownDatabase => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn create_database(&self, options: &ConnectOptions) -> Result<()> {
        let name = named(options)?;
        let charset = options.session.charset.as_deref().unwrap_or("utf8mb4");
        let mut sql = format!("CREATE DATABASE {name} CHARACTER SET {charset}");
        if let Some(collation) = &options.session.collation {
            sql.push_str(&format!(" COLLATE {collation}"));
        }
        administer(options, &sql).await
    }

    async fn drop_database(&self, options: &ConnectOptions) -> Result<()> {
        let name = named(options)?;
        administer(options, &format!("DROP DATABASE IF EXISTS {name}")).await
    }

    async fn snapshot(&self, options: &ConnectOptions, snapshot: &SnapshotOptions) -> Result<Box<dyn Snapshot>> {
        named(options)?;
        Ok(Box::new(snapshot::open(options, snapshot).await?))
    }

    async fn restore(&self, options: &ConnectOptions, restore: &RestoreOptions) -> Result<Box<dyn Restore>> {
        Ok(Box::new(bulk::open(options, restore).await?))
    }
}

/// The database's name in quotes.
fn named(options: &ConnectOptions) -> Result<String> {
    if options.database.is_empty() {
        return Err(
            Error::new(ErrorKind::Options, "no database is named").with_hint("as in mysql://user@host/database")
        );
    }
    Ok(quoted(&options.database))
}

/// A name in backticks.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Runs a statement outside of any database. The settings were checked when the session was set up.
async fn administer(options: &ConnectOptions, sql: &str) -> Result<()> {
    let mut options = options.with_database("");
    options.read_only = false;
    let mut connection = MySqlConnection::open(&options).await?;
    connection.script(sql).await?;
    Box::new(connection).close().await
}
