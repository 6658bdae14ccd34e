//! What a statement runs on: the pool of a database, or one connection.

use crate::{Connection, Database, Error, Lease, Result};
use dbkeep_engine::{Capabilities, Executed, Row};
use dbkeep_sql::{CompileError, Compiled, Dialect};
use futures_util::future::{Either, ready};
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// What a statement runs on.
#[derive(Clone)]
pub(super) enum On<'d> {
    /// Any connection of the pool, for a statement at a time.
    Database(&'d Database),
    /// This connection. Shared, so that a query can be cloned; statements of the clones take turns.
    Connection { shared: Arc<Mutex<&'d mut Connection>>, dialect: Arc<dyn Dialect>, capabilities: Capabilities },
}

impl<'d> On<'d> {
    pub(super) fn connection(connection: &'d mut Connection) -> Self {
        let (dialect, capabilities) = (connection.dialect(), connection.server().capabilities);
        Self::Connection { shared: Arc::new(Mutex::new(connection)), dialect, capabilities }
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
            On::Connection { shared, .. } => Either::Right(shared.clone().lock_owned()),
        };
        async move {
            Ok(match held {
                Either::Left(lease) => Held::Lease(lease.await?),
                Either::Right(guard) => Held::Shared(guard.await),
            })
        }
    }

    /// A connection for what only reads.
    #[track_caller]
    pub(super) fn hold_to_read(&self) -> impl Future<Output = Result<Held<'d>>> + Send + use<'d> {
        let held = match self {
            On::Database(database) => Either::Left(database.acquire_read()),
            On::Connection { shared, .. } => Either::Right(shared.clone().lock_owned()),
        };
        async move {
            Ok(match held {
                Either::Left(lease) => Held::Lease(lease.await?),
                Either::Right(guard) => Held::Shared(guard.await),
            })
        }
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
                let guard = shared.clone().lock_owned();
                Either::Right(Either::Right(async move {
                    let mut connection = guard.await;
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
