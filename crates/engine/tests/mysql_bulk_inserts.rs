//! Bulk inserts on MySQL and MariaDB: with and without LOAD DATA LOCAL, by accounts that may do little, into tables that cannot undo,
//! and when the server goes away.
#![cfg(feature = "mysql")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::sql::{Value, params};
use dbkeep_engine::{ConnectOptions, Connection, ErrorKind, connect};
use dbkeep_testkit::{Kind, Proxy, TestDatabase, conformance, private_server, server};
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

/// Whether LOAD DATA LOCAL is on is the other way round on the servers of the suite, and packets are large there.
async fn the_suite(kind: Kind, settings: &[&str]) {
    let Some(server) = private_server(kind, settings) else { return };
    let database = server.fresh_database();
    conformance::bulk_rows_are_stored_as_parameters_store_them(&options(&database)).await;
    conformance::bulk_inserts_take_any_number_of_rows(&options(&database)).await;
    conformance::bulk_inserts_keep_all_rows_or_none(&options(&database)).await;
    conformance::dropped_bulk_inserts_leave_no_rows(&options(&database)).await;
    conformance::a_read_only_connection_refuses_bulk_inserts(&options(&database)).await;
}

#[tokio::test]
async fn mysql_takes_rows_by_load_data() {
    the_suite(Kind::Mysql, &["local-infile=1"]).await;
}

#[tokio::test]
async fn mariadb_takes_rows_by_insert() {
    the_suite(Kind::Mariadb, &["local-infile=0"]).await;
}

#[tokio::test]
async fn servers_that_take_small_packets_get_small_packets() {
    for (kind, local) in
        [(Kind::Mariadb, "local-infile=1"), (Kind::Mariadb, "local-infile=0"), (Kind::Mysql, "local-infile=1")]
    {
        let Some(server) = private_server(kind, &["max-allowed-packet=16384", local]) else { continue };
        let mut connection = open(&server.fresh_database()).await;
        let names: Vec<String> = (0..200).map(|at| format!("c{at}")).collect();
        let columns: Vec<String> = names.iter().map(|name| format!("{name} BIGINT")).collect();
        connection.script(&format!("CREATE TABLE t ({}, long_one LONGTEXT)", columns.join(", "))).await.unwrap();
        let row = |row: i64| (0..200).map(|at| Value::Int((row << 40) + at)).collect::<Vec<_>>();
        assert_eq!(connection.bulk_insert("t", &names, (0..1_000).map(row)).await.unwrap(), 1_000);
        let right = "SELECT COUNT(DISTINCT c0) FROM t WHERE c199 = c0 + 199";
        assert_eq!(number(&mut connection, right).await, 1_000);
        // A value that fits into no packet is refused or stored whole.
        match connection.bulk_insert("t", ["long_one"], [params!["x".repeat(40_000)]]).await {
            Ok(_) => {
                let right = "SELECT COUNT(*) FROM t WHERE LENGTH(long_one) = 40000";
                assert_eq!(number(&mut connection, right).await, 1);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error:?}"),
        }
        connection.ping().await.unwrap();
    }
}

/// Runs a test on both flavors, each in a database of its own.
macro_rules! on_both {
    ($($name:ident($database:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn run($database: &TestDatabase) $body

            #[tokio::test]
            async fn mariadb() {
                if let Some(server) = server(Kind::Mariadb) {
                    run(&server.fresh_database()).await;
                }
            }

            #[tokio::test]
            async fn mysql() {
                if let Some(server) = server(Kind::Mysql) {
                    run(&server.fresh_database()).await;
                }
            }
        }
    )*};
}

