//! Values as literals in the text, where parameters are not taken.

use crate::Value;
use crate::dialect::write_quoted;
use std::fmt::{Display, Write as _};

/// Appends a value as the standard writes it.
pub(crate) fn write_standard_literal(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("NULL"),
        Value::Bool(true) => out.push_str("TRUE"),
        Value::Bool(false) => out.push_str("FALSE"),
        Value::Int(number) => push(out, number),
        Value::UInt(number) => push(out, number),
        // With an exponent always: a number without one is a decimal, which rounds differently.
        Value::Float(number) if number.is_finite() => push(out, format_args!("{number:e}")),
        Value::Double(number) if number.is_finite() => push(out, format_args!("{number:e}")),
        Value::Float(number) => quoted(out, number),
        Value::Double(number) => quoted(out, number),
        Value::Decimal(number) if number.is_finite() => push(out, number),
        Value::Decimal(number) => quoted(out, number),
        Value::Text(text) | Value::Json(text) => write_quoted(out, text, '\''),
        Value::Bytes(bytes) => {
            out.push_str("X'");
            push_hex(out, bytes);
            out.push('\'');
        }
        Value::Bit(bits) => {
            out.push_str("B'");
            push(out, bits);
            out.push('\'');
        }
        Value::Date(date) => {
            out.push_str("DATE ");
            quoted(out, date);
        }
        Value::Time(time) => {
            out.push_str("TIME ");
            quoted(out, time);
        }
        Value::DateTime(time) | Value::Timestamp(time) => {
            out.push_str("TIMESTAMP ");
            quoted(out, time);
        }
        Value::Interval(interval) => {
            out.push_str("INTERVAL ");
            quoted(out, interval);
        }
        Value::Uuid(uuid) => quoted(out, uuid),
        Value::Array(elements) => {
            out.push_str("ARRAY[");
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_standard_literal(out, element);
            }
            out.push(']');
        }
    }
}

fn push(out: &mut String, value: impl Display) {
    // Writing to a string does not fail.
    let _ = write!(out, "{value}");
}

fn quoted(out: &mut String, value: impl Display) {
    out.push('\'');
    push(out, value);
    out.push('\'');
}

/// Appends a value of a type that JSON has not as it reads, without quotes.
pub(crate) fn write_bare(out: &mut String, value: &Value) {
    match value {
        Value::Float(number) => push(out, number),
        Value::Double(number) => push(out, number),
        Value::Decimal(number) => push(out, number),
        Value::Bytes(bytes) => push_hex(out, bytes),
        Value::Bit(bits) => push(out, bits),
        Value::Date(date) => push(out, date),
        Value::Time(time) => push(out, time),
        Value::DateTime(time) | Value::Timestamp(time) => push(out, time),
        Value::Interval(interval) => push(out, interval),
        Value::Uuid(uuid) => push(out, uuid),
        value => write_standard_literal(out, value),
    }
}

/// Appends bytes in hexadecimal digits.
pub(crate) fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        push(out, format_args!("{byte:02X}"));
    }
}
