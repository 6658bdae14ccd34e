//! What a database's statements cost: counted, timed, and the slow ones told.

use crate::fingerprint;
use dbkeep_engine::{ErrorKind, Observer, Outcome, Statement};
use dbkeep_sql::Dialect;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counts and times the statements of one database, and logs the slow ones.
///
/// The log lines go through `tracing`, target `dbkeep::slow` at warn level and, when every statement is wanted,
/// `dbkeep::statement` at info level: the first 500 characters of the text, its fingerprint, the duration, the database's
/// name and the caller's file and line; never parameters, and none of the literals of a statement that sets a password.
#[derive(Debug)]
pub struct Statistics {
    name: String,
    dialect: Arc<dyn Dialect>,
    slow: Option<Duration>,
    log_all: bool,
    statements: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    slow_ones: AtomicU64,
    rows: AtomicU64,
    nanoseconds: AtomicU64,
    lock_waits: AtomicU64,
    lock_wait_nanoseconds: AtomicU64,
    lock_timeouts: AtomicU64,
    serialization_failures: AtomicU64,
}

/// Numbers since the database was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Statements that ended, however; BEGIN, COMMIT, ROLLBACK and savepoints are statements, too.
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
    /// Statements that had to wait for a lock of another connection, whatever came of it. On SQLite, whose lock can be held by
    /// another program; servers do not say.
    pub lock_waits: u64,
    /// How long they waited, all together.
    pub lock_wait_time: Duration,
    /// Statements that failed because another connection kept a lock for too long: `SQLITE_BUSY`, a lock wait timeout. Among
    /// the `failed`.
    pub lock_timeouts: u64,
    /// Statements that failed because another connection had written since the transaction first read: `SQLITE_BUSY_SNAPSHOT`,
    /// a serialisation failure. No waiting helps there, another run does. Among the `failed`.
    pub serialization_failures: u64,
}

impl Totals {
    /// Mean time of a statement; zero when there was none.
    pub fn mean_time(&self) -> Duration {
        let mean = self.time.as_nanos().checked_div(self.statements.into()).unwrap_or_default();
        Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX))
    }
}

impl Statistics {
    /// Statistics of the database of this name, whose statements are written in this dialect. What takes longer than `slow`
    /// is logged as slow; with `log_all`, everything is logged.
    pub fn new(name: impl Into<String>, dialect: Arc<dyn Dialect>, slow: Option<Duration>, log_all: bool) -> Self {
        Self {
            name: name.into(),
            dialect,
            slow,
            log_all,
            statements: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            slow_ones: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
            lock_waits: AtomicU64::new(0),
            lock_wait_nanoseconds: AtomicU64::new(0),
            lock_timeouts: AtomicU64::new(0),
            serialization_failures: AtomicU64::new(0),
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
            lock_waits: self.lock_waits.load(Relaxed),
            lock_wait_time: Duration::from_nanos(self.lock_wait_nanoseconds.load(Relaxed)),
            lock_timeouts: self.lock_timeouts.load(Relaxed),
            serialization_failures: self.serialization_failures.load(Relaxed),
        }
    }
}

/// How much of a statement's text a log line holds, in characters.
const SHOWN: usize = 500;

/// Words of statements whose literals are secrets.
const SECRETIVE: [&str; 5] = ["identified", "password", "passphrase", "secret", "credential"];

impl Statistics {
    /// The text for a log line.
    fn shown<'s>(&self, sql: &'s str) -> Cow<'s, str> {
        let start = first(sql);
        let folded = start.to_ascii_lowercase();
        if SECRETIVE.iter().any(|word| folded.contains(word)) { self.fingerprint(sql).into() } else { start.into() }
    }

    fn fingerprint(&self, sql: &str) -> String {
        // Of the whole text: what is cut off may end a literal.
        let mut print = fingerprint(sql, &*self.dialect);
        print.truncate(first(&print).len());
        print
    }
}

/// The first characters of a text.
fn first(text: &str) -> &str {
    text.char_indices().nth(SHOWN).map_or(text, |(end, _)| &text[..end])
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Milliseconds to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}

/// How a statement ended, without the server's words: they may repeat a value.
struct Ended<'s>(Outcome<'s>);

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Outcome::Done { rows } => write!(f, "{rows} row{}", if rows == 1 { "" } else { "s" }),
            Outcome::Failed(error) => match error.code() {
                Some(code) => write!(f, "{:?} ({code})", error.kind()),
                None => write!(f, "{:?}", error.kind()),
            },
            _ => f.write_str("dropped"),
        }
    }
}

impl Observer for Statistics {
    fn lock_waited(&self, wait: Duration) {
        self.lock_waits.fetch_add(1, Relaxed);
        self.lock_wait_nanoseconds.fetch_add(nanoseconds(wait), Relaxed);
    }

    fn statement_finished(&self, statement: &Statement<'_>) {
        self.statements.fetch_add(1, Relaxed);
        self.nanoseconds.fetch_add(nanoseconds(statement.duration), Relaxed);
        match statement.outcome {
            Outcome::Done { rows } => _ = self.rows.fetch_add(rows, Relaxed),
            Outcome::Failed(error) => {
                self.failed.fetch_add(1, Relaxed);
                match error.kind() {
                    ErrorKind::LockTimeout => _ = self.lock_timeouts.fetch_add(1, Relaxed),
                    ErrorKind::Serialization => _ = self.serialization_failures.fetch_add(1, Relaxed),
                    _ => {}
                }
            }
            _ => _ = self.dropped.fetch_add(1, Relaxed),
        }
        let (sql, duration_ms, caller) = (statement.sql, milliseconds(statement.duration), statement.caller);
        if self.slow.is_some_and(|limit| statement.duration > limit) {
            self.slow_ones.fetch_add(1, Relaxed);
            tracing::warn!(
                target: "dbkeep::slow", connection = self.name, duration_ms, %caller,
                fingerprint = self.fingerprint(sql), sql = &*self.shown(sql), "slow statement"
            );
        } else if self.log_all {
            let outcome = Ended(statement.outcome);
            tracing::info!(
                target: "dbkeep::statement", connection = self.name, duration_ms, %caller, %outcome,
                sql = &*self.shown(sql), "statement"
            );
        }
    }
}
