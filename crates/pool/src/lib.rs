//! A generic async pool for anything that can be opened, checked and closed.
//!
//! A [`Pool`] keeps connections open and lends them: [`acquire`](Pool::acquire) gives a [`Lease`], which is the connection
//! until it is dropped. What a connection is, a [`Manage`] says; the pool knows nothing about it.
//!
//! - Idle connections are reused the last one first. Callers who have to wait are served in the order they came, each by
//!   whatever is there first: a connection that comes back, or one that has been opened.
//! - Opening, checking, resetting and closing run in tasks of the pool. A caller that goes away interrupts none of them;
//!   what was begun for it serves the next.
//! - Giving back is dropping. It takes no runtime and no time; a connection that needs a reset is reset by the pool before
//!   anybody else sees it, a broken one is closed and replaced when somebody needs it.
//! - An idle connection is checked before it is lent only if it has not proved to work lately, so a busy pool makes no
//!   extra round trips.
//! - When there is no connection to be had, the [`AcquireError`] says what the time went on, why opening failed, and who in
//!   the program holds the connections.
//!
//! ```
//! use std::io;
//! use std::time::Duration;
//! use dbkeep_pool::{Config, Manage, Pool, State};
//!
//! /// Lends lines to an imaginary exchange.
//! struct Exchange;
//!
//! #[derive(Debug, Default)]
//! struct Line {
//!     calls: u32,
//!     busy: bool,
//! }
//!
//! impl Manage for Exchange {
//!     type Connection = Line;
//!     type Error = io::Error;
//!
//!     async fn open(&self) -> Result<Line, io::Error> {
//!         Ok(Line::default())
//!     }
//!     async fn check(&self, _line: &mut Line) -> Result<(), io::Error> {
//!         Ok(())
//!     }
//!     fn state(&self, line: &Line) -> State {
//!         if line.busy { State::NeedsReset } else { State::Clean }
//!     }
//!     async fn reset(&self, line: &mut Line) -> Result<(), io::Error> {
//!         line.busy = false;
//!         Ok(())
//!     }
//!     async fn close(&self, _line: Line) -> Result<(), io::Error> {
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let pool = Pool::builder(Exchange)
//!     .name("exchange")
//!     .config(Config::new().max(1).min(0))
//!     .build()?;
//!
//! let mut line = pool.acquire().await?;
//! line.calls += 1;
//! line.busy = true; // hung up in the middle of a call
//! drop(line);
//!
//! // The same line, and the pool has reset it first.
//! let line = pool.acquire().await?;
//! assert_eq!((line.calls, line.busy), (1, false));
//!
//! // There is only one, and the error says who has it.
//! let error = pool.acquire_within(Duration::from_millis(10)).await.unwrap_err();
//! assert!(error.is_timeout());
//! assert!(error.to_string().starts_with("no connection from pool \"exchange\" within 10.0ms: 1 of 1 in use"));
//! assert_eq!(error.longest_held().len(), 1);
//!
//! drop(line);
//! let stats = pool.stats();
//! assert_eq!((stats.acquired, stats.opened, stats.resets, stats.timeouts), (2, 1, 1, 1));
//!
//! let still_out = pool.close().await;
//! assert!(still_out.is_empty());
//! # Ok(())
//! # })
//! # }
//! ```

mod acquire;
mod advice;
mod backoff;
mod clock;
mod config;
mod error;
mod front;
mod housekeeper;
mod job;
mod lease;
mod ledger;
mod manage;
mod observer;
mod parcel;
mod pool;
mod progress;
mod shared;
mod shelf;
mod stats;
mod sync;
mod times;

pub use advice::{Advice, Demand, Room, Sample, Verdict};
pub use config::{Config, ConfigError, WhenDown};
pub use error::{AcquireError, AcquireErrorKind, AcquirePhase};
pub use lease::Lease;
pub use manage::{Manage, State};
pub use observer::{AcquireFailed, Acquired, CareFailed, Closed, Observer, OpenFailed, Opened};
pub use pool::{Builder, Pool};
pub use progress::{OpenStep, Progress};
pub use stats::{Borrower, CloseReason, Health, Stats};
pub use times::{CallSite, PoolTimes, Times};
