//! What kind of values a column takes: how a text becomes one, and whether a stored one is the same.

use dbkeep_sql::{Bits, Date, DateTime, Decimal, Time, Value};

/// The kinds of values that matter to a text in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Integer,
    /// Digits after the point, where the type limits them.
    Decimal(Option<usize>),
    Float,
    Text,
    Bytes,
    Bit,
    Date,
    Time,
    DateTime,
    /// An instant.
    Timestamp,
    Json,
    Uuid,
    Array(Box<Kind>),
    /// A column without a type, which takes anything.
    Any,
}

impl Kind {
    /// Reads a type as the catalog spells it. What is no type of the standard or near it takes text, which the server judges.
    pub(super) fn of_type(type_name: &str) -> Self {
        let name = type_name.trim().to_ascii_lowercase();
        if let Some(element) = name.strip_suffix("[]") {
            return Kind::Array(Box::new(Kind::of_type(element)));
        }
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        let (word, rest) = name.split_at(end);
        match word {
            "" => Kind::Any,
            "bool" | "boolean" => Kind::Bool,
            "int" | "integer" | "tinyint" | "smallint" | "mediumint" | "bigint" | "int2" | "int4" | "int8" | "year" => {
                Kind::Integer
            }
            "decimal" | "numeric" | "dec" | "fixed" => Kind::Decimal(scale(rest)),
            "real" | "float" | "double" | "float4" | "float8" => Kind::Float,
            "bytea" | "binary" | "varbinary" | "blob" | "tinyblob" | "mediumblob" | "longblob" => Kind::Bytes,
            "bit" | "varbit" => Kind::Bit,
            "date" => Kind::Date,
            "time" if !rest.contains("with time zone") => Kind::Time,
            "datetime" => Kind::DateTime,
            "timestamptz" => Kind::Timestamp,
            "timestamp" if rest.contains("with time zone") => Kind::Timestamp,
            "timestamp" => Kind::DateTime,
            "json" | "jsonb" => Kind::Json,
            "uuid" => Kind::Uuid,
            _ => Kind::Text,
        }
    }

