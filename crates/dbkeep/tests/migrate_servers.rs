//! Migrations on the servers: atomic where schema changes can be rolled back, recorded statement by statement elsewhere.

#![cfg(all(feature = "mysql", feature = "postgres"))]
#![allow(clippy::unwrap_used)]

use dbkeep::ConnectOptions;
use dbkeep::engine::{Connection, connect};
use dbkeep::migrate::{Drift, Error, ErrorKind, InDoubt, Migrator, Rollback, Up};
use dbkeep_testkit::{Kind, TestDatabase, server};
use std::time::Duration;

const USERS: (&str, &str) = (
    "2026_01_01_000000_users.sql",
    "-- migrate:up\nCREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL);\n\
     INSERT INTO users VALUES (1, 'a;b'), (2, 'c');\n-- migrate:down\nDROP TABLE users;\n",
);

async fn open(url: &str) -> Connection {
    connect(&url.parse::<ConnectOptions>().unwrap()).await.unwrap()
}

/// Runs a test on every server there is.
macro_rules! on_every_server {
    ($($(#[$doc:meta])* $name:ident => $body:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            for kind in Kind::ALL {
                let Some(server) = server(kind) else { continue };
                let database = server.fresh_database();
                $body(kind, database).await;
            }
        }
    )*};
}

on_every_server! {
    migrations_are_applied_recorded_and_undone => up_and_down;
    a_failed_migration_leaves_nothing_or_goes_on_where_it_stopped => fails_in_the_middle;
    the_server_says_where_in_the_file_the_error_is => names_the_place;
    a_statement_that_forbids_a_transaction_runs_without_one => without_a_transaction;
    another_run_is_waited_for_and_named => waits;
    of_many_runs_at_once_one_migrates => race;
    a_dropped_run_releases_its_lock => dropped;
    bodies_with_semicolons_are_one_statement => bodies;
    a_lost_connection_leaves_the_truth_in_the_ledger => killed;
    a_statement_in_doubt_that_fails_stays_in_doubt => doubted;
}

