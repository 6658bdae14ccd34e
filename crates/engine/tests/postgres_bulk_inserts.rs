//! Bulk inserts on PostgreSQL: what COPY does not do as INSERT does, what would end the connection, and when the server goes away.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::sql::{Interval, Value, params};
use dbkeep_engine::{ConnectOptions, Connection, ErrorKind, TransactionState, connect};
use dbkeep_testkit::{Kind, Proxy, TestDatabase, private_server, server};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn options(database: &TestDatabase) -> ConnectOptions {
    database.url().parse().unwrap()
}

async fn open(database: &TestDatabase) -> Connection {
    connect(&options(database)).await.unwrap()
}

fn rows(ids: std::ops::Range<i64>) -> impl Iterator<Item = Vec<Value>> + Send {
    ids.map(|id| params![id, format!("row {id}")])
}

async fn number(connection: &mut Connection, sql: &str) -> i64 {
    connection.query_one(sql, &[]).await.unwrap().get(0).unwrap()
}

const COLUMNS: [&str; 2] = ["id", "note"];

/// What COPY would refuse, doing harm to the connection, or do otherwise than INSERT, is refused before it.
#[tokio::test]
async fn where_copy_is_no_insert_it_is_refused_and_the_connection_goes_on() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    let mut connection = open(&database).await;
    connection
        .script(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, note TEXT);
             CREATE VIEW v AS SELECT * FROM t;
             CREATE MATERIALIZED VIEW m AS SELECT * FROM t;
             CREATE TABLE ruled (id BIGINT, note TEXT);
             CREATE RULE r AS ON INSERT TO ruled DO ALSO INSERT INTO t VALUES (NEW.id, NEW.note);
             CREATE TABLE counted (id BIGINT GENERATED ALWAYS AS IDENTITY, note TEXT);
             CREATE TABLE made (id BIGINT, note TEXT GENERATED ALWAYS AS ('x') STORED);
             CREATE VIEW instead AS SELECT * FROM t;
             CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO t VALUES (NEW.id, NEW.note); RETURN NEW; END $$;
             CREATE TRIGGER i INSTEAD OF INSERT ON instead FOR EACH ROW EXECUTE FUNCTION pass();
             CREATE TABLE parts (id BIGINT, note TEXT) PARTITION BY RANGE (id);
             CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (100);",
        )
        .await
        .unwrap();
    for (table, kind, part) in [
        ("v", ErrorKind::Unsupported, "is a view"),
        ("ruled", ErrorKind::Unsupported, "has rules for INSERT"),
        ("counted", ErrorKind::Statement, "non-DEFAULT"),
        ("made", ErrorKind::Statement, "non-DEFAULT"),
        ("nowhere", ErrorKind::NotFound, "does not exist"),
        ("pg_catalog.pg_class", ErrorKind::NotFound, "does not exist"),
    ] {
        let error = connection.bulk_insert(table, COLUMNS, rows(0..10)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{table}: {error:?}");
        assert!(error.to_string().contains(part), "{table}: {error}");
        assert_eq!(connection.transaction_state(), TransactionState::Idle, "{table}");
    }
    connection.bulk_insert("m", COLUMNS, rows(0..10)).await.unwrap_err();
    assert_eq!(number(&mut connection, "SELECT count(*) FROM t").await, 0);
    assert_eq!(connection.bulk_insert("instead", COLUMNS, rows(0..10)).await.unwrap(), 10);
    assert_eq!(connection.bulk_insert("parts", COLUMNS, rows(0..10)).await.unwrap(), 10);
    let error = connection.bulk_insert("parts", COLUMNS, rows(95..105)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CheckViolation, "{error:?}");
    assert!(error.to_string().starts_with("row 6: "), "{error}");
    assert_eq!(number(&mut connection, "SELECT count(*) FROM t").await, 10);
}

