//! Bulk inserts on SQLite: what a table's own rules do to rows, and other connections.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::sql::{Value, params};
use dbkeep_engine::{ConnectOptions, Connection, ErrorKind, TransactionState, connect};
use std::time::Duration;

const COLUMNS: [&str; 2] = ["id", "note"];

fn file(directory: &tempfile::TempDir) -> ConnectOptions {
    format!("sqlite://{}/bulk.db", directory.path().display()).parse().unwrap()
}

fn rows(ids: std::ops::Range<i64>) -> impl Iterator<Item = Vec<Value>> + Send {
    ids.map(|id| params![id, format!("row {id}")])
}

async fn number(connection: &mut Connection, sql: &str) -> i64 {
    connection.query_one(sql, &[]).await.unwrap().get(0).unwrap()
}

const COUNT: &str = "SELECT count(*) FROM t";

#[tokio::test(flavor = "multi_thread")]
async fn a_tables_own_conflict_clause_holds_and_is_counted() {
    let mut connection = connect(&"sqlite::memory:".parse().unwrap()).await.unwrap();
    connection.script("CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT IGNORE, note TEXT)").await.unwrap();
    let twice = rows(0..1_000).chain(rows(500..1_500));
    assert_eq!(connection.bulk_insert("t", COLUMNS, twice).await.unwrap(), 1_500);
    assert_eq!(number(&mut connection, COUNT).await, 1_500);
    connection
        .script("DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT FAIL, note TEXT)")
        .await
        .unwrap();
    let error = connection.bulk_insert("t", COLUMNS, rows(0..1_000).chain(rows(7..8))).await.unwrap_err();
    assert_eq!(error.to_string(), "row 1001: UNIQUE constraint failed: t.id (1555)");
    assert_eq!(number(&mut connection, COUNT).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_that_rolls_back_takes_the_transaction_along_and_says_so() {
    let mut connection = connect(&"sqlite::memory:".parse().unwrap()).await.unwrap();
    connection.script("CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT ROLLBACK, note TEXT)").await.unwrap();
    connection.bulk_insert("t", COLUMNS, rows(0..10).chain(rows(3..4))).await.unwrap_err();
    assert_eq!(connection.transaction_state(), TransactionState::Idle);
    let mut transaction = connection.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (100, 'x')", &[]).await.unwrap();
    transaction.bulk_insert("t", COLUMNS, rows(0..10).chain(rows(3..4))).await.unwrap_err();
    transaction.execute("INSERT INTO t VALUES (101, 'x')", &[]).await.expect_err("the transaction is gone");
    transaction.rollback().await.unwrap();
    assert_eq!(number(&mut connection, COUNT).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_constraint_undoes_everything_at_the_end() {
    let mut connection = connect(&"sqlite::memory:".parse().unwrap()).await.unwrap();
    connection
        .script(
            "CREATE TABLE p (id INTEGER PRIMARY KEY);
             CREATE TABLE t (id INTEGER REFERENCES p DEFERRABLE INITIALLY DEFERRED, note TEXT);",
        )
        .await
        .unwrap();
    let error = connection.bulk_insert("t", COLUMNS, rows(0..10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignKeyViolation);
    assert_eq!(connection.transaction_state(), TransactionState::Idle);
    assert_eq!(number(&mut connection, COUNT).await, 0);
    let mut transaction = connection.transaction().await.unwrap();
    assert_eq!(transaction.bulk_insert("t", COLUMNS, rows(0..10)).await.unwrap(), 10);
    transaction.bulk_insert("p", ["id"], (0..10i64).map(|id| params![id])).await.unwrap();
    transaction.commit().await.expect("the parents came in time");
    assert_eq!(number(&mut connection, COUNT).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_not_granted_is_an_error_and_a_dropped_wait_ends_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = file(&directory);
    options.session.lock_timeout = Some(Duration::from_millis(50));
    let mut connection = connect(&options).await.unwrap();
    connection.script("CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT)").await.unwrap();
    let mut other = connect(&options).await.unwrap();
    other.script("BEGIN IMMEDIATE").await.unwrap();
    let error = connection.bulk_insert("t", COLUMNS, rows(0..10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockTimeout, "{error:?}");
    // One that would wait for an hour is given up with its future.
    options.session.lock_timeout = Some(Duration::from_secs(3_600));
    let mut patient = connect(&options).await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(50), patient.bulk_insert("t", COLUMNS, rows(0..10)));
    waiting.await.unwrap_err();
    assert_eq!(number(&mut patient, COUNT).await, 0);
    other.script("COMMIT").await.unwrap();
    assert_eq!(patient.bulk_insert("t", COLUMNS, rows(0..10)).await.unwrap(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_only_reads_beside_a_writer_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let options = file(&directory);
    let mut writer = connect(&options).await.unwrap();
    writer.script("CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT)").await.unwrap();
    let mut reader = connect(&options.for_reading()).await.unwrap();
    let error = reader.bulk_insert("t", COLUMNS, rows(0..10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly);
    let mut transaction =
        writer.transaction_with(&dbkeep_engine::TransactionOptions::default().read_only()).await.unwrap();
    let error = transaction.bulk_insert("t", COLUMNS, rows(0..10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly);
    transaction.rollback().await.unwrap();
    assert_eq!(writer.bulk_insert("t", COLUMNS, rows(0..10)).await.unwrap(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_statement_is_that_of_all_its_rows() {
    let mut options: ConnectOptions = "sqlite::memory:".parse().unwrap();
    options.session.statement_timeout = Some(Duration::from_millis(100));
    let mut connection = connect(&options).await.unwrap();
    connection.script("CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT)").await.unwrap();
    let error = connection.bulk_insert("t", COLUMNS, rows(0..i64::MAX)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert_eq!(number(&mut connection, COUNT).await, 0);
}
