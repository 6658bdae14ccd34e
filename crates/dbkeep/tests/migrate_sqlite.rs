//! Migrations applied, undone and interrupted on SQLite, where a migration is one transaction unless it says otherwise.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used)]

use dbkeep::engine::{Connection, connect};
use dbkeep::migrate::{
    Allow, Drift, Error, ErrorKind, InDoubt, MigrationStarted, Migrator, Progress, Rollback, StatementFinished, Up,
};
use dbkeep::{ConnectOptions, Ident};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const USERS: (&str, &str) = (
    "2026_01_01_000000_users.sql",
    "-- migrate:up\nCREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n\
     CREATE TRIGGER shout AFTER INSERT ON users BEGIN\n  UPDATE users SET name = upper(name) WHERE id = new.id;\nEND;\n\n\
     -- migrate:down\nDROP TABLE users;\n",
);
const POSTS: (&str, &str) = (
    "2026_01_02_000000_posts.sql",
    "-- migrate:up\nCREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER REFERENCES users);\n\
     -- migrate:down\nDROP TABLE posts;\n",
);
const BROKEN: (&str, &str) = (
    "2026_01_03_000000_broken.sql",
    "-- migrate:up\nCREATE TABLE one (id INTEGER);\n\n  CREATE TABL two (id INTEGER);\n",
);

async fn memory() -> Connection {
    connect(&"sqlite::memory:".parse::<ConnectOptions>().unwrap()).await.unwrap()
}

async fn file(directory: &Path) -> Connection {
    let url = format!("sqlite://{}", directory.join("app.db").display());
    connect(&url.parse::<ConnectOptions>().unwrap()).await.unwrap()
}

async fn tables(connection: &mut Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
    connection.query_as::<String>(sql, &[]).await.unwrap()
}

/// The error and its hint, as a person reads them.
fn shown(error: &Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}\n{}", error.hint().unwrap_or("-"))
}

async fn names(migrator: &Migrator, connection: &mut Connection) -> Vec<(String, bool)> {
    migrator.status(connection).await.unwrap().into_iter().map(|status| (status.migration, status.applied)).collect()
}

#[tokio::test]
async fn migrations_are_applied_in_order_once_and_undone_backwards() {
    let mut connection = memory().await;
    let migrator = Migrator::embedded([POSTS, USERS]).executed_by("ada@laptop");
    let report = migrator.up(&mut connection, &Up::default()).await.unwrap();
    assert_eq!(report.batch, Some(1));
    let ran: Vec<_> = report.migrations.iter().map(|m| m.migration.as_str()).collect();
    assert_eq!(ran, ["2026_01_01_000000_users", "2026_01_02_000000_posts"]);
    assert_eq!(tables(&mut connection).await, ["dbkeep_migrations", "posts", "users"]);
    connection.execute("INSERT INTO users (name) VALUES ('ada')", &[]).await.unwrap();
    assert_eq!(connection.query_as::<String>("SELECT name FROM users", &[]).await.unwrap(), ["ADA"]);

    let again = migrator.up(&mut connection, &Up::default()).await.unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), r#"{"batch":null,"migrations":[]}"#);

    let back = migrator.rollback(&mut connection, &Rollback::steps(1)).await.unwrap();
    assert_eq!(back.migrations[0].migration, "2026_01_02_000000_posts");
    assert_eq!(tables(&mut connection).await, ["dbkeep_migrations", "users"]);
    assert_eq!(migrator.up(&mut connection, &Up::default()).await.unwrap().batch, Some(2));
    let back = migrator.rollback(&mut connection, &Rollback::batch()).await.unwrap();
    assert_eq!(back.migrations.len(), 1);
    migrator.rollback(&mut connection, &Rollback::all()).await.unwrap();
    assert_eq!(tables(&mut connection).await, ["dbkeep_migrations"]);
    assert!(migrator.rollback(&mut connection, &Rollback::all()).await.unwrap().migrations.is_empty());
}

