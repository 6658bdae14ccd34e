//! How PostgreSQL spells SQL.

use super::session::literal;
use dbkeep_sql::{
    Ansi, CastType, DateNode, DatePart, DateUnit, Dialect, Expr, Feature, JsonNode, JsonPath, JsonQuestion, JsonStep,
    Lexicon, Path, Placeholder, SchemaDialect, Search, SearchMode, SqlWriter, Unsupported, Value, json_of, raw_with,
};
use std::fmt::Write as _;

/// The spelling of PostgreSQL at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresDialect {
    version: (u32, u32, u32),
}

impl PostgresDialect {
    /// The spelling at this version (major, minor, patch; 0 where a version has no third number).
    pub const fn new(version: (u32, u32, u32)) -> Self {
        Self { version }
    }

    /// The version whose spelling this is.
    pub const fn version(&self) -> (u32, u32, u32) {
        self.version
    }
}

impl Dialect for PostgresDialect {
    fn engine(&self) -> &'static str {
        "PostgreSQL"
    }

    // https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS: the server cuts longer names short
    // without an error.
    fn name_problem(&self, name: &str) -> Option<&'static str> {
        (name.len() > 63).then_some("is longer than 63 bytes")
    }

    // https://www.postgresql.org/docs/current/sql-prepare.html
    fn placeholder(&self) -> Placeholder {
        Placeholder::DollarNumber
    }

    fn require(&self, feature: Feature) -> Result<(), Unsupported> {
        let (clause, since, hint) = match feature {
            // https://www.postgresql.org/docs/12/release-12.html
            Feature::Materialized => {
                ("WITH … AS MATERIALIZED", (12, "12"), "older servers work every named query out once")
            }
            // https://www.postgresql.org/docs/11/release-11.html
            Feature::GroupsFrame => ("frames that count GROUPS", (11, "11"), "count ROWS, or a RANGE of values"),
            _ => return Ok(()),
        };
        if self.version.0 >= since.0 {
            return Ok(());
        }
        Err(Unsupported { clause, engine: self.engine(), since: Some(since.1), hint })
    }

    // https://www.postgresql.org/docs/current/sql-syntax-lexical.html, https://www.postgresql.org/docs/current/app-psql.html
    fn lexicon(&self) -> Lexicon {
        Lexicon {
            dollar_quotes: true,
            escape_strings: true,
            nested_comments: true,
            atomic_bodies: true,
            rule_actions: true,
            backslash_commands: true,
            copy_data: true,
            ..Lexicon::default()
        }
    }

    // What a backslash in plain quotes means is up to the session, of one in E'…' it is not:
    // https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS-ESCAPE.
    // https://www.postgresql.org/docs/current/datatype-binary.html, https://www.postgresql.org/docs/current/datatype-datetime.html
    fn write_literal(&self, out: &mut String, value: &Value) {
        let _ = match value {
            Value::Bytes(bytes) => {
                out.push_str("E'\\\\x");
                let digits = bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"));
                digits.and_then(|()| write!(out, "'::bytea"))
            }
            Value::Timestamp(time) => write!(out, "TIMESTAMPTZ '{time}+00'"),
            Value::Uuid(uuid) => write!(out, "'{uuid}'::uuid"),
            Value::Text(text) | Value::Json(text) if text.contains('\\') => {
                out.push_str(&literal(text));
                Ok(())
            }
            Value::Array(elements) => {
                out.push_str("ARRAY[");
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        out.push_str(", ");
                    }
                    self.write_literal(out, element);
                }
                out.push(']');
                Ok(())
            }
            value => {
                Ansi.write_literal(out, value);
                Ok(())
            }
        };
    }

    // https://www.postgresql.org/docs/current/queries-order.html: NULL sorts as if it were larger than everything.
    fn nulls_last(&self) -> bool {
        true
    }

    // https://www.postgresql.org/docs/current/typeconv-select.html: a parameter of no type that anything around it tells is text.
    fn write_standalone(&self, out: &mut SqlWriter<'_>, value: &Value) {
        match type_of(value) {
            Some(name) => out.cast(&Expr::from(value.clone()), name),
            None => out.value(value),
        }
    }

    // https://www.postgresql.org/docs/current/sql-truncate.html
    fn write_truncate(&self, out: &mut SqlWriter<'_>, table: &Path) {
        out.sql("TRUNCATE TABLE ");
        out.path(table);
        out.sql(" RESTART IDENTITY");
    }

    // https://www.postgresql.org/docs/current/functions-matching.html
    fn write_ilike(&self, out: &mut SqlWriter<'_>, text: &Expr, pattern: &Expr, negated: bool) {
        out.side(text);
        out.sql(if negated { " NOT ILIKE " } else { " ILIKE " });
        out.side(pattern);
    }

    fn write_cast(&self, out: &mut SqlWriter<'_>, expr: &Expr, to: CastType) {
        match to {
            CastType::Text => out.cast(expr, "TEXT"),
            CastType::Bytes => out.cast(expr, "BYTEA"),
            CastType::Json => out.cast(expr, "JSONB"),
            // A parameter takes the type it is cast to, and what does not fit that is refused: first its own, then the server casts.
            other => {
                let text = matches!(expr.as_value(), Some(Value::Text(_))).then_some("TEXT");
                match expr.as_value().and_then(type_of).or(text) {
                    Some(name) => Ansi.write_cast(out, &raw_with(format!("CAST(? AS {name})"), [expr.clone()]), other),
                    None => Ansi.write_cast(out, expr, other),
                }
            }
        }
    }

    // https://www.postgresql.org/docs/current/functions-json.html. A key is cast to text, so that it never is a
    // position in an array.
    fn write_json(&self, out: &mut SqlWriter<'_>, json: &JsonNode) {
        match &json.question {
            JsonQuestion::Value => self.write_place(out, json, false),
            JsonQuestion::Text => self.write_place(out, json, true),
            JsonQuestion::Exists => {
                out.sql("(");
                self.write_place(out, json, false);
                out.sql(" IS NOT NULL)");
            }
            JsonQuestion::Length => {
                out.sql("(CASE jsonb_typeof(");
                self.write_place(out, json, false);
                out.sql(") WHEN 'array' THEN jsonb_array_length(");
                self.write_place(out, json, false);
                out.sql(") END)");
            }
            JsonQuestion::Contains(value) => {
                out.sql("COALESCE(");
                self.write_place(out, json, false);
                out.sql(" @> ");
                out.cast(&json_of(value).into(), "JSONB");
                out.sql(", FALSE)");
            }
            JsonQuestion::Set(value) => {
                let changed = |out: &mut SqlWriter<'_>| {
                    out.sql("jsonb_set(");
                    out.cast(&json.document, "JSONB");
                    out.sql(", ");
                    write_steps(out, &json.path);
                    out.sql(", ");
                    out.cast(&json_of(value).into(), "JSONB");
                    out.sql(")");
                };
                if json.path.steps().is_empty() {
                    // An empty path changes nothing there.
                    out.sql("(CASE WHEN ");
                    out.cast(&json.document, "JSONB");
                    out.sql(" IS NOT NULL THEN ");
                    out.cast(&json_of(value).into(), "JSONB");
                    return out.sql(" END)");
                }
                self.write_json_changed(out, json, changed);
            }
            JsonQuestion::Remove => self.write_json_changed(out, json, |out| {
                out.cast(&json.document, "JSONB");
                out.sql(" #- ");
                write_steps(out, &json.path);
            }),
            other => out.unsupported(Unsupported {
                clause: other.name(),
                engine: self.engine(),
                since: None,
                hint: "write it with raw(…)",
            }),
        }
    }

    // https://www.postgresql.org/docs/current/functions-datetime.html
    fn write_date(&self, out: &mut SqlWriter<'_>, date: &DateNode) {
        match date {
            DateNode::Add { from, amount, unit, backwards } => {
                out.sql("(");
                write_time(out, from);
                out.sql(if *backwards { " - " } else { " + " });
                out.cast(amount, "BIGINT");
                out.sql(match unit {
                    DateUnit::Year => " * INTERVAL '1 year')",
                    DateUnit::Month => " * INTERVAL '1 month')",
                    DateUnit::Week => " * INTERVAL '7 days')",
                    DateUnit::Day => " * INTERVAL '1 day')",
                    DateUnit::Hour => " * INTERVAL '1 hour')",
                    DateUnit::Minute => " * INTERVAL '1 minute')",
                    DateUnit::Second => " * INTERVAL '1 second')",
                });
            }
            DateNode::Part(of, part) => {
                // EXTRACT refuses the hour of a date, and the fraction of a second would come with the seconds.
                out.sql(match part {
                    DatePart::Year => "CAST(TRUNC(date_part('year', ",
                    DatePart::Month => "CAST(TRUNC(date_part('month', ",
                    DatePart::Day => "CAST(TRUNC(date_part('day', ",
                    DatePart::Weekday => "CAST(TRUNC(date_part('isodow', ",
                    DatePart::Hour => "CAST(TRUNC(date_part('hour', ",
                    DatePart::Minute => "CAST(TRUNC(date_part('minute', ",
                    DatePart::Second => "CAST(TRUNC(date_part('second', ",
                });
                write_time(out, of);
                out.sql(")) AS INTEGER)");
            }
            DateNode::Seconds(from, to) => {
                // The difference of two dates would be a number of days.
                out.sql("CAST(TRUNC(EXTRACT(EPOCH FROM (");
                out.cast(to, "TIMESTAMP");
                out.sql(" - ");
                out.cast(from, "TIMESTAMP");
                out.sql("))) AS BIGINT)");
            }
            other => Ansi.write_date(out, other),
        }
    }

    // https://www.postgresql.org/docs/current/textsearch-controls.html
    fn write_search(&self, out: &mut SqlWriter<'_>, search: &Search) {
        let language = |out: &mut SqlWriter<'_>| {
            if let Some(language) = &search.language {
                out.cast(&Value::Text(language.clone()).into(), "REGCONFIG");
                out.sql(", ");
            }
        };
        out.sql("(to_tsvector(");
        language(out);
        for (at, column) in search.columns.iter().enumerate() {
            if at > 0 {
                out.sql(" || ' ' || ");
            }
            out.sql("COALESCE(");
            out.expr(column);
            out.sql(", '')");
        }
        out.sql(match search.mode {
            SearchMode::Natural => ") @@ plainto_tsquery(",
            SearchMode::Boolean => ") @@ websearch_to_tsquery(",
        });
        language(out);
        out.expr(&search.words);
        out.sql("))");
    }

    fn ddl(&self) -> &dyn SchemaDialect {
        self
    }
}

