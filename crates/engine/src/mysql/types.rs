//! Values on their way to the server and back, exact in both directions.

use crate::{Column, Error, ErrorKind, Result, Row};
use dbkeep_sql::{Bits, Date, DateTime, Decimal, Time, Value};
use mysql_async::consts::{ColumnFlags, ColumnType};
use std::str::FromStr;
use std::sync::Arc;

/// The number of the character set that means "bytes".
const BINARY: u16 = 63;

/// The columns of a result, and how each one's values are read.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    columns: Arc<[Column]>,
    kinds: Arc<[Kind]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    UInt,
    Float,
    Double,
    Decimal,
    Text,
    Bytes,
    Bit(usize),
    Date,
    DateTime,
    Timestamp,
    Time,
    Json,
}

impl Shape {
    /// Reads the server's description of a result. `utc` tells that the session's clock shows UTC.
    pub(super) fn new(columns: &[mysql_async::Column], utc: bool) -> Self {
        Self {
            columns: columns.iter().map(|column| Column::new(column.name_str(), type_name(column))).collect(),
            kinds: columns.iter().map(|column| Kind::of(column, utc)).collect(),
        }
    }

    pub(super) fn columns(&self) -> &Arc<[Column]> {
        &self.columns
    }

    /// Reads a row of either protocol.
    pub(super) fn row(&self, row: mysql_async::Row) -> Result<Row> {
        let values = row.unwrap();
        if values.len() != self.kinds.len() {
            return Err(Error::new(ErrorKind::ConnectionLost, "a row does not have the columns that were announced"));
        }
        let values = values
            .into_iter()
            .zip(&*self.kinds)
            .enumerate()
            .map(|(at, (value, kind))| {
                kind.read(value).map_err(|problem| {
                    Error::new(ErrorKind::Decode, format!("column {:?}: {problem}", self.columns[at].name)).with_hint(
                        "CAST(… AS BINARY) and CONVERT(… USING utf8mb4) make bytes of text and text of bytes",
                    )
                })
            })
            .collect::<Result<_>>()?;
        Ok(Row::new(self.columns.clone(), values))
    }
}

impl Kind {
    fn of(column: &mysql_async::Column, utc: bool) -> Self {
        use ColumnType::*;
        let unsigned = column.flags().contains(ColumnFlags::UNSIGNED_FLAG);
        match column.column_type() {
            MYSQL_TYPE_YEAR => Kind::Int,
            MYSQL_TYPE_TINY | MYSQL_TYPE_SHORT | MYSQL_TYPE_INT24 | MYSQL_TYPE_LONG | MYSQL_TYPE_LONGLONG => {
                if unsigned { Kind::UInt } else { Kind::Int }
            }
            MYSQL_TYPE_FLOAT => Kind::Float,
            MYSQL_TYPE_DOUBLE => Kind::Double,
            MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => Kind::Decimal,
            MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE => Kind::Date,
            MYSQL_TYPE_DATETIME | MYSQL_TYPE_DATETIME2 => Kind::DateTime,
            // In another zone the same text may stand for two instants: only UTC is unambiguous.
            MYSQL_TYPE_TIMESTAMP | MYSQL_TYPE_TIMESTAMP2 => {
                if utc {
                    Kind::Timestamp
                } else {
                    Kind::DateTime
                }
            }
            MYSQL_TYPE_TIME | MYSQL_TYPE_TIME2 => Kind::Time,
            MYSQL_TYPE_BIT => Kind::Bit(column.column_length() as usize),
            MYSQL_TYPE_JSON => Kind::Json,
            MYSQL_TYPE_GEOMETRY | MYSQL_TYPE_VECTOR => Kind::Bytes,
            _ if column.flags().intersects(ColumnFlags::ENUM_FLAG | ColumnFlags::SET_FLAG) => Kind::Text,
            _ if column.character_set() == BINARY => Kind::Bytes,
            _ => Kind::Text,
        }
    }

    fn read(self, value: mysql_async::Value) -> Result<Value, String> {
        use mysql_async::Value as Wire;
        Ok(match (self, value) {
            (_, Wire::NULL) => Value::Null,
            (Kind::Int, Wire::Int(number)) => Value::Int(number),
            (Kind::Int, Wire::UInt(number)) => i64::try_from(number).map_or(Value::UInt(number), Value::Int),
            (Kind::UInt, Wire::UInt(number)) => Value::UInt(number),
            (Kind::UInt, Wire::Int(number)) => u64::try_from(number).map_or(Value::Int(number), Value::UInt),
            (_, Wire::Int(number)) => Value::Int(number),
            (_, Wire::UInt(number)) => Value::UInt(number),
            (_, Wire::Float(number)) => Value::Float(number),
            (_, Wire::Double(number)) => Value::Double(number),
            (Kind::Date, Wire::Date(year, month, day, ..)) => Value::Date(Date::new(year.into(), month, day)),
            (kind, Wire::Date(year, month, day, hour, minute, second, micro)) => {
                let moment = DateTime::new(Date::new(year.into(), month, day), hour, minute, second, micro);
                if kind == Kind::Timestamp { Value::Timestamp(moment) } else { Value::DateTime(moment) }
            }
            (_, Wire::Time(negative, days, hours, minute, second, microsecond)) => Value::Time(Time {
                negative,
                hour: days.saturating_mul(24).saturating_add(hours.into()),
                minute,
                second,
                microsecond,
            }),
            (kind, Wire::Bytes(bytes)) => kind.read_bytes(bytes)?,
        })
    }

