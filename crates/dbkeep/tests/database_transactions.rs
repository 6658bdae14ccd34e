//! Transactions as closures: committed, rolled back, run again, on every engine.
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

#[macro_use]
mod database_targets;

use database_targets::Target;
use dbkeep::engine::TransactionState;
use dbkeep::{Connection, Database, Error, ErrorKind, Isolation, TransactionOptions};
use dbkeep_testkit::Kind;
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tokio::sync::{Barrier, Notify};

async fn add(tx: &mut Connection, name: &str) -> Result<(), Error> {
    tx.execute(&format!("INSERT INTO users (name) VALUES ('{name}')"), &[]).await?;
    Ok(())
}

async fn names(db: &Database) -> Vec<String> {
    db.table("users").order_by("name").pluck("name").await.unwrap()
}

on_every_engine! {
    what_the_body_returns_decides
    a_panic_in_the_body_rolls_back
    a_dropped_transaction_rolls_back
    a_transaction_inside_is_a_savepoint
    a_transaction_runs_in_a_spawned_task
    options_hold_for_the_transaction_and_no_longer
    a_transaction_left_open_as_text_is_gone_with_the_lease
    a_transaction_that_a_statement_ended_takes_no_more_statements
    a_schema_change_in_a_transaction_is_undone_with_it_or_ends_it
    a_caught_error_does_not_make_a_failed_transaction_commit
    interrupted_transactions_never_mix_with_the_next_borrowers_work
}

async fn what_the_body_returns_decides(target: &Target) {
    let db = target.open_with_users().await;
    let kept: Result<usize, Error> = db
        .transaction(async |tx| {
            add(tx, "Ada").await?;
            add(tx, "Bob").await?;
            assert_eq!(tx.transaction_state(), TransactionState::Open);
            Ok(tx.query("SELECT name FROM users", &[]).await?.len())
        })
        .await;
    assert_eq!(kept.unwrap(), 2);
    assert_eq!(names(&db).await, ["Ada", "Bob"]);

    // An error of one's own, of a type of one's own.
    #[derive(Debug)]
    enum Refusal {
        TooMany(u64),
        Database(Error),
    }
    impl From<Error> for Refusal {
        fn from(error: Error) -> Self {
            Self::Database(error)
        }
    }
    let refused: Result<(), Refusal> = db
        .transaction(async |tx| {
            add(tx, "Cyd").await?;
            Err(Refusal::TooMany(3))
        })
        .await;
    assert!(matches!(refused, Err(Refusal::TooMany(3))));
    let failed: Result<(), Refusal> = db
        .transaction(async |tx| {
            add(tx, "Dan").await?;
            add(tx, "Ada").await?;
            Ok(())
        })
        .await;
    let Err(Refusal::Database(error)) = failed else { panic!("{failed:?}") };
    assert_eq!(error.kind(), Some(ErrorKind::UniqueViolation));
    assert_eq!(names(&db).await, ["Ada", "Bob"]);
    assert_eq!(db.pool().stats().closed_total(), 0, "the connections are as good as new");
}

async fn a_panic_in_the_body_rolls_back(target: &Target) {
    let db = Database::open(target.settings().pool_size(0, 1)).await.unwrap();
    target.create_users(&db).await;
    let outcome = AssertUnwindSafe(db.transaction(async |tx| {
        add(tx, "Ada").await?;
        if tx.transaction_state() == TransactionState::Open {
            panic!("on purpose");
        }
        Ok::<_, Error>(())
    }))
    .catch_unwind()
    .await;
    assert!(outcome.is_err());
    assert_eq!(names(&db).await, [""; 0]);
}

async fn a_dropped_transaction_rolls_back(target: &Target) {
    let db = Database::open(target.settings().pool_size(0, 1)).await.unwrap();
    target.create_users(&db).await;
    let inside = Notify::new();
    {
        let running = db.transaction(async |tx| {
            add(tx, "Ada").await?;
            inside.notify_one();
            std::future::pending::<()>().await;
            Ok::<_, Error>(())
        });
        tokio::select! {
            outcome = running => panic!("{outcome:?}"),
            () = inside.notified() => {}
        }
    }
    assert_eq!(names(&db).await, [""; 0]);
    db.transaction(async |tx| add(tx, "Bob").await).await.unwrap();
    assert_eq!(names(&db).await, ["Bob"]);
}

