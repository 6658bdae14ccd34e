//! Connections to MySQL, MariaDB, PostgreSQL and SQLite behind one contract.
//!
//! [`connect`] opens a [`Connection`] from [`ConnectOptions`]; everything that is a fact about one engine stands in that
//! engine's folder, everything else is written once, here.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use dbkeep_engine::{ConnectOptions, connect};
//! use dbkeep_sql::params;
//!
//! let mut connection = connect(&"sqlite::memory:".parse::<ConnectOptions>()?).await?;
//! connection.script("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)").await?;
//!
//! let mut transaction = connection.transaction().await?;
//! transaction.execute("INSERT INTO users (name) VALUES (?)", &params!["Ada"]).await?;
//! transaction.commit().await?;
//!
//! let row = connection.query_one("SELECT id, name FROM users", &[]).await?;
//! assert_eq!(row.get::<String>("name")?, "Ada");
//! # Ok::<(), dbkeep_engine::Error>(())
//! # }).unwrap();
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod beginnings;
mod blueprint;
mod bulk_insert;
mod catalog;
mod connect;
mod connection;
mod connection_url;
mod decode;
mod driver;
mod ending;
mod engine;
mod error;
mod observer;
mod options;
mod probe;
mod row;
mod schema;
mod scheme;
mod secret;
mod server;
mod snapshot;
mod standing;
mod step;
mod stream;
mod transaction;
mod watch;

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod tls;

pub use blueprint::TableBlueprint;
pub use bulk_insert::BulkTarget;
pub use catalog::{
    Catalog, CatalogOptions, CheckConstraint, ColumnInfo, ForeignKey, Generated, Index, IndexColumn, Routine,
    RoutineKind, Sequence, Table, TableKind, Trigger, View,
};
pub use connect::{connect, connect_in_steps, connect_once};
pub use connection::{Condition, Connection};
pub use dbkeep_sql as sql;
pub use driver::{Driver, Executed};
pub use engine::{Engine, Location};
pub use error::{Error, ErrorKind, Result};
pub use observer::{Observer, Outcome, Statement};
pub use options::{ConnectOptions, SessionOptions, TlsMode};
pub use probe::{Measurement, Unit};
pub use row::{Column, ColumnIndex, Row};
pub use schema::{Guard, SchemaEditor};
pub use scheme::{dialects, engine_for, engines, schemes};
pub use secret::Secret;
pub use server::{Capabilities, Role, ServerInfo, TransactionState, Version};
pub use snapshot::{
    ByteSink, ByteSource, Digesting, Position, Restore, RestoreOptions, Snapshot, SnapshotInfo, SnapshotOptions,
    StreamKind, StreamSpec,
};
pub use step::Step;
pub use stream::{RowStream, Streamed};
pub use transaction::{Isolation, Transaction, TransactionOptions};
