//! Seeds: rows that an application needs, as files that can be run any number of times.
//!
//! A seed names a table, the columns that tell its rows apart, and the rows. It is YAML (or JSON) such as `010_users.yml`:
//!
//! ```yaml
//! table: users            # default: the file's name without its number
//! key: [email]            # default: the primary key
//! mode: upsert            # or insert-missing: rows that are there are left alone
//! rows:
//!   - email: ada@example.org
//!     name: Ada
//!     password: {argon2: "correct horse"}
//!     created_at: {now: true}
//!   - email: bob@example.org
//!     name: Bob
//!     password: {argon2: {env: BOB_PASSWORD}}
//!     mentor_id: {ref: {table: users, key: {email: ada@example.org}}}
//! ```
//!
//! or CSV, `020_courses.csv`, with `\N` for NULL and comments before the header:
//!
//! ```csv
//! # key: code
//! # ref: teacher_id = users.email
//! code,title,fee,teacher_id
//! R1,Robotics,129.90,ada@example.org
//! ```
//!
//! or a script in SQL, which is run as it is and must see for itself that it can be run again. A word for an engine before
//! the ending (`030_more.sqlite.sql`) keeps a file to that engine.
//!
//! | value | stands for |
//! | --- | --- |
//! | `{argon2: text}` | the Argon2 hash of a password; a stored hash that is the password's is left alone |
//! | `{now: true}` | the time of the run, in rows that are new |
//! | `{days_ago: 7}` | the day a week before the run (in UTC), in every run anew |
//! | `{env: NAME}` | a variable that the caller gives |
//! | `{ref: {table: …, key: {…}, column: …}}` | a column of another row; without `column`, the one a foreign key points to |
//! | `{json: …}` | a JSON document for a column of text; one of JSON takes maps and lists as they are |
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use dbkeep::Database;
//! use dbkeep::seed::{Run, Seeds};
//!
//! let db = Database::connect("sqlite::memory:").await?;
//! db.script("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT)").await?;
//! let mut connection = db.acquire().await?;
//!
//! // Usually Seeds::from_directory("seeds").
//! let seeds = Seeds::embedded([("010_users.yml", "key: [email]\nrows:\n  - {email: ada@example.org, name: Ada}\n")]);
//!
//! let first = seeds.run(&mut connection, &Run::default()).await?;
//! assert_eq!(first.seeders[0].inserted, Some(1));
//! let second = seeds.run(&mut connection, &Run::default()).await?;
//! assert_eq!(second.seeders[0].unchanged, Some(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What can be relied on
//!
//! - **Run again, nothing changes.** Rows are found by their key and compared by what their values mean; only columns that
//!   differ are written.
//! - **All or nothing.** A run is one transaction, under a lock; a row that is refused is named with file, row and column.
//! - **Order.** Seeds run in the order of their names, but after the seeds of the tables that the columns they fill point to.
//!   A circle is named.
//! - **As written.** What a value is, its column decides: `129.90` stays exact, `no` stays a text, `007` keeps its zeros.

mod cell;
mod csv;
mod error;
mod facts;
mod fill;
mod kind;
mod lookup;
mod mode;
mod node;
mod order;
mod password;
mod progress;
mod quotes;
mod seeder;
mod seeds;
mod sql;
mod wanted;

pub use error::{Error, ErrorKind, Result};
pub use mode::Mode;
pub use progress::Progress;
pub use seeds::{Report, Run, SeedInfo, SeedReport, Seeds};

/// A statement that cannot be built: a name that is none, say.
fn unbuildable(doing: &str, error: dbkeep_sql::CompileError) -> Error {
    Error::new(ErrorKind::Table, format!("could not {doing}")).with_hint(error.hint()).with_source(error)
}
