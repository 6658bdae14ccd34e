//! Who listens to the statements of a connection.

use crate::Error;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// Hears of every statement a connection runs. Called after the statement, on the task that ran it: be quick.
///
/// Every method does nothing by default.
pub trait Observer: Send + Sync {
    /// A statement ended, well or not, or was dropped before its end.
    fn statement_finished(&self, statement: &Statement<'_>) {
        let _ = statement;
    }

    /// A statement had to wait for a lock of another connection, for so long in all, whatever came of it. Heard of with the
    /// statement; of a stream, with the connection's next statement. Only where the engine tells: on SQLite.
    fn lock_waited(&self, wait: Duration) {
        let _ = wait;
    }
}

/// One statement that ended. Its parameters are not here: they are the users' data.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Statement<'s> {
    /// The text as it was sent.
    pub sql: &'s str,
    /// From sending it to its last row.
    pub duration: Duration,
    /// How it ended.
    pub outcome: Outcome<'s>,
    /// The line of the program that ran it.
    pub caller: &'static Location<'static>,
}

/// How a statement ended.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Outcome<'s> {
    /// Well; so many rows were read or affected.
    Done {
        /// Rows read, or rows affected.
        rows: u64,
    },
    /// With an error.
    Failed(&'s Error),
    /// Its future or stream was dropped before the end.
    Dropped,
}

impl fmt::Debug for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done { rows } => write!(f, "Done({rows} rows)"),
            Outcome::Failed(error) => write!(f, "Failed({error})"),
            Outcome::Dropped => f.write_str("Dropped"),
        }
    }
}
