//! What the pool needs to know of connections.

use dbkeep_engine::{
    Condition, ConnectOptions, Connection, Error, ErrorKind, Location, Observer, Step, connect_in_steps,
};
use dbkeep_pool::{Manage, OpenStep, Pool, Progress, State};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Instant;

/// Opens, checks, cleans and closes connections for a pool.
pub struct Opener {
    options: ConnectOptions,
    observer: Arc<dyn Observer>,
    /// A connection that was opened before the pool, to be its first.
    first: Mutex<Option<Connection>>,
    /// Whether there was a database to begin with.
    is_there: bool,
    /// Whether the first is to stay the only one.
    only_once: bool,
    /// The pool of those that read beside this one's.
    readers: OnceLock<Weak<Pool<Opener>>>,
}

impl Opener {
    /// Opens connections with these options and lets `observer` hear of their statements.
    pub fn new(options: ConnectOptions, observer: Arc<dyn Observer>) -> Self {
        Self { options, observer, first: Mutex::new(None), is_there: false, only_once: false, readers: OnceLock::new() }
    }

    /// Gives the pool this connection before it opens one. Those it opens later find the database or fail: an empty one that
    /// they made in its place would be taken for the data.
    #[must_use]
    pub fn starting_with(self, connection: Connection) -> Self {
        Self { first: Mutex::new(Some(connection)), is_there: true, ..self }
    }

    /// Opens no other connection after the first: for a database that is gone with its connection. An empty one in its
    /// place would be taken for the data.
    #[must_use]
    pub fn only_once(self) -> Self {
        Self { only_once: true, ..self }
    }
}

impl Opener {
    /// Sees to it that what would be opened is there, where opening would create it.
    async fn find(&self) -> Result<(), Error> {
        let ConnectOptions { engine, create, .. } = &self.options;
        if engine.location() != Location::File || !create || engine.database_exists(&self.options).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::UnknownDatabase, format!("the database {} is gone", self.options.target()))
            .with_hint(
                "put it back, from a backup if need be; an empty one is made only when the program opens it anew",
            ))
    }

    /// From now on the connections of that pool are replaced with this one's: a file that was moved or replaced shows where
    /// it is written to, and who reads must not go on with the old one.
    pub(crate) fn lead(&self, readers: &Arc<Pool<Self>>) {
        // A second call would change nothing, and there is none.
        let _ = self.readers.set(Arc::downgrade(readers));
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("target", &self.options.target()).finish_non_exhaustive()
    }
}

impl Manage for Opener {
    type Connection = Connection;
    type Error = Error;

    async fn open(&self) -> Result<Connection, Error> {
        self.open_in_steps(&Progress::default()).await
    }

    async fn open_in_steps(&self, progress: &Progress) -> Result<Connection, Error> {
        // Taken in a statement of its own: the guard must not live across the await.
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut connection = match first {
            Some(connection) => connection,
            None if self.only_once => {
                return Err(Error::new(
                    ErrorKind::UnknownDatabase,
                    format!("the database {} is gone with its only connection", self.options.target()),
                )
                .with_hint("open it anew, empty, or use a file"));
            }
            None => {
                if self.is_there {
                    self.find().await?;
                }
                let progress = progress.clone();
                let connection =
                    connect_in_steps(&self.options, move |step| progress.enter(as_the_pool_says(step))).await?;
                if let Some(readers) = self.readers.get().and_then(Weak::upgrade) {
                    readers.reset();
                }
                connection
            }
        };
        connection.observe(self.observer.clone());
        Ok(connection)
    }

    async fn check(&self, connection: &mut Connection) -> Result<(), Error> {
        connection.ping().await
    }

    fn state(&self, connection: &Connection) -> State {
        match connection.condition() {
            Condition::Clean => State::Clean,
            Condition::Dirty => State::NeedsReset,
            Condition::Broken => State::Broken,
        }
    }

    fn last_answer(&self, connection: &Connection) -> Option<Instant> {
        connection.last_answer()
    }

    async fn reset(&self, connection: &mut Connection) -> Result<(), Error> {
        connection.reset().await
    }

    async fn close(&self, connection: Connection) -> Result<(), Error> {
        connection.close().await
    }

    fn is_permanent(&self, error: &Error) -> bool {
        // Asked of errors of opening only. What is not known to pass is reported at once.
        !error.is_transient() && error.kind() != ErrorKind::Io
    }
}

fn as_the_pool_says(step: Step) -> OpenStep {
    match step {
        Step::Tls => OpenStep::Tls,
        Step::Authenticate => OpenStep::Authenticate,
        Step::SetUp => OpenStep::SetUp,
        _ => OpenStep::Connect,
    }
}