async fn a_transaction_inside_is_a_savepoint(target: &Target) {
    let db = target.open_with_users().await;
    db.transaction(async |tx| {
        add(tx, "outer").await?;
        let mut kept = tx.transaction().await?;
        add(&mut kept, "kept").await?;
        let mut dropped = kept.transaction().await?;
        add(&mut dropped, "dropped").await?;
        drop(dropped);
        add(&mut kept, "after").await?;
        kept.commit().await?;
        let mut undone = tx.transaction().await?;
        add(&mut undone, "undone").await?;
        undone.rollback().await?;
        // An error inside a savepoint costs the savepoint and no more.
        let mut failed = tx.transaction().await?;
        add(&mut failed, "outer").await.unwrap_err();
        failed.rollback().await?;
        add(tx, "last").await
    })
    .await
    .unwrap();
    assert_eq!(names(&db).await, ["after", "kept", "last", "outer"]);
}

async fn a_transaction_runs_in_a_spawned_task(target: &Target) {
    let db = target.open_with_users().await;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let db = db.clone();
            let name = format!("user {number}");
            tokio::spawn(async move {
                db.transaction(async |tx| {
                    add(tx, &name).await?;
                    let mut nested = tx.transaction().await?;
                    nested.execute("UPDATE users SET points = points + 1 WHERE name = 'nobody'", &[]).await?;
                    nested.commit().await?;
                    Ok::<_, Error>(name.len())
                })
                .await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), 6);
    }
    assert_eq!(db.table("users").count().await.unwrap(), 8);
}

async fn options_hold_for_the_transaction_and_no_longer(target: &Target) {
    let db = Database::open(target.settings().pool_size(1, 1)).await.unwrap();
    target.create_users(&db).await;
    let read_only = TransactionOptions::default().read_only().isolation(Isolation::Serializable);
    let error = db.transaction_with(read_only, async |tx| add(tx, "Ada").await).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::ReadOnly), "{error}");
    db.transaction(async |tx| add(tx, "Bob").await).await.unwrap();
    assert_eq!(names(&db).await, ["Bob"]);
    let error = db
        .transaction(async |tx| {
            let nested = tx.transaction_with(&TransactionOptions::default().read_only()).await?;
            nested.commit().await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "a savepoint cannot have an isolation level or be read-only");
    assert_eq!(error.hint(), Some("set them on the outer transaction"));
}

async fn a_transaction_left_open_as_text_is_gone_with_the_lease(target: &Target) {
    let db = Database::open(target.settings().pool_size(1, 1)).await.unwrap();
    target.create_users(&db).await;
    let mut lease = db.acquire().await.unwrap();
    lease.script("BEGIN; INSERT INTO users (name) VALUES ('Ada')").await.unwrap();
    let error = lease.transaction().await.unwrap_err();
    assert_eq!(error.to_string(), "a transaction is open already, started by a statement of its own");
    drop(lease);
    assert_eq!(names(&db).await, [""; 0]);
    assert_eq!(db.pool().stats().resets, 1);
}

