//! Transactions on a server made of a few lines, interrupted at every await there is.

#![allow(clippy::unwrap_used)]

use crate::{
    BulkTarget, Capabilities, Catalog, CatalogOptions, Condition, Connection, Driver, Error, ErrorKind, Executed,
    Measurement, Result, Role, Row, RowStream, ServerInfo, TransactionOptions, TransactionState, Version,
};
use async_trait::async_trait;
use dbkeep_sql::{Dialect, Value};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// What a server keeps: what was committed, and the open transaction with its savepoints.
#[derive(Debug, Default)]
struct Server {
    committed: Vec<String>,
    open: Option<Open>,
    failed: bool,
}

#[derive(Debug, Default)]
struct Open {
    writes: Vec<String>,
    /// Names, with how many writes there were.
    savepoints: Vec<(String, usize)>,
}

impl Server {
    fn run(&mut self, sql: &str) -> Result<()> {
        let nothing_open = || Error::new(ErrorKind::Statement, "no transaction is open");
        match sql.split_once(' ').unwrap_or((sql, "")) {
            ("BEGIN", _) => self.open = Some(Open::default()),
            ("COMMIT", "AND CHAIN") => {
                self.committed.extend(self.open.replace(Open::default()).ok_or_else(nothing_open)?.writes);
            }
            ("COMMIT", _) => self.committed.extend(self.open.take().ok_or_else(nothing_open)?.writes),
            ("ROLLBACK", "") => {
                self.open.take().ok_or_else(nothing_open)?;
                self.failed = false;
            }
            ("ROLLBACK", target) => {
                let name = target.strip_prefix("TO SAVEPOINT ").unwrap();
                let open = self.open.as_mut().ok_or_else(nothing_open)?;
                let Some(at) = open.savepoints.iter().rposition(|(known, _)| known == name) else {
                    return Err(Error::new(ErrorKind::Statement, "no such savepoint"));
                };
                open.writes.truncate(open.savepoints[at].1);
                open.savepoints.truncate(at + 1);
                self.failed = false;
            }
            ("SAVEPOINT", name) => {
                let open = self.open.as_mut().ok_or_else(nothing_open)?;
                open.savepoints.push((name.to_owned(), open.writes.len()));
            }
            ("RELEASE", target) => {
                let name = target.strip_prefix("SAVEPOINT ").unwrap();
                let open = self.open.as_mut().ok_or_else(nothing_open)?;
                let at = open.savepoints.iter().rposition(|(known, _)| known == name);
                open.savepoints.truncate(at.ok_or_else(|| Error::new(ErrorKind::Statement, "no such savepoint"))?);
            }
            // A deadlock: the whole transaction is gone.
            ("DEADLOCK", _) => {
                self.open = None;
                return Err(Error::new(ErrorKind::Deadlock, "deadlock"));
            }
            // An error after which only a rollback is possible, as on PostgreSQL.
            ("FAIL", _) => {
                self.failed = self.open.is_some();
                return Err(Error::new(ErrorKind::Statement, "failed"));
            }
            // A schema change of a server that commits before it.
            ("ALTER", how) => {
                self.committed.extend(self.open.take().map(|open| open.writes).unwrap_or_default());
                if how == "badly" {
                    return Err(Error::new(ErrorKind::NotFound, "no such table"));
                }
            }
            ("WRITE", what) if self.failed => {
                return Err(Error::new(ErrorKind::Statement, format!("{what}: the transaction has failed")));
            }
            ("WRITE", what) => match &mut self.open {
                Some(open) => open.writes.push(what.to_owned()),
                None => self.committed.push(what.to_owned()),
            },
            _ => panic!("{sql}"),
        }
        Ok(())
    }
}

/// A driver that gives way before the server has a statement and before its answer is there.
struct Fake {
    server: Arc<Mutex<Server>>,
    info: ServerInfo,
}

impl Fake {
    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap()
    }

    async fn ask(&self, sql: &str) -> Result<()> {
        give_way().await;
        let outcome = self.server().run(sql);
        give_way().await;
        outcome
    }
}

