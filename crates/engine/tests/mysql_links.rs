//! Connecting, encryption, streams, cancellation, reset, locks, role and probes on MySQL and on MariaDB.
#![cfg(feature = "mysql")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::sql::params;
use dbkeep_engine::{
    Condition, ConnectOptions, Connection, ErrorKind, Role, TlsMode, TransactionState, Unit, connect, connect_once,
};
use dbkeep_testkit::{Kind, Server, TestDatabase, private_server, server};
use std::time::Duration;
use tokio::time::timeout;

/// Runs a test on both flavors, each in a database of its own.
macro_rules! on_both {
    ($($name:ident($database:ident, $kind:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn run($database: &TestDatabase, $kind: Kind) {
                let _ = $kind;
                $body
            }

            #[tokio::test]
            async fn mariadb() {
                if let Some(server) = server(Kind::Mariadb) {
                    run(&server.fresh_database(), Kind::Mariadb).await;
                }
            }

            #[tokio::test]
            async fn mysql() {
                if let Some(server) = server(Kind::Mysql) {
                    run(&server.fresh_database(), Kind::Mysql).await;
                }
            }
        }
    )*};
}

fn options(database: &TestDatabase) -> ConnectOptions {
    database.url().parse().unwrap()
}

async fn open(database: &TestDatabase) -> Connection {
    connect(&options(database)).await.unwrap()
}

async fn id(connection: &mut Connection) -> u64 {
    connection.query_one("SELECT CONNECTION_ID()", &[]).await.unwrap().get(0).unwrap()
}

/// Waits until a question has the wanted answer, by asking again: what the server does is not ours to time.
async fn until(connection: &mut Connection, sql: &str, wanted: i64) {
    for _ in 0..500 {
        if connection.query_one(sql, &[]).await.unwrap().get::<i64>(0).unwrap() == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{sql} never came to {wanted}");
}

/// A query that runs for seconds and could give many rows.
fn long_query(kind: Kind) -> &'static str {
    match kind {
        Kind::Mariadb => "SELECT seq, REPEAT('x', 100) FROM seq_1_to_100000000",
        _ => {
            "SELECT a.help_topic_id, REPEAT('x', 1000) FROM mysql.help_topic a, mysql.help_topic b, mysql.help_topic c"
        }
    }
}

/// An account for one test, gone with its handle.
struct Account<'s> {
    server: &'s Server,
    name: String,
}

impl<'s> Account<'s> {
    fn new(server: &'s Server, identified: &str) -> Self {
        let name = format!("u{:x}", std::process::id() ^ (identified.len() as u32) << 20);
        server.client().run(
            "",
            &format!("DROP USER IF EXISTS {name}; CREATE USER {name} {identified}; GRANT ALL ON *.* TO {name}"),
        );
        Self { server, name }
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        let _ = self.server.client().try_run("", &format!("DROP USER IF EXISTS {}", self.name));
    }
}

