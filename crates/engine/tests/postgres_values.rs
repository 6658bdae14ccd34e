//! Every type of PostgreSQL, to it and from it, and every error in our words.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::sql::{Bits, Date, DateTime, Interval, Time, Value, params};
use dbkeep_engine::{Condition, ConnectOptions, Connection, Error, ErrorKind, TransactionState, connect};
use dbkeep_testkit::{Kind, TestDatabase, server};

async fn open() -> Option<(Connection, TestDatabase)> {
    let database = server(Kind::Postgres)?.fresh_database();
    let options: ConnectOptions = database.url().parse().unwrap();
    Some((connect(&options).await.unwrap(), database))
}

async fn value(connection: &mut Connection, sql: &str, params: &[Value]) -> Value {
    let row = connection.query_one(sql, params).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    row.values()[0].clone()
}

async fn refused(connection: &mut Connection, sql: &str, params: &[Value]) -> Error {
    connection.query(sql, params).await.err().unwrap_or_else(|| panic!("{sql} was not refused"))
}

#[tokio::test]
async fn what_has_no_type_of_its_own_comes_as_the_server_writes_it() {
    let Some((mut connection, _database)) = open().await else { return };
    connection
        .script(
            "CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy');
             CREATE TYPE pair AS (a integer, b text);
             CREATE TYPE nest AS (p pair, m mood, l integer[], t timestamptz);
             CREATE TYPE spans AS RANGE (subtype = float8);
             CREATE DOMAIN even AS integer CHECK (value % 2 = 0);",
        )
        .await
        .unwrap();
    for expression in [
        "'10.0.0.0/8'::cidr",
        "'1.2.3.4/24'::inet",
        "'::1/64'::inet",
        "'::1.2.3.4/96'::inet",
        "'::ffff:1.2.3.4/100'::inet",
        "'2001:db8::/32'::cidr",
        "'08:00:2b:01:02:03'::macaddr",
        "'08:00:2b:01:02:03:04:05'::macaddr8",
        "'16/B374D848'::pg_lsn",
        "'(12,3)'::tid",
        "'a:1A fat:2B,4C,9 ''qu''''ote''  back\\\\slash'::tsvector",
        "''::tsvector",
        "point(1e20, -1e-7)",
        "'[(1,2),(3,4)]'::lseg",
        "'((1,2),(3,4))'::box",
        "'((1,2),(3,4))'::path",
        "'[(1,2),(3,4)]'::path",
        "'((1,2),(3,4),(5,6))'::polygon",
        "'{1,2,3}'::line",
        "'<(1,2),3.5>'::circle",
        "'[1,10)'::int4range",
        "'(,5]'::int8range",
        "'empty'::numrange",
        "'[\"2024-01-01 00:00:00\",)'::tsrange",
        "'[\"2024-01-01 00:00:00+00\",infinity]'::tstzrange",
        "'(0.5,1e+300)'::spans",
        "'{[1,3),[5,6)}'::int4multirange",
        "'{}'::datemultirange",
        "'12:00:00.5+02'::timetz",
        "'23:59:60-03:30:15'::timetz",
        "'$.a ? (@ > 1)'::jsonpath",
        "'so so'::mood",
        "row(1, 'a \"quoted\" \\ (b), c')::pair",
        "row(null, '')::pair",
        "row(row(1, 'x'), 'so so', '{1,null}', '2024-02-29 12:00:00.25+00')::nest",
        "row(true, 1.5::float8, 1e20::float8, 1e-5::float4, 123456::float4, 1e6::float4, 'NaN'::float8, '\\x00ff'::bytea, b'101', '1 day -00:00:01'::interval, '0044-03-15 BC'::date)",
        "row('{\"NULL\",\"\",\"a b\",\"{}\"}'::text[], '{{1,2},{3,4}}'::int[], '1 year -2 mons +3 days'::interval, '-1 mons +2 days 03:04:05.600'::interval)",
        "'infinity'::date",
        "'-infinity'::timestamptz",
        "'<a>1</a>'::xml",
        "'x'::\"char\"",
        "'name'::name",
    ] {
        let sql = format!("SELECT v, v::text FROM (SELECT {expression} AS v) q");
        let row = connection.query_one(&sql, &[]).await.unwrap_or_else(|error| panic!("{expression}: {error:?}"));
        let [found, Value::Text(text)] = row.values() else { panic!("{expression}: {row:?}") };
        match found {
            // For a single host, only the cast to text writes the length of the prefix.
            Value::Text(found) => assert_eq!(found, text, "{expression}"),
            other => panic!("{expression} is no text: {other:?}"),
        }
    }
    assert_eq!(value(&mut connection, "SELECT '1.2.3.4'::inet", &[]).await, Value::from("1.2.3.4"));
    assert_eq!(value(&mut connection, "SELECT 4::even", &[]).await, Value::Int(4));
    assert_eq!(value(&mut connection, "SELECT array[4]::even[]", &[]).await, Value::Array(vec![Value::Int(4)]));
    assert_eq!(
        value(&mut connection, "SELECT array['sad', null]::mood[]", &[]).await,
        Value::Array(vec![Value::from("sad"), Value::Null])
    );
    assert_eq!(value(&mut connection, "SELECT pg_sleep(0)", &[]).await, Value::Null);
}