async fn tables(database: &TestDatabase) -> String {
    let schema = match database.server().kind() {
        Kind::Postgres => "table_schema = 'public'".to_owned(),
        _ => format!("table_schema = '{}'", database.name()),
    };
    let sql = format!("SELECT table_name FROM information_schema.tables WHERE {schema} ORDER BY table_name");
    database.sql(&sql).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn hint(error: &Error) -> &str {
    error.hint().unwrap_or("-")
}

async fn up_and_down(kind: Kind, database: TestDatabase) {
    let mut connection = open(&database.url()).await;
    let own = (
        format!("2026_01_02_000000_own.{kind}.sql"),
        "-- migrate:up\nCREATE TABLE own (id INTEGER);\n-- migrate:down\nDROP TABLE own;\n".to_owned(),
    );
    let other = if kind == Kind::Postgres { "mysql" } else { "postgres" };
    let others = (format!("2026_01_02_000000_own.{other}.sql"), "-- migrate:up\nthis is for another\n".to_owned());
    let migrator =
        Migrator::embedded([(USERS.0.to_owned(), USERS.1.to_owned()), own, others]).executed_by("ada@laptop");
    let report = migrator.up(&mut connection, &Up::default()).await.unwrap();
    assert_eq!((report.batch, report.migrations.len()), (Some(1), 2));
    assert_eq!(tables(&database).await, "dbkeep_migrations own users");
    assert_eq!(database.sql("SELECT name FROM users ORDER BY id").trim(), "a;b\nc");
    assert!(migrator.up(&mut connection, &Up::default()).await.unwrap().migrations.is_empty());
    let status = migrator.status(&mut connection).await.unwrap();
    assert!(status.iter().all(|status| status.applied && status.drift.is_none() && status.batch == Some(1)));
    let age = jiff::Timestamp::now().duration_since(status[0].executed_at.unwrap());
    assert!(age.as_secs().abs() < 600, "{age:?}");
    let ledger = database
        .sql("SELECT id, migration, batch, state, statements_done, executed_by FROM dbkeep_migrations ORDER BY id");
    assert_eq!(
        ledger.trim(),
        "1\t2026_01_01_000000_users\t1\tapplied\t2\tada@laptop\n2\t2026_01_02_000000_own\t1\tapplied\t1\tada@laptop"
    );
    migrator.rollback(&mut connection, &Rollback::all()).await.unwrap();
    assert_eq!(tables(&database).await, "dbkeep_migrations");
}

async fn fails_in_the_middle(kind: Kind, database: TestDatabase) {
    let mut connection = open(&database.url()).await;
    let text = "-- migrate:up\nCREATE TABLE a (id INTEGER);\nINSERT INTO a VALUES (1);\nINSERT INTO b VALUES (2);\nINSERT INTO a VALUES (3);\n\
                -- migrate:down\nDROP TABLE a;\n";
    let at = |text: &str| Migrator::embedded([("2026_01_01_000000_a.sql", text.to_owned())]);
    let error = at(text).up(&mut connection, &Up::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.location().unwrap().line), (ErrorKind::Statement, 4));
    assert_eq!(error.message(), "2026_01_01_000000_a failed at statement 3 of 4");
    let status = at(text).status(&mut connection).await.unwrap().remove(0);
    assert!(!status.applied);
    if kind == Kind::Postgres {
        assert!(
            hint(&error).ends_with("nothing of it was kept: correct the file and run it again"),
            "{}",
            hint(&error)
        );
        assert_eq!(tables(&database).await, "dbkeep_migrations");
        assert_eq!(status.halfway, None);
    } else {
        assert!(
            hint(&error).ends_with(
                "2 statements before it took effect and stay: correct the file from line 4 on, leave what is above it, and run \
                 `migrate` again, which goes on there"
            ),
            "{}",
            hint(&error)
        );
        assert_eq!(status.halfway.unwrap().statements_done, 2);
        let error = at(&text.replace("(1)", "(7)")).up(&mut connection, &Up::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Drift);
    }
    let fixed = text.replace("INTO b", "INTO a");
    at(&fixed).up(&mut connection, &Up::default()).await.unwrap();
    assert_eq!(database.sql("SELECT id FROM a ORDER BY id").split_whitespace().collect::<Vec<_>>(), ["1", "2", "3"]);
    let drift = at(&fixed.replace("(3)", "(4)")).status(&mut connection).await.unwrap().remove(0).drift;
    assert_eq!(drift, Some(Drift::Changed));

    // The way back fails and goes on alike.
    let two = "-- migrate:down\nDROP TABLE a;\nDROP TABLE b;\nDROP TABLE c;\n";
    let back = fixed.replace("-- migrate:down\nDROP TABLE a;\n", two);
    let error = at(&back).rollback(&mut connection, &Rollback::all()).await.unwrap_err();
    assert_eq!(error.message(), "the rollback of 2026_01_01_000000_a failed at statement 2 of 3");
    if kind != Kind::Postgres {
        assert_eq!(tables(&database).await, "dbkeep_migrations");
        let error = at(&back).up(&mut connection, &Up::default()).await.unwrap_err();
        assert_eq!((error.kind(), hint(&error)), (ErrorKind::Unfinished, "go on with `migrate rollback`"));
    }
    at(&back.replace("DROP TABLE b;\nDROP TABLE c;\n", "SELECT 1;\n"))
        .rollback(&mut connection, &Rollback::all())
        .await
        .unwrap();
    assert_eq!(tables(&database).await, "dbkeep_migrations");
    assert_eq!(database.sql("SELECT count(*) FROM dbkeep_migrations").trim(), "0");
}

async fn names_the_place(kind: Kind, database: TestDatabase) {
    let mut connection = open(&database.url()).await;
    let text =
        "-- migrate:up\nCREATE TABLE a (id INTEGER);\n\nCREATE TABLE b (\n  id INTEGER,\n  ä INTEGER NOT NUL\n);\n";
    let migrator = Migrator::embedded([("2026_01_01_000000_a.sql", text)]);
    let error = migrator.up(&mut connection, &Up::default()).await.unwrap_err();
    let location = error.location().unwrap();
    assert_eq!((location.line, location.column, location.text.as_str()), (6, 17, "  ä INTEGER NOT NUL"), "{kind}");
}

