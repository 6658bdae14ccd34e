//! Checks of a database's health: measured through a connection, judged against thresholds by pure code.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use dbkeep::Settings;
//! use dbkeep_monitor::{Status, Thresholds, check};
//!
//! let settings = Settings::from_url("sqlite::memory:")?;
//! let health = check(&settings, &Thresholds::default()).await;
//! assert_eq!(health.status, Status::Ok);
//! assert!(health.checks.iter().any(|check| check.name == "response_time"));
//! # Ok::<(), dbkeep::Error>(())
//! # }).unwrap();
//! ```

mod check;
mod probe;
mod rules;
mod status;

pub use check::{Check, ConnectionHealth};
pub use probe::{check, check_open};
pub use rules::{Observed, Thresholds, judge};
pub use status::Status;
