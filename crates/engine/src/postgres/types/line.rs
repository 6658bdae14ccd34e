//! What does a value look like in COPY's text, so that it is stored as a parameter would be?
//! <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2>

use super::encode::{self, Fit};
use super::{loss, text};
use crate::Result;
use dbkeep_sql::Value;
use std::io::Write as _;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// Appends a value for a column of this type, the one behind any domains.
///
/// # Errors
/// `InvalidValue` when the value cannot be of that type.
pub(in crate::postgres) fn write(out: &mut Vec<u8>, value: &Value, ty: &Type) -> Result<()> {
    if let Some(loss) = loss::of(value, ty) {
        return Err(encode::refused(value, loss.why, ty));
    }
    match value {
        Value::Null => out.extend_from_slice(b"\\N"),
        Value::Text(text) | Value::Json(text) => escape(out, text.as_bytes()),
        // Writing to memory does not fail.
        Value::Int(number) if *ty == Type::INT8 => drop(write!(out, "{number}")),
        Value::Decimal(number) => out.extend_from_slice(number.as_str().as_bytes()),
        Value::Bytes(bytes) if *ty == Type::BYTEA => hexadecimal(out, bytes),
        _ => escape(out, as_text(value, ty)?.as_bytes()),
    }
    Ok(())
}

fn as_text(value: &Value, ty: &Type) -> Result<String> {
    Ok(match (encode::binary(value, ty), value) {
        (Fit::No(why), _) => return Err(encode::refused(value, why, ty)),
        (Fit::Text | Fit::Null, _) => encode::as_text(value, ty),
        // Bytes that a parameter would have: here the text that is read as the same.
        (Fit::Bytes(_), Value::Float(number)) if *ty == Type::FLOAT8 => text::double((*number).into()),
        (Fit::Bytes(bytes), Value::Bytes(_)) => Uuid::from_slice(&bytes).unwrap_or_default().to_string(),
        (Fit::Bytes(_), _) => text::of(value),
    })
}

/// The server takes a raw NUL for what it is and refuses it. Written as an escape, it would end the text in silence.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut from = 0;
    for (at, byte) in text.iter().enumerate() {
        let letter = match byte {
            b'\\' => b'\\',
            b'\t' => b't',
            b'\n' => b'n',
            b'\r' => b'r',
            _ => continue,
        };
        out.extend_from_slice(&text[from..at]);
        out.extend_from_slice(&[b'\\', letter]);
        from = at + 1;
    }
    out.extend_from_slice(&text[from..]);
}

fn hexadecimal(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\\\x");
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbkeep_sql::{Date, DateTime};

    fn line(value: impl Into<Value>, ty: &Type) -> String {
        let mut out = Vec::new();
        write(&mut out, &value.into(), ty).map_or_else(|error| error.to_string(), |()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn null_and_what_looks_like_it_are_told_apart() {
        assert_eq!(line(None::<i64>, &Type::TEXT), r"\N");
        assert_eq!(line(r"\N", &Type::TEXT), r"\\N");
        assert_eq!(line(r"\.", &Type::TEXT), r"\\.");
        assert_eq!(line("", &Type::TEXT), "");
        assert_eq!(line("a\tb\nc\rd\0e", &Type::TEXT), "a\\tb\\nc\\rd\0e");
        assert_eq!(line(Value::Array(vec!["a\"\\".into(), Value::Null]), &Type::TEXT_ARRAY), r#"{"a\\"\\\\",NULL}"#);
        assert_eq!(line(vec![0u8, 255], &Type::BYTEA), r"\\x00ff");
    }

    #[test]
    fn values_are_what_a_parameter_of_the_type_would_be() {
        assert_eq!(line(0.1f32, &Type::FLOAT8), "0.10000000149011612");
        assert_eq!(line(0.1f32, &Type::FLOAT4), "0.1");
        assert_eq!(line(true, &Type::BOOL), "t");
        assert_eq!(line(true, &Type::JSONB), "true");
        assert_eq!(line(vec![0u8; 16], &Type::UUID), "00000000-0000-0000-0000-000000000000");
        let moment = DateTime::new(Date::new(2024, 2, 29), 1, 2, 3, 450_000);
        assert_eq!(line(Value::Timestamp(moment), &Type::TIMESTAMPTZ), "2024-02-29 01:02:03.45+00");
        assert_eq!(line(70_000, &Type::INT2), "the integer is out of range for smallint");
        assert_eq!(line(vec![1u8], &Type::TEXT), "the bytes cannot go into text");
        assert_eq!(line("x".repeat(64), &Type::NAME), "the text is too long for name");
    }
}
