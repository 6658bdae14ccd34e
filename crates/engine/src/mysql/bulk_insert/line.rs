//! What does a value look like in LOAD DATA's text, where that is stored exactly as the parameter would be?
//! <https://dev.mysql.com/doc/refman/8.4/en/load-data.html>
//!
//! A parameter that is text is given to the column as text, and so is a field of LOAD DATA. Numbers and dates are not: the column
//! makes of 2.5 what it makes of no text. So a value goes by this road only where its text is known to mean the same to a column of
//! this class; all others go as parameters.

use dbkeep_sql::{Date, DateTime, Time, Value};
use mysql_async::consts::{ColumnFlags, ColumnType};
use std::io::Write as _;

/// The character set that means "bytes".
const BINARY: u16 = 63;

/// What a column is to LOAD DATA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Integer,
    Year,
    /// FLOAT and DOUBLE.
    Approximate,
    Decimal,
    /// Text in any character set.
    Text,
    /// ENUM and SET, to which a number is a place in the list.
    Label,
    /// Bytes; its text is hexadecimal.
    Binary,
    /// BIT; its text is a number.
    Bits,
    Date,
    /// DATETIME and TIMESTAMP.
    Moment,
    Time,
    Json,
    /// All values go as parameters.
    Other,
}

impl Class {
    pub(super) fn of(column: &mysql_async::Column) -> Self {
        use ColumnType::*;
        match column.column_type() {
            MYSQL_TYPE_YEAR => Class::Year,
            MYSQL_TYPE_TINY | MYSQL_TYPE_SHORT | MYSQL_TYPE_INT24 | MYSQL_TYPE_LONG | MYSQL_TYPE_LONGLONG => {
                Class::Integer
            }
            MYSQL_TYPE_FLOAT | MYSQL_TYPE_DOUBLE => Class::Approximate,
            MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => Class::Decimal,
            MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE => Class::Date,
            MYSQL_TYPE_DATETIME | MYSQL_TYPE_DATETIME2 | MYSQL_TYPE_TIMESTAMP | MYSQL_TYPE_TIMESTAMP2 => Class::Moment,
            MYSQL_TYPE_TIME | MYSQL_TYPE_TIME2 => Class::Time,
            MYSQL_TYPE_BIT => Class::Bits,
            MYSQL_TYPE_JSON => Class::Json,
            _ if column.flags().intersects(ColumnFlags::ENUM_FLAG | ColumnFlags::SET_FLAG) => Class::Label,
            MYSQL_TYPE_STRING
            | MYSQL_TYPE_VAR_STRING
            | MYSQL_TYPE_VARCHAR
            | MYSQL_TYPE_TINY_BLOB
            | MYSQL_TYPE_MEDIUM_BLOB
            | MYSQL_TYPE_LONG_BLOB
            | MYSQL_TYPE_BLOB => {
                if column.character_set() == BINARY {
                    Class::Binary
                } else {
                    Class::Text
                }
            }
            _ => Class::Other,
        }
    }

    /// Whether the column has to be told what its text is, in a variable.
    pub(super) fn is_told(self) -> bool {
        matches!(self, Class::Binary | Class::Bits)
    }

    fn is_number(self) -> bool {
        matches!(self, Class::Integer | Class::Approximate | Class::Decimal)
    }
}

