//! What value do the bytes of a result mean?
//!
//! Results come in binary. Each column's type is turned into a [`Codec`] once, when the statement is prepared; a type that
//! has none is refused there, before anything runs.

use super::nested;
use super::text;
use super::{EPOCH_DAYS, EPOCH_MICROS};
use crate::{Error, ErrorKind, Result};
use dbkeep_sql::{Bits, Date, DateTime, Decimal, Interval, Time, Value};
use tokio_postgres::types::{Kind, Oid, Type};
use uuid::Uuid;

/// How the bytes of one type are read.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::postgres) enum Codec {
    Bool,
    Byte,
    Text,
    /// A format version of one byte in front of the text.
    VersionedText,
    Int2,
    Int4,
    Int8,
    Oid,
    UInt8,
    Float4,
    Float8,
    Numeric,
    Bytea,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Interval,
    Json,
    Jsonb,
    Uuid,
    Bit,
    Inet,
    MacAddr,
    Lsn,
    Tid,
    TsVector,
    Point,
    Line,
    Lseg,
    Box,
    Path,
    Polygon,
    Circle,
    Void,
    Array(Box<Codec>),
    Range(Box<Codec>),
    Multirange(Box<Codec>),
    /// The fields' types and how they are read; empty for an anonymous record.
    Record(Vec<(Oid, Codec)>),
}

/// Bytes that do not mean what their type promises.
#[derive(Debug)]
pub(super) struct Malformed;