impl PostgresDialect {
    /// Appends what is at a place in a document, as one thing.
    fn write_place(self, out: &mut SqlWriter<'_>, json: &JsonNode, as_text: bool) {
        write_place(out, json, as_text);
        if self.version < (12, 0, 0) && json.path.arrays().next().is_some() {
            // https://www.postgresql.org/docs/12/release-12.html
            out.unsupported(Unsupported {
                clause: "a position in a JSON path",
                engine: self.engine(),
                since: Some("12"),
                hint: "read the array, and look inside in the program",
            });
        }
    }

    /// Appends a changed document, or the document as it is where nothing is around the place: steps are texts there, and those
    /// that do not fit are errors, or mean something else.
    fn write_json_changed(self, out: &mut SqlWriter<'_>, json: &JsonNode, write: impl FnOnce(&mut SqlWriter<'_>)) {
        let around = JsonNode { path: json.path.parent().unwrap_or_default(), ..json.clone() };
        out.sql("(CASE jsonb_typeof(");
        self.write_place(out, &around, false);
        out.sql(match json.path.steps().last() {
            Some(JsonStep::Index(_)) => ") WHEN 'array' THEN ",
            Some(JsonStep::Key(_)) | None => ") WHEN 'object' THEN ",
        });
        write(out);
        out.sql(" ELSE ");
        out.cast(&json.document, "JSONB");
        out.sql(" END)");
    }
}

