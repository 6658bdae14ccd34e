//! What a statement runs on: the pool of a database, or one connection.

use crate::{Connection, Database, Error, Lease, Result};
use dbkeep_engine::{self as engine, Capabilities, ErrorKind, Executed, Row};
use dbkeep_sql::{CompileError, Compiled, Dialect};
use futures_util::future::{Either, ready};
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// What a statement runs on.
#[derive(Clone)]
pub(super) enum On<'d> {
    /// Any connection of the pool, for a statement at a time.
    Database(&'d Database),
    /// This connection. Shared, so that a query can be cloned; statements of the clones take turns.
    Connection { shared: Shared<'d>, dialect: Arc<dyn Dialect>, capabilities: Capabilities },
}

impl<'d> On<'d> {
    pub(super) fn connection(connection: &'d mut Connection) -> Self {
        let (dialect, capabilities) = (connection.dialect(), connection.server().capabilities);
        Self::Connection { shared: Shared::new(connection), dialect, capabilities }
    }

    pub(super) fn dialect(&self) -> &dyn Dialect {
        match self {
            On::Database(database) => database.dialect(),
            On::Connection { dialect, .. } => &**dialect,
        }
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        match self {
            On::Database(database) => database.server().capabilities,
            On::Connection { capabilities, .. } => *capabilities,
        }
    }

    /// A connection for several statements, or for one that writes.
    #[track_caller]
    pub(super) fn hold(&self) -> impl Future<Output = Result<Held<'d>>> + Send + use<'d> {
        let held = match self {
            On::Database(database) => Either::Left(database.acquire()),
            On::Connection { shared, .. } => Either::Right(shared.clone().take_turn()),
        };
        async move {
            Ok(match held {
                Either::Left(lease) => Held::Lease(lease.await?),
                Either::Right(guard) => Held::Shared(guard.await?),
            })
        }
    }

    /// A connection for what only reads.
    #[track_caller]
    pub(super) fn hold_to_read(&self) -> impl Future<Output = Result<Held<'d>>> + Send + use<'d> {
        let held = match self {
            On::Database(database) => Either::Left(database.acquire_read()),
            On::Connection { shared, .. } => Either::Right(shared.clone().take_turn()),
        };
        async move {
            Ok(match held {
                Either::Left(lease) => Held::Lease(lease.await?),
                Either::Right(guard) => Held::Shared(guard.await?),
            })
        }
    }

    /// Says that the connection, which is held, belongs to a stream from now on.
    pub(super) fn stream(&self) -> Option<Streaming> {
        let On::Connection { shared, .. } = self else { return None };
        shared.is_streamed.store(true, Ordering::Relaxed);
        Some(Streaming(shared.is_streamed.clone()))
    }

    /// Runs a statement for its rows.
    #[track_caller]
    pub(super) fn rows(
        &self,
        compiled: Result<Compiled, CompileError>,
    ) -> impl Future<Output = Result<Vec<Row>>> + Send + use<'d> {
        let caller = Location::caller();
        // No async block around it: each would hold the future twice, before and while it runs.
        match (compiled, self) {
            (Err(error), _) => Either::Left(ready(Err(Error::from(error)))),
            (Ok(Compiled { sql, params }), On::Database(database)) => {
                Either::Right(Either::Left(database.rows(sql, params)))
            }
            (Ok(compiled), On::Connection { shared, .. }) => {
                let guard = shared.clone().take_turn();
                Either::Right(Either::Right(async move {
                    let mut connection = guard.await?;
                    Ok(connection.on_behalf_of(caller).query(&compiled.sql, &compiled.params).await?)
                }))
            }
        }
    }

    /// Runs a statement and says what it did.
    #[track_caller]
    pub(super) fn run(
        &self,
        compiled: Result<Compiled, CompileError>,
    ) -> impl Future<Output = Result<Executed>> + Send + use<'d> {
        let (caller, held) = (Location::caller(), self.hold());
        async move {
            let Compiled { sql, params } = compiled?;
            Ok(held.await?.on_behalf_of(caller).execute(&sql, &params).await?)
        }
    }
}

impl fmt::Debug for On<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            On::Database(database) => database.fmt(f),
            On::Connection { dialect, .. } => f.debug_tuple("Connection").field(dialect).finish(),
        }
    }
}

/// One connection for several queries.
#[derive(Clone)]
pub(super) struct Shared<'d> {
    connection: Arc<Mutex<&'d mut Connection>>,
    /// Its turn is a stream's, which ends when whoever reads it goes on.
    is_streamed: Arc<AtomicBool>,
}

impl<'d> Shared<'d> {
    fn new(connection: &'d mut Connection) -> Self {
        Self { connection: Arc::new(Mutex::new(connection)), is_streamed: Arc::default() }
    }

    /// Waits until no other statement runs. Behind a stream, which often waits for the one who asks, it does not wait.
    async fn take_turn(self) -> Result<OwnedMutexGuard<&'d mut Connection>> {
        match self.connection.clone().try_lock_owned() {
            Ok(guard) => Ok(guard),
            Err(_) if self.is_streamed.load(Ordering::Relaxed) => Err(engine::Error::new(
                ErrorKind::Statement,
                "the connection is in the middle of a stream, and runs one statement at a time",
            )
            .with_hint("read the stream to its end or drop it first, or run the statement on another connection")
            .into()),
            Err(_) => Ok(self.connection.lock_owned().await),
        }
    }
}

/// That the connection's turn is a stream's, for as long as this lives.
pub(super) struct Streaming(Arc<AtomicBool>);

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A connection that nobody else uses for now.
pub(super) enum Held<'d> {
    Lease(Lease),
    Shared(OwnedMutexGuard<&'d mut Connection>),
}

impl Deref for Held<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Held::Lease(lease) => lease,
            Held::Shared(guard) => guard,
        }
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        match self {
            Held::Lease(lease) => lease,
            Held::Shared(guard) => guard,
        }
    }
}
