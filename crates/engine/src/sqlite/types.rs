//! Values both ways. SQLite has five storage classes and no more; what else a value is, its column's declaration tells.
//!
//! | bound as | stored as |
//! | --- | --- |
//! | boolean | 0 or 1 |
//! | decimal | its digits, as text |
//! | date, time, date and time, timestamp | ISO 8601 text with a blank, `2024-02-29 12:30:00.000001` |
//! | UUID, bits, interval, JSON | their text |
//! | unsigned above 2^63 - 1, NaN, arrays | refused: SQLite would change or lose them |
//!
//! Reading, a column declared BOOLEAN, DECIMAL, NUMERIC, DATE, TIME, DATETIME, TIMESTAMP, JSON, UUID or BIT gives values of that
//! type where what is stored reads as one *exactly*; anything else comes as the storage class it has.
//!
//! A column whose declared type is plain DECIMAL or NUMERIC makes numbers of texts that look like numbers and rounds them to
//! about 15 digits when they are written, which nobody can undo. `DECIMAL TEXT(60,30)` and `BIT TEXT(8)` keep every digit: TEXT in
//! the name of a type keeps texts as they are (<https://www.sqlite.org/datatype3.html>, "Determination Of Column Affinity").

use crate::{Error, ErrorKind, Result};
use dbkeep_sql::{Bits, Date, DateTime, Decimal, Time, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::fmt::Display;
use uuid::Uuid;

/// A value in a form SQLite takes.
pub(super) fn to_sqlite(value: &Value) -> Result<ToSqlOutput<'_>> {
    let text = |value: &dyn Display| Ok(ToSqlOutput::from(value.to_string()));
    let borrowed = |value| Ok(ToSqlOutput::Borrowed(value));
    match value {
        Value::Null => borrowed(ValueRef::Null),
        Value::Bool(value) => borrowed(ValueRef::Integer((*value).into())),
        Value::Int(value) => borrowed(ValueRef::Integer(*value)),
        Value::UInt(value) => match i64::try_from(*value) {
            Ok(value) => borrowed(ValueRef::Integer(value)),
            Err(_) => Err(refused("an unsigned integer above 9223372036854775807", "bind it as text or as a decimal")),
        },
        Value::Float(value) => real((*value).into()),
        Value::Double(value) => real(*value),
        Value::Decimal(value) => borrowed(ValueRef::Text(value.as_str().as_bytes())),
        Value::Text(value) | Value::Json(value) => borrowed(ValueRef::Text(value.as_bytes())),
        Value::Bytes(value) => borrowed(ValueRef::Blob(value)),
        Value::Bit(value) => text(value),
        Value::Date(value) => text(value),
        Value::Time(value) => text(value),
        Value::DateTime(value) | Value::Timestamp(value) => text(value),
        Value::Interval(value) => text(value),
        Value::Uuid(value) => text(value),
        Value::Array(_) => Err(refused("an array", "bind it as JSON")),
        other => Err(refused(&format!("a value of type {}", other.type_name()), "bind it as text")),
    }
}

fn real(value: f64) -> Result<ToSqlOutput<'static>> {
    if value.is_nan() {
        // SQLite would store NULL without a word.
        return Err(refused("NaN", "bind NULL"));
    }
    Ok(ToSqlOutput::Borrowed(ValueRef::Real(value)))
}

fn refused(what: &str, hint: &str) -> Error {
    Error::new(ErrorKind::InvalidValue, format!("SQLite cannot hold {what}")).with_hint(hint)
}

/// What a column's declaration says of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    /// Nothing that its storage class does not say as well.
    Storage,
    Boolean,
    /// The digits after the point, where they are declared.
    Decimal(Option<usize>),
    Single,
    Date,
    Time,
    DateTime,
    Timestamp,
    Json,
    Uuid,
    Bit,
}

impl Declared {
    /// Reads a declaration such as `DECIMAL(10,2)` or `timestamp with time zone`.
    pub(super) fn parse(declaration: Option<&str>) -> Self {
        let Some(declaration) = declaration else { return Self::Storage };
        let (name, arguments) = declaration.split_once('(').unwrap_or((declaration, ""));
        let word = name.split([' ', '_', '\t']).next().unwrap_or("");
        let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
        // Asked for every column of every query: the usual types first.
        match () {
            () if is(&["INTEGER", "TEXT", "INT", "BIGINT", "VARCHAR", "REAL", "BLOB"]) => Self::Storage,
            () if is(&["BOOL", "BOOLEAN"]) => Self::Boolean,
            () if is(&["DECIMAL", "NUMERIC", "DEC"]) => {
                let scale = arguments.split([',', ')']).nth(1).unwrap_or("").trim();
                Self::Decimal(scale.parse().ok().filter(|scale| *scale <= 1_000))
            }
            () if is(&["FLOAT4"]) => Self::Single,
            () if is(&["DATE"]) => Self::Date,
            () if is(&["TIME"]) => Self::Time,
            () if is(&["DATETIME"]) => Self::DateTime,
            () if is(&["TIMESTAMPTZ"]) => Self::Timestamp,
            () if is(&["TIMESTAMP"]) => {
                let zoned = declaration.to_ascii_uppercase().contains("WITH TIME ZONE");
                if zoned { Self::Timestamp } else { Self::DateTime }
            }
            () if is(&["JSON"]) => Self::Json,
            () if is(&["UUID"]) => Self::Uuid,
            () if is(&["BIT", "VARBIT"]) => Self::Bit,
            () => Self::Storage,
        }
    }

