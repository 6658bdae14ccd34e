//! What is SQLite's own: the file, the session, the places a statement runs in, its errors and its locks.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::sql::{Value, params};
use dbkeep_engine::{ConnectOptions, Connection, ErrorKind, Role, TransactionState, connect};
use std::time::Duration;

fn options(url: &str) -> ConnectOptions {
    url.parse().unwrap()
}

async fn memory() -> Connection {
    connect(&options("sqlite::memory:")).await.unwrap()
}

fn file() -> (tempfile::TempDir, ConnectOptions) {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&format!("sqlite://{}/shop.db", directory.path().display()));
    (directory, options)
}

#[tokio::test]
async fn a_new_file_is_its_owners_alone_and_the_session_is_set_up() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, options) = file();
    let mut connection = connect(&options).await.unwrap();
    let mode = std::fs::metadata(directory.path().join("shop.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for (pragma, value) in
        [("journal_mode", "wal"), ("foreign_keys", "1"), ("synchronous", "1"), ("trusted_schema", "0")]
    {
        let row = connection.query_one(&format!("PRAGMA {pragma}"), &[]).await.unwrap();
        let found = match &row.values()[0] {
            Value::Int(number) => number.to_string(),
            Value::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, value, "{pragma}");
    }
    assert_eq!(connection.role().await.unwrap(), Role::Primary);
    assert_eq!(connection.server().version.text, rusqlite::version());
    connection.close().await.unwrap();
}

async fn statements_and_transactions_work() {
    let (_directory, options) = file();
    let mut connection = connect(&options).await.unwrap();
    connection.script("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE); CREATE TABLE other (id INTEGER PRIMARY KEY);").await.unwrap();
    let done = connection.execute("INSERT INTO users (name) VALUES (?), (?2)", &params!["Ada", "Grace"]).await.unwrap();
    assert_eq!((done.rows_affected, done.last_insert_id), (2, Some(2)));
    let done = connection.execute("UPDATE users SET name = name || '!'", &[]).await.unwrap();
    assert_eq!((done.rows_affected, done.last_insert_id), (2, None));
    let done = connection.execute("CREATE TABLE more (id INTEGER)", &[]).await.unwrap();
    assert_eq!((done.rows_affected, done.last_insert_id), (0, None));
    let done = connection.execute("DELETE FROM users WHERE name = 'nobody'", &[]).await.unwrap();
    assert_eq!(done.rows_affected, 0);

    let mut transaction = connection.transaction().await.unwrap();
    transaction.execute("INSERT INTO users (name) VALUES ('Barbara')", &[]).await.unwrap();
    let mut nested = transaction.transaction().await.unwrap();
    nested.execute("INSERT INTO users (name) VALUES ('Frances')", &[]).await.unwrap();
    nested.rollback().await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(connection.transaction_state(), TransactionState::Idle);
    let names: Vec<String> = connection.query_as("SELECT name FROM users ORDER BY id", &[]).await.unwrap();
    assert_eq!(names, ["Ada!", "Grace!", "Barbara"]);

    let mut stream = connection
        .stream("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n", &[])
        .await
        .unwrap();
    let mut sum = 0;
    while let Some(row) = stream.next().await {
        sum += row.unwrap().get::<i64>("i").unwrap();
    }
    drop(stream);
    assert_eq!(sum, 50_005_000);
    assert_eq!(connection.query_one("SELECT 7 AS seven", &[]).await.unwrap().get::<i64>(0).unwrap(), 7);
}

#[tokio::test]
async fn everything_works_on_a_runtime_of_one_thread() {
    statements_and_transactions_work().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_on_a_runtime_of_several_threads() {
    statements_and_transactions_work().await;
    tokio::spawn(statements_and_transactions_work()).await.unwrap();
}

#[test]
fn everything_works_in_a_local_set_of_a_runtime_of_several_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().unwrap();
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(async {
        tokio::task::spawn_local(statements_and_transactions_work()).await.unwrap();
    }));
}

const FOREVER: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

async fn a_dropped_query_stops() {
    let mut connection = memory().await;
    for _ in 0..20 {
        let outcome = tokio::time::timeout(Duration::from_millis(20), connection.query(FOREVER, &[])).await;
        assert!(outcome.is_err());
        assert_eq!(connection.query_one("SELECT 7", &[]).await.unwrap().get::<i64>(0).unwrap(), 7);
    }
}

#[tokio::test]
async fn a_dropped_query_stops_on_a_runtime_of_one_thread() {
    a_dropped_query_stops().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_query_stops_on_a_runtime_of_several_threads() {
    a_dropped_query_stops().await;
    tokio::spawn(a_dropped_query_stops()).await.unwrap();
}

#[tokio::test]
async fn a_statement_past_its_time_ends_with_a_timeout() {
    let mut connection = connect(&options("sqlite::memory:?statement_timeout=50ms")).await.unwrap();
    let error = connection.query(FOREVER, &[]).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Timeout, "the statement ran longer than 50ms (9)")
    );
    connection.query("SELECT 1", &[]).await.unwrap();
}
