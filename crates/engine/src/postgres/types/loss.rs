//! What would the server leave out of a parameter, in silence?
//!
//! Its input functions read a date and leave the time of day behind it, read a number and round it: what a value loses there,
//! nobody hears of.

use dbkeep_sql::{DateTime, Value};
use tokio_postgres::types::{Kind, Type};

/// What would be lost.
pub(super) struct Loss {
    /// As half a sentence that the type's name ends: "would lose its time of day as".
    pub(super) why: &'static str,
    pub(super) hint: &'static str,
}

const CLOCK: Loss = Loss {
    why: "would lose its time of day as",
    hint: "compare with a Date or store one, or cast the column to timestamp",
};
const DAY: Loss = Loss { why: "would lose its date as", hint: "give a Time, or cast the column to timestamp" };
const ZONE: Loss = Loss {
    why: "would lose its time zone as",
    hint: "give it in UTC, without an offset, or make the column TIMESTAMP WITH TIME ZONE",
};
const DIGITS: Loss = Loss {
    why: "has more digits than there are in",
    hint: "round it in the program, or give the column a type that holds them all: DOUBLE PRECISION, or NUMERIC",
};
const CENTS: Loss =
    Loss { why: "has more decimal places than there are in", hint: "round it in the program, or take NUMERIC" };
const CUT: Loss = Loss { why: "is too long for", hint: "shorten it, or take TEXT" };

/// What a value would lose in a parameter of this type, behind its domains.
pub(super) fn of(value: &Value, ty: &Type) -> Option<Loss> {
    match value {
        Value::DateTime(time) | Value::Timestamp(time) => match *ty {
            Type::DATE if !is_midnight(time) => Some(CLOCK),
            Type::TIME | Type::TIMETZ => Some(DAY),
            _ => None,
        },
        Value::Double(number) if number.is_finite() && matches!(*ty, Type::FLOAT4 | Type::MONEY) => {
            of_number(&number.to_string(), ty)
        }
        Value::Int(number) if is_float(ty) => of_number(&number.to_string(), ty),
        Value::UInt(number) if is_float(ty) => of_number(&number.to_string(), ty),
        Value::Decimal(number) if number.is_finite() => of_number(number.as_str(), ty),
        Value::Text(text) => of_text(text.as_str(), ty),
        Value::Array(elements) => {
            let element = match ty.kind() {
                Kind::Array(element) => super::encode::base(element),
                _ => ty,
            };
            // Arrays of arrays have the type of their elements, however deep.
            let of_element = |value: &Value| of(value, if matches!(value, Value::Array(_)) { ty } else { element });
            elements.iter().find_map(of_element)
        }
        _ => None,
    }
}

fn is_midnight(time: &DateTime) -> bool {
    (time.hour, time.minute, time.second, time.microsecond) == (0, 0, 0, 0)
}

fn is_float(ty: &Type) -> bool {
    matches!(*ty, Type::FLOAT4 | Type::FLOAT8)
}

/// A number in digits, which a float keeps when it shows them again.
fn of_number(text: &str, ty: &Type) -> Option<Loss> {
    let kept = match *ty {
        Type::FLOAT4 => text.parse::<f32>().is_ok_and(|float| digits(&float.to_string()) == digits(text)),
        Type::FLOAT8 => text.parse::<f64>().is_ok_and(|float| digits(&float.to_string()) == digits(text)),
        Type::MONEY => {
            let places = text.split_once('.').map_or("", |(_, places)| places);
            return (places.trim_end_matches('0').len() > 2).then_some(CENTS);
        }
        _ => return None,
    };
    (!kept).then_some(DIGITS)
}

/// The digits without zeros that say nothing, with the place of the point behind the first of them.
fn digits(text: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, places) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{places}");
    let told = all.trim_start_matches('0');
    let place = whole.len() as i64 - (all.len() - told.len()) as i64 + exponent.parse::<i64>().unwrap_or(0);
    let told = told.trim_end_matches('0');
    if told.is_empty() { (false, String::new(), 0) } else { (negative, told.to_owned(), place) }
}

/// A text goes to the server as it is, but for what the server would cut off without a word.
fn of_text(text: &str, ty: &Type) -> Option<Loss> {
    let clock = || text.split_once([' ', 'T', 't']).map_or("", |(_, clock)| clock);
    let has_date = text.get(4..5) == Some("-") && text.bytes().take(4).all(|byte| byte.is_ascii_digit());
    // After the clock: +02, -03:30, and Z or +00 for UTC.
    let zone =
        |from: &str| from.find(['+', '-']).is_some_and(|at| from[at..].contains(|c: char| matches!(c, '1'..='9')));
    match *ty {
        Type::CHAR if text.len() > 1 => Some(CUT),
        Type::NAME if text.len() > 63 => Some(CUT),
        Type::DATE if has_date && clock().contains(':') => {
            let told = clock().split(['+', '-', 'Z', 'z']).next().unwrap_or_default();
            told.contains(|c: char| matches!(c, '1'..='9')).then_some(CLOCK)
        }
        Type::TIME | Type::TIMETZ if has_date => Some(DAY),
        Type::TIME if zone(text) => Some(ZONE),
        Type::TIMESTAMP if has_date && zone(clock()) => Some(ZONE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_the_same_however_they_are_written() {
        assert_eq!(digits("0.10"), digits("1e-1"));
        assert_eq!(digits("-100"), digits("-1e2"));
        assert_eq!(digits("0.000"), digits("-0"));
        assert_ne!(digits("10"), digits("1"));
        assert_ne!(digits("0.01"), digits("0.1"));
    }

    #[test]
    fn a_float_that_shows_the_same_digits_has_lost_none() {
        let lost = |value: Value, ty: Type| of(&value, &ty).is_some();
        assert!(!lost(Value::Double(0.1), Type::FLOAT4));
        assert!(lost(Value::Double(0.123_456_789), Type::FLOAT4));
        assert!(lost(Value::Double(1e300), Type::FLOAT4));
        assert!(!lost(Value::Double(f64::NAN), Type::FLOAT4));
        assert!(!lost(Value::Int(1 << 53), Type::FLOAT8));
        assert!(lost(Value::Int((1 << 53) + 1), Type::FLOAT8));
        assert!(lost(Value::Int(16_777_217), Type::FLOAT4));
    }
}
