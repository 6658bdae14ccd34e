//! The database as an application sees it: an engine, a pool in front of it, an observer behind each statement.

use crate::{Opener, Result, Settings, Statistics, Totals};
use dbkeep_engine::{ConnectOptions, Executed, Row, RowStream, ServerInfo, connect};
use dbkeep_pool::{Advice, Borrower, Pool, Room, Sample};
use dbkeep_sql::{Dialect, Value};
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

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

impl Database {
    /// Opens the database at this URL with every default.
    ///
    /// # Errors
    /// When the URL is wrong, or no connection can be opened. Errors that can pass (refused, timed out, starting up) are
    /// tried again, three times in all with pauses of 1 s and 2 s and some jitter; errors that cannot (password, unknown
    /// database, TLS) end it at once. No error repeats the URL or the password.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::open(Settings::from_url(url)?).await
    }

    /// Opens a database with these settings: one connection at once, which proves the settings, the others as needed.
    ///
    /// # Errors
    /// As [`connect`](Database::connect), and when the pool's settings do not fit together.
    ///
    /// # Cancellation
    /// Dropped, it leaves nothing open.
    pub async fn open(settings: Settings) -> Result<Self> {
        let config = settings.pool_config();
        config.validate()?;
        let first = connect(&settings.options).await?;
        let (server, dialect) = (first.server().clone(), first.dialect());
        let statistics = Arc::new(Statistics::new(
            settings.name.as_str(),
            dialect.clone(),
            settings.slow_query,
            settings.log_queries,
        ));
        let mut opener = Opener::new(settings.options.clone(), statistics.clone()).starting_with(first);
        if settings.is_private() {
            opener = opener.only_once();
        }
        let pool = Pool::builder(opener).config(config).name(settings.name.as_str()).build()?;
        // From here on the first connection is the pool's, to be counted, checked and closed like any other.
        drop(pool.acquire().await?);
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

    /// What size would fit what was asked of the pool since then (see [`Pool::sample`]), and what the server has to give: its limit,
    /// and what other clients hold of it now.
    ///
    /// # Errors
    /// When no connection can be had, or the server does not say how it stands.
    #[track_caller]
    pub fn advise(&self, since: &Sample) -> impl Future<Output = Result<Advice>> + Send {
        let (caller, lease) = (Location::caller(), self.acquire());
        async move {
            let measured = lease.await?.on_behalf_of(caller).probe().await?;
            let number = |name| measured.iter().find(|each| each.name == name).map(|each| each.value as usize);
            let ours = self.pool().stats().size;
            let room = number("connections_max").zip(number("connections_used"));
            let room = room.map(|(limit, used)| Room { limit, others: used.saturating_sub(ours) });
            Ok(self.pool().advise(since, room))
        }
    }

    /// A connection of one's own for as long as the lease lives: for streams, for temporary tables, for transactions that
    /// do not fit into [`transaction`](Database::transaction).
    ///
    /// # Errors
    /// When none can be had within `acquire_timeout`; the error says what it waited for and who holds the others.
    ///
    /// # Cancellation
    /// Dropped, it takes none.
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

    /// Closes the database for all its clones: nothing is lent any more, borrowers are waited for (10 s at most), every
    /// connection says farewell. Returns who still had one then; theirs are closed when they come back.
    ///
    /// What the database's statements cost is logged, at info level.
    ///
    /// # Cancellation
    /// It is closed from the first poll on; only the waiting ends.
    pub async fn close(&self) -> Vec<Borrower> {
        let left = self.inner.pool.close().await;
        for Borrower { location, held, .. } in &left {
            tracing::warn!(connection = self.name(), %location, ?held, "closed while a connection is still in use");
        }
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
        left
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