async fn a_transaction_that_a_statement_ended_takes_no_more_statements(target: &Target) {
    let db = target.open_with_users().await;
    let outcome = db
        .transaction(async |tx| {
            add(tx, "Ada").await?;
            tx.script("ROLLBACK").await?;
            add(tx, "Bob").await
        })
        .await;
    let error = outcome.unwrap_err();
    assert_eq!(
        error.engine().unwrap().to_string(),
        "not run: its transaction was ended by ROLLBACK; what was done in it before is undone"
    );
    assert_eq!(error.hint(), Some("use either BEGIN and COMMIT as statements or transaction(), not both"));
    let outcome = db
        .transaction(async |tx| {
            add(tx, "Cyd").await?;
            tx.execute("COMMIT", &[]).await?;
            add(tx, "Dan").await.unwrap_err();
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(
        outcome.unwrap_err().engine().unwrap().to_string(),
        "nothing is left to commit: the transaction was ended before, by COMMIT; what was done in it before is committed"
    );
    assert_eq!(names(&db).await, ["Cyd"]);
    // From inside a savepoint, too; and one that stands in its place is not taken for it.
    let outcome = db
        .transaction(async |tx| {
            add(tx, "Eve").await?;
            let mut inner = tx.transaction().await?;
            inner.script("COMMIT; BEGIN").await?;
            add(&mut inner, "Fay").await.unwrap_err();
            inner.commit().await.unwrap_err();
            add(tx, "Gus").await
        })
        .await;
    assert!(outcome.unwrap_err().to_string().starts_with("not run: its transaction was ended by COMMIT; "));
    assert_eq!(names(&db).await, ["Cyd", "Eve"]);
    db.transaction(async |tx| add(tx, "Hal").await).await.unwrap();
    assert_eq!(names(&db).await, ["Cyd", "Eve", "Hal"]);
}

/// MySQL and MariaDB commit before a schema change; the others do it in the transaction.
async fn a_schema_change_in_a_transaction_is_undone_with_it_or_ends_it(target: &Target) {
    let db = target.open_with_users().await;
    let commits_first = !db.server().capabilities.transactional_ddl;
    let outcome = db
        .transaction(async |tx| {
            add(tx, "Ada").await?;
            tx.schema()
                .create("notes", |table| {
                    table.id();
                    table.string("text", 100).index();
                })
                .await?;
            add(tx, "Bob").await?;
            Err::<(), _>(Error::settings("on purpose"))
        })
        .await;
    let error = outcome.unwrap_err();
    let made = db.schema().has_table("notes").await.unwrap();
    if !commits_first {
        assert_eq!(error.to_string(), "on purpose");
        assert!(!made);
        assert_eq!(names(&db).await, [""; 0]);
        return;
    }
    assert_eq!(
        error.engine().unwrap().to_string(),
        "not run: its transaction was ended by CREATE TABLE `notes` …; what was done in it before is committed"
    );
    assert_eq!(
        error.hint(),
        Some(
            "this server commits before schema changes, TRUNCATE and the like: run them before the transaction or after it"
        )
    );
    assert!(made, "the change itself is whole");
    assert_eq!(names(&db).await, ["Ada"]);
    for ending in ["TRUNCATE TABLE notes", "CREATE TABLE notes (a INT)", "BEGIN", "LOCK TABLES users WRITE"] {
        let outcome = db
            .transaction(async |tx| {
                add(tx, ending).await?;
                let _ = tx.script(ending).await;
                add(tx, "never").await.unwrap_err();
                Ok::<_, Error>(())
            })
            .await;
        let said = outcome.unwrap_err().engine().unwrap().to_string();
        assert!(
            said.contains("ended before, by ") && said.ends_with("; what was done in it before is committed"),
            "{said}"
        );
        assert!(names(&db).await.contains(&ending.to_owned()), "{ending}");
    }
    assert!(!names(&db).await.contains(&"never".to_owned()));
}

async fn a_caught_error_does_not_make_a_failed_transaction_commit(target: &Target) {
    let db = target.open_with_users().await;
    let outcome = db
        .transaction(async |tx| {
            add(tx, "Ada").await?;
            add(tx, "Ada").await.unwrap_err();
            Ok::<_, Error>(())
        })
        .await;
    // PostgreSQL has given the transaction up by then; the others have undone the one statement.
    match target.kind {
        Some(Kind::Postgres) => {
            assert_eq!(
                outcome.unwrap_err().engine().unwrap().to_string(),
                "the transaction had failed and was rolled back instead of committed"
            );
            assert_eq!(names(&db).await, [""; 0]);
        }
        _ => {
            outcome.unwrap();
            assert_eq!(names(&db).await, ["Ada"]);
        }
    }
}

/// Transactions with savepoints in them, dropped at any of their awaits. Whatever was interrupted, a transaction is kept
/// whole or not at all, and the next one gets a connection in order.
async fn interrupted_transactions_never_mix_with_the_next_borrowers_work(target: &Target) {
    let db = Database::open(target.settings().pool_size(1, 2)).await.unwrap();
    target.create_users(&db).await;
    for round in 0..60 {
        let polls = AtomicU32::new(0);
        let (first, second) = (format!("a{round}"), format!("b{round}"));
        let mut running = Box::pin(db.transaction(async |tx| {
            add(tx, &first).await?;
            let mut nested = tx.transaction().await?;
            add(&mut nested, &second).await?;
            nested.commit().await?;
            Ok::<_, Error>(())
        }));
        // Dropped after so many polls: a bit later in each round.
        let outcome = std::future::poll_fn(|context| match running.as_mut().poll(context) {
            std::task::Poll::Ready(outcome) => std::task::Poll::Ready(Some(outcome)),
            std::task::Poll::Pending if polls.fetch_add(1, SeqCst) >= round / 3 => std::task::Poll::Ready(None),
            std::task::Poll::Pending => std::task::Poll::Pending,
        })
        .await;
        drop(running);
        let found = names(&db).await;
        let there = (found.contains(&first), found.contains(&second));
        assert!(there.0 == there.1, "round {round}: half of it was kept: {there:?}");
        if let Some(outcome) = outcome {
            outcome.unwrap();
            assert_eq!(there, (true, true));
        }
        db.transaction(async |tx| add(tx, &format!("c{round}")).await).await.unwrap();
    }
    let found = names(&db).await;
    assert_eq!(found.iter().filter(|name| name.starts_with('c')).count(), 60);
}

/// Two transactions that update two rows in opposite order, each holding one when it wants the other.
async fn deadlock(kind: Kind) {
    let Some(target) = Target::on(kind) else { return };
    let db = target.open_with_users().await;
    db.transaction(async |tx| {
        add(tx, "Ada").await?;
        add(tx, "Bob").await
    })
    .await
    .unwrap();
    let (both_hold_one, runs) = (Barrier::new(2), AtomicU32::new(0));
    let swap = async |mine: &str, theirs: &str| {
        let first = AtomicU32::new(0);
        db.transaction(async |tx| {
            runs.fetch_add(1, SeqCst);
            tx.execute(&format!("UPDATE users SET points = points + 1 WHERE name = '{mine}'"), &[]).await?;
            if first.fetch_add(1, SeqCst) == 0 {
                both_hold_one.wait().await;
            }
            tx.execute(&format!("UPDATE users SET points = points + 1 WHERE name = '{theirs}'"), &[]).await?;
            Ok::<_, Error>(())
        })
        .await
    };
    let (one, two) = tokio::join!(swap("Ada", "Bob"), swap("Bob", "Ada"));
    one.unwrap();
    two.unwrap();
    assert_eq!(runs.load(SeqCst), 3, "the one that the server undid has run again");
    assert_eq!(db.table("users").pluck::<i64>("points").await.unwrap(), [2, 2]);
    assert_eq!(db.stats().failed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_on_mariadb_is_run_again() {
    deadlock(Kind::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_on_mysql_is_run_again() {
    deadlock(Kind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_on_postgres_is_run_again() {
    deadlock(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_cannot_be_serialised_run_again() {
    let Some(target) = Target::on(Kind::Postgres) else { return };
    let db = target.open_with_users().await;
    let (both_have_read, runs) = (Barrier::new(2), AtomicU32::new(0));
    // Each inserts a row only while there is none: one after the other, the second finds the first one's.
    let claim = async |name: &str| {
        let first = AtomicU32::new(0);
        let serializable = TransactionOptions::default().isolation(Isolation::Serializable);
        db.transaction_with(serializable, async |tx| {
            runs.fetch_add(1, SeqCst);
            let taken: i64 = tx.query_one("SELECT COUNT(*) FROM users", &[]).await?.get(0)?;
            if first.fetch_add(1, SeqCst) == 0 {
                both_have_read.wait().await;
            }
            if taken == 0 {
                add(tx, name).await?;
            }
            Ok::<_, Error>(taken == 0)
        })
        .await
        .unwrap()
    };
    let (one, two) = tokio::join!(claim("Ada"), claim("Bob"));
    assert!(one != two, "one of the two came first");
    assert_eq!((runs.load(SeqCst), names(&db).await.len()), (3, 1));
}

/// A body that fails each time in a way that running it again may help is run five times and no more.
async fn bounded(kind: Kind, failing: &str, expected: ErrorKind) {
    let Some(target) = Target::on(kind) else { return };
    let db = target.open_with_users().await;
    let runs = AtomicU32::new(0);
    let outcome: Result<(), Error> = db
        .transaction(async |tx| {
            add(tx, &format!("run {}", runs.fetch_add(1, SeqCst))).await?;
            tx.script(failing).await?;
            Ok(())
        })
        .await;
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (Some(expected), true), "{error}");
    assert_eq!(runs.load(SeqCst), 5);
    assert_eq!(names(&db).await, [""; 0]);

    // An error of one's own after a caught one of the server's is not the server's.
    let runs = AtomicU32::new(0);
    let refused: Result<(), Error> = db
        .transaction(async |_| {
            runs.fetch_add(1, SeqCst);
            Err(Error::settings("no"))
        })
        .await;
    assert_eq!((refused.unwrap_err().to_string().as_str(), runs.load(SeqCst)), ("no", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn running_again_is_bounded_on_mariadb() {
    bounded(Kind::Mariadb, "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213", ErrorKind::Deadlock).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn running_again_is_bounded_on_mysql() {
    bounded(Kind::Mysql, "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213", ErrorKind::Deadlock).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn running_again_is_bounded_on_postgres() {
    let failing = "DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = 'serialization_failure'; END $$";
    bounded(Kind::Postgres, failing, ErrorKind::Serialization).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_a_file_wait_for_each_other_instead_of_failing() {
    let target = Target::file();
    let db = target.open_with_users().await;
    let tasks: Vec<_> = (0..10)
        .map(|number| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    db.transaction(async |tx| {
                        // Read first, then write: with a lock taken only at the write, this would fail.
                        let count: i64 = tx.query_one("SELECT COUNT(*) FROM users", &[]).await?.get(0)?;
                        add(tx, &format!("user {count} by {number}")).await
                    })
                    .await
                    .unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(db.table("users").count().await.unwrap(), 200);
}
