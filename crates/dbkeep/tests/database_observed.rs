//! What a database tells of its statements: numbers, slow ones, callers, never parameters.
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

#[macro_use]
mod database_targets;
#[path = "database_targets/log.rs"]
mod log;

use database_targets::{Target, placed};
use dbkeep::engine::{Outcome, Statement};
use dbkeep::{Database, Error, Observer, Settings, Value, col, params};
use log::Log;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn memory() -> Settings {
    Settings::from_url("sqlite::memory:").unwrap().named("shop")
}

/// Every statement counts as slow, since none takes no time at all.
fn everything_is_slow() -> Settings {
    let mut settings = memory();
    settings.slow_query = Some(Duration::ZERO);
    settings
}

#[tokio::test]
async fn numbers_are_kept_of_every_statement() {
    let mut settings = memory();
    settings.slow_query = None;
    let db = Database::open(settings).await.unwrap();
    assert_eq!(db.stats(), Default::default());
    assert_eq!(db.stats().mean_time(), Duration::ZERO);
    db.script("CREATE TABLE t (a INTEGER PRIMARY KEY)").await.unwrap();
    db.execute("INSERT INTO t VALUES (1), (2), (3)", []).await.unwrap();
    db.query("SELECT a FROM t", []).await.unwrap();
    db.query("SELECT b FROM t", []).await.unwrap_err();
    let stats = db.stats();
    assert_eq!((stats.statements, stats.failed, stats.dropped, stats.slow, stats.rows), (4, 1, 0, 0, 6));
    assert!(stats.time > Duration::ZERO && stats.mean_time() == stats.time / 4);

    // BEGIN, two inserts, SAVEPOINT, its end, COMMIT.
    db.transaction(async |tx| {
        tx.execute("INSERT INTO t VALUES (4)", &[]).await?;
        let mut nested = tx.transaction().await?;
        nested.execute("INSERT INTO t VALUES (5)", &[]).await?;
        nested.rollback().await?;
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    assert_eq!(db.stats().statements, 4 + 6);

    let mut lease = db.acquire().await.unwrap();
    let mut rows = lease.stream("SELECT a FROM t", &[]).await.unwrap();
    rows.next().await.unwrap().unwrap();
    drop(rows);
    let mut rows = lease.stream("SELECT a FROM t", &[]).await.unwrap();
    while let Some(row) = rows.next().await {
        row.unwrap();
    }
    drop(rows);
    drop(lease);
    let stats = db.stats();
    assert_eq!((stats.statements, stats.dropped, stats.failed, stats.rows), (12, 1, 1, 6 + 2 + 4));
}

#[tokio::test]
async fn a_slow_statement_is_told_with_its_fingerprint_and_its_caller() {
    let log = Log::listen();
    let db = Database::open(everything_is_slow()).await.unwrap();
    let line = line!() + 1;
    db.query("SELECT ?1 AS a, 'it''s' AS b WHERE ?1 IN (1, 2, 3) -- why", params![1]).await.unwrap();
    let file = file!();
    assert_eq!(
        log.lines("dbkeep::slow"),
        [format!(
            "WARN slow statement connection=\"shop\" duration_ms=… caller={file}:{line}:8 \
             fingerprint=\"SELECT ? AS a, ? AS b WHERE ? IN (?)\" \
             sql=\"SELECT ?1 AS a, 'it''s' AS b WHERE ?1 IN (1, 2, 3) -- why\""
        )]
    );
    assert_eq!((db.stats().slow, db.stats().statements), (1, 1));
}

#[tokio::test]
async fn a_statement_that_is_quick_enough_is_not_told() {
    let log = Log::listen();
    let db = Database::open(memory()).await.unwrap();
    db.query("SELECT 1", []).await.unwrap();
    assert_eq!((log.lines("dbkeep::slow").len(), log.lines("dbkeep::statement").len(), db.stats().slow), (0, 0, 0));
}

#[tokio::test]
async fn a_log_line_holds_500_characters_and_no_parameter() {
    const SECRET: &str = "hunter2-Parameter";
    let log = Log::listen();
    let mut settings = everything_is_slow();
    settings.log_queries = true;
    let db = Database::open(settings).await.unwrap();
    db.script("CREATE TABLE t (a TEXT UNIQUE, ü TEXT)").await.unwrap();
    let long = format!("SELECT ?1 /* {} */", "ü".repeat(600));
    db.query(&long, params![SECRET]).await.unwrap();
    let told = log.lines("dbkeep::slow").pop().unwrap();
    let shown = told.split("sql=\"").nth(1).unwrap().trim_end_matches('"');
    assert_eq!(shown, long.chars().take(500).collect::<String>());
    assert!(told.contains("fingerprint=\"SELECT ?\""), "{told}");
    let many = format!("SELECT 1 WHERE 1 IN ({})", vec!["12345"; 300].join(", "));
    db.query(&many, []).await.unwrap();
    assert!(log.lines("dbkeep::slow").pop().unwrap().contains("fingerprint=\"SELECT ? WHERE ? IN (?)\""));
    for _ in 0..2 {
        let _ = db.table("t").insert([("a", Value::from(SECRET))]).await;
    }
    let _ = db.table("t").insert_many(["a"], [[Value::from(SECRET)]]).await;
    let _ = db.table("t").filter(col("a").eq(SECRET)).update([("ü", SECRET)]).await;
    assert!(!log.text().contains(SECRET), "{}", log.text());
}

#[tokio::test]
async fn every_statement_is_logged_on_request_and_a_failed_one_by_kind_only() {
    let log = Log::listen();
    let mut settings = memory();
    settings.log_queries = true;
    let db = Database::open(settings).await.unwrap();
    db.script("CREATE TABLE t (a TEXT UNIQUE)").await.unwrap();
    let first = line!() + 1;
    db.execute("INSERT INTO t VALUES ('x'), ('y')", []).await.unwrap();
    db.execute("INSERT INTO t VALUES ('x')", []).await.unwrap_err();
    db.query("SELECT a FROM t WHERE a = 'x'", []).await.unwrap();
    let (file, second, third) = (file!(), first + 1, first + 2);
    assert_eq!(
        log.lines("dbkeep::statement")[1..],
        [
            format!(
                "INFO statement connection=\"shop\" duration_ms=… caller={file}:{first}:8 outcome=2 rows \
                 sql=\"INSERT INTO t VALUES ('x'), ('y')\""
            ),
            format!(
                "INFO statement connection=\"shop\" duration_ms=… caller={file}:{second}:8 \
                 outcome=UniqueViolation (2067) sql=\"INSERT INTO t VALUES ('x')\""
            ),
            format!(
                "INFO statement connection=\"shop\" duration_ms=… caller={file}:{third}:8 outcome=1 row \
                 sql=\"SELECT a FROM t WHERE a = 'x'\""
            ),
        ]
    );
}

#[tokio::test]
async fn the_literals_of_a_statement_that_sets_a_password_are_left_out() {
    let log = Log::listen();
    let mut settings = everything_is_slow();
    settings.log_queries = true;
    let db = Database::open(settings).await.unwrap();
    for sql in [
        "CREATE USER app IDENTIFIED BY 'hunter2'",
        "ALTER ROLE app WITH LOGIN Password 'hunter2'",
        "CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('password: hunter2')",
    ] {
        let _ = db.script(sql).await;
    }
    assert_eq!(log.lines("dbkeep::slow").len(), 3);
    assert!(log.lines("dbkeep::slow")[0].ends_with("sql=\"CREATE USER app IDENTIFIED BY ?\""));
    assert!(!log.text().contains("hunter2"), "{}", log.text());
}

#[tokio::test]
async fn on_close_a_database_reports_its_totals_and_who_is_still_there() {
    let log = Log::listen();
    let db = Database::open(memory()).await.unwrap();
    db.query("SELECT 1 UNION SELECT 2", []).await.unwrap();
    db.query("SELECT x", []).await.unwrap_err();
    let line = line!() + 1;
    let mut lease = db.acquire().await.unwrap();
    tokio::time::pause();
    let left = db.close().await;
    assert_eq!((left.len(), left[0].location.file(), left[0].location.line()), (1, file!(), line));
    let lines = log.lines("dbkeep::database");
    assert!(lines[0].starts_with(&format!(
        "WARN closed while a connection is still in use connection=\"shop\" location={}:{line}:24",
        file!()
    )));
    assert_eq!(
        lines[1..],
        ["INFO connection closed connection=\"shop\" statements=2 failed=1 slow=0 rows=2 total_ms=… mean_ms=…"]
    );
    // The borrower may go on to its end.
    lease.query("SELECT 1", &[]).await.unwrap();
    drop(lease);
    assert!(db.acquire().await.unwrap_err().is_acquire());
    assert!(db.close().await.is_empty(), "closing again does nothing");
}

/// Remembers what it hears.
#[derive(Default)]
struct Ear(Mutex<Vec<(String, String, u32)>>);

impl Observer for Ear {
    fn statement_finished(&self, statement: &Statement<'_>) {
        assert_eq!(statement.caller.file(), file!());
        let outcome = match statement.outcome {
            Outcome::Failed(error) => format!("{:?}", error.kind()),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push((statement.sql.to_owned(), outcome, statement.caller.line()));
    }
}

impl Ear {
    fn heard(&self) -> Vec<(String, String, u32)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[tokio::test]
async fn an_observer_hears_of_dropped_statements_and_streams() {
    let db = Database::open(memory()).await.unwrap();
    let ear = Arc::new(Ear::default());
    let mut lease = db.acquire().await.unwrap();
    lease.observe(ear.clone());
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let first = line!() + 1;
    let mut rows = lease.stream(endless, &[]).await.unwrap();
    rows.next().await.unwrap().unwrap();
    assert!(ear.heard().is_empty(), "it runs still");
    drop(rows);
    assert_eq!(ear.heard(), [(endless.to_owned(), "Dropped".to_owned(), first)]);
    let second = line!() + 1;
    let _ = lease.query("SELECT x", &[]).await;
    assert_eq!(ear.heard(), [("SELECT x".to_owned(), "NotFound".to_owned(), second)]);
}

on_every_engine! {
    the_caller_is_the_line_that_asked
    a_dropped_statement_is_heard_of_and_stopped
}

async fn a_dropped_statement_is_heard_of_and_stopped(target: &Target) {
    let db = Database::open(target.settings().pool_size(1, 1)).await.unwrap();
    let long = match target.kind {
        None => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000000000) SELECT COUNT(*) FROM n"
        }
        Some(dbkeep_testkit::Kind::Postgres) => "SELECT pg_sleep(3600)",
        Some(_) => "SELECT SLEEP(3600)",
    };
    let ear = Arc::new(Ear::default());
    let mut lease = db.acquire().await.unwrap();
    lease.observe(ear.clone());
    let line = line!() + 1;
    let limit = tokio::time::timeout(Duration::from_millis(100), lease.query(long, &[]));
    match limit.await {
        Err(_) => assert_eq!(ear.heard(), [(long.to_owned(), "Dropped".to_owned(), line)]),
        // Some engines finish a statement before they let go of the thread, and stop it when time is up.
        Ok(outcome) => panic!("{outcome:?}"),
    }
    // The next statement does not wait for the hour to pass, nor does it get the other's rows.
    assert_eq!(lease.query_one("SELECT 'next'", &[]).await.unwrap().get::<String>(0).unwrap(), "next");
    drop(lease);
    assert_eq!(db.query_one("SELECT 'other'", []).await.unwrap().get::<String>(0).unwrap(), "other");
}

/// Whichever way a statement is run, the line named is the test's own.
async fn the_caller_is_the_line_that_asked(target: &Target) {
    let mut settings = target.settings();
    settings.pool.max = 1;
    settings.pool.min = 1;
    let db = Database::open(settings).await.unwrap();
    target.create_users(&db).await;
    let ear = Arc::new(Ear::default());
    let mut lease = db.acquire().await.unwrap();
    lease.observe(ear.clone());
    let lines = || ear.heard().into_iter().map(|(_, _, line)| line).collect::<Vec<_>>();
    let select = "SELECT name FROM users";

    let line = line!() + 1;
    lease.query(select, &[]).await.unwrap();
    lease.query_opt(select, &[]).await.unwrap();
    lease.query_as::<String>(select, &[]).await.unwrap();
    lease.execute("DELETE FROM users", &[]).await.unwrap();
    lease.script("DELETE FROM users").await.unwrap();
    assert_eq!(lines(), (line..line + 5).collect::<Vec<_>>());

    let line = line!() + 1;
    let mut transaction = lease.transaction().await.unwrap();
    transaction.execute("DELETE FROM users", &[]).await.unwrap();
    let nested = transaction.transaction().await.unwrap();
    nested.commit().await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(lines(), (line..line + 5).collect::<Vec<_>>());
    drop(lease);

    // The same connection again, through the database: the observer stays with it.
    let line = line!() + 1;
    db.query(select, []).await.unwrap();
    db.query_opt(select, []).await.unwrap();
    db.query_as::<String>(select, []).await.unwrap();
    db.query_one(select, []).await.unwrap_err();
    db.execute("DELETE FROM users", []).await.unwrap();
    db.script("DELETE FROM users").await.unwrap();
    db.table("users").get().await.unwrap();
    db.table("users").select(["name"]).get_as::<String>().await.unwrap();
    db.table("users").first().await.unwrap();
    db.table("users").select(["name"]).first_as::<String>().await.unwrap();
    db.table("users").value::<String>("name").await.unwrap();
    db.table("users").pluck::<String>("name").await.unwrap();
    db.table("users").count().await.unwrap();
    db.table("users").exists().await.unwrap();
    db.table("users").insert([("name", Value::from("Ada"))]).await.unwrap();
    db.table("users").insert_many(["name"], [[Value::from("Bob")]]).await.unwrap();
    db.table("users").upsert(["name", "points"], [[Value::from("Bob"), 1.into()]], ["name"]).await.unwrap();
    db.table("users").insert_get_id([("name", Value::from("Cyd"))], "id").await.unwrap();
    db.table("users").filter(col("name").eq("Ada")).update([("points", 1)]).await.unwrap();
    db.table("users").filter(col("name").eq("Ada")).increment("points", 1).await.unwrap();
    db.table("users").filter(col("name").eq("Ada")).delete().await.unwrap();
    db.fetch(&db.table("users").to_query()).await.unwrap();
    assert_eq!(lines(), (line..line + 22).collect::<Vec<_>>());

    let line = line!() + 2;
    let sql = placed(&db, "UPDATE users SET points = ?");
    db.transaction(async |tx| {
        tx.execute(&sql, &params![1]).await?;
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    assert_eq!(lines(), [line, line + 1, line], "BEGIN and COMMIT are the transaction's");
}
