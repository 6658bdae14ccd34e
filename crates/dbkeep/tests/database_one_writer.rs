//! A SQLite file has one writer: who writes queues for it, who reads does not, and nobody of this program is told BUSY.
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

mod database_targets;
#[path = "database_targets/log.rs"]
mod log;

use database_targets::Target;
use dbkeep::engine::connect;
use dbkeep::pool::CloseReason;
use dbkeep::sql::insert_into;
use dbkeep::{Connection, Database, Error, ErrorKind, Role, Settings, TransactionOptions, col, params};
use log::Log;
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn open(settings: Settings) -> Database {
    let db = Database::open(settings).await.unwrap();
    db.script("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)").await.unwrap();
    db
}

/// Another program at the same file.
async fn stranger(target: &Target) -> Connection {
    connect(&target.settings().options).await.unwrap()
}

async fn count(db: &Database) -> u64 {
    db.table("t").count().await.unwrap()
}

async fn waiting(db: &Database, callers: usize) {
    while db.pool().stats().waiting < callers {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_tasks_write_at_once_and_nobody_is_told_busy() {
    let target = Target::file();
    let db = open(target.settings()).await;
    db.execute("INSERT INTO t (id, n) VALUES (0, 0)", []).await.unwrap();
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let db = db.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    db.transaction(async |tx| {
                        let n: i64 = tx.query_one("SELECT n FROM t WHERE id = 0", &[]).await?.get(0)?;
                        tx.execute("UPDATE t SET n = ? WHERE id = 0", &params![n + 1]).await?;
                        Ok::<_, Error>(())
                    })
                    .await
                    .unwrap();
                    // Outside of transactions, and in between: reads.
                    db.table("t").insert([("n", (task * 20 + round).into())]).await.unwrap();
                    assert!(count(&db).await > 1);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let n: i64 = db.table("t").filter(col("id").eq(0)).value("n").await.unwrap().unwrap();
    assert_eq!((n, count(&db).await), (64 * 20, 64 * 20 + 1), "no update was lost");
    let totals = db.stats();
    assert_eq!((totals.failed, totals.lock_timeouts, totals.serialization_failures), (0, 0, 0));
    assert_eq!(totals.lock_waits, 0, "nobody so much as waited for a lock");
    assert_eq!((db.pool().stats().max, db.pool().stats().opened), (1, 1));
    assert_eq!(db.readers().unwrap().stats().max, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_are_served_in_the_order_they_came() {
    let target = Target::file();
    let db = open(target.settings()).await;
    let order = Arc::<Mutex<Vec<usize>>>::default();
    let lease = db.acquire().await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..64 {
        let (db, order) = (db.clone(), order.clone());
        tasks.push(tokio::spawn({
            let db = db.clone();
            async move {
                db.transaction(async |tx| {
                    order.lock().unwrap().push(number);
                    tx.execute("INSERT INTO t (n) VALUES (?)", &params![number as i64]).await?;
                    Ok::<_, Error>(())
                })
                .await
                .unwrap();
            }
        }));
        waiting(&db, number + 1).await;
    }
    drop(lease);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..64).collect::<Vec<_>>());
    let numbers: Vec<i64> = db.table("t").order_by("id").pluck("n").await.unwrap();
    assert_eq!(numbers, (0..64).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_go_on_while_a_writer_is_in_its_transaction() {
    let target = Target::file();
    let db = open(target.settings()).await;
    db.transaction(async |tx| {
        tx.execute("INSERT INTO t (n) VALUES (1)", &[]).await?;
        assert_eq!(count(&db).await, 0, "what is not committed is not seen");
        assert!(db.query_opt("SELECT n FROM t", []).await?.is_none());
        assert_eq!(db.health().await?.role, Role::Primary);
        let reader = db
            .transaction_with(TransactionOptions::default().read_only(), async |reader| {
                Ok::<i64, Error>(reader.query_one("SELECT count(*) FROM t", &[]).await?.get(0)?)
            })
            .await?;
        assert_eq!(reader, 0);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    assert_eq!(count(&db).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_reader_keeps_no_writer_waiting() {
    let target = Target::file();
    let db = open(target.settings()).await;
    db.table("t").insert_many(["n"], (0..2_000).map(|n| [n.into()])).await.unwrap();
    let mut lease = db.acquire_read().await.unwrap();
    let mut rows = lease.stream("SELECT id FROM t ORDER BY id", &[]).await.unwrap();
    let mut seen = 0;
    while let Some(row) = rows.next().await {
        let id: i64 = row.unwrap().get(0).unwrap();
        seen += 1;
        if id % 100 == 0 {
            db.execute("UPDATE t SET n = -n WHERE id = ?", params![id]).await.unwrap();
            db.execute("INSERT INTO t (n) VALUES (?)", params![id]).await.unwrap();
        }
    }
    assert_eq!((seen, count(&db).await), (2_000, 2_020), "the stream shows one state of the table");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_would_write_is_run_by_the_writer() {
    let target = Target::file();
    let db = open(target.settings()).await;
    let readers = || db.readers().unwrap().stats().acquired;
    let writer = || db.pool().stats().acquired;
    let before = (db.stats().statements, readers(), writer());

    let row = db.query_one("INSERT INTO t (n) VALUES (?) RETURNING id, n", params![7]).await.unwrap();
    assert_eq!((row.get::<i64>(0).unwrap(), row.get::<i64>(1).unwrap()), (1, 7));
    assert_eq!((readers(), writer()), (before.1, before.2 + 1), "its first word is enough to know it");
    let insert = insert_into("t").set("n", 8).returning([col("id")]);
    assert_eq!(db.fetch(&insert).await.unwrap()[0].get::<i64>(0).unwrap(), 2);
    assert_eq!(db.table("t").insert_get_id([("n", 9.into())], "id").await.unwrap(), 3);
    assert_eq!((readers(), writer()), (before.1, before.2 + 3));

    // Only SQLite itself knows of these.
    for (sql, rows) in [
        ("WITH a (n) AS (SELECT 10) INSERT INTO t (n) SELECT n FROM a RETURNING id", 1),
        ("-- all of them\nWITH a AS (SELECT 1) UPDATE t SET n = n + 1 RETURNING n", 4),
        ("/* SELECT */ with a as (select 4 as id) delete from t where id in (select id from a)", 0),
    ] {
        assert_eq!(db.query(sql, []).await.unwrap().len(), rows, "{sql}");
    }
    assert_eq!((readers(), writer()), (before.1 + 3, before.2 + 6));
    assert_eq!(db.stats().statements - before.0, 6, "a statement that was handed on is one statement");
    assert_eq!(db.stats().failed, 0);

    // These the readers run.
    let numbers: Vec<i64> = db.query_as("VALUES (1), (2)", []).await.unwrap();
    assert_eq!(numbers, [1, 2]);
    db.query("EXPLAIN QUERY PLAN DELETE FROM t", []).await.unwrap();
    db.query("WITH a AS (SELECT n FROM t) SELECT * FROM a", []).await.unwrap();
    assert_eq!(count(&db).await, 3);
    assert_eq!((readers(), writer()), (before.1 + 7, before.2 + 6));

    let version: i64 = db.query_one("PRAGMA user_version = 3", []).await.map_or(0, |row| row.get(0).unwrap());
    assert_eq!(version, 0);
    assert_eq!(db.query_one("PRAGMA user_version", []).await.unwrap().get::<i64>(0).unwrap(), 3);
    assert_eq!(readers(), before.1 + 7);

    // An error is the statement's own, wherever it runs.
    assert_eq!(db.query("SELECT x FROM t", []).await.unwrap_err().kind(), Some(ErrorKind::NotFound));
    assert_eq!(db.query("SELECT ?", []).await.unwrap_err().kind(), Some(ErrorKind::InvalidValue));
    let error = db.query("WITH a AS (SELECT 1) INSERT INTO t (id, n) VALUES (1, 1)", []).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::UniqueViolation));
    assert_eq!(db.query_one("SELECT 1 WHERE 0", []).await.unwrap_err().kind(), Some(ErrorKind::RowCount));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_for_reading_refuses_every_write_before_it_runs() {
    let target = Target::file();
    let db = open(target.settings().pool_size(0, 2)).await;
    let writes = [
        "INSERT INTO t (n) VALUES (1)",
        "WITH a AS (SELECT 1) INSERT INTO t (n) SELECT * FROM a RETURNING id",
        "CREATE TEMP TABLE mine (id INTEGER)",
        "PRAGMA user_version = 5",
        "PRAGMA journal_mode = DELETE",
        "VACUUM",
        "BEGIN IMMEDIATE",
        "DROP TABLE t",
    ];
    let refused = |error: dbkeep::engine::Error, sql: &str| {
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{sql}: {error}");
        assert_eq!(error.to_string(), "this connection only reads, and the statement would write", "{sql}");
        assert!(error.hint().unwrap().contains("acquire()"));
    };
    let mut lease = db.acquire_read().await.unwrap();
    for round in 0..2 {
        for sql in writes {
            refused(lease.execute(sql, &[]).await.unwrap_err(), sql);
            refused(lease.query(sql, &[]).await.unwrap_err(), sql);
            refused(lease.stream(sql, &[]).await.map(drop).unwrap_err(), sql);
            refused(lease.script(&format!("SELECT 1; {sql}")).await.unwrap_err(), sql);
        }
        match round {
            // A transaction that reads leaves it as it was.
            0 => {
                let reading = TransactionOptions::default().read_only();
                let mut tx = lease.transaction_with(&reading).await.unwrap();
                assert!(tx.query("SELECT * FROM t", &[]).await.unwrap().is_empty());
                refused(tx.execute(writes[0], &[]).await.unwrap_err(), writes[0]);
                tx.commit().await.unwrap();
                let mut tx = lease.transaction().await.unwrap();
                refused(tx.execute(writes[0], &[]).await.unwrap_err(), writes[0]);
                tx.rollback().await.unwrap();
                // Nor does the setting decide.
                lease.execute("PRAGMA query_only = OFF", &[]).await.unwrap();
            }
            _ => drop(lease.query("SELECT * FROM t", &[]).await.unwrap()),
        }
    }
    drop(lease);
    let error = db
        .transaction_with(TransactionOptions::default().read_only(), async |tx| {
            tx.execute("INSERT INTO t (n) VALUES (1)", &[]).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::ReadOnly));
    assert_eq!(count(&db).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_after_a_write_sees_it_ten_thousand_times() {
    let target = Target::file();
    let db = open(target.settings()).await;
    // Readers that are in the middle of something at every moment.
    let running = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let others: Vec<_> = (0..3)
        .map(|_| {
            let (db, running) = (db.clone(), running.clone());
            tokio::spawn(async move {
                while running.load(std::sync::atomic::Ordering::Relaxed) {
                    db.query("SELECT sum(n) FROM t", []).await.unwrap();
                }
            })
        })
        .collect();
    db.execute("INSERT INTO t (id, n) VALUES (1, 0)", []).await.unwrap();
    for n in 0..10_000_i64 {
        if n % 10 == 0 {
            db.transaction(async |tx| {
                tx.execute("UPDATE t SET n = ? WHERE id = 1", &params![n]).await?;
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
        } else {
            db.execute("UPDATE t SET n = ? WHERE id = 1", params![n]).await.unwrap();
        }
        let row = db.query_one("SELECT n FROM t WHERE id = 1", []).await.unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), n);
    }
    running.store(false, std::sync::atomic::Ordering::Relaxed);
    for other in others {
        other.await.unwrap();
    }
}

#[tokio::test]
async fn everything_is_routed_on_a_runtime_of_one_thread_too() {
    let target = Target::file();
    let db = open(target.settings()).await;
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                let id = db.table("t").insert_get_id([("n", n.into())], "id").await.unwrap();
                let row = db.query_one("SELECT n FROM t WHERE id = ?", params![id]).await.unwrap();
                assert_eq!(row.get::<i64>(0).unwrap(), n);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((count(&db).await, db.stats().failed), (16, 0));
    assert!(db.close().await.is_empty());
}

#[tokio::test]
async fn a_writer_that_is_kept_is_reported_by_default() {
    let log = Log::listen();
    let target = Target::file();
    let db = open(target.settings()).await;
    let writer = db.acquire().await.unwrap();
    let reader = db.acquire_read().await.unwrap();
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(db.pool().stats().leaked, 1);
    assert_eq!(db.readers().unwrap().stats().leaked, 0, "a reader keeps nobody waiting");
    let lines = log.lines("dbkeep_pool::shared");
    let told = "WARN a connection has been lent for longer than the leak threshold pool=\"default\" location=";
    assert!(lines.len() == 1 && lines[0].starts_with(told), "{}", log.text());
    drop((writer, reader));

    let target = Target::file();
    let mut short = target.settings();
    short.pool.max_lifetime = Duration::from_secs(5);
    assert_eq!(Database::open(short).await.unwrap().pool().config().leak_threshold, Some(Duration::from_secs(5)));
    let target = Target::file();
    let mut chosen = target.settings();
    chosen.pool.leak_threshold = Duration::from_secs(600);
    let db = Database::open(chosen).await.unwrap();
    assert_eq!(db.pool().config().leak_threshold, Some(Duration::from_secs(600)));
    assert_eq!(db.readers().unwrap().config().leak_threshold, Some(Duration::from_secs(600)));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_connection_is_all_there_is_it_does_everything() {
    let target = Target::file();
    let db = open(target.settings().pool_size(0, 1)).await;
    assert!(db.readers().is_none());
    db.transaction(async |tx| {
        tx.execute("INSERT INTO t (n) VALUES (1)", &[]).await?;
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    assert_eq!(
        db.query("WITH a AS (SELECT 2) INSERT INTO t (n) SELECT * FROM a RETURNING n", []).await.unwrap().len(),
        1
    );
    assert_eq!((count(&db).await, db.pool_stats().max()), (2, 1));
    assert_eq!(db.acquire_read().await.unwrap().query("SELECT n FROM t", &[]).await.unwrap().len(), 2);
    assert_eq!(db.pool().config().leak_threshold, None);
    db.close().await;

    let memory = open(Settings::from_url("sqlite::memory:").unwrap()).await;
    assert!(memory.readers().is_none() && !memory.server().capabilities.single_writer);
    memory.query("WITH a AS (SELECT 2) INSERT INTO t (n) SELECT * FROM a RETURNING n", []).await.unwrap();
    assert_eq!(count(&memory).await, 1);

    let reading = Database::connect(&format!("{}?mode=ro", target.url)).await.unwrap();
    assert!(reading.readers().is_none());
    assert_eq!((count(&reading).await, reading.health().await.unwrap().role), (2, Role::ReadOnly));
    let error = reading.query("WITH a AS (SELECT 2) INSERT INTO t (n) SELECT * FROM a", []).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::ReadOnly));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sizes_of_the_pool_are_those_of_both_together() {
    for ((min, max), writer, readers) in [((2, 10), (1, 1), (1, 9)), ((0, 2), (0, 1), (0, 1)), ((4, 4), (1, 1), (3, 3))]
    {
        let target = Target::file();
        let db = Database::open(target.settings().pool_size(min, max)).await.unwrap();
        let (main, others) = (db.pool().stats(), db.readers().unwrap().stats());
        assert_eq!(((main.min, main.max), (others.min, others.max)), (writer, readers));
        assert_eq!(db.pool_stats().max(), max);
    }
    let error = Database::open(Target::file().settings().pool_size(11, 10)).await.unwrap_err();
    assert!(error.to_string().starts_with("pool setting min 11 is more than max 10"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_a_changed_schema_through_the_statements_they_keep() {
    let target = Target::file();
    let db = open(target.settings().pool_size(1, 2)).await;
    let columns = async || {
        let rows = db.query("SELECT * FROM t", []).await?;
        Ok::<_, Error>(rows.first().map_or(0, |row| row.columns().len()))
    };
    db.execute("INSERT INTO t (n) VALUES (1)", []).await.unwrap();
    assert_eq!(columns().await.unwrap(), 2);
    db.execute("ALTER TABLE t ADD COLUMN name TEXT DEFAULT 'x'", []).await.unwrap();
    assert_eq!(columns().await.unwrap(), 3);
    db.script("DROP TABLE t; CREATE VIEW t AS SELECT 1 AS a").await.unwrap();
    assert_eq!(columns().await.unwrap(), 1);
    db.execute("DROP VIEW t", []).await.unwrap();
    assert_eq!(columns().await.unwrap_err().kind(), Some(ErrorKind::NotFound));
    db.execute("CREATE TABLE t (a, b, c, d)", []).await.unwrap();
    assert_eq!(columns().await.unwrap(), 0);
    // Changed by another program.
    stranger(&target).await.script("INSERT INTO t VALUES (1, 2, 3, 4); VACUUM").await.unwrap();
    assert_eq!(columns().await.unwrap(), 4);
    assert_eq!(db.stats().failed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_search_sort_and_gather_as_writers_do() {
    let target = Target::file();
    let db = open(target.settings()).await;
    db.script(
        "CREATE VIRTUAL TABLE letters USING fts5 (body); INSERT INTO letters VALUES ('dear reader'), ('dear writer')",
    )
    .await
    .unwrap();
    let found = db.query("SELECT body FROM letters WHERE letters MATCH 'reader'", []).await.unwrap();
    assert_eq!(found[0].get::<String>(0).unwrap(), "dear reader");
    // More than fits into the cache, so that what is in between goes to a file of its own.
    let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000),
               big AS MATERIALIZED (SELECT i, hex(randomblob(200)) AS text FROM n)
               SELECT count(DISTINCT a.text) FROM (SELECT * FROM big ORDER BY text) a JOIN big b ON a.i = b.i";
    assert_eq!(db.query_one(sql, []).await.unwrap().get::<i64>(0).unwrap(), 20_000);
    assert_eq!((db.stats().failed, db.pool().stats().acquired), (0, 3), "the writer had the scripts alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_write_ahead_log_writers_and_readers_wait_for_each_other_and_none_fails() {
    let target = Target::file();
    let mut stranger = stranger(&target).await;
    stranger
        .script("PRAGMA journal_mode = DELETE; CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
        .await
        .unwrap();
    let reading = TransactionOptions::default().read_only();
    let mut lock = stranger.transaction_with(&reading).await.unwrap();
    lock.query("SELECT * FROM t", &[]).await.unwrap();
    let mut settings = target.settings();
    settings.options.session.lock_timeout = Some(Duration::from_secs(2));
    // For so long it tries to turn the log on.
    let db = Database::open(settings).await.unwrap();
    lock.rollback().await.unwrap();

    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    db.execute("INSERT INTO t (n) VALUES (?)", params![n]).await.unwrap();
                    assert!(count(&db).await > 0);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(count(&db).await, 80);
    let mode: String = db.query_one("PRAGMA journal_mode", []).await.unwrap().get(0).unwrap();
    assert_eq!((mode.as_str(), db.stats().failed), ("delete", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_tables_live_on_the_writers_lease() {
    let target = Target::file();
    let db = open(target.settings()).await;
    let mut lease = db.acquire().await.unwrap();
    lease.script("CREATE TEMP TABLE mine (id INTEGER); INSERT INTO mine VALUES (1)").await.unwrap();
    assert_eq!(lease.query("SELECT * FROM mine", &[]).await.unwrap().len(), 1);
    let error = db.query("SELECT * FROM mine", []).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::NotFound), "{error}");
    let error = db.acquire_read().await.unwrap().query("SELECT * FROM mine", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(lease.query("SELECT * FROM mine", &[]).await.unwrap().len(), 1);
    lease.reset().await.unwrap();
    assert_eq!(lease.query("SELECT * FROM mine", &[]).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_and_an_old_snapshot_are_counted_apart() {
    let target = Target::file();
    let mut settings = target.settings();
    settings.options.session.lock_timeout = Some(Duration::from_millis(30));
    let db = open(settings).await;
    db.execute("INSERT INTO t (n) VALUES (0)", []).await.unwrap();
    let mut stranger = stranger(&target).await;

    // Another program holds the lock for longer than we wait.
    let lock = stranger.transaction().await.unwrap();
    let error = db.execute("INSERT INTO t (n) VALUES (1)", []).await.unwrap_err();
    assert_eq!((error.kind(), error.engine().unwrap().code()), (Some(ErrorKind::LockTimeout), Some("5")));
    assert!(error.hint().unwrap().contains("kept the database locked for 30ms"), "{:?}", error.hint());
    let totals = db.stats();
    assert_eq!((totals.lock_timeouts, totals.serialization_failures, totals.lock_waits), (1, 0, 1));
    assert!(totals.lock_wait_time >= Duration::from_millis(10), "{totals:?}");
    assert_eq!(count(&db).await, 1, "readers do not mind");

    // A transaction that has read is told at once: waiting could not help it.
    let error = db
        .transaction_with(TransactionOptions::default(), async |tx| {
            tx.query("SELECT * FROM t", &[]).await?;
            tx.execute("INSERT INTO t (n) VALUES (1)", &[]).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.engine().unwrap().code()), (Some(ErrorKind::LockTimeout), Some("5")));
    assert!(error.hint().unwrap().contains("would not help a transaction that has read already"), "{:?}", error.hint());
    let totals = db.stats();
    assert_eq!((totals.lock_timeouts, totals.serialization_failures, totals.lock_waits), (2, 0, 1));
    lock.rollback().await.unwrap();

    // Another program writes after the transaction has read.
    let (mut runs, mut hints) = (0, Vec::new());
    let others = Mutex::new(Some(stranger));
    let outcome = {
        let (others, hints, runs) = (&others, Mutex::new(&mut hints), Mutex::new(&mut runs));
        db.transaction_with(TransactionOptions::default(), async |tx| {
            **runs.lock().unwrap() += 1;
            tx.query("SELECT * FROM t", &[]).await?;
            let other = others.lock().unwrap().take();
            if let Some(mut other) = other {
                other.execute("INSERT INTO t (n) VALUES (2)", &[]).await?;
            }
            let done = tx.execute("INSERT INTO t (n) VALUES (3)", &[]).await;
            if let Err(error) = &done {
                hints.lock().unwrap().push((error.code().unwrap().to_owned(), error.hint().unwrap().to_owned()));
            }
            done?;
            Ok::<_, Error>(())
        })
        .await
    };
    outcome.unwrap();
    assert_eq!((runs, hints.len(), hints[0].0.as_str()), (2, 1, "517"), "the second run succeeds");
    assert!(hints[0].1.contains("which no waiting undoes") && hints[0].1.contains("IMMEDIATE"), "{}", hints[0].1);
    let totals = db.stats();
    assert_eq!((totals.lock_timeouts, totals.serialization_failures, totals.lock_waits), (2, 1, 1));
    assert_eq!(count(&db).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_another_program_that_comes_free_in_time_is_counted_as_a_wait_alone() {
    let target = Target::file();
    let db = open(target.settings()).await;
    let mut stranger = stranger(&target).await;
    let lock = stranger.transaction().await.unwrap();
    let write = tokio::spawn({
        let db = db.clone();
        async move { db.execute("INSERT INTO t (n) VALUES (1)", []).await }
    });
    // What waits for the lock holds the writer.
    while db.pool().stats().in_use == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    lock.commit().await.unwrap();
    write.await.unwrap().unwrap();
    let totals = db.stats();
    assert_eq!((totals.lock_waits, totals.lock_timeouts, totals.failed), (1, 0, 0));
    assert!(totals.lock_wait_time > Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_writer_it_holds_is_told_so() {
    let target = Target::file();
    let mut settings = target.settings();
    settings.pool.acquire_timeout = Duration::from_millis(50);
    let db = open(settings).await;
    let line = line!() + 2;
    let error = db
        .transaction(async |tx| {
            tx.execute("INSERT INTO t (n) VALUES (1)", &[]).await?;
            db.execute("INSERT INTO t (n) VALUES (2)", []).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    assert!(error.is_timeout() && error.is_acquire());
    assert!(error.to_string().contains("1 of 1 in use"), "{error}");
    assert!(error.to_string().contains(&format!("{}:{line}", file!())), "{error}");
    let hint = "this database takes one writer at a time: see what the borrower above does for so long; inside a transaction \
                and beside a lease of one's own, write through that connection and not through the database, which waits for it";
    assert_eq!(error.hint(), Some(hint));
    let details = error.details().unwrap();
    assert!(details.ends_with(&format!("\n  hint: {hint}")) && details.matches("hint").count() == 1, "{details}");
    assert_eq!(count(&db).await, 0);
    db.close().await;
    let error = db.execute("DELETE FROM t", []).await.unwrap_err();
    assert!(error.hint().unwrap().contains("close was called"), "{:?}", error.hint());
}

#[tokio::test(flavor = "multi_thread")]
async fn close_folds_the_log_into_the_file_and_names_borrowers_of_both_kinds() {
    let target = Target::file();
    let db = open(target.settings().pool_size(6, 6)).await;
    let reads: Vec<_> = (0..20)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { count(&db).await })
        })
        .collect();
    for read in reads {
        read.await.unwrap();
    }
    db.execute("INSERT INTO t (n) VALUES (1)", []).await.unwrap();
    let path = db.options().database.clone();
    assert!(std::fs::exists(format!("{path}-wal")).unwrap());
    assert!(db.close().await.is_empty());
    assert!(!std::fs::exists(format!("{path}-wal")).unwrap() && !std::fs::exists(format!("{path}-shm")).unwrap());
    assert!(db.pool().is_closed() && db.readers().unwrap().is_closed());
    assert!(db.close().await.is_empty(), "closing again does nothing");

    let db = Database::open(target.settings()).await.unwrap();
    let (mut reader, mut writer) = (db.acquire_read().await.unwrap(), db.acquire().await.unwrap());
    let closing = tokio::spawn({
        let db = db.clone();
        async move { db.close().await }
    });
    while !db.readers().unwrap().is_closed() {
        tokio::task::yield_now().await;
    }
    // Borrowers go on to their end; nobody else begins.
    let refused = tokio::spawn({
        let db = db.clone();
        async move { db.execute("INSERT INTO t (n) VALUES (0)", []).await }
    });
    writer.execute("INSERT INTO t (n) VALUES (2)", &[]).await.unwrap();
    assert_eq!(reader.query("SELECT n FROM t", &[]).await.unwrap().len(), 2);
    drop(writer);
    drop(reader);
    assert!(closing.await.unwrap().is_empty());
    assert!(refused.await.unwrap().unwrap_err().is_acquire());
    assert!(!std::fs::exists(format!("{path}-wal")).unwrap());

    let db = Database::open(target.settings()).await.unwrap();
    assert_eq!(count(&db).await, 2);
    let closing = db.close();
    drop(closing);
    assert_eq!(count(&db).await, 2, "what was never polled closes nothing");
    let reader = db.acquire_read().await.unwrap();
    assert!(tokio::time::timeout(Duration::ZERO, db.close()).await.is_err());
    assert!(db.pool().is_closed() && db.readers().unwrap().is_closed(), "only the waiting ended");
    drop(reader);
}

#[tokio::test]
async fn close_names_who_kept_a_connection() {
    let target = Target::file();
    let db = open(target.settings()).await;
    let writer = db.acquire().await.unwrap();
    let line = line!() + 1;
    let reader = db.acquire_read().await.unwrap();
    tokio::time::pause();
    let left = db.close().await;
    let mut lines: Vec<_> = left.iter().map(|borrower| borrower.location.line()).collect();
    lines.sort_unstable();
    assert_eq!(lines, [line - 2, line]);
    drop((writer, reader));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_replaced_is_found_and_one_that_is_gone_is_not_made_anew() {
    let target = Target::file();
    let mut settings = target.settings();
    // Every lease is checked first; usually one that rested for half a second is.
    settings.pool.validate_after = Duration::ZERO;
    let db = open(settings).await;
    let path = db.options().database.clone();
    let other = Target::file();
    let new = open(other.settings()).await;
    new.execute("INSERT INTO t (n) VALUES (41), (42)", []).await.unwrap();
    let new_path = new.options().database.clone();
    new.close().await;
    db.execute("INSERT INTO t (n) VALUES (1)", []).await.unwrap();
    assert_eq!(count(&db).await, 1);

    for log in ["-wal", "-shm"] {
        std::fs::remove_file(format!("{path}{log}")).unwrap();
    }
    std::fs::rename(&new_path, &path).unwrap();
    assert_eq!(count(&db).await, 2, "a reader sees the new file");
    db.execute("INSERT INTO t (n) VALUES (43)", []).await.unwrap();
    assert_eq!(count(&db).await, 3);
    assert_eq!(db.pool().stats().closed(CloseReason::CheckFailed), 1);

    std::fs::remove_file(&path).unwrap();
    for (error, text) in [
        (db.query("SELECT * FROM t", []).await.unwrap_err(), "there is no file "),
        (db.execute("INSERT INTO t (n) VALUES (44)", []).await.unwrap_err(), "the database "),
    ] {
        assert_eq!(error.kind(), Some(ErrorKind::UnknownDatabase), "{error}");
        assert!(error.engine().unwrap().to_string().starts_with(text), "{error:?}");
    }
    assert!(!std::fs::exists(&path).unwrap(), "an empty database is not put in its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_are_opened_anew_with_a_new_writer() {
    let target = Target::file();
    let db = open(target.settings()).await;
    assert_eq!(count(&db).await, 0);
    db.acquire().await.unwrap().discard();
    db.execute("INSERT INTO t (n) VALUES (1)", []).await.unwrap();
    assert_eq!(count(&db).await, 1);
    assert!(db.readers().unwrap().stats().closed(CloseReason::Evicted) > 0);
    assert_eq!(db.pool().stats().opened, 2);
    // The new one can do what the first one could.
    let path = format!("{}-other", db.options().database);
    let mut lease = db.acquire().await.unwrap();
    lease.execute("ATTACH ? AS other", &params![path]).await.unwrap();
    lease.execute("CREATE TABLE other.t (n INTEGER)", &[]).await.unwrap();
}