on_both! {
    a_wrong_password_database_or_port_is_told_apart(database, _kind) {
        let server = database.server();
        let wrong = |url: String| async move { connect_once(&url.parse().unwrap()).await.unwrap_err() };
        let error = wrong(server.url_as(server.user(), "wr0ng-secret", "127.0.0.1", database.name())).await;
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Authentication, false), "{error}");
        assert!(!format!("{error} {error:?}").contains("wr0ng-secret"));
        let error = wrong(server.url("no_such_database")).await;
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::UnknownDatabase, false), "{error}");
        let mut options = options(database);
        options.port = Some(1);
        let error = connect_once(&options).await.unwrap_err();
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Refused, true), "{error}");
        options.socket = Some("/nowhere/mysqld.sock".into());
        assert_eq!(connect_once(&options).await.unwrap_err().kind(), ErrorKind::Refused);
    }

    the_unix_socket_works_with_every_tls_mode(database, _kind) {
        for (_, mode) in TlsMode::NAMES {
            let mut options: ConnectOptions = database.socket_url().parse().unwrap();
            options.tls = mode;
            connect(&options).await.unwrap().close().await.unwrap();
        }
    }

    encryption_is_as_asked(database, _kind) {
        let server = database.server();
        for (mode, ca, encrypted) in [
            (TlsMode::Disable, None, false),
            (TlsMode::Prefer, None, true),
            (TlsMode::Require, None, true),
            (TlsMode::VerifyFull, Some(server.ca_file()), true),
        ] {
            let mut options = options(database);
            (options.tls, options.tls_ca) = (mode, ca.map(Into::into));
            let mut connection = connect(&options).await.unwrap_or_else(|e| panic!("{mode:?}: {e:?}"));
            let row = connection.query_one("SHOW STATUS LIKE 'Ssl_cipher'", &[]).await.unwrap();
            assert_eq!(!row.get::<String>(1).unwrap().is_empty(), encrypted, "{mode:?}");
        }
        for (mode, ca, host) in [
            (TlsMode::VerifyFull, None, "127.0.0.1"),
            (TlsMode::VerifyFull, Some(server.other_ca_file()), "127.0.0.1"),
            (TlsMode::VerifyFull, Some(server.ca_file()), "127.0.0.2"),
            (TlsMode::VerifyCa, Some(server.other_ca_file()), "127.0.0.1"),
            (TlsMode::VerifyCa, None, "127.0.0.1"),
        ] {
            let mut options = options(database);
            (options.tls, options.tls_ca, options.host) = (mode, ca.map(Into::into), host.to_owned());
            let error = connect(&options).await.unwrap_err();
            assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Tls, false), "{mode:?} {host}: {error}");
        }
        // The name does not count, the authority does.
        let mut options = options(database);
        (options.tls, options.tls_ca, options.host) =
            (TlsMode::VerifyCa, Some(server.ca_file().into()), "127.0.0.2".to_owned());
        connect(&options).await.unwrap();
    }

    every_usual_way_to_log_in_works(database, kind) {
        let server = database.server();
        let ways: &[(&str, &str)] = match kind {
            Kind::Mariadb => &[
                ("IDENTIFIED VIA mysql_native_password USING PASSWORD('näxt@1')", "näxt@1"),
                ("IDENTIFIED BY ''", ""),
            ],
            _ => &[
                ("IDENTIFIED WITH caching_sha2_password BY 'näxt@1'", "näxt@1"),
                ("IDENTIFIED WITH caching_sha2_password BY ''", ""),
            ],
        };
        for (identified, password) in ways {
            let account = Account::new(server, identified);
            // Without encryption the password goes out under the server's RSA key; the second time from the server's cache.
            for tls in [TlsMode::Disable, TlsMode::Disable, TlsMode::Require] {
                let mut options: ConnectOptions =
                    server.url_as(&account.name, password, server.host(), database.name()).parse().unwrap();
                options.tls = tls;
                connect(&options).await.unwrap_or_else(|e| panic!("{identified} {tls:?}: {e:?}")).close().await.unwrap();
            }
        }
    }

    sql_modes_a_server_lacks_are_left_out(database, _kind) {
        let mut options = options(database);
        options.session.sql_mode =
            Some("NO_AUTO_CREATE_USER,STRICT_ALL_TABLES,EMPTY_STRING_IS_NULL,TIME_TRUNCATE_FRACTIONAL".to_owned());
        let mut connection = connect(&options).await.unwrap();
        let modes: String = connection.query_one("SELECT @@sql_mode", &[]).await.unwrap().get(0).unwrap();
        assert!(modes.contains("STRICT_ALL_TABLES"), "{modes}");
        options.session.sql_mode = Some("STRICT_ALL_TABELS".to_owned());
        assert!(connect(&options).await.unwrap_err().to_string().contains("STRICT_ALL_TABELS"));
    }

    rows_stream_in_order_and_the_connection_goes_on(database, kind) {
        let mut connection = open(database).await;
        let sql = match kind {
            Kind::Mariadb => "SELECT seq FROM seq_1_to_300000",
            _ => "WITH RECURSIVE n AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM n WHERE seq < 300000) \
                  SELECT /*+ SET_VAR(cte_max_recursion_depth = 1000000) */ seq FROM n",
        };
        let mut rows = connection.stream(sql, &[]).await.unwrap();
        assert_eq!(rows.columns()[0].name, "seq");
        let mut wanted = 0;
        while let Some(row) = rows.next().await {
            wanted += 1;
            assert_eq!(row.unwrap().get::<i64>(0).unwrap(), wanted);
        }
        assert_eq!(wanted, 300_000);
        drop(rows);
        assert_eq!(connection.condition(), Condition::Clean);
        assert_eq!(connection.query_one("SELECT 1", &[]).await.unwrap().get::<i64>(0).unwrap(), 1);
    }

    an_error_in_the_middle_of_a_stream_is_told(database, _kind) {
        let mut connection = open(database).await;
        connection.script("CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2), (3)").await.unwrap();
        let sql = "SELECT a, IF(a = 3, (SELECT 1 UNION SELECT 2), 0) FROM t";
        let mut rows = connection.stream(sql, &[]).await.unwrap();
        let mut last = None;
        while let Some(row) = rows.next().await {
            last = Some(row);
        }
        assert_eq!(last.unwrap().unwrap_err().code(), Some("1242"));
        drop(rows);
        assert_eq!(connection.query_one("SELECT 7", &[]).await.unwrap().get::<i64>(0).unwrap(), 7);
    }

    a_dropped_query_is_stopped_and_the_connection_goes_on(database, _kind) {
        let mut connection = open(database).await;
        let mut other = open(database).await;
        let before = id(&mut connection).await;
        let mut transaction = connection.transaction().await.unwrap();
        transaction.execute("CREATE TEMPORARY TABLE t (a INT)", &[]).await.unwrap();
        transaction.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
        let interrupted = timeout(Duration::from_millis(100), transaction.query("SELECT SLEEP(3600), 'mixed up'", &[]));
        interrupted.await.unwrap_err();
        // Cleaned up with the next statement, which is in the same session and transaction.
        assert_eq!(transaction.query_one("SELECT a FROM t", &[]).await.unwrap().get::<i64>(0).unwrap(), 1);
        assert_eq!(transaction.transaction_state(), TransactionState::Open);
        assert_eq!(id(&mut transaction).await, before);
        let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(3600)%'";
        until(&mut other, running, 0).await;
        transaction.commit().await.unwrap();
    }

    a_dropped_stream_is_stopped_and_its_rows_reach_nobody(database, kind) {
        let mut connection = open(database).await;
        let before = id(&mut connection).await;
        for read in [0, 1, 1000] {
            let mut rows = connection.stream(long_query(kind), &[]).await.unwrap();
            for _ in 0..read {
                rows.next().await.unwrap().unwrap();
            }
            drop(rows);
            assert_eq!(connection.condition(), Condition::Dirty);
            let row = connection.query_one("SELECT 'mine'", &[]).await.unwrap();
            assert_eq!(row.get::<String>(0).unwrap(), "mine");
        }
        let mut rows = connection.stream("SELECT 1 UNION SELECT 2", &[]).await.unwrap();
        rows.next().await.unwrap().unwrap();
        drop(rows);
        assert_eq!(id(&mut connection).await, before);
    }

    a_connection_dropped_in_the_middle_ends_on_the_server(database, kind) {
        let mut other = open(database).await;
        let mut ids = Vec::new();
        let mut streaming = open(database).await;
        ids.push(id(&mut streaming).await);
        let mut rows = streaming.stream(long_query(kind), &[]).await.unwrap();
        rows.next().await.unwrap().unwrap();
        drop(rows);
        drop(streaming);
        let mut waiting = open(database).await;
        ids.push(id(&mut waiting).await);
        timeout(Duration::from_millis(50), waiting.query("SELECT SLEEP(3600)", &[])).await.unwrap_err();
        drop(waiting);
        let ids = ids.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        until(&mut other, &format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id IN ({ids})"), 0).await;
    }

    futures_may_be_dropped_at_any_moment(database, _kind) {
        let mut connection = open(database).await;
        connection.script("CREATE TABLE t (a INT PRIMARY KEY)").await.unwrap();
        for number in 0..150 {
            // Ever later on its way: nothing of it may reach the query after it.
            let patience = Duration::from_micros(number * 15);
            let _ = timeout(patience, connection.execute("INSERT INTO t VALUES (?)", &params![number])).await;
            let row = connection.query_one("SELECT ? AS mine", &params![number + 1000]).await.unwrap();
            assert_eq!(row.get::<u64>("mine").unwrap(), number + 1000);
        }
    }

    a_reset_leaves_nothing_of_the_last_borrower(database, _kind) {
        let mut connection = open(database).await;
        connection.script("CREATE TABLE t (a INT)").await.unwrap();
        let before = id(&mut connection).await;
        connection.query("SELECT 1 + ?", &params![1]).await.unwrap();
        connection.script("USE mysql; SET @v = 1, sql_mode = ''; BEGIN").await.unwrap();
        connection.execute(&format!("INSERT INTO {}.t VALUES (1)", database.name()), &[]).await.unwrap();
        connection.execute(&format!("CREATE TEMPORARY TABLE {}.temp (a INT)", database.name()), &[]).await.unwrap();
        assert!(connection.lock("mine", Duration::ZERO).await.unwrap());
        connection.reset().await.unwrap();
        assert_eq!(connection.condition(), Condition::Clean);
        assert_eq!(id(&mut connection).await, before);
        let row = connection.query_one("SELECT @v, DATABASE(), @@sql_mode <> '', COUNT(*) FROM t", &[]).await.unwrap();
        assert!(row.values()[0].is_null());
        assert_eq!(row.get::<String>(1).unwrap(), database.name());
        assert!(row.get::<bool>(2).unwrap());
        assert_eq!(row.get::<i64>(3).unwrap(), 0);
        assert_eq!(connection.query("SELECT * FROM temp", &[]).await.unwrap_err().kind(), ErrorKind::NotFound);
        // Prepared before the reset, prepared again now.
        assert_eq!(connection.query_one("SELECT 1 + ?", &params![1]).await.unwrap().get::<i64>(0).unwrap(), 2);
        let mut other = open(database).await;
        assert!(other.lock("mine", Duration::ZERO).await.unwrap());
    }

    a_lock_keeps_others_out_and_names_its_holder(database, kind) {
        let mut first = open(database).await;
        let mut second = open(database).await;
        for name in ["migrate", &"long ".repeat(40)] {
            assert_eq!(first.lock_holder(name).await.unwrap(), None);
            assert!(first.lock(name, Duration::ZERO).await.unwrap());
            assert!(!second.lock(name, Duration::from_millis(1)).await.unwrap());
            let holder = second.lock_holder(name).await.unwrap().unwrap();
            let number = id(&mut first).await;
            assert!(holder.starts_with("dbkeep@") && holder.contains(&format!("connection {number},")), "{holder}");
            assert!(second.unlock(name).await.is_err());
            first.unlock(name).await.unwrap();
            assert!(second.lock(name, Duration::ZERO).await.unwrap());
            second.unlock(name).await.unwrap();
        }
        let _ = kind;
    }

    the_role_is_told_and_numbers_can_be_probed(database, _kind) {
        let mut connection = open(database).await;
        assert_eq!(connection.role().await.unwrap(), Role::Primary);
        connection.script("CREATE TABLE t (a VARCHAR(100)); INSERT INTO t VALUES ('x'); ANALYZE TABLE t").await.unwrap();
        let measurements = connection.probe().await.unwrap();
        let found = |name| measurements.iter().find(|measurement| measurement.name == name);
        for name in ["database_size", "connections_used", "connections_max"] {
            assert!(found(name).is_some_and(|measurement| measurement.value > 0.0), "{name}: {measurements:?}");
        }
        // In whole seconds: none of them has passed for a server that was started for this test.
        assert!(found("uptime").is_some_and(|measurement| measurement.unit == Unit::Seconds), "{measurements:?}");
    }

    databases_are_created_and_dropped(database, _kind) {
        let options = options(database).with_database(format!("{}_`2", database.name()));
        let engine = options.engine;
        assert!(!engine.database_exists(&options).await.unwrap());
        engine.create_database(&options).await.unwrap();
        assert!(engine.database_exists(&options).await.unwrap());
        assert_eq!(engine.create_database(&options).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        engine.drop_database(&options).await.unwrap();
        engine.drop_database(&options).await.unwrap();
        assert!(!engine.database_exists(&options).await.unwrap());
    }
}

async fn a_killed_server_is_noticed(kind: Kind) {
    let Some(server) = private_server(kind, &[]) else { return };
    let database = server.fresh_database();
    let mut idle = open(&database).await;
    let mut busy = open(&database).await;
    let query = tokio::spawn(async move { busy.query("SELECT SLEEP(3600)", &[]).await });
    until(&mut idle, "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'", 1).await;
    server.kill9();
    assert_eq!(query.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionLost);
    assert_eq!(idle.query("SELECT 1", &[]).await.unwrap_err().kind(), ErrorKind::ConnectionLost);
    assert_eq!(idle.condition(), Condition::Broken);
    let error = connect_once(&options(&database)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    server.start();
    let mut back = open(&database).await;
    back.query("SELECT 1", &[]).await.unwrap();
    back.execute("SET GLOBAL read_only = 1", &[]).await.unwrap();
    assert_eq!(back.role().await.unwrap(), Role::ReadOnly);
}

#[tokio::test]
async fn a_killed_mariadb_is_noticed() {
    a_killed_server_is_noticed(Kind::Mariadb).await;
}

#[tokio::test]
async fn a_killed_mysql_is_noticed() {
    a_killed_server_is_noticed(Kind::Mysql).await;
}

#[tokio::test]
async fn a_server_without_encryption_is_refused_where_it_is_required() {
    let Some(server) = private_server(Kind::Mysql, &["tls-version="]) else { return };
    let database = server.fresh_database();
    let mut options = options(&database);
    connect(&options).await.unwrap();
    options.tls = TlsMode::Require;
    let error = connect(&options).await.unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Tls, false), "{error}");
}

