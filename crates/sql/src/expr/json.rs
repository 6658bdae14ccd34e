//! Inside of JSON documents.

use super::{Expr, Node};
use crate::{Text, Value};

/// Where in a JSON document something is: keys of objects and positions in arrays, from the outside to the inside.
///
/// A key is one key, whatever it holds: dots, quotes and dollars in it mean nothing. A text is a path of one key, an array of
/// texts one of several; positions are counted from 0.
///
/// ```
/// use dbkeep_sql::JsonPath;
/// assert_eq!(JsonPath::from(["tags", "first"]).to_string(), r#"$."tags"."first""#);
/// assert_eq!(JsonPath::from("tags").index(0).key("a.b").to_string(), r#"$."tags"[0]."a.b""#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct JsonPath(Vec<JsonStep>);

/// One step into a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum JsonStep {
    /// To the value of this key of an object.
    Key(Text),
    /// To this element of an array, from 0.
    Index(u32),
}

impl JsonPath {
    /// The whole document.
    pub fn new() -> Self {
        Self::default()
    }

    /// And there, the value of this key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Text>) -> Self {
        self.0.push(JsonStep::Key(key.into()));
        self
    }

    /// And there, this element, from 0.
    #[must_use]
    pub fn index(mut self, index: u32) -> Self {
        self.0.push(JsonStep::Index(index));
        self
    }

    /// The steps from the outside to the inside.
    pub fn steps(&self) -> &[JsonStep] {
        &self.0
    }

    /// Where arrays have to be for the path to lead anywhere: what stands in front of each position.
    pub fn arrays(&self) -> impl Iterator<Item = JsonPath> {
        let positions = self.0.iter().enumerate().filter(|(_, step)| matches!(step, JsonStep::Index(_)));
        positions.map(|(at, _)| Self(self.0[..at].to_vec()))
    }

    /// Where the innermost step starts from; `None` of the whole document.
    pub fn parent(&self) -> Option<JsonPath> {
        let (_, outer) = self.0.split_last()?;
        Some(Self(outer.to_vec()))
    }
}

/// The path in SQL/JSON's language, each key in quotes, `"` and `\` in it escaped.
impl std::fmt::Display for JsonPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("$")?;
        self.0.iter().try_for_each(|step| match step {
            // Escapes of JSON are those of paths, too.
            JsonStep::Key(key) => write!(f, ".{}", serde_json::Value::from(key.as_str())),
            JsonStep::Index(index) => write!(f, "[{index}]"),
        })
    }
}

impl From<&str> for JsonStep {
    fn from(key: &str) -> Self {
        JsonStep::Key(key.into())
    }
}

impl From<String> for JsonStep {
    fn from(key: String) -> Self {
        JsonStep::Key(key.into())
    }
}

impl From<u32> for JsonStep {
    fn from(index: u32) -> Self {
        JsonStep::Index(index)
    }
}

impl From<&str> for JsonPath {
    fn from(key: &str) -> Self {
        Self(vec![key.into()])
    }
}

impl From<String> for JsonPath {
    fn from(key: String) -> Self {
        Self(vec![key.into()])
    }
}

impl From<u32> for JsonPath {
    fn from(index: u32) -> Self {
        Self(vec![index.into()])
    }
}

impl<T: Into<JsonStep>, const N: usize> From<[T; N]> for JsonPath {
    fn from(steps: [T; N]) -> Self {
        steps.into_iter().collect()
    }
}

impl<T: Into<JsonStep>> FromIterator<T> for JsonPath {
    fn from_iter<I: IntoIterator<Item = T>>(steps: I) -> Self {
        Self(steps.into_iter().map(Into::into).collect())
    }
}

/// Something asked of a JSON document, as dialects spell it.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonNode {
    /// The document.
    pub document: Expr,
    /// Where in it.
    pub path: JsonPath,
    /// What is asked.
    pub question: JsonQuestion,
}

