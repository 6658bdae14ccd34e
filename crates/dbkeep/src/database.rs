//! The database as an application sees it: an engine, a pool in front of it, an observer behind each statement.

use crate::pools::Pools;
use crate::{Error, Opener, PoolStats, Result, Settings, Statistics, Totals};
use dbkeep_engine::{ConnectOptions, Executed, Row, RowStream, ServerInfo, connect};
use dbkeep_pool::{AcquireError, Advice, Borrower, Pool, Room, Sample};
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
///
/// # One writer
/// A SQLite file takes one writer at a time and any number of readers beside it
/// ([`Capabilities::single_writer`](dbkeep_engine::Capabilities::single_writer)). With a pool of 2 connections or more, the first
/// of them writes and all others only read, so that no writer of this program meets another: they queue, and are served in
/// the order they came, instead of failing with `SQLITE_BUSY`.
///
/// | | goes to |
/// | --- | --- |
/// | [`execute`](Database::execute), [`script`](Database::script), [`transaction`](Database::transaction), [`acquire`](Database::acquire), what changes a [`table`](Database::table) | the writer |
/// | [`query`](Database::query) and its family, [`fetch`](Database::fetch), what reads a [`table`](Database::table) | the readers; the writer if SQLite finds, before it runs it, that the statement would write (`INSERT … RETURNING`), and for a `PRAGMA` |
/// | [`acquire_read`](Database::acquire_read), [`transaction_with`](Database::transaction_with) read-only | the readers |
///
/// A read that begins after a write has ended sees it. What is one connection's own (`last_insert_rowid()`, temporary tables)
/// belongs on a lease. Who holds the writer and asks the database for another, be it for a single statement, waits for
/// itself until `acquire_timeout`: inside a transaction, write through it. On files opened with `?mode=ro`, in memory, with
/// `max = 1` and on servers there is one pool, and everything goes there.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    pools: Pools,
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
        settings.validate()?;
        let first = connect(&settings.options).await?;
        let (server, dialect) = (first.server().clone(), first.dialect());
        let statistics = Arc::new(Statistics::new(
            settings.name.as_str(),
            dialect.clone(),
            settings.slow_query,
            settings.log_queries,
        ));
        let pools = Pools::open(&settings, first, &statistics).await?;
        Ok(Self { inner: Arc::new(Inner { settings, pools, statistics, server, dialect }) })
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

    /// The pool of its connections; of the one that writes, where there are [`readers`](Database::readers).
    pub fn pool(&self) -> &Pool<Opener> {
        &self.inner.pools.main
    }

    /// The pool of the connections that only read, where one writes beside them.
    pub fn readers(&self) -> Option<&Pool<Opener>> {
        self.inner.pools.readers.as_deref()
    }

    /// The numbers of all its connections, those that write and those that read.
    pub fn pool_stats(&self) -> PoolStats {
        self.inner.pools.stats()
    }

    /// What its statements cost so far.
    pub fn stats(&self) -> Totals {
        self.inner.statistics.totals()
    }

    /// The numbers at this moment of the pool whose size matters (on a SQLite file that of the readers), for a later
    /// [`advise`](Database::advise).
    pub fn sample(&self) -> Sample {
        self.sized_pool().sample()
    }

    /// What size of the pool would fit what was asked of it since then, and what the server has to give: its limit, and what other
    /// clients hold of it now.
    ///
    /// # Errors
    /// When no connection can be had, or the server does not say how it stands.
    #[track_caller]
    pub fn advise(&self, since: &Sample) -> impl Future<Output = Result<Advice>> + Send {
        let (caller, lease) = (Location::caller(), self.acquire_read());
        async move {
            let measured = lease.await?.on_behalf_of(caller).probe().await?;
            let number = |name| measured.iter().find(|each| each.name == name).map(|each| each.value as usize);
            let ours = self.sized_pool().stats().size;
            let room = number("connections_max").zip(number("connections_used"));
            let room = room.map(|(limit, used)| Room { limit, others: used.saturating_sub(ours) });
            Ok(self.sized_pool().advise(since, room))
        }
    }

    fn sized_pool(&self) -> &Pool<Opener> {
        self.readers().unwrap_or_else(|| self.pool())
    }

    /// A connection of one's own for as long as the lease lives: for temporary tables, for transactions that do not fit into
    /// [`transaction`](Database::transaction), for streams of statements that write. On a SQLite file it is the one that
    /// writes: for what only reads, take [`acquire_read`](Database::acquire_read).
    ///
    /// # Errors
    /// When none can be had within `acquire_timeout`; the error says what it waited for and who holds the others.
    ///
    /// # Cancellation
    /// Dropped, it takes none.
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Result<Lease>> + Send {
        let lease = self.inner.pools.main.acquire();
        async move { lease.await.map_err(|error| self.unavailable(error)) }
    }

    /// A connection of one's own for reading only: for streams and for several queries on one connection. On a SQLite file
    /// it is one of the readers, which refuse every statement that would write; elsewhere it is any connection, and must not
    /// be relied upon to write, since this is where replicas would come in.
    ///
    /// # Errors
    /// As [`acquire`](Database::acquire).
    ///
    /// # Cancellation
    /// Dropped, it takes none.
    #[track_caller]
    pub fn acquire_read(&self) -> impl Future<Output = Result<Lease>> + Send {
        let Pools { main, readers } = &self.inner.pools;
        let lease = readers.as_deref().unwrap_or(main).acquire();
        async move { Ok(lease.await?) }
    }

    /// What to say when there is no connection of the main pool.
    fn unavailable(&self, error: AcquireError<dbkeep_engine::Error>) -> Error {
        if self.readers().is_some() { Error::no_writer(error) } else { error.into() }
    }

    /// Runs one statement for its rows: by a reader if there are any and it does nothing but read, by the writer otherwise.
    #[track_caller]
    pub(crate) fn rows(
        &self,
        sql: impl AsRef<str> + Send,
        params: impl AsRef<[Value]> + Send,
    ) -> impl Future<Output = Result<Vec<Row>>> + Send {
        let caller = Location::caller();
        let reader = match self.readers() {
            Some(readers) if self.options().engine.looks_read_only(sql.as_ref()) => Some(readers.acquire()),
            _ => None,
        };
        let writer = self.acquire();
        async move {
            let (sql, params) = (sql.as_ref(), params.as_ref());
            if let Some(reader) = reader {
                let mut lease = reader.await?;
                if let Some(rows) = lease.on_behalf_of(caller).query_if_it_reads(sql, params).await? {
                    return Ok(rows);
                }
                // Given back before the writer is waited for, at the end of this block.
            }
            Ok(writer.await?.on_behalf_of(caller).query(sql, params).await?)
        }
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
    /// [`Connection::stream`](dbkeep_engine::Connection::stream) on a lease of [`acquire_read`](Database::acquire_read).
    ///
    /// # Errors
    /// The server's own, and when no connection can be had.
    #[track_caller]
    pub fn query(
        &self,
        sql: &str,
        params: impl AsRef<[Value]> + Send,
    ) -> impl Future<Output = Result<Vec<Row>>> + Send {
        self.rows(sql, params)
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
        let (caller, rows) = (Location::caller(), self.query(sql, params));
        async move {
            let decoded: Result<_, dbkeep_engine::Error> = rows.await?.iter().map(Row::decode).collect();
            Ok(decoded.map_err(|error| error.at(caller, sql))?)
        }
    }

    /// The only row of a query.
    ///
    /// # Errors
    /// `RowCount` when there is none or more than one; the server's own.
    #[track_caller]
    pub fn query_one(&self, sql: &str, params: impl AsRef<[Value]> + Send) -> impl Future<Output = Result<Row>> + Send {
        let (caller, rows) = (Location::caller(), self.rows(sql, params));
        async move { Ok(Row::only(rows.await?).map_err(|error| error.at(caller, sql))?) }
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
        let (caller, rows) = (Location::caller(), self.rows(sql, params));
        async move { Ok(Row::at_most_one(rows.await?).map_err(|error| error.at(caller, sql))?) }
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
        let left = self.inner.pools.close().await;
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