#[tokio::test]
async fn authorities_that_would_not_be_looked_at_are_refused() {
    let Some(server) = server(Kind::Mariadb) else { return };
    let database = server.fresh_database();
    for mode in [TlsMode::Disable, TlsMode::Prefer, TlsMode::Require] {
        let mut options = options(&database);
        (options.tls, options.tls_ca) = (mode, Some(server.ca_file().to_owned()));
        let error = connect(&options).await.unwrap_err();
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Options, false), "{error}");
        assert!(error.to_string().contains(&format!("tls = {} checks no certificate", mode.name())), "{error}");
    }
}

#[tokio::test]
async fn ed25519_accounts_log_in() {
    let Some(server) = private_server(Kind::Mariadb, &[]) else { return };
    // A plugin of the server's that not every package holds.
    if server.client().try_run("", "INSTALL SONAME 'auth_ed25519'").is_err() {
        return;
    }
    let account = Account::new(&server, "IDENTIFIED VIA ed25519 USING PASSWORD('näxt@1')");
    for (password, works) in [("näxt@1", true), ("another", false)] {
        let options: ConnectOptions = server.url_as(&account.name, password, server.host(), "").parse().unwrap();
        let outcome = connect(&options).await;
        assert_eq!(outcome.as_ref().err().map(|error| error.kind()), (!works).then_some(ErrorKind::Authentication));
    }
}

#[tokio::test]
async fn too_many_connections_may_pass() {
    let Some(server) = private_server(Kind::Mariadb, &["max-connections=10"]) else { return };
    let database = server.fresh_database();
    let mut held = Vec::new();
    let error = loop {
        match connect_once(&options(&database)).await {
            Ok(connection) => held.push(connection),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::TooManyConnections, true), "{error}");
}
