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
            Value::Text(text) => text.to_string(),
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

#[tokio::test]
async fn a_dropped_wait_for_a_lock_ends_at_once() {
    let (_directory, mut options) = file();
    let mut holder = connect(&options).await.unwrap();
    holder.script("CREATE TABLE t (n INTEGER); BEGIN IMMEDIATE;").await.unwrap();
    // An hour: only the dropped future can end this wait.
    options.session.lock_timeout = Some(Duration::from_secs(3_600));
    let mut waiter = connect(&options).await.unwrap();
    for _ in 0..3 {
        let insert = waiter.execute("INSERT INTO t VALUES (1)", &[]);
        assert!(tokio::time::timeout(Duration::from_millis(30), insert).await.is_err());
        assert_eq!(waiter.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get::<i64>(0).unwrap(), 0);
    }
    options.session.statement_timeout = Some(Duration::from_millis(30));
    let mut hasty = connect(&options).await.unwrap();
    let error = hasty.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    holder.script("ROLLBACK").await.unwrap();
    waiter.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_comes_free_is_waited_for_without_holding_the_task_up() {
    let (_directory, options) = file();
    let mut holder = connect(&options).await.unwrap();
    holder.script("CREATE TABLE t (n INTEGER)").await.unwrap();
    let mut waiter = connect(&options).await.unwrap();
    tokio::spawn(async move {
        let mut transaction = holder.transaction().await.unwrap();
        transaction.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
        // Both futures run in this one task: the wait must not keep the commit from happening.
        let insert = waiter.execute("INSERT INTO t VALUES (2)", &[]);
        let commit = async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            transaction.commit().await
        };
        let (inserted, committed) = tokio::join!(insert, commit);
        committed.unwrap();
        assert_eq!(inserted.unwrap().rows_affected, 1);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_only_thread_goes_on_while_a_statement_runs() {
    let mut connection = memory().await;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let query = connection.query(FOREVER, &[]);
    let other = tokio::spawn(async move { sender.send("ran").unwrap() });
    // The query never ends: the other task must have its turn for this to end.
    tokio::select! {
        _ = query => panic!("it runs for ever"),
        ran = receiver => assert_eq!(ran, Ok("ran")),
    }
    other.await.unwrap();
}

/// An executor that is not tokio's.
fn block_on<F: std::future::Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn it_works_on_an_executor_that_is_not_tokios() {
    block_on(async {
        let options = options("sqlite::memory:");
        let mut connection = Connection::new(options.engine.connect(&options).await.unwrap());
        connection.script("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2), (3);").await.unwrap();
        let mut transaction = connection.transaction().await.unwrap();
        transaction.execute("DELETE FROM t WHERE n = ?", &params![2]).await.unwrap();
        transaction.commit().await.unwrap();
        let mut stream = connection.stream("SELECT n FROM t ORDER BY n", &[]).await.unwrap();
        let mut found = Vec::new();
        while let Some(row) = stream.next().await {
            found.push(row.unwrap().get::<i64>(0).unwrap());
        }
        drop(stream);
        assert_eq!(found, [1, 3]);
        drop(connection.stream(FOREVER, &[]));
        connection.ping().await.unwrap();
        connection.close().await.unwrap();
    });
}

#[tokio::test]
async fn errors_keep_their_code_place_and_constraint() {
    let mut connection = memory().await;
    connection
        .script(
            "CREATE TABLE a (id INTEGER PRIMARY KEY, n INT CONSTRAINT small CHECK (n < 9), t TEXT NOT NULL DEFAULT '');
             CREATE UNIQUE INDEX a_lower ON a (lower(t), n);
             CREATE TABLE strict (n INTEGER) STRICT;
             INSERT INTO a VALUES (1, 1, 'x');",
        )
        .await
        .unwrap();
    let cases = [
        (
            "INSERT INTO a VALUES (1, 2, 'y')",
            "UNIQUE constraint failed: a.id (1555)",
            ErrorKind::UniqueViolation,
            Some("a.id"),
            None,
        ),
        (
            "INSERT INTO a VALUES (2, 1, 'X')",
            "UNIQUE constraint failed: index 'a_lower' (2067)",
            ErrorKind::UniqueViolation,
            Some("a_lower"),
            None,
        ),
        (
            "INSERT INTO a VALUES (2, 9, 'y')",
            "CHECK constraint failed: small (275)",
            ErrorKind::CheckViolation,
            Some("small"),
            None,
        ),
        (
            "UPDATE a SET t = NULL",
            "NOT NULL constraint failed: a.t (1299)",
            ErrorKind::NotNullViolation,
            Some("a.t"),
            None,
        ),
        (
            "INSERT INTO strict VALUES ('x')",
            "cannot store TEXT value in INTEGER column strict.n (3091)",
            ErrorKind::InvalidValue,
            None,
            None,
        ),
        ("INSERT INTO a (id) VALUES ('x')", "datatype mismatch (20)", ErrorKind::InvalidValue, None, None),
        ("  SELECT 'é', nmae FROM a", "no such column: nmae (1)", ErrorKind::NotFound, None, Some(14)),
        ("SELECT 1; SELEKT 2", "near \"SELEKT\": syntax error (1)", ErrorKind::Syntax, None, Some(10)),
        ("SELECT \"nmae\" FROM a", "no such column: \"nmae\" (1)", ErrorKind::NotFound, None, Some(7)),
        ("SELECT 1; SELECT 2", "the text holds more than one statement", ErrorKind::Syntax, None, None),
        ("-- nothing", "the statement is empty", ErrorKind::Syntax, None, None),
        ("SELECT 1\0 FROM nowhere", "the statement holds a NUL character", ErrorKind::Syntax, None, Some(8)),
        ("SELECT ?", "the statement takes 1 parameter, 0 were given", ErrorKind::InvalidValue, None, None),
        ("SELECT json('{')", "malformed JSON (1)", ErrorKind::InvalidValue, None, None),
        ("SELECT abs(-9223372036854775808)", "integer overflow (1)", ErrorKind::InvalidValue, None, None),
        ("CREATE INDEX a_lower ON a (n)", "index a_lower already exists (1)", ErrorKind::AlreadyExists, None, None),
        ("ALTER TABLE a ADD COLUMN n INT", "duplicate column name: n (1)", ErrorKind::AlreadyExists, None, None),
        ("COMMIT", "cannot commit - no transaction is active (1)", ErrorKind::Statement, None, None),
    ];
    for (sql, text, kind, constraint, position) in cases {
        let error = connection.execute(sql, &[]).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.kind()), (text, kind), "{sql}");
        assert_eq!((error.constraint(), error.position()), (constraint, position), "{sql}");
    }
    let error = connection.script("SELECT 1;\nSELECT 'é';\n  SELEKT 2;").await.unwrap_err();
    assert_eq!((error.kind(), error.position()), (ErrorKind::Syntax, Some(24)));
    let error = connection.script("SELECT ?").await.unwrap_err();
    assert_eq!(error.to_string(), "a script takes no parameters, but holds a placeholder");

    connection.script("PRAGMA max_page_count = 20").await.unwrap();
    let error = connection.execute("INSERT INTO a (t) VALUES (zeroblob(1000000))", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}");
}

#[tokio::test]
async fn a_write_after_somebody_elses_is_a_serialization_failure() {
    let (_directory, options) = file();
    let mut first = connect(&options).await.unwrap();
    let mut second = connect(&options).await.unwrap();
    first.script("CREATE TABLE t (n INTEGER)").await.unwrap();
    let mut transaction = first.transaction_with(&Default::default()).await.unwrap();
    transaction.query("SELECT * FROM t", &[]).await.unwrap();
    second.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    let error = transaction.execute("INSERT INTO t VALUES (2)", &[]).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Serialization, Some("517")));
    assert!(error.is_retryable());
    transaction.rollback().await.unwrap();
}