async fn without_a_transaction(kind: Kind, database: TestDatabase) {
    if kind != Kind::Postgres {
        return;
    }
    let mut connection = open(&database.url()).await;
    let text = "-- migrate:up\nCREATE TABLE a (id INTEGER);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n-- migrate:down\nDROP TABLE a;\n";
    let error =
        Migrator::embedded([("2026_01_01_000000_a.sql", text)]).up(&mut connection, &Up::default()).await.unwrap_err();
    assert!(
        hint(&error).ends_with(
            "nothing of it was kept: this statement cannot run in a transaction; add a line `-- migrate:no-transaction` to the file"
        ),
        "{}",
        hint(&error)
    );
    let text = text.replacen('\n', "\n-- migrate:no-transaction\n", 1);
    let migrator = Migrator::embedded([("2026_01_01_000000_a.sql", text)]);
    migrator.up(&mut connection, &Up::default()).await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM pg_indexes WHERE indexname = 'a_id'").trim(), "1");
}

async fn waits(_: Kind, database: TestDatabase) {
    let (mut one, mut other) = (open(&database.url()).await, open(&database.url()).await);
    assert!(one.lock("dbkeep.migrate.dbkeep_migrations", Duration::ZERO).await.unwrap());
    let migrator = Migrator::embedded([USERS]).lock_timeout(Duration::ZERO);
    let error = migrator.up(&mut other, &Up::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.message().starts_with("another run holds the lock ("), "{error}");
    one.close().await.unwrap();
    let migrator = migrator.lock_timeout(Duration::from_secs(30));
    assert_eq!(migrator.up(&mut other, &Up::default()).await.unwrap().migrations.len(), 1);
}

async fn race(_: Kind, database: TestDatabase) {
    let mut runs = Vec::new();
    for _ in 0..8 {
        let url = database.url();
        runs.push(tokio::spawn(async move {
            let mut connection = open(&url).await;
            Migrator::embedded([USERS]).up(&mut connection, &Up::default()).await.unwrap().migrations.len()
        }));
    }
    let mut applied = 0;
    for run in runs {
        applied += run.await.unwrap();
    }
    assert_eq!(applied, 1);
}

