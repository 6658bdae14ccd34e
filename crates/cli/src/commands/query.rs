//! `dbkeep query SQL`

use super::{Context, database_name, with_open};
use crate::args::Query;
use crate::config::Environment;
use crate::confirm::confirm;
use crate::error::{Error, Location, Result};
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::table::{counted, table};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use dbkeep::engine::{Column, Location as Place};
use dbkeep::{ErrorKind, Row, RowStream, TransactionOptions, Value};
use serde_json::json;
use std::io::{Read, Write};

pub(super) async fn run(context: &Context, args: &Query) -> Result<ExitCode> {
    let sql = text(&args.sql)?;
    let config = context.config()?;
    let mut settings = config.settings()?.clone();
    if args.write && config.environment == Environment::Production {
        // Elsewhere --write is consent enough.
        let name = database_name(&config)?;
        let what = format!("run a statement that may change data in {name}");
        confirm(&context.output, &config, &context.consent, &what, &name)?;
    }
    if !args.write && settings.options.engine.location() != Place::File {
        // A read-only transaction alone is not enough: a statement that commits before it begins would be free of it.
        settings.options.read_only = true;
    }
    let params = args.params.iter().map(|text| param(text)).collect::<Result<Vec<_>>>()?;
    with_open(context, settings, async |database| execute(context, args, database, &sql, &params).await).await?;
    Ok(ExitCode::Done)
}

async fn execute(
    context: &Context,
    args: &Query,
    database: &dbkeep::Database,
    sql: &str,
    params: &[Value],
) -> Result<()> {
    let mut lease = if args.write { database.acquire().await? } else { database.acquire_read().await? };
    let failed = |error: dbkeep::engine::Error| {
        let kind = error.kind();
        let error = located(error, sql);
        match kind {
            ErrorKind::ReadOnly if !args.write => {
                Error { code: ExitCode::Refused, ..error }.hint("give --write to let the statement change data")
            }
            ErrorKind::InvalidValue if error.hint.is_none() => {
                error.hint("each placeholder takes one -p VALUE, in order")
            }
            _ => error,
        }
    };
    if args.write {
        let mut rows = lease.stream(sql, params).await.map_err(failed)?;
        return print(context, args, &mut rows).await.map_err(|error| error.unwrap(failed));
    }
    // The server itself refuses writes; nothing here tries to tell a statement by its words.
    let mut transaction = lease.transaction_with(&TransactionOptions::default().read_only()).await?;
    let printed = match transaction.stream(sql, params).await {
        Ok(mut rows) => print(context, args, &mut rows).await.map_err(|error| error.unwrap(failed)),
        Err(error) => Err(failed(error)),
    };
    let ended = transaction.rollback().await;
    printed?;
    ended.map_err(Error::from)
}

/// A parameter: a text as it is, or any value as JSON after `json:`.
fn param(text: &str) -> Result<Value> {
    let Some(json) = text.strip_prefix("json:") else { return Ok(Value::from(text)) };
    let wrong = |why: String| {
        Error::usage(format!("the parameter {text:?} is no JSON: {why}")).hint(
            "as in json:5, json:1.25, json:true, json:null; a text that begins with json: is written json:\"json:…\"",
        )
    };
    Ok(match serde_json::from_str(json).map_err(|error| wrong(error.to_string()))? {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::String(value) => Value::from(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value),
            (_, Some(value)) => Value::UInt(value),
            // With every digit that was written.
            _ => match json.trim().parse() {
                Ok(decimal) => Value::Decimal(decimal),
                Err(_) => number.as_f64().map_or(Value::Null, Value::Double),
            },
        },
        serde_json::Value::Array(_) | serde_json::Value::Object(_) => Value::Json(json.into()),
    })
}

/// The statement itself, from standard input where it is `-`.
fn text(given: &str) -> Result<String> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Error::io("the statement cannot be read from standard input", error))?;
    Ok(text)
}

/// The error with its line and column, where the server gives a position.
fn located(error: dbkeep::engine::Error, sql: &str) -> Error {
    let position = error.position();
    let out = Error::from(error);
    let Some(position) = position else { return out };
    let before: String = sql.chars().take(position).collect();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    out.at(Location {
        file: "statement".to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[start..].chars().count() + 1,
        text: sql[start..].lines().next().map(str::to_owned),
    })
}

/// What can go wrong while rows are printed: the server, or the one who reads them.
enum Trouble {
    Server(dbkeep::engine::Error),
    Other(Error),
}

impl Trouble {
    fn unwrap(self, server: impl FnOnce(dbkeep::engine::Error) -> Error) -> Error {
        match self {
            Self::Server(error) => server(error),
            Self::Other(error) => error,
        }
    }
}