#[tokio::test]
async fn what_has_a_type_comes_in_it() {
    let Some((mut connection, _database)) = open().await else { return };
    let day = Date::new(2024, 2, 29);
    for (expression, wanted) in [
        ("true", Value::Bool(true)),
        ("(-32768)::smallint", Value::Int(-32768)),
        ("9223372036854775807", Value::Int(i64::MAX)),
        ("4294967295::oid", Value::Int(4_294_967_295)),
        ("0.1::real", Value::Float(0.1)),
        ("'-Infinity'::float8", Value::Double(f64::NEG_INFINITY)),
        ("'2024-02-29'::date", Value::Date(day)),
        ("'5874897-12-31'::date", Value::Date(Date::new(5_874_897, 12, 31))),
        ("'4713-01-01 BC'::date", Value::Date(Date::new(-4712, 1, 1))),
        ("'24:00'::time", Value::Time(Time::new(24, 0, 0, 0))),
        ("'2024-02-29 01:02:03.000004'::timestamp", Value::DateTime(DateTime::new(day, 1, 2, 3, 4))),
        ("'2024-02-29 01:02:03+02'::timestamptz", Value::Timestamp(DateTime::new(Date::new(2024, 2, 28), 23, 2, 3, 0))),
        (
            "'1 year 2 days 03:00'::interval",
            Value::Interval(Interval { months: 12, days: 2, microseconds: 10_800_000_000 }),
        ),
        ("'\\xdeadbeef'::bytea", Value::Bytes(vec![0xde, 0xad, 0xbe, 0xef])),
        ("'{\"b\": 1,  \"a\": 2}'::json", Value::Json("{\"b\": 1,  \"a\": 2}".into())),
        ("'{\"b\": 1,  \"a\": 2}'::jsonb", Value::Json("{\"a\": 2, \"b\": 1}".into())),
        ("b'1010000001'", Value::Bit(Bits::parse("1010000001").unwrap())),
        ("''::varbit", Value::Bit(Bits::default())),
        ("null::integer", Value::Null),
        ("'{}'::integer[]", Value::Array(vec![])),
        (
            "'{{1,2},{3,null}}'::integer[]",
            Value::Array(vec![
                Value::Array(vec![Value::Int(1), Value::Int(2)]),
                Value::Array(vec![Value::Int(3), Value::Null]),
            ]),
        ),
    ] {
        assert_eq!(value(&mut connection, &format!("SELECT {expression}"), &[]).await, wanted, "{expression}");
    }
}

