//! What stands in one place of a row: a value as written, or one to be computed.

use super::node::{Content, Malformed, Node};

/// One cell of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    /// A text, which the column it is for gives a type; `plain` when it stood without quotes.
    Text {
        text: String,
        plain: bool,
    },
    /// A list or a map, for a column that takes one.
    Structure(Node),
    /// `{json: …}`: a document, whatever the column's type.
    Json(serde_json::Value),
    /// `{argon2: secret}`: the hash of a password.
    Argon2(Hidden),
    /// `{now: true}`: the time of the run, in rows that are new.
    Now,
    /// `{days_ago: 7}`: a date, counted back from today.
    DaysAgo(i64),
    /// `{env: NAME}`: a value that the caller gives.
    Env(String),
    /// `{ref: …}`: a column of another row.
    Reference(Box<Reference>),
}

/// A cell that debug output does not show.
#[derive(Clone, PartialEq)]
pub(super) struct Hidden(pub(super) Box<Cell>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// A column of another row, which is found by its key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reference {
    pub(super) table: String,
    /// Columns and values; the values are texts or `{env: …}`.
    pub(super) key: Vec<(String, Cell)>,
    /// What is wanted of the row; what the foreign key points to, or else the primary key, when absent.
    pub(super) column: Option<String>,
}

/// The words for computed values.
pub(super) const WORDS: &str = "argon2, now, days_ago, env, json, ref";

impl Cell {
    /// Reads a value of a row.
    pub(super) fn read(node: &Node) -> Result<Self, Malformed> {
        if node.is_null() {
            return Ok(Cell::Null);
        }
        match &node.content {
            Content::Scalar(text, plain) => Ok(Cell::Text { text: text.clone(), plain: *plain }),
            Content::Map(entries) => match entries.as_slice() {
                [(word, argument)] => match word.scalar() {
                    Some(word) => Self::computed(node, word, argument),
                    None => Ok(Cell::Structure(node.clone())),
                },
                _ => Ok(Cell::Structure(node.clone())),
            },
            Content::List(_) => Ok(Cell::Structure(node.clone())),
        }
    }

    /// A map of one entry: a computed value, where the entry's name is one of the words for it.
    fn computed(node: &Node, word: &str, argument: &Node) -> Result<Self, Malformed> {
        let wanted = |what: &str| error(argument, format!("{word} wants {what}"));
        match word {
            "json" => Ok(Cell::Json(argument.to_json())),
            "now" => match argument.scalar() {
                Some("true") => Ok(Cell::Now),
                _ => Err(wanted("the word true")),
            },
            "days_ago" => argument
                .scalar()
                .and_then(|days| days.parse().ok())
                .map(Cell::DaysAgo)
                .ok_or_else(|| wanted("a whole number of days")),
            "env" => match argument.scalar() {
                Some(name) if !argument.is_null() => Ok(Cell::Env(name.to_owned())),
                _ => Err(wanted("the name of a variable")),
            },
            "argon2" => match Cell::read(argument)? {
                secret @ (Cell::Text { .. } | Cell::Env(_)) => Ok(Cell::Argon2(Hidden(Box::new(secret)))),
                _ => Err(wanted("a text or {env: NAME}")),
            },
            "ref" => Reference::read(argument).map(|reference| Cell::Reference(Box::new(reference))),
            _ => Ok(Cell::Structure(node.clone())),
        }
    }
}

impl Reference {
    fn read(node: &Node) -> Result<Self, Malformed> {
        let usage = "ref wants {table: …, key: {column: value}} and perhaps column: …";
        let Content::Map(entries) = &node.content else { return Err(error(node, usage)) };
        let (mut table, mut key, mut column) = (None, Vec::new(), None);
        for (name, value) in entries {
            match (name.scalar(), &value.content) {
                (Some("table"), Content::Scalar(text, _)) => table = Some(text.clone()),
                (Some("column"), Content::Scalar(text, _)) => column = Some(text.clone()),
                (Some("key"), Content::Map(columns)) => {
                    for (name, value) in columns {
                        let name = name.scalar().ok_or_else(|| error(name, "a column's name is a text"))?;
                        match Cell::read(value)? {
                            cell @ (Cell::Text { .. } | Cell::Env(_)) => key.push((name.to_owned(), cell)),
                            _ => return Err(error(value, "the key of a ref holds texts, numbers or {env: NAME}")),
                        }
                    }
                }
                _ => return Err(error(name, usage)),
            }
        }
        match table {
            Some(table) if !key.is_empty() => Ok(Self { table, key, column }),
            _ => Err(error(node, usage)),
        }
    }
}

fn error(node: &Node, message: impl Into<String>) -> Malformed {
    Malformed { message: message.into(), line: node.line, column: node.column }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::node;
    use super::*;

    fn read(text: &str) -> Result<Cell, Malformed> {
        Cell::read(&node::read(text).unwrap().unwrap())
    }

    fn text(text: &str) -> Cell {
        Cell::Text { text: text.to_owned(), plain: true }
    }

    #[test]
    fn a_map_with_one_known_word_is_computed() {
        assert_eq!(read("{now: true}").unwrap(), Cell::Now);
        assert_eq!(read("{days_ago: -3}").unwrap(), Cell::DaysAgo(-3));
        assert_eq!(read("{env: NAME}").unwrap(), Cell::Env("NAME".to_owned()));
        assert_eq!(read("{argon2: {env: P}}").unwrap(), Cell::Argon2(Hidden(Box::new(Cell::Env("P".to_owned())))));
        assert_eq!(read("{json: {a: 1}}").unwrap(), Cell::Json(serde_json::json!({"a": 1})));
        assert!(matches!(read("{other: 1}").unwrap(), Cell::Structure(_)));
        assert!(matches!(read("{now: true, env: 1}").unwrap(), Cell::Structure(_)));
        let reference = Reference {
            table: "users".to_owned(),
            key: vec![("email".to_owned(), text("a@x"))],
            column: Some("id".to_owned()),
        };
        let cell = read("{ref: {table: users, key: {email: a@x}, column: id}}").unwrap();
        assert_eq!(cell, Cell::Reference(Box::new(reference)));
    }

    #[test]
    fn a_wrong_argument_is_refused_where_it_stands() {
        for (yaml, complaint) in [
            ("{now: 1}", "1:7: now wants the word true"),
            ("{days_ago: soon}", "1:12: days_ago wants a whole number of days"),
            ("{env: ~}", "1:7: env wants the name of a variable"),
            ("{argon2: [x]}", "1:10: argon2 wants a text or {env: NAME}"),
            ("{ref: users}", "1:7: ref wants {table: …, key: {column: value}} and perhaps column: …"),
            ("{ref: {table: users}}", "1:7: ref wants {table: …, key: {column: value}} and perhaps column: …"),
        ] {
            let error = read(yaml).unwrap_err();
            assert_eq!(format!("{}:{}: {}", error.line, error.column, error.message), complaint);
        }
    }
}