#[tokio::test]
async fn the_last_key_is_told_of_inserts_alone() {
    let mut connection = memory().await;
    connection
        .script(
            "CREATE TABLE a (id INTEGER PRIMARY KEY, n INT UNIQUE);
             CREATE TABLE log (id INTEGER PRIMARY KEY, text TEXT);
             CREATE TABLE flat (k TEXT PRIMARY KEY) WITHOUT ROWID;
             CREATE TRIGGER a_log AFTER INSERT ON a BEGIN INSERT INTO log (id, text) VALUES (1000 + NEW.id, 'x'); END;",
        )
        .await
        .unwrap();
    for (sql, affected, id) in [
        ("INSERT INTO a (n) VALUES (1)", 1, Some(1)),
        ("WITH more(n) AS (VALUES (2), (3)) INSERT INTO a (n) SELECT n FROM more", 2, Some(3)),
        ("INSERT OR IGNORE INTO a (n) VALUES (1)", 0, None),
        ("REPLACE INTO a (id, n) VALUES (7, 1)", 1, Some(7)),
        ("UPDATE a SET n = n + 10", 3, None),
        ("INSERT INTO flat VALUES ('x')", 1, None),
        ("INSERT INTO a (id, n) VALUES (-5, 99)", 1, None),
        ("INSERT INTO a (n) VALUES (50) RETURNING id", 1, Some(8)),
        ("SELECT * FROM a", 0, None),
        ("DELETE FROM a", 5, None),
        ("CREATE TABLE b AS SELECT * FROM log", 0, None),
    ] {
        let done = connection.execute(sql, &[]).await.unwrap();
        assert_eq!((done.rows_affected, done.last_insert_id), (affected, id), "{sql}");
    }
}

