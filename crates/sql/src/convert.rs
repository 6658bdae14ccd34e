//! From a value to a Rust type, or an exact complaint.

use crate::{Bits, Date, DateTime, Decimal, Interval, Text, Time, Value};
use std::fmt;
use uuid::Uuid;

/// A Rust type that can be made from a [`Value`].
///
/// A conversion never loses anything: a number out of range, a decimal for a float, text for a number are errors.
pub trait FromValue: Sized {
    /// The type's name in messages.
    const WANTED: &'static str;

    /// Makes the Rust value.
    ///
    /// # Errors
    /// [`FromValueError`] with the wanted and the found type.
    fn from_value(value: &Value) -> Result<Self, FromValueError>;
}

/// A value that does not fit the wanted type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromValueError {
    /// What the program asked for.
    pub wanted: &'static str,
    /// What the column holds.
    pub found: &'static str,
    /// Why it does not fit, where the types alone do not say it.
    pub reason: Option<&'static str>,
}

impl FromValueError {
    /// A mismatch of types.
    pub fn mismatch<T: FromValue>(found: &Value) -> Self {
        Self { wanted: T::WANTED, found: found.type_name(), reason: None }
    }

    /// A value of a fitting type that does not fit all the same.
    pub fn because<T: FromValue>(found: &Value, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..Self::mismatch::<T>(found) }
    }
}

impl fmt::Display for FromValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wanted {}, found {}", self.wanted, self.found)?;
        self.reason.map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

impl std::error::Error for FromValueError {}

impl FromValue for Value {
    const WANTED: &'static str = "value";

    fn from_value(value: &Value) -> Result<Self, FromValueError> {
        Ok(value.clone())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_value(value: &Value) -> Result<Self, FromValueError> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

macro_rules! integer {
    ($($type:ty)*) => {$(
        impl FromValue for $type {
            const WANTED: &'static str = stringify!($type);

            fn from_value(value: &Value) -> Result<Self, FromValueError> {
                let out_of_range = || FromValueError::because::<Self>(value, "out of range");
                match value {
                    Value::Int(number) => Self::try_from(*number).map_err(|_| out_of_range()),
                    Value::UInt(number) => Self::try_from(*number).map_err(|_| out_of_range()),
                    // SUM() of integers is a decimal on most engines.
                    Value::Decimal(number) => number.as_str().parse().map_err(|_| FromValueError::because::<Self>(value, "not a whole number in range")),
                    _ => Err(FromValueError::mismatch::<Self>(value)),
                }
            }
        }
    )*};
}

integer!(i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 isize usize);

macro_rules! from_variant {
    ($($type:ty, $wanted:literal: $($pattern:pat => $into:expr),+;)*) => {$(
        impl FromValue for $type {
            const WANTED: &'static str = $wanted;

            fn from_value(value: &Value) -> Result<Self, FromValueError> {
                match value {
                    $($pattern => $into,)+
                    _ => Err(FromValueError::mismatch::<Self>(value)),
                }
            }
        }
    )*};
}

fn parsed<T: FromValue + std::str::FromStr>(value: &Value, text: &str) -> Result<T, FromValueError> {
    text.parse().map_err(|_| FromValueError::because::<T>(value, "the text does not read as one"))
}

from_variant! {
    // MySQL and SQLite have no boolean type: 0 and 1 stand for it.
    bool, "bool": Value::Bool(v) => Ok(*v), v @ Value::Int(n @ (0 | 1)) => { let _ = v; Ok(*n == 1) }, Value::UInt(n @ (0 | 1)) => Ok(*n == 1);
    f32, "f32": Value::Float(v) => Ok(*v);
    f64, "f64": Value::Double(v) => Ok(*v), Value::Float(v) => Ok((*v).into());
    String, "text": Value::Text(v) | Value::Json(v) => Ok(v.as_str().to_owned());
    Text, "text": Value::Text(v) | Value::Json(v) => Ok(v.clone());
    Vec<u8>, "bytes": Value::Bytes(v) => Ok(v.clone());
    Decimal, "decimal": Value::Decimal(v) => Ok(v.clone()), Value::Int(v) => Ok((*v).into()), Value::UInt(v) => Ok((*v).into()), v @ Value::Text(text) => parsed(v, text);
    Date, "date": Value::Date(v) => Ok(*v), v @ Value::Text(text) => parsed(v, text);
    Time, "time": Value::Time(v) => Ok(*v), v @ Value::Text(text) => parsed(v, text);
    DateTime, "date and time": Value::DateTime(v) | Value::Timestamp(v) => Ok(*v), v @ Value::Text(text) => parsed(v, text);
    Interval, "interval": Value::Interval(v) => Ok(*v);
    Bits, "bits": Value::Bit(v) => Ok(v.clone());
    Uuid, "uuid": Value::Uuid(v) => Ok(*v), v @ Value::Text(text) => parsed(v, text),
        v @ Value::Bytes(bytes) => Uuid::from_slice(bytes).map_err(|_| FromValueError::because::<Uuid>(v, "not 16 bytes"));
    serde_json::Value, "json": v @ (Value::Json(text) | Value::Text(text)) => serde_json::from_str(text).map_err(|_| FromValueError::because::<serde_json::Value>(v, "not valid JSON"));
}

/// The elements of an array. `Vec<u8>` is bytes, not an array.
macro_rules! array_of {
    ($($element:ty)*) => {$(
        impl FromValue for Vec<$element> {
            const WANTED: &'static str = concat!("array of ", stringify!($element));

            fn from_value(value: &Value) -> Result<Self, FromValueError> {
                match value {
                    Value::Array(elements) => elements.iter().map(<$element>::from_value).collect(),
                    _ => Err(FromValueError::mismatch::<Self>(value)),
                }
            }
        }
    )*};
}

array_of!(Value bool i16 i32 i64 u64 f32 f64 String Decimal Date DateTime Uuid Option<i64> Option<String>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_convert_only_when_nothing_is_lost() {
        assert_eq!(u64::from_value(&Value::UInt(u64::MAX)), Ok(u64::MAX));
        assert_eq!(
            i64::from_value(&Value::UInt(u64::MAX)).unwrap_err().to_string(),
            "wanted i64, found unsigned integer (out of range)"
        );
        assert_eq!(u8::from_value(&Value::Decimal("7".parse().unwrap())), Ok(7));
        assert_eq!(
            u8::from_value(&Value::Decimal("7.5".parse().unwrap())).unwrap_err().to_string(),
            "wanted u8, found decimal (not a whole number in range)"
        );
        assert_eq!(
            f64::from_value(&Value::Decimal("7.5".parse().unwrap())).unwrap_err().to_string(),
            "wanted f64, found decimal"
        );
        assert_eq!(i32::from_value(&Value::Null).unwrap_err().to_string(), "wanted i32, found null");
        assert_eq!(Option::<i32>::from_value(&Value::Null), Ok(None));
    }

    #[test]
    fn booleans_read_from_zero_and_one_only() {
        assert_eq!(bool::from_value(&Value::Int(1)), Ok(true));
        assert!(bool::from_value(&Value::Int(2)).is_err());
    }
}