    /// What it is called in a message.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Kind::Bool => "true or false",
            Kind::Integer => "a whole number",
            Kind::Decimal(_) => "a decimal number",
            Kind::Float => "a number",
            Kind::Text => "a text",
            Kind::Bytes => "bytes",
            Kind::Bit => "bits",
            Kind::Date => "a date (2026-11-22)",
            Kind::Time => "a time (12:30:00)",
            Kind::DateTime | Kind::Timestamp => "a date and time (2026-11-22 12:30:00)",
            Kind::Json => "JSON",
            Kind::Uuid => "a UUID",
            Kind::Array(_) => "a list",
            Kind::Any => "a value",
        }
    }

    /// The value a text stands for; the error says what is wanted instead.
    pub(super) fn value(&self, text: &str, plain: bool) -> Result<Value, String> {
        let wanted = || format!("this is not {}", self.describe());
        match self {
            Kind::Bool => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(Value::Bool(true)),
                "false" | "0" => Ok(Value::Bool(false)),
                _ => Err(wanted()),
            },
            Kind::Integer => integer(text).ok_or_else(wanted),
            Kind::Decimal(scale) => {
                let number: Decimal = text.parse().map_err(|_| wanted())?;
                match scale {
                    Some(scale) if fraction(&number).len() > *scale => {
                        Err(format!("this has more than the {scale} digits after the point that the column keeps"))
                    }
                    _ => Ok(Value::Decimal(number)),
                }
            }
            Kind::Float => text.parse().map(Value::Double).map_err(|_| wanted()),
            Kind::Text | Kind::Array(_) => Ok(Value::from(text)),
            Kind::Bytes => match text.strip_prefix("\\x").or_else(|| text.strip_prefix("0x")) {
                Some(digits) => hexadecimal(digits)
                    .map(Value::Bytes)
                    .ok_or_else(|| "these are not hexadecimal digits in pairs".to_owned()),
                None => Ok(Value::Bytes(text.as_bytes().to_vec())),
            },
            Kind::Bit => Bits::parse(text).map(Value::Bit).ok_or_else(wanted),
            Kind::Date => text.parse().map(Value::Date).map_err(|_| wanted()),
            Kind::Time => text.parse().map(Value::Time).map_err(|_| wanted()),
            Kind::DateTime => text.parse().map(Value::DateTime).map_err(|_| wanted()),
            Kind::Timestamp => text.parse().map(Value::Timestamp).map_err(|_| wanted()),
            Kind::Json => match serde_json::from_str::<serde_json::Value>(text) {
                Ok(_) => Ok(Value::Json(text.into())),
                Err(_) => Err(wanted()),
            },
            Kind::Uuid => text.parse().map(Value::Uuid).map_err(|_| wanted()),
            Kind::Any if plain => Ok(integer(text)
                .or_else(|| text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Double))
                .unwrap_or_else(|| Value::from(text))),
            Kind::Any => Ok(Value::from(text)),
        }
    }

    /// A moment as a value of this kind; `None` where it takes none.
    pub(super) fn moment(&self, moment: DateTime) -> Option<Value> {
        match self {
            Kind::Date => Some(Value::Date(moment.date)),
            Kind::Time => {
                Some(Value::Time(Time::new(moment.hour.into(), moment.minute, moment.second, moment.microsecond)))
            }
            Kind::DateTime => Some(Value::DateTime(moment)),
            Kind::Timestamp => Some(Value::Timestamp(moment)),
            Kind::Text | Kind::Any => Some(Value::from(moment.to_string())),
            _ => None,
        }
    }

    /// A day as a value of this kind; `None` where it takes none.
    pub(super) fn day(&self, date: Date) -> Option<Value> {
        match self {
            Kind::Text | Kind::Any => Some(Value::from(date.to_string())),
            Kind::Time => None,
            _ => self.moment(DateTime { date, ..DateTime::default() }),
        }
    }

    /// Whether a stored value is the wanted one. Numbers are compared as numbers, dates as dates, JSON by value.
    pub(super) fn is_same(&self, stored: &Value, wanted: &Value) -> bool {
        if stored.is_null() || wanted.is_null() {
            return stored.is_null() && wanted.is_null();
        }
        if let (Some(stored), Some(wanted)) = (Number::of(stored, self), Number::of(wanted, self)) {
            return stored.equals(&wanted);
        }
        self.canonical(stored) == self.canonical(wanted)
    }

    /// A text that is the same for values that are the same, to look them up by.
    pub(super) fn canonical(&self, value: &Value) -> String {
        if let Some(number) = Number::of(value, self) {
            return number.canonical();
        }
        match (self, value) {
            (_, Value::Json(text)) | (Kind::Json, Value::Text(text)) => serde_json::from_str::<serde_json::Value>(text)
                .map_or_else(|_| text.to_string(), |json| sorted(&json).to_string()),
            (Kind::Date, Value::DateTime(at) | Value::Timestamp(at)) if is_midnight(at) => at.date.to_string(),
            (Kind::Date, Value::Text(text)) => reparsed::<Date>(text),
            (Kind::Time, Value::Text(text)) => reparsed::<Time>(text),
            (Kind::DateTime | Kind::Timestamp, Value::Text(text)) => reparsed::<DateTime>(text),
            (Kind::DateTime | Kind::Timestamp, Value::Date(date)) => {
                DateTime { date: *date, ..DateTime::default() }.to_string()
            }
            (Kind::Uuid, Value::Text(text)) => text.to_ascii_lowercase(),
            (Kind::Bytes, Value::Text(text)) => format!("{:?}", text.as_bytes()),
            (Kind::Array(element), Value::Array(items)) => {
                items.iter().map(|item| element.canonical(item)).collect::<Vec<_>>().join("\0")
            }
            (_, Value::Text(text)) => text.to_string(),
            (_, Value::Bytes(bytes)) => format!("{bytes:?}"),
            (_, Value::Date(date)) => date.to_string(),
            (_, Value::Time(time)) => time.to_string(),
            (_, Value::DateTime(at) | Value::Timestamp(at)) => at.to_string(),
            (_, Value::Uuid(uuid)) => uuid.to_string(),
            (_, Value::Bit(bits)) => bits.to_string(),
            (_, other) => format!("{other:?}"),
        }
    }
}

