//! The one connection type users meet: an engine's driver, and what is the same everywhere around it.

use crate::observer::{Observer, Outcome, Statement};
use crate::transaction::{Transaction, TransactionOptions};
use crate::{
    Catalog, CatalogOptions, ConnectOptions, Driver, Error, ErrorKind, Executed, Measurement, Result, Role, Row,
    RowStream, ServerInfo, TransactionState,
};
use dbkeep_sql::{Dialect, Value};
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Opens a connection and sets up its session.
///
/// Errors that can pass (refused, timed out, starting up, too many connections) are tried again, three times in all by
/// default, after 1 s and 2 s with up to a half of jitter; errors that cannot (password, unknown database, TLS, a wrong
/// option) end it at once.
///
/// # Errors
/// The last attempt's, saying how many there were.
pub async fn connect(options: &ConnectOptions) -> Result<Connection> {
    let attempts = options.connect_attempts.max(1);
    let mut wait = Duration::from_secs(1);
    for attempt in 1.. {
        match connect_once(options).await {
            Err(error) if error.is_transient() && attempt < attempts => {
                // Jitter, so that a fleet that lost its server does not come back in step.
                let pause = wait.mul_f64(1.0 + fastrand::f64() / 2.0);
                tracing::warn!(target: "dbkeep::connect", attempt, pause_ms = pause.as_millis() as u64, %error, "connecting failed, trying again");
                tokio::time::sleep(pause).await;
                wait *= 2;
            }
            Err(error) if attempt > 1 => return Err(error.context(format_args!("after {attempt} attempts"))),
            outcome => return outcome,
        }
    }
    unreachable!("the loop returns on its last attempt")
}

/// Opens a connection in a single attempt, within `connect_timeout`.
///
/// # Errors
/// As [`connect`], without a second try.
pub async fn connect_once(options: &ConnectOptions) -> Result<Connection> {
    let timeout = || {
        Error::new(
            ErrorKind::Timeout,
            format!("connecting to {} took longer than {:?}", options.target(), options.connect_timeout),
        )
        .with_hint("is the host right, and does a firewall let this port through?")
    };
    match tokio::time::timeout(options.connect_timeout, options.engine.connect(options)).await {
        Ok(driver) => driver.map(Connection::new),
        Err(_) => Err(timeout()),
    }
}

/// One live link to a database.
///
/// # Cancellation
/// Every future here may be dropped at any point. What was interrupted is cleaned up before the next use (stopped, read
/// to its end, rolled back); where the engine cannot do that, the connection is given up and says so. Rows of one query
/// never reach another.
pub struct Connection {
    driver: Box<dyn Driver>,
    /// Set while an answer is outstanding. Found set, it tells of a dropped future.
    in_flight: bool,
    /// Levels open: 1 is the transaction, each further one a savepoint.
    depth: u32,
    /// The outermost level that was dropped without an end.
    abandoned: Option<u32>,
    /// The server rolled the open transaction back after an error; its statements must not go on outside of it.
    undone: bool,
    /// An error of the open transaction said that running it again may help.
    retry_may_help: bool,
    broken: bool,
    observer: Option<Arc<dyn Observer>>,
    /// Who to name as the caller of the next statement, where that is not who calls us.
    on_behalf_of: Option<&'static Location<'static>>,
}

/// What a connection is fit for, known without asking the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Ready for anyone.
    Clean,
    /// Something is open or interrupted: [`Connection::reset`] before the next borrower.
    Dirty,
    /// To be closed.
    Broken,
}

impl Connection {
    /// A connection around a driver.
    pub fn new(driver: Box<dyn Driver>) -> Self {
        Self {
            driver,
            in_flight: false,
            depth: 0,
            abandoned: None,
            undone: false,
            retry_may_help: false,
            broken: false,
            observer: None,
            on_behalf_of: None,
        }
    }

    /// Which server this is.
    pub fn server(&self) -> &ServerInfo {
        self.driver.server()
    }

