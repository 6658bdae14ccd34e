//! One value, as exact as the database holds it.

use crate::{Date, DateTime, Decimal, Interval, Text, Time};
use uuid::Uuid;

/// A value on its way to or from a database, with its exact type.
///
/// Nothing is rounded on the way: decimals never pass through a float, unsigned 64-bit integers keep their top bit, dates
/// keep microseconds and may be the "zero" dates some servers store.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum Value {
    /// SQL `NULL`.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed integer of up to 64 bits.
    Int(i64),
    /// An unsigned integer of up to 64 bits.
    UInt(u64),
    /// A single-precision float.
    Float(f32),
    /// A double-precision float.
    Double(f64),
    /// An exact decimal number.
    Decimal(Decimal),
    /// Text, enumeration labels included.
    Text(Text),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A string of bits.
    Bit(Bits),
    /// A calendar date.
    Date(Date),
    /// A time of day, or a span of hours on engines whose TIME is one.
    Time(Time),
    /// A date and time without a zone.
    DateTime(DateTime),
    /// An instant, given in UTC.
    Timestamp(DateTime),
    /// A calendar interval.
    Interval(Interval),
    /// A JSON document, in the text the server gave.
    Json(Text),
    /// A UUID.
    Uuid(Uuid),
    /// An array; its elements may be arrays.
    Array(Vec<Value>),
}

impl Value {
    /// A string, number or boolean as JSON has it; `None` of anything else.
    pub fn to_json_scalar(&self) -> Option<Value> {
        let json = match self {
            Value::Bool(value) => serde_json::Value::from(*value),
            Value::Int(number) => serde_json::Value::from(*number),
            Value::UInt(number) => serde_json::Value::from(*number),
            Value::Double(number) => serde_json::Number::from_f64(*number)?.into(),
            Value::Text(text) => serde_json::Value::from(text.as_str()),
            _ => return None,
        };
        Some(Value::Json(json.to_string().into()))
    }

    /// Whether this is SQL `NULL`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The name of the type, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) => "integer",
            Value::UInt(_) => "unsigned integer",
            Value::Float(_) => "float",
            Value::Double(_) => "double",
            Value::Decimal(_) => "decimal",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Bit(_) => "bits",
            Value::Date(_) => "date",
            Value::Time(_) => "time",
            Value::DateTime(_) => "date and time",
            Value::Timestamp(_) => "timestamp",
            Value::Interval(_) => "interval",
            Value::Json(_) => "json",
            Value::Uuid(_) => "uuid",
            Value::Array(_) => "array",
        }
    }
}

/// A string of bits, most significant first, as in SQL's `BIT(n)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Bits {
    len: usize,
    bytes: Vec<u8>,
}

impl Bits {
    /// Bits from bytes whose first bit is the most significant of the string: `bytes` holds `len` bits from the left.
    /// Missing bytes count as zero, bits past `len` are cleared.
    pub fn from_left_aligned(len: usize, bytes: &[u8]) -> Self {
        let size = len.div_ceil(8);
        let mut bytes: Vec<u8> = bytes.iter().copied().take(size).collect();
        bytes.resize(size, 0);
        if let (Some(last), rest @ 1..) = (bytes.last_mut(), len % 8) {
            *last &= 0xffu8 << (8 - rest);
        }
        Self { len, bytes }
    }

    /// Bits from a big-endian number whose last bit is the last of the string, the form in which MySQL sends `BIT(n)`.
    pub fn from_right_aligned(len: usize, bytes: &[u8]) -> Self {
        let bit = |index_from_right: usize| {
            bytes
                .len()
                .checked_sub(index_from_right / 8 + 1)
                .is_some_and(|at| bytes[at] >> (index_from_right % 8) & 1 == 1)
        };
        Self::from_bools((0..len).rev().map(bit))
    }

    /// Bits from a text of `0` and `1`; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let bits: Option<Vec<bool>> = text
            .bytes()
            .map(|b| match b {
                b'0' => Some(false),
                b'1' => Some(true),
                _ => None,
            })
            .collect();
        bits.map(Self::from_bools)
    }

    fn from_bools(bits: impl IntoIterator<Item = bool>) -> Self {
        let mut out = Self::default();
        for bit in bits {
            if out.len % 8 == 0 {
                out.bytes.push(0);
            }
            if let (true, Some(last)) = (bit, out.bytes.last_mut()) {
                *last |= 0x80 >> (out.len % 8);
            }
            out.len += 1;
        }
        out
    }

    /// How many bits there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bits from the left, the last byte filled with zeros.
    pub fn as_left_aligned(&self) -> &[u8] {
        &self.bytes
    }

    /// The bits as a big-endian number.
    pub fn to_right_aligned(&self) -> Vec<u8> {
        let mut out = vec![0u8; self.len.div_ceil(8)];
        let size = out.len();
        for (from_right, bit) in self.iter().rev().enumerate() {
            if bit {
                out[size - 1 - from_right / 8] |= 1 << (from_right % 8);
            }
        }
        out
    }

    /// Each bit, the most significant first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = bool> + ExactSizeIterator + '_ {
        (0..self.len).map(|at| self.bytes[at / 8] >> (7 - at % 8) & 1 == 1)
    }
}

