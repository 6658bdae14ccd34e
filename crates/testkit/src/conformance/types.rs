//! Which values each product's types must give back unchanged.

use super::product::Product;
use dbkeep_engine::sql::{Bits, Date, DateTime, Decimal, Interval, Time, Value};

/// A type in the product's words, and values that go in and come out equal.
pub(super) struct Case {
    pub(super) type_name: &'static str,
    pub(super) values: Vec<Value>,
}

fn case(type_name: &'static str, values: impl IntoIterator<Item = Value>) -> Case {
    Case { type_name, values: values.into_iter().collect() }
}

fn ints(values: &[i64]) -> Vec<Value> {
    values.iter().map(|value| Value::Int(*value)).collect()
}

fn decimals(values: &[&str]) -> Vec<Value> {
    values.iter().map(|text| Value::Decimal(text.parse::<Decimal>().expect("a decimal"))).collect()
}

fn doubles(values: &[f64]) -> Vec<Value> {
    values.iter().map(|value| Value::Double(*value)).collect()
}

fn floats() -> Vec<Value> {
    [0.0, 1.5, -0.1, 16_777_217.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE].map(Value::Float).to_vec()
}

fn dates(values: &[&str]) -> Vec<Value> {
    values.iter().map(|text| Value::Date(text.parse::<Date>().expect("a date"))).collect()
}

fn times(values: &[&str]) -> Vec<Value> {
    values.iter().map(|text| Value::Time(text.parse::<Time>().expect("a time"))).collect()
}

fn moments(values: &[&str], wrap: fn(DateTime) -> Value) -> Vec<Value> {
    values.iter().map(|text| wrap(text.parse::<DateTime>().expect("a date and time"))).collect()
}

fn texts(values: &[&str]) -> Vec<Value> {
    values.iter().map(|text| Value::from(*text)).collect()
}

fn bits(values: &[&str]) -> Vec<Value> {
    values.iter().map(|text| Value::Bit(Bits::parse(text).expect("bits"))).collect()
}

