//! The parts of a JSON document, with complaints that never repeat what stands in it.

use super::Mismatch;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Json, Mismatch> {
    // serde_json says where and what it expected, not what it found.
    serde_json::from_str(text).map(Json).map_err(|error| Mismatch(format!("the text is not valid JSON: {error}")))
}

/// A JSON value on its way into a Rust type.
pub(super) struct Json(Value);

impl IntoDeserializer<'_, Mismatch> for Json {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Json {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), ..) => visitor.visit_u64(value),
                (None, Some(value), _) => visitor.visit_i64(value),
                (None, None, Some(value)) => visitor.visit_f64(value),
                (None, None, None) => Err(Mismatch("a JSON number fits no type".to_owned())),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(elements) => {
                let mut elements = SeqDeserializer::new(elements.into_iter().map(Json));
                let out = visitor.visit_seq(&mut elements)?;
                elements.end()?;
                Ok(out)
            }
            Value::Object(fields) => {
                let mut fields = MapDeserializer::new(fields.into_iter().map(|(key, value)| (key, Json(value))));
                let out = visitor.visit_map(&mut fields)?;
                fields.end()?;
                Ok(out)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
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
            Value::String(label) => visitor.visit_enum(label.into_deserializer()),
            Value::Object(fields) => visitor.visit_enum(serde::de::value::MapAccessDeserializer::new(
                MapDeserializer::new(fields.into_iter().map(|(key, value)| (key, Json(value)))),
            )),
            _ => Err(Mismatch("wanted an enum's label, found other JSON".to_owned())),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}