impl std::fmt::Display for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.iter().try_for_each(|bit| f.write_str(if bit { "1" } else { "0" }))
    }
}

macro_rules! from {
    ($($from:ty => |$value:ident| $into:expr;)*) => {$(
        impl From<$from> for Value {
            #[inline]
            fn from($value: $from) -> Self {
                $into
            }
        }
    )*};
}

from! {
    bool => |v| Value::Bool(v);
    i8 => |v| Value::Int(v.into());
    i16 => |v| Value::Int(v.into());
    i32 => |v| Value::Int(v.into());
    i64 => |v| Value::Int(v);
    u8 => |v| Value::UInt(v.into());
    u16 => |v| Value::UInt(v.into());
    u32 => |v| Value::UInt(v.into());
    u64 => |v| Value::UInt(v);
    f32 => |v| Value::Float(v);
    f64 => |v| Value::Double(v);
    &str => |v| Value::Text(v.into());
    &String => |v| Value::Text(v.into());
    String => |v| Value::Text(v.into());
    Text => |v| Value::Text(v);
    std::borrow::Cow<'_, str> => |v| Value::Text(v.into());
    char => |v| Value::Text(v.into());
    &[u8] => |v| Value::Bytes(v.to_vec());
    Vec<u8> => |v| Value::Bytes(v);
    Decimal => |v| Value::Decimal(v);
    Date => |v| Value::Date(v);
    Time => |v| Value::Time(v);
    DateTime => |v| Value::DateTime(v);
    Interval => |v| Value::Interval(v);
    Bits => |v| Value::Bit(v);
    Uuid => |v| Value::Uuid(v);
    serde_json::Value => |v| Value::Json(v.to_string().into());
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        Value::Bytes(bytes.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// A list of parameters from values of different types: `params![1, "Ada", None::<i64>]`.
#[macro_export]
macro_rules! params {
    () => { Vec::<$crate::Value>::new() };
    ($($value:expr),+ $(,)?) => { ::std::vec::Vec::from([$($crate::Value::from($value)),+]) };
}

/// Columns and their values, of different types, for a row that is inserted or values that are updated:
/// `values! { "name" => "Ada", "age" => 36 }`.
///
/// ```
/// use dbkeep_sql::{Value, values};
/// assert_eq!(values! { "name" => "Ada", "age" => 36 }, [("name", Value::from("Ada")), ("age", Value::from(36))]);
/// ```
#[macro_export]
macro_rules! values {
    ($($column:expr => $value:expr),+ $(,)?) => { [$(($column, $crate::Value::from($value))),+] };
}

/// Columns of different kinds for a query, by name or as expressions, with an alias or without:
/// `columns!["id", upper("name").alias("name")]`.
///
/// ```
/// use dbkeep_sql::{Ansi, Compile, columns, count_all, select};
/// let query = select().columns(columns!["city", count_all().alias("people")]).from("users").group_by("city");
/// assert_eq!(query.compile(&Ansi)?.sql, r#"SELECT "city", COUNT(*) AS "people" FROM "users" GROUP BY "city""#);
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
#[macro_export]
macro_rules! columns {
    ($($column:expr),+ $(,)?) => { [$($crate::SelectItem::from($column)),+] };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_keep_their_order_in_both_alignments() {
        let bits = Bits::parse("1010000001").unwrap();
        assert_eq!(bits.to_string(), "1010000001");
        assert_eq!(bits.as_left_aligned(), [0b1010_0000, 0b0100_0000]);
        assert_eq!(bits.to_right_aligned(), [0b10, 0b1000_0001]);
        assert_eq!(Bits::from_right_aligned(10, &bits.to_right_aligned()), bits);
        assert_eq!(Bits::from_left_aligned(10, bits.as_left_aligned()), bits);
        assert_eq!(Bits::from_right_aligned(10, &[1]).to_string(), "0000000001");
        assert_eq!(Bits::parse("012"), None);
    }

    #[test]
    fn parameters_of_different_types_make_one_list() {
        let list = params![7, "Ada", None::<i64>, 2.5, vec![0u8, 255]];
        assert_eq!(list[0], Value::Int(7));
        assert_eq!(list[2], Value::Null);
        assert_eq!(list[4], Value::Bytes(vec![0, 255]));
        assert!(params![].is_empty());
    }
}