    /// How it spells SQL.
    pub fn dialect(&self) -> Arc<dyn Dialect> {
        self.driver.dialect()
    }

    /// Whether a transaction is open, from the server's last answer.
    pub fn transaction_state(&self) -> TransactionState {
        if self.in_flight { TransactionState::Unknown } else { self.driver.transaction_state() }
    }

    /// What the connection is fit for, from what is already known.
    pub fn condition(&self) -> Condition {
        if self.broken || self.driver.is_closed() {
            Condition::Broken
        } else if self.in_flight
            || self.depth > 0
            || self.abandoned.is_some()
            || self.driver.transaction_state() != TransactionState::Idle
        {
            Condition::Dirty
        } else {
            Condition::Clean
        }
    }

    /// Lets `observer` hear of every statement from now on.
    pub fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.observer = Some(observer);
    }

    /// Names this place as the caller of the next statement, for code that runs statements for others.
    pub fn on_behalf_of(&mut self, caller: &'static Location<'static>) -> &mut Self {
        self.on_behalf_of = Some(caller);
        self
    }

    /// Runs one statement and says what it did.
    ///
    /// # Errors
    /// The server's own, by kind; see [`ErrorKind`].
    #[track_caller]
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> impl Future<Output = Result<Executed>> + Send {
        let watch = self.watch(Location::caller());
        async move {
            self.ready().await?;
            let watch = watch.started(sql);
            self.in_flight = true;
            let outcome = self.driver.execute(sql, params).await;
            watch.ended(&outcome, |executed| executed.rows_affected);
            self.landed(outcome)
        }
    }

    /// Runs one statement and collects its rows. For results that may be large, see [`stream`](Connection::stream).
    ///
    /// # Errors
    /// The server's own, by kind.
    #[track_caller]
    pub fn query(&mut self, sql: &str, params: &[Value]) -> impl Future<Output = Result<Vec<Row>>> + Send {
        let watch = self.watch(Location::caller());
        async move {
            self.ready().await?;
            let watch = watch.started(sql);
            self.in_flight = true;
            let outcome = self.driver.query(sql, params).await;
            watch.ended(&outcome, |rows| rows.len() as u64);
            self.landed(outcome)
        }
    }

    /// As [`query`](Connection::query), each row made into a struct, a tuple or, with one column, a value.
    ///
    /// # Errors
    /// The server's own, and `Decode` naming column, wanted and found type.
    #[track_caller]
    pub fn query_as<T: DeserializeOwned>(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> impl Future<Output = Result<Vec<T>>> + Send {
        let rows = self.query(sql, params);
        async move { rows.await?.iter().map(Row::decode).collect() }
    }

    /// The only row of a query.
    ///
    /// # Errors
    /// `RowCount` when there is none or more than one.
    #[track_caller]
    pub fn query_one(&mut self, sql: &str, params: &[Value]) -> impl Future<Output = Result<Row>> + Send {
        let row = self.query_opt(sql, params);
        async move { row.await?.ok_or_else(|| Error::new(ErrorKind::RowCount, "wanted one row, found none")) }
    }

    /// The row of a query that has one row or none.
    ///
    /// # Errors
    /// `RowCount` when there are several.
    #[track_caller]
    pub fn query_opt(&mut self, sql: &str, params: &[Value]) -> impl Future<Output = Result<Option<Row>>> + Send {
        let rows = self.query(sql, params);
        async move {
            let mut rows = rows.await?;
            match rows.len() {
                0 | 1 => Ok(rows.pop()),
                several => Err(Error::new(ErrorKind::RowCount, format!("wanted one row, found {several}"))),
            }
        }
    }

    /// Runs one statement and hands its rows over as they come, in bounded memory.
    ///
    /// # Errors
    /// The server's own, here or with a later row.
    #[track_caller]
    pub fn stream<'c>(&'c mut self, sql: &str, params: &[Value]) -> impl Future<Output = Result<RowStream<'c>>> + Send {
        let watch = self.watch(Location::caller());
        async move {
            self.ready().await?;
            let watch = watch.started(sql);
            self.in_flight = true;
            let Self { driver, in_flight, .. } = self;
            match driver.stream(sql, params).await {
                Ok(stream) => Ok(stream.clearing(in_flight, watch)),
                Err(error) => {
                    *in_flight = false;
                    watch.failed(&error);
                    Err(error)
                }
            }
        }
    }

    /// Runs a text of several statements as the server's own client would, without parameters, until the first error.
    ///
    /// # Errors
    /// The server's own; what ran before the error stays done unless a transaction is open.
    #[track_caller]
    pub fn script(&mut self, sql: &str) -> impl Future<Output = Result<()>> + Send {
        let watch = self.watch(Location::caller());
        async move {
            self.ready().await?;
            let watch = watch.started(sql);
            self.in_flight = true;
            let outcome = self.driver.script(sql).await;
            watch.ended(&outcome, |()| 0);
            self.landed(outcome)
        }
    }

    /// Starts a transaction that may write; inside one, makes a savepoint.
    ///
    /// # Errors
    /// The server's own.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>> {
        self.transaction_with(&TransactionOptions::default().immediate()).await
    }

    /// Starts a transaction with these options; inside one, makes a savepoint, to which options do not apply.
    ///
    /// # Errors
    /// `Unsupported` when options are given for a savepoint; the server's own.
    pub async fn transaction_with(&mut self, options: &TransactionOptions) -> Result<Transaction<'_>> {
        self.ready().await?;
        let level = self.depth + 1;
        if level > 1 {
            if options.isolation.is_some() || options.read_only {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "a savepoint cannot have an isolation level or be read-only",
                )
                .with_hint("set them on the outer transaction"));
            }
            self.run(&format!("SAVEPOINT {}", savepoint(level))).await?;
        } else if self.driver.transaction_state() != TransactionState::Idle {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a transaction is open already, started by a statement of its own",
            )
            .with_hint("use either BEGIN and COMMIT as statements or transaction(), not both"));
        } else {
            // A level that is entered while the answer is outstanding: a dropped future leaves it to be unwound.
            self.abandoned = Some(1);
            self.retry_may_help = false;
            self.in_flight = true;
            let outcome = self.driver.begin(options).await;
            let outcome = self.landed(outcome);
            self.abandoned = None;
            outcome?;
        }
        self.depth = level;
        Ok(Transaction::new(self, level))
    }

    /// Whether an error since the last transaction began was a deadlock or a serialisation failure, after which the whole
    /// transaction may be run again.
    pub fn retry_may_help(&self) -> bool {
        self.retry_may_help
    }

    /// Asks the server for a sign of life.
    ///
    /// # Errors
    /// `ConnectionLost` when there is none.
    pub async fn ping(&mut self) -> Result<()> {
        self.ready().await?;
        self.in_flight = true;
        let outcome = self.driver.ping().await;
        self.landed(outcome)
    }

    /// Puts the session back to what it was after it was set up: no transaction, no locks, no temporary tables.
    ///
    /// # Errors
    /// When it cannot; the connection is to be closed then.
    pub async fn reset(&mut self) -> Result<()> {
        self.clean_up().await?;
        self.depth = 0;
        self.undone = false;
        self.in_flight = true;
        let outcome = self.driver.reset().await;
        if outcome.is_err() {
            self.broken = true;
        }
        self.landed(outcome)
    }

    /// Takes a lock by name, waiting up to `wait`. `false` when another held it all the time. It ends with the session
    /// at the latest.
    ///
    /// # Errors
    /// The server's own.
    pub async fn lock(&mut self, name: &str, wait: Duration) -> Result<bool> {
        // Polled, never waited for on the server: on PostgreSQL a waiting session's snapshot blocks the holder's
        // CREATE INDEX CONCURRENTLY (flyway#1654, golang-migrate#960).
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            self.ready().await?;
            self.in_flight = true;
            let outcome = self.driver.try_lock(name).await;
            if self.landed(outcome)? {
                return Ok(true);
            }
            let now = tokio::time::Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            tokio::time::sleep((deadline - now).min(Duration::from_millis(100 + fastrand::u64(..100)))).await;
        }
    }

    /// Gives a lock back.
    ///
    /// # Errors
    /// The server's own.
    pub async fn unlock(&mut self, name: &str) -> Result<()> {
        self.ready().await?;
        self.in_flight = true;
        let outcome = self.driver.unlock(name).await;
        self.landed(outcome)
    }

    /// Who holds a lock, in words for people, where that can be known.
    ///
    /// # Errors
    /// The server's own.
    pub async fn lock_holder(&mut self, name: &str) -> Result<Option<String>> {
        self.ready().await?;
        self.in_flight = true;
        let outcome = self.driver.lock_holder(name).await;
        self.landed(outcome)
    }

    /// Whether the server takes writes.
    ///
    /// # Errors
    /// The server's own.
    pub async fn role(&mut self) -> Result<Role> {
        self.ready().await?;
        self.in_flight = true;
        let outcome = self.driver.role().await;
        self.landed(outcome)
    }

    /// What tables, views, columns, indexes and the like exist.
    ///
    /// # Errors
    /// The server's own.
    pub async fn catalog(&mut self, options: &CatalogOptions) -> Result<Catalog> {
        self.ready().await?;
        self.in_flight = true;
        let outcome = self.driver.catalog(options).await;
        self.landed(outcome)
    }

    /// Numbers about the server's and the database's state.
    ///
    /// # Errors
    /// The server's own.
    pub async fn probe(&mut self) -> Result<Vec<Measurement>> {
        self.ready().await?;
        self.in_flight = true;
        let outcome = self.driver.probe().await;
        self.landed(outcome)
    }

    /// Ends the session in good order. Dropping a connection closes it too, without a farewell.
    ///
    /// # Errors
    /// When the farewell could not be said; the connection is gone all the same.
    pub async fn close(self) -> Result<()> {
        self.driver.close().await
    }

    /// Makes sure that a statement may run now, and that it runs in the transaction it is meant for.
    async fn ready(&mut self) -> Result<()> {
        self.clean_up().await?;
        if self.undone {
            return Err(Error::new(
                ErrorKind::Statement,
                "the server rolled this transaction back after an earlier error",
            )
            .with_hint("end it and run the whole transaction again"));
        }
        Ok(())
    }

    /// Cleans up after dropped futures and transactions.
    async fn clean_up(&mut self) -> Result<()> {
        if self.broken {
            return Err(given_up());
        }
        if self.in_flight {
            if let Err(error) = self.driver.recover().await {
                self.broken = true;
                return Err(error);
            }
            self.in_flight = false;
            self.undone |= self.was_undone();
        }
        if let Some(level) = self.abandoned {
            self.unwind(level).await?;
            self.abandoned = None;
        }
        Ok(())
    }

    /// Rolls back to before `level` was entered.
    async fn unwind(&mut self, level: u32) -> Result<()> {
        let open = self.driver.transaction_state() != TransactionState::Idle;
        if level <= 1 {
            if open {
                self.run("ROLLBACK").await?;
            }
            self.undone = false;
        } else if open {
            let name = savepoint(level);
            self.run(&format!("ROLLBACK TO SAVEPOINT {name}")).await?;
            self.run(&format!("RELEASE SAVEPOINT {name}")).await?;
        }
        self.depth = level.saturating_sub(1);
        Ok(())
    }

    /// Ends the transaction or savepoint of this level.
    pub(crate) async fn leave(&mut self, level: u32, commit: bool) -> Result<()> {
        self.clean_up().await?;
        if self.undone {
            self.depth = level - 1;
            self.undone = self.depth > 0;
            if commit {
                return Err(Error::new(
                    ErrorKind::Statement,
                    "nothing was committed: the server had rolled this transaction back after an earlier error",
                ));
            }
            return Ok(());
        }
        if self.depth < level || self.driver.transaction_state() == TransactionState::Idle {
            // A statement ended it behind our back: some servers commit before a schema change.
            self.depth = level - 1;
            if !commit {
                return Err(Error::new(
                    ErrorKind::Statement,
                    "nothing is left to roll back: a statement ended the transaction",
                )
                .with_hint("some servers commit before every schema change"));
            }
            return Ok(());
        }
        if !commit {
            return self.unwind(level).await;
        }
        if self.driver.transaction_state() == TransactionState::Failed {
            // PostgreSQL answers COMMIT of a failed transaction with a rollback and no error.
            self.unwind(level).await?;
            return Err(Error::new(
                ErrorKind::Statement,
                "the transaction had failed and was rolled back instead of committed",
            ));
        }
        match level {
            1 => self.run("COMMIT").await?,
            _ => self.run(&format!("RELEASE SAVEPOINT {}", savepoint(level))).await?,
        }
        self.depth = level - 1;
        Ok(())
    }

    /// Remembers that this level was dropped without an end.
    pub(crate) fn abandon(&mut self, level: u32) {
        if self.depth >= level {
            self.abandoned = Some(self.abandoned.map_or(level, |outer| outer.min(level)));
        }
    }

    fn watch(&mut self, caller: &'static Location<'static>) -> Unstarted {
        Unstarted { observer: self.observer.clone(), caller: self.on_behalf_of.take().unwrap_or(caller) }
    }

    async fn run(&mut self, sql: &str) -> Result<()> {
        self.in_flight = true;
        let outcome = self.driver.script(sql).await;
        self.landed(outcome)
    }

    /// Takes note of an answer.
    fn landed<T>(&mut self, outcome: Result<T>) -> Result<T> {
        self.in_flight = false;
        if let Err(error) = &outcome {
            self.broken |= error.is_connection_lost();
            self.retry_may_help |= error.is_retryable();
            self.undone |= self.was_undone();
        }
        outcome
    }

    /// Whether the transaction we are in is gone on the server. Asked after an error or an interruption only: a statement
    /// that succeeds may have committed it, which some servers do before a schema change.
    fn was_undone(&self) -> bool {
        self.depth > 0 && self.driver.transaction_state() == TransactionState::Idle
    }
}

