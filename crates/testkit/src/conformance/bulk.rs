//! Bulk inserts: what is stored, and that it is all rows or none.

use super::cancellation::interrupt;
use super::open;
use super::product::{Product, count, make_table, numbered};
use super::types::{cases, preparation};
use dbkeep_engine::sql::{Bits, Date, DateTime, Ident, Interval, Time, Value, params};
use dbkeep_engine::{ConnectOptions, Connection, Error, ErrorKind, Observer, Outcome, Statement, TransactionState};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TABLE: &str = "conf_bulk";
const COLUMNS: [&str; 2] = ["id", "note"];

async fn table(options: &ConnectOptions) -> Connection {
    let mut connection = open(options).await;
    make_table(&mut connection, TABLE, "id BIGINT NOT NULL PRIMARY KEY, note VARCHAR(50)").await;
    connection
}

fn rows(ids: std::ops::Range<i64>) -> impl Iterator<Item = Vec<Value>> + Send {
    ids.map(|id| params![id, format!("row {id}")])
}

/// Values of every kind, each to be tried in every type.
fn hostile() -> Vec<Value> {
    let text = |text: &str| Value::from(text);
    let decimal = |text: &str| Value::Decimal(text.parse().expect("a decimal"));
    let moment = |date: Date, micro: u32| DateTime::new(date, 12, 30, 59, micro);
    let day = Date::new(2024, 2, 29);
    let zero = Date::new(0, 0, 0);
    let mut values = vec![Value::Null, Value::Bool(true), Value::Bool(false)];
    values.extend([0, 1, -1, 7, 69, 70, 1999, 20_240_229, i64::MIN, i64::MAX].map(Value::Int));
    values.extend([0, 3, u64::MAX, 1 << 63].map(Value::UInt));
    values.extend([0.0, -0.0, 0.1, 2.5, 3.5, 16_777_217.0, f32::MAX, f32::from_bits(1), f32::NAN].map(Value::Float));
    values.extend(
        [0.0, -0.0, 0.1, 2.5, 3.5, 1e15, 1e16, 1e300, 5e-324, f64::MAX, f64::NAN, f64::INFINITY].map(Value::Double),
    );
    values.extend(["0", "-0.01", "1.50", "129.90", "2.5", "99999999999999999999.999", "NaN"].map(decimal));
    values.extend(
        [
            "",
            " ",
            "0",
            "1",
            "2.5",
            "007",
            "1e3",
            "-5",
            "NULL",
            "null",
            "\\N",
            "\\.",
            "\\",
            "\\\\",
            "a\\",
            "\t",
            "\n",
            "\r",
            "\r\n",
            "a\tb",
            "a\nb\n",
            "a\\tb",
            "it's \"quoted\" `back`",
            "trailing ",
            "a\0b",
            "\u{1a}",
            "é",
            "漢字",
            "🦀",
            "🦀👨‍👩‍👧‍👦",
            "2024-02-29",
            "2024-02-29 12:30:00.5",
            "2024-02-30",
            "12:30",
            "0000-00-00",
            "{\"a\": \"\\n\\\\\"}",
            "[1, 2]",
            "{1,2}",
            "{\"a\\\\b\",NULL}",
            "small",
            "a,c",
            "101",
            "true",
            "t",
            "\\x00ff",
            "67e55044-10b1-426f-9247-bb680e5fe0c8",
            "ein viel zu langer Text für kurze Spalten",
        ]
        .map(text),
    );
    values.extend(
        [vec![], vec![0], b"plain".to_vec(), b"\\N".to_vec(), vec![0xff, 0, b'\n', b'\\'], vec![7; 16]]
            .map(Value::Bytes),
    );
    values.extend(["1", "0", "1010000001", ""].map(|bits| Value::Bit(Bits::parse(bits).expect("bits"))));
    values.extend(
        [
            day,
            zero,
            Date::new(2024, 2, 0),
            Date::new(2023, 2, 29),
            Date::new(7, 1, 1),
            Date::new(12_345, 1, 1),
            Date::new(-44, 3, 15),
        ]
        .map(Value::Date),
    );
    values.extend(
        [(day, 0), (day, 1), (day, 999_999), (zero, 0), (Date::new(1969, 12, 31), 5)]
            .map(|(date, micro)| Value::DateTime(moment(date, micro))),
    );
    values.extend(
        [(day, 0), (day, 1), (Date::new(2038, 1, 19), 0)].map(|(date, micro)| Value::Timestamp(moment(date, micro))),
    );
    let span = Time { negative: true, ..Time::new(838, 59, 59, 0) };
    values
        .extend([Time::new(0, 0, 0, 0), Time::new(23, 59, 59, 999_999), Time::new(24, 0, 0, 0), span].map(Value::Time));
    values.extend(
        [(14, -3, 4_500_000), (0, 0, 0), (-1, 31, -1), (-13, -1, -1)]
            .map(|(months, days, microseconds)| Value::Interval(Interval { months, days, microseconds })),
    );
    values.extend(["{\"a\": [1, null], \"ü\": \"🦀\\n\"}", "null", "5", "{"].map(|json| Value::Json(json.into())));
    values.push(Value::Uuid("67e55044-10b1-426f-9247-bb680e5fe0c8".parse().expect("a uuid")));
    values.push(Value::Array(vec![Value::Int(1), Value::Null, Value::Int(-7)]));
    values.push(Value::Array(vec![text("a\\b"), text("\"\n\t"), text("NULL"), text("")]));
    values
}