#[tokio::test]
async fn a_missing_right_is_the_servers_own_error() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    let mut owner = open(&database).await;
    let name = format!("w{}", number(&mut owner, "SELECT pg_backend_pid()").await);
    owner
        .script(&format!(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, note TEXT);
             CREATE TABLE secured (id BIGINT, note TEXT); ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
             CREATE ROLE {name} LOGIN PASSWORD 'secret'; GRANT INSERT (id) ON t TO {name}; GRANT INSERT ON secured TO {name};"
        ))
        .await
        .unwrap();
    let mut limited = options(&database);
    (limited.user, limited.password) = (Some(name.clone()), Some("secret".into()));
    let mut writer = connect(&limited).await.unwrap();
    assert_eq!(writer.bulk_insert("t", ["id"], (0..10i64).map(|id| params![id])).await.unwrap(), 10);
    let error = writer.bulk_insert("t", COLUMNS, rows(10..20)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::PermissionDenied, Some("42501")));
    let error = writer.bulk_insert("secured", COLUMNS, rows(10..20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    let mut transaction = writer.transaction().await.unwrap();
    transaction.bulk_insert("t", COLUMNS, rows(10..20)).await.unwrap_err();
    assert_eq!(transaction.transaction_state(), TransactionState::Failed);
    transaction.rollback().await.unwrap();
    writer.ping().await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(number(&mut owner, "SELECT count(*) FROM t").await, 10);
    owner.script(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await.unwrap();
}

#[tokio::test]
async fn errors_name_the_row_and_the_column() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    let mut connection = open(&database).await;
    connection
        .script(
            r#"CREATE DOMAIN positive AS INTEGER CHECK (VALUE > 0);
               CREATE TABLE "odd, line 7, column x" ("a: b" positive, small SMALLINT, doc JSONB, "name" VARCHAR(3));"#,
        )
        .await
        .unwrap();
    let table = || ("public", "odd, line 7, column x");
    for (column, wrong, start) in [
        ("a: b", Value::Int(-1), r#"row 3, column "a: b": "#),
        ("a: b", Value::Int(1 << 40), r#"row 3, column "a: b": the integer is out of range for integer"#),
        ("small", Value::Int(40_000), r#"row 3, column "small": the integer is out of range for smallint"#),
        ("small", Value::Bytes(vec![1]), r#"row 3, column "small": the bytes cannot go into smallint"#),
        ("small", Value::from("x"), r#"row 3, column "small": invalid input syntax for type smallint: "…""#),
        ("doc", Value::from("{"), r#"row 3, column "doc": invalid input syntax for type json"#),
        ("name", Value::from("long"), r#"row 3, column "name": value too long for type character varying(3)"#),
        ("name", Value::from("\0"), r#"row 3"#),
    ] {
        let rows = (1..5).map(|n| vec![if n == 3 { wrong.clone() } else { Value::Null }]);
        let error = connection.bulk_insert(table(), [column], rows).await.unwrap_err();
        assert!(error.to_string().starts_with(start), "{column}: {error}");
    }
    let fine = [vec![Value::Int(5)], vec![Value::Null]];
    assert_eq!(connection.bulk_insert(table(), ["a: b"], fine).await.unwrap(), 2);
}

/// Settings of the session that say how values are written do not change what they mean, and types are never remembered wrong.
#[tokio::test]
async fn values_mean_the_same_in_any_session_and_after_any_change() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    let mut connection = open(&database).await;
    connection
        .script(
            "CREATE TABLE t (n INTEGER, day DATE, moment TIMESTAMPTZ, span INTERVAL, data BYTEA, x REAL);
             SET DateStyle = 'German'; SET IntervalStyle = 'sql_standard'; SET standard_conforming_strings = off;
             SET TimeZone = 'Asia/Kolkata'; SET bytea_output = 'escape';",
        )
        .await
        .unwrap();
    let row = |n: i32| {
        let span = Interval { months: -13, days: -1, microseconds: 1 };
        let moment = Value::Timestamp("2024-02-03 04:05:06".parse().unwrap());
        vec![
            n.into(),
            Value::Date("2024-02-03".parse().unwrap()),
            moment,
            span.into(),
            vec![92u8, 0].into(),
            0.1f32.into(),
        ]
    };
    let columns = ["n", "day", "moment", "span", "data", "x"];
    connection.bulk_insert("t", columns, [row(1)]).await.unwrap();
    connection.execute("INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6)", &row(2)).await.unwrap();
    let distinct = "SELECT count(DISTINCT (day, moment, span::text, data, x)) FROM t";
    assert_eq!(number(&mut connection, distinct).await, 1);
    // Another session changes the types behind the back of this one.
    let mut other = open(&database).await;
    other
        .script("ALTER TABLE t ALTER COLUMN n TYPE BIGINT, ALTER COLUMN x TYPE DOUBLE PRECISION; DELETE FROM t;")
        .await
        .unwrap();
    connection.bulk_insert("t", ["n", "x"], [params![1i64 << 40, 0.1f64]]).await.unwrap();
    assert_eq!(number(&mut other, "SELECT n FROM t WHERE x = 0.1::float8").await, 1 << 40);
}

#[tokio::test]
async fn a_deferred_constraint_undoes_everything_at_the_end() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    let mut connection = open(&database).await;
    connection
        .script(
            "CREATE TABLE p (id BIGINT PRIMARY KEY);
             CREATE TABLE t (id BIGINT PRIMARY KEY REFERENCES p DEFERRABLE INITIALLY DEFERRED, note TEXT);",
        )
        .await
        .unwrap();
    let error = connection.bulk_insert("t", COLUMNS, rows(0..10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignKeyViolation, "{error:?}");
    assert_eq!(connection.transaction_state(), TransactionState::Idle);
    assert_eq!(number(&mut connection, "SELECT count(*) FROM t").await, 0);
}

#[tokio::test]
async fn a_lock_that_is_not_granted_leaves_the_connection_whole() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    let mut other = open(&database).await;
    other.script("CREATE TABLE t (id BIGINT PRIMARY KEY, note TEXT); BEGIN; LOCK TABLE t;").await.unwrap();
    let mut impatient = options(&database);
    impatient.session.lock_timeout = Some(Duration::from_millis(100));
    let mut connection = connect(&impatient).await.unwrap();
    let error = connection.bulk_insert("t", COLUMNS, rows(0..10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockTimeout, "{error:?}");
    other.script("ROLLBACK").await.unwrap();
    assert_eq!(connection.bulk_insert("t", COLUMNS, rows(0..10)).await.unwrap(), 10);
}

#[tokio::test]
async fn a_cut_network_a_killed_session_and_a_killed_server_leave_no_rows() {
    let Some(server) = private_server(Kind::Postgres, &[]) else { return };
    let database = server.fresh_database();
    let proxy = Proxy::before(&server);
    let mut direct = open(&database).await;
    direct.script("CREATE TABLE t (id BIGINT PRIMARY KEY, note TEXT)").await.unwrap();
    for way in ["network", "session", "server"] {
        let mut connection = connect(&proxy.url(&database.url()).parse().unwrap()).await.unwrap();
        let pid = number(&mut connection, "SELECT pg_backend_pid()").await;
        let asked = AtomicU64::new(0);
        let endless = (0i64..).map(|id| {
            asked.fetch_add(1, Ordering::Relaxed);
            params![id, "x"]
        });
        let (outcome, ()) = tokio::join!(connection.bulk_insert("t", COLUMNS, endless), async {
            while asked.load(Ordering::Relaxed) < 50_000 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            match way {
                "network" => proxy.reset_all(),
                "session" => direct.script(&format!("SELECT pg_terminate_backend({pid})")).await.unwrap(),
                _ => server.kill9(),
            }
        });
        let error = outcome.unwrap_err();
        assert!(error.is_connection_lost(), "{way}: {error:?}");
        connection.ping().await.unwrap_err();
        if way == "server" {
            server.start();
            direct = open(&database).await;
        }
        assert_eq!(number(&mut direct, "SELECT count(*) FROM t").await, 0, "{way}");
    }
}
