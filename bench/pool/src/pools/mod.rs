//! The pools, one a file, each with a manager that only passes on what it is asked; what a connection is, an [`Open`] says.

pub mod bb8;
pub mod dbkeep;
pub mod deadpool;
pub mod fast_pool;
pub mod mobc;
pub mod r2d2;
pub mod sqlite;

use std::fmt;
use std::future::Future;

/// A kind of connection: how it is opened and looked after.
pub trait Open: Send + Sync + 'static {
    type Line: Send + Unpin + 'static;
    fn open(&self) -> impl Future<Output = Result<Self::Line, Trouble>> + Send;
    /// Asks the other side whether it is still there. Whether and when to ask is the pool's decision.
    fn ping(&self, line: &mut Self::Line) -> impl Future<Output = Result<(), Trouble>> + Send;
    /// What is known of the connection without asking.
    fn is_gone(&self, line: &Self::Line) -> bool;
}

/// An [`Open`] as the manager of whichever pool.
pub struct Via<O>(pub O);

/// A pool under test, as its borrowers see it.
pub trait Lend: Clone + Send + Sync + 'static {
    type Held: Send;
    fn lend(&self) -> impl Future<Output = Self::Held> + Send;
}

/// Connections that cost nothing, so that only the pool is seen.
pub struct Nothing;

impl Open for Nothing {
    type Line = u64;

    async fn open(&self) -> Result<u64, Trouble> {
        Ok(0)
    }
    async fn ping(&self, _: &mut u64) -> Result<(), Trouble> {
        Ok(())
    }
    fn is_gone(&self, _: &u64) -> bool {
        false
    }
}

/// Why a connection could not be opened or asked.
#[derive(Debug)]
pub struct Trouble(String);

impl Trouble {
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl From<&str> for Trouble {
    fn from(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}
