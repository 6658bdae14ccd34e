//! The one connection type users meet: an engine's driver, and what is the same everywhere around it.

use crate::standing::{Standing, savepoint};
use crate::watch::Watcher;
use crate::{
    Catalog, CatalogOptions, Driver, Error, ErrorKind, Executed, Measurement, Observer, Result, Role, Row, RowStream,
    ServerInfo, Transaction, TransactionOptions, TransactionState,
};
use dbkeep_sql::{Dialect, Value};
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One live link to a database.
///
/// # Cancellation
/// Every future here may be dropped at any point. What was interrupted is cleaned up before the next use (stopped, read
/// to its end, rolled back); where the engine cannot do that, the connection is given up and says so. Rows of one query
/// never reach another.
pub struct Connection {
    pub(crate) driver: Box<dyn Driver>,
    pub(crate) standing: Standing,
    observer: Option<Arc<dyn Observer>>,
    /// Who to name as the caller of the next statement, where that is not who calls us.
    on_behalf_of: Option<&'static Location<'static>>,
}

/// A wait that no clock can express counts as this long.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

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
        Self { driver, standing: Standing::default(), observer: None, on_behalf_of: None }
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
        if self.standing.in_flight { TransactionState::Unknown } else { self.driver.transaction_state() }
    }

    /// When the server last answered on this connection, with an error or without; `None` before the first statement.
    pub fn last_answer(&self) -> Option<Instant> {
        self.standing.answered
    }

    /// What the connection is fit for, from what is already known.
    pub fn condition(&self) -> Condition {
        if self.standing.broken || self.driver.is_closed() {
            Condition::Broken
        } else if self.standing.in_flight
            || self.standing.depth > 0
            || self.standing.abandoned.is_some()
            || self.standing.restore.is_some()
            || self.driver.transaction_state() != TransactionState::Idle
            || self.driver.is_altered()
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

    /// Who was named as the caller of the next statement.
    pub(crate) fn taken_caller(&mut self) -> Option<&'static Location<'static>> {
        self.on_behalf_of.take()
    }

    /// Who is the caller of the next statement, which stays so.
    fn next_caller(&self, caller: &'static Location<'static>) -> &'static Location<'static> {
        self.on_behalf_of.unwrap_or(caller)
    }

    /// Runs one statement and says what it did.
    ///
    /// # Errors
    /// The server's own, by kind; see [`ErrorKind`].
    #[track_caller]
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> impl Future<Output = Result<Executed>> + Send {
        let watch = self.watch(Location::caller());
        async move {
            let caller = watch.caller();
            self.ready().await.map_err(|error| error.at(caller, sql))?;
            let watch = watch.started(sql);
            self.sends(sql);
            let outcome = self.driver.execute(sql, params).await;
            watch.ended(&outcome, |executed| executed.rows_affected);
            self.landed(outcome).map_err(|error| error.at(caller, sql))
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
            let caller = watch.caller();
            self.ready().await.map_err(|error| error.at(caller, sql))?;
            let watch = watch.started(sql);
            self.sends(sql);
            let outcome = self.driver.query(sql, params).await;
            watch.ended(&outcome, |rows| rows.len() as u64);
            self.landed(outcome).map_err(|error| error.at(caller, sql))
        }
    }

    /// As [`query`](Connection::query) on a connection [for reading](crate::ConnectOptions::for_reading), for a statement that
    /// may turn out to write: `None` then. It did not run, and no observer hears of it.
    ///
    /// # Errors
    /// The server's own, by kind.
    #[track_caller]
    pub fn query_if_it_reads(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> impl Future<Output = Result<Option<Vec<Row>>>> + Send {
        let watch = self.watch(Location::caller());
        async move {
            let caller = watch.caller();
            self.ready().await.map_err(|error| error.at(caller, sql))?;
            let watch = watch.started(sql);
            self.sends(sql);
            let outcome = self.driver.query(sql, params).await;
            match &outcome {
                // What cannot write fails with this kind before it has done anything at all.
                Err(error) if error.kind() == ErrorKind::ReadOnly => watch.forget(),
                _ => watch.ended(&outcome, |rows| rows.len() as u64),
            }
            match self.landed(outcome) {
                Err(error) if error.kind() == ErrorKind::ReadOnly => Ok(None),
                outcome => outcome.map(Some).map_err(|error| error.at(caller, sql)),
            }
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
        let caller = self.next_caller(Location::caller());
        let rows = self.query(sql, params);
        async move { rows.await?.iter().map(Row::decode).collect::<Result<_>>().map_err(|error| error.at(caller, sql)) }
    }

    /// The only row of a query.
    ///
    /// # Errors
    /// `RowCount` when there is none or more than one.
    #[track_caller]
    pub fn query_one(&mut self, sql: &str, params: &[Value]) -> impl Future<Output = Result<Row>> + Send {
        let caller = self.next_caller(Location::caller());
        let rows = self.query(sql, params);
        async move { Row::only(rows.await?).map_err(|error| error.at(caller, sql)) }
    }

    /// The row of a query that has one row or none.
    ///
    /// # Errors
    /// `RowCount` when there are several.
    #[track_caller]
    pub fn query_opt(&mut self, sql: &str, params: &[Value]) -> impl Future<Output = Result<Option<Row>>> + Send {
        let caller = self.next_caller(Location::caller());
        let rows = self.query(sql, params);
        async move { Row::at_most_one(rows.await?).map_err(|error| error.at(caller, sql)) }
    }

    /// Runs one statement and hands its rows over as they come, in bounded memory.
    ///
    /// # Errors
    /// The server's own, here or with a later row.
    #[track_caller]
    pub fn stream<'c>(&'c mut self, sql: &str, params: &[Value]) -> impl Future<Output = Result<RowStream<'c>>> + Send {
        let watch = self.watch(Location::caller());
        async move {
            let caller = watch.caller();
            self.ready().await.map_err(|error| error.at(caller, sql))?;
            let watch = watch.started(sql);
            self.sends(sql);
            let Self { driver, standing, .. } = self;
            match driver.stream(sql, params).await {
                Ok(stream) => Ok(stream.on(standing, watch.into_owned(), caller)),
                Err(error) => {
                    standing.in_flight = false;
                    // The driver is lent for as long as the stream might live: what the error did to the transaction is
                    // looked at before the next statement.
                    standing.failed(&error);
                    watch.failed(&error);
                    Err(error.at(caller, sql))
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
            let caller = watch.caller();
            self.ready().await.map_err(|error| error.at(caller, sql))?;
            let watch = watch.started(sql);
            self.sends(sql);
            let outcome = self.driver.script(sql).await;
            watch.ended(&outcome, |()| 0);
            self.landed(outcome).map_err(|error| error.at(caller, sql))
        }
    }

    /// Starts a transaction that may write; inside one, makes a savepoint.
    ///
    /// # Errors
    /// The server's own.
    ///
    /// # Cancellation
    /// Dropped, it leaves nothing open: what the server had begun by then is rolled back before the next statement.
    #[track_caller]
    pub fn transaction(&mut self) -> impl Future<Output = Result<Transaction<'_>>> + Send {
        self.transaction_with(&TransactionOptions::default().immediate())
    }

    /// Starts a transaction with these options; inside one, makes a savepoint, to which options do not apply.
    ///
    /// # Errors
    /// `Unsupported` when options are given for a savepoint; the server's own.
    ///
    /// # Cancellation
    /// As [`transaction`](Connection::transaction).
    #[track_caller]
    pub fn transaction_with<'c>(
        &'c mut self,
        options: &TransactionOptions,
    ) -> impl Future<Output = Result<Transaction<'c>>> + Send + use<'c> {
        let (watch, options) = (self.watch(Location::caller()), *options);
        async move {
            self.ready().await?;
            let level = self.standing.depth + 1;
            if level == 1 {
                self.begin(&options, watch).await?;
            } else {
                if options.isolation.is_some() || options.read_only {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        "a savepoint cannot have an isolation level or be read-only",
                    )
                    .with_hint("set them on the outer transaction"));
                }
                let sql = format!("SAVEPOINT {}", savepoint(level));
                let watch = watch.started(&sql);
                let outcome = self.run(&sql).await;
                watch.ended(&outcome, |()| 0);
                outcome?;
            }
            self.standing.depth = level;
            Ok(Transaction::new(self, level))
        }
    }

    async fn begin(&mut self, options: &TransactionOptions, watch: Watcher) -> Result<()> {
        if self.driver.transaction_state() != TransactionState::Idle {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a transaction is open already, started by a statement of its own",
            )
            .with_hint("use either BEGIN and COMMIT as statements or transaction(), not both"));
        }
        let caller = watch.caller();
        let watch = watch.started("BEGIN");
        self.standing.retry_may_help = false;
        // A level that is entered while the answer is outstanding: a dropped future leaves it to be unwound.
        self.standing.abandoned = Some(1);
        self.standing.in_flight = true;
        let outcome = self.driver.begin(options).await;
        self.standing.abandoned = None;
        watch.ended(&outcome, |()| 0);
        self.landed(outcome).map_err(|error| error.at(caller, "BEGIN"))
    }

    /// Whether an error since the last transaction began was a deadlock or a serialisation failure, after which the whole
    /// transaction may be run again.
    pub fn retry_may_help(&self) -> bool {
        self.standing.retry_may_help
    }

    /// Asks the server for a sign of life.
    ///
    /// # Errors
    /// `ConnectionLost` when there is none.
    pub async fn ping(&mut self) -> Result<()> {
        self.ready().await?;
        self.standing.in_flight = true;
        let outcome = self.driver.ping().await;
        self.landed(outcome)
    }

    /// Puts the session back to what it was after it was set up: no transaction, no locks, no temporary tables.
    ///
    /// # Errors
    /// When it cannot; the connection is to be closed then.
    pub async fn reset(&mut self) -> Result<()> {
        self.on_behalf_of = None;
        self.clean_up().await?;
        self.standing.in_flight = true;
        let outcome = self.driver.reset().await;
        self.standing = Standing { broken: outcome.is_err(), answered: self.standing.answered, ..Standing::default() };
        outcome
    }

    /// Takes a lock by name, waiting up to `wait`. `false` when another held it all the time. It ends with the session
    /// at the latest.
    ///
    /// # Errors
    /// The server's own.
    pub async fn lock(&mut self, name: &str, wait: Duration) -> Result<bool> {
        // Polled, never waited for on the server: on PostgreSQL a waiting session's snapshot blocks the holder's
        // CREATE INDEX CONCURRENTLY (flyway#1654, golang-migrate#960).
        let now = tokio::time::Instant::now();
        let deadline = now.checked_add(wait).unwrap_or(now + FOREVER);
        loop {
            self.ready().await?;
            self.standing.in_flight = true;
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
        self.standing.in_flight = true;
        let outcome = self.driver.unlock(name).await;
        self.landed(outcome)
    }

    /// Who holds a lock, in words for people, where that can be known.
    ///
    /// # Errors
    /// The server's own.
    pub async fn lock_holder(&mut self, name: &str) -> Result<Option<String>> {
        self.ready().await?;
        self.standing.in_flight = true;
        let outcome = self.driver.lock_holder(name).await;
        self.landed(outcome)
    }

    /// Whether the server takes writes.
    ///
    /// # Errors
    /// The server's own.
    pub async fn role(&mut self) -> Result<Role> {
        self.ready().await?;
        self.standing.in_flight = true;
        let outcome = self.driver.role().await;
        self.landed(outcome)
    }

    /// What tables, views, columns, indexes and the like exist.
    ///
    /// # Errors
    /// The server's own.
    pub async fn catalog(&mut self, options: &CatalogOptions) -> Result<Catalog> {
        self.ready().await?;
        self.standing.in_flight = true;
        let outcome = self.driver.catalog(options).await;
        self.landed(outcome)
    }

    /// Numbers about the server's and the database's state.
    ///
    /// # Errors
    /// The server's own.
    pub async fn probe(&mut self) -> Result<Vec<Measurement>> {
        self.ready().await?;
        self.standing.in_flight = true;
        let outcome = self.driver.probe().await;
        self.landed(outcome)
    }

    /// Ends the session in good order, and with it a statement that a dropped future left behind. Dropping a connection closes
    /// it too, without a farewell.
    ///
    /// # Errors
    /// When the farewell could not be said; the connection is gone all the same.
    pub async fn close(mut self) -> Result<()> {
        if self.standing.in_flight && !self.standing.broken {
            // The statement of a dropped future would run on, and hold its locks as long as it does. What it says matters to
            // nobody any more.
            let _ = self.driver.recover().await;
        }
        self.driver.close().await
    }

    /// Tells the observer how long the last statement waited for locks.
    pub(crate) fn tell_lock_wait(&mut self) {
        if let Some(wait) = self.driver.take_lock_wait()
            && let Some(observer) = &self.observer
        {
            observer.lock_waited(wait);
        }
    }

    pub(crate) fn watch(&mut self, caller: &'static Location<'static>) -> Watcher {
        Watcher::new(self.observer.clone(), self.on_behalf_of.take().unwrap_or(caller))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", self.server())
            .field("condition", &self.condition())
            .field("transaction_levels", &self.standing.depth)
            .finish_non_exhaustive()
    }
}