#[tokio::test]
async fn the_ledger_says_when_how_long_by_whom_and_on_what() {
    let mut connection = memory().await;
    let migrator = Migrator::embedded([USERS]).executed_by("ada@laptop").table(Ident::new("changes done").unwrap());
    migrator.up(&mut connection, &Up::default()).await.unwrap();
    let row = connection.query_one("SELECT * FROM \"changes done\"", &[]).await.unwrap();
    assert_eq!(row.get::<i64>("id").unwrap(), 1);
    assert_eq!(row.get::<String>("migration").unwrap(), "2026_01_01_000000_users");
    assert_eq!(row.get::<String>("state").unwrap(), "applied");
    assert_eq!(row.get::<i64>("statements_done").unwrap(), 2);
    assert_eq!(row.get::<String>("executed_by").unwrap(), "ada@laptop");
    assert!(row.get::<String>("engine").unwrap().starts_with("SQLite 3."));
    assert_eq!(row.get::<String>("checksum").unwrap().len(), 64);
    let status = &migrator.status(&mut connection).await.unwrap()[0];
    let age = jiff::Timestamp::now().duration_since(status.executed_at.unwrap());
    assert!(age.as_secs() >= 0 && age.as_secs() < 600, "{age:?}");
}

#[tokio::test]
async fn status_is_json_with_stable_names() {
    let mut connection = memory().await;
    let migrator = Migrator::embedded([USERS, POSTS]);
    migrator.up(&mut connection, &Up::default().steps(1)).await.unwrap();
    connection
        .execute("UPDATE dbkeep_migrations SET executed_at = '2026-11-22 12:00:00.5', duration_ms = 7", &[])
        .await
        .unwrap();
    assert_eq!(
        serde_json::to_string(&migrator.status(&mut connection).await.unwrap()).unwrap(),
        "[{\"migration\":\"2026_01_01_000000_users\",\"applied\":true,\"batch\":1,\"executed_at\":\"2026-11-22T12:00:00.5Z\",\
         \"duration_ms\":7,\"drift\":null,\"halfway\":null},\
         {\"migration\":\"2026_01_02_000000_posts\",\"applied\":false,\"batch\":null,\"executed_at\":null,\
         \"duration_ms\":null,\"drift\":null,\"halfway\":null}]"
    );
}

#[tokio::test]
async fn a_plan_shows_every_statement_and_changes_nothing() {
    let mut connection = memory().await;
    let migrator = Migrator::embedded([USERS, POSTS]);
    let plan = migrator.plan(&mut connection, &Up::default().to("users")).await.unwrap();
    assert_eq!(plan.migrations.len(), 1);
    assert!(plan.migrations[0].transaction);
    let lines: Vec<_> = plan.migrations[0].statements.iter().map(|s| (s.line, &s.sql[..12])).collect();
    assert_eq!(lines, [(2, "CREATE TABLE"), (3, "CREATE TRIGG")]);
    assert!(tables(&mut connection).await.is_empty());

    migrator.up(&mut connection, &Up::default()).await.unwrap();
    let plan = migrator.plan_rollback(&mut connection, &Rollback::all()).await.unwrap();
    let undone: Vec<_> = plan.migrations.iter().map(|m| m.statements[0].sql.as_str()).collect();
    assert_eq!(undone, ["DROP TABLE posts", "DROP TABLE users"]);
    assert_eq!(tables(&mut connection).await, ["dbkeep_migrations", "posts", "users"]);
}

#[tokio::test]
async fn a_failed_migration_leaves_nothing_and_names_file_line_and_column() {
    let mut connection = memory().await;
    let migrator = Migrator::embedded([USERS, BROKEN]);
    let error = migrator.up(&mut connection, &Up::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Statement);
    let location = error.location().unwrap();
    assert_eq!((location.line, location.text.as_str()), (4, "  CREATE TABL two (id INTEGER);"));
    assert_eq!(
        shown(&error),
        "2026_01_03_000000_broken.sql:4:10: 2026_01_03_000000_broken failed at statement 2 of 2: near \"TABL\": syntax error (1)\n\
         nothing of it was kept: correct the file and run it again"
    );
    // The migration before it stays, and the lock was given back.
    assert_eq!(tables(&mut connection).await, ["dbkeep_migrations", "users"]);
    let applied = names(&migrator, &mut connection).await;
    assert_eq!(applied, [("2026_01_01_000000_users".to_owned(), true), ("2026_01_03_000000_broken".to_owned(), false)]);
    assert!(Migrator::embedded([USERS]).up(&mut connection, &Up::default()).await.unwrap().migrations.is_empty());
}

