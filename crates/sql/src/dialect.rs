//! How an engine spells SQL: the standard here, the exceptions in each engine's own folder.

use crate::literal::write_standard_literal;
use crate::{
    CastType, Conflict, DateNode, DatePart, DateUnit, Expr, Feature, Ident, IndexHint, Insert, JsonNode, JsonQuestion,
    Lexicon, Lock, NewRow, Order, Path, SchemaDialect, Search, Select, Spelled, SqlWriter, StandardSchema, Unsupported,
    Value,
};
use std::borrow::Cow;
use std::fmt;

/// How an engine spells the place of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    /// `?`
    QuestionMark,
    /// `$1`, `$2`, …
    DollarNumber,
}

impl Placeholder {
    /// Appends the place of parameter `number`, counted from one.
    #[inline]
    pub fn write(self, out: &mut String, number: usize) {
        match self {
            Placeholder::QuestionMark => out.push('?'),
            Placeholder::DollarNumber => {
                out.push('$');
                match u8::try_from(number) {
                    Ok(digit @ 0..=9) => out.push(char::from(b'0' + digit)),
                    _ => out.push_str(itoa::Buffer::new().format(number)),
                }
            }
        }
    }
}

/// How one engine, at one version, spells SQL.
///
/// The defaults are the standard's, or what most engines agree on; an engine overrides what it does differently.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// The engine's name, for messages.
    fn engine(&self) -> &'static str;

    /// The character around names.
    fn quote(&self) -> char {
        '"'
    }

    /// Appends a name in quotes, the quote doubled inside.
    fn write_ident(&self, out: &mut String, name: &Ident) {
        write_quoted(out, name.as_str(), self.quote());
    }

    /// What keeps this text from being a name here, as in "is longer than 63 bytes". Not asked of names of up to 63 ASCII letters,
    /// digits and underscores, which every engine takes.
    fn name_problem(&self, name: &str) -> Option<&'static str> {
        let _ = name;
        None
    }

    /// How the place of a parameter is spelled.
    fn placeholder(&self) -> Placeholder {
        Placeholder::QuestionMark
    }

    /// Appends the place of parameter `number`, counted from one.
    fn write_placeholder(&self, out: &mut String, number: usize) {
        self.placeholder().write(out, number);
    }

    /// How many parameters one statement may have.
    fn max_parameters(&self) -> usize {
        65_535
    }

    /// About how many bytes of values an insert of many rows may have in one statement; a longer row goes alone. Default: a million,
    /// which every server takes (`max_allowed_packet` was 1 MiB once).
    fn max_statement_bytes(&self) -> usize {
        1_000_000
    }

    /// How scripts are cut into statements.
    fn lexicon(&self) -> Lexicon {
        Lexicon::default()
    }

    /// Whether the engine knows something that not all know.
    ///
    /// # Errors
    /// [`Unsupported`] with the version that knows it, if any, and what to do instead.
    fn require(&self, feature: Feature) -> Result<(), Unsupported> {
        let _ = feature;
        Ok(())
    }

    /// Appends a value as a literal: for schema changes, which take no parameters, and for reading.
    fn write_literal(&self, out: &mut String, value: &Value) {
        write_standard_literal(out, value);
    }

    /// The time now, to the microsecond where the engine can say so.
    fn current_timestamp(&self) -> &'static str {
        "CURRENT_TIMESTAMP"
    }

    /// Whether an update sets its columns one after another, each seeing what was set before it.
    fn sets_one_by_one(&self) -> bool {
        false
    }

    /// Whether NULL comes after everything else in an ascending order, and before it in a descending one, where nothing is said.
    fn nulls_last(&self) -> bool {
        false
    }

    /// Appends a parameter where nothing around it tells its type: alone among the columns, or beside values only.
    fn write_standalone(&self, out: &mut SqlWriter<'_>, value: &Value) {
        out.value(value);
    }

    /// Appends a parameter that is compared with other parameters only.
    fn write_compared(&self, out: &mut SqlWriter<'_>, value: &Value) {
        self.write_standalone(out, value);
    }

    /// Appends a value that is compared with JSON, or is JSON itself. With `beside_json`, the other side is a value inside of a
    /// document: a string, number or boolean is one of JSON's then.
    fn write_json_value(&self, out: &mut SqlWriter<'_>, value: &Value, beside_json: bool) {
        match beside_json.then(|| value.to_json_scalar()).flatten() {
            Some(json) => out.owned_value(json),
            None => out.value(value),
        }
    }

    /// Appends texts put together.
    fn write_concat(&self, out: &mut SqlWriter<'_>, parts: &[Expr]) {
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                out.sql(" || ");
            }
            out.atom(part);
        }
    }

    /// Appends a key of an ordering.
    fn write_order(&self, out: &mut SqlWriter<'_>, order: &Order) {
        out.order(order);
    }

    /// Appends how many rows are given and left out; at least one of the two is there.
    fn write_limit(&self, out: &mut SqlWriter<'_>, limit: Option<u64>, offset: Option<u64>) {
        if let Some(limit) = limit {
            out.sql(" LIMIT ");
            out.most_rows(limit);
        }
        if let Some(offset) = offset {
            out.sql(" OFFSET ");
            out.row_count(offset);
        }
    }

    /// Appends how the rows of a query are locked. Whether the engine locks rows was asked before.
    fn write_lock(&self, out: &mut SqlWriter<'_>, lock: &Lock) {
        out.lock(lock);
    }

    /// Appends, after INSERT INTO and the table, that all columns of one row have their defaults.
    fn write_default_values(&self, out: &mut SqlWriter<'_>) {
        out.sql(" DEFAULT VALUES");
    }

    /// Appends the query whose rows are inserted.
    fn write_insert_query(&self, out: &mut SqlWriter<'_>, insert: &Insert, query: &Select) {
        let _ = insert;
        out.select(query);
    }

    /// Appends, after the rows of an insert, what happens to those whose key is taken.
    fn write_conflict(&self, out: &mut SqlWriter<'_>, insert: &Insert, conflict: &Conflict) {
        const EXCLUDED: NewRow = NewRow::Word("excluded");
        out.sql(" ON CONFLICT");
        match conflict {
            Conflict::Update { keys, set, filter } => {
                out.sql(" ");
                out.names(keys);
                if set.is_empty() {
                    return out.sql(" DO NOTHING");
                }
                out.sql(" DO UPDATE SET ");
                out.upsert_set(insert.table(), EXCLUDED, set);
                out.upsert_filter(insert.table(), EXCLUDED, filter);
            }
            Conflict::Ignore => out.sql(" DO NOTHING"),
        }
    }

    /// Appends a statement that empties a table.
    fn write_truncate(&self, out: &mut SqlWriter<'_>, table: &Path) {
        out.sql("TRUNCATE TABLE ");
        out.path(table);
    }

    /// Appends what stands in front of a statement to learn how it would be run, or, with `analyze`, how it was run.
    fn write_explain(&self, out: &mut SqlWriter<'_>, analyze: bool) {
        out.sql(if analyze { "EXPLAIN ANALYZE " } else { "EXPLAIN " });
    }

    /// What stands around a query that is a part of another. `has_ctes` tells that it begins with WITH.
    fn nested_query(&self, has_ctes: bool) -> (&'static str, &'static str) {
        let _ = has_ctes;
        ("(", ")")
    }

    /// What stands around a query with a limit among whose rows something is looked for, within the parentheses.
    fn limited_in_list(&self) -> (&'static str, &'static str) {
        ("", "")
    }

    /// What stands around queries put together of whose rows is asked whether there are any, within the parentheses.
    fn combined_in_exists(&self) -> (&'static str, &'static str) {
        ("", "")
    }

    /// What stands in front of the rows in a list of rows.
    fn rows_in_list(&self) -> &'static str {
        ""
    }

    /// Appends what the query is told of the indexes of a table.
    fn write_index_hints(&self, out: &mut SqlWriter<'_>, hints: &[IndexHint]) {
        let _ = hints;
        out.unsupported(Unsupported {
            clause: "index hints",
            engine: self.engine(),
            since: None,
            hint: "the planner chooses by its statistics; bring them up to date",
        });
    }

    /// Appends whether two expressions differ, or, not `negated`, are the same, where NULL is a value like any other.
    fn write_distinct(&self, out: &mut SqlWriter<'_>, one: &Expr, other: &Expr, negated: bool) {
        out.side(one);
        out.sql(if negated { " IS DISTINCT FROM " } else { " IS NOT DISTINCT FROM " });
        out.side(other);
    }

    /// Appends whether a text matches a pattern whatever the case.
    fn write_ilike(&self, out: &mut SqlWriter<'_>, text: &Expr, pattern: &Expr, negated: bool) {
        out.sql("LOWER(");
        out.expr(text);
        out.sql(if negated { ") NOT LIKE LOWER(" } else { ") LIKE LOWER(" });
        out.expr(pattern);
        out.sql(")");
    }

    /// The name of a function, with all that follows where it takes no arguments.
    fn function_name(&self, function: Spelled) -> &'static str {
        match function {
            Spelled::CharLength => "CHAR_LENGTH",
            Spelled::Random => "RANDOM()",
            Spelled::CurrentDate => "CURRENT_DATE",
            Spelled::CurrentTimestamp => self.current_timestamp(),
        }
    }

    /// Appends texts of rows put together.
    fn write_string_agg(
        &self,
        out: &mut SqlWriter<'_>,
        text: &Expr,
        separator: &Expr,
        distinct: bool,
        order_by: &[Order],
    ) {
        out.sql(if distinct { "STRING_AGG(DISTINCT " } else { "STRING_AGG(" });
        out.expr(text);
        out.sql(", ");
        out.expr(separator);
        if !order_by.is_empty() {
            out.sql(" ");
            out.orders(order_by);
        }
        out.sql(")");
    }

    /// Appends an expression read as another type, as one thing.
    fn write_cast(&self, out: &mut SqlWriter<'_>, expr: &Expr, to: CastType) {
        let name = match to {
            CastType::Integer => Cow::Borrowed("BIGINT"),
            CastType::Unsigned => "NUMERIC(20, 0)".into(),
            CastType::Double => "DOUBLE PRECISION".into(),
            CastType::Decimal(precision, scale) => format!("DECIMAL({precision}, {scale})").into(),
            CastType::Text => "VARCHAR".into(),
            CastType::Bytes => "VARBINARY".into(),
            CastType::Date => "DATE".into(),
            CastType::Time => "TIME(6)".into(),
            CastType::DateTime => "TIMESTAMP(6)".into(),
            CastType::Json => "JSON".into(),
        };
        out.cast(expr, &name);
    }

    /// Appends something asked of a JSON document, as one thing.
    fn write_json(&self, out: &mut SqlWriter<'_>, json: &JsonNode) {
        out.sql(match json.question {
            JsonQuestion::Value => "JSON_QUERY(",
            JsonQuestion::Text => "JSON_VALUE(",
            JsonQuestion::Exists => "JSON_EXISTS(",
            _ => {
                return out.unsupported(Unsupported {
                    clause: json.question.name(),
                    engine: self.engine(),
                    since: None,
                    hint: "write it with raw(…)",
                });
            }
        });
        out.expr(&json.document);
        out.sql(", ");
        out.owned_value(Value::Text(json.path.to_string().into()));
        out.sql(")");
    }

    /// Appends something asked of dates, as one thing.
    fn write_date(&self, out: &mut SqlWriter<'_>, date: &DateNode) {
        match date {
            DateNode::Add { from, amount, unit, backwards } => {
                out.sql("(");
                out.atom(from);
                out.sql(if *backwards { " - " } else { " + " });
                out.atom(amount);
                out.sql(match unit {
                    DateUnit::Year => " * INTERVAL '1' YEAR)",
                    DateUnit::Month => " * INTERVAL '1' MONTH)",
                    DateUnit::Week => " * INTERVAL '7' DAY)",
                    DateUnit::Day => " * INTERVAL '1' DAY)",
                    DateUnit::Hour => " * INTERVAL '1' HOUR)",
                    DateUnit::Minute => " * INTERVAL '1' MINUTE)",
                    DateUnit::Second => " * INTERVAL '1' SECOND)",
                });
            }
            DateNode::Part(of, part) => {
                out.sql(match part {
                    DatePart::Year => "EXTRACT(YEAR FROM ",
                    DatePart::Month => "EXTRACT(MONTH FROM ",
                    DatePart::Day => "EXTRACT(DAY FROM ",
                    DatePart::Weekday => "EXTRACT(ISODOW FROM ",
                    DatePart::Hour => "EXTRACT(HOUR FROM ",
                    DatePart::Minute => "EXTRACT(MINUTE FROM ",
                    DatePart::Second => "EXTRACT(SECOND FROM ",
                });
                out.expr(of);
                out.sql(")");
            }
            DateNode::Seconds(from, to) => {
                out.sql("EXTRACT(EPOCH FROM (");
                out.atom(to);
                out.sql(" - ");
                out.atom(from);
                out.sql("))");
            }
        }
    }

    /// Appends a search for words, as one thing.
    fn write_search(&self, out: &mut SqlWriter<'_>, search: &Search) {
        let _ = search;
        out.unsupported(Unsupported {
            clause: "a search for words",
            engine: self.engine(),
            since: None,
            hint: "look for a text with contains(…)",
        });
    }

    /// How it spells changes of the schema.
    fn ddl(&self) -> &dyn SchemaDialect {
        &StandardSchema
    }
}

/// Appends `text` between two `quote` characters, doubling those inside.
pub(crate) fn write_quoted(out: &mut String, text: &str, quote: char) {
    out.push(quote);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(quote) {
        out.push_str(before);
        out.push(quote);
        out.push(quote);
        rest = after;
    }
    out.push_str(rest);
    out.push(quote);
}