    /// A stored value as the declared type, or as the storage class it has where it does not read as one exactly.
    pub(super) fn read(self, stored: ValueRef<'_>) -> Value {
        match stored {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => self.read_integer(number),
            ValueRef::Real(number) => self.read_real(number),
            ValueRef::Blob(bytes) => match (self, bytes.len()) {
                (Self::Uuid, 16) => Uuid::from_slice(bytes).map_or_else(|_| Value::Bytes(bytes.to_vec()), Value::Uuid),
                _ => Value::Bytes(bytes.to_vec()),
            },
            // SQLite does not check its text. What is no UTF-8 is given as the bytes it is.
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => self.read_text(text).unwrap_or_else(|| Value::from(text.to_owned())),
                Err(_) => Value::Bytes(bytes.to_vec()),
            },
        }
    }

    fn read_integer(self, number: i64) -> Value {
        match (self, number) {
            (Self::Boolean, 0 | 1) => Value::Bool(number == 1),
            (Self::Decimal(scale), _) => decimal(&number.to_string(), scale).map_or(Value::Int(number), Value::Decimal),
            (Self::Json, _) => Value::Json(number.to_string().into()),
            _ => Value::Int(number),
        }
    }

    fn read_real(self, number: f64) -> Value {
        let exact = match self {
            Self::Decimal(scale) => decimal_of(number, scale).map(Value::Decimal),
            // The nearest single-precision number is the number itself, or it was never one.
            Self::Single if f64::from(number as f32) == number => Some(Value::Float(number as f32)),
            Self::Json => serde_json::Number::from_f64(number).map(|number| Value::Json(number.to_string().into())),
            _ => None,
        };
        exact.unwrap_or(Value::Double(number))
    }

    fn read_text(self, text: &str) -> Option<Value> {
        match self {
            Self::Storage | Self::Boolean | Self::Single => None,
            Self::Decimal(_) => text.parse().ok().filter(|number: &Decimal| number.is_finite()).map(Value::Decimal),
            Self::Date => exact::<Date>(text).map(Value::Date),
            Self::Time => exact::<Time>(text).map(Value::Time),
            Self::DateTime => exact::<DateTime>(text).map(Value::DateTime),
            Self::Timestamp => {
                let utc = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).unwrap_or(text);
                exact::<DateTime>(utc).map(Value::Timestamp)
            }
            Self::Json => serde_json::from_str::<serde::de::IgnoredAny>(text).ok().map(|_| Value::Json(text.into())),
            // One in capitals would go back as another text, and compare as one.
            Self::Uuid => Uuid::parse_str(text)
                .ok()
                .filter(|uuid| uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text)
                .map(Value::Uuid),
            Self::Bit => Bits::parse(text).map(Value::Bit),
        }
    }
}

/// The value whose text this is, if writing it again gives the same text, save for `T` and zeros at the end of a fraction.
fn exact<T: std::str::FromStr + Display>(text: &str) -> Option<T> {
    let plain = |text: &str| {
        let text = text.replacen('T', " ", 1);
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    };
    text.parse().ok().filter(|value: &T| plain(&value.to_string()) == plain(text))
}

/// A decimal from digits, filled up with zeros to the declared scale, as the servers' DECIMAL(p,s) shows them.
fn decimal(digits: &str, scale: Option<usize>) -> Option<Decimal> {
    let have = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let missing = scale.unwrap_or(0).saturating_sub(have);
    let point = if have == 0 && missing > 0 { "." } else { "" };
    format!("{digits}{point}{}", "0".repeat(missing)).parse().ok()
}

