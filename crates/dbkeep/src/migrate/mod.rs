//! Migrations: the schema of a database, as files that are applied in order, once, and can be undone.
//!
//! A migration is a file `2026_11_22_120000_create_users.sql`: the time it was written, which is its place in the order, and
//! what it does. Lines with a directive cut it into its parts:
//!
//! ```sql
//! -- migrate:up
//! CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
//!
//! -- migrate:down
//! DROP TABLE users;
//! ```
//!
//! The two parts may also be two files, `….up.sql` and `….down.sql`. A file for one engine or product only has its name
//! before the ending, as the server calls itself (`….sqlite.sql`), and goes before the file without. `-- migrate:no-transaction`
//! lets a part run outside of a transaction, for statements that cannot run in one.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use dbkeep::Database;
//! use dbkeep::migrate::{Migrator, Rollback, Up};
//!
//! let db = Database::connect("sqlite::memory:").await?;
//! let mut connection = db.acquire().await?;
//!
//! // Usually Migrator::from_directory("migrations").
//! let migrator = Migrator::embedded([(
//!     "2026_11_22_120000_create_users.sql",
//!     "-- migrate:up\nCREATE TABLE users (id INTEGER PRIMARY KEY);\n-- migrate:down\nDROP TABLE users;\n",
//! )]);
//!
//! let report = migrator.up(&mut connection, &Up::default()).await?;
//! assert_eq!(report.batch, Some(1));
//! assert_eq!(report.migrations[0].migration, "2026_11_22_120000_create_users");
//!
//! // Nothing is applied twice.
//! assert!(migrator.up(&mut connection, &Up::default()).await?.migrations.is_empty());
//! assert!(migrator.status(&mut connection).await?.iter().all(|status| status.applied));
//!
//! migrator.rollback(&mut connection, &Rollback::steps(1)).await?;
//! assert!(!migrator.status(&mut connection).await?[0].applied);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What can be relied on
//!
//! - **One run at a time.** A lock of the database is held around all of it; who waits too long is told who holds it.
//! - **All or nothing, where the engine can.** A migration and its row in the ledger are one transaction where schema changes
//!   can be rolled back. Elsewhere each statement is recorded as it takes effect, and a migration that failed in the middle
//!   goes on at the statement that failed, once its file is corrected: never from the start, never with a part left out.
//! - **No silent drift.** A file that was changed after it was applied, one that is gone, and one that is older than what was
//!   applied are named and refused unless they are allowed.
//! - **Nothing half-checked.** Every file of a run is read, cut into statements and judged before the first statement runs.

mod apply;
mod checksum;
mod error;
pub(crate) mod file;
mod ledger;
mod location;
pub(crate) mod lock;
mod migrator;
mod name;
mod plan;
mod progress;
pub(crate) mod source;
mod status;
mod template;

pub use error::{Error, ErrorKind, Result};
pub use location::Location;
pub use migrator::{Migrator, Plan, Planned, PlannedStatement, Ran, Report};
pub use name::Name;
pub use plan::{Allow, InDoubt, Rollback, Scope, Up};
pub use progress::{MigrationStarted, Progress, StatementFinished};
pub use source::Migration;
pub use status::{Drift, Halfway, Status};
pub use template::create;