#[tokio::test]
async fn every_file_is_judged_before_the_first_statement_runs() {
    let mut connection = memory().await;
    for (text, complaint) in [
        ("-- migrate:up\nSELECT 'open", "2026_01_03_000000_x.sql:2:8: the string that starts here is not closed"),
        (
            "-- migrate:up\n-- nothing\n",
            "2026_01_03_000000_x.sql:2:1: the up part of 2026_01_03_000000_x holds no statement",
        ),
        (
            "-- migrate:up\nSELECT 1;\n COMMIT;\n",
            "2026_01_03_000000_x.sql:3:2: 2026_01_03_000000_x runs in a transaction already",
        ),
        ("-- migrate:up\n-- migrate:off\n", "2026_01_03_000000_x.sql:2:1: unknown directive `migrate:off`"),
    ] {
        let migrator = Migrator::embedded([USERS, ("2026_01_03_000000_x.sql", text)]);
        let error = migrator.up(&mut connection, &Up::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::File, complaint));
    }
    assert!(!tables(&mut connection).await.contains(&"users".to_owned()));
}

#[tokio::test]
async fn without_a_transaction_a_failed_migration_goes_on_where_it_stopped() {
    let mut connection = memory().await;
    let broken = "-- migrate:up\n-- migrate:no-transaction\nCREATE TABLE a (id INTEGER);\nINSERT INTO a VALUES (1);\n\
                  INSERT INTO b VALUES (1);\nINSERT INTO a VALUES (2);\n-- migrate:down\nDROP TABLE a;\n";
    let at = |text: &str| Migrator::embedded([("2026_01_01_000000_a.sql", text.to_owned())]);
    let error = at(broken).up(&mut connection, &Up::default()).await.unwrap_err();
    assert_eq!(
        shown(&error),
        "2026_01_01_000000_a.sql:5:1: 2026_01_01_000000_a failed at statement 3 of 4: no such table: b (1)\n\
         2 statements before it took effect and stay: correct the file from line 5 on, leave what is above it, and run \
         `migrate` again, which goes on there"
    );
    let halfway = at(broken).status(&mut connection).await.unwrap().remove(0);
    assert_eq!(
        serde_json::to_string(&halfway.halfway).unwrap(),
        r#"{"down":false,"statements_done":2,"error":"no such table: b (1)"}"#
    );
    assert!(!halfway.applied);

    // Nothing can be rolled back over it, and what took effect must not be rewritten.
    let error = at(broken).rollback(&mut connection, &Rollback::all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unfinished);
    let error = at(&broken.replace("VALUES (1);\nINSERT INTO b", "VALUES (7);\nINSERT INTO b"))
        .up(&mut connection, &Up::default())
        .await;
    assert_eq!(
        shown(&error.unwrap_err()),
        "2026_01_01_000000_a.sql:2:1: the first 2 statements of 2026_01_01_000000_a took effect, and the file has changed there since\n\
         put them back as they were; what follows them may be changed"
    );

    let fixed = broken.replace("INTO b", "INTO a");
    let plan = at(&fixed).plan(&mut connection, &Up::default()).await.unwrap();
    assert_eq!(plan.migrations[0].statements.len(), 2);
    assert_eq!(at(&fixed).up(&mut connection, &Up::default()).await.unwrap().batch, Some(1));
    assert_eq!(connection.query_as::<i64>("SELECT id FROM a ORDER BY rowid", &[]).await.unwrap(), [1, 1, 2]);
    let status = at(&fixed).status(&mut connection).await.unwrap().remove(0);
    assert!(status.applied && status.drift.is_none() && status.halfway.is_none());
    at(&fixed).rollback(&mut connection, &Rollback::all()).await.unwrap();
}

