//! Rows into Rust types through serde: structs by column name, tuples by position.

use crate::row::{called, listed, null};
use crate::{Column, Error, ErrorKind, Result, Row};
use dbkeep_sql::Value;
use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use std::fmt;

mod json;

pub(crate) fn row<T: DeserializeOwned>(row: &Row) -> Result<T> {
    let mut trail = None;
    T::deserialize(RowDeserializer { row, at: &mut trail }).map_err(|mismatch: Mismatch| {
        let message = match trail {
            Some(at) if row.values()[at].is_null() && mismatch.0.ends_with("found null") => {
                null(&called(row.columns(), at))
            }
            Some(at) => format!("{}: {mismatch}", called(row.columns(), at)),
            None => mismatch.to_string(),
        };
        Error::new(ErrorKind::Decode, message).with_hint(listed(row.columns()))
    })
}

/// Why a value does not fit: types and places, never what the row holds.
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

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self(format!("wanted {wanted}, found {}", kind(found)))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self(format!("wanted {wanted}, found {} (out of range)", kind(found)))
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self(format!("wanted one of the labels {}, found another", known.join(", ")))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self(format!("there is no field for column {name:?}; the fields are {}", known.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("no column {field:?} in this result"))
    }
}

/// What was found, without its value: errors end up in logs.
fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "float",
        Unexpected::Char(_) | Unexpected::Str(_) => "text",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "array",
        Unexpected::Map => "object",
        _ => "something else",
    }
}

/// Types that stand for one value ask the only column for it.
macro_rules! one_column {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            self.only()?.$method(visitor)
        }
    )*};
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
        if let [value @ (Value::Bytes(_) | Value::Array(_))] = self.row.values() {
            *self.at = Some(0);
            return ValueDeserializer(value).deserialize_seq(visitor);
        }
        visitor.visit_seq(Cells { row: self.row, next: 0, at: self.at })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Mismatch> {
        let found = self.row.values().len();
        if found != len {
            return Err(Mismatch(format!("wanted {len} columns, found {found}")));
        }
        visitor.visit_seq(Cells { row: self.row, next: 0, at: self.at })
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

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }

    one_column! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
    }

    forward_to_deserialize_any! {
        unit unit_struct identifier ignored_any
    }
}

impl<'r> RowDeserializer<'r, '_> {
    /// The value of a row that has one column, for types that stand for one value.
    fn only(self) -> Result<ValueDeserializer<'r>, Mismatch> {
        match self.row.values() {
            [value] => {
                *self.at = Some(0);
                Ok(ValueDeserializer(value))
            }
            several => Err(Mismatch(format!("wanted one column, found {}", several.len()))),
        }
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
    fn text(self) -> Option<&'de str> {
        match self.0 {
            Value::Text(text) | Value::Json(text) => Some(text),
            _ => None,
        }
    }
}