/// Appends the value's text. `false`, with an unknown part of it written, where the value must go as a parameter. `utc` tells that the
/// session's clock shows UTC.
#[must_use]
pub(super) fn write(out: &mut Vec<u8>, value: &Value, class: Class, utc: bool) -> bool {
    match (class, value) {
        (Class::Other, _) => return false,
        (_, Value::Null) => out.extend_from_slice(b"\\N"),
        (Class::Bits, Value::Bool(flag)) => out.push(b'0' + u8::from(*flag)),
        (Class::Bits, Value::UInt(number)) => digits(out, number),
        (Class::Bits, Value::Int(number)) if *number >= 0 => digits(out, number),
        (Class::Bits, Value::Bit(bits)) if bits.len() <= 64 => {
            digits(out, bits.iter().fold(0u64, |number, bit| number << 1 | u64::from(bit)));
        }
        (Class::Bits, _) => return false,
        // What as a parameter is text, whatever the column.
        (_, Value::Text(text) | Value::Json(text)) => return string(out, text.as_bytes(), class),
        (_, Value::Decimal(number)) if number.is_finite() => return string(out, number.as_str().as_bytes(), class),
        (_, Value::Uuid(uuid)) => return string(out, uuid.hyphenated().encode_lower(&mut [0; 36]).as_bytes(), class),
        (_, Value::Bytes(bytes)) if class == Class::Binary || std::str::from_utf8(bytes).is_ok() => {
            return string(out, bytes, class);
        }
        (Class::Text, Value::Int(number)) => digits(out, number),
        (Class::Text, Value::UInt(number)) => digits(out, number),
        (_, Value::Int(number)) if class.is_number() => digits(out, number),
        (_, Value::UInt(number)) if class.is_number() => digits(out, number),
        (_, Value::Bool(flag)) if class.is_number() => out.push(b'0' + u8::from(*flag)),
        // Two digits are a year near the turn of the century as text, and otherwise as a number.
        (Class::Year, Value::Int(number @ 1000..=9999)) => digits(out, number),
        (Class::Year, Value::UInt(number @ 1000..=9999)) => digits(out, number),
        // The digits of the double that a single is as a parameter, not the single's own fewer ones.
        (Class::Approximate, Value::Float(number)) if number.is_finite() => exponent(out, f64::from(*number)),
        (Class::Approximate, Value::Double(number)) if number.is_finite() => exponent(out, *number),
        (Class::Date, Value::Date(day)) if has_year(day) => date(out, day),
        (Class::Moment, Value::Date(day)) if has_year(day) => date(out, day),
        (Class::Moment, Value::DateTime(value)) if has_year(&value.date) => moment(out, value),
        (Class::Moment, Value::Timestamp(value)) if utc && has_year(&value.date) => moment(out, value),
        (Class::Time, Value::Time(value)) => time(out, value),
        _ => return false,
    }
    true
}

// Writing to memory does not fail.

fn digits(out: &mut Vec<u8>, number: impl std::fmt::Display) {
    let _ = write!(out, "{number}");
}

fn exponent(out: &mut Vec<u8>, number: f64) {
    let _ = write!(out, "{number:e}");
}

fn has_year(date: &Date) -> bool {
    (0..=9999).contains(&date.year)
}

/// A number of two digits or, where there are more, all of them.
fn two(out: &mut Vec<u8>, number: u32) {
    match number {
        0..=99 => out.extend_from_slice(&[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]),
        _ => digits(out, number),
    }
}

fn date(out: &mut Vec<u8>, date: &Date) {
    let year = date.year.unsigned_abs();
    two(out, year / 100);
    two(out, year % 100);
    out.push(b'-');
    two(out, date.month.into());
    out.push(b'-');
    two(out, date.day.into());
}

fn clock(out: &mut Vec<u8>, hour: u32, minute: u8, second: u8, microsecond: u32) {
    two(out, hour);
    out.push(b':');
    two(out, minute.into());
    out.push(b':');
    two(out, second.into());
    if microsecond > 0 {
        let _ = write!(out, ".{microsecond:06}");
    }
}

fn moment(out: &mut Vec<u8>, value: &DateTime) {
    date(out, &value.date);
    out.push(b' ');
    clock(out, value.hour.into(), value.minute, value.second, value.microsecond);
}

fn time(out: &mut Vec<u8>, value: &Time) {
    if value.negative {
        out.push(b'-');
    }
    clock(out, value.hour, value.minute, value.second, value.microsecond);
}

/// Appends what as a parameter is text. `false` where the column would not take it as the one and as the other: MySQL reads a parameter
/// as a number of the column's kind first, where LOAD DATA has the column read the text.
#[must_use]
fn string(out: &mut Vec<u8>, text: &[u8], class: Class) -> bool {
    let is_plain = match class {
        Class::Binary => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.extend(text.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
            return true;
        }
        Class::Text | Class::Label | Class::Json => true,
        Class::Integer | Class::Year => is_number(text, false),
        Class::Decimal | Class::Approximate => is_number(text, true),
        Class::Date | Class::Moment | Class::Time => {
            text.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b' '))
        }
        Class::Bits | Class::Other => false,
    };
    if is_plain {
        escape(out, text);
    }
    is_plain
}