/// What is asked of the place in a JSON document.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum JsonQuestion {
    /// What is there, as JSON; NULL where nothing is.
    Value,
    /// What is there, as text: a string without its quotes. NULL where nothing or JSON's null is.
    Text,
    /// Whether anything is there, JSON's null included.
    Exists,
    /// How many elements the array has that is there; NULL where none is.
    Length,
    /// Whether this string, number, boolean or null is there, or in the array that is there; never NULL.
    Contains(Value),
    /// The document with this value there, at the end of the array where that is shorter. Where the object or array around it is
    /// missing, the document as it is.
    Set(Value),
    /// The document without what is there.
    Remove,
}

impl JsonQuestion {
    /// What it is called, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            JsonQuestion::Value => "json()",
            JsonQuestion::Text => "json_text()",
            JsonQuestion::Exists => "json_has()",
            JsonQuestion::Length => "json_length()",
            JsonQuestion::Contains(_) => "json_contains()",
            JsonQuestion::Set(_) => "json_set()",
            JsonQuestion::Remove => "json_remove()",
        }
    }
}

impl JsonNode {
    pub(super) fn children(&self, visit: &mut dyn FnMut(&Expr)) {
        visit(&self.document);
    }
}

impl Expr {
    /// Of a JSON document: what is at this place, as JSON. NULL where nothing is.
    #[must_use]
    pub fn json(self, path: impl Into<JsonPath>) -> Expr {
        self.ask(path, JsonQuestion::Value)
    }

    /// Of a JSON document: what is at this place, as text; a string without its quotes. NULL where nothing is, and where
    /// JSON's null is.
    #[must_use]
    pub fn json_text(self, path: impl Into<JsonPath>) -> Expr {
        self.ask(path, JsonQuestion::Text)
    }

    /// Of a JSON document: whether anything is at this place, JSON's null included.
    #[must_use]
    pub fn json_has(self, path: impl Into<JsonPath>) -> Expr {
        self.ask(path, JsonQuestion::Exists)
    }

    /// Of a JSON document: how many elements the array at this place has. NULL where no array is.
    #[must_use]
    pub fn json_length(self, path: impl Into<JsonPath>) -> Expr {
        self.ask(path, JsonQuestion::Length)
    }

    /// Of a JSON document: whether this string, number, boolean or null is at this place, or among the elements of the array that
    /// is there, not those of arrays within it. False where nothing is.
    #[must_use]
    pub fn json_contains(self, path: impl Into<JsonPath>, value: impl Into<Value>) -> Expr {
        match value.into() {
            value @ (Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::UInt(_)
            | Value::Float(_)
            | Value::Double(_)
            | Value::Text(_)) => self.ask(path, JsonQuestion::Contains(value)),
            _ => Expr::invalid("json_contains()", "asks for something other than a string, a number or a boolean"),
        }
    }

    /// A JSON document with this value at this place, whose object or array must be there: otherwise it stays as it is. Any
    /// position behind the last element of an array adds one there. Documents are given as [`Value::Json`]; dates and decimals
    /// become strings.
    #[must_use]
    pub fn json_set(self, path: impl Into<JsonPath>, value: impl Into<Value>) -> Expr {
        self.ask(path, JsonQuestion::Set(value.into()))
    }

    /// A JSON document without what is at this place in it.
    #[must_use]
    pub fn json_remove(self, path: impl Into<JsonPath>) -> Expr {
        let path = path.into();
        if path.0.is_empty() {
            return Expr::invalid("json_remove()", "names no place within the document");
        }
        self.ask(path, JsonQuestion::Remove)
    }

    fn ask(self, path: impl Into<JsonPath>, question: JsonQuestion) -> Expr {
        Expr(Node::Json(Box::new(JsonNode { document: self, path: path.into(), question })))
    }
}

/// A value as a JSON document.
pub fn json_of(value: &Value) -> Value {
    Value::Json(json_text_of(value).into())
}

fn json_text_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) if number.is_finite() => number.to_string(),
        Value::Double(number) if number.is_finite() => number.to_string(),
        Value::Json(document) => document.as_str().to_owned(),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(json_text_of).collect();
            format!("[{}]", elements.join(","))
        }
        Value::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        other => {
            // Dates, decimals, bytes and the like, as they read.
            let mut text = String::new();
            crate::literal::write_bare(&mut text, other);
            serde_json::Value::from(text).to_string()
        }
    }
}
