//! What a borrower leaves in its session is gone before the next one gets it; what nobody touched is not reset.
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

use dbkeep::{Database, Settings};
use dbkeep_testkit::{Kind, TestDatabase, server};

async fn open(url: &str) -> Database {
    Database::open(Settings::from_url(url).unwrap().pool_size(1, 1)).await.unwrap()
}

async fn value(db: &Database, sql: &str) -> String {
    let row = db.query_one(sql, []).await.unwrap();
    row.get::<Option<String>>(0).unwrap().unwrap_or_default()
}

/// Each of these is left behind by a borrower; the question is answered afterwards as it was before.
async fn forgets(db: &Database, left_behind: &[(&str, &str)]) {
    for (statement, question) in left_behind {
        let (before, resets) = (value(db, question).await, db.pool().stats().resets);
        let mut lease = db.acquire().await.unwrap();
        lease.script(statement).await.unwrap();
        // Asked anew: what was prepared before answers as it was then.
        let anew = format!("{question} -- anew");
        let changed = lease.query_one(&anew, &[]).await.unwrap().get::<Option<String>>(0).unwrap();
        assert_ne!(changed.unwrap_or_default(), before, "{statement} changes nothing here");
        drop(lease);
        assert_eq!(value(db, question).await, before, "{statement}");
        assert_eq!(db.pool().stats().resets, resets + 1, "{statement}");
    }
    let resets = db.pool().stats().resets;
    for _ in 0..10 {
        db.query("SELECT 1", []).await.unwrap();
        db.transaction(async |tx| Ok::<_, dbkeep::Error>(tx.query("SELECT 2", &[]).await?)).await.unwrap();
    }
    assert_eq!(db.pool().stats().resets, resets, "nothing was left behind");
    assert_eq!(db.pool().stats().opened, 1, "and the connection is the same all the time");
}

async fn of_a_server(kind: Kind, left_behind: &[(&str, &str)]) {
    let Some(server) = server(kind) else { return };
    let database: TestDatabase = server.fresh_database();
    let db = open(&database.url()).await;
    forgets(&db, left_behind).await;
    db.close().await;
}

const MYSQL: [(&str, &str); 10] = [
    ("SET @a = 'left'", "SELECT CAST(@a AS CHAR)"),
    ("SET SESSION sql_mode = ''", "SELECT @@sql_mode"),
    ("SET time_zone = '+05:00'", "SELECT @@time_zone"),
    ("USE information_schema", "SELECT DATABASE()"),
    ("SELECT GET_LOCK('dbkeep-left', 0)", "SELECT CAST(IS_USED_LOCK('dbkeep-left') = CONNECTION_ID() AS CHAR)"),
    ("(SELECT ';', GET_LOCK('dbkeep-left', 0))", "SELECT CAST(IS_USED_LOCK('dbkeep-left') = CONNECTION_ID() AS CHAR)"),
    ("/* first; second */ SET @a = 'left'", "SELECT CAST(@a AS CHAR)"),
    ("-- first; second\nSET @a = 'left'", "SELECT CAST(@a AS CHAR)"),
    ("SET @password = 'left'", "SELECT CAST(@password AS CHAR)"),
    ("SET @default = 'left', SESSION sql_mode = ''", "SELECT @@sql_mode"),
];

#[tokio::test]
async fn what_is_left_in_a_session_of_mariadb_is_gone() {
    of_a_server(Kind::Mariadb, &MYSQL).await;
}

#[tokio::test]
async fn what_is_left_in_a_session_of_mysql_is_gone() {
    of_a_server(Kind::Mysql, &MYSQL).await;
}

#[tokio::test]
async fn what_is_left_in_a_session_of_postgres_is_gone() {
    let left_behind = [
        ("SET search_path = pg_catalog", "SELECT current_setting('search_path')"),
        ("SET TIME ZONE 'Asia/Tokyo'", "SELECT current_setting('TimeZone')"),
        ("SELECT set_config('app.user', 'left', false)", "SELECT current_setting('app.user', true)"),
        ("CREATE TEMP TABLE left_behind (a int)", "SELECT to_regclass('pg_temp.left_behind')::text"),
        (
            "SELECT pg_advisory_lock(4711)",
            "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
        ),
        ("/* first; second */ SET search_path = pg_catalog", "SELECT current_setting('search_path')"),
        ("SELECT ';', set_config('app.user', 'left', false)", "SELECT current_setting('app.user', true)"),
        ("SELECT E'\\'', set_config('app.user', 'left', false)", "SELECT current_setting('app.user', true)"),
        ("CREATE TABLE pg_temp.left_behind (a int)", "SELECT to_regclass('pg_temp.left_behind')::text"),
        (
            "EXPLAIN ANALYZE SELECT pg_advisory_lock(4711)",
            "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
        ),
        ("LISTEN news", "SELECT string_agg(channel, ',') FROM pg_listening_channels() channel"),
    ];
    of_a_server(Kind::Postgres, &left_behind).await;
}

#[tokio::test]
async fn what_is_left_in_a_session_of_sqlite_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&format!("sqlite://{}?mode=rwc", folder.path().join("a.db").display())).await;
    let left_behind = [
        ("PRAGMA recursive_triggers = ON", "SELECT CAST(recursive_triggers AS TEXT) FROM pragma_recursive_triggers"),
        ("/* a; b */ PRAGMA foreign_keys = OFF", "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys"),
        ("PRAGMA max_page_count = 50", "SELECT CAST(max_page_count AS TEXT) FROM pragma_max_page_count"),
        ("PRAGMA journal_size_limit = 5", "SELECT CAST(journal_size_limit AS TEXT) FROM pragma_journal_size_limit"),
        ("PRAGMA secure_delete = ON", "SELECT CAST(secure_delete AS TEXT) FROM pragma_secure_delete"),
        ("PRAGMA cell_size_check = ON", "SELECT CAST(cell_size_check AS TEXT) FROM pragma_cell_size_check"),
        (
            "PRAGMA checkpoint_fullfsync = ON",
            "SELECT CAST(checkpoint_fullfsync AS TEXT) FROM pragma_checkpoint_fullfsync",
        ),
        ("PRAGMA temp_store = MEMORY", "SELECT CAST(temp_store AS TEXT) FROM pragma_temp_store"),
        ("PRAGMA foreign_keys(0)", "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys"),
        ("CREATE TEMP TABLE left_behind (a)", "SELECT group_concat(name) FROM sqlite_temp_schema"),
        ("ATTACH ':memory:' AS other", "SELECT group_concat(name) FROM pragma_database_list"),
    ];
    forgets(&db, &left_behind).await;
    db.close().await;
}
