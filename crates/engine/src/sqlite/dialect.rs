//! How SQLite spells SQL.

use super::referring;
use dbkeep_sql::{
    Ansi, CastType, DateNode, DatePart, DateUnit, Dialect, Expr, Feature, IndexHint, Insert, JsonNode, JsonPath,
    JsonQuestion, JsonStep, Lexicon, Order, Path, SchemaDialect, Search, Select, Spelled, SqlWriter, Unsupported,
    Value, json_of,
};
use std::fmt::Write as _;

/// The spelling of SQLite at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqliteDialect {
    version: (u32, u32, u32),
}

impl SqliteDialect {
    /// The spelling at this version (major, minor, patch).
    pub const fn new(version: (u32, u32, u32)) -> Self {
        Self { version }
    }

    /// The version whose spelling this is.
    pub const fn version(&self) -> (u32, u32, u32) {
        self.version
    }
}

impl SqliteDialect {
    /// Before 3.48, keys in paths could not hold quotes and backslashes. <https://www.sqlite.org/releaselog/3_48_0.html>
    fn check_keys(self, out: &mut SqlWriter<'_>, path: &JsonPath) {
        let is_odd = |step: &JsonStep| matches!(step, JsonStep::Key(key) if key.contains(['"', '\\']) || key.chars().any(char::is_control));
        if self.version < (3, 48, 0) && path.steps().iter().any(is_odd) {
            out.unsupported(Unsupported {
                clause: "a key with quotes, backslashes or control characters in a JSON path",
                engine: self.engine(),
                since: Some("3.48"),
                hint: "read the document, and look inside in the program",
            });
        }
    }
}