#[tokio::test]
async fn a_reset_takes_back_what_a_borrower_may_have_changed() {
    let (directory, options) = file();
    let mut connection = connect(&options).await.unwrap();
    let other = directory.path().join("other.db");
    connection
        .script(&format!(
            "CREATE TEMP TABLE parent (id INTEGER PRIMARY KEY);
             CREATE TEMP TABLE child (id INTEGER REFERENCES parent (id));
             INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1);
             CREATE TEMP VIEW both AS SELECT * FROM parent, child;
             CREATE TEMP TRIGGER t AFTER INSERT ON parent BEGIN SELECT 1; END;
             ATTACH '{}' AS other;
             PRAGMA busy_timeout = 1; PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA case_sensitive_like = ON;
             PRAGMA cache_size = 5;",
            other.display()
        ))
        .await
        .unwrap();
    connection.reset().await.unwrap();
    let databases: Vec<String> =
        connection.query_as("SELECT name FROM pragma_database_list WHERE name <> 'temp'", &[]).await.unwrap();
    assert_eq!(databases, ["main"]);
    let left = connection.query_one("SELECT count(*) FROM sqlite_temp_schema", &[]).await.unwrap();
    assert_eq!(left.get::<i64>(0).unwrap(), 0);
    let row = connection
        .query_one("SELECT foreign_keys, synchronous, cache_size, 'A' LIKE 'a' FROM pragma_foreign_keys, pragma_synchronous, pragma_cache_size", &[])
        .await
        .unwrap();
    assert_eq!(row.decode::<(i64, i64, i64, i64)>().unwrap(), (1, 1, -2000, 1));
}

#[tokio::test]
async fn text_that_is_no_utf8_comes_as_bytes() {
    let mut connection = memory().await;
    connection.script("CREATE TABLE t (a TEXT, b)").await.unwrap();
    connection
        .execute("INSERT INTO t VALUES (CAST(x'ff41' AS TEXT), 'a' || CAST(x'c328' AS TEXT))", &[])
        .await
        .unwrap();
    let row = connection.query_one("SELECT a, b FROM t", &[]).await.unwrap();
    assert_eq!(row.values(), [Value::Bytes(vec![0xff, 0x41]), Value::Bytes(vec![b'a', 0xc3, 0x28])]);
}

#[tokio::test]
async fn a_connection_for_reading_refuses_what_would_write_and_knows_it_before() {
    let (_directory, options) = file();
    let error = connect(&options.for_reading()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownDatabase, "it makes no file");
    let mut writer = connect(&options).await.unwrap();
    writer.script("CREATE TABLE t (n INTEGER)").await.unwrap();
    assert!(writer.server().capabilities.single_writer);
    let mut reader = connect(&options.for_reading()).await.unwrap();
    assert!(reader.server().capabilities.single_writer);
    assert_eq!(reader.role().await.unwrap(), Role::ReadOnly);

    let insert = "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a RETURNING n";
    assert!(options.engine.looks_read_only(insert), "its first word says nothing against it");
    assert!(reader.query_if_it_reads(insert, &[]).await.unwrap().is_none());
    assert_eq!(reader.query_if_it_reads("SELECT n FROM t", &[]).await.unwrap().unwrap().len(), 0);
    let error = reader.query_if_it_reads("SELECT x FROM t", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = reader.execute("CREATE TEMP TABLE mine (n INTEGER)", &[]).await.unwrap_err();
    assert_eq!(error.to_string(), "this connection only reads, and the statement would write");
    reader.execute("PRAGMA query_only = OFF", &[]).await.unwrap();
    reader.reset().await.unwrap();
    let on = reader.query_one("PRAGMA query_only", &[]).await.unwrap();
    assert_eq!(on.values(), [Value::Int(1)], "a reset leaves it a reader");

    // A file opened for reading alone keeps its temporary tables.
    let mut alone = options.clone();
    alone.read_only = true;
    let mut alone = connect(&alone).await.unwrap();
    assert!(!alone.server().capabilities.single_writer);
    alone.script("CREATE TEMP TABLE mine (n INTEGER); INSERT INTO mine VALUES (1)").await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_has_read_is_told_that_waiting_for_a_writer_would_not_help() {
    let (_directory, options) = file();
    let (mut first, mut second) = (connect(&options).await.unwrap(), connect(&options).await.unwrap());
    first.script("CREATE TABLE t (n INTEGER)").await.unwrap();
    let mut reading = first.transaction_with(&Default::default()).await.unwrap();
    reading.query("SELECT * FROM t", &[]).await.unwrap();
    let writing = second.transaction().await.unwrap();
    let error = reading.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::LockTimeout, Some("5")));
    assert_eq!(
        error.hint(),
        Some(
            "another connection is writing, and waiting for it would not help a transaction that has read already: end it and \
             begin it as IMMEDIATE, as transaction() does"
        )
    );
    writing.rollback().await.unwrap();
    reading.rollback().await.unwrap();
}