/// Digits, with a sign and a fraction perhaps.
fn is_number(text: &[u8], may_be_fraction: bool) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    match digits.iter().position(|byte| *byte == b'.') {
        Some(point) => may_be_fraction && is_digits(&digits[..point]) && is_digits(&digits[point + 1..]),
        None => is_digits(digits),
    }
}

fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut from = 0;
    for (at, byte) in text.iter().enumerate() {
        let letter = match byte {
            b'\\' => b'\\',
            b'\t' => b't',
            b'\n' => b'n',
            0 => b'0',
            _ => continue,
        };
        out.extend_from_slice(&text[from..at]);
        out.extend_from_slice(&[b'\\', letter]);
        from = at + 1;
    }
    out.extend_from_slice(&text[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbkeep_sql::Bits;

    fn line(value: impl Into<Value>, class: Class) -> Option<String> {
        let mut out = Vec::new();
        write(&mut out, &value.into(), class, true).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn null_and_what_looks_like_it_are_told_apart() {
        assert_eq!(line(None::<i64>, Class::Binary).as_deref(), Some(r"\N"));
        assert_eq!(line(r"\N", Class::Text).as_deref(), Some(r"\\N"));
        assert_eq!(line("", Class::Text).as_deref(), Some(""));
        assert_eq!(line("a\tb\nc\rd\0🦀", Class::Text).as_deref(), Some("a\\tb\\nc\rd\\0🦀"));
        assert_eq!(line("aé", Class::Binary).as_deref(), Some("61c3a9"));
    }

    #[test]
    fn numbers_and_dates_are_written_whole() {
        assert_eq!(line(u64::MAX, Class::Integer).as_deref(), Some("18446744073709551615"));
        assert_eq!(line(0.1f32, Class::Approximate).as_deref(), Some("1.0000000149011612e-1"));
        assert_eq!(line(-0.0, Class::Approximate).as_deref(), Some("-0e0"));
        assert_eq!(line(5e-324, Class::Approximate).as_deref(), Some("5e-324"));
        assert_eq!(line(Value::Bit(Bits::parse("101").unwrap()), Class::Bits).as_deref(), Some("5"));
        assert_eq!(line(Date::new(7, 0, 0), Class::Date).as_deref(), Some("0007-00-00"));
        let moment = DateTime::new(Date::new(2024, 2, 29), 1, 2, 3, 45);
        assert_eq!(line(Value::Timestamp(moment), Class::Moment).as_deref(), Some("2024-02-29 01:02:03.000045"));
        let span = Time { negative: true, ..Time::new(838, 59, 59, 0) };
        assert_eq!(line(span, Class::Time).as_deref(), Some("-838:59:59"));
    }

    #[test]
    fn what_means_something_else_as_text_is_left_to_parameters() {
        for (value, class) in [
            (Value::Double(2.5), Class::Integer),
            (Value::Decimal("2.5".parse().unwrap()), Class::Integer),
            (Value::Text("1e3".into()), Class::Integer),
            (Value::Text("2024-02-29".into()), Class::Decimal),
            (Value::from(""), Class::Approximate),
            (Value::Text("2024-02-29T00:00:00".into()), Class::Moment),
            (Value::Double(0.5), Class::Decimal),
            (Value::Double(1e300), Class::Text),
            (Value::Double(f64::NAN), Class::Approximate),
            (Value::Int(1), Class::Label),
            (Value::Int(1), Class::Binary),
            (Value::Int(70), Class::Year),
            (Value::Int(-1), Class::Bits),
            (Value::Text("5".into()), Class::Bits),
            (Value::Bytes(vec![0xff]), Class::Text),
            (Value::Int(20_240_229), Class::Date),
            (Value::Date(Date::new(2024, 2, 29)), Class::Text),
            (Value::DateTime(DateTime::default()), Class::Date),
            (Value::Date(Date::new(10_000, 1, 1)), Class::Date),
            (Value::Array(vec![]), Class::Json),
            (Value::Null, Class::Other),
        ] {
            assert_eq!(line(value.clone(), class), None, "{value:?} into {class:?}");
        }
    }
}
