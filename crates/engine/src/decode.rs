//! Rows into Rust types through serde: structs by column name, tuples by position.

use crate::{Column, Error, ErrorKind, Result, Row};
use dbkeep_sql::Value;
use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::fmt;

pub(crate) fn row<T: DeserializeOwned>(row: &Row) -> Result<T> {
    let mut trail = None;
    T::deserialize(RowDeserializer { row, at: &mut trail }).map_err(|mismatch: Mismatch| {
        let message = match trail {
            Some(at) => format!("column {:?}: {mismatch}", row.columns()[at].name),
            None => mismatch.to_string(),
        };
        let there: Vec<_> = row.columns().iter().map(|column| column.name.as_str()).collect();
        Error::new(ErrorKind::Decode, message).with_hint(format!("the columns are: {}", there.join(", ")))
    })
}

/// Why a value does not fit, in serde's words.
#[derive(Debug)]
struct Mismatch(String);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn invalid_type(found: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self(format!("wanted {wanted}, found {found}"))
    }

    fn invalid_value(found: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self(format!("wanted {wanted}, found {found} (out of range)"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("no column {field:?} in this result"))
    }
}

/// A row, remembering which column is being read when an error happens.
struct RowDeserializer<'r, 't> {
    row: &'r Row,
    at: &'t mut Option<usize>,
}

impl<'de> Deserializer<'de> for RowDeserializer<'de, '_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if let ([value], [_]) = (self.row.values(), self.row.columns().as_ref()) {
            *self.at = Some(0);
            return ValueDeserializer(value).deserialize_any(visitor);
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Cells { row: self.row, next: 0, at: self.at })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_seq(Cells { row: self.row, next: 0, at: self.at })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Mismatch> {
        let found = self.row.values().len();
        if found != len {
            return Err(Mismatch(format!("wanted {len} columns, found {found}")));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.row.values() {
            [Value::Null] => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct enum
        identifier ignored_any
    }
}

struct Cells<'r, 't> {
    row: &'r Row,
    next: usize,
    at: &'t mut Option<usize>,
}

impl Cells<'_, '_> {
    fn column(&self) -> Option<&Column> {
        self.row.columns().get(self.next)
    }
}

impl<'de> MapAccess<'de> for Cells<'de, '_> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mismatch> {
        *self.at = None;
        let Some(column) = self.column() else { return Ok(None) };
        let name: StrDeserializer<'_, Mismatch> = column.name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Mismatch> {
        *self.at = Some(self.next);
        let value = &self.row.values()[self.next];
        self.next += 1;
        seed.deserialize(ValueDeserializer(value))
    }
}

impl<'de> SeqAccess<'de> for Cells<'de, '_> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mismatch> {
        let Some(value) = self.row.values().get(self.next) else { return Ok(None) };
        *self.at = Some(self.next);
        self.next += 1;
        seed.deserialize(ValueDeserializer(value)).map(Some)
    }
}

/// One value. Types that have no counterpart in serde's model go as their text.
#[derive(Clone, Copy)]
struct ValueDeserializer<'v>(&'v Value);

impl<'de> IntoDeserializer<'de, Mismatch> for ValueDeserializer<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> ValueDeserializer<'de> {
    /// A JSON document, for whoever wants its parts; its text stays a text.
    fn json(text: &str) -> Result<serde_json::Value, Mismatch> {
        serde_json::from_str(text).map_err(|error| Mismatch(format!("the text is not valid JSON: {error}")))
    }

    fn text(self) -> Option<&'de str> {
        match self.0 {
            Value::Text(text) | Value::Json(text) => Some(text),
            _ => None,
        }
    }
}

fn json_error(error: serde_json::Error) -> Mismatch {
    Mismatch(error.to_string())
}