/// Waits until the server runs a statement with this text.
async fn runs(kind: Kind, connection: &mut Connection, text: &str) {
    let sql = match kind {
        Kind::Postgres => {
            "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE $1"
        }
        _ => "SELECT 1 FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND info LIKE ?",
    };
    while connection.query(sql, &[format!("%{text}%").into()]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

async fn dropped(kind: Kind, database: TestDatabase) {
    let number = std::process::id();
    let sleep = if kind == Kind::Postgres { "SELECT pg_sleep" } else { "SELECT SLEEP" };
    let text =
        format!("-- migrate:up\nCREATE TABLE a (id INTEGER);\n{sleep}(600.{number});\nCREATE TABLE b (id INTEGER);\n");
    let migrator = Migrator::embedded([("2026_01_01_000000_a.sql", text)]);
    let (mut connection, mut other) = (open(&database.url()).await, open(&database.url()).await);
    let (up, asleep) = (Up::default(), format!("(600.{number})"));
    tokio::select! {
        outcome = migrator.up(&mut connection, &up) => panic!("a long sleep ended: {outcome:?}"),
        () = runs(kind, &mut other, &asleep) => {}
    }
    drop(connection);
    let patient = Migrator::embedded([USERS]).lock_timeout(Duration::from_secs(30)).table("other".try_into().unwrap());
    patient.up(&mut other, &Up::default()).await.unwrap();
    let migrator = migrator.lock_timeout(Duration::from_secs(30));
    if kind == Kind::Postgres {
        assert!(!migrator.status(&mut other).await.unwrap()[0].applied);
        assert_eq!(tables(&database).await, "dbkeep_migrations other users");
        return;
    }
    let error = migrator.up(&mut other, &up).await.unwrap_err();
    assert_eq!(
        error.message(),
        "statement 2 of 3 of 2026_01_01_000000_a was under way when an earlier run was cut off, and may have taken effect"
    );
    migrator.up(&mut other, &Up::default().in_doubt(InDoubt::Done)).await.unwrap();
    assert_eq!(tables(&database).await, "a b dbkeep_migrations other users");
}

async fn bodies(kind: Kind, database: TestDatabase) {
    let mut connection = open(&database.url()).await;
    let body = match kind {
        Kind::Postgres => {
            "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n  new.name := upper(new.name);\n  RETURN new;\nEND;\n$$;\n\
             CREATE TRIGGER shout BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION shout();\n"
        }
        _ => {
            "CREATE TRIGGER shout BEFORE INSERT ON users FOR EACH ROW BEGIN\n  SET new.name = upper(new.name);\n  SET @shouted = 1;\nEND;\n\
             DELIMITER //\nCREATE PROCEDURE two() BEGIN SELECT 1; SELECT 2; END//\nDELIMITER ;\nCALL two();\n"
        }
    };
    let migrator = Migrator::embedded([
        (USERS.0, USERS.1.to_owned()),
        ("2026_01_02_000000_shout.sql", format!("-- migrate:up\n{body}")),
    ]);
    migrator.up(&mut connection, &Up::default()).await.unwrap();
    database.sql("INSERT INTO users VALUES (9, 'ada')");
    assert_eq!(database.sql("SELECT name FROM users WHERE id = 9").trim(), "ADA");
}

async fn killed(kind: Kind, database: TestDatabase) {
    if kind == Kind::Postgres {
        return;
    }
    // Rows are changed and recorded in one transaction: nothing is in doubt about them, whenever the run is cut off.
    let number = std::process::id();
    let text = format!(
        "-- migrate:up\nCREATE TABLE a (id INTEGER);\nINSERT INTO a VALUES (1);\nINSERT INTO a SELECT SLEEP(600.{number});\n\
         INSERT INTO a VALUES (3);\n"
    );
    let migrator = Migrator::embedded([("2026_01_01_000000_a.sql", text.clone())]);
    let mut connection = open(&database.url()).await;
    let id = connection.query_one("SELECT CONNECTION_ID()", &[]).await.unwrap().get::<u64>(0).unwrap();
    let run = tokio::spawn(async move { migrator.up(&mut connection, &Up::default()).await });
    let mut other = open(&database.url()).await;
    runs(kind, &mut other, &format!("SLEEP(600.{number})")).await;
    other.execute(&format!("KILL {id}"), &[]).await.unwrap();
    let error = run.await.unwrap().unwrap_err();
    assert!(error.engine().unwrap().is_connection_lost(), "{error:?}");
    assert!(hint(&error).ends_with("see `migrate status` before `migrate`"), "{}", hint(&error));
    let fixed = Migrator::embedded([(
        "2026_01_01_000000_a.sql",
        text.replace(&format!("SELECT SLEEP(600.{number})"), "VALUES (2)"),
    )]);
    let halfway = fixed.status(&mut other).await.unwrap().remove(0).halfway.unwrap();
    assert_eq!((halfway.statements_done, halfway.error), (2, None));
    fixed.up(&mut other, &Up::default().in_doubt(InDoubt::Again)).await.unwrap();
    assert_eq!(database.sql("SELECT id FROM a ORDER BY id").split_whitespace().collect::<Vec<_>>(), ["1", "2", "3"]);
}

/// Cut off after the server did it, before that was recorded, and then judged wrongly.
async fn doubted(kind: Kind, database: TestDatabase) {
    if kind == Kind::Postgres {
        return;
    }
    let mut connection = open(&database.url()).await;
    let file = |statements: &str| [("2026_01_01_000000_a.sql", format!("-- migrate:up\n{statements}"))];
    Migrator::embedded(file("CREATE TABLE a (id INTEGER);\nBROKEN;\n"))
        .up(&mut connection, &Up::default())
        .await
        .unwrap_err();
    for (done, statements) in
        [(1, "CREATE TABLE a (id INTEGER);\nCREATE TABLE b (id INTEGER);\n"), (0, "CREATE TABLE a (id INTEGER);\n")]
    {
        let row = format!("state = 'up_running', statements_done = {done}");
        database.sql(&format!("UPDATE dbkeep_migrations SET {row}; CREATE TABLE IF NOT EXISTS b (id INTEGER)"));
        let migrator = Migrator::embedded(file(statements));
        for _ in 0..2 {
            let error = migrator.up(&mut connection, &Up::default().in_doubt(InDoubt::Again)).await.unwrap_err();
            assert!(hint(&error).starts_with("it is in doubt still: if it took effect"), "{}", hint(&error));
            assert_eq!(migrator.up(&mut connection, &Up::default()).await.unwrap_err().kind(), ErrorKind::Unfinished);
        }
        migrator.up(&mut connection, &Up::default().in_doubt(InDoubt::Done)).await.unwrap();
        assert!(migrator.status(&mut connection).await.unwrap()[0].applied);
    }
}