fn jsons() -> Vec<Value> {
    [r#"{"a": [1, 2.5, null, true], "ü": "🦀"}"#, "[]", "\"text\"", "12345678901234567", "null"]
        .map(|text| Value::Json(text.into()))
        .to_vec()
}

fn all_bytes() -> Vec<u8> {
    (0..=255).collect()
}

fn blobs() -> Vec<Value> {
    vec![Value::Bytes(vec![]), Value::Bytes(vec![0]), Value::Bytes(all_bytes()), Value::Bytes(all_bytes().repeat(4096))]
}

/// Text that trips up escaping, charsets, padding and buffers.
fn long_texts() -> Vec<Value> {
    let mut values = texts(&[
        "",
        " ",
        "trailing  ",
        "it's \"quoted\" `back` \\ \\n % _ ?",
        "naïve – 漢字 – 🦀👨‍👩‍👧‍👦",
        "line\nline\r\n\ttab",
    ]);
    values.push(Value::from("é🦀".repeat(200_000)));
    values
}

fn uuids() -> Vec<Value> {
    [
        "00000000-0000-0000-0000-000000000000",
        "67e55044-10b1-426f-9247-bb680e5fe0c8",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ]
    .map(|text| Value::Uuid(text.parse().expect("a uuid")))
    .to_vec()
}

const I64: [i64; 5] = [0, 1, -1, i64::MIN, i64::MAX];
const DOUBLES: [f64; 8] = [0.0, 0.1, -1.5, 1e300, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324];
const LONG_DECIMALS: [&str; 4] = [
    "123456789012345678901234567890.123456789012345678901234567890",
    "-999999999999999999999999999999.999999999999999999999999999999",
    "0.000000000000000000000000000001",
    "0.000000000000000000000000000000",
];

/// Every type of the product with its edge values.
pub(super) fn cases(product: Product) -> Vec<Case> {
    match product {
        Product::MySql | Product::MariaDb => mysql(product),
        Product::Postgres => postgres(),
        Product::Sqlite => sqlite(),
    }
}

fn mysql(product: Product) -> Vec<Case> {
    let mut cases = vec![
        case("BOOLEAN", [Value::Bool(true), Value::Bool(false)]),
        case("TINYINT", ints(&[-128, 127])),
        case("TINYINT UNSIGNED", ints(&[0, 255])),
        case("SMALLINT", ints(&[-32_768, 32_767])),
        case("MEDIUMINT", ints(&[-8_388_608, 8_388_607])),
        case("INT", ints(&[-2_147_483_648, 2_147_483_647])),
        case("INT UNSIGNED", ints(&[0, 4_294_967_295])),
        case("BIGINT", ints(&I64)),
        case("BIGINT UNSIGNED", [Value::UInt(0), Value::UInt(u64::MAX), Value::UInt(1 << 63)]),
        case("YEAR", ints(&[1901, 2155])),
        case("FLOAT", floats()),
        case("DOUBLE", doubles(&DOUBLES)),
        case("DECIMAL(60,30)", decimals(&LONG_DECIMALS)),
        case("DECIMAL(10,2)", decimals(&["129.90", "-0.01", "99999999.99"])),
        case("DECIMAL(65,0)", decimals(&["99999999999999999999999999999999999999999999999999999999999999999"])),
        case("CHAR(10)", texts(&["", "ten chars!", "🦀"])),
        case("VARCHAR(200)", texts(&["", "trailing  ", "it's \\ \"", "🦀"])),
        case("LONGTEXT", long_texts()),
        case("VARBINARY(300)", [Value::Bytes(vec![]), Value::Bytes(all_bytes())]),
        case("BINARY(4)", [Value::Bytes(vec![0, 1, 0, 0])]),
        case("LONGBLOB", blobs()),
        case("DATE", dates(&["2024-02-29", "1000-01-01", "9999-12-31"])),
        case("TIME(6)", times(&["00:00:00", "23:59:59.999999", "-838:59:59", "838:59:59", "-00:00:00.000001"])),
        case(
            "DATETIME(6)",
            moments(
                &["2024-02-29 12:30:00.000001", "1000-01-01 00:00:00", "9999-12-31 23:59:59.999999"],
                Value::DateTime,
            ),
        ),
        case("TIMESTAMP(6) NULL", moments(&["1970-01-01 00:00:01", "2038-01-19 03:14:07.999999"], Value::Timestamp)),
        case("JSON", jsons()),
        case("ENUM('small','it''s','🦀')", texts(&["small", "it's", "🦀"])),
        case("SET('a','b','c')", texts(&["", "a,c"])),
        case("BIT(10)", bits(&["1010000001", "0000000000", "0000000001"])),
        case("BIT(64)", bits(&["1111111111111111111111111111111111111111111111111111111111111111"])),
        case("BIT(1)", bits(&["0", "1"])),
    ];
    if product == Product::MariaDb {
        cases.push(case("UUID", uuids()));
    } else {
        cases.push(case("CHAR(36)", uuids()));
    }
    cases
}

fn postgres() -> Vec<Case> {
    let interval = |months, days, microseconds| Value::Interval(Interval { months, days, microseconds });
    vec![
        case("BOOLEAN", [Value::Bool(true), Value::Bool(false)]),
        case("SMALLINT", ints(&[-32_768, 32_767])),
        case("INTEGER", ints(&[-2_147_483_648, 2_147_483_647])),
        case("BIGINT", ints(&I64)),
        case("REAL", floats().into_iter().chain([f32::from_bits(1), -0.0, f32::INFINITY].map(Value::Float))),
        case(
            "DOUBLE PRECISION",
            doubles(&DOUBLES).into_iter().chain(doubles(&[-0.0, f64::INFINITY, f64::NEG_INFINITY])),
        ),
        case("NUMERIC(60,30)", decimals(&LONG_DECIMALS)),
        case(
            "NUMERIC",
            decimals(&["1.50", "-0.000000001", "NaN", "100000000000000000000000000000000000000000", "10000"]),
        ),
        case("NUMERIC(20,0)", [Value::UInt(u64::MAX)]),
        case("CHAR(10)", texts(&["ten chars!"])),
        case("VARCHAR(200)", texts(&["", "trailing  ", "it's \\ \"", "🦀"])),
        case("TEXT", long_texts()),
        case("BYTEA", blobs()),
        case("DATE", dates(&["2024-02-29", "-4711-01-01", "0001-01-01", "9999-12-31", "294276-12-31"])),
        case("TIME", times(&["00:00:00", "23:59:59.999999", "24:00:00"])),
        case(
            "TIMESTAMP",
            moments(
                &["2024-02-29 12:30:00.000001", "-4711-01-01 00:00:00", "294276-12-31 23:59:59.999999"],
                Value::DateTime,
            ),
        ),
        case(
            "TIMESTAMPTZ",
            moments(&["1970-01-01 00:00:00", "2024-02-29 12:30:00.000001", "0001-01-01 00:00:00"], Value::Timestamp),
        ),
        case("INTERVAL", [interval(14, -3, 4_500_000), interval(0, 0, 0), interval(-1, 31, -1)]),
        case("JSON", jsons()),
        case("JSONB", jsons()),
        case("conf_mood", texts(&["small", "it's", "🦀"])),
        case("BIT(10)", bits(&["1010000001", "0000000000"])),
        case("VARBIT", bits(&["", "1", "010101010"])),
        case("UUID", uuids()),
        case(
            "BIGINT[]",
            [
                Value::Array(vec![]),
                Value::Array(vec![Value::Int(i64::MIN), Value::Null, Value::Int(i64::MAX)]),
                Value::Array(vec![Value::Array(ints(&[1, 2])), Value::Array(ints(&[3, 4]))]),
            ],
        ),
        case("TEXT[]", [Value::Array(texts(&["", "NULL", "a,b", "{c}", "it's \"quoted\" \\ 🦀"]))]),
        case("NUMERIC[]", [Value::Array(decimals(&["1.50", "-2"]))]),
        case("UUID[]", [Value::Array(uuids())]),
    ]
}

fn sqlite() -> Vec<Case> {
    vec![
        case("BOOLEAN", [Value::Bool(true), Value::Bool(false)]),
        case("INTEGER", ints(&I64)),
        case("BIGINT UNSIGNED", [Value::UInt(0), Value::UInt(i64::MAX as u64)]),
        case("FLOAT4", floats()),
        case("REAL", doubles(&DOUBLES).into_iter().chain(doubles(&[f64::INFINITY, f64::NEG_INFINITY]))),
        case("DECIMAL TEXT(60,30)", decimals(&LONG_DECIMALS).into_iter().chain(decimals(&["1.50", "7"]))),
        case("DECIMAL(10,2)", decimals(&["129.90", "-0.01", "99999999.99", "5.00", "0.00"])),
        case("NUMERIC(15,0)", decimals(&["999999999999999"])),
        case("VARCHAR(200)", texts(&["", "trailing  ", "it's \\ \"", "🦀", "007", "1e3"])),
        case("TEXT", long_texts().into_iter().chain(texts(&["a\0b"]))),
        case("BLOB", blobs()),
        case("DATE", dates(&["2024-02-29", "0000-00-00", "9999-12-31", "-4711-01-01"])),
        case("TIME", times(&["00:00:00", "23:59:59.999999", "-838:59:59"])),
        case("DATETIME", moments(&["2024-02-29 12:30:00.000001", "9999-12-31 23:59:59.999999"], Value::DateTime)),
        case("TIMESTAMPTZ", moments(&["1970-01-01 00:00:00", "2024-02-29 12:30:00.000001"], Value::Timestamp)),
        case("JSON", jsons()),
        case("JSON TEXT", jsons()),
        case("BIT TEXT(10)", bits(&["1010000001", "0000000000"])),
        case("UUID", uuids()),
    ]
}

/// Statements that must run before the types can be used, with any left-over of an earlier run removed.
pub(super) fn preparation(product: Product) -> &'static str {
    match product {
        Product::Postgres => {
            "DROP TABLE IF EXISTS conf_values; DROP TYPE IF EXISTS conf_mood; CREATE TYPE conf_mood AS ENUM ('small', 'it''s', '🦀');"
        }
        _ => "DROP TABLE IF EXISTS conf_values;",
    }
}