    fn read_bytes(self, bytes: Vec<u8>) -> Result<Value, String> {
        Ok(match self {
            Kind::Bytes => Value::Bytes(bytes),
            Kind::Bit(len) => Value::Bit(Bits::from_right_aligned(len, &bytes)),
            Kind::Text => Value::from(text(bytes)?),
            Kind::Json => Value::Json(text(bytes)?.into()),
            Kind::Int => Value::Int(parse(bytes)?),
            Kind::UInt => Value::UInt(parse(bytes)?),
            Kind::Float => Value::Float(parse(bytes)?),
            Kind::Double => Value::Double(parse(bytes)?),
            Kind::Decimal => Value::Decimal(parse::<Decimal>(bytes)?),
            Kind::Date => Value::Date(parse(bytes)?),
            Kind::DateTime => Value::DateTime(parse(bytes)?),
            Kind::Timestamp => Value::Timestamp(parse(bytes)?),
            Kind::Time => Value::Time(parse(bytes)?),
        })
    }
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        format!("wanted text, found bytes that are no UTF-8 from byte {} on", error.utf8_error().valid_up_to())
    })
}

fn parse<T: FromStr>(bytes: Vec<u8>) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text(bytes)?.parse().map_err(|error: T::Err| error.to_string())
}

/// The type in the server's words, as far as a result tells: lengths and the difference of TEXT and BLOB sizes it does not.
fn type_name(column: &mysql_async::Column) -> String {
    use ColumnType::*;
    let flags = column.flags();
    let binary = column.character_set() == BINARY;
    let choose = |bytes: &'static str, text: &'static str| if binary { bytes } else { text };
    let name = match column.column_type() {
        MYSQL_TYPE_TINY => "tinyint",
        MYSQL_TYPE_SHORT => "smallint",
        MYSQL_TYPE_INT24 => "mediumint",
        MYSQL_TYPE_LONG => "int",
        MYSQL_TYPE_LONGLONG => "bigint",
        MYSQL_TYPE_YEAR => return "year".to_owned(),
        MYSQL_TYPE_FLOAT => "float",
        MYSQL_TYPE_DOUBLE => "double",
        MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => "decimal",
        MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE => return "date".to_owned(),
        MYSQL_TYPE_DATETIME | MYSQL_TYPE_DATETIME2 => return "datetime".to_owned(),
        MYSQL_TYPE_TIMESTAMP | MYSQL_TYPE_TIMESTAMP2 => return "timestamp".to_owned(),
        MYSQL_TYPE_TIME | MYSQL_TYPE_TIME2 => return "time".to_owned(),
        MYSQL_TYPE_BIT => return "bit".to_owned(),
        MYSQL_TYPE_JSON => "json",
        MYSQL_TYPE_GEOMETRY => "geometry",
        MYSQL_TYPE_VECTOR => "vector",
        MYSQL_TYPE_NULL => "null",
        _ if flags.contains(ColumnFlags::ENUM_FLAG) => "enum",
        _ if flags.contains(ColumnFlags::SET_FLAG) => "set",
        MYSQL_TYPE_STRING => choose("binary", "char"),
        MYSQL_TYPE_VAR_STRING | MYSQL_TYPE_VARCHAR => choose("varbinary", "varchar"),
        _ => choose("blob", "text"),
    };
    if flags.contains(ColumnFlags::UNSIGNED_FLAG) { format!("{name} unsigned") } else { name.to_owned() }
}

