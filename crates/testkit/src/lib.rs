//! Private real servers, conformance suites and fakes for the tests of dbkeep.
//!
//! ```no_run
//! use dbkeep_testkit::{Kind, server};
//!
//! // A server shared by every test of the run; `None`, with a notice, where it is not installed and not required.
//! let Some(server) = server(Kind::Postgres) else { return };
//! let database = server.fresh_database();
//! database.sql("CREATE TABLE users (id int PRIMARY KEY)");
//! println!("connect to {}", database.url());
//! ```
//!
//! A test that kills its server asks for one of its own, [`private_server`]. Everything started here ends with the test's
//! process, however that ends.
//!
//! Environment, set by `scripts/test`: `DBKEEP_TEST_MARIADB_URL`, `DBKEEP_TEST_MYSQL_URL`, `DBKEEP_TEST_POSTGRES_URL` (servers
//! to share, as `scripts/servers start` prints them), `DBKEEP_REQUIRE` (a comma list of kinds whose absence fails the test),
//! `DBKEEP_NO_SERVERS` (skip what needs one), `DBKEEP_DATA` (the sample data), `DBKEEP_CACHE`.
//!
//! A failure in here is a failed test: functions panic with what went wrong rather than return errors.

mod client;
#[cfg(feature = "conformance")]
pub mod conformance;
mod data;
mod database;
mod guard;
mod kind;
mod process;
mod programs;
mod proxy;
mod server;
mod tools;

pub use client::{Client, ClientError};
pub use data::{data_dir, data_file};
pub use database::TestDatabase;
pub use kind::Kind;
pub use programs::{Restic, restic, sqlite3};
pub use proxy::Proxy;
pub use server::{Server, private_server, server};
