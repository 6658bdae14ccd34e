//! What a database's statements cost: counted, timed, and the slow ones told.

use crate::fingerprint;
use dbkeep_engine::{Observer, Outcome, Statement};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counts and times the statements of one database, and logs the slow ones.
///
/// The log lines go through `tracing`, target `dbkeep::slow` at warn level and, when every statement is wanted,
/// `dbkeep::statement` at info level: the first 500 characters of the text, its fingerprint, the duration, the database's
/// name and the caller's file and line; never parameters.
#[derive(Debug)]
pub struct Statistics {
    name: String,
    slow: Option<Duration>,
    log_all: bool,
    statements: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    slow_ones: AtomicU64,
    rows: AtomicU64,
    nanoseconds: AtomicU64,
}

/// Numbers since the database was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Statements that ended, however.
    pub statements: u64,
    /// Those that ended with an error.
    pub failed: u64,
    /// Those whose future was dropped before their end.
    pub dropped: u64,
    /// Those that took longer than `slow_query`.
    pub slow: u64,
    /// Rows read or affected.
    pub rows: u64,
    /// Time from sending to the last row, all statements together.
    pub time: Duration,
}

impl Totals {
    /// Mean time of a statement; zero when there was none.
    pub fn mean_time(&self) -> Duration {
        self.time.checked_div(u32::try_from(self.statements).unwrap_or(u32::MAX)).unwrap_or_default()
    }
}

impl Statistics {
    /// Statistics of the database of this name.
    pub fn new(name: impl Into<String>, slow: Option<Duration>, log_all: bool) -> Self {
        Self {
            name: name.into(),
            slow,
            log_all,
            statements: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            slow_ones: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
        }
    }

    /// The numbers as they are now.
    pub fn totals(&self) -> Totals {
        Totals {
            statements: self.statements.load(Relaxed),
            failed: self.failed.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            slow: self.slow_ones.load(Relaxed),
            rows: self.rows.load(Relaxed),
            time: Duration::from_nanos(self.nanoseconds.load(Relaxed)),
        }
    }
}

/// How much of a statement's text a log line holds.
const SHOWN: usize = 500;

impl Observer for Statistics {
    fn statement_finished(&self, statement: &Statement<'_>) {
        self.statements.fetch_add(1, Relaxed);
        let nanoseconds = u64::try_from(statement.duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
        match statement.outcome {
            Outcome::Done { rows } => _ = self.rows.fetch_add(rows, Relaxed),
            Outcome::Failed(_) => _ = self.failed.fetch_add(1, Relaxed),
            _ => _ = self.dropped.fetch_add(1, Relaxed),
        }
        let is_slow = self.slow.is_some_and(|limit| statement.duration > limit);
        if !is_slow && !self.log_all {
            return;
        }
        let sql = statement.sql.char_indices().nth(SHOWN).map_or(statement.sql, |(end, _)| &statement.sql[..end]);
        let (duration_ms, caller) = (statement.duration.as_secs_f64() * 1_000.0, statement.caller);
        if is_slow {
            self.slow_ones.fetch_add(1, Relaxed);
            tracing::warn!(target: "dbkeep::slow", connection = self.name, duration_ms, %caller, fingerprint = fingerprint(sql), sql, "slow statement");
        } else {
            tracing::info!(target: "dbkeep::statement", connection = self.name, duration_ms, %caller, outcome = ?statement.outcome, sql, "statement");
        }
    }
}