#[tokio::test]
async fn a_first_statement_that_fails_leaves_the_migration_pending() {
    let mut connection = memory().await;
    let text = "-- migrate:up\n-- migrate:no-transaction\nINSERT INTO b VALUES (1);\n";
    let migrator = Migrator::embedded([("2026_01_01_000000_a.sql", text)]);
    let error = migrator.up(&mut connection, &Up::default()).await.unwrap_err();
    assert_eq!(error.hint(), Some("nothing of it took effect: correct the file and run `migrate` again"));
    let status = migrator.status(&mut connection).await.unwrap().remove(0);
    assert!(!status.applied && status.halfway.is_none());
}

#[tokio::test]
async fn a_transaction_of_the_file_itself_is_undone_with_its_record() {
    let mut connection = memory().await;
    let text = "-- migrate:up\n-- migrate:no-transaction\nCREATE TABLE a (id INTEGER);\nBEGIN;\nINSERT INTO a VALUES (1);\n\
                INSERT INTO b VALUES (1);\nCOMMIT;\n";
    let at = |text: &str| Migrator::embedded([("2026_01_01_000000_a.sql", text.to_owned())]);
    let error = at(text).up(&mut connection, &Up::default()).await.unwrap_err();
    assert_eq!(
        error.hint(),
        Some(
            "1 statement before it took effect and stays: correct the file from line 4 on, leave what is above it, and run \
             `migrate` again, which goes on there"
        )
    );
    assert!(connection.query_as::<i64>("SELECT id FROM a", &[]).await.unwrap().is_empty());
    at(&text.replace("INTO b", "INTO a")).up(&mut connection, &Up::default()).await.unwrap();
    assert_eq!(connection.query_as::<i64>("SELECT id FROM a", &[]).await.unwrap(), [1, 1]);

    let open = "-- migrate:up\n-- migrate:no-transaction\nBEGIN;\nINSERT INTO a VALUES (9);\n";
    let migrator = Migrator::embedded([("2026_01_02_000000_b.sql", open)]);
    let error = migrator.up(&mut connection, &Up::default().allow(Allow::everything())).await;
    assert_eq!(
        shown(&error.unwrap_err()),
        "2026_01_02_000000_b.sql:4:1: 2026_01_02_000000_b failed at statement 2 of 2: the file leaves a transaction open\n\
         end it with COMMIT; nothing of it took effect: correct the file and run `migrate` again"
    );
}

#[tokio::test]
async fn a_statement_that_was_cut_off_is_never_run_twice_without_being_told_to() {
    let mut connection = memory().await;
    let text = "-- migrate:up\n-- migrate:no-transaction\nCREATE TABLE a (id INTEGER);\nCREATE TABLE b (id INTEGER);\n";
    let migrator = Migrator::embedded([("2026_01_01_000000_a.sql", text)]);
    // As a run leaves it that was killed during its second statement.
    let cut_off = "UPDATE dbkeep_migrations SET state = 'up_running', statements_done = 1, done_checksum = ";
    let broken = Migrator::embedded([("2026_01_01_000000_a.sql", text.replace("TABLE b", "TABL b"))]);
    broken.up(&mut connection, &Up::default()).await.unwrap_err();
    connection.execute(&format!("{cut_off} done_checksum"), &[]).await.unwrap();

    let error = migrator.up(&mut connection, &Up::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unfinished);
    assert_eq!(
        shown(&error),
        "2026_01_01_000000_a.sql:4:1: statement 2 of 2 of 2026_01_01_000000_a was under way when an earlier run was cut off, and \
         may have taken effect\nlook in the database: if it took effect, go on after it with `--in-doubt done`, if not, run it again \
         with `--in-doubt again`"
    );
    migrator.up(&mut connection, &Up::default().in_doubt(InDoubt::Again)).await.unwrap();
    assert_eq!(tables(&mut connection).await, ["a", "b", "dbkeep_migrations"]);

    connection.script(&format!("{cut_off} (SELECT done_checksum FROM dbkeep_migrations)")).await.unwrap();
    // The file of one statement: what was done is all there was.
    connection.execute("DROP TABLE b", &[]).await.unwrap();
    connection.execute("DELETE FROM dbkeep_migrations", &[]).await.unwrap();
    connection.execute("DROP TABLE a", &[]).await.unwrap();
    broken.up(&mut connection, &Up::default()).await.unwrap_err();
    connection.execute(&format!("{cut_off} done_checksum"), &[]).await.unwrap();
    migrator.up(&mut connection, &Up::default().in_doubt(InDoubt::Done)).await.unwrap();
    assert_eq!(tables(&mut connection).await, ["a", "dbkeep_migrations"]);
}