/// The decimal that SQLite made a float of, when the float still tells which it was: up to 15 significant digits are kept.
fn decimal_of(number: f64, scale: Option<usize>) -> Option<Decimal> {
    let shortest = number.to_string();
    let significant = shortest.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    let whole_zeros = if shortest.contains('.') { 0 } else { shortest.len() - shortest.trim_end_matches('0').len() };
    if !number.is_finite() || significant.saturating_sub(whole_zeros) > 15 {
        return None;
    }
    decimal(&shortest, scale)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(declaration: &str, stored: ValueRef<'_>) -> Value {
        Declared::parse(Some(declaration)).read(stored)
    }

    #[test]
    fn a_declared_type_is_given_only_to_what_reads_as_one_exactly() {
        let text = |text: &'static str| ValueRef::Text(text.as_bytes());
        assert_eq!(read("DATE", text("2024-02-29")), Value::Date(Date::new(2024, 2, 29)));
        for odd in ["2024-2-29", "29.02.2024", "2024-02-29 ", ""] {
            assert_eq!(read("DATE", text(odd)), Value::Text(odd.into()));
        }
        let moment = DateTime::new(Date::new(2024, 2, 29), 12, 30, 0, 500_000);
        for same in ["2024-02-29 12:30:00.5", "2024-02-29T12:30:00.500", "2024-02-29 12:30:00.500000"] {
            assert_eq!(read("DATETIME", text(same)), Value::DateTime(moment));
        }
        for odd in ["2024-02-29", "2024-02-29 12:30", "2024-02-29 12:30:00+02:00", "2024-02-29 12:30:00.0000001"] {
            assert_eq!(read("TIMESTAMP", text(odd)), Value::Text(odd.into()));
        }
        assert_eq!(read("timestamp with time zone", text("2024-02-29T12:30:00.5Z")), Value::Timestamp(moment));
        assert_eq!(read("TIME", text("-838:59:59")), "-838:59:59".parse().map(Value::Time).unwrap());
        assert_eq!(read("JSON", text("{\"a\": 1}")), Value::Json("{\"a\": 1}".into()));
        assert_eq!(read("JSON", text("{\"a\": ")), Value::Text("{\"a\": ".into()));
        assert_eq!(read("BIT TEXT(4)", text("0011")), Value::Bit(Bits::parse("0011").unwrap()));
        assert_eq!(read("BOOLEAN", ValueRef::Integer(1)), Value::Bool(true));
        assert_eq!(read("BOOLEAN", ValueRef::Integer(2)), Value::Int(2));
        assert_eq!(read("UUID", ValueRef::Blob(&[7; 16])), Value::Uuid(Uuid::from_bytes([7; 16])));
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        assert_eq!(read("UUID TEXT", text(uuid)), Value::Uuid(Uuid::parse_str(uuid).unwrap()));
        for odd in [
            "67E55044-10B1-426F-9247-BB680E5FE0C8",
            "67e5504410b1426f9247bb680e5fe0c8",
            "{67e55044-10b1-426f-9247-bb680e5fe0c8}",
        ] {
            assert_eq!(read("UUID TEXT", text(odd)), Value::Text(odd.into()));
        }
        assert_eq!(read("TEXT", ValueRef::Text(&[0xff])), Value::Bytes(vec![0xff]));
    }

    #[test]
    fn a_decimal_that_became_a_number_comes_back_with_its_scale() {
        let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
        assert_eq!(read("DECIMAL(10,2)", ValueRef::Real(129.9)), decimal("129.90"));
        assert_eq!(read("DECIMAL(10,2)", ValueRef::Integer(-5)), decimal("-5.00"));
        assert_eq!(read("NUMERIC", ValueRef::Integer(5)), decimal("5"));
        assert_eq!(read("DECIMAL(10, 2)", ValueRef::Real(0.125)), decimal("0.125"));
        assert_eq!(read("DECIMAL(20,2)", ValueRef::Real(1e20)), decimal("100000000000000000000.00"));
        assert_eq!(read("DECIMAL(10,2)", ValueRef::Real(1.0 / 3.0)), Value::Double(1.0 / 3.0));
        assert_eq!(read("DECIMAL(10,2)", ValueRef::Real(f64::INFINITY)), Value::Double(f64::INFINITY));
        assert_eq!(read("DECIMAL TEXT(60,30)", ValueRef::Text(b"1.10")), decimal("1.10"));
    }

    #[test]
    fn what_sqlite_would_change_is_refused() {
        for value in [Value::UInt(u64::MAX), Value::Double(f64::NAN), Value::Array(vec![Value::Int(1)])] {
            assert_eq!(to_sqlite(&value).unwrap_err().kind(), ErrorKind::InvalidValue);
        }
        assert_eq!(
            to_sqlite(&Value::UInt(u64::MAX)).unwrap_err().to_string(),
            "SQLite cannot hold an unsigned integer above 9223372036854775807"
        );
    }
}