/// Appends what is at a place in a document, as one thing.
fn write_place(out: &mut SqlWriter<'_>, json: &JsonNode, as_text: bool) {
    let steps = json.path.steps();
    if json.path.arrays().next().is_some() {
        // The operator takes the position 0 of anything but an array for that thing itself. In silence, so that a path that leads
        // nowhere is no error.
        out.sql(if as_text { "(jsonb_path_query_first(" } else { "jsonb_path_query_first(" });
        out.cast(&json.document, "JSONB");
        out.sql(", ");
        out.cast(&Value::from(format!("strict {}", json.path)).into(), "JSONPATH");
        out.sql(if as_text { ", '{}', TRUE) #>> '{}')" } else { ", '{}', TRUE)" });
        return;
    }
    out.sql("(");
    out.cast(&json.document, "JSONB");
    for (at, step) in steps.iter().enumerate() {
        out.sql(if as_text && at + 1 == steps.len() { " ->> " } else { " -> " });
        if let JsonStep::Key(key) = step {
            out.cast(&Value::Text(key.clone()).into(), "TEXT");
        }
    }
    if steps.is_empty() && as_text {
        // The whole document as text: the empty path does that.
        out.sql(" #>> '{}'");
    }
    out.sql(")");
}

/// Appends a path as an array of texts.
fn write_steps(out: &mut SqlWriter<'_>, path: &JsonPath) {
    let steps = path.steps().iter().map(|step| {
        Value::Text(match step {
            JsonStep::Key(key) => key.clone(),
            JsonStep::Index(index) => index.to_string().into(),
        })
    });
    out.cast(&Value::Array(steps.collect()).into(), "TEXT[]");
}

/// Appends a date or time; a parameter with its type, which would be taken for an interval otherwise.
/// The type of a value that a parameter does not have by itself.
fn type_of(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Bool(_) => "BOOLEAN",
        Value::Int(_) => "BIGINT",
        Value::UInt(number) if i64::try_from(*number).is_ok() => "BIGINT",
        Value::UInt(_) | Value::Decimal(_) => "NUMERIC",
        Value::Float(_) => "REAL",
        Value::Double(_) => "DOUBLE PRECISION",
        Value::Bytes(_) => "BYTEA",
        Value::Date(_) => "DATE",
        Value::Time(_) => "TIME",
        Value::DateTime(_) => "TIMESTAMP",
        Value::Timestamp(_) => "TIMESTAMPTZ",
        Value::Interval(_) => "INTERVAL",
        Value::Json(_) => "JSONB",
        Value::Uuid(_) => "UUID",
        _ => return None,
    })
}

fn write_time(out: &mut SqlWriter<'_>, expr: &Expr) {
    match expr.as_value() {
        Some(Value::Timestamp(_)) => out.cast(expr, "TIMESTAMPTZ"),
        Some(_) => out.cast(expr, "TIMESTAMP"),
        None => out.atom(expr),
    }
}
