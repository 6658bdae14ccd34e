//! Values in and out, exactly.

use super::open;
use super::product::{Product, make_table, numbered};
use super::types::{cases, preparation};
use dbkeep_engine::sql::{Date, DateTime, Value, params};
use dbkeep_engine::{ConnectOptions, Connection, ErrorKind, Row};

/// Whether two values are the same to a program: the number counts, not which integer type carried it, and JSON is compared by
/// what it says, since servers write it anew.
fn same(found: &Value, wanted: &Value) -> bool {
    let json = |value: &Value| match value {
        Value::Json(text) | Value::Text(text) => serde_json::from_str::<serde_json::Value>(text).ok(),
        _ => None,
    };
    match (found, wanted) {
        (Value::Float(found), Value::Float(wanted)) => found.to_bits() == wanted.to_bits(),
        (Value::Double(found), Value::Double(wanted)) => found.to_bits() == wanted.to_bits(),
        (_, Value::Json(_)) => json(found).is_some() && json(found) == json(wanted),
        (Value::DateTime(found) | Value::Timestamp(found), Value::DateTime(wanted) | Value::Timestamp(wanted)) => {
            found == wanted
        }
        (Value::Text(found), Value::Uuid(wanted)) => *found == wanted.to_string(),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| same(found, wanted))
        }
        _ => match (integer(found), integer(wanted)) {
            (Some(found), Some(wanted)) => found == wanted,
            _ => found == wanted,
        },
    }
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        Value::Int(value) => Some((*value).into()),
        Value::UInt(value) => Some((*value).into()),
        Value::Decimal(value) => value.as_str().parse().ok(),
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    format!("{value:?}").chars().take(200).collect()
}

async fn check(connection: &mut Connection, type_name: &str, values: &[Value]) {
    let sql = numbered(connection, "INSERT INTO conf_values (n, v) VALUES (?, ?)");
    for (n, value) in (0i64..).zip(values) {
        let done = connection.execute(&sql, &[Value::Int(n), value.clone()]).await;
        let done = done.unwrap_or_else(|error| panic!("{type_name} takes {}: {error:?}", shown(value)));
        assert_eq!(done.rows_affected, 1);
    }
    // With a parameter and without one: a driver may use two forms of its protocol.
    let with_parameter = numbered(connection, "SELECT v FROM conf_values WHERE n >= ? ORDER BY n");
    let queried = connection.query(&with_parameter, &params![0]).await.expect("the values");
    let plain = connection.query("SELECT v FROM conf_values ORDER BY n", &[]).await.expect("the values");
    let mut streamed = Vec::new();
    let mut stream = connection.stream("SELECT v FROM conf_values ORDER BY n", &[]).await.expect("a stream");
    while let Some(row) = stream.next().await {
        streamed.push(row.expect("a row"));
    }
    drop(stream);
    for (how, rows) in [("a query with parameters", queried), ("a query", plain), ("a stream", streamed)] {
        assert_eq!(rows.len(), values.len());
        for (row, wanted) in rows.iter().map(Row::values).zip(values) {
            let [found] = row else { panic!("one column") };
            assert!(same(found, wanted), "{type_name} by {how}: wanted {}, found {}", shown(wanted), shown(found));
        }
    }
}

/// Every type gives its edge values back: by a query with and without parameters, and by a stream.
pub async fn values_round_trip(options: &ConnectOptions) {
    let mut connection = open(options).await;
    let product = Product::of(connection.server());
    connection.script(preparation(product)).await.expect("types");
    for case in cases(product) {
        make_table(&mut connection, "conf_values", &format!("n INTEGER NOT NULL, v {}", case.type_name)).await;
        check(&mut connection, case.type_name, &case.values).await;
    }
}

/// NULL is NULL in every type, as a parameter and as a result.
pub async fn null_round_trips_in_every_type(options: &ConnectOptions) {
    let mut connection = open(options).await;
    let product = Product::of(connection.server());
    connection.script(preparation(product)).await.expect("types");
    for case in cases(product) {
        make_table(&mut connection, "conf_values", &format!("n INTEGER NOT NULL, v {}", case.type_name)).await;
        let value = case.values[0].clone();
        check(&mut connection, case.type_name, &[Value::Null, value, Value::Null]).await;
    }
    let row = connection.query_one("SELECT NULL AS blank", &[]).await.expect("a row");
    assert_eq!(row.get::<Option<i64>>("blank").expect("NULL is no number"), None);
}