impl<'de> Deserializer<'de> for ValueDeserializer<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::UInt(value) => visitor.visit_u64(*value),
            Value::Float(value) => visitor.visit_f32(*value),
            Value::Double(value) => visitor.visit_f64(*value),
            Value::Text(value) => visitor.visit_borrowed_str(value),
            Value::Json(value) => Self::json(value)?.deserialize_any(visitor).map_err(json_error),
            Value::Bytes(value) => visitor.visit_borrowed_bytes(value),
            Value::Array(elements) => visitor.visit_seq(SeqDeserializer::new(elements.iter().map(ValueDeserializer))),
            Value::Decimal(value) => visitor.visit_borrowed_str(value.as_str()),
            Value::Date(value) => visitor.visit_string(value.to_string()),
            Value::Time(value) => visitor.visit_string(value.to_string()),
            Value::DateTime(value) => visitor.visit_string(value.to_string().replacen(' ', "T", 1)),
            Value::Timestamp(value) => visitor.visit_string(format!("{}Z", value.to_string().replacen(' ', "T", 1))),
            Value::Interval(value) => visitor.visit_string(value.to_string()),
            Value::Bit(value) => visitor.visit_string(value.to_string()),
            Value::Uuid(value) => visitor.visit_string(value.to_string()),
            other => Err(Mismatch(format!("a {} has no form in Rust yet", other.type_name()))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            // Two of our engines have no boolean type: 0 and 1 stand for it.
            Value::Int(value @ (0 | 1)) => visitor.visit_bool(*value == 1),
            Value::UInt(value @ (0 | 1)) => visitor.visit_bool(*value == 1),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.text() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_string(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            // `Vec<u8>` asks for a sequence.
            Value::Bytes(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied())),
            Value::Text(text) => Self::json(text)?.deserialize_any(visitor).map_err(json_error),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.text() {
            // JSON is text on engines without a JSON type.
            Some(text) => Self::json(text)?.deserialize_any(visitor).map_err(json_error),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Text(label) => visitor.visit_enum(label.as_str().into_deserializer()),
            Value::Json(text) => match Self::json(text)? {
                serde_json::Value::String(label) => visitor.visit_enum(label.into_deserializer()),
                serde_json::Value::Object(fields) => visitor.visit_enum(de::value::MapAccessDeserializer::new(
                    MapDeserializer::new(fields.into_iter().map(|(key, value)| (key, JsonValue(value)))),
                )),
                _ => Err(Mismatch("wanted an enum, found other JSON".to_owned())),
            },
            other => Err(Mismatch(format!("wanted an enum's label, found {}", other.type_name()))),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// A JSON value whose errors are ours.
struct JsonValue(serde_json::Value);

impl<'de> IntoDeserializer<'de, Mismatch> for JsonValue {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for JsonValue {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.0.deserialize_any(visitor).map_err(json_error)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbkeep_sql::{Date, Decimal};
    use serde::Deserialize;
    use std::collections::BTreeMap;

    fn sample(cells: &[(&str, Value)]) -> Row {
        let columns = cells.iter().map(|(name, _)| Column::new(*name, "")).collect();
        Row::new(columns, cells.iter().map(|(_, value)| value.clone()).collect())
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Role {
        Admin,
        Member,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct User {
        id: u64,
        name: Option<String>,
        role: Role,
        fee: Decimal,
        born: Date,
        active: bool,
        settings: BTreeMap<String, i32>,
        photo: Vec<u8>,
    }

    fn user() -> Vec<(&'static str, Value)> {
        vec![
            ("id", Value::UInt(u64::MAX)),
            ("name", Value::Null),
            ("role", Value::Text("admin".into())),
            ("fee", Value::Decimal("129.90".parse().unwrap())),
            ("born", Value::Date(Date::new(2010, 2, 28))),
            ("active", Value::Int(1)),
            ("settings", Value::Text(r#"{"theme": 3}"#.into())),
            ("photo", Value::Bytes(vec![0, 255])),
            ("extra", Value::Bool(true)),
        ]
    }

    #[test]
    fn a_struct_is_filled_by_column_name() {
        let user: User = sample(&user()).decode().unwrap();
        assert_eq!(
            user,
            User {
                id: u64::MAX,
                name: None,
                role: Role::Admin,
                fee: "129.90".parse().unwrap(),
                born: Date::new(2010, 2, 28),
                active: true,
                settings: BTreeMap::from([("theme".into(), 3)]),
                photo: vec![0, 255],
            }
        );
        let _ = Role::Member;
    }

    #[test]
    fn an_error_names_column_wanted_and_found() {
        let mut cells = user();
        cells[0].1 = Value::Text("seven".into());
        let error = sample(&cells).decode::<User>().unwrap_err();
        assert_eq!(error.to_string(), r#"column "id": wanted u64, found string "seven""#);
        let error = sample(&user()[1..]).decode::<User>().unwrap_err();
        assert_eq!(error.to_string(), r#"no column "id" in this result"#);
        let error = sample(&[("n", Value::Int(-1))]).decode::<(u8,)>().unwrap_err();
        assert_eq!(error.to_string(), r#"column "n": wanted u8, found integer `-1` (out of range)"#);
        let error = sample(&[("n", Value::Int(1))]).get::<String>("n").unwrap_err();
        assert_eq!(error.to_string(), r#"column "n": wanted text, found integer"#);
        let error = sample(&[("n", Value::Int(1))]).get::<String>("m").unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.hint()),
            (r#"no column "m" in this result"#, Some("the columns are: n"))
        );
    }

    #[test]
    fn tuples_go_by_position_and_one_column_stands_for_itself() {
        let row = sample(&[("a", Value::Int(1)), ("b", Value::Text("x".into()))]);
        assert_eq!(row.decode::<(i64, String)>().unwrap(), (1, "x".into()));
        assert_eq!(row.decode::<(i64,)>().unwrap_err().to_string(), "wanted 1 columns, found 2");
        assert_eq!(sample(&[("a", Value::Int(1))]).decode::<i64>().unwrap(), 1);
        assert_eq!(sample(&[("a", Value::Null)]).decode::<Option<i64>>().unwrap(), None);
        let map: BTreeMap<String, serde_json::Value> = row.decode().unwrap();
        assert_eq!(map["b"], serde_json::json!("x"));
        let json = sample(&[("j", Value::Json("[1,2]".into()))]);
        assert_eq!(json.decode::<(Vec<i32>,)>().unwrap().0, [1, 2]);
        assert_eq!(json.decode::<(String,)>().unwrap().0, "[1,2]");
    }
}