/// Pending once.
async fn give_way() {
    let mut is_second = false;
    std::future::poll_fn(|_| match std::mem::replace(&mut is_second, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

#[derive(Debug)]
struct Plain;

impl Dialect for Plain {
    fn engine(&self) -> &'static str {
        "fake"
    }
}

#[async_trait]
impl Driver for Fake {
    fn server(&self) -> &ServerInfo {
        &self.info
    }

    fn dialect(&self) -> Arc<dyn Dialect> {
        Arc::new(Plain)
    }

    fn transaction_state(&self) -> TransactionState {
        let server = self.server();
        match (&server.open, server.failed) {
            (None, _) => TransactionState::Idle,
            (Some(_), true) => TransactionState::Failed,
            (Some(_), false) => TransactionState::Open,
        }
    }

    fn is_altered(&self) -> bool {
        false
    }

    fn is_closed(&self) -> bool {
        false
    }

    async fn execute(&mut self, sql: &str, _: &[Value]) -> Result<Executed> {
        self.ask(sql).await?;
        Ok(Executed::new(1, None))
    }

    async fn query(&mut self, sql: &str, _: &[Value]) -> Result<Vec<Row>> {
        self.ask(sql).await?;
        Ok(Vec::new())
    }

    async fn stream<'c>(&'c mut self, sql: &str, _: &[Value]) -> Result<RowStream<'c>> {
        self.ask(sql).await?;
        Ok(RowStream::new(Arc::new([]), Box::pin(futures_util::stream::empty())))
    }

    async fn script(&mut self, sql: &str) -> Result<()> {
        self.ask(sql).await
    }

    async fn bulk_insert(
        &mut self,
        target: &BulkTarget,
        rows: &mut (dyn Iterator<Item = Vec<Value>> + Send),
    ) -> Result<u64> {
        self.ask(&format!("WRITE {}", target.table())).await?;
        Ok(rows.count() as u64)
    }

    async fn begin(&mut self, _: &TransactionOptions) -> Result<()> {
        self.ask("BEGIN").await
    }

    async fn ping(&mut self) -> Result<()> {
        Ok(())
    }

    async fn recover(&mut self) -> Result<()> {
        give_way().await;
        Ok(())
    }

    async fn reset(&mut self) -> Result<()> {
        (self.server().open, self.server().failed) = (None, false);
        Ok(())
    }

    async fn try_lock(&mut self, _: &str) -> Result<bool> {
        Ok(true)
    }

    async fn unlock(&mut self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn lock_holder(&mut self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }

    async fn role(&mut self) -> Result<Role> {
        Ok(Role::Primary)
    }

    async fn catalog(&mut self, _: &CatalogOptions) -> Result<Catalog> {
        Err(Error::new(ErrorKind::Unsupported, "no catalog"))
    }

    fn blueprint(&self, _: &crate::Table) -> crate::TableBlueprint {
        crate::TableBlueprint::default()
    }

    async fn probe(&mut self) -> Result<Vec<Measurement>> {
        Ok(Vec::new())
    }

    async fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

fn connected(transactional_ddl: bool) -> (Connection, Arc<Mutex<Server>>) {
    let server = Arc::<Mutex<Server>>::default();
    let capabilities = Capabilities { transactional_ddl, ..Capabilities::default() };
    let info = ServerInfo { engine: "fake", product: "Fake", version: Version::default(), capabilities };
    (Connection::new(Box::new(Fake { server: server.clone(), info })), server)
}

/// Runs a future to its end, or drops it once it was pending so many times.
fn run<T>(future: impl Future<Output = T>, pending: usize) -> Option<T> {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..=pending {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
    }
    None
}

fn finish<T>(future: impl Future<Output = T>) -> T {
    run(future, usize::MAX - 1).unwrap()
}

async fn write(connection: &mut Connection, what: &str) -> Result<()> {
    connection.execute(&format!("WRITE {what}"), &[]).await.map(drop)
}

fn committed(server: &Mutex<Server>) -> Vec<String> {
    let server = server.lock().unwrap();
    assert!(server.open.is_none(), "a transaction is left open: {server:?}");
    server.committed.clone()
}

/// Everything one does in a transaction.
async fn work(connection: &mut Connection) -> Result<()> {
    let mut outer = connection.transaction().await?;
    write(&mut outer, "a").await?;
    let mut kept = outer.transaction().await?;
    write(&mut kept, "b").await?;
    let mut undone = kept.transaction().await?;
    write(&mut undone, "x").await?;
    undone.rollback().await?;
    kept.commit().await?;
    let mut dropped = outer.transaction().await?;
    write(&mut dropped, "y").await?;
    drop(dropped);
    write(&mut outer, "c").await?;
    outer.commit().await
}

#[test]
fn a_transaction_dropped_at_any_await_is_kept_whole_or_not_at_all() {
    let mut drops = 0;
    for pending in 0.. {
        let (mut connection, server) = connected(true);
        let outcome = run(work(&mut connection), pending);
        let is_over = outcome.is_some();
        if !is_over {
            assert_ne!(connection.condition(), Condition::Clean, "dropped after {pending}");
        }
        // Whoever comes next works outside of it, however often that is interrupted, too.
        for again in [0, 1, 2, 3, 5, 7] {
            let _ = run(connection.ping(), again);
        }
        finish(write(&mut connection, "z")).unwrap();
        assert_eq!(connection.condition(), Condition::Clean);
        let found = committed(&server);
        match outcome {
            Some(outcome) => {
                outcome.unwrap();
                assert_eq!(found, ["a", "b", "c", "z"]);
                break;
            }
            None => assert!(found == ["z"] || found == ["a", "b", "c", "z"], "dropped after {pending}: {found:?}"),
        }
        drops += 1;
    }
    assert!(drops > 25, "each statement gives way twice: {drops}");
}

#[test]
fn a_savepoint_whose_end_is_dropped_is_rolled_back_or_takes_the_transaction_with_it() {
    let (mut kept_rest, mut lost_all) = (0, 0);
    for commit in [true, false] {
        for pending in 0..3 {
            let (mut connection, server) = connected(true);
            let outcome = finish(async {
                let mut outer = connection.transaction().await?;
                write(&mut outer, "a").await?;
                let mut nested = outer.transaction().await?;
                write(&mut nested, "b").await?;
                let ended = if commit { run(nested.commit(), pending) } else { run(nested.rollback(), pending) };
                if let Some(outcome) = ended {
                    outcome?;
                    return Ok(true);
                }
                write(&mut outer, "c").await?;
                outer.commit().await?;
                Ok::<_, Error>(false)
            });
            if matches!(outcome, Ok(true)) {
                continue;
            }
            finish(write(&mut connection, "z")).unwrap();
            let found = committed(&server);
            match outcome {
                Ok(_) => {
                    assert_eq!(found, ["a", "c", "z"], "what was in the savepoint is gone");
                    kept_rest += 1;
                }
                Err(error) => {
                    assert_eq!(error.to_string(), "the server rolled this transaction back after an earlier error");
                    assert_eq!(found, ["z"], "nothing is kept in part");
                    lost_all += 1;
                }
            }
        }
    }
    assert_eq!((kept_rest, lost_all), (4, 1), "only a release that had taken place cannot be undone alone");
}

async fn deadlock(inside: &mut Connection, streamed: bool) {
    let error = match streamed {
        true => inside.stream("DEADLOCK", &[]).await.map(drop).unwrap_err(),
        false => inside.execute("DEADLOCK", &[]).await.unwrap_err(),
    };
    assert!(error.is_retryable() && inside.retry_may_help());
    write(inside, "outside").await.unwrap_err();
}

#[test]
fn an_error_that_undoes_the_transaction_stops_its_statements_however_it_comes() {
    for (nested, streamed) in [(false, false), (false, true), (true, false), (true, true)] {
        let (mut connection, server) = connected(true);
        finish(async {
            let mut outer = connection.transaction().await.unwrap();
            write(&mut outer, "a").await.unwrap();
            if nested {
                let mut inner = outer.transaction().await.unwrap();
                deadlock(&mut inner, streamed).await;
                inner.commit().await.unwrap_err();
                write(&mut outer, "outside").await.unwrap_err();
            } else {
                deadlock(&mut outer, streamed).await;
            }
            outer.commit().await.unwrap_err();
            assert!(connection.retry_may_help());
            let again = connection.transaction().await.unwrap();
            assert!(!again.retry_may_help(), "that was another transaction");
            again.commit().await.unwrap();
            write(&mut connection, "z").await.unwrap();
        });
        assert_eq!(committed(&server), ["z"], "nested {nested}, streamed {streamed}");
    }
}

#[test]
fn a_failed_transaction_is_never_said_to_be_committed() {
    let (mut connection, server) = connected(true);
    finish(async {
        let mut outer = connection.transaction().await.unwrap();
        write(&mut outer, "a").await.unwrap();
        let mut nested = outer.transaction().await.unwrap();
        nested.execute("FAIL", &[]).await.unwrap_err();
        let error = nested.commit().await.unwrap_err();
        assert_eq!(error.to_string(), "the transaction had failed and was rolled back instead of committed");
        // The savepoint took the failure with it.
        write(&mut outer, "b").await.unwrap();
        outer.commit().await.unwrap();
        let mut failed = connection.transaction().await.unwrap();
        failed.execute("FAIL", &[]).await.unwrap_err();
        failed.commit().await.unwrap_err();
        write(&mut connection, "z").await.unwrap();
    });
    assert_eq!(committed(&server), ["a", "b", "z"]);
}

#[test]
fn a_transaction_that_a_statement_ended_is_said_to_be_and_takes_no_more_statements() {
    const COMMITTED: &str = "ended by ALTER; what was done in it before is committed";
    // A server that commits before a schema change.
    let (mut connection, server) = connected(false);
    finish(async {
        let mut transaction = connection.transaction().await.unwrap();
        write(&mut transaction, "a").await.unwrap();
        transaction.execute("ALTER", &[]).await.unwrap();
        let error = write(&mut transaction, "b").await.unwrap_err();
        assert_eq!(error.to_string(), format!("not run: its transaction was {COMMITTED}"));
        let error = transaction.commit().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "nothing is left to commit: the transaction was ended before, by ALTER; what was done in it before is committed"
        );
        let mut transaction = connection.transaction().await.unwrap();
        transaction.execute("ALTER", &[]).await.unwrap();
        let error = transaction.rollback().await.unwrap_err();
        assert!(
            error.to_string().starts_with("nothing is left to roll back: the transaction was ended before, by ALTER")
        );
        // Of one inside another, both are over; and a stream ends them no less.
        let mut outer = connection.transaction().await.unwrap();
        let mut inner = outer.transaction().await.unwrap();
        write(&mut inner, "c").await.unwrap();
        while inner.stream("ALTER", &[]).await.unwrap().next().await.is_some() {}
        let error = write(&mut inner, "d").await.unwrap_err();
        assert_eq!(error.to_string(), format!("not run: its transaction was {COMMITTED}"));
        inner.commit().await.unwrap_err();
        let error = write(&mut outer, "e").await.unwrap_err();
        assert_eq!(error.to_string(), format!("not run: its transaction was {COMMITTED}"));
        drop(outer);
        write(&mut connection, "f").await.unwrap();
        // What fails after its commit has committed all the same.
        let mut transaction = connection.transaction().await.unwrap();
        write(&mut transaction, "g").await.unwrap();
        transaction.execute("ALTER badly", &[]).await.unwrap_err();
        let error = transaction.rollback().await.unwrap_err();
        assert!(error.to_string().contains("ended before, by ALTER badly; what was done in it before is committed"));
    });
    assert_eq!(committed(&server), ["a", "c", "f", "g"]);
    let (mut connection, server) = connected(true);
    finish(async {
        let mut transaction = connection.transaction().await.unwrap();
        write(&mut transaction, "a").await.unwrap();
        transaction.script("ROLLBACK").await.unwrap();
        let error = write(&mut transaction, "b").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "not run: its transaction was ended by ROLLBACK; what was done in it before is undone"
        );
        transaction.commit().await.unwrap_err();
        // Another one in its place is not taken for it.
        let mut transaction = connection.transaction().await.unwrap();
        write(&mut transaction, "c").await.unwrap();
        transaction.script("COMMIT AND CHAIN").await.unwrap();
        write(&mut transaction, "d").await.unwrap_err();
        transaction.commit().await.unwrap_err();
        let mut transaction = connection.transaction().await.unwrap();
        transaction.reset().await.unwrap();
        let error = transaction.commit().await.unwrap_err();
        assert_eq!(error.to_string(), "the transaction ended when the connection was reset");
        write(&mut connection, "z").await.unwrap();
    });
    assert_eq!(committed(&server), ["c", "z"]);
}
