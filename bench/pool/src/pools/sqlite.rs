//! sqlx's pool, which takes no connection but those of sqlx: SQLite in memory is the nearest to one that costs nothing.
//!
//! Asking before it lends is off, as nothing could come of it here. It asks after each loan all the same, in a task of its
//! own, and the answer comes from the thread that the connection lives on: two changes of thread, which are in its figures.

use super::Lend;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Sqlite, SqlitePool};

pub async fn pool(size: usize) -> SqlitePool {
    let options = SqlitePoolOptions::new().max_connections(size as u32).test_before_acquire(false);
    options.connect("sqlite::memory:").await.expect("a pool")
}

impl Lend for SqlitePool {
    type Held = PoolConnection<Sqlite>;
    async fn lend(&self) -> Self::Held {
        self.acquire().await.expect("a connection")
    }
}
