//! The examples of the guides to queries and to the schema, compiled and run: `cargo test -p dbkeep-guide --doc`.
//!
//! Each runs on a SQLite database of its own in memory, which holds the tables and rows that `docs/queries.md` shows.

#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/queries.md"))]
mod queries {}

#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/schema.md"))]
mod schema {}

use dbkeep::{Database, Result};

/// What the guides say at their beginning that their examples use.
pub mod imports {
    pub use dbkeep::sql::*;
    pub use dbkeep::{ConnectionExt, Database, Error, ErrorKind, Row};
    pub use serde::Deserialize;
}

const TABLES: &str = "
CREATE TABLE users (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, age INTEGER, city TEXT, settings JSON TEXT,
  joined_at DATETIME NOT NULL
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id), state TEXT NOT NULL, total INTEGER NOT NULL,
  placed_on DATE NOT NULL
);
CREATE TABLE visits (page TEXT PRIMARY KEY, hits INTEGER NOT NULL);
INSERT INTO users VALUES
  (1, 'Ada', 'ada@club.example', 36, 'London', '{\"theme\":\"dark\",\"tags\":[\"math\",\"poetry\"]}', '2026-01-05 09:00:00'),
  (2, 'Grace', 'grace@club.example', 45, 'New York', '{\"theme\":\"light\",\"tags\":[]}', '2026-01-31 10:30:00'),
  (3, 'Linus', 'linus@club.example', 17, 'Helsinki', NULL, '2026-02-14 18:00:00'),
  (4, 'Mae', 'mae@club.example', NULL, NULL, NULL, '2026-03-01 08:15:00');
INSERT INTO orders VALUES
  (1, 1, 'paid', 120, '2026-01-10'), (2, 1, 'open', 80, '2026-02-11'), (3, 2, 'paid', 20, '2026-02-12'),
  (4, 3, 'cancelled', 5, '2026-03-01');
INSERT INTO visits VALUES ('/', 7);
";

/// Runs an example on a new database.
///
/// # Panics
/// When the example fails, which is what a test is for.
pub fn run(example: impl AsyncFnOnce(&Database) -> Result<()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime for the example");
    let outcome: Result<()> = runtime.block_on(async {
        let db = Database::connect("sqlite::memory:").await?;
        db.script(TABLES).await?;
        example(&db).await?;
        db.close().await;
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("the example failed: {error}; {}", error.hint().unwrap_or_default());
    }
}