#[tokio::test]
async fn numerics_keep_every_digit() {
    let Some((mut connection, _database)) = open().await else { return };
    let mut texts: Vec<String> = [
        "0",
        "0.00",
        "-0.5",
        "1",
        "10000",
        "9999",
        "10001.0001",
        "0.0000000000000000000001",
        "NaN",
        "Infinity",
        "-Infinity",
    ]
    .map(str::to_owned)
    .into();
    texts.push("9".repeat(1000));
    texts.push(format!("-{}.{}", "12345678901".repeat(11), "0987654321".repeat(20)));
    for zeros in 0..12 {
        texts.push(format!("1{}", "0".repeat(zeros)));
        texts.push(format!("0.{}7{}", "0".repeat(zeros), "0".repeat(zeros)));
    }
    for text in texts {
        let decimal = Value::Decimal(text.parse().unwrap());
        let row = connection
            .query_one("SELECT $1::numeric, $1::numeric::text", std::slice::from_ref(&decimal))
            .await
            .unwrap();
        assert_eq!(row.values(), [decimal, Value::from(text.as_str())], "{text}");
    }
}

#[tokio::test]
async fn parameters_go_where_their_text_fits() {
    let Some((mut connection, _database)) = open().await else { return };
    connection
        .script("CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN even AS integer CHECK (value % 2 = 0)")
        .await
        .unwrap();
    let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    for (expression, given, wanted) in [
        ("$1::mood", Value::from("happy"), "happy"),
        ("$1::inet", Value::from("10.1.2.3"), "10.1.2.3/32"),
        ("$1::timestamptz", Value::from("2024-02-29 12:00+02"), "2024-02-29 10:00:00+00"),
        ("$1::date", Value::from("2024-02-29"), "2024-02-29"),
        ("$1::date", Value::from(Date::new(-43, 3, 15)), "0044-03-15 BC"),
        (
            "$1::timestamp",
            Value::from(DateTime::new(Date::new(-43, 3, 15), 1, 2, 3, 4)),
            "0044-03-15 01:02:03.000004 BC",
        ),
        (
            "$1::interval",
            Value::from(Interval { months: -14, days: 3, microseconds: -1 }),
            "-1 years -2 mons +3 days -00:00:00.000001",
        ),
        (
            "$1::interval",
            Value::from(Time { negative: true, hour: 838, minute: 59, second: 59, microsecond: 0 }),
            "-838:59:59",
        ),
        ("$1::numeric", Value::from("1.50"), "1.50"),
        ("$1::numeric", Value::Int(7), "7"),
        ("$1::numeric", Value::UInt(u64::MAX), "18446744073709551615"),
        ("$1::numeric", Value::Double(1e21), "1000000000000000000000"),
        ("$1::integer", Value::from("42"), "42"),
        ("$1::integer", Value::Double(2.0), "2"),
        ("$1::float8", Value::Int(3), "3"),
        ("$1::float8", Value::Double(1e300), "1e+300"),
        ("$1::boolean", Value::Int(1), "true"),
        ("$1::text", Value::Int(-5), "-5"),
        ("$1::text", Value::Bool(false), "false"),
        ("$1::uuid", Value::from(uuid), uuid),
        ("$1::uuid", Value::Bytes(vec![0; 16]), "00000000-0000-0000-0000-000000000000"),
        ("$1::json", Value::Bool(true), "true"),
        ("$1::jsonb", Value::Json("[1,  2]".into()), "[1, 2]"),
        ("$1::bit(3)", Value::from(Bits::parse("101").unwrap()), "101"),
        ("$1::integer[]", Value::Array(vec![Value::Int(1), Value::Null]), "{1,NULL}"),
        (
            "$1::text[]",
            Value::Array(vec![Value::from("a \"b\""), Value::from("NULL"), Value::from(""), Value::from("\\,{}")]),
            "{\"a \\\"b\\\"\",\"NULL\",\"\",\"\\\\,{}\"}",
        ),
        ("$1::bytea[]", Value::Array(vec![Value::Bytes(vec![0, 255])]), "{\"\\\\x00ff\"}"),
        (
            "$1::integer[]",
            Value::Array(vec![Value::Array(vec![Value::Int(1)]), Value::Array(vec![Value::Int(2)])]),
            "{{1},{2}}",
        ),
        ("$1::int4range", Value::from("[1,5)"), "[1,5)"),
        ("$1::even", Value::Int(4), "4"),
    ] {
        let sql = format!("SELECT ({expression})::text");
        assert_eq!(
            value(&mut connection, &sql, std::slice::from_ref(&given)).await,
            Value::from(wanted),
            "{expression} with {given:?}"
        );
    }
    for ty in ["integer", "text", "mood", "inet[]", "numeric", "jsonb"] {
        assert_eq!(value(&mut connection, &format!("SELECT $1::{ty}"), &[Value::Null]).await, Value::Null, "{ty}");
    }
    // As a list: the one form every engine's users ask for.
    let rows = connection
        .query(
            "SELECT n FROM generate_series(1, 9) n WHERE n = ANY ($1)",
            &[Value::Array(vec![Value::Int(2), Value::Int(5)])],
        )
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_refused_by_number() {
    let Some((mut connection, _database)) = open().await else { return };
    for (sql, given, message) in [
        (
            "SELECT $1::text, $2::integer",
            params!["a", 1i64 << 40],
            "parameter 2: the integer is out of range for integer",
        ),
        ("SELECT $1::smallint", params![40_000], "parameter 1: the integer is out of range for smallint"),
        ("SELECT $1::bigint", params![u64::MAX], "parameter 1: the unsigned integer is out of range for bigint"),
        ("SELECT $1::oid", params![-1], "parameter 1: the integer is out of range for oid"),
        ("SELECT $1::text", params![vec![0u8]], "parameter 1: the bytes cannot go into text"),
        ("SELECT $1::text", vec![Value::Array(vec![])], "parameter 1: the array cannot go into text"),
        ("SELECT $1::integer", params![1, 2], "the statement takes 1 parameter, 2 were given"),
        ("SELECT $1::integer", params![2.5], "invalid input syntax for type integer: \"…\" (22P02)"),
        ("SELECT $1::date", params![Date::new(2023, 2, 29)], "date/time field value out of range: \"…\" (22008)"),
        (
            "SELECT $1::numeric(3,1)",
            params!["1000"],
            "numeric field overflow (A field with precision 3, scale 1 must round to an absolute value less than 10^2.) (22003)",
        ),
        ("SELECT $1::text", params!["a\0b"], "invalid byte sequence for encoding \"UTF8\": 0x00 (22021)"),
    ] {
        let error = refused(&mut connection, sql, &given).await;
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidValue, message));
        assert_eq!(connection.transaction_state(), TransactionState::Idle);
    }
}