impl From<dbkeep::engine::Error> for Trouble {
    fn from(error: dbkeep::engine::Error) -> Self {
        Self::Server(error)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Other(Error::io("the rows cannot be written", error))
    }
}

async fn print(context: &Context, args: &Query, rows: &mut RowStream<'_>) -> Result<(), Trouble> {
    let written = match (context.output.json, args.csv) {
        (true, _) => as_json(&context.output, rows, args.write).await,
        (_, true) => as_csv(&context.output, rows).await,
        _ => as_table(&context.output, rows).await,
    };
    match written {
        // Whoever reads has enough, as `head` does.
        Err(Trouble::Other(error)) if error.causes.iter().any(|cause| cause.contains("Broken pipe")) => Ok(()),
        other => other,
    }
}

/// Rows that are always there leave no moment in which Ctrl-C is heard.
async fn breathe() {
    tokio::task::yield_now().await;
}

/// How many rows a table's widths are computed from: more are printed as they come, in bounded memory.
const WINDOW: usize = 1_000;

async fn as_table(output: &Output, rows: &mut RowStream<'_>) -> Result<(), Trouble> {
    let columns = rows.columns().clone();
    let mut count = 0u64;
    if columns.is_empty() {
        while rows.next().await.transpose()?.is_some() {}
        output.note(affected(rows).unwrap_or_else(|| "done".to_owned()));
        return Ok(());
    }
    let mut window: Vec<Row> = Vec::new();
    loop {
        let row = rows.next().await.transpose()?;
        let ended = row.is_none();
        count += u64::from(!ended);
        window.extend(row);
        if window.len() == WINDOW || (ended && (count == 0 || !window.is_empty())) {
            // The lock on standard output is not held across an await.
            writeln!(output.stdout(), "{}", drawn(&columns, &window))?;
            window.clear();
            breathe().await;
        }
        if ended {
            break;
        }
    }
    output.note(counted(count, "row"));
    if let Some(affected) = affected(rows) {
        output.note(affected);
    }
    Ok(())
}

/// How many rows a statement changed, of one that changed any.
fn affected(rows: &RowStream<'_>) -> Option<String> {
    let changed = rows.executed().map_or(0, |executed| executed.rows_affected);
    (changed > 0).then(|| format!("{} affected", counted(changed, "row")))
}

fn drawn(columns: &[Column], rows: &[Row]) -> comfy_table::Table {
    let mut out = table(columns.iter().map(|column| column.name.as_str()));
    for row in rows {
        out.add_row(row.values().iter().map(|value| match value {
            Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::Double(_) | Value::Decimal(_) => {
                crate::table::number(shown(value))
            }
            _ => comfy_table::Cell::new(shown(value)),
        }));
    }
    out
}

/// A value for people. Control characters are escaped, so that no data can drive the terminal.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => return "NULL".to_owned(),
        Value::Bytes(bytes) => {
            let head: String = bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect();
            return if bytes.len() > 32 { format!("0x{head}… ({} bytes)", bytes.len()) } else { format!("0x{head}") };
        }
        other => plain(other),
    };
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
        out
    })
}

/// The shortest text that gives the number back, with an exponent where the zeros would only be counted.
fn number(exact: &(impl std::fmt::Display + std::fmt::LowerExp), value: f64) -> String {
    match value {
        _ if value.is_infinite() => format!("{}Infinity", if value < 0.0 { "-" } else { "" }),
        _ if value != 0.0 && !(1e-7..1e17).contains(&value.abs()) && value.is_finite() => format!("{exact:e}"),
        _ => exact.to_string(),
    }
}

/// A value as plain text, without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Float(value) => number(value, f64::from(*value)),
        Value::Double(value) => number(value, *value),
        Value::Decimal(value) => value.to_string(),
        Value::Text(value) | Value::Json(value) => value.to_string(),
        Value::Bytes(value) => BASE64.encode(value),
        Value::Bit(value) => value.to_string(),
        Value::Date(value) => value.to_string(),
        Value::Time(value) => value.to_string(),
        Value::DateTime(value) => value.to_string(),
        Value::Timestamp(value) => format!("{value}+00"),
        Value::Interval(value) => value.to_string(),
        Value::Uuid(value) => value.to_string(),
        Value::Array(elements) => {
            let elements: Vec<_> = elements
                .iter()
                .map(|element| if element.is_null() { "NULL".to_owned() } else { plain(element) })
                .collect();
            format!("{{{}}}", elements.join(","))
        }
        other => format!("{other:?}"),
    }
}