/// What is stored: the value, and what the server says of it in its own words.
async fn stored(connection: &mut Connection, table: &str) -> Vec<(i64, String)> {
    let sql = match Product::of(connection.server()) {
        Product::MySql | Product::MariaDb => format!("SELECT n, v, HEX(v) AS shown FROM {table} ORDER BY n"),
        Product::Postgres => format!("SELECT n, v, v::text AS shown FROM {table} ORDER BY n"),
        Product::Sqlite => format!("SELECT n, v, typeof(v) || quote(v) AS shown FROM {table} ORDER BY n"),
    };
    let rows = connection.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let shown =
        |row: &dbkeep_engine::Row| (row.get::<i64>("n").expect("a number"), format!("{:?}", &row.values()[1..]));
    rows.iter().map(shown).collect()
}

/// A row goes in by a bulk insert exactly where it goes in by an INSERT with parameters, and is the same row then: every kind of value
/// into every type, one by one and all together.
pub async fn bulk_rows_are_stored_as_parameters_store_them(options: &ConnectOptions) {
    let mut connection = open(options).await;
    let product = Product::of(connection.server());
    let mut different = Vec::new();
    for table in ["conf_one", "conf_each", "conf_all"] {
        make_table(&mut connection, table, "n INTEGER").await;
    }
    connection.script(preparation(product)).await.expect("types");
    for case in cases(product) {
        let columns = format!("n INTEGER NOT NULL, v {}", case.type_name);
        for table in ["conf_one", "conf_each", "conf_all"] {
            make_table(&mut connection, table, &columns).await;
        }
        let sql = numbered(&connection, "INSERT INTO conf_one (n, v) VALUES (?, ?)");
        let mut accepted = Vec::new();
        for (n, value) in (1i64..).zip(case.values.iter().cloned().chain(hostile())) {
            let shown: String = format!("{} {value:?}", case.type_name).chars().take(120).collect();
            let row = vec![Value::Int(n), value];
            let one = connection.execute(&sql, &row).await.map(|done| done.rows_affected);
            let each = connection.bulk_insert("conf_each", ["n", "v"], [row.clone()]).await;
            match (&one, &each) {
                (Ok(1), Ok(1)) => accepted.push(row),
                (Err(one), Err(each)) if alike(one, each) => {}
                _ => different.push(format!("{shown}: {one:?}, and by a bulk insert {each:?}")),
            }
        }
        let sent = accepted.len() as u64;
        let taken = connection.bulk_insert("conf_all", ["n", "v"], accepted).await;
        assert_eq!(taken.unwrap_or_else(|error| panic!("{}: {error:?}", case.type_name)), sent);
        let one = stored(&mut connection, "conf_one").await;
        for table in ["conf_each", "conf_all"] {
            let found = stored(&mut connection, table).await;
            different.extend(one.iter().filter(|row| !found.contains(row)).map(|row| {
                format!("{}: {row:?} is {:?} in {table}", case.type_name, found.iter().find(|(n, _)| *n == row.0))
            }));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Servers say of the same value that it is out of range, cut off, or no value at all, as they meet it.
fn alike(one: &Error, each: &Error) -> bool {
    use ErrorKind::{CheckViolation, InvalidValue, Statement};
    one.kind() == each.kind()
        || [one, each].iter().all(|error| matches!(error.kind(), InvalidValue | CheckViolation | Statement))
}

/// Any number of rows arrives, in order, into tables of any name, and whatever else the table does with them is done.
pub async fn bulk_inserts_take_any_number_of_rows(options: &ConnectOptions) {
    let mut connection = table(options).await;
    assert_eq!(connection.bulk_insert(TABLE, COLUMNS, rows(0..0)).await.expect("no row"), 0);
    for many in [1, 2, 511, 100_000] {
        connection.execute("DELETE FROM conf_bulk WHERE id >= 0", &[]).await.expect("an empty table");
        assert_eq!(connection.bulk_insert(TABLE, COLUMNS, rows(0..many)).await.expect("rows"), many as u64);
        let sql = "SELECT COUNT(*) AS n, MIN(id) AS first, MAX(id) AS last FROM conf_bulk WHERE note LIKE 'row %'";
        let found: Vec<(i64, i64, i64)> = connection.query_as(sql, &[]).await.expect("the rows");
        assert_eq!(found, [(many, 0, many - 1)]);
    }
    // The columns in another order, and one left to its default.
    make_table(&mut connection, "conf_bulk_2", "a INTEGER DEFAULT 7, b VARCHAR(20), c INTEGER").await;
    let swapped = (0..3).map(|n| params![n, format!("{n}")]);
    assert_eq!(connection.bulk_insert("conf_bulk_2", ["c", "b"], swapped).await.expect("rows"), 3);
    let found: Vec<(i64, String, i64)> =
        connection.query_as("SELECT a, b, c FROM conf_bulk_2 ORDER BY c", &[]).await.expect("the rows");
    assert_eq!(found, [(7, "0".to_owned(), 0), (7, "1".to_owned(), 1), (7, "2".to_owned(), 2)]);
    // One column, whose lines may be empty.
    let single = ["", "x", ""].map(|text| params![text]);
    assert_eq!(connection.bulk_insert("conf_bulk_2", ["b"], single).await.expect("rows"), 3);
    let empty = connection.query("SELECT a FROM conf_bulk_2 WHERE b = '' AND c IS NULL", &[]).await.expect("the rows");
    assert_eq!(empty.len(), 2);
    // Keys that the server counts.
    let counted = format!("id {}, note VARCHAR(20)", Product::of(connection.server()).counted_key());
    make_table(&mut connection, "conf_bulk_3", &counted).await;
    connection.bulk_insert("conf_bulk_3", ["note"], (0..5).map(|n| params![format!("{n}")])).await.expect("rows");
    let ids: Vec<i64> = connection.query_as("SELECT id FROM conf_bulk_3 ORDER BY note", &[]).await.expect("ids");
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    // A name with everything in it that a name can have.
    let (name, quote) = ("conf bulk; \"`'\\ {}:a ?", connection.dialect().quote());
    let odd = format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")));
    make_table(&mut connection, &odd, &format!("id BIGINT, {odd} VARCHAR(20)")).await;
    let name = || Ident::new(name).expect("a name");
    assert_eq!(connection.bulk_insert(name(), [name()], [params!["x"]]).await.expect("a row"), 1);
    assert_eq!(count(&mut connection, &odd).await, 1);
}

/// Ways in which a bulk insert comes to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    Duplicate,
    TakenBefore,
    Null,
    Width,
    Value,
    TooLong,
    Parent,
    Panic,
    Dropped,
}

const WAYS: [Failing; 9] = [
    Failing::Duplicate,
    Failing::TakenBefore,
    Failing::Null,
    Failing::Width,
    Failing::Value,
    Failing::TooLong,
    Failing::Parent,
    Failing::Panic,
    Failing::Dropped,
];

/// The rows 1000 to 2999, and something wrong with 2500.
fn failing(way: Failing) -> impl Iterator<Item = Vec<Value>> + Send {
    (1_000..3_000i64).map(move |id| match way {
        _ if id != 2_500 => params![id, format!("row {id}"), None::<i64>],
        Failing::Duplicate => params![1_500, "again", None::<i64>],
        Failing::TakenBefore => params![7, "again", None::<i64>],
        Failing::Null => params![id, None::<String>, None::<i64>],
        Failing::Width => params![id],
        Failing::Value => vec![Value::Int(id), Value::Text("x".into()), Value::UInt(u64::MAX)],
        Failing::TooLong => params![id, "x".repeat(51), None::<i64>],
        Failing::Parent => params![id, "an orphan", 99],
        Failing::Panic => panic!("the iterator panics"),
        Failing::Dropped => params![id, "x", None::<i64>],
    })
}

async fn fail(connection: &mut Connection, way: Failing) -> Option<Error> {
    let columns = ["id", "note", "parent"];
    match way {
        Failing::Dropped => {
            // Its rows never end.
            let endless = (1_000..).map(|id: i64| params![id, "x", None::<i64>]);
            let dropped =
                tokio::time::timeout(Duration::from_millis(60), connection.bulk_insert("conf_child", columns, endless));
            dropped.await.expect_err("it does not end by itself");
            None
        }
        Failing::Panic => {
            let caught =
                AssertUnwindSafe(connection.bulk_insert("conf_child", columns, failing(way))).catch_unwind().await;
            caught.expect_err("the iterator panics");
            None
        }
        _ => Some(connection.bulk_insert("conf_child", columns, failing(way)).await.expect_err("one row is wrong")),
    }
}

/// One wrong row, a panic or a dropped future: nothing of it is stored, and what the connection is good for afterwards is as ever.
pub async fn bulk_inserts_keep_all_rows_or_none(options: &ConnectOptions) {
    let mut connection = open(options).await;
    let mut other = open(options).await;
    let product = Product::of(connection.server());
    connection.script("DROP TABLE IF EXISTS conf_child; DROP TABLE IF EXISTS conf_parent;").await.expect("no tables");
    make_table(&mut connection, "conf_parent", "id BIGINT NOT NULL PRIMARY KEY").await;
    let columns = "id BIGINT NOT NULL PRIMARY KEY, note VARCHAR(50) NOT NULL, parent BIGINT, CHECK (length(note) <= 50), \
                   CONSTRAINT conf_parent_of FOREIGN KEY (parent) REFERENCES conf_parent (id)";
    make_table(&mut connection, "conf_child", columns).await;
    let first = "INSERT INTO conf_child (id, note) VALUES (7, 'first')";
    connection.execute(first, &[]).await.expect("a row");
    for way in WAYS {
        let error = fail(&mut connection, way).await;
        let kind = error.as_ref().map(Error::kind);
        match way {
            Failing::Duplicate | Failing::TakenBefore => {
                assert_eq!(kind, Some(ErrorKind::UniqueViolation), "{error:?}")
            }
            Failing::Null => assert_eq!(kind, Some(ErrorKind::NotNullViolation), "{error:?}"),
            Failing::Parent => assert_eq!(kind, Some(ErrorKind::ForeignKeyViolation), "{error:?}"),
            Failing::Width | Failing::Value => assert_eq!(kind, Some(ErrorKind::InvalidValue), "{error:?}"),
            Failing::TooLong => {
                let kinds = [Some(ErrorKind::InvalidValue), Some(ErrorKind::CheckViolation)];
                assert!(kinds.contains(&kind), "{error:?}");
            }
            Failing::Panic | Failing::Dropped => {}
        }
        if let Some(error) = &error {
            // Which row it is that has no parent or a key that is taken, not every server says.
            let names = !matches!(way, Failing::Duplicate | Failing::TakenBefore | Failing::Parent);
            assert!(!names || error.to_string().contains("row 1501"), "{way:?}: {error}");
            let column = match way {
                Failing::Value => Some("parent"),
                Failing::Null => Some("note"),
                _ => None,
            };
            assert!(column.is_none_or(|name| error.to_string().contains(name)), "{way:?}: {error}");
        }
        assert_eq!(count(&mut connection, "conf_child").await, 1, "{way:?}");
        assert_eq!(count(&mut other, "conf_child").await, 1, "{way:?}");
        assert_eq!(connection.transaction_state(), TransactionState::Idle, "{way:?}");
        let taken = connection.bulk_insert("conf_child", COLUMNS, rows(1_000..3_000)).await;
        assert_eq!(taken.expect("the connection goes on"), 2_000, "{way:?}");
        connection.execute("DELETE FROM conf_child WHERE id <> 7", &[]).await.expect("one row is left");
    }
    for way in WAYS {
        let mut transaction = connection.transaction().await.expect("a transaction");
        transaction.execute("INSERT INTO conf_child (id, note) VALUES (8, 'before')", &[]).await.expect("a row");
        fail(&mut transaction, way).await;
        // A row of the program's that is wrong never gets to the server, but a COPY that was begun has failed.
        if product == Product::Postgres {
            transaction.execute("SELECT 1", &[]).await.expect_err("the transaction has failed");
            assert_eq!(transaction.transaction_state(), TransactionState::Failed, "{way:?}");
            transaction.rollback().await.expect("a rollback");
            assert_eq!(count(&mut connection, "conf_child").await, 1, "{way:?}");
            continue;
        }
        assert_eq!(count(&mut transaction, "conf_child").await, 2, "{way:?}");
        let taken = transaction.bulk_insert("conf_child", COLUMNS, rows(10..20)).await;
        assert_eq!(taken.expect("the transaction goes on"), 10, "{way:?}");
        transaction.commit().await.expect("a commit");
        assert_eq!(count(&mut other, "conf_child").await, 12, "{way:?}");
        connection.execute("DELETE FROM conf_child WHERE id <> 7", &[]).await.expect("one row is left");
    }
}

/// In a transaction the rows are a part of it, in a savepoint of that.
pub async fn bulk_inserts_join_a_transaction(options: &ConnectOptions) {
    let mut connection = table(options).await;
    let mut transaction = connection.transaction().await.expect("a transaction");
    transaction.bulk_insert(TABLE, COLUMNS, rows(0..10)).await.expect("rows");
    assert_eq!(count(&mut transaction, TABLE).await, 10);
    let mut savepoint = transaction.transaction().await.expect("a savepoint");
    savepoint.bulk_insert(TABLE, COLUMNS, rows(10..20)).await.expect("rows");
    savepoint.rollback().await.expect("a rollback");
    assert_eq!(count(&mut transaction, TABLE).await, 10);
    transaction.rollback().await.expect("a rollback");
    assert_eq!(count(&mut connection, TABLE).await, 0);
    let mut transaction = connection.transaction().await.expect("a transaction");
    transaction.bulk_insert(TABLE, COLUMNS, rows(0..10)).await.expect("rows");
    transaction.bulk_insert(TABLE, COLUMNS, rows(10..20)).await.expect("rows");
    transaction.commit().await.expect("a commit");
    assert_eq!(count(&mut connection, TABLE).await, 20);
    // One that a statement began.
    connection.script("BEGIN;").await.expect("a transaction of its own");
    connection.bulk_insert(TABLE, COLUMNS, rows(20..30)).await.expect("rows");
    connection.script("ROLLBACK;").await.expect("a rollback");
    assert_eq!(count(&mut connection, TABLE).await, 20);
}

/// Dropped after any number of polls, a bulk insert has stored all rows or none, and the next statement is answered as ever.
pub async fn dropped_bulk_inserts_leave_no_rows(options: &ConnectOptions) {
    let mut connection = table(options).await;
    let mut other = open(options).await;
    let mut done = 0;
    for round in 0..60u32 {
        let pause = Duration::from_micros(u64::from(round % 12) * 400 + 50);
        let (polls, ids) = (1 + round * round / 20, 0..3_000);
        let outcome = if round % 3 == 0 {
            let work = async {
                let mut transaction = connection.transaction().await?;
                transaction.bulk_insert(TABLE, COLUMNS, rows(ids)).await?;
                transaction.commit().await
            };
            interrupt(work, polls, pause).await.map(|outcome| outcome.map(|()| 3_000))
        } else {
            interrupt(connection.bulk_insert(TABLE, COLUMNS, rows(ids)), polls, pause).await
        };
        let found = match connection.query_one("SELECT COUNT(*) AS n FROM conf_bulk", &[]).await {
            Ok(row) => row.get::<i64>("n").expect("a number"),
            Err(error) => {
                assert!(error.is_connection_lost(), "an interrupted connection works or is lost: {error}");
                assert!(!connection.server().capabilities.survives_cancellation, "{error}");
                connection = open(options).await;
                count(&mut connection, TABLE).await
            }
        };
        match outcome {
            Some(outcome) => assert_eq!((outcome.expect("rows"), found), (3_000, 3_000)),
            None => assert!(matches!(found, 0 | 3_000), "round {round}: {found} of 3000 rows are there"),
        }
        assert_eq!(count(&mut other, TABLE).await, found, "round {round}");
        assert_eq!(connection.transaction_state(), TransactionState::Idle, "round {round}, {polls} polls in {pause:?}");
        done += u32::from(found > 0);
        connection.execute("DELETE FROM conf_bulk WHERE id >= 0", &[]).await.expect("an empty table");
    }
    assert!(done < 60, "some were dropped before their end");
}

/// Rows are asked for as the server takes them: while another has the table locked, hardly any is.
pub async fn bulk_rows_are_taken_as_the_server_takes_them(options: &ConnectOptions) {
    let mut connection = table(options).await;
    let mut other = open(options).await;
    let (lock, unlock) = match Product::of(connection.server()) {
        Product::MySql | Product::MariaDb => ("LOCK TABLES conf_bulk READ;", "UNLOCK TABLES;"),
        Product::Postgres => ("BEGIN; LOCK TABLE conf_bulk;", "ROLLBACK;"),
        Product::Sqlite => ("BEGIN IMMEDIATE;", "ROLLBACK;"),
    };
    other.script(lock).await.expect("a lock");
    let asked = AtomicU64::new(0);
    let endless = (0i64..).map(|id| {
        asked.fetch_add(1, Ordering::Relaxed);
        params![id, "x"]
    });
    let waiting = tokio::time::timeout(Duration::from_millis(300), connection.bulk_insert(TABLE, COLUMNS, endless));
    waiting.await.expect_err("the table is locked");
    assert!(asked.load(Ordering::Relaxed) < 100_000, "{asked:?} rows were asked for");
    other.script(unlock).await.expect("no lock");
    assert_eq!(connection.bulk_insert(TABLE, COLUMNS, rows(0..10)).await.expect("the connection goes on"), 10);
    assert_eq!(count(&mut other, TABLE).await, 10);
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn statement_finished(&self, statement: &Statement<'_>) {
        let outcome = match statement.outcome {
            Outcome::Done { rows } => format!("{rows} rows"),
            Outcome::Failed(error) => format!("{:?}", error.kind()),
            Outcome::Dropped => "dropped".to_owned(),
            _ => "?".to_owned(),
        };
        let place = statement.caller.file().ends_with("bulk.rs");
        self.0.lock().unwrap().push(format!("{} {outcome} {place}", statement.sql.replace('`', "\"")));
    }
}

/// The observer hears of one statement, with its rows and the place of the program; wrong names never get that far.
pub async fn bulk_inserts_are_told_of(options: &ConnectOptions) {
    let mut connection = table(options).await;
    let heard = Arc::new(Heard::default());
    connection.observe(heard.clone());
    connection.bulk_insert(TABLE, COLUMNS, rows(0..5)).await.expect("rows");
    connection.bulk_insert(TABLE, COLUMNS, rows(4..6)).await.expect_err("a key is taken");
    drop(interrupt(connection.bulk_insert(TABLE, COLUMNS, rows(6..7)), 1, Duration::from_secs(1)).await);
    for wrong in ["", "a\0b"] {
        let error = connection.bulk_insert(wrong, COLUMNS, rows(0..1)).await.expect_err("no name");
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
    }
    connection.bulk_insert(TABLE, [] as [&str; 0], rows(0..1)).await.expect_err("no column");
    connection.bulk_insert(TABLE, ["id", "id"], rows(0..1)).await.expect_err("one column twice");
    let all = heard.0.lock().unwrap().clone();
    let text = r#"BULK INSERT INTO "conf_bulk" ("id", "note")"#;
    assert_eq!(all[0], format!("{text} 5 rows true"));
    assert_eq!(all[1], format!("{text} UniqueViolation true"));
    assert!(all.len() == 3 && all[2].starts_with(text), "{all:?}");
    // What is not there is found as for any statement.
    for (table, columns) in [("conf_nowhere", COLUMNS), (TABLE, ["id", "nowhere"])] {
        let error = connection.bulk_insert(table, columns, rows(100..101)).await.expect_err("it is not there");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    connection.ping().await.expect("the connection goes on");
}

/// A connection that only reads takes no rows, and goes on.
pub async fn a_read_only_connection_refuses_bulk_inserts(options: &ConnectOptions) {
    let mut connection = table(options).await;
    let mut read_only = options.clone();
    read_only.read_only = true;
    let mut reader = open(&read_only).await;
    for _ in 0..2 {
        let error = reader.bulk_insert(TABLE, COLUMNS, rows(0..10)).await.expect_err("it only reads");
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error:?}");
        assert_eq!(count(&mut reader, TABLE).await, 0);
    }
    assert_eq!(count(&mut connection, TABLE).await, 0);
}