/// Neither in the text nor in what `{:?}` shows of it and of all that lies beneath.
#[tokio::test]
async fn errors_hold_no_value_of_a_row_or_a_parameter() {
    let Some((mut connection, _database)) = open().await else { return };
    connection
        .script(
            "CREATE TYPE mood AS ENUM ('sad');
             CREATE TABLE held (id INTEGER PRIMARY KEY, email TEXT UNIQUE, size INTEGER CHECK (size < 10), tags INTEGER[]);
             CREATE TABLE child (id INTEGER REFERENCES held);
             CREATE VIEW small AS SELECT id, email FROM held WHERE email = 'small' WITH CHECK OPTION;
             INSERT INTO held (id, email) VALUES (1, 's3cret')",
        )
        .await
        .unwrap();
    for (sql, given) in [
        ("INSERT INTO held (id, email) VALUES (2, $1)", Value::from("s3cret")),
        ("INSERT INTO held (id, email, size) VALUES (3, $1, 11)", Value::from("s3cret")),
        ("INSERT INTO held (email, id) VALUES ($1, NULL)", Value::from("s3cret")),
        ("INSERT INTO small (id, email) VALUES (4, $1)", Value::from("s3cret")),
        ("INSERT INTO child VALUES ($1)", Value::Int(5_713_370)),
        ("SELECT $1::bigint", Value::from("s3cret")),
        ("SELECT $1::date", Value::from("s3cret")),
        ("SELECT $1::mood", Value::from("s3\"cret")),
        ("SELECT $1::jsonb", Value::Json("{\"a\": s3cret}".into())),
        ("SELECT $1::integer[]", Value::from("{s3cret}")),
        ("SELECT $1::uuid", Value::from("s3cret")),
        ("SELECT $1::text::integer", Value::from("5713370000000")),
        ("SELECT to_date($1::text, 'YYYY')", Value::from("s3cret")),
        ("SELECT CAST($1::text AS xml)", Value::from("<s3cret>")),
    ] {
        let error = refused(&mut connection, sql, &[given]).await;
        let mut told = format!("{error} {error:?} {error:#?} {:?}", error.hint());
        let mut beneath = std::error::Error::source(&error);
        while let Some(source) = beneath {
            told.push_str(&format!(" {source} {source:?}"));
            beneath = source.source();
        }
        for secret in ["s3", "cret", "571337"] {
            assert!(!told.contains(secret), "{sql}: {told}");
        }
    }
    let error = refused(&mut connection, "SELECT $1::bigint", &[Value::from("x")]).await;
    assert_eq!(error.to_string(), "invalid input syntax for type bigint: \"…\" (22P02)");
}