impl Codec {
    /// How this type is read.
    ///
    /// # Errors
    /// `Unsupported` for a type whose binary form says too little, or is not known here.
    pub(in crate::postgres) fn of(ty: &Type) -> Result<Self> {
        Self::find(ty).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("values of the type {} cannot be read", ty.name()))
                .with_hint("cast the column to text: column::text")
        })
    }

    pub(super) fn find(ty: &Type) -> Option<Self> {
        Some(match *ty {
            Type::BOOL => Codec::Bool,
            Type::CHAR => Codec::Byte,
            Type::TEXT
            | Type::VARCHAR
            | Type::BPCHAR
            | Type::NAME
            | Type::UNKNOWN
            | Type::CSTRING
            | Type::XML
            | Type::REFCURSOR => Codec::Text,
            Type::INT2 => Codec::Int2,
            Type::INT4 => Codec::Int4,
            Type::INT8 => Codec::Int8,
            Type::OID | Type::XID | Type::CID => Codec::Oid,
            Type::XID8 => Codec::UInt8,
            Type::FLOAT4 => Codec::Float4,
            Type::FLOAT8 => Codec::Float8,
            Type::NUMERIC => Codec::Numeric,
            Type::BYTEA => Codec::Bytea,
            Type::DATE => Codec::Date,
            Type::TIME => Codec::Time,
            Type::TIMETZ => Codec::TimeTz,
            Type::TIMESTAMP => Codec::Timestamp,
            Type::TIMESTAMPTZ => Codec::TimestampTz,
            Type::INTERVAL => Codec::Interval,
            Type::JSON => Codec::Json,
            Type::JSONB => Codec::Jsonb,
            Type::JSONPATH => Codec::VersionedText,
            Type::UUID => Codec::Uuid,
            Type::BIT | Type::VARBIT => Codec::Bit,
            Type::INET | Type::CIDR => Codec::Inet,
            Type::MACADDR | Type::MACADDR8 => Codec::MacAddr,
            Type::PG_LSN => Codec::Lsn,
            Type::TID => Codec::Tid,
            Type::TS_VECTOR => Codec::TsVector,
            Type::POINT => Codec::Point,
            Type::LINE => Codec::Line,
            Type::LSEG => Codec::Lseg,
            Type::BOX => Codec::Box,
            Type::PATH => Codec::Path,
            Type::POLYGON => Codec::Polygon,
            Type::CIRCLE => Codec::Circle,
            Type::VOID => Codec::Void,
            Type::RECORD => Codec::Record(Vec::new()),
            Type::RECORD_ARRAY => Codec::Array(Box::new(Codec::Record(Vec::new()))),
            _ => match (ty.kind(), ty.name()) {
                (Kind::Enum(_), _) | (Kind::Simple, "citext") => Codec::Text,
                (Kind::Simple, "ltree" | "lquery" | "ltxtquery") => Codec::VersionedText,
                (Kind::Domain(base), _) => Self::find(base)?,
                (Kind::Array(element), _) => Codec::Array(Box::new(Self::find(element)?)),
                (Kind::Range(of), _) => Codec::Range(Box::new(Self::find(of)?)),
                (Kind::Multirange(of), _) => Codec::Multirange(Box::new(Self::find(of)?)),
                (Kind::Composite(fields), _) => {
                    let field =
                        |field: &tokio_postgres::types::Field| Some((field.type_().oid(), Self::find(field.type_())?));
                    Codec::Record(fields.iter().map(field).collect::<Option<_>>()?)
                }
                _ => return None,
            },
        })
    }

    /// The value the bytes mean.
    ///
    /// # Errors
    /// `Damaged` when they do not have the form of their type.
    pub(in crate::postgres) fn decode(&self, raw: &[u8]) -> Result<Value> {
        self.read(raw).map_err(|Malformed| {
            Error::new(ErrorKind::Damaged, format!("the server sent {} bytes that are no {self:?}", raw.len()))
        })
    }

    pub(super) fn read(&self, raw: &[u8]) -> Result<Value, Malformed> {
        Ok(match self {
            Codec::Bool => Value::Bool(fixed::<1>(raw)? != [0]),
            Codec::Byte => match fixed::<1>(raw)? {
                [0] => Value::from(""),
                [byte @ 1..128] => Value::from(char::from(byte)),
                [byte] => Value::from(format!("\\{byte:03o}")),
            },
            Codec::Text => Value::from(utf8(raw)?),
            Codec::VersionedText => match raw {
                [1, text @ ..] => Value::from(utf8(text)?),
                _ => return Err(Malformed),
            },
            Codec::Int2 => Value::Int(i16::from_be_bytes(fixed(raw)?).into()),
            Codec::Int4 => Value::Int(i32::from_be_bytes(fixed(raw)?).into()),
            Codec::Int8 => Value::Int(i64::from_be_bytes(fixed(raw)?)),
            Codec::Oid => Value::Int(u32::from_be_bytes(fixed(raw)?).into()),
            Codec::UInt8 => Value::UInt(u64::from_be_bytes(fixed(raw)?)),
            Codec::Float4 => Value::Float(f32::from_be_bytes(fixed(raw)?)),
            Codec::Float8 => Value::Double(f64::from_be_bytes(fixed(raw)?)),
            Codec::Numeric => Value::Decimal(numeric(raw)?),
            Codec::Bytea => Value::Bytes(raw.to_vec()),
            Codec::Date => date(i32::from_be_bytes(fixed(raw)?)),
            Codec::Time => Value::Time(time(i64::from_be_bytes(fixed(raw)?))?),
            Codec::TimeTz => Value::from(time_with_zone(raw)?),
            Codec::Timestamp => timestamp(i64::from_be_bytes(fixed(raw)?), Value::DateTime)?,
            Codec::TimestampTz => timestamp(i64::from_be_bytes(fixed(raw)?), Value::Timestamp)?,
            Codec::Interval => interval(raw)?,
            Codec::Json => Value::Json(utf8(raw)?.into()),
            Codec::Jsonb => match raw {
                [1, json @ ..] => Value::Json(utf8(json)?.into()),
                _ => return Err(Malformed),
            },
            Codec::Uuid => Value::Uuid(Uuid::from_bytes(fixed(raw)?)),
            Codec::Bit => {
                let (len, bytes) = raw.split_first_chunk::<4>().ok_or(Malformed)?;
                let len = usize::try_from(i32::from_be_bytes(*len)).map_err(|_| Malformed)?;
                if bytes.len() != len.div_ceil(8) {
                    return Err(Malformed);
                }
                Value::Bit(Bits::from_left_aligned(len, bytes))
            }
            Codec::Void => Value::Null,
            Codec::Inet => Value::from(text::inet(raw).ok_or(Malformed)?),
            Codec::MacAddr => {
                let bytes: Vec<_> = raw.iter().map(|byte| format!("{byte:02x}")).collect();
                Value::from(bytes.join(":"))
            }
            Codec::Lsn => {
                let position = u64::from_be_bytes(fixed(raw)?);
                Value::from(format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff))
            }
            Codec::Tid => {
                let [a, b, c, d, e, f] = fixed(raw)?;
                Value::from(format!("({},{})", u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f])))
            }
            Codec::TsVector => Value::from(nested::tsvector(raw)?),
            Codec::Point | Codec::Line | Codec::Lseg | Codec::Box | Codec::Path | Codec::Polygon | Codec::Circle => {
                Value::from(nested::geometry(self, raw)?)
            }
            Codec::Array(element) => nested::array(element, raw)?,
            Codec::Range(of) => Value::from(nested::range(of, raw)?),
            Codec::Multirange(of) => Value::from(nested::multirange(of, raw)?),
            Codec::Record(fields) => Value::from(nested::record(fields, raw)?),
        })
    }
}

