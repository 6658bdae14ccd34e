//! Where a statement runs: on the runtime's worker or on a thread of its own. docs/sqlite-async.md gives the reasons and the
//! figures.

use super::control::Control;
use super::session::Session;
use crate::{Error, ErrorKind, Result, TransactionState};
use dbkeep_sql::Value;
use rusqlite::InterruptHandle;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

/// How long a statement may keep a worker of the runtime. What needs longer and can be begun again moves to a thread of its
/// own, where dropping its future stops it; the time up to here is lost then.
const TURN: Duration = Duration::from_millis(10);

/// What kind of thread we are on.
enum Place {
    /// No runtime of tokio's: somebody else's executor, which we cannot ask for a thread.
    NoRuntime,
    /// A worker of a runtime with several; the others take its tasks while it is blocked.
    Worker,
    /// The thread of `block_on` in such a runtime: it has no other tasks.
    Main,
    /// The only thread of a runtime. Blocked, it would stop everything.
    OnlyThread,
}

impl Place {
    fn here() -> Self {
        match Handle::try_current() {
            Err(_) => Self::NoRuntime,
            Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::CurrentThread => Self::OnlyThread,
            // `block_in_place` panics in a LocalSet, which only the thread of `block_on` can hold.
            Ok(_) if tokio::runtime::worker_index().is_some() => Self::Worker,
            Ok(_) => Self::Main,
        }
    }
}

/// A session, and the thread that is still busy with it.
pub(super) struct Runner {
    session: Arc<Mutex<Session>>,
    control: Arc<Control>,
    interrupt: Arc<InterruptHandle>,
    /// Closes when the thread is done.
    job: Option<oneshot::Receiver<()>>,
    pub(super) state: TransactionState,
}

/// Stops the statement when its future is dropped.
pub(super) struct StopOnDrop {
    control: Arc<Control>,
    interrupt: Arc<InterruptHandle>,
    armed: bool,
}

impl StopOnDrop {
    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if self.armed {
            self.control.abandon();
            self.interrupt.interrupt();
        }
    }
}

impl Runner {
    pub(super) fn new(session: Session) -> Self {
        let control = Arc::clone(&session.control);
        let interrupt = Arc::new(session.connection.get_interrupt_handle());
        let session = Arc::new(Mutex::new(session));
        Self { session, control, interrupt, job: None, state: TransactionState::Idle }
    }

    /// Runs a statement where it disturbs least.
    pub(super) async fn statement<T: Send + 'static>(
        &mut self,
        sql: &str,
        params: &[Value],
        work: fn(&mut Session, &str, &[Value]) -> Result<T>,
    ) -> Result<T> {
        self.settle().await;
        match self.try_here(|session| work(session, sql, params))? {
            Some(done) => Ok(done),
            None => {
                // Only now is it worth a copy.
                let (sql, params) = (sql.to_owned(), params.to_vec());
                self.elsewhere(move |session| work(session, &sql, &params)).await
            }
        }
    }

    /// Runs work that is usually short where it disturbs least. It may be begun a second time.
    pub(super) async fn short<T: Send + 'static>(
        &mut self,
        work: impl Fn(&mut Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.settle().await;
        match self.try_here(&work)? {
            Some(done) => Ok(done),
            None => self.elsewhere(work).await,
        }
    }

    /// Runs work of unknown length, away from the runtime's workers.
    pub(super) async fn long<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.settle().await;
        match Place::here() {
            Place::NoRuntime => self.here(None, work),
            _ => self.elsewhere(work).await,
        }
    }

    /// Runs it on this thread, if that can be done; `None` when it has to run elsewhere and left no trace here.
    fn try_here<T>(&mut self, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<Option<T>> {
        match Place::here() {
            Place::NoRuntime => self.here(None, work).map(Some),
            Place::Main => self.in_turn(work),
            Place::Worker => tokio::task::block_in_place(|| self.in_turn(work)),
            Place::OnlyThread => Ok(None),
        }
    }

    fn in_turn<T>(&mut self, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<Option<T>> {
        let before = self.state;
        self.here(Some(TURN), |session| match work(session) {
            Ok(done) => Ok(Some(done)),
            Err(error) if session.may_run_again(&error, before) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn here<T>(&mut self, turn: Option<Duration>, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        let Self { session, control, state, .. } = self;
        let mut session = lock(session)?;
        control.start(turn);
        let outcome = work(&mut session);
        *state = session.state();
        outcome
    }

    /// Runs it on a thread of the runtime's blocking pool. Dropping the future stops it.
    async fn elsewhere<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let mut stop = self.spawn(move |session| {
            let outcome = work(session);
            // Whoever dropped the future does not want to know.
            let _ = sender.send((outcome, session.state()));
        })?;
        let answer = receiver.await;
        stop.disarm();
        let (outcome, state) = answer.map_err(|_| lost())?;
        self.state = state;
        outcome
    }

    /// Starts work on a thread of its own; what it returns stops that work when it is dropped.
    /// [`settle`](Runner::settle) waits for the end.
    pub(super) fn spawn(&mut self, work: impl FnOnce(&mut Session) + Send + 'static) -> Result<StopOnDrop> {
        let (done, job) = oneshot::channel();
        self.control.start(None);
        let session = Arc::clone(&self.session);
        let run = move || {
            if let Ok(mut session) = session.lock()
                && !session.control.is_abandoned()
            {
                work(&mut session);
            }
            // In this order: who waits for the end may want to be the last to hold the session, and close it.
            drop(session);
            drop(done);
        };
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn_blocking(run);
            }
            Err(_) => {
                std::thread::Builder::new()
                    .name("dbkeep-sqlite".to_owned())
                    .spawn(run)
                    .map_err(|error| Error::new(ErrorKind::Io, "no thread can be started").with_source(error))?;
            }
        }
        self.job = Some(job);
        Ok(StopOnDrop { control: Arc::clone(&self.control), interrupt: Arc::clone(&self.interrupt), armed: true })
    }

    /// Waits until the thread of an earlier statement is done with the session.
    pub(super) async fn settle(&mut self) {
        if let Some(job) = &mut self.job {
            // It closes without a message.
            let _ = job.await;
            self.job = None;
            if let Ok(session) = self.session.lock() {
                self.state = session.state();
            }
        }
    }

    /// How long statements waited for locks since this was last asked.
    pub(super) fn take_lock_wait(&mut self) -> Option<Duration> {
        self.control.take_lock_wait()
    }

    /// Whether a statement panicked: nobody knows then what the session holds.
    pub(super) fn is_lost(&self) -> bool {
        self.session.is_poisoned()
    }

    /// As [`is_lost`](Runner::is_lost), as an error.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_lost() { Err(lost()) } else { Ok(()) }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if self.job.is_some() {
            self.control.abandon();
            self.interrupt.interrupt();
        }
    }
}

/// Runs work that has no session yet, such as opening one, away from the runtime's workers.
pub(super) async fn detached<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await.map_err(|_| lost())?,
        Err(_) => work(),
    }
}

fn lock(session: &Mutex<Session>) -> Result<MutexGuard<'_, Session>> {
    session.lock().map_err(|_| lost())
}

fn lost() -> Error {
    Error::new(ErrorKind::ConnectionLost, "the thread that ran the statement ended without an answer")
        .with_hint("open a new connection")
}