/// The server would do it without a word.
#[tokio::test]
async fn parameters_that_would_lose_a_part_are_refused_and_those_that_would_not_are_taken() {
    let Some((mut connection, _database)) = open().await else { return };
    let at = |hour, microsecond| DateTime::new(Date::new(2024, 2, 29), hour, 0, 0, microsecond);
    for (ty, given, message) in [
        ("date", Value::DateTime(at(12, 0)), "the date and time would lose its time of day as date"),
        ("date", Value::Timestamp(at(0, 1)), "the timestamp would lose its time of day as date"),
        ("date", Value::from("2024-02-29 12:00"), "the text would lose its time of day as date"),
        ("date[]", Value::Array(vec![Value::DateTime(at(12, 0))]), "the array would lose its time of day as date[]"),
        ("time", Value::DateTime(at(12, 0)), "the date and time would lose its date as time without time zone"),
        ("timetz", Value::Timestamp(at(12, 0)), "the timestamp would lose its date as time with time zone"),
        ("time", Value::from("2024-02-29 12:00"), "the text would lose its date as time without time zone"),
        ("time", Value::from("12:00+02"), "the text would lose its time zone as time without time zone"),
        (
            "timestamp",
            Value::from("2024-02-29T12:00:00+02:00"),
            "the text would lose its time zone as timestamp without time zone",
        ),
        ("real", Value::Double(0.123_456_789), "the double has more digits than there are in real"),
        ("real", Value::Int(16_777_217), "the integer has more digits than there are in real"),
        ("float8", Value::Int((1 << 53) + 1), "the integer has more digits than there are in double precision"),
        (
            "float8",
            Value::Decimal("0.1234567890123456789".parse().unwrap()),
            "the decimal has more digits than there are in double precision",
        ),
        (
            "money",
            Value::Decimal("1.239".parse().unwrap()),
            "the decimal has more decimal places than there are in money",
        ),
        ("\"char\"", Value::from("ab"), "the text is too long for \"char\""),
        ("name", Value::from("n".repeat(64)), "the text is too long for name"),
    ] {
        let error = refused(&mut connection, &format!("SELECT ($1::{ty})::text"), &[given]).await;
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::InvalidValue, format!("parameter 1: {message}")));
        assert!(error.hint().is_some(), "{message}");
    }
    for (ty, given, wanted) in [
        ("date", Value::DateTime(at(0, 0)), "2024-02-29"),
        ("date", Value::Timestamp(at(0, 0)), "2024-02-29"),
        ("date", Value::from("2024-02-29 00:00:00+02"), "2024-02-29"),
        ("timestamp", Value::Timestamp(at(12, 5)), "2024-02-29 12:00:00.000005"),
        ("timestamp", Value::from("2024-02-29T12:00:00Z"), "2024-02-29 12:00:00"),
        ("timestamptz", Value::DateTime(at(12, 0)), "2024-02-29 12:00:00+00"),
        ("timetz", Value::from("12:00-05"), "12:00:00-05"),
        ("real", Value::Double(0.1), "0.1"),
        ("real", Value::Decimal("0.10".parse().unwrap()), "0.1"),
        ("float8", Value::Decimal("1.50".parse().unwrap()), "1.5"),
        ("float8", Value::Int(1 << 53), "9.007199254740992e+15"),
        ("float8", Value::Double(f64::INFINITY), "Infinity"),
    ] {
        let sql = format!("SELECT ($1::{ty})::text");
        assert_eq!(value(&mut connection, &sql, &[given]).await, Value::from(wanted), "{ty}");
    }
    // Stored and compared, and by the road of many rows.
    connection.script("CREATE TABLE days (day DATE, ratio REAL)").await.unwrap();
    let noon = Value::DateTime(at(12, 0));
    for sql in ["INSERT INTO days (day) VALUES ($1)", "SELECT * FROM days WHERE day = $1"] {
        refused(&mut connection, sql, std::slice::from_ref(&noon)).await;
    }
    let error = connection.bulk_insert("days", ["day"], [[noon]]).await.unwrap_err();
    assert!(error.to_string().contains("would lose its time of day as date"), "{error}");
    assert_eq!(value(&mut connection, "SELECT count(*) FROM days", &[]).await, Value::Int(0));
}