async fn as_csv(output: &Output, rows: &mut RowStream<'_>) -> Result<(), Trouble> {
    let columns = rows.columns().clone();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let broken =
        |error: csv::Error| Trouble::Other(Error::failed("the rows cannot be written as CSV").caused_by(&error));
    writer.write_record(columns.iter().map(|column| column.name.as_str())).map_err(broken)?;
    loop {
        let row = rows.next().await.transpose()?;
        if let Some(row) = &row {
            writer.write_record(row.values().iter().map(plain)).map_err(broken)?;
        }
        if row.is_none() || writer.get_ref().len() > 64 * 1024 {
            let buffer =
                writer.into_inner().map_err(|error| Trouble::from(std::io::Error::other(error.to_string())))?;
            output.stdout().write_all(&buffer)?;
            writer = csv::Writer::from_writer(Vec::new());
            breathe().await;
        }
        if row.is_none() {
            if let Some(affected) = affected(rows) {
                output.note(affected);
            }
            return Ok(());
        }
    }
}

/// One document, written row by row, so that memory stays flat.
async fn as_json(output: &Output, rows: &mut RowStream<'_>, write: bool) -> Result<(), Trouble> {
    let names: Vec<_> = rows.columns().iter().map(|column| column.name.clone()).collect();
    let mut buffer = format!("{{\"columns\":{},\"rows\":[", json!(names));
    let mut first = true;
    loop {
        let row = rows.next().await.transpose()?;
        if let Some(row) = &row {
            buffer.push_str(if first { "\n" } else { ",\n" });
            first = false;
            let cells: Vec<String> = row.values().iter().map(encoded).collect();
            buffer.push_str(&format!("[{}]", cells.join(",")));
        } else {
            buffer.push_str(if first { "]" } else { "\n]" });
            // Beside the fields that every result has, for statements that were allowed to change data.
            if let (true, Some(executed)) = (write, rows.executed()) {
                buffer.push_str(&format!(",\"rows_affected\":{}", executed.rows_affected));
            }
            buffer.push_str("}\n");
        }
        if row.is_none() || buffer.len() > 64 * 1024 {
            output.stdout().write_all(buffer.as_bytes())?;
            buffer.clear();
            breathe().await;
        }
        if row.is_none() {
            return Ok(());
        }
    }
}

/// A value as JSON text: numbers as numbers, decimals with every digit, bytes as base64 under `$bytes`.
fn encoded(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Float(value) if value.is_finite() => {
            json!(value.to_string().parse::<f64>().unwrap_or(f64::from(*value))).to_string()
        }
        Value::Double(value) if value.is_finite() => json!(value).to_string(),
        Value::Decimal(value) if value.is_finite() => value.to_string(),
        Value::Json(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => text.to_string(),
        Value::Bytes(bytes) => json!({ "$bytes": BASE64.encode(bytes) }).to_string(),
        Value::Array(elements) => format!("[{}]", elements.iter().map(encoded).collect::<Vec<_>>().join(",")),
        Value::DateTime(value) => json!(value.to_string().replacen(' ', "T", 1)).to_string(),
        Value::Timestamp(value) => json!(format!("{}Z", value.to_string().replacen(' ', "T", 1))).to_string(),
        other => json!(plain(other)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_become_json_without_loss() {
        for (value, text) in [
            (Value::UInt(u64::MAX), "18446744073709551615"),
            (Value::Decimal("12345678901234567890.10".parse().unwrap()), "12345678901234567890.10"),
            (Value::Float(1.1), "1.1"),
            (Value::Double(f64::NAN), "\"NaN\""),
            (Value::Bytes(vec![0, 255]), r#"{"$bytes":"AP8="}"#),
            (Value::Json(r#"{"a":1}"#.into()), r#"{"a":1}"#),
            (Value::Text("a\"\n".into()), r#""a\"\n""#),
            (Value::Array(vec![Value::Int(1), Value::Null]), "[1,null]"),
        ] {
            assert_eq!(encoded(&value), text);
        }
    }

    #[test]
    fn parameters_are_texts_or_json() {
        for (given, value) in [
            ("true", Value::Text("true".into())),
            ("json:true", Value::Bool(true)),
            ("json:null", Value::Null),
            ("json:-5", Value::Int(-5)),
            ("json:18446744073709551615", Value::UInt(u64::MAX)),
            ("json:12345678901234567890.10", Value::Decimal("12345678901234567890.10".parse().unwrap())),
            ("json:\"json:x\"", Value::Text("json:x".into())),
            ("json:{\"a\": 1}", Value::Json("{\"a\": 1}".into())),
        ] {
            assert_eq!(param(given).unwrap(), value, "{given}");
        }
        let error = param("json:tru").unwrap_err();
        assert!(error.code == ExitCode::Usage && error.hint.is_some(), "{error:?}");
    }

    #[test]
    fn no_value_can_drive_the_terminal() {
        assert_eq!(shown(&Value::Text("\u{1b}[31mred\n".into())), "\\u{1b}[31mred\\n");
    }
}