fn reparsed<T: std::str::FromStr + ToString>(text: &str) -> String {
    text.parse::<T>().map_or_else(|_| text.to_owned(), |value| value.to_string())
}

fn is_midnight(at: &DateTime) -> bool {
    *at == DateTime { date: at.date, ..DateTime::default() }
}

/// The same document with the members of its objects in order.
fn sorted(json: &serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            names
                .into_iter()
                .map(|name| (name.clone(), sorted(&members[name])))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        serde_json::Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn integer(text: &str) -> Option<Value> {
    match text.to_ascii_lowercase().as_str() {
        "true" => return Some(Value::Int(1)),
        "false" => return Some(Value::Int(0)),
        _ => {}
    }
    text.parse().map(Value::Int).or_else(|_| text.parse().map(Value::UInt)).ok()
}

/// The digits after the point that say something.
fn fraction(number: &Decimal) -> &str {
    number.as_str().split_once('.').map_or("", |(_, fraction)| fraction.trim_end_matches('0'))
}

fn scale(rest: &str) -> Option<usize> {
    let arguments = rest.trim().strip_prefix('(')?.split_once(')')?.0;
    match arguments.split_once(',') {
        Some((_, scale)) => scale.trim().parse().ok(),
        None => Some(0),
    }
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// A number from whatever type the server or the file gave it.
enum Number {
    /// In digits, without zeros that say nothing.
    Exact(String),
    Single(f32),
    Double(f64),
}

impl Number {
    fn of(value: &Value, kind: &Kind) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Number::Exact(u8::from(*value).to_string())),
            Value::Int(value) => Some(Number::Exact(value.to_string())),
            Value::UInt(value) => Some(Number::Exact(value.to_string())),
            Value::Decimal(value) => Some(Number::exact(value)),
            Value::Float(value) => Some(Number::Single(*value)),
            Value::Double(value) => Some(Number::Double(*value)),
            Value::Text(text) if matches!(kind, Kind::Integer | Kind::Decimal(_) | Kind::Float) => {
                text.parse().ok().map(|number| Number::exact(&number))
            }
            _ => None,
        }
    }

    fn exact(number: &Decimal) -> Self {
        let text = number.as_str();
        let trimmed = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
        Number::Exact(trimmed.to_owned())
    }

    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Number::Exact(one), Number::Exact(other)) => one == other,
            // A column of single precision keeps no more of the wanted number than this.
            (Number::Single(_), _) | (_, Number::Single(_)) => self.as_f64() as f32 == other.as_f64() as f32,
            _ => self.as_f64() == other.as_f64(),
        }
    }

    fn as_f64(&self) -> f64 {
        match self {
            Number::Exact(text) => text.parse().unwrap_or(f64::NAN),
            Number::Single(number) => f64::from(*number),
            Number::Double(number) => *number,
        }
    }

    fn canonical(&self) -> String {
        match self {
            Number::Exact(text) => text.clone(),
            // 2.0 and 2 are one number.
            Number::Single(number) => number.to_string(),
            Number::Double(number) => number.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn decimal(text: &str) -> Value {
        Value::Decimal(text.parse().unwrap())
    }

    #[test]
    fn types_are_read_as_catalogs_spell_them() {
        for (name, kind) in [
            ("bigint unsigned", Kind::Integer),
            ("tinyint(1)", Kind::Integer),
            ("INTEGER", Kind::Integer),
            ("decimal(10,2) unsigned", Kind::Decimal(Some(2))),
            ("numeric(10, 0)", Kind::Decimal(Some(0))),
            ("numeric", Kind::Decimal(None)),
            ("double precision", Kind::Float),
            ("character varying(60)", Kind::Text),
            ("enum('date','time')", Kind::Text),
            ("timestamp(6) with time zone", Kind::Timestamp),
            ("timestamp without time zone", Kind::DateTime),
            ("datetime(6)", Kind::DateTime),
            ("time with time zone", Kind::Text),
            ("interval", Kind::Text),
            ("jsonb", Kind::Json),
            ("text[]", Kind::Array(Box::new(Kind::Text))),
            ("", Kind::Any),
        ] {
            assert_eq!(Kind::of_type(name), kind, "{name}");
        }
    }

    #[test]
    fn a_text_becomes_a_value_of_the_column() {
        assert_eq!(Kind::Decimal(Some(2)).value("129.90", true), Ok(decimal("129.90")));
        assert_eq!(Kind::Decimal(Some(1)).value("129.90", true), Ok(decimal("129.90")));
        assert_eq!(
            Kind::Decimal(Some(1)).value("129.95", true),
            Err("this has more than the 1 digits after the point that the column keeps".to_owned())
        );
        assert_eq!(Kind::Text.value("007", true), Ok(Value::from("007")));
        assert_eq!(Kind::Integer.value("18446744073709551615", true), Ok(Value::UInt(u64::MAX)));
        assert_eq!(Kind::Integer.value("true", true), Ok(Value::Int(1)));
        assert_eq!(Kind::Integer.value("1.0", true), Err("this is not a whole number".to_owned()));
        assert_eq!(Kind::Bytes.value("\\x00fF", false), Ok(Value::Bytes(vec![0, 255])));
        assert_eq!(Kind::Bytes.value("0x0", false), Err("these are not hexadecimal digits in pairs".to_owned()));
        assert_eq!(Kind::Any.value("1.5", true), Ok(Value::Double(1.5)));
        assert_eq!(Kind::Any.value("1.5", false), Ok(Value::from("1.5")));
        assert_eq!(Kind::Date.value("22.11.2026", true), Err("this is not a date (2026-11-22)".to_owned()));
    }

    #[test]
    fn stored_and_wanted_values_are_compared_by_what_they_mean() {
        let same = |kind: &Kind, stored: Value, wanted: Value| {
            assert!(kind.is_same(&stored, &wanted), "{kind:?} {stored:?} {wanted:?}");
            assert_eq!(kind.is_same(&wanted, &stored), kind.is_same(&stored, &wanted));
        };
        let moment = |text: &str| -> DateTime { text.parse().unwrap() };
        same(&Kind::Decimal(None), decimal("12.50"), decimal("12.5"));
        same(&Kind::Decimal(None), Value::Double(12.5), decimal("12.50"));
        same(&Kind::Decimal(None), Value::Int(3), decimal("3.00"));
        same(&Kind::Float, Value::Float(0.1), Value::Double(0.1));
        same(&Kind::Bool, Value::Int(1), Value::Bool(true));
        same(&Kind::Json, Value::from(r#"{"a":1,"b":[2]}"#), Value::Json(r#"{"b": [2], "a": 1}"#.into()));
        same(&Kind::Date, Value::from("2026-11-22"), Value::Date(Date::new(2026, 11, 22)));
        same(&Kind::DateTime, Value::from("2026-11-22T10:00:00Z"), Value::DateTime(moment("2026-11-22 10:00:00")));
        same(
            &Kind::Timestamp,
            Value::DateTime(moment("2026-11-22 10:00:00")),
            Value::Timestamp(moment("2026-11-22 10:00:00")),
        );
        same(&Kind::Text, Value::Null, Value::Null);
        for (kind, stored, wanted) in [
            (Kind::Text, Value::from("1.0"), Value::from("1")),
            (Kind::Text, Value::Null, Value::from("")),
            (Kind::Integer, Value::Int(0), Value::Null),
            (Kind::Json, Value::from("[1,2]"), Value::Json("[2,1]".into())),
            (Kind::Integer, Value::UInt(u64::MAX), Value::UInt(u64::MAX - 1)),
        ] {
            assert!(!kind.is_same(&stored, &wanted), "{kind:?} {stored:?} {wanted:?}");
        }
    }
}
