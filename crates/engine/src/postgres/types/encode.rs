//! What bytes does a parameter go as?
//!
//! Where a value has exactly the type the server inferred, it goes in binary. Everything else goes as text, so that the
//! server's own input function judges it: a text for an enum or a timestamp, a decimal, an array.

use super::{EPOCH_DAYS, EPOCH_MICROS, loss, text};
use crate::{Error, ErrorKind, Result};
use bytes::BytesMut;
use dbkeep_sql::Value;
use std::fmt;
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type};

/// A parameter in its final bytes.
pub(in crate::postgres) struct Parameter {
    format: Format,
    bytes: Option<Vec<u8>>,
}

impl Parameter {
    /// The parameter of this number, counted from one, for the type the server wants.
    ///
    /// # Errors
    /// `InvalidValue` when the value cannot be of that type.
    pub(in crate::postgres) fn new(number: usize, value: &Value, ty: &Type) -> Result<Self> {
        let ty = base(ty);
        match binary(value, ty) {
            Fit::Bytes(bytes) => Ok(Self { format: Format::Binary, bytes: Some(bytes) }),
            Fit::Null => Ok(Self { format: Format::Binary, bytes: None }),
            Fit::Text => Ok(Self { format: Format::Text, bytes: Some(as_text(value, ty).into_bytes()) }),
            Fit::No(why) => Err(refused(value, why, ty).context(format_args!("parameter {number}"))),
        }
    }
}

/// What to say of a value that cannot be of a type.
pub(super) fn refused(value: &Value, why: &str, ty: &Type) -> Error {
    let message = format!("the {} {why} {}", value.type_name(), super::name::type_name(ty, -1));
    let error = Error::new(ErrorKind::InvalidValue, message);
    match loss::of(value, ty) {
        Some(loss) => error.with_hint(loss.hint),
        None => error,
    }
}

/// The type behind domains.
pub(in crate::postgres) fn base(mut ty: &Type) -> &Type {
    while let Kind::Domain(of) = ty.kind() {
        ty = of;
    }
    ty
}

