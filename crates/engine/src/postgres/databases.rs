//! Creating and dropping whole databases, from the maintenance database `postgres`.

use super::connection::PostgresConnection;
use super::session::quoted;
use crate::{ConnectOptions, Driver, Error, ErrorKind, Result, Version};
use dbkeep_sql::Value;

/// Databases that are not to be created or dropped in passing.
const RESERVED: [&str; 3] = ["postgres", "template0", "template1"];

/// Tried rather than asked for: not everyone who may use a database may use the maintenance database too.
pub(super) async fn exists(options: &ConnectOptions) -> Result<bool> {
    match PostgresConnection::open(options).await {
        Ok(connection) => Box::new(connection).close().await.map(|()| true),
        Err(error) if error.kind() == ErrorKind::UnknownDatabase => Ok(false),
        Err(error) => Err(error),
    }
}

async fn is_there(connection: &mut PostgresConnection, name: &str) -> Result<bool> {
    let rows =
        connection.query("SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1", &[Value::from(name)]).await?;
    Ok(!rows.is_empty())
}

/// Creates the database; `with` says for a server's version what follows the name in CREATE DATABASE.
pub(super) async fn create(options: &ConnectOptions, with: impl FnOnce(&Version) -> String) -> Result<()> {
    let name = named(options)?;
    let mut connection = maintenance(options).await?;
    if is_there(&mut connection, name).await? {
        return Err(Error::new(ErrorKind::AlreadyExists, format!("the database {name} exists already")));
    }
    let with = with(&connection.server().version);
    connection.execute_plain(&format!("CREATE DATABASE {}{with}", quoted(name))).await?;
    Box::new(connection).close().await
}

pub(super) async fn drop(options: &ConnectOptions) -> Result<()> {
    let name = named(options)?;
    let mut connection = maintenance(options).await?;
    if is_there(&mut connection, name).await? {
        // Without FORCE a forgotten session anywhere would keep the database.
        let force = if connection.server().version.major >= 13 { " WITH (FORCE)" } else { "" };
        connection.execute_plain(&format!("DROP DATABASE IF EXISTS {}{force}", quoted(name))).await?;
    }
    Box::new(connection).close().await
}

fn named(options: &ConnectOptions) -> Result<&str> {
    match options.database.as_str() {
        "" => {
            Err(Error::new(ErrorKind::Options, "no database is named").with_hint("as in postgres://user@host/database"))
        }
        name if RESERVED.contains(&name) => {
            Err(Error::new(ErrorKind::Options, format!("{name} is the server's own database"))
                .with_hint("name another"))
        }
        name => Ok(name),
    }
}

/// A connection to a database that is there in any case.
async fn maintenance(options: &ConnectOptions) -> Result<PostgresConnection> {
    let mut to = options.with_database("postgres");
    to.read_only = false;
    match PostgresConnection::open(&to).await {
        Err(error) if error.kind() == ErrorKind::UnknownDatabase => {
            PostgresConnection::open(&to.with_database("template1")).await
        }
        outcome => outcome,
    }
}