#[tokio::test]
async fn changed_missing_and_late_files_are_named_and_refused() {
    let mut connection = memory().await;
    Migrator::embedded([USERS, POSTS]).up(&mut connection, &Up::default()).await.unwrap();
    let changed = (USERS.0, USERS.1.replace("name TEXT", "name VARCHAR(9)"));
    let files = || [(POSTS.0, POSTS.1.to_owned()), changed.clone()];
    let error = Migrator::embedded(files()).up(&mut connection, &Up::default()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Drift, "2026_01_01_000000_users changed after it was applied")
    );
    let drift = Migrator::embedded(files()).status(&mut connection).await.unwrap();
    assert_eq!(drift.iter().map(|status| status.drift).collect::<Vec<_>>(), [Some(Drift::Changed), None]);

    // A corrected down part is no drift, nor are other line ends.
    let down = (USERS.0, USERS.1.replace("DROP TABLE users", "DROP TABLE IF EXISTS users").replace('\n', "\r\n"));
    let migrator = Migrator::embedded([(POSTS.0, POSTS.1.to_owned()), down]);
    migrator.up(&mut connection, &Up::default()).await.unwrap();

    let error = Migrator::embedded([USERS]).up(&mut connection, &Up::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "2026_01_02_000000_posts was applied, and its file is gone");
    let late = ("2025_01_01_000000_late.sql", "-- migrate:up\nCREATE TABLE late (id INTEGER);\n");
    let migrator = Migrator::embedded([USERS, POSTS, late]);
    let error = migrator.up(&mut connection, &Up::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "2025_01_01_000000_late is older than a migration that was applied");
    migrator.up(&mut connection, &Up::default().allow(Allow::default().out_of_order())).await.unwrap();
    assert!(tables(&mut connection).await.contains(&"late".to_owned()));
}

#[tokio::test]
async fn a_table_of_something_else_is_not_taken_for_the_ledger() {
    let mut connection = memory().await;
    connection.script("CREATE TABLE migrations (id INTEGER, migration TEXT, batch INTEGER)").await.unwrap();
    let migrator = Migrator::embedded([USERS]).table(Ident::new("migrations").unwrap());
    let error = migrator.up(&mut connection, &Up::default()).await.unwrap_err();
    assert_eq!(
        shown(&error),
        "the table migrations is not the ledger of these migrations: it has no column state\n\
         give the ledger another name, if this table belongs to something else"
    );
}

#[tokio::test]
async fn another_run_is_waited_for_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (file(directory.path()).await, file(directory.path()).await);
    assert!(one.lock("dbkeep.migrate.dbkeep_migrations", Duration::ZERO).await.unwrap());
    let migrator = Migrator::embedded([USERS]).lock_timeout(Duration::ZERO);
    let error = migrator.up(&mut other, &Up::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().starts_with("another run holds the lock ("), "{error}");
    one.unlock("dbkeep.migrate.dbkeep_migrations").await.unwrap();
    assert_eq!(migrator.up(&mut other, &Up::default()).await.unwrap().migrations.len(), 1);
    // Given back after an error, too.
    let broken = Migrator::embedded([USERS, BROKEN]).lock_timeout(Duration::ZERO);
    broken.up(&mut other, &Up::default()).await.unwrap_err();
    assert!(one.lock("dbkeep.migrate.dbkeep_migrations", Duration::ZERO).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_runs_at_once_one_migrates_and_the_others_find_nothing_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let mut runs = Vec::new();
    for _ in 0..8 {
        let mut connection = file(directory.path()).await;
        runs.push(tokio::spawn(async move {
            Migrator::embedded([USERS, POSTS]).up(&mut connection, &Up::default()).await.unwrap().migrations.len()
        }));
    }
    let mut applied = Vec::new();
    for run in runs {
        applied.push(run.await.unwrap());
    }
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, 0, 0, 0, 0, 2]);
}