pub(super) fn fixed<const N: usize>(raw: &[u8]) -> Result<[u8; N], Malformed> {
    raw.try_into().map_err(|_| Malformed)
}

pub(super) fn utf8(raw: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(raw).map_err(|_| Malformed)
}

fn date(days: i32) -> Value {
    match days {
        i32::MAX => Value::from("infinity"),
        i32::MIN => Value::from("-infinity"),
        // Every 32-bit number of days has a year that fits.
        _ => Value::Date(Date::from_days_since_epoch(i64::from(days) + EPOCH_DAYS).unwrap_or_default()),
    }
}

fn timestamp(micros: i64, wrap: fn(DateTime) -> Value) -> Result<Value, Malformed> {
    match micros {
        i64::MAX => Ok(Value::from("infinity")),
        i64::MIN => Ok(Value::from("-infinity")),
        _ => DateTime::from_micros_since_epoch(i128::from(micros) + EPOCH_MICROS).map(wrap).ok_or(Malformed),
    }
}

fn time(micros: i64) -> Result<Time, Malformed> {
    let part = |value: i64| u8::try_from(value).map_err(|_| Malformed);
    Ok(Time::new(
        u32::try_from(micros / 3_600_000_000).map_err(|_| Malformed)?,
        part(micros / 60_000_000 % 60)?,
        part(micros / 1_000_000 % 60)?,
        u32::try_from(micros % 1_000_000).map_err(|_| Malformed)?,
    ))
}

fn time_with_zone(raw: &[u8]) -> Result<String, Malformed> {
    let (micros, west) = raw.split_first_chunk::<8>().ok_or(Malformed)?;
    let west = i32::from_be_bytes(fixed(west)?);
    let time = time(i64::from_be_bytes(*micros))?;
    Ok(format!("{}{}", text::time(&time), text::offset(west.checked_neg().ok_or(Malformed)?)))
}

fn interval(raw: &[u8]) -> Result<Value, Malformed> {
    let (micros, rest) = raw.split_first_chunk::<8>().ok_or(Malformed)?;
    let (days, months) = rest.split_first_chunk::<4>().ok_or(Malformed)?;
    let interval = Interval {
        months: i32::from_be_bytes(fixed(months)?),
        days: i32::from_be_bytes(*days),
        microseconds: i64::from_be_bytes(*micros),
    };
    // Since version 17: every field at its end stands for infinity.
    Ok(match (interval.months, interval.days, interval.microseconds) {
        (i32::MAX, i32::MAX, i64::MAX) => Value::from("infinity"),
        (i32::MIN, i32::MIN, i64::MIN) => Value::from("-infinity"),
        _ => Value::Interval(interval),
    })
}

/// Digits to the base of 10,000, with every digit of the scale kept.
fn numeric(raw: &[u8]) -> Result<Decimal, Malformed> {
    let mut shorts = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let mut next = || shorts.next().ok_or(Malformed);
    let (count, weight, sign, scale) = (next()?, next()? as i16, next()?, usize::from(next()?));
    let word = match sign {
        0x0000 | 0x4000 => None,
        0xC000 => Some("NaN"),
        0xD000 => Some("Infinity"),
        0xF000 => Some("-Infinity"),
        _ => return Err(Malformed),
    };
    let digits: Vec<u16> = shorts.collect();
    if digits.len() != usize::from(count) || digits.iter().any(|digit| *digit > 9_999) || scale > 16_383 {
        return Err(Malformed);
    }
    if let Some(word) = word {
        return word.parse().map_err(|_| Malformed);
    }
    let digit = |position: i32| {
        usize::try_from(i32::from(weight) - position).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0)
    };
    let mut out = String::with_capacity(digits.len() * 4 + scale + 4);
    if sign == 0x4000 {
        out.push('-');
    }
    for position in (0..=i32::from(weight).max(0)).rev() {
        push_digit(&mut out, digit(position));
    }
    if scale > 0 {
        out.push('.');
        let whole = out.len();
        let mut position = -1;
        while out.len() < whole + scale {
            push_digit(&mut out, digit(position));
            position -= 1;
        }
        out.truncate(whole + scale);
    }
    out.parse().map_err(|_| Malformed)
}

/// Four decimal digits. Many of them pass here, and formatting costs far more than this.
fn push_digit(out: &mut String, digit: u16) {
    for unit in [1000, 100, 10, 1] {
        out.push(char::from(b'0' + (digit / unit % 10) as u8));
    }
}