on_both! {
    a_table_that_cannot_undo_is_refused(database) {
        let mut connection = open(database).await;
        connection.script("CREATE TABLE t (id BIGINT PRIMARY KEY, note VARCHAR(20)) ENGINE=MyISAM").await.unwrap();
        let error = connection.bulk_insert("t", ["id", "note"], rows(0..10)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().starts_with("`t` is stored by MyISAM"), "{error}");
        let qualified = (database.name(), "t");
        connection.bulk_insert(qualified, ["id", "note"], rows(0..10)).await.unwrap_err();
        assert_eq!(number(&mut connection, "SELECT COUNT(*) FROM t").await, 0);
        // A trigger's table is not known before; the error says what it keeps.
        connection
            .script(
                "CREATE TABLE good (id BIGINT PRIMARY KEY, note VARCHAR(20));
                 CREATE TRIGGER copies AFTER INSERT ON good FOR EACH ROW INSERT INTO t VALUES (NEW.id, NEW.note);",
            )
            .await
            .unwrap();
        let twice = rows(0..10).chain(rows(3..4));
        let error = connection.bulk_insert("good", ["id", "note"], twice).await.unwrap_err();
        // With GTIDs, MySQL refuses that itself.
        if error.code() != Some("1785") {
            assert_eq!(error.kind(), ErrorKind::UniqueViolation, "{error:?}");
            assert!(error.hint().is_some_and(|hint| hint.contains("without transactions")), "{:?}", error.hint());
        }
        assert_eq!(number(&mut connection, "SELECT COUNT(*) FROM good").await, 0);
    }

    the_session_is_as_it_was(database) {
        let mut connection = open(database).await;
        let settings = "SET SESSION sql_notes = 1, net_read_timeout = 17";
        connection.script(settings).await.unwrap();
        connection.script("CREATE TABLE t (id BIGINT PRIMARY KEY, data VARBINARY(20), flags BIT(9))").await.unwrap();
        let read = "SELECT CONCAT_WS(',', @@sql_notes = 1, @@net_read_timeout, COALESCE(@dbkeep_1, @dbkeep_2, 'none'))";
        for twice in [false, true] {
            let row = |id: i64| params![id, vec![0u8, 9, 255], 511];
            let rows = (0..10).map(row).chain(twice.then(|| row(3)));
            let outcome = connection.bulk_insert("t", ["id", "data", "flags"], rows).await;
            assert_eq!(outcome.is_err(), twice);
            let found: String = connection.query_one(read, &[]).await.unwrap().get(0).unwrap();
            assert_eq!(found, "1,17,none");
            let right = "SELECT COUNT(*) FROM t WHERE HEX(data) = '0009FF' AND flags = 511";
            assert_eq!(number(&mut connection, right).await, if twice { 0 } else { 10 });
            connection.execute("DELETE FROM t", &[]).await.unwrap();
        }
    }

    text_is_converted_to_the_columns_character_set(database) {
        let mut connection = open(database).await;
        let columns = "id INT PRIMARY KEY, a VARCHAR(20) CHARACTER SET latin1, b VARCHAR(20) CHARACTER SET utf16, \
                       c VARCHAR(20) CHARACTER SET utf8mb4";
        connection.script(&format!("CREATE TABLE t ({columns})")).await.unwrap();
        let row = |id: i64| params![id, "é\\\n", "é🦀\t", "é🦀\0"];
        connection.bulk_insert("t", ["id", "a", "b", "c"], (0..3).map(row)).await.unwrap();
        connection.execute("INSERT INTO t VALUES (?, ?, ?, ?)", &row(3)).await.unwrap();
        assert_eq!(number(&mut connection, "SELECT COUNT(DISTINCT HEX(a), HEX(b), HEX(c)) FROM t").await, 1);
        let error = connection.bulk_insert("t", ["id", "a"], [params![9, "漢"]]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
        assert!(error.to_string().starts_with("row 1: "), "{error}");
    }

    warnings_are_errors_and_notes_are_not(database) {
        let mut connection = open(database).await;
        let columns = "id INT PRIMARY KEY, price DECIMAL(10,2), short VARCHAR(3), tiny TINYINT UNSIGNED, day DATE, \
                       kind ENUM('a','b')";
        connection.script(&format!("CREATE TABLE t ({columns})")).await.unwrap();
        // Rounded in silence, as by any INSERT.
        let fine = (0..3_000).map(|id: i64| {
            vec![Value::Int(id), Value::Decimal("1.005".parse().unwrap())]
        });
        assert_eq!(connection.bulk_insert("t", ["id", "price"], fine).await.unwrap(), 3_000);
        for lenient in [false, true] {
            let mode = if lenient { "SET SESSION sql_mode = ''" } else { "SET SESSION sql_mode = 'STRICT_ALL_TABLES'" };
            connection.script(mode).await.unwrap();
            for (column, wrong) in [
                ("short", Value::from("long")),
                ("tiny", Value::Int(-1)),
                ("tiny", Value::from("x")),
                ("day", Value::from("2023-02-29")),
                ("kind", Value::from("c")),
            ] {
                let rows = (10_000..10_010).map(|id: i64| {
                    vec![Value::Int(id), if id == 10_005 { wrong.clone() } else { Value::Null }]
                });
                let error = connection.bulk_insert("t", ["id", column], rows).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidValue, "{column} {wrong:?}: {error:?}");
                assert!(error.to_string().starts_with("row 6: "), "{column}: {error}");
                assert!(error.to_string().contains(column), "{column}: {error}");
            }
        }
        assert_eq!(number(&mut connection, "SELECT COUNT(*) FROM t").await, 3_000);
    }

    a_transaction_that_the_server_undoes_is_not_gone_on_with(database) {
        let mut first = open(database).await;
        let mut second = open(database).await;
        first.script("CREATE TABLE t (id BIGINT PRIMARY KEY, note VARCHAR(20))").await.unwrap();
        first.script("INSERT INTO t VALUES (1, 'a'), (2, 'b');").await.unwrap();
        let mut one = first.transaction().await.unwrap();
        let mut two = second.transaction().await.unwrap();
        one.execute("UPDATE t SET note = 'one' WHERE id = 1", &[]).await.unwrap();
        two.execute("UPDATE t SET note = 'two' WHERE id = 2", &[]).await.unwrap();
        two.execute("INSERT INTO t VALUES (3, 'two'), (4, 'two')", &[]).await.unwrap();
        // Each waits for the other; one of them, whichever the server likes less, is undone.
        let (left, right) = tokio::join!(
            one.bulk_insert("t", ["id", "note"], rows(3..5)),
            two.execute("UPDATE t SET note = 'two' WHERE id = 1", &[]),
        );
        match left {
            Err(error) if error.kind() == ErrorKind::Deadlock => {
                let error = one.execute("INSERT INTO t VALUES (9, 'lost')", &[]).await.unwrap_err();
                assert!(error.to_string().contains("rolled this transaction back"), "{error}");
                one.rollback().await.unwrap();
                two.commit().await.unwrap();
                assert_eq!(number(&mut first, "SELECT COUNT(*) FROM t").await, 4);
                assert!(first.retry_may_help());
            }
            left => {
                assert_eq!(right.unwrap_err().kind(), ErrorKind::Deadlock);
                assert_eq!(left.unwrap(), 2);
            }
        }
    }

    an_account_that_may_only_insert_does(database) {
        let mut root = open(database).await;
        root.script("CREATE TABLE t (id BIGINT PRIMARY KEY, note VARCHAR(20))").await.unwrap();
        let name = format!("w{}", number(&mut root, "SELECT CONNECTION_ID()").await);
        root.script(&format!(
            "CREATE USER '{name}'@'%' IDENTIFIED BY 'Secret-1'; GRANT INSERT ON `{}`.t TO '{name}'@'%';",
            database.name()
        ))
        .await
        .unwrap();
        let mut limited = options(database);
        (limited.user, limited.password) = (Some(name.clone()), Some("Secret-1".to_owned().into()));
        let mut writer = connect(&limited).await.unwrap();
        assert_eq!(writer.bulk_insert("t", ["id", "note"], rows(0..2_500)).await.unwrap(), 2_500);
        assert_eq!(number(&mut root, "SELECT COUNT(*) FROM t").await, 2_500);
        let error = writer.bulk_insert("other", ["id"], [params![1]]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        root.script(&format!("DROP USER '{name}'@'%'")).await.unwrap();
    }

    one_that_is_dropped_far_in_leaves_the_transaction_whole(database) {
        let mut connection = open(database).await;
        let mut other = open(database).await;
        connection.script("CREATE TABLE t (id BIGINT PRIMARY KEY, note VARCHAR(20))").await.unwrap();
        let mut transaction = connection.transaction().await.unwrap();
        transaction.execute("INSERT INTO t VALUES (-1, 'before')", &[]).await.unwrap();
        let asked = AtomicU64::new(0);
        let endless = (0i64..).map(|id| {
            asked.fetch_add(1, Ordering::Relaxed);
            params![id, "x"]
        });
        tokio::select! {
            outcome = transaction.bulk_insert("t", ["id", "note"], endless) => panic!("it does not end: {outcome:?}"),
            () = async {
                while asked.load(Ordering::Relaxed) < 60_000 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            } => {}
        }
        // Taking so many rows back takes longer than a dropped statement is waited for: it is killed, and taken back all the same.
        assert_eq!(number(&mut transaction, "SELECT COUNT(*) FROM t").await, 1);
        transaction.execute("INSERT INTO t VALUES (-2, 'after')", &[]).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(number(&mut other, "SELECT SUM(id) FROM t").await, -3);
    }

    a_session_that_is_killed_leaves_no_rows(database) {
        let mut connection = open(database).await;
        let mut other = open(database).await;
        connection.script("CREATE TABLE t (id BIGINT PRIMARY KEY, note VARCHAR(20))").await.unwrap();
        let id = number(&mut connection, "SELECT CONNECTION_ID()").await;
        let asked = AtomicU64::new(0);
        let endless = (0i64..).map(|id| {
            asked.fetch_add(1, Ordering::Relaxed);
            params![id, "x"]
        });
        let (outcome, ()) = tokio::join!(connection.bulk_insert("t", ["id", "note"], endless), async {
            while asked.load(Ordering::Relaxed) < 50_000 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            other.script(&format!("KILL {id}")).await.unwrap();
        });
        let error = outcome.unwrap_err();
        assert!(error.is_connection_lost(), "{error:?}");
        assert_eq!(number(&mut other, "SELECT COUNT(*) FROM t").await, 0);
        connection.ping().await.unwrap_err();
    }
}

#[tokio::test]
async fn a_cut_network_and_a_killed_server_leave_no_rows() {
    for kind in [Kind::Mariadb, Kind::Mysql] {
        let Some(server) = private_server(kind, &["local-infile=1"]) else { continue };
        let database = server.fresh_database();
        let proxy = Proxy::before(&server);
        let mut direct = open(&database).await;
        direct.script("CREATE TABLE t (id BIGINT PRIMARY KEY, note VARCHAR(20))").await.unwrap();
        for is_killed in [false, true] {
            let mut connection = connect(&proxy.url(&database.url()).parse().unwrap()).await.unwrap();
            let asked = AtomicU64::new(0);
            let endless = (0i64..).map(|id| {
                asked.fetch_add(1, Ordering::Relaxed);
                params![id, "x"]
            });
            let (outcome, ()) = tokio::join!(connection.bulk_insert("t", ["id", "note"], endless), async {
                while asked.load(Ordering::Relaxed) < 50_000 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                match is_killed {
                    true => server.kill9(),
                    false => proxy.reset_all(),
                }
            });
            let error = outcome.unwrap_err();
            assert!(error.is_connection_lost(), "{error:?}");
            if is_killed {
                server.start();
                direct = open(&database).await;
            }
            assert_eq!(number(&mut direct, "SELECT COUNT(*) FROM t").await, 0);
        }
    }
}