#[tokio::test]
async fn progress_hears_of_every_migration_and_statement() {
    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);
    impl Progress for Heard {
        fn migration_started(&self, started: &MigrationStarted<'_>) {
            let way = if started.down { "down" } else { "up" };
            self.0.lock().unwrap().push(format!("{} {way}, {} statements", started.migration, started.statements));
        }
        fn statement_finished(&self, done: &StatementFinished<'_>) {
            self.0.lock().unwrap().push(format!("  {}/{} line {}", done.number, done.statements, done.line));
        }
        fn migration_finished(&self, migration: &str, _: Duration) {
            self.0.lock().unwrap().push(format!("{migration} done"));
        }
    }
    let heard = Arc::new(Heard::default());
    let mut connection = memory().await;
    let migrator = Migrator::embedded([USERS]).progress(heard.clone());
    migrator.up(&mut connection, &Up::default()).await.unwrap();
    migrator.rollback(&mut connection, &Rollback::all()).await.unwrap();
    assert_eq!(
        heard.0.lock().unwrap().join("\n"),
        "2026_01_01_000000_users up, 2 statements\n  1/2 line 2\n  2/2 line 3\n2026_01_01_000000_users done\n\
         2026_01_01_000000_users down, 1 statements\n  1/1 line 8\n2026_01_01_000000_users done"
    );
}

#[tokio::test]
async fn migrations_are_read_from_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write(USERS.0, USERS.1);
    write("README.md", "not a migration");
    write("2026_01_02_000000_posts.up.sql", "CREATE TABLE posts (id INTEGER);");
    write("2026_01_02_000000_posts.down.sql", "DROP TABLE posts;");
    write("2026_01_03_000000_mine.sqlite.sql", "-- migrate:up\nCREATE TABLE mine (id INTEGER);");
    let mut connection = memory().await;
    let migrator = Migrator::from_directory(directory.path());
    assert_eq!(migrator.up(&mut connection, &Up::default()).await.unwrap().migrations.len(), 3);
    assert_eq!(tables(&mut connection).await, ["dbkeep_migrations", "mine", "posts", "users"]);
    let error = migrator.rollback(&mut connection, &Rollback::all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoDown);
    assert!(
        error.to_string().ends_with("2026_01_03_000000_mine cannot be rolled back: it has no down part"),
        "{error}"
    );
    assert_eq!(tables(&mut connection).await.len(), 4);

    let gone = Migrator::from_directory(directory.path().join("none"));
    let error = gone.up(&mut connection, &Up::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_a_link_to_nowhere_is_not_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("2026_01_01_000000_users.sql");
    std::os::unix::fs::symlink("gone.sql", &link).unwrap();
    let error = Migrator::from_directory(directory.path()).up(&mut memory().await, &Up::default()).await.unwrap_err();
    assert_eq!(error.message(), format!("cannot read {}", link.display()));
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let slow = "-- migrate:up\nCREATE TABLE a (id INTEGER);\n\
                INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;\n";
    struct Signal(tokio::sync::Notify);
    impl Progress for Signal {
        fn statement_finished(&self, _: &StatementFinished<'_>) {
            self.0.notify_one();
        }
    }
    let signal = Arc::new(Signal(tokio::sync::Notify::new()));
    let mut connection = file(directory.path()).await;
    let migrator = Migrator::embedded([("2026_01_01_000000_a.sql", slow)]).progress(signal.clone());
    let up = Up::default();
    tokio::select! {
        outcome = migrator.up(&mut connection, &up) => panic!("an endless statement ended: {outcome:?}"),
        () = signal.0.notified() => {}
    }
    // The same connection goes on, rolled back; another gets the lock once this one's session ends.
    assert_eq!(tables(&mut connection).await, ["dbkeep_migrations"]);
    drop(connection);
    let mut other = file(directory.path()).await;
    let migrator = Migrator::embedded([USERS]).lock_timeout(Duration::from_secs(10));
    assert_eq!(migrator.up(&mut other, &Up::default()).await.unwrap().migrations.len(), 1);
}
