//! Statements, values, transactions and errors on MySQL and on MariaDB.
#![cfg(feature = "mysql")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::sql::{Bits, Date, DateTime, Time, Value, params};
use dbkeep_engine::{
    ConnectOptions, Connection, ErrorKind, Isolation, TlsMode, TransactionOptions, TransactionState, connect,
};
use dbkeep_testkit::{Kind, TestDatabase, server};

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

async fn open(database: &TestDatabase) -> Connection {
    connect(&options(database)).await.unwrap()
}

fn options(database: &TestDatabase) -> ConnectOptions {
    database.url().parse().unwrap()
}

fn text(digits: &str) -> Value {
    Value::from(digits)
}

on_both! {
    the_handshake_tells_the_product(database, kind) {
        let connection = open(database).await;
        let server = connection.server();
        assert_eq!(server.engine, "mysql");
        assert_eq!(server.product, if kind == Kind::Mysql { "MySQL" } else { "MariaDB" });
        assert!(server.version.at_least(8, 0, 0), "{:?}", server.version);
        assert_eq!(server.capabilities.insert_returning, kind == Kind::Mariadb);
        connection.close().await.unwrap();
    }

    the_session_is_set_up_as_configured(database, kind) {
        let mut options = options(database);
        options.session.lock_timeout = Some(std::time::Duration::from_secs(7));
        options.session.statement_timeout = Some(std::time::Duration::from_millis(2500));
        options.session.application_name = Some("shop".to_owned());
        let mut connection = connect(&options).await.unwrap();
        let timeout = if kind == Kind::Mysql { "@@max_execution_time" } else { "@@max_statement_time" };
        let sql = format!(
            "SELECT @@sql_mode, @@time_zone, @@character_set_client, @@wait_timeout, @@innodb_lock_wait_timeout, \
             CAST({timeout} AS CHAR)"
        );
        for _ in 0..2 {
            let row = connection.query_one(&sql, &[]).await.unwrap();
            let modes: String = row.get(0).unwrap();
            for mode in ["ONLY_FULL_GROUP_BY", "STRICT_TRANS_TABLES", "NO_ZERO_DATE", "ERROR_FOR_DIVISION_BY_ZERO"] {
                assert!(modes.split(',').any(|there| there == mode), "{modes}");
            }
            assert_eq!(row.get::<String>(1).unwrap(), "+00:00");
            assert_eq!(row.get::<String>(2).unwrap(), "utf8mb4");
            assert_eq!(row.get::<u64>(3).unwrap(), 28_800);
            assert_eq!(row.get::<u64>(4).unwrap(), 7);
            assert_eq!(row.get::<String>(5).unwrap(), if kind == Kind::Mysql { "2500" } else { "2.500000" });
            connection.execute("SET time_zone = '+05:00'", &[]).await.unwrap();
            connection.reset().await.unwrap();
        }
        // The driver does not announce attributes before it encrypts, and MySQL reads them only where announced.
        let attribute = "SELECT attr_value FROM performance_schema.session_connect_attrs \
             WHERE processlist_id = CONNECTION_ID() AND attr_name = 'program_name'";
        if kind == Kind::Mysql {
            options.tls = TlsMode::Disable;
            let mut connection = connect(&options).await.unwrap();
            assert_eq!(connection.query_one(attribute, &[]).await.unwrap().get::<String>(0).unwrap(), "shop");
        }
    }

    every_type_comes_back_as_it_went_in(database, kind) {
        let mut connection = open(database).await;
        let json = if kind == Kind::Mysql { Value::Json } else { Value::Text };
        let bits = |text: &str| Value::Bit(Bits::parse(text).unwrap());
        let moment = DateTime::new(Date::new(2038, 1, 19), 3, 14, 7, 999_999);
        let cases: Vec<(&str, Vec<Value>)> = vec![
            ("TINYINT", vec![Value::Int(-128), Value::Int(127), Value::Null]),
            ("TINYINT(1)", vec![Value::Int(0), Value::Int(1)]),
            ("TINYINT UNSIGNED", vec![Value::UInt(0), Value::UInt(255)]),
            ("SMALLINT", vec![Value::Int(-32_768), Value::Int(32_767)]),
            ("MEDIUMINT", vec![Value::Int(-8_388_608), Value::Int(8_388_607)]),
            ("MEDIUMINT UNSIGNED", vec![Value::UInt(16_777_215)]),
            ("INT", vec![Value::Int(i32::MIN.into()), Value::Int(i32::MAX.into())]),
            ("INT UNSIGNED", vec![Value::UInt(u32::MAX.into())]),
            ("BIGINT", vec![Value::Int(i64::MIN), Value::Int(i64::MAX)]),
            ("BIGINT UNSIGNED", vec![Value::UInt(0), Value::UInt(u64::MAX), Value::UInt(1 << 63)]),
            ("DECIMAL(65,30)", vec![
                Value::Decimal("12345678901234567890123456789012345.123456789012345678901234567890".parse().unwrap()),
                Value::Decimal("-0.000000000000000000000000000001".parse().unwrap()),
            ]),
            ("DECIMAL(10,2) UNSIGNED", vec![Value::Decimal("129.90".parse().unwrap())]),
            ("FLOAT", vec![Value::Float(1.234_567), Value::Float(f32::MAX), Value::Float(f32::MIN_POSITIVE)]),
            ("DOUBLE", vec![Value::Double(0.1), Value::Double(f64::MAX), Value::Double(-5e-324)]),
            ("BIT(1)", vec![bits("0"), bits("1")]),
            ("BIT(64)", vec![bits(&"10".repeat(32)), bits(&"1".repeat(64))]),
            ("BIT(10)", vec![bits("1000000001")]),
            ("CHAR(10)", vec![text("ünï"), text("")]),
            ("VARCHAR(100)", vec![text("🦀 '\\\"\0\n\r\t\u{1a}"), text("  trailing  ")]),
            ("LONGTEXT", vec![text(&"ä".repeat(100_000))]),
            ("BINARY(4)", vec![Value::Bytes(vec![0, 255, 10, 0])]),
            ("VARBINARY(300)", vec![Value::Bytes((0..=255).collect()), Value::Bytes(vec![])]),
            ("LONGBLOB", vec![Value::Bytes(vec![0xfe; 300_000])]),
            ("DATE", vec![Value::Date(Date::new(1, 1, 1)), Value::Date(Date::new(9999, 12, 31))]),
            ("TIME(6)", vec![
                Value::Time(Time { negative: true, ..Time::new(838, 59, 59, 0) }),
                Value::Time(Time::new(23, 59, 59, 999_999)),
                Value::Time(Time { negative: true, ..Time::new(0, 0, 0, 1) }),
            ]),
            ("DATETIME(6)", vec![Value::DateTime(DateTime::new(Date::new(1000, 1, 1), 0, 0, 0, 1)), Value::DateTime(moment)]),
            ("DATETIME", vec![Value::DateTime(DateTime::new(Date::new(2024, 2, 29), 12, 0, 0, 0))]),
            ("TIMESTAMP(6) NULL", vec![
                Value::Timestamp(DateTime::new(Date::new(1970, 1, 1), 0, 0, 1, 0)),
                Value::Timestamp(DateTime { second: 6, ..moment }),
            ]),
            ("YEAR", vec![Value::Int(1901), Value::Int(2155)]),
            ("ENUM('a','ü''b')", vec![text("ü'b")]),
            ("SET('x','y','z')", vec![text("x,z"), text("")]),
            ("JSON", vec![json(r#"{"a": [1, 2.5, "é"]}"#.into())]),
        ];
        for (number, (type_name, values)) in cases.iter().enumerate() {
            connection.execute(&format!("CREATE TABLE t{number} (id INT PRIMARY KEY, v {type_name})"), &[]).await.unwrap();
            for (id, value) in values.iter().enumerate() {
                let id = Value::Int(id as i64);
                let insert = format!("INSERT INTO t{number} VALUES (?, ?)");
                connection.execute(&insert, &[id, value.clone()]).await.unwrap_or_else(|e| panic!("{type_name} {value:?}: {e}"));
            }
            let select = format!("SELECT v FROM t{number} ORDER BY id");
            let rows = connection.query(&select, &[]).await.unwrap();
            let found: Vec<_> = rows.iter().map(|row| row.values()[0].clone()).collect();
            assert_eq!(&found, values, "{type_name} through the binary protocol");
        }
    }

    zero_dates_are_read_and_written(database, _kind) {
        let mut options = options(database);
        options.session.sql_mode = Some(String::new());
        let mut connection = connect(&options).await.unwrap();
        connection.script("CREATE TABLE t (d DATE, dt DATETIME, ts TIMESTAMP NULL)").await.unwrap();
        let zero = Date::new(0, 0, 0);
        let values = [
            Value::Date(Date::new(2024, 0, 0)),
            Value::DateTime(DateTime::new(zero, 0, 0, 0, 0)),
            Value::Timestamp(DateTime::new(zero, 0, 0, 0, 0)),
        ];
        connection.execute("INSERT INTO t VALUES (?, ?, ?)", &values).await.unwrap();
        assert_eq!(connection.query_one("SELECT * FROM t", &[]).await.unwrap().values(), values);
    }

    parameters_can_be_compared_as_well_as_stored(database, _kind) {
        let mut connection = open(database).await;
        connection.script("CREATE TABLE t (b BIT(10), d DECIMAL(40,2), u BIGINT UNSIGNED, x VARBINARY(10))").await.unwrap();
        let decimal: Value = Value::Decimal("12345678901234567890123456789012345678.91".parse().unwrap());
        let row = [Value::Bit(Bits::parse("1000000001").unwrap()), decimal, Value::UInt(u64::MAX), Value::Bytes(vec![0, 255])];
        connection.execute("INSERT INTO t VALUES (?, ?, ?, ?)", &row).await.unwrap();
        for (column, value) in ["b", "d", "u", "x"].iter().zip(&row) {
            let found = connection.query(&format!("SELECT 1 FROM t WHERE {column} = ?"), std::slice::from_ref(value)).await.unwrap();
            assert_eq!(found.len(), 1, "{column}");
        }
    }

    what_was_done_is_counted(database, kind) {
        let mut connection = open(database).await;
        connection.execute("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)", &[]).await.unwrap();
        let done = connection.execute("INSERT INTO t (v) VALUES (?), (?)", &params![1, 2]).await.unwrap();
        assert_eq!((done.rows_affected, done.last_insert_id), (2, Some(1)));
        // Rows that match count, changed or not.
        let done = connection.execute("UPDATE t SET v = 2", &[]).await.unwrap();
        assert_eq!((done.rows_affected, done.last_insert_id), (2, None));
        let done = connection.execute("DELETE FROM t WHERE id = ?", &params![1]).await.unwrap();
        assert_eq!(done.rows_affected, 1);
        if kind == Kind::Mariadb {
            let row = connection.query_one("INSERT INTO t (v) VALUES (9) RETURNING id, v", &[]).await.unwrap();
            assert_eq!(row.values(), params![3, 9]);
        }
    }

    statements_that_cannot_be_prepared_run_as_text(database, _kind) {
        let mut connection = open(database).await;
        connection.execute(&format!("USE {}", database.name()), &[]).await.unwrap();
        connection.execute("CREATE TABLE t (id INT)", &[]).await.unwrap();
        connection.execute("LOCK TABLES t WRITE", &[]).await.unwrap();
        connection.execute("UNLOCK TABLES", &[]).await.unwrap();
        connection.execute("CREATE PROCEDURE p() BEGIN SELECT 1 AS a; SELECT 2 AS b; END", &[]).await.unwrap();
        let rows = connection.query("CALL p()", &[]).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].get::<i64>("a").unwrap(), 1);
        // Text that the driver would take for a named parameter reaches the server as it is.
        let row = connection.query_one("SELECT 1-'5 :b', ':a' AS c", &[]).await.unwrap();
        assert_eq!(row.values()[0], Value::Double(-4.0));
        let error = connection.query("SELECT 1-'5 :b', ?", &params![1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(connection.query_one("SELECT 1", &[]).await.unwrap().get::<i64>(0).unwrap(), 1);
    }

    a_wrong_number_of_parameters_is_told_and_harms_nothing(database, _kind) {
        let mut connection = open(database).await;
        let error = connection.query("SELECT ?", &[]).await.unwrap_err();
        assert_eq!(error.to_string(), "the statement takes 1 parameter, 0 were given");
        connection.query("SELECT 1", &params![1]).await.unwrap_err();
        assert_eq!(connection.query_one("SELECT ?", &params![7]).await.unwrap().get::<i64>(0).unwrap(), 7);
    }

    cached_statements_survive_a_change_of_the_table(database, _kind) {
        let mut connection = open(database).await;
        connection.execute("CREATE TABLE t (a INT)", &[]).await.unwrap();
        connection.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
        let select = "SELECT * FROM t WHERE a = ?";
        assert_eq!(connection.query_one(select, &params![1]).await.unwrap().values(), params![1]);
        connection.execute("ALTER TABLE t ADD COLUMN b VARCHAR(10) DEFAULT 'x'", &[]).await.unwrap();
        let row = connection.query_one(select, &params![1]).await.unwrap();
        assert_eq!(row.values(), params![1, "x"]);
        assert_eq!(row.columns()[1].name, "b");
        connection.execute("ALTER TABLE t DROP COLUMN b, MODIFY a BIGINT UNSIGNED", &[]).await.unwrap();
        assert_eq!(connection.query_one(select, &params![1]).await.unwrap().values(), [Value::UInt(1)]);
    }

    cached_statements_keep_values_exact_when_a_column_changes_its_type(database, _kind) {
        let mut connection = open(database).await;
        let mut other = open(database).await;
        let long: Value = Value::Decimal("12345678901234567890123456789.5".parse().unwrap());
        for (before, first, after, then) in [
            ("INT", Value::Int(5), "VARCHAR(20)", text("007")),
            ("VARCHAR(20)", text("x"), "VARBINARY(20)", Value::Bytes(vec![0, 255])),
            ("DOUBLE", Value::Double(0.5), "DECIMAL(30,1)", long),
        ] {
            other.script(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t (v {before})")).await.unwrap();
            let insert = "INSERT INTO t VALUES (?)";
            connection.execute(insert, &[Value::Null]).await.unwrap();
            connection.execute(insert, &[first]).await.unwrap();
            other.script(&format!("DELETE FROM t; ALTER TABLE t MODIFY v {after}")).await.unwrap();
            connection.execute(insert, std::slice::from_ref(&then)).await.unwrap();
            assert_eq!(other.query_one("SELECT v FROM t", &[]).await.unwrap().values(), [then], "{before} to {after}");
        }
    }

    the_statement_cache_is_bounded(database, _kind) {
        for cache in [0, 3] {
            let mut options = options(database);
            options.statement_cache = cache;
            let mut connection = connect(&options).await.unwrap();
            for number in 0..20 {
                connection.query(&format!("SELECT {number} + ?"), &params![1]).await.unwrap();
                let mut rows = connection.stream(&format!("SELECT {number} - ?"), &params![1]).await.unwrap();
                while let Some(row) = rows.next().await {
                    row.unwrap();
                }
            }
            let row = connection.query_one("SHOW SESSION STATUS LIKE 'Com_stmt_close'", &[]).await.unwrap();
            let closed: u64 = row.get::<String>(1).unwrap().parse().unwrap();
            assert!(closed >= 40 - cache as u64 - 1, "{closed} closed with a cache of {cache}");
        }
    }

    a_script_runs_as_in_the_servers_own_client(database, _kind) {
        let mut connection = open(database).await;
        connection
            .script(
                "-- tables\nCREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2); SELECT * FROM t;\n\
                 CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = NEW.a * 2; END; INSERT INTO t VALUES (3)",
            )
            .await
            .unwrap();
        assert_eq!(connection.query_as::<i64>("SELECT a FROM t ORDER BY a", &[]).await.unwrap(), [1, 2, 6]);
        connection.script("-- nothing\n").await.unwrap();
        connection.script("").await.unwrap();
        let error = connection.script("INSERT INTO t VALUES (4); INSERT INTO missing VALUES (1); DROP TABLE t").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(connection.query("SELECT a FROM t WHERE a = 8", &[]).await.unwrap().len(), 1);
    }

    the_server_says_whether_a_transaction_is_open(database, _kind) {
        let mut connection = open(database).await;
        connection.script("CREATE TABLE t (a INT PRIMARY KEY)").await.unwrap();
        assert_eq!(connection.transaction_state(), TransactionState::Idle);
        connection.script("BEGIN").await.unwrap();
        assert_eq!(connection.transaction_state(), TransactionState::Open);
        connection.execute("INSERT INTO t VALUES (?)", &params![1]).await.unwrap();
        assert_eq!(connection.transaction_state(), TransactionState::Open);
        // An error of a statement does not end the transaction, and the state is known after it.
        connection.execute("INSERT INTO t VALUES (?)", &params![1]).await.unwrap_err();
        assert_eq!(connection.transaction_state(), TransactionState::Open);
        connection.query("SELECT nonsense", &[]).await.unwrap_err();
        assert_eq!(connection.transaction_state(), TransactionState::Open);
        // A schema change commits.
        connection.script("CREATE TABLE u (a INT)").await.unwrap();
        assert_eq!(connection.transaction_state(), TransactionState::Idle);
        connection.execute("SET autocommit = 0", &[]).await.unwrap();
        connection.query("SELECT * FROM t", &[]).await.unwrap();
        assert_eq!(connection.transaction_state(), TransactionState::Open);
        connection.reset().await.unwrap();
        assert_eq!(connection.transaction_state(), TransactionState::Idle);
    }

    transactions_nest_and_roll_back(database, _kind) {
        let mut connection = open(database).await;
        connection.script("CREATE TABLE t (a INT PRIMARY KEY)").await.unwrap();
        let mut outer = connection.transaction().await.unwrap();
        outer.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
        let mut inner = outer.transaction().await.unwrap();
        inner.execute("INSERT INTO t VALUES (2)", &[]).await.unwrap();
        drop(inner);
        let mut kept = outer.transaction().await.unwrap();
        kept.execute("INSERT INTO t VALUES (3)", &[]).await.unwrap();
        kept.commit().await.unwrap();
        outer.commit().await.unwrap();
        assert_eq!(connection.query_as::<i64>("SELECT a FROM t ORDER BY a", &[]).await.unwrap(), [1, 3]);

        let options = TransactionOptions::default().isolation(Isolation::Serializable).read_only();
        let mut reading = connection.transaction_with(&options).await.unwrap();
        let error = reading.execute("INSERT INTO t VALUES (9)", &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly);
        drop(reading);
        connection.execute("INSERT INTO t VALUES (9)", &[]).await.unwrap();
    }

    a_read_only_session_refuses_writes(database, _kind) {
        open(database).await.script("CREATE TABLE t (a INT)").await.unwrap();
        let mut options = options(database);
        options.read_only = true;
        let mut connection = connect(&options).await.unwrap();
        for sql in ["INSERT INTO t VALUES (1)", "DROP TABLE t"] {
            assert_eq!(connection.execute(sql, &[]).await.unwrap_err().kind(), ErrorKind::ReadOnly, "{sql}");
        }
    }

    errors_say_their_kind_code_and_constraint(database, kind) {
        let mut connection = open(database).await;
        connection
            .script(
                "CREATE TABLE p (id INT PRIMARY KEY, email VARCHAR(50), CONSTRAINT email_once UNIQUE (email));
                 CREATE TABLE c (id INT PRIMARY KEY, p INT NOT NULL, age TINYINT, word VARCHAR(3),
                     CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p (id), CONSTRAINT adult CHECK (age >= 18));
                 INSERT INTO p VALUES (1, 'ada@example.com'); INSERT INTO c VALUES (1, 1, 18, 'abc')",
            )
            .await
            .unwrap();
        use ErrorKind::*;
        for (sql, wanted, constraint) in [
            ("INSERT INTO p VALUES (2, 'ada@example.com')", UniqueViolation, Some("email_once")),
            ("INSERT INTO p VALUES (1, 'b')", UniqueViolation, Some("PRIMARY")),
            ("INSERT INTO c VALUES (2, 99, 18, '')", ForeignKeyViolation, Some("c_p")),
            ("DELETE FROM p", ForeignKeyViolation, Some("c_p")),
            ("INSERT INTO c VALUES (2, NULL, 18, '')", NotNullViolation, Some("p")),
            ("INSERT INTO c (id, age) VALUES (2, 18)", NotNullViolation, Some("p")),
            ("INSERT INTO c VALUES (2, 1, 17, '')", CheckViolation, Some("adult")),
            ("INSERT INTO c VALUES (2, 1, 1000, '')", InvalidValue, None),
            ("INSERT INTO c VALUES (2, 1, 18, 'abcd')", InvalidValue, None),
            ("INSERT INTO c VALUES ('x', 1, 18, '')", InvalidValue, None),
            ("SELECT * FROM nowhere", NotFound, None),
            ("SELECT nothing FROM p", NotFound, None),
            ("DROP TABLE nowhere", NotFound, None),
            ("CREATE TABLE p (id INT)", AlreadyExists, None),
            ("ALTER TABLE p ADD COLUMN email INT", AlreadyExists, None),
            ("SELEKT 1", Syntax, None),
            ("CALL nowhere()", NotFound, None),
        ] {
            for as_script in [false, true] {
                let outcome = match as_script {
                    true => connection.script(sql).await,
                    false => connection.execute(sql, &[]).await.map(drop),
                };
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), wanted, "{sql}: {error}");
                assert_eq!(error.constraint(), constraint, "{sql}: {error}");
                assert!(!error.to_string().contains("ada@"), "{error}");
            }
        }
        let error = connection.query("SELECT 1\nFORM p", &[]).await.unwrap_err();
        assert_eq!((error.position(), error.code()), (Some(14), Some("1064")), "{error}");
        let _ = kind;
    }

    a_text_column_with_bytes_that_are_no_text_is_an_error_of_that_column(database, kind) {
        let mut connection = open(database).await;
        connection.script("CREATE TABLE t (b VARBINARY(10))").await.unwrap();
        connection.execute("INSERT INTO t VALUES (?)", &params![vec![0xffu8, 0xfe]]).await.unwrap();
        assert_eq!(connection.query_one("SELECT b FROM t", &[]).await.unwrap().values(), params![vec![0xffu8, 0xfe]]);
        // A column of text that holds what is no text at all: the servers let nobody store it, so it is made here.
        if kind == Kind::Mariadb {
            let error = connection.query("SELECT CONVERT(b USING latin1) AS c, ? AS v FROM t", &params![vec![0xffu8]]).await;
            assert_eq!(error.unwrap_err().to_string(), "column \"v\": wanted text, found bytes that are no UTF-8 from byte 0 on");
        }
    }
}
