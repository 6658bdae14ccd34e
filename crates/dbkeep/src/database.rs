//! The database as an application sees it: an engine, a pool in front of it, an observer behind each statement.

use crate::{Error, Opener, Result, Settings, Statistics, Totals};
use dbkeep_engine::{ConnectOptions, Executed, Row, RowStream, ServerInfo, Transaction, TransactionOptions, connect};
use dbkeep_pool::Pool;
use dbkeep_sql::{Dialect, Value};
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// A connection on loan from the pool of a [`Database`]. It goes back when it is dropped, rolled back first if need be.
pub type Lease = dbkeep_pool::Lease<Opener>;

/// The rows of a query with bounded memory, with the lease they come from.
pub type Rows<'l> = RowStream<'l>;

/// A database: cheap to clone, shared by all tasks.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    pool: Pool<Opener>,
    statistics: Arc<Statistics>,
    server: ServerInfo,
    dialect: Arc<dyn Dialect>,
}

/// How often a transaction is run in all when the server says that another run may help.
const TRANSACTION_ATTEMPTS: u32 = 5;

impl Database {
    /// Opens the database at this URL with every default.
    ///
    /// # Errors
    /// When the URL is wrong, or no connection can be opened; errors that can pass are tried again, three times in all.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::open(Settings::from_url(url)?).await
    }

    /// Opens a database with these settings: one connection at once, which proves the settings, the others as needed.
    ///
    /// # Errors
    /// As [`connect`](Database::connect), and when the pool's settings do not fit together.
    pub async fn open(settings: Settings) -> Result<Self> {
        let config = settings.pool_config();
        config.validate()?;
        let statistics = Arc::new(Statistics::new(&settings.name, settings.slow_query, settings.log_queries));
        let first = connect(&settings.options).await?;
        let (server, dialect) = (first.server().clone(), first.dialect());
        let opener = Opener::new(settings.options.clone(), statistics.clone()).starting_with(first);
        let pool = Pool::builder(opener).config(config).name(settings.name.as_str()).build()?;
        Ok(Self { inner: Arc::new(Inner { settings, pool, statistics, server, dialect }) })
    }

    /// The name it goes by.
    pub fn name(&self) -> &str {
        &self.inner.settings.name
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Where it is.
    pub fn options(&self) -> &ConnectOptions {
        &self.inner.settings.options
    }

    /// Which server answered when it was opened.
    pub fn server(&self) -> &ServerInfo {
        &self.inner.server
    }

    /// How it spells SQL.
    pub fn dialect(&self) -> &dyn Dialect {
        &*self.inner.dialect
    }

    /// The pool of its connections.
    pub fn pool(&self) -> &Pool<Opener> {
        &self.inner.pool
    }

    /// What its statements cost so far.
    pub fn stats(&self) -> Totals {
        self.inner.statistics.totals()
    }

    /// A connection of one's own for as long as the lease lives.
    ///
    /// # Errors
    /// When none can be had within `acquire_timeout`; the error says what it waited for and who holds the others.
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Result<Lease>> + Send {
        let lease = self.inner.pool.acquire();
        async move { Ok(lease.await?) }
    }

    /// Runs one statement and says what it did.
    ///
    /// # Errors
    /// The server's own, and when no connection can be had.
    #[track_caller]
    pub fn execute(
        &self,
        sql: &str,
        params: impl AsRef<[Value]> + Send,
    ) -> impl Future<Output = Result<Executed>> + Send {
        let (caller, lease) = (Location::caller(), self.acquire());
        async move { Ok(lease.await?.on_behalf_of(caller).execute(sql, params.as_ref()).await?) }
    }

    /// Runs one statement and collects its rows. For results that may be large, see
    /// [`Connection::stream`](dbkeep_engine::Connection::stream) on a lease.
    ///
    /// # Errors
    /// The server's own, and when no connection can be had.
    #[track_caller]
    pub fn query(
        &self,
        sql: &str,
        params: impl AsRef<[Value]> + Send,
    ) -> impl Future<Output = Result<Vec<Row>>> + Send {
        let (caller, lease) = (Location::caller(), self.acquire());
        async move { Ok(lease.await?.on_behalf_of(caller).query(sql, params.as_ref()).await?) }
    }

    /// As [`query`](Database::query), each row made into a struct, a tuple or, with one column, a value.
    ///
    /// # Errors
    /// The server's own, and `Decode` naming column, wanted and found type.
    #[track_caller]
    pub fn query_as<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: impl AsRef<[Value]> + Send,
    ) -> impl Future<Output = Result<Vec<T>>> + Send {
        let rows = self.query(sql, params);
        async move { Ok(rows.await?.iter().map(Row::decode).collect::<Result<_, _>>()?) }
    }

    /// The only row of a query.
    ///
    /// # Errors
    /// `RowCount` when there is none or more than one; the server's own.
    #[track_caller]
    pub fn query_one(&self, sql: &str, params: impl AsRef<[Value]> + Send) -> impl Future<Output = Result<Row>> + Send {
        let (caller, lease) = (Location::caller(), self.acquire());
        async move { Ok(lease.await?.on_behalf_of(caller).query_one(sql, params.as_ref()).await?) }
    }

    /// The row of a query that has one row or none.
    ///
    /// # Errors
    /// `RowCount` when there are several; the server's own.
    #[track_caller]
    pub fn query_opt(
        &self,
        sql: &str,
        params: impl AsRef<[Value]> + Send,
    ) -> impl Future<Output = Result<Option<Row>>> + Send {
        let (caller, lease) = (Location::caller(), self.acquire());
        async move { Ok(lease.await?.on_behalf_of(caller).query_opt(sql, params.as_ref()).await?) }
    }

    /// Runs a text of several statements, without parameters, until the first error.
    ///
    /// # Errors
    /// The server's own; what ran before the error stays done.
    #[track_caller]
    pub fn script(&self, sql: &str) -> impl Future<Output = Result<()>> + Send {
        let (caller, lease) = (Location::caller(), self.acquire());
        async move { Ok(lease.await?.on_behalf_of(caller).script(sql).await?) }
    }

    /// Runs `body` in a transaction: committed when it returns `Ok`, rolled back when it returns an error or is dropped.
    ///
    /// When the server reports a deadlock or a serialisation failure, the whole of it runs again, five times in all, with
    /// growing pauses; `body` must therefore have no effects outside the database that may not happen twice.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
    /// use dbkeep::{Database, Error, params};
    ///
    /// let db = Database::connect("sqlite::memory:").await?;
    /// db.script("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL); INSERT INTO accounts VALUES (1, 100), (2, 0)").await?;
    /// let moved: u64 = db
    ///     .transaction(async |tx| {
    ///         tx.execute("UPDATE accounts SET balance = balance - 30 WHERE id = ?", &params![1]).await?;
    ///         let done = tx.execute("UPDATE accounts SET balance = balance + 30 WHERE id = ?", &params![2]).await?;
    ///         Ok::<_, Error>(done.rows_affected)
    ///     })
    ///     .await?;
    /// assert_eq!(moved, 1);
    /// # Ok::<(), Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// What `body` returns, and what commit says. After a lost connection during a commit it is unknown whether it took
    /// place; that is never tried again.
    #[track_caller]
    pub fn transaction<T, E, F>(&self, body: F) -> impl Future<Output = Result<T, E>>
    where
        F: AsyncFnMut(&mut Transaction<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        self.transaction_with(TransactionOptions::default().immediate(), body)
    }

    /// As [`transaction`](Database::transaction), with an isolation level or read-only.
    ///
    /// # Errors
    /// As [`transaction`](Database::transaction).
    #[track_caller]
    pub fn transaction_with<T, E, F>(
        &self,
        options: TransactionOptions,
        mut body: F,
    ) -> impl Future<Output = Result<T, E>>
    where
        F: AsyncFnMut(&mut Transaction<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        let lease = self.acquire();
        async move {
            let mut lease = lease.await?;
            for attempt in 1.. {
                let mut transaction = lease.transaction_with(&options).await.map_err(Error::from)?;
                let outcome = match body(&mut transaction).await {
                    Ok(value) => transaction.commit().await.map(|()| value).map_err(|error| E::from(error.into())),
                    Err(error) => {
                        // The first failure wins; a rollback that fails too ends with the connection.
                        if let Err(trouble) = transaction.rollback().await {
                            tracing::debug!(%trouble, "rolling back after an error failed, too");
                        }
                        Err(error)
                    }
                };
                if outcome.is_ok() || attempt >= TRANSACTION_ATTEMPTS || !lease.retry_may_help() {
                    return outcome;
                }
                let pause = Duration::from_millis(10 << attempt).mul_f64(0.5 + fastrand::f64());
                tracing::debug!(attempt, pause_ms = pause.as_millis() as u64, "running a transaction again");
                tokio::time::sleep(pause).await;
            }
            unreachable!("the loop returns on its last attempt")
        }
    }

    /// Closes the pool: nothing is lent any more, borrowers are waited for (10 s at most), every connection says farewell.
    /// What the database's statements cost is logged, at info level.
    pub async fn close(&self) {
        self.inner.pool.close().await;
        let totals = self.stats();
        tracing::info!(
            connection = self.name(),
            statements = totals.statements,
            failed = totals.failed,
            slow = totals.slow,
            rows = totals.rows,
            total_ms = totals.time.as_secs_f64() * 1_000.0,
            mean_ms = totals.mean_time().as_secs_f64() * 1_000.0,
            "connection closed"
        );
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("name", &self.name())
            .field("target", &self.options().target())
            .field("server", self.server())
            .finish_non_exhaustive()
    }
}