/// How a value goes into a type.
pub(super) enum Fit {
    Bytes(Vec<u8>),
    Null,
    Text,
    No(&'static str),
}

pub(super) fn binary(value: &Value, ty: &Type) -> Fit {
    let is_text = is_text(ty);
    if let Some(loss) = loss::of(value, ty) {
        return Fit::No(loss.why);
    }
    match value {
        Value::Null => Fit::Null,
        Value::Bool(value) if *ty == Type::BOOL => Fit::Bytes(vec![u8::from(*value)]),
        Value::Int(value) => integer(i128::from(*value), ty),
        Value::UInt(value) => integer(i128::from(*value), ty),
        Value::Float(value) if *ty == Type::FLOAT4 => Fit::Bytes(value.to_be_bytes().into()),
        Value::Float(value) if *ty == Type::FLOAT8 => Fit::Bytes(f64::from(*value).to_be_bytes().into()),
        Value::Double(value) if *ty == Type::FLOAT8 => Fit::Bytes(value.to_be_bytes().into()),
        Value::Text(value) if is_text => Fit::Bytes(value.as_bytes().into()),
        Value::Bytes(value) if *ty == Type::BYTEA => Fit::Bytes(value.clone()),
        Value::Bytes(value) if *ty == Type::UUID && value.len() == 16 => Fit::Bytes(value.clone()),
        Value::Bytes(_) => Fit::No("cannot go into"),
        Value::Date(value) if *ty == Type::DATE && !value.is_zero() => {
            let days = i32::try_from(value.days_since_epoch() - EPOCH_DAYS).ok();
            // Dates the calendar does not have would come out as others: the server is to refuse them.
            let exact = dbkeep_sql::Date::from_days_since_epoch(value.days_since_epoch()) == Some(*value);
            days.filter(|days| exact && !matches!(*days, i32::MIN | i32::MAX))
                .map_or(Fit::Text, |days| Fit::Bytes(days.to_be_bytes().into()))
        }
        Value::DateTime(value) if *ty == Type::TIMESTAMP => micros(value),
        Value::Timestamp(value) if *ty == Type::TIMESTAMPTZ => micros(value),
        Value::Interval(value) if *ty == Type::INTERVAL => {
            let mut bytes = value.microseconds.to_be_bytes().to_vec();
            bytes.extend(value.days.to_be_bytes());
            bytes.extend(value.months.to_be_bytes());
            Fit::Bytes(bytes)
        }
        Value::Uuid(value) if *ty == Type::UUID => Fit::Bytes(value.as_bytes().to_vec()),
        Value::Array(_) if is_text => Fit::No("cannot go into"),
        _ => Fit::Text,
    }
}

fn is_text(ty: &Type) -> bool {
    matches!(*ty, Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN)
}

fn integer(value: i128, ty: &Type) -> Fit {
    let bytes = match *ty {
        Type::INT2 => i16::try_from(value).map(|value| value.to_be_bytes().to_vec()),
        Type::INT4 => i32::try_from(value).map(|value| value.to_be_bytes().to_vec()),
        Type::INT8 => i64::try_from(value).map(|value| value.to_be_bytes().to_vec()),
        Type::OID => u32::try_from(value).map(|value| value.to_be_bytes().to_vec()),
        _ => return Fit::Text,
    };
    bytes.map_or(Fit::No("is out of range for"), Fit::Bytes)
}

fn micros(value: &dbkeep_sql::DateTime) -> Fit {
    let micros = value.micros_since_epoch();
    let exact = dbkeep_sql::DateTime::from_micros_since_epoch(micros) == Some(*value);
    match i64::try_from(micros - EPOCH_MICROS) {
        Ok(micros) if exact && !matches!(micros, i64::MIN | i64::MAX) => Fit::Bytes(micros.to_be_bytes().into()),
        _ => Fit::Text,
    }
}

pub(super) fn as_text(value: &Value, ty: &Type) -> String {
    match value {
        // The words that JSON and a person read.
        Value::Bool(value) if *ty != Type::BOOL => value.to_string(),
        // Without an exponent, which integers and numeric would not all take.
        Value::Float(value) if value.is_finite() => value.to_string(),
        Value::Double(value) if value.is_finite() => value.to_string(),
        other => text::of(other),
    }
}

/// Whether nothing of a value is lost in a parameter of this type, which the server would do in silence.
///
/// A column may have been given a wider type since the statement was prepared: what is lost here might fit there.
pub(in crate::postgres) fn is_exact(value: &Value, ty: &Type) -> bool {
    let ty = base(ty);
    let (single, double) = (*ty == Type::FLOAT4, *ty == Type::FLOAT8);
    let digits = |text: &str| match (single, double) {
        (true, _) => text.parse::<f32>().is_ok_and(|float| float.to_string() == text),
        (_, true) => text.parse::<f64>().is_ok_and(|float| float.to_string() == text),
        _ => true,
    };
    match value {
        Value::Double(value) => !single || value.is_nan() || f64::from(*value as f32) == *value,
        Value::Int(value) => !(single || double) || digits(&value.to_string()),
        Value::UInt(value) => !(single || double) || digits(&value.to_string()),
        Value::Decimal(value) => digits(value.as_str()),
        Value::DateTime(_) => !matches!(*ty, Type::DATE | Type::TIME | Type::TIMETZ),
        Value::Timestamp(_) => !matches!(*ty, Type::DATE | Type::TIME | Type::TIMETZ | Type::TIMESTAMP),
        Value::Text(value) => match *ty {
            Type::CHAR => value.len() <= 1,
            Type::NAME => value.len() < 64,
            Type::BPCHAR => !value.ends_with(' '),
            Type::DATE => !value.contains(':'),
            Type::TIME | Type::TIMETZ => !value.contains('-'),
            // A zone is not kept.
            Type::TIMESTAMP => !value.get(10..).is_some_and(|clock| clock.contains(['+', '-', 'Z', 'z'])),
            _ => digits(value),
        },
        Value::Array(elements) => match ty.kind() {
            Kind::Array(element) => elements
                .iter()
                .all(|value| is_exact(value, if matches!(value, Value::Array(_)) { ty } else { element })),
            _ => true,
        },
        _ => true,
    }
}

impl fmt::Debug for Parameter {
    /// The driver logs parameters by this; they may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let Some(bytes) = &self.bytes else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        match self.format {
            Format::Text => Format::Text,
            Format::Binary => Format::Binary,
        }
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.to_sql(ty, out)
    }
}
