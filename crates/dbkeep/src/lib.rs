//! An application's database: connections, pool, query builder, migrations and seeds.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use dbkeep::{Database, col, params, values};
//!
//! let db = Database::connect("sqlite::memory:").await?;
//! db.script("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER)").await?;
//!
//! db.table("users").insert(values! { "name" => "Ada", "age" => 36 }).await?;
//! db.query("UPDATE users SET age = age + ? WHERE name = ?", params![1, "Ada"]).await?;
//!
//! let adults: Vec<(String, i64)> =
//!     db.table("users").select(["name", "age"]).filter(col("age").ge(18)).order_by("name").get_as().await?;
//! assert_eq!(adults, [("Ada".to_owned(), 37)]);
//!
//! db.close().await;
//! # Ok::<(), dbkeep::Error>(())
//! # }).unwrap();
//! ```

mod bulk;
mod database;
mod databases;
mod error;
mod fingerprint;
mod health;
mod manage;
pub mod migrate;
mod pools;
mod schema;
pub mod seed;
mod settings;
mod statistics;
mod table;
mod transaction;

pub use database::{Database, Lease, Rows};
pub use databases::Databases;
pub use error::{Error, Result};
pub use fingerprint::fingerprint;
pub use health::Health;
pub use manage::Opener;
pub use pools::PoolStats;
pub use schema::DatabaseSchema;
pub use settings::{PoolSettings, Settings};
pub use statistics::{Statistics, Totals};
pub use table::{Chunks, ConnectionExt, KeysetPage, Page, TableQuery, TableRows};
pub use transaction::TransactionBody;

pub use dbkeep_engine as engine;
pub use dbkeep_engine::{
    ConnectOptions, Connection, ErrorKind, Executed, Isolation, Observer, Role, Row, RowStream, Secret, ServerInfo,
    TlsMode, Transaction, TransactionOptions, Version,
};
pub use dbkeep_pool as pool;
pub use dbkeep_sql as sql;
pub use dbkeep_sql::{Date, DateTime, Decimal, Ident, Time, Value, col, columns, params, values};