/// An observer about to watch a statement.
struct Unstarted {
    observer: Option<Arc<dyn Observer>>,
    caller: &'static Location<'static>,
}

impl Unstarted {
    /// The text is copied only where somebody listens.
    fn started(self, sql: &str) -> Watch {
        let Self { observer, caller } = self;
        Watch {
            watched: observer.map(|observer| Watched { observer, caller, sql: sql.to_owned(), since: Instant::now() }),
        }
    }
}

/// Watches one statement and tells the observer how it ended; dropped before, it tells that too.
pub(crate) struct Watch {
    watched: Option<Watched>,
}

struct Watched {
    observer: Arc<dyn Observer>,
    caller: &'static Location<'static>,
    sql: String,
    since: Instant,
}

impl Watch {
    fn ended<T>(self, outcome: &Result<T>, rows: impl FnOnce(&T) -> u64) {
        match outcome {
            Ok(value) => self.done(rows(value)),
            Err(error) => self.failed(error),
        }
    }

    pub(crate) fn done(mut self, rows: u64) {
        self.tell(Outcome::Done { rows });
    }

    pub(crate) fn failed(mut self, error: &Error) {
        self.tell(Outcome::Failed(error));
    }

    fn tell(&mut self, outcome: Outcome<'_>) {
        if let Some(Watched { observer, caller, sql, since }) = self.watched.take() {
            observer.statement_finished(&Statement { sql: &sql, duration: since.elapsed(), outcome, caller });
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tell(Outcome::Dropped);
    }
}

fn savepoint(level: u32) -> String {
    format!("dbkeep_{level}")
}

fn given_up() -> Error {
    Error::new(
        ErrorKind::ConnectionLost,
        "this connection was given up after an earlier error or a cancelled statement",
    )
    .with_hint("open a new connection")
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", self.server())
            .field("condition", &self.condition())
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}
