//! When a running statement stops before its end: its future was dropped, its time is up, or it has had its turn on the
//! runtime's worker.

use rusqlite::Connection;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Instructions of SQLite's virtual machine between two looks at the clock: some tens of microseconds.
const INSTRUCTIONS: i32 = 1_000;

const NEVER: u64 = u64::MAX;

/// Shared between a connection, the thread its statement runs on, and SQLite's callbacks.
#[derive(Debug)]
pub(super) struct Control {
    /// The zero of the times below.
    epoch: Instant,
    statement_timeout: Option<Duration>,
    lock_timeout: Duration,
    /// Nobody waits for the statement any more.
    abandoned: AtomicBool,
    /// When the statement's time is up, in nanoseconds.
    deadline: AtomicU64,
    /// When its turn ends, in nanoseconds. While there is one, nothing waits for a lock either.
    turn_ends: AtomicU64,
    stopped: AtomicU8,
    /// SQLite asked whether to wait for a lock of another connection.
    met_a_lock: AtomicBool,
    /// How long statements waited for locks, in nanoseconds, since that was last asked.
    waited: AtomicU64,
    /// The tables a statement and its triggers inserted into, with the last row's number in each.
    inserted: Mutex<Vec<(String, i64)>>,
}

/// Why the last statement was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    Not,
    Abandoned,
    TimedOut,
    /// Its turn was over, or it would have had to wait for a lock in its turn: to be run again elsewhere.
    Turn,
}

impl Control {
    pub(super) fn new(statement_timeout: Option<Duration>, lock_timeout: Duration) -> Self {
        Self {
            epoch: Instant::now(),
            statement_timeout,
            lock_timeout,
            abandoned: AtomicBool::new(false),
            deadline: AtomicU64::new(NEVER),
            turn_ends: AtomicU64::new(NEVER),
            stopped: AtomicU8::new(0),
            met_a_lock: AtomicBool::new(false),
            waited: AtomicU64::new(0),
            inserted: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn statement_timeout(&self) -> Option<Duration> {
        self.statement_timeout
    }

    pub(super) fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }

    /// Begins a statement, or a script, which has its time as one. With a turn it must be through in that time.
    pub(super) fn start(&self, turn: Option<Duration>) {
        self.abandoned.store(false, Relaxed);
        self.stopped.store(0, Relaxed);
        self.met_a_lock.store(false, Relaxed);
        self.deadline.store(self.statement_timeout.map_or(NEVER, |timeout| self.in_future(timeout)), Relaxed);
        self.turn_ends.store(turn.map_or(NEVER, |turn| self.in_future(turn)), Relaxed);
    }

    /// Lets the statement go on past its turn: it could not be begun again. It still does not wait for locks.
    pub(super) fn extend_turn(&self) {
        if self.turn_ends.load(Relaxed) != NEVER {
            self.turn_ends.store(NEVER - 1, Relaxed);
        }
    }

    /// Stops what runs: nobody waits for it.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Relaxed);
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Relaxed)
    }

    pub(super) fn stopped(&self) -> Stopped {
        match self.stopped.load(Relaxed) {
            1 => Stopped::Abandoned,
            2 => Stopped::TimedOut,
            3 => Stopped::Turn,
            _ => Stopped::Not,
        }
    }

    /// Whether SQLite asked to wait for a lock. It does not ask where waiting could not help.
    pub(super) fn has_met_a_lock(&self) -> bool {
        self.met_a_lock.load(Relaxed)
    }

    /// How long statements waited for locks since this was last asked; `None` when they did not.
    pub(super) fn take_lock_wait(&self) -> Option<Duration> {
        // Nearly always there is none, and then nothing is written.
        match self.waited.load(Relaxed) {
            0 => None,
            _ => Some(Duration::from_nanos(self.waited.swap(0, Relaxed))),
        }
    }

    pub(super) fn forget_inserted(&self) {
        self.inserted().clear();
    }

    /// Whether a row of this number was the last one inserted into some table since
    /// [`forget_inserted`](Control::forget_inserted).
    pub(super) fn has_inserted(&self, row: i64) -> bool {
        self.inserted().iter().any(|(_, last)| *last == row)
    }

    fn inserted(&self) -> MutexGuard<'_, Vec<(String, i64)>> {
        self.inserted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_inserted(&self, table: &str, row: i64) {
        let mut inserted = self.inserted();
        match inserted.iter_mut().find(|(known, _)| known == table) {
            Some((_, last)) => *last = row,
            None => inserted.push((table.to_owned(), row)),
        }
    }

    /// Puts SQLite's callbacks in place. Run again by a reset, since `PRAGMA busy_timeout` takes one of them away.
    pub(super) fn install(self: &Arc<Self>, connection: &mut Connection) -> rusqlite::Result<()> {
        let control = Arc::clone(self);
        connection.progress_handler(INSTRUCTIONS, Some(move || control.must_stop()))?;
        let control = Arc::clone(self);
        let mut waiting_since = Instant::now();
        connection.busy_handler(Some(move |attempt| {
            if attempt == 0 {
                waiting_since = Instant::now();
            }
            control.waits_for_lock(attempt, waiting_since.elapsed())
        }))?;
        let control = Arc::clone(self);
        connection.update_hook(Some(move |action, _: &str, table: &str, row: i64| {
            if action == rusqlite::hooks::Action::SQLITE_INSERT {
                control.note_inserted(table, row);
            }
        }))
    }

    fn must_stop(&self) -> bool {
        if self.is_abandoned() {
            return self.stop(1);
        }
        let (deadline, turn_ends) = (self.deadline.load(Relaxed), self.turn_ends.load(Relaxed));
        if deadline == NEVER && turn_ends >= NEVER - 1 {
            return false;
        }
        let now = self.in_future(Duration::ZERO);
        match (now >= deadline, now >= turn_ends) {
            (true, _) => self.stop(2),
            (_, true) => self.stop(3),
            _ => false,
        }
    }

    fn stop(&self, reason: u8) -> bool {
        self.stopped.store(reason, Relaxed);
        true
    }

    /// SQLite asks whether to try again to get a lock that another connection holds.
    fn waits_for_lock(&self, attempt: i32, waited: Duration) -> bool {
        self.met_a_lock.store(true, Relaxed);
        if self.turn_ends.load(Relaxed) != NEVER {
            self.stop(3);
            return false;
        }
        if self.is_abandoned() || waited >= self.lock_timeout {
            return false;
        }
        if self.deadline.load(Relaxed) <= self.in_future(Duration::ZERO) {
            self.stop(2);
            return false;
        }
        // SQLite's own busy handler waits up to 100 ms at a time; a lock is seldom held that long, and our caller may go away.
        const PAUSES_MS: [u64; 8] = [1, 1, 2, 3, 5, 8, 12, 20];
        let pause = PAUSES_MS.get(usize::try_from(attempt).unwrap_or(0)).copied().unwrap_or(25);
        let since = Instant::now();
        std::thread::sleep(Duration::from_millis(pause).min(self.lock_timeout.saturating_sub(waited)));
        self.waited.fetch_add(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX), Relaxed);
        true
    }

    fn in_future(&self, wait: Duration) -> u64 {
        u64::try_from((self.epoch.elapsed().saturating_add(wait)).as_nanos()).unwrap_or(NEVER - 2).min(NEVER - 2)
    }
}