/// An exact number may be asked for as an integer, as SUM() of integers is a decimal on most engines.
macro_rules! whole {
    ($($method:ident $type:ty => $visit:ident),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.0 {
                Value::Decimal(number) => match number.as_str().parse::<$type>() {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => Err(Mismatch(
                        concat!("wanted ", stringify!($type), ", found decimal (not a whole number in range)").to_owned(),
                    )),
                },
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
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
            Value::Json(value) => json::parse(value)?.deserialize_any(visitor),
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
            Value::Text(text) => json::parse(text)?.deserialize_any(visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.text() {
            // JSON is text on engines without a JSON type.
            Some(text) => json::parse(text)?.deserialize_any(visitor),
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
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Text(label) => visitor.visit_enum(label.as_str().into_deserializer()),
            Value::Json(text) => json::parse(text)?.deserialize_enum(name, variants, visitor),
            other => Err(Mismatch(format!("wanted an enum's label, found {}", other.type_name()))),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    whole! {
        deserialize_i8 i8 => visit_i8, deserialize_i16 i16 => visit_i16, deserialize_i32 i32 => visit_i32,
        deserialize_i64 i64 => visit_i64, deserialize_i128 i128 => visit_i128, deserialize_u8 u8 => visit_u8,
        deserialize_u16 u16 => visit_u16, deserialize_u32 u32 => visit_u32, deserialize_u64 u64 => visit_u64,
        deserialize_u128 u128 => visit_u128,
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Decimal(_) => Err(Mismatch("wanted a float, found decimal, which a float cannot hold".to_owned())),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        char bytes byte_buf unit unit_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

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
        assert_eq!(error.to_string(), r#"column "id": wanted u64, found text"#);
        let error = sample(&user()[1..]).decode::<User>().unwrap_err();
        assert_eq!(error.to_string(), r#"no column "id" in this result"#);
        let error = sample(&[("n", Value::Int(-1))]).decode::<(u8,)>().unwrap_err();
        assert_eq!(error.to_string(), r#"column "n": wanted u8, found integer (out of range)"#);
        let error = sample(&[("n", Value::Int(1))]).get::<String>("n").unwrap_err();
        assert_eq!(error.to_string(), r#"column "n": wanted text, found integer"#);
        const NULL: &str = r#"column "n" is NULL; read it as Option<…>"#;
        let null = sample(&[("n", Value::Null)]);
        assert_eq!(null.get::<String>("n").unwrap_err().to_string(), NULL);
        assert_eq!(null.decode::<i64>().unwrap_err().to_string(), NULL);
        assert_eq!(null.decode::<(String,)>().unwrap_err().to_string(), NULL);
        for name in ["coalesce(max(a), 'x')", "?column?", ""] {
            let row = sample(&[("a", Value::Int(1)), (name, Value::Null)]);
            let error = row.decode::<(i64, String)>().unwrap_err();
            assert_eq!(error.to_string(), "column number 1 is NULL; read it as Option<…>");
            assert_eq!(error.hint(), Some("the columns are: a, number 1"));
            let row = sample(&[("a", Value::Int(1)), (name, Value::Int(2))]);
            let error = row.get::<String>(1).unwrap_err();
            assert_eq!(error.to_string(), "column number 1: wanted text, found integer");
        }
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

    #[test]
    fn an_error_never_repeats_what_the_row_holds() {
        const SECRET: &str = "hunter2";
        let texts = [Value::Text(SECRET.into()), Value::Json(format!("{SECRET:?}").into()), Value::Json(SECRET.into())];
        for value in texts {
            let row = sample(&[("c", value)]);
            for error in [
                row.decode::<(u8,)>().unwrap_err(),
                row.decode::<(Role,)>().unwrap_err(),
                row.decode::<(bool,)>().unwrap_err(),
                row.decode::<(BTreeMap<String, i32>,)>().unwrap_err(),
                row.decode::<((i32, i32),)>().unwrap_err(),
                row.decode::<i64>().unwrap_err(),
            ] {
                let (shown, debug) = (error.to_string(), format!("{error:?}"));
                assert!(!shown.contains(SECRET) && !debug.contains(SECRET), "{shown} {debug}");
            }
        }
        let json = sample(&[("c", Value::Json(format!(r#"{{"a": ["x", {SECRET:?}]}}"#).into()))]);
        let error = json.decode::<(BTreeMap<String, Vec<u8>>,)>().unwrap_err();
        assert_eq!(error.to_string(), r#"column "c": wanted u8, found text"#);
        let error = sample(&[("role", Value::Text("owner".into()))]).decode::<(Role,)>().unwrap_err();
        assert_eq!(error.to_string(), r#"column "role": wanted one of the labels admin, member, found another"#);
    }

    #[test]
    fn an_exact_whole_number_may_be_an_integer_and_no_other_decimal() {
        let sum = |text: &str| sample(&[("sum", Value::Decimal(text.parse().unwrap()))]);
        assert_eq!(sum("18446744073709551615").decode::<(u64,)>().unwrap(), (u64::MAX,));
        assert_eq!(sum("18446744073709551616").decode::<u128>().unwrap(), 18_446_744_073_709_551_616);
        assert_eq!(
            sum("1.5").decode::<i64>().unwrap_err().to_string(),
            r#"column "sum": wanted i64, found decimal (not a whole number in range)"#
        );
        assert_eq!(
            sum("1.5").decode::<f64>().unwrap_err().to_string(),
            r#"column "sum": wanted a float, found decimal, which a float cannot hold"#
        );
    }

    #[test]
    fn one_column_of_bytes_or_an_array_is_a_list() {
        assert_eq!(sample(&[("b", Value::Bytes(vec![1, 2]))]).decode::<Vec<u8>>().unwrap(), [1, 2]);
        let array = Value::Array(vec![Value::Int(1), Value::Null]);
        assert_eq!(sample(&[("a", array)]).decode::<Vec<Option<i32>>>().unwrap(), [Some(1), None]);
        assert_eq!(sample(&[("a", Value::Int(1)), ("b", Value::Int(2))]).decode::<Vec<i32>>().unwrap(), [1, 2]);
        let error = sample(&[("a", Value::Int(1)), ("b", Value::Int(2))]).decode::<i32>().unwrap_err();
        assert_eq!(error.to_string(), "wanted one column, found 2");
    }
}