impl Dialect for SqliteDialect {
    fn engine(&self) -> &'static str {
        "SQLite"
    }

    // SQLITE_LIMIT_VARIABLE_NUMBER, https://www.sqlite.org/limits.html
    fn max_parameters(&self) -> usize {
        32_766
    }

    // https://www.sqlite.org/lang_keywords.html
    fn lexicon(&self) -> Lexicon {
        Lexicon { backtick_names: true, bracket_names: true, compound_bodies: true, ..Lexicon::default() }
    }

    fn require(&self, feature: Feature) -> Result<(), Unsupported> {
        const RETURNING: ((u32, u32, u32), &str) = ((3, 35, 0), "3.35");
        const JOINS: ((u32, u32, u32), &str) = ((3, 39, 0), "3.39");
        let read_rows = "read the rows in the same transaction";
        let (clause, since, hint) = match feature {
            // https://www.sqlite.org/lang_returning.html
            Feature::InsertReturning => ("INSERT … RETURNING", Some(RETURNING), read_rows),
            Feature::UpdateReturning => ("UPDATE … RETURNING", Some(RETURNING), read_rows),
            Feature::DeleteReturning => ("DELETE … RETURNING", Some(RETURNING), read_rows),
            // https://www.sqlite.org/lang_upsert.html
            Feature::Upsert => ("INSERT … ON CONFLICT", Some(((3, 24, 0), "3.24")), "ask first which rows there are"),
            // https://www.sqlite.org/releaselog/3_39_0.html
            Feature::RightJoin => ("RIGHT JOIN", Some(JOINS), "write it as a left_join the other way round"),
            Feature::FullJoin => ("FULL JOIN", Some(JOINS), "ask once with each table on the left"),
            // https://www.sqlite.org/lockingv3.html
            Feature::RowLocks | Feature::NoWait | Feature::SkipLocked => {
                ("SELECT … FOR UPDATE", None, "a transaction that begins IMMEDIATE keeps all other writers out")
            }
            Feature::LockOf => {
                ("SELECT … FOR UPDATE", None, "a transaction that begins IMMEDIATE keeps all other writers out")
            }
            // https://www.sqlite.org/lang_with.html
            Feature::With => ("WITH", Some(((3, 8, 3), "3.8.3")), "read the query as a table: from(query.alias(…))"),
            Feature::Materialized => ("WITH … AS MATERIALIZED", Some(((3, 35, 0), "3.35")), "leave it to the planner"),
            Feature::DistinctOn => {
                ("DISTINCT ON", None, "number the rows with row_number() over a window, and keep the first of each")
            }
            Feature::Lateral => ("LATERAL", None, "read the value with a query among the columns"),
            // https://www.sqlite.org/lang_select.html#compound_select_statements
            Feature::IntersectAll => {
                ("INTERSECT ALL and EXCEPT ALL", None, "number equal rows with row_number() first, to tell them apart")
            }
            // https://www.sqlite.org/windowfunctions.html#history
            Feature::Windows => ("OVER", Some(((3, 25, 0), "3.25")), "read the value with a query among the columns"),
            Feature::GroupsFrame => {
                ("frames that count GROUPS", Some(((3, 28, 0), "3.28")), "count ROWS, or a RANGE of values")
            }
            // https://www.sqlite.org/lang_aggfunc.html
            Feature::AggregateFilter => ("FILTER", Some(((3, 30, 0), "3.30")), "choose the values with case()"),
            Feature::AggregateOrder => (
                "ORDER BY in an aggregate",
                Some(((3, 44, 0), "3.44")),
                "read the rows in order, and put them together",
            ),
            _ => return Ok(()),
        };
        match since {
            Some((version, _)) if self.version >= version => Ok(()),
            _ => Err(Unsupported { clause, engine: self.engine(), since: since.map(|(_, text)| text), hint }),
        }
    }

    // https://www.sqlite.org/lang_select.html#limitoffset: OFFSET needs a LIMIT, and a negative one is none. Numbers in the text: the
    // planner looks at a bound limit, and would prepare the statement anew for each (https://www.sqlite.org/c3ref/c_dbconfig_defensive.html,
    // SQLITE_DBCONFIG_ENABLE_QPSG).
    fn write_limit(&self, out: &mut SqlWriter<'_>, limit: Option<u64>, offset: Option<u64>) {
        match limit {
            Some(limit) => {
                out.sql(" LIMIT ");
                out.row_digits(limit);
            }
            None => out.sql(" LIMIT -1"),
        }
        if let Some(offset) = offset {
            out.sql(" OFFSET ");
            out.row_digits(offset);
        }
    }

    // https://www.sqlite.org/lang_upsert.html, section 2.2: after a query, ON could begin the condition of a join.
    fn write_insert_query(&self, out: &mut SqlWriter<'_>, insert: &Insert, query: &Select) {
        if !insert.has_conflict() {
            return out.select(query);
        }
        out.sql("SELECT * FROM (");
        out.select(query);
        out.sql(") WHERE 1 = 1");
    }

    // https://www.sqlite.org/lang_delete.html#the_truncate_optimization
    fn write_truncate(&self, out: &mut SqlWriter<'_>, table: &Path) {
        // A session of ours refuses it where rows of others point to the table.
        out.sql(referring::EMPTIES);
        out.path(table);
    }

    // https://www.sqlite.org/eqp.html
    fn write_explain(&self, out: &mut SqlWriter<'_>, analyze: bool) {
        if analyze {
            out.unsupported(Unsupported {
                clause: "EXPLAIN ANALYZE",
                engine: self.engine(),
                since: None,
                hint: "ask for the plan without analyze()",
            });
        }
        out.sql("EXPLAIN QUERY PLAN ");
    }

    // https://www.sqlite.org/lang_select.html#compound_select_statements: no parentheses around a part.
    fn nested_query(&self, _: bool) -> (&'static str, &'static str) {
        ("SELECT * FROM (", ")")
    }

    // https://www.sqlite.org/rowvalue.html, section 2.2
    fn rows_in_list(&self) -> &'static str {
        "VALUES "
    }

    // https://www.sqlite.org/lang_indexedby.html
    fn write_index_hints(&self, out: &mut SqlWriter<'_>, hints: &[IndexHint]) {
        match hints {
            [IndexHint::Force(indexes)] if indexes.len() == 1 => {
                out.sql(" INDEXED BY ");
                out.list(indexes, SqlWriter::name);
            }
            [IndexHint::Ignore(indexes)] if indexes.is_empty() => out.sql(" NOT INDEXED"),
            _ => out.unsupported(Unsupported {
                clause: "index hints",
                engine: self.engine(),
                since: None,
                hint: "force one index by name with force_index, or all away with ignore_index of none",
            }),
        }
    }

    // https://www.sqlite.org/lang_expr.html#the_is_and_is_not_operators
    fn write_distinct(&self, out: &mut SqlWriter<'_>, one: &Expr, other: &Expr, negated: bool) {
        out.side(one);
        out.sql(if negated { " IS NOT " } else { " IS " });
        out.side(other);
    }

    // https://www.sqlite.org/lang_corefunc.html#length: of a text, its characters.
    fn function_name(&self, function: Spelled) -> &'static str {
        match function {
            Spelled::CharLength => "LENGTH",
            other => Ansi.function_name(other),
        }
    }

    // https://www.sqlite.org/lang_aggfunc.html#group_concat: of different texts, it takes no separator but its own.
    fn write_string_agg(
        &self,
        out: &mut SqlWriter<'_>,
        text: &Expr,
        separator: &Expr,
        distinct: bool,
        order_by: &[Order],
    ) {
        if distinct && separator.as_value() != Some(&Value::from(",")) {
            out.unsupported(Unsupported {
                clause: "string_agg() of different texts with a separator other than a comma",
                engine: self.engine(),
                since: None,
                hint: "put the rows of a query that is distinct() together",
            });
        }
        out.sql(if distinct { "GROUP_CONCAT(DISTINCT " } else { "GROUP_CONCAT(" });
        out.expr(text);
        if !distinct {
            out.sql(", ");
            out.expr(separator);
        }
        if !order_by.is_empty() {
            if let Err(unsupported) = self.require(Feature::AggregateOrder) {
                out.unsupported(unsupported);
            }
            out.sql(" ");
            out.orders(order_by);
        }
        out.sql(")");
    }

    // https://www.sqlite.org/lang_expr.html#castexpr: it knows storage classes, no types of the calendar and no exact numbers.
    fn write_cast(&self, out: &mut SqlWriter<'_>, expr: &Expr, to: CastType) {
        match to {
            CastType::Integer => out.cast(expr, "INTEGER"),
            CastType::Double => out.cast(expr, "REAL"),
            CastType::Text => out.cast(expr, "TEXT"),
            CastType::Bytes => out.cast(expr, "BLOB"),
            CastType::Date => {
                out.sql("DATE(");
                out.expr(expr);
                out.sql(")");
            }
            CastType::Json => {
                out.sql("JSON(");
                out.expr(expr);
                out.sql(")");
            }
            _ => out.unsupported(Unsupported {
                clause: match to {
                    CastType::Decimal(..) => "a cast to DECIMAL",
                    CastType::Unsigned => "a cast to UNSIGNED",
                    CastType::Time => "a cast to TIME",
                    _ => "a cast to a date and time",
                },
                engine: self.engine(),
                since: None,
                hint: "it holds them as text: read them as that, and compare them as they are written",
            }),
        }
    }

    // https://www.sqlite.org/json1.html
    fn write_json(&self, out: &mut SqlWriter<'_>, json: &JsonNode) {
        self.check_keys(out, &json.path);
        let call = |out: &mut SqlWriter<'_>, function: &'static str, path: &JsonPath| {
            out.sql(function);
            out.expr(&json.document);
            out.sql(", ");
            write_json_path(out, path);
            out.sql(")");
        };
        match &json.question {
            JsonQuestion::Value => {
                // As JSON, strings in their quotes: json_extract() would take them off.
                out.sql("(");
                out.atom(&json.document);
                out.sql(" -> ");
                write_json_path(out, &json.path);
                out.sql(")");
            }
            JsonQuestion::Text => {
                // json_extract() makes numbers 1 and 0 of true and false.
                call(out, "(CASE JSON_TYPE(", &json.path);
                out.sql(" WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE ");
                call(out, "CAST(JSON_EXTRACT(", &json.path);
                out.sql(" AS TEXT) END)");
            }
            JsonQuestion::Exists => {
                call(out, "(JSON_TYPE(", &json.path);
                out.sql(" IS NOT NULL)");
            }
            JsonQuestion::Length => {
                call(out, "(CASE JSON_TYPE(", &json.path);
                call(out, " WHEN 'array' THEN JSON_ARRAY_LENGTH(", &json.path);
                out.sql(" END)");
            }
            JsonQuestion::Contains(value) => {
                call(out, "EXISTS (SELECT 1 FROM JSON_EACH(", &json.path);
                // Only the values of an object have keys that are texts.
                out.sql(" WHERE TYPEOF(key) <> 'text' AND ");
                match value {
                    Value::Null => out.sql("type = 'null')"),
                    Value::Bool(true) => out.sql("type = 'true')"),
                    Value::Bool(false) => out.sql("type = 'false')"),
                    Value::Text(_) => {
                        out.sql("type = 'text' AND value = ");
                        out.value(value);
                        out.sql(")");
                    }
                    number => {
                        out.sql("type IN ('integer', 'real') AND value = ");
                        out.value(number);
                        out.sql(")");
                    }
                }
            }
            JsonQuestion::Set(value) => {
                // It would make the objects around, too.
                let parent = json.path.parent().filter(|parent| !parent.steps().is_empty());
                if let Some(parent) = &parent {
                    call(out, "(CASE WHEN JSON_TYPE(", parent);
                    out.sql(" IN ('object', 'array') THEN ");
                }
                out.sql("JSON_SET(");
                out.expr(&json.document);
                out.sql(", ");
                if let (Some(JsonStep::Index(_)), Some(array)) = (json.path.steps().last(), json.path.parent()) {
                    // It adds an element just behind the last, and none further on.
                    call(out, "CASE WHEN JSON_TYPE(", &json.path);
                    out.sql(" IS NULL THEN ");
                    out.owned_value(Value::from(format!("{array}[#]")));
                    out.sql(" ELSE ");
                    write_json_path(out, &json.path);
                    out.sql(" END");
                } else {
                    write_json_path(out, &json.path);
                }
                out.sql(", JSON(");
                out.owned_value(json_of(value));
                out.sql("))");
                if parent.is_some() {
                    out.sql(" ELSE ");
                    out.expr(&json.document);
                    out.sql(" END)");
                }
            }
            JsonQuestion::Remove => call(out, "JSON_REMOVE(", &json.path),
            other => out.unsupported(Unsupported {
                clause: other.name(),
                engine: self.engine(),
                since: None,
                hint: "write it with raw(…)",
            }),
        }
    }

    // https://www.sqlite.org/lang_datefunc.html. Times are texts, `2024-02-29 12:30:00.000001`; its functions know no more than three
    // digits of a second, so the fraction is kept aside.
    fn write_date(&self, out: &mut SqlWriter<'_>, date: &DateNode) {
        match date {
            DateNode::Add { from, amount, unit, backwards } => {
                let by_month = matches!(unit, DateUnit::Year | DateUnit::Month);
                if by_month && self.version < (3, 46, 0) {
                    // https://www.sqlite.org/releaselog/3_46_0.html
                    out.unsupported(Unsupported {
                        clause: "months that end in shorter ones",
                        engine: self.engine(),
                        since: Some("3.46"),
                        hint: "work the date out in the program",
                    });
                }
                out.sql("(STRFTIME('%Y-%m-%d %H:%M:%S', SUBSTR(");
                out.expr(from);
                out.sql(if *backwards { ", 1, 19), (-CAST(" } else { ", 1, 19), (CAST(" });
                out.expr(amount);
                out.sql(match unit {
                    DateUnit::Year => " AS INTEGER)) || ' years', 'floor')",
                    DateUnit::Month => " AS INTEGER)) || ' months', 'floor')",
                    DateUnit::Week => " AS INTEGER) * 7) || ' days')",
                    DateUnit::Day => " AS INTEGER)) || ' days')",
                    DateUnit::Hour => " AS INTEGER)) || ' hours')",
                    DateUnit::Minute => " AS INTEGER)) || ' minutes')",
                    DateUnit::Second => " AS INTEGER)) || ' seconds')",
                });
                out.sql(" || SUBSTR(");
                out.expr(from);
                out.sql(", 20))");
            }
            DateNode::Part(of, part) => {
                out.sql(match part {
                    DatePart::Year => "CAST(STRFTIME('%Y', ",
                    DatePart::Month => "CAST(STRFTIME('%m', ",
                    DatePart::Day => "CAST(STRFTIME('%d', ",
                    DatePart::Weekday => "((CAST(STRFTIME('%w', ",
                    DatePart::Hour => "CAST(STRFTIME('%H', ",
                    DatePart::Minute => "CAST(STRFTIME('%M', ",
                    DatePart::Second => "CAST(STRFTIME('%S', ",
                });
                out.expr(of);
                out.sql(") AS INTEGER)");
                if *part == DatePart::Weekday {
                    out.sql(" + 6) % 7 + 1)");
                }
            }
            DateNode::Seconds(from, to) => {
                out.sql("((");
                write_microseconds(out, to);
                out.sql(" - ");
                write_microseconds(out, from);
                out.sql(") / 1000000)");
            }
            other => Ansi.write_date(out, other),
        }
    }

    // https://www.sqlite.org/fts5.html
    fn write_search(&self, out: &mut SqlWriter<'_>, _: &Search) {
        out.unsupported(Unsupported {
            clause: "a search for words in a table",
            engine: self.engine(),
            since: None,
            hint: "make an FTS5 table of the texts, and ask it with raw(\"notes MATCH ?\", …)",
        });
    }

    // https://www.sqlite.org/datatype3.html: no types for times; decimals as numbers would be floats.
    fn write_literal(&self, out: &mut String, value: &Value) {
        let _ = match value {
            Value::Bool(value) => write!(out, "{}", u8::from(*value)),
            // https://www.sqlite.org/floatingpoint.html: in quotes, it would be a text.
            Value::Double(number) if number.is_infinite() => out.write_str(infinite(*number > 0.0)),
            Value::Float(number) if number.is_infinite() => out.write_str(infinite(*number > 0.0)),
            Value::Decimal(number) => write!(out, "'{number}'"),
            Value::Bit(bits) => write!(out, "'{bits}'"),
            Value::Date(date) => write!(out, "'{date}'"),
            Value::Time(time) => write!(out, "'{time}'"),
            Value::DateTime(time) | Value::Timestamp(time) => write!(out, "'{time}'"),
            Value::Interval(interval) => write!(out, "'{interval}'"),
            // A statement ends at a NUL.
            Value::Text(text) | Value::Json(text) if text.contains('\0') => {
                out.push_str("CAST(");
                Ansi.write_literal(out, &Value::Bytes(text.as_bytes().to_vec()));
                out.push_str(" AS TEXT)");
                Ok(())
            }
            value => {
                Ansi.write_literal(out, value);
                Ok(())
            }
        };
    }

    fn ddl(&self) -> &dyn SchemaDialect {
        self
    }
}

/// More than the greatest number there is.
fn infinite(positive: bool) -> &'static str {
    if positive { "9e999" } else { "-9e999" }
}

/// Appends a path as a parameter.
fn write_json_path(out: &mut SqlWriter<'_>, path: &JsonPath) {
    out.owned_value(Value::from(path.to_string()));
}

/// Appends a time as microseconds, from its seconds and the digits after the point.
fn write_microseconds(out: &mut SqlWriter<'_>, time: &Expr) {
    out.sql("(STRFTIME('%s', SUBSTR(");
    out.expr(time);
    out.sql(", 1, 19)) * 1000000 + CAST(SUBSTR(SUBSTR(");
    out.expr(time);
    out.sql(", 21) || '000000', 1, 6) AS INTEGER))");
}