#[tokio::test]
async fn types_that_cannot_be_read_are_refused_before_anything_runs() {
    let Some((mut connection, _database)) = open().await else { return };
    connection.script("CREATE TABLE t (price money)").await.unwrap();
    let error = refused(&mut connection, "INSERT INTO t VALUES (12.5) RETURNING price", &[]).await;
    assert_eq!(error.to_string(), "column \"price\": values of the type money cannot be read");
    assert_eq!((error.kind(), error.hint()), (ErrorKind::Unsupported, Some("cast the column to text: column::text")));
    assert_eq!(value(&mut connection, "SELECT count(*) FROM t", &[]).await, Value::Int(0));
    assert_eq!(value(&mut connection, "SELECT 'pg_class'::regclass::text", &[]).await, Value::from("pg_class"));
}

#[tokio::test]
async fn columns_say_their_exact_type() {
    let Some((mut connection, _database)) = open().await else { return };
    connection
        .script(
            "CREATE TYPE mood AS ENUM ('sad');
             CREATE TABLE t (a smallint, b varchar(60), c numeric(10,2), d timestamp(3), e timestamptz, f char(4), g integer[], h mood, i bit(5), j time(0) with time zone, k \"char\", l double precision, m numeric)",
        )
        .await
        .unwrap();
    let stream = connection.stream("SELECT * FROM t", &[]).await.unwrap();
    let names: Vec<_> = stream.columns().iter().map(|column| column.type_name.clone()).collect();
    drop(stream);
    let sql = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum";
    let formatted: Vec<String> = connection.query_as(sql, &[]).await.unwrap();
    assert_eq!(names, formatted);
}

#[tokio::test]
async fn errors_come_in_our_words_with_their_place() {
    let Some((mut connection, _database)) = open().await else { return };
    connection
        .script(
            "CREATE TABLE parent (id integer PRIMARY KEY, n integer CONSTRAINT positive CHECK (n > 0), s text NOT NULL DEFAULT '');
             CREATE TABLE child (parent integer CONSTRAINT to_parent REFERENCES parent);
             CREATE TABLE booking (during int4range, CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&));
             INSERT INTO parent VALUES (1, 1); INSERT INTO child VALUES (1); INSERT INTO booking VALUES ('[1,5)');",
        )
        .await
        .unwrap();
    for (sql, kind, code, constraint, position) in [
        ("SELEC 1", ErrorKind::Syntax, "42601", None, Some(0)),
        ("SELECT 'é🦀', missing FROM parent", ErrorKind::NotFound, "42703", None, Some(13)),
        ("SELECT * FROM nowhere", ErrorKind::NotFound, "42P01", None, Some(14)),
        ("SELECT nothing()", ErrorKind::NotFound, "42883", None, Some(7)),
        ("CREATE TABLE parent ()", ErrorKind::AlreadyExists, "42P07", None, None),
        ("INSERT INTO parent VALUES (1, 2)", ErrorKind::UniqueViolation, "23505", Some("parent_pkey"), None),
        ("INSERT INTO child VALUES (7)", ErrorKind::ForeignKeyViolation, "23503", Some("to_parent"), None),
        ("DELETE FROM parent", ErrorKind::ForeignKeyViolation, "23503", Some("to_parent"), None),
        ("INSERT INTO parent VALUES (2, -1)", ErrorKind::CheckViolation, "23514", Some("positive"), None),
        ("INSERT INTO parent VALUES (2, 1, NULL)", ErrorKind::NotNullViolation, "23502", Some("s"), None),
        ("INSERT INTO booking VALUES ('[4,9)')", ErrorKind::CheckViolation, "23P01", Some("no_overlap"), None),
        ("SELECT 1 / 0", ErrorKind::InvalidValue, "22012", None, None),
        ("SET TRANSACTION ISOLATION LEVEL nonsense", ErrorKind::Syntax, "42601", None, Some(32)),
        ("VACUUM (nonsense) parent", ErrorKind::Syntax, "42601", None, Some(8)),
    ] {
        let error = refused(&mut connection, sql, &[]).await;
        let found = (error.kind(), error.code(), error.constraint(), error.position());
        assert_eq!(found, (kind, Some(code), constraint, position), "{sql}: {error:?}");
        assert_eq!(connection.transaction_state(), TransactionState::Idle);
    }
    // The values of the row are in the server's detail, which may be secret.
    let error = refused(&mut connection, "INSERT INTO parent VALUES (1, 2)", &[]).await;
    assert_eq!(error.to_string(), "duplicate key value violates unique constraint \"parent_pkey\" (23505)");

    let mut transaction = connection.transaction().await.unwrap();
    transaction.execute("SELECT 1 / 0", &[]).await.unwrap_err();
    let error = transaction.execute("SELECT 1", &[]).await.unwrap_err();
    assert_eq!(error.hint(), Some("an earlier statement of this transaction failed: roll it back"));
    transaction.rollback().await.unwrap();
    let error = refused(&mut connection, "COPY parent FROM STDIN", &[]).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn scripts_take_data_after_copy_and_say_where_they_fail() {
    let Some((mut connection, database)) = open().await else { return };
    connection
        .script("CREATE TABLE t (a integer, b text);\nCOPY t (a, b) FROM stdin;\n1\tone; and\n2\t\\N\n\\.\nINSERT INTO t VALUES (3, $$;$$);")
        .await
        .unwrap();
    let rows: Vec<(i64, Option<String>)> = connection.query_as("SELECT * FROM t ORDER BY a", &[]).await.unwrap();
    assert_eq!(rows, [(1, Some("one; and".into())), (2, None), (3, Some(";".into()))]);

    let script = "SELECT 'é';\nCOPY t FROM stdin;\nno number\tx\n\\.\n";
    let error = connection.script(script).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidValue, Some("22P02")));
    assert_eq!(error.position(), Some(12));
    assert_eq!(connection.transaction_state(), TransactionState::Idle);
    let error = connection.script("SELECT 1;\n-- é\nSELECT nonsense;").await.unwrap_err();
    assert_eq!(error.position(), Some("SELECT 1;\n-- é\nSELECT ".chars().count()));
    let error = connection.script("SELECT 1; SELECT 'open").await.unwrap_err();
    assert_eq!((error.kind(), error.position()), (ErrorKind::Syntax, Some(17)));
    let error = connection.script("COPY t (a FROM stdin;\n1\n\\.\n").await.unwrap_err();
    assert_eq!((error.kind(), error.position()), (ErrorKind::Syntax, Some(10)));
    connection.ping().await.unwrap();
    // One that cannot begin ends the connection, for the driver could not tell the answers apart any more.
    let mut other = connect(&database.url().parse().unwrap()).await.unwrap();
    let error = other.script("COPY missing FROM stdin;\n1\n\\.\nSELECT 1;").await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some("42P01")));
    assert_eq!(other.condition(), Condition::Broken);
    other.execute("SELECT 1", &[]).await.unwrap_err();
    // Statement by statement: what each needs to be alone may stand next to others.
    connection.script("CREATE INDEX CONCURRENTLY i ON t (a); VACUUM t; SELECT 1").await.unwrap();
}
