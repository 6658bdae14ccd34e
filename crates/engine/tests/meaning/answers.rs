//! Questions, and what all engines answer.

use dbkeep_engine::Connection;
use dbkeep_sql::*;

/// What a query gives, a word a value, a line a row; or the clause that the engine does not know.
pub(super) async fn rows(connection: &mut Connection, query: &dyn Compile) -> Result<Vec<String>, String> {
    let compiled = match query.compile(&*connection.dialect()) {
        Ok(compiled) => compiled,
        Err(error) if error.unsupported().is_some() => return Err(error.to_string()),
        Err(error) => return Ok(vec![format!("does not compile: {error}")]),
    };
    Ok(match connection.query(&compiled.sql, &compiled.params).await {
        Ok(rows) => rows.iter().map(|row| row.values().iter().map(word).collect::<Vec<_>>().join(" ")).collect(),
        Err(error) => vec![format!("failed: {error}: {}", compiled.sql)],
    })
}

/// A value as all engines have it: no booleans, no types of time, no scale.
fn word(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(value) => u8::from(*value).to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Decimal(number) => shortest(number.as_str()),
        Value::Text(text) => text.as_str().to_owned(),
        Value::Json(text) => text.as_str().to_owned(),
        Value::Date(date) => date.to_string(),
        Value::DateTime(time) | Value::Timestamp(time) => time.to_string(),
        other => format!("{other:?}"),
    }
}

/// Without zeros at the end of a fraction.
pub(super) fn shortest(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

/// A table of questions and answers, all asked before the first wrong one is told.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) wrong: Vec<String>,
    asked: usize,
    refused: Vec<String>,
}

impl Answers {
    pub(super) async fn ask(
        &mut self,
        connection: &mut Connection,
        query: &dyn Compile,
        expected: &[&str],
        as_read: fn(&str) -> String,
    ) {
        self.asked += 1;
        match rows(connection, query).await {
            Err(refusal) => self.refused.push(refusal),
            Ok(found) => {
                let found: Vec<String> = found.iter().map(|row| as_read(row)).collect();
                let expected: Vec<String> = expected.iter().map(|row| as_read(row)).collect();
                if found != expected {
                    let sql = query.to_raw_sql(&*connection.dialect()).unwrap();
                    self.wrong.push(format!("found {found:?}, expected {expected:?}: {sql}"));
                }
            }
        }
    }

    pub(super) fn end(self, connection: &Connection) {
        let engine = connection.dialect().engine();
        assert!(self.wrong.is_empty(), "{engine}, {} of {}:\n{}", self.wrong.len(), self.asked, self.wrong.join("\n"));
        assert!(self.refused.len() * 2 < self.asked, "{engine} refuses too much: {:?}", self.refused);
    }
}

pub(super) fn as_it_is(text: &str) -> String {
    text.to_owned()
}

/// With the keys of objects in order.
pub(super) fn as_json(text: &str) -> String {
    fn sorted(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(object) => {
                let mut entries: Vec<String> =
                    object.iter().map(|(key, value)| format!("{key:?}:{}", sorted(value))).collect();
                entries.sort();
                format!("{{{}}}", entries.join(","))
            }
            serde_json::Value::Array(list) => format!("[{}]", list.iter().map(sorted).collect::<Vec<_>>().join(",")),
            other => other.to_string(),
        }
    }
    match text {
        "NULL" => "NULL".to_owned(),
        text => serde_json::from_str(text).map_or_else(|_| format!("no JSON: {text}"), |value| sorted(&value)),
    }
}
