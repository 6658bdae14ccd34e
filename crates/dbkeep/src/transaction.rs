//! Transactions as closures, run again where the server says that another run may help.

use crate::{Database, Error, Result};
use dbkeep_engine::{Condition, Connection, TransactionOptions};
use futures_util::future::Either;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

/// How often a transaction is run in all when the server says that another run may help.
const ATTEMPTS: u32 = 5;

/// What runs inside a transaction: an async closure that takes `&mut Connection` and returns a `Result`.
///
/// Implemented for every such closure; there is nothing to implement by hand. It exists because an `AsyncFnMut` alone does
/// not let the compiler see that the closure's future can move between threads, which `tokio::spawn` wants.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run in a transaction",
    note = "it must be an async closure such as `async |tx| {{ … }}`, without `move` and without changing what it captures, \
            since it may run several times; what it captures and returns must be `Send`"
)]
pub trait TransactionBody<'t, O>: Send {
    /// One run of it.
    type Run: Future<Output = O> + Send;

    /// Starts a run.
    fn run(&mut self, transaction: &'t mut Connection) -> Self::Run;
}

impl<'t, O, F, R> TransactionBody<'t, O> for F
where
    F: FnMut(&'t mut Connection) -> R + Send,
    R: Future<Output = O> + Send,
{
    type Run = R;

    fn run(&mut self, transaction: &'t mut Connection) -> R {
        self(transaction)
    }
}

impl Database {
    /// Runs `body` in a transaction: committed when it returns `Ok`, rolled back when it returns an error, panics or is
    /// dropped.
    ///
    /// The body gets the connection that is in the transaction; statements run through the database itself are outside of
    /// it, on another connection. A transaction inside the body ([`Connection::transaction`]) is a savepoint.
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
    /// What `body` returns, and what commit says. A statement that ends the transaction, be it COMMIT as text or a schema
    /// change or TRUNCATE on MySQL and MariaDB, which commit before those, leaves it over: every later statement in it and
    /// its commit fail, and say what had ended it. After a lost connection during a commit it is unknown whether it took
    /// place; that is never tried again.
    ///
    /// # Cancellation
    /// Dropped before the commit was sent, it is rolled back; dropped while it is on its way, whether it took place is
    /// unknown.
    #[track_caller]
    pub fn transaction<T, E, F>(&self, body: F) -> impl Future<Output = Result<T, E>> + Send
    where
        F: AsyncFnMut(&mut Connection) -> Result<T, E> + for<'t> TransactionBody<'t, Result<T, E>>,
        T: Send,
        E: From<Error> + Send,
    {
        self.transaction_with(TransactionOptions::default().immediate(), body)
    }

    /// As [`transaction`](Database::transaction), with an isolation level or read-only. A read-only one runs where
    /// [`acquire_read`](Database::acquire_read) leads.
    ///
    /// # Errors
    /// As [`transaction`](Database::transaction).
    ///
    /// # Cancellation
    /// As [`transaction`](Database::transaction).
    #[track_caller]
    pub fn transaction_with<T, E, F>(
        &self,
        options: TransactionOptions,
        mut body: F,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        F: AsyncFnMut(&mut Connection) -> Result<T, E> + for<'t> TransactionBody<'t, Result<T, E>>,
        T: Send,
        E: From<Error> + Send,
    {
        let caller = Location::caller();
        let lease = if options.read_only { Either::Left(self.acquire_read()) } else { Either::Right(self.acquire()) };
        async move {
            let mut lease = lease.await?;
            for attempt in 1.. {
                let mut transaction =
                    lease.on_behalf_of(caller).transaction_with(&options).await.map_err(Error::from)?;
                let outcome = match body.run(&mut transaction).await {
                    Ok(value) => {
                        transaction.on_behalf_of(caller);
                        transaction.commit().await.map(|()| value).map_err(|error| E::from(error.into()))
                    }
                    Err(error) => {
                        transaction.on_behalf_of(caller);
                        // The first failure wins; a rollback that fails, too, is made up for before the next use, unless a
                        // statement had ended the transaction: then a part of it stays, and the body's error tells nothing
                        // of that.
                        if let Err(trouble) = transaction.rollback().await {
                            if trouble.is_connection_lost() {
                                tracing::debug!(%trouble, "rolling back after an error failed, too");
                            } else {
                                tracing::warn!(%trouble, %caller, "a transaction that failed was not rolled back");
                            }
                        }
                        Err(error)
                    }
                };
                let is_final = attempt >= ATTEMPTS || !lease.retry_may_help() || lease.condition() == Condition::Broken;
                if outcome.is_ok() || is_final {
                    return outcome;
                }
                let pause = Duration::from_millis(10 << attempt).mul_f64(0.5 + fastrand::f64());
                tracing::debug!(attempt, pause_ms = pause.as_millis() as u64, %caller, "running a transaction again");
                tokio::time::sleep(pause).await;
            }
            unreachable!("the loop returns on its last attempt")
        }
    }
}
