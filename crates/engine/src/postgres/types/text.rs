//! How does PostgreSQL write this value?
//!
//! The forms that its input functions read, and, inside records and ranges, the ones its output functions write with
//! `DateStyle` ISO, `IntervalStyle` postgres and UTC.

use dbkeep_sql::{Date, DateTime, Interval, Time, Value};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A value's text; `NULL` for a null, which only has a text inside an array.
pub(super) fn of(value: &Value) -> String {
    match value {
        Value::Bool(true) => "t".to_owned(),
        Value::Bool(false) => "f".to_owned(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Float(value) => single(*value),
        Value::Double(value) => double(*value),
        Value::Decimal(value) => value.as_str().to_owned(),
        Value::Text(value) | Value::Json(value) => value.as_str().to_owned(),
        Value::Bytes(value) => value.iter().fold(String::from("\\x"), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        }),
        Value::Bit(value) => value.to_string(),
        Value::Date(value) => date(value, ""),
        Value::Time(value) => time(value),
        Value::DateTime(value) => date_time(value, ""),
        Value::Timestamp(value) => date_time(value, "+00"),
        Value::Interval(value) => interval(value),
        Value::Uuid(value) => value.to_string(),
        Value::Array(elements) => array(elements),
        _ => "NULL".to_owned(),
    }
}

fn array(elements: &[Value]) -> String {
    let mut out = String::from("{");
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match element {
            Value::Null => out.push_str("NULL"),
            Value::Array(inner) => out.push_str(&array(inner)),
            other => {
                let text = of(other);
                let is_word = text.eq_ignore_ascii_case("null");
                let special = |c: char| "{},\"\\".contains(c) || c.is_ascii_whitespace() || is_word;
                out.push_str(&quoted_if(&text, special, true));
            }
        }
    }
    out.push('}');
    out
}

/// Quotes a text inside an array, a record or a range where it is empty or holds a special character. Arrays escape with a
/// backslash, the others double.
pub(super) fn quoted_if(text: &str, special: impl Fn(char) -> bool, in_array: bool) -> String {
    if !text.is_empty() && !text.chars().any(special) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push(if in_array { '\\' } else { c });
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A double in its shortest exact digits, with an exponent where the server writes one.
pub(super) fn double(value: f64) -> String {
    float(value.is_nan(), value.is_infinite(), value.is_sign_negative(), &format!("{value:e}"), &value.to_string(), 15)
}

fn single(value: f32) -> String {
    float(value.is_nan(), value.is_infinite(), value.is_sign_negative(), &format!("{value:e}"), &value.to_string(), 6)
}

fn float(nan: bool, infinite: bool, negative: bool, scientific: &str, plain: &str, digits: i32) -> String {
    match (nan, infinite, negative) {
        (true, ..) => return "NaN".to_owned(),
        (_, true, false) => return "Infinity".to_owned(),
        (_, true, true) => return "-Infinity".to_owned(),
        _ => {}
    }
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return plain.to_owned() };
    match exponent.parse::<i32>() {
        Ok(exponent) if exponent < -4 || exponent >= digits => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => plain.to_owned(),
    }
}

/// Years before 1 are counted down from 1 BC.
fn date(date: &Date, between: &str) -> String {
    let (year, era) = if date.year > 0 { (i64::from(date.year), "") } else { (1 - i64::from(date.year), " BC") };
    format!("{year:04}-{:02}-{:02}{between}{era}", date.month, date.day)
}

fn date_time(value: &DateTime, zone: &str) -> String {
    let mut clock = format!(" {:02}:{:02}:{:02}", value.hour, value.minute, value.second);
    fraction(&mut clock, value.microsecond);
    clock.push_str(zone);
    date(&value.date, &clock)
}

pub(super) fn time(time: &Time) -> String {
    let sign = if time.negative { "-" } else { "" };
    let mut out = format!("{sign}{:02}:{:02}:{:02}", time.hour, time.minute, time.second);
    fraction(&mut out, time.microsecond);
    out
}

fn fraction(out: &mut String, microsecond: u32) {
    if microsecond > 0 {
        let digits = format!(".{microsecond:06}");
        out.push_str(digits.trim_end_matches('0'));
    }
}

/// An offset from UTC in seconds east: `+02`, `-03:30`.
pub(super) fn offset(east: i32) -> String {
    let (sign, seconds) = (if east < 0 { '-' } else { '+' }, east.unsigned_abs());
    let mut out = format!("{sign}{:02}", seconds / 3_600);
    if seconds % 3_600 != 0 {
        let _ = write!(out, ":{:02}", seconds / 60 % 60);
    }
    if seconds % 60 != 0 {
        let _ = write!(out, ":{:02}", seconds % 60);
    }
    out
}

/// As `IntervalStyle` postgres: `1 year 2 mons -3 days +04:05:06`.
fn interval(value: &Interval) -> String {
    let mut parts = Vec::new();
    let mut negative = false;
    for (number, unit) in [(value.months / 12, "year"), (value.months % 12, "mon"), (value.days, "day")] {
        if number != 0 {
            let sign = if negative && number > 0 { "+" } else { "" };
            let plural = if number == 1 { "" } else { "s" };
            parts.push(format!("{sign}{number} {unit}{plural}"));
            negative = number < 0;
        }
    }
    if value.microseconds != 0 || parts.is_empty() {
        let size = value.microseconds.unsigned_abs();
        let sign = match value.microseconds {
            ..0 => "-",
            _ if negative => "+",
            _ => "",
        };
        let (hours, minutes, seconds) = (size / 3_600_000_000, size / 60_000_000 % 60, size / 1_000_000 % 60);
        let mut clock = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}");
        fraction(&mut clock, u32::try_from(size % 1_000_000).unwrap_or(0));
        parts.push(clock);
    }
    parts.join(" ")
}

/// An address with its prefix length, which `inet` leaves out for a single host.
pub(super) fn inet(raw: &[u8]) -> Option<String> {
    let [family, bits, is_cidr, len, address @ ..] = raw else { return None };
    let (text, full) = match (family, usize::from(*len) == address.len()) {
        (2, true) => (Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?).to_string(), 32),
        (3, true) => (ipv6(<[u8; 16]>::try_from(address).ok()?), 128),
        _ => return None,
    };
    Some(if *bits == full && *is_cidr == 0 { text } else { format!("{text}/{bits}") })
}

fn ipv6(bytes: [u8; 16]) -> String {
    let address = Ipv6Addr::from(bytes);
    match address.segments() {
        // The server writes these with the old embedded form, as inet_ntop does.
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => {
            let [.., a, b, c, d] = bytes;
            format!("::{a}.{b}.{c}.{d}")
        }
        _ => address.to_string(),
    }
}