/// Makes a parameter of a value.
///
/// # Errors
/// `InvalidValue` for what these servers have no type for.
pub(super) fn parameter(value: &Value, utc: bool) -> Result<mysql_async::Value> {
    use mysql_async::Value as Wire;
    let refused = |message: &str, hint: &str| Err(Error::new(ErrorKind::InvalidValue, message).with_hint(hint));
    Ok(match value {
        Value::Null => Wire::NULL,
        Value::Bool(flag) => Wire::Int((*flag).into()),
        Value::Int(number) => Wire::Int(*number),
        Value::UInt(number) => Wire::UInt(*number),
        Value::Float(number) if number.is_finite() => Wire::Float(*number),
        Value::Double(number) if number.is_finite() => Wire::Double(*number),
        Value::Float(_) | Value::Double(_) => {
            return refused("MySQL and MariaDB store no NaN and no infinity", "NULL is what stands for no number");
        }
        Value::Decimal(number) if !number.is_finite() => {
            return refused("MySQL and MariaDB store no NaN and no infinity", "NULL is what stands for no number");
        }
        Value::Decimal(number) => Wire::Bytes(number.as_str().into()),
        Value::Text(text) | Value::Json(text) => Wire::Bytes(text.as_bytes().into()),
        Value::Bytes(bytes) => Wire::Bytes(bytes.clone()),
        // As a number: as a string of bytes it would be stored well, but compared as text.
        Value::Bit(bits) if bits.len() <= 64 => {
            Wire::UInt(bits.iter().fold(0, |number, bit| number << 1 | u64::from(bit)))
        }
        Value::Bit(_) => return refused("MySQL and MariaDB know at most 64 bits in a BIT", "a VARBINARY holds more"),
        Value::Date(date) => moment(&DateTime::new(*date, 0, 0, 0, 0))?,
        Value::DateTime(value) => moment(value)?,
        Value::Timestamp(value) if utc => moment(value)?,
        Value::Timestamp(_) => {
            return refused(
                "an instant can only be sent where the session's time_zone is UTC",
                "leave time_zone at +00:00, or send a date and time without a zone",
            );
        }
        Value::Time(time) => Wire::Time(
            time.negative,
            time.hour / 24,
            u8::try_from(time.hour % 24).unwrap_or(0),
            time.minute,
            time.second,
            time.microsecond,
        ),
        Value::Uuid(uuid) => Wire::Bytes(uuid.hyphenated().to_string().into_bytes()),
        Value::Interval(_) => return refused("MySQL and MariaDB store no intervals", "store months, days or seconds"),
        Value::Array(_) => {
            return refused(
                "MySQL and MariaDB store no arrays",
                "one placeholder for each element, or a JSON document",
            );
        }
        other => return refused(&format!("a {} cannot be a parameter here", other.type_name()), "send it as text"),
    })
}

fn moment(value: &DateTime) -> Result<mysql_async::Value> {
    let year = u16::try_from(value.date.year)
        .ok()
        .filter(|year| *year <= 9999)
        .ok_or_else(|| Error::new(ErrorKind::InvalidValue, "MySQL and MariaDB know the years 0 to 9999 only"))?;
    let DateTime { date, hour, minute, second, microsecond } = *value;
    Ok(mysql_async::Value::Date(year, date.month, date.day, hour, minute, second, microsecond))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mysql_async::Value as Wire;

    #[test]
    fn text_and_binary_protocol_read_alike() {
        for (kind, text, binary) in [
            (Kind::UInt, "18446744073709551615", Wire::UInt(u64::MAX)),
            (Kind::Int, "-9223372036854775808", Wire::Int(i64::MIN)),
            (Kind::Date, "0000-00-00", Wire::Date(0, 0, 0, 0, 0, 0, 0)),
            (Kind::DateTime, "2024-02-29 23:59:59.000001", Wire::Date(2024, 2, 29, 23, 59, 59, 1)),
            (Kind::Timestamp, "1970-01-01 00:00:01", Wire::Date(1970, 1, 1, 0, 0, 1, 0)),
            (Kind::Time, "-838:59:59", Wire::Time(true, 34, 22, 59, 59, 0)),
            (Kind::Double, "1.5", Wire::Double(1.5)),
        ] {
            let from_text = kind.read(Wire::Bytes(text.as_bytes().to_vec())).unwrap();
            assert_eq!(from_text, kind.read(binary).unwrap(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_stored_is_refused_before_it_is_sent() {
        for value in [
            Value::Double(f64::NAN),
            Value::Decimal("Infinity".parse().unwrap()),
            Value::Array(vec![]),
            Value::Interval(Default::default()),
            Value::Date(Date::new(-1, 1, 1)),
            Value::Date(Date::new(10_000, 1, 1)),
        ] {
            assert_eq!(parameter(&value, true).unwrap_err().kind(), ErrorKind::InvalidValue, "{value:?}");
        }
        assert!(parameter(&Value::Timestamp(DateTime::default()), false).is_err());
    }

    #[test]
    fn bytes_that_are_no_text_say_so() {
        let problem = Kind::Text.read(Wire::Bytes(vec![b'a', 0xff])).unwrap_err();
        assert_eq!(problem, "wanted text, found bytes that are no UTF-8 from byte 1 on");
    }
}