/// Text that holds NUL, and numbers and text of the wrong shape: kept exactly or refused, never changed in silence.
pub async fn awkward_text_is_kept_or_refused(options: &ConnectOptions) {
    let mut connection = open(options).await;
    let long = Product::of(connection.server()).long_text();
    make_table(&mut connection, "conf_values", &format!("n INTEGER NOT NULL, v {long}, short VARCHAR(5)")).await;
    let sql = numbered(&connection, "INSERT INTO conf_values (n, v) VALUES (?, ?)");
    match connection.execute(&sql, &params![1, "a\0b"]).await {
        Ok(_) => {
            let row = connection.query_one("SELECT v FROM conf_values WHERE n = 1", &[]).await.expect("the row");
            assert_eq!(row.get::<String>("v").expect("text"), "a\0b");
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}"),
    }
    // A server that checks lengths refuses; one that does not keeps everything.
    let sql = numbered(&connection, "INSERT INTO conf_values (n, short) VALUES (?, ?)");
    match connection.execute(&sql, &params![2, "more than five"]).await {
        Ok(_) => {
            let row = connection.query_one("SELECT short FROM conf_values WHERE n = 2", &[]).await.expect("the row");
            assert_eq!(row.get::<String>("short").expect("text"), "more than five");
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}"),
    }
    assert_eq!(connection.query_one("SELECT 7 AS n", &[]).await.expect("a row").get::<i64>("n").expect("seven"), 7);
}

/// Dates such as 0000-00-00, which some servers store under a lenient mode, come back as they are; others refuse them.
pub async fn zero_dates_are_kept_or_refused(options: &ConnectOptions) {
    let mut lenient = options.clone();
    lenient.session.sql_mode = Some(String::new());
    let mut connection = open(&lenient).await;
    let product = Product::of(connection.server());
    let moment = if product == Product::Postgres { "TIMESTAMP" } else { "DATETIME" };
    make_table(&mut connection, "conf_values", &format!("n INTEGER NOT NULL, d DATE, t {moment}")).await;
    let zero = Date::new(0, 0, 0);
    for (n, date) in [(1, zero), (2, Date::new(2024, 0, 0)), (3, Date::new(2024, 2, 0))] {
        let moment = DateTime::new(date, 0, 0, 0, 0);
        let sql = numbered(&connection, "INSERT INTO conf_values (n, d, t) VALUES (?, ?, ?)");
        match connection.execute(&sql, &params![n, date, moment]).await {
            Ok(_) => {
                let sql = numbered(&connection, "SELECT d, t FROM conf_values WHERE n = ?");
                let row = connection.query_one(&sql, &params![n]).await.expect("the row");
                assert_eq!(row.get::<Date>("d").expect("a date"), date);
                assert_eq!(row.get::<DateTime>("t").expect("a date and time"), moment);
            }
            Err(error) => {
                assert_eq!(product, Product::Postgres, "{error}");
                assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
            }
        }
    }
}

/// Values written in the statement itself come back exactly, without a parameter to say their type.
pub async fn literals_keep_their_values(options: &ConnectOptions) {
    let mut connection = open(options).await;
    let row = connection
        .query_one("SELECT 9223372036854775807 AS big, 'it''s 🦀' AS word, '' AS blank, NULL AS missing", &[])
        .await
        .expect("a row");
    assert_eq!(row.get::<i64>("big").expect("a number"), i64::MAX);
    assert_eq!(row.get::<String>("word").expect("text"), "it's 🦀");
    assert_eq!(row.get::<String>("blank").expect("text"), "");
    assert_eq!(row.get::<Option<String>>("missing").expect("NULL"), None);
    let names: Vec<&str> = row.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["big", "word", "blank", "missing"]);
}

/// Too many and too few parameters are an error before anything runs, and the connection goes on.
pub async fn wrong_parameters_are_refused(options: &ConnectOptions) {
    let mut connection = open(options).await;
    make_table(&mut connection, "conf_values", "n INTEGER NOT NULL").await;
    let insert = numbered(&connection, "INSERT INTO conf_values (n) VALUES (?)");
    for wrong in [params![], params![1, 2]] {
        let error = connection.execute(&insert, &wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
        let error = connection.query(&insert, &wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
        let error = connection.stream(&insert, &wrong).await.map(drop).expect_err("an error before the first row");
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
    }
    connection.execute(&insert, &params![3]).await.expect("the connection goes on");
    let all: Vec<i64> = connection.query_as("SELECT n FROM conf_values", &[]).await.expect("the rows");
    assert_eq!(all, [3]);
}
